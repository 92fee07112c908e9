"""Which file names a link may have: names that mean one ordinary file in a job's folder on Windows, macOS and Linux.

The rules of all systems hold on each of them, so that a link behaves the same everywhere.
Windows' rules: https://learn.microsoft.com/windows/win32/fileio/naming-a-file
"""

from __future__ import annotations

import re
import unicodedata

from opener.refusals import Reason, Refused

ID_LETTERS = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base 32 (https://www.crockford.com/base32.html): no i, l, o, u to mishear or misread."""
ID_LENGTH = 8
_CROCKFORD_READS = str.maketrans("oil", "011")

MODELS = frozenset({".stl", ".obj", ".3mf", ".amf", ".step", ".stp", ".ply"})
"""Kinds that slicers for filament and for resin both read."""
SLICED = frozenset(
    {
        ".gcode",
        ".gco",
        ".gc",
        ".g",
        ".nc",
        ".gx",
        ".bgcode",
        ".bgc",
        ".ufp",
        ".x3g",
        ".makerbot",
        ".idea",
        ".data",
        ".form",
        ".formx",
    }
    | {".sl1", ".sl1s", ".ctb", ".cbddlp", ".photon", ".pwmx", ".cws", ".lys", ".chitubox"}
)
"""Kinds that belong to one slicer or one sort of printer."""
OPENABLE = MODELS | SLICED

_DEVICE = re.compile(r"(?:con|prn|aux|nul|conin\$|conout\$|clock\$|(?:com|lpt)[0-9¹²³])", re.IGNORECASE)
_DRIVE = re.compile(r"[A-Za-z]:")
_NEVER_IN_A_NAME = frozenset('<>"|?*')
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Signs that turn the reading direction: `lts.exe` could be shown as `exe.stl`."""
PART_LIMIT = 200
DEPTH_LIMIT = 8


def has_hidden_signs(text: str) -> bool:
    """Whether `text` has control characters, line separators, lone surrogates, or signs that turn the reading order."""
    return any(letter in _BIDI or unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") for letter in text)


def comparable(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def job_id(text: str) -> str | None:
    """The id in its one spelling, whatever case and look-alikes (O, I, L) it came in; None if it is not one."""
    spelled = text.casefold().translate(_CROCKFORD_READS)
    is_id = len(spelled) == ID_LENGTH and all(letter in ID_LETTERS for letter in spelled)
    return spelled if is_id else None


def extension(name: str) -> str:
    """`.stl` of `Bracket.STL`; empty where there is none."""
    stem, dot, last = name.rpartition(".")
    return f".{last.lower()}" if dot and stem else ""


def parts_of(path: str) -> tuple[str, ...]:
    """The parts of a path in a job folder, each of them proven harmless.

    Raises Refused with the rule that the path breaks.
    """
    _refuse_other_roots(path)
    parts = tuple(path.split("/"))
    if len(parts) > DEPTH_LIMIT:
        raise Refused(Reason.NAME)
    for part in parts:
        if _DEVICE.fullmatch(part.split(".")[0].rstrip(" ")):
            raise Refused(Reason.DEVICE)
        # Windows drops dots and spaces from the end of a name: "x.exe ." would be another file than its name.
        if not part or part != part.rstrip(" .") or len(part) > PART_LIMIT or _NEVER_IN_A_NAME & set(part):
            raise Refused(Reason.NAME)
        if part.startswith("."):
            raise Refused(Reason.HIDDEN)
    if extension(parts[-1]) not in OPENABLE:
        raise Refused(Reason.EXTENSION, extension(parts[-1]) or "without extension")
    return parts


def _refuse_other_roots(path: str) -> None:
    if has_hidden_signs(path):
        raise Refused(Reason.CONTROL)
    if path[:2].replace("\\", "/") == "//":
        raise Refused(Reason.UNC)
    if path[:1] in ("/", "\\", "~"):
        raise Refused(Reason.ABSOLUTE)
    if _DRIVE.match(path):
        raise Refused(Reason.DRIVE)
    if any(part.strip(" ") == ".." for part in path.replace("\\", "/").split("/")):
        raise Refused(Reason.PARENT)
    if "\\" in path:
        raise Refused(Reason.BACKSLASH)
    if ":" in path:
        raise Refused(Reason.STREAM)
