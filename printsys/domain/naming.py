"""Names that are safe on Windows, SMB, macOS and Linux, and the ids that tell jobs apart.

Everything here is ASCII after transliteration, bounded, and compared by NFC + casefold, so that one name
means one file on every file system the lab may use.
"""

from __future__ import annotations

import re
import unicodedata

from anyascii import anyascii

ID_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base 32 (https://www.crockford.com/base32.html), lower case: no i, l, o, u to mishear or misread."""
ID_LENGTH = 8
ID_BITS = 5 * ID_LENGTH

FOLDER_NAME_LIMIT = 60
FILE_NAME_LIMIT = 80
PATH_LIMIT = 240
"""Longest whole path, in characters, that every program on Windows still opens (MAX_PATH is 260)."""

RESERVED = frozenset(
    ["con", "prn", "aux", "nul", "conin$", "conout$"]
    + [f"{device}{n}" for device in ("com", "lpt") for n in "0123456789"]
)
"""Device names that Windows gives no file, whatever the extension.
https://learn.microsoft.com/windows/win32/fileio/naming-a-file"""

COLOR_LENGTH = 16
"""Longest part of a folder's name that tells the color."""
_CROCKFORD_READS = str.maketrans("oil", "011")
_FOLDER_ID = re.compile(rf"_([{ID_ALPHABET}]{{{ID_LENGTH}}})$", re.IGNORECASE)
_WORD = re.compile(r"[A-Za-z0-9]+")
_UNSAFE = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]+')


def job_id(random_bits: int) -> str:
    """An id from `ID_BITS` random bits; the caller brings the randomness."""
    return "".join(ID_ALPHABET[(random_bits >> shift) & 31] for shift in range(ID_BITS - 5, -1, -5))


def parse_id(text: str) -> str | None:
    """The id that a person typed, in any case and with Crockford's look-alikes (O, I, L), or None."""
    letters = parse_part_of_id(text)
    return letters if letters is not None and len(letters) == ID_LENGTH else None


def parse_part_of_id(text: str) -> str | None:
    """The same of a part of an id, as somebody has it who is still typing."""
    letters = text.strip().casefold().translate(_CROCKFORD_READS)
    return letters if 0 < len(letters) <= ID_LENGTH and all(letter in ID_ALPHABET for letter in letters) else None


def id_in_folder_name(name: str) -> str | None:
    """The id that a job folder's name ends with, or None where the system did not make the name."""
    match = _FOLDER_ID.search(name)
    return match.group(1).casefold() if match else None


def comparable(name: str) -> str:
    """Equal for two names that are the same file on a case-insensitive, normalizing file system."""
    return unicodedata.normalize("NFC", name).casefold()


def camel(text: str, limit: int, otherwise: str) -> str:
    """`José Ñandú` → `JoseNandu`, `Glow in the Dark` → `GlowInTheDark`; `otherwise` where nothing is left."""
    words = _WORD.findall(anyascii(unicodedata.normalize("NFC", text)).replace("'", ""))
    return "".join(word[0].upper() + word[1:] for word in words)[:limit] or otherwise


def folder_name(student: str, method: str, color: str, id_: str) -> str:
    """`FirstLast_Method_Color_<id>`, at most `FOLDER_NAME_LIMIT` characters."""
    tail = f"_{camel(method, 12, 'Method')}_{camel(color, COLOR_LENGTH, 'Color')}_{id_}"
    return camel(student, FOLDER_NAME_LIMIT - len(tail), "Student") + tail


def safe_file_name(name: str, limit: int = FILE_NAME_LIMIT) -> str:
    """`name` as a file name that any of the lab's computers can hold; the extension survives shortening.

    Only the last part of a path is used, whichever way its slashes lean. A safe name stays as it is.
    """
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", name))[-1]
    safe = _safe(_UNSAFE.sub("_", anyascii(last)), limit)
    while (again := _safe(safe, limit)) != safe:  # what was cut off made another part its extension
        safe = again
    return safe


def _safe(ascii_name: str, limit: int) -> str:
    stem, dot, extension = ascii_name.rpartition(".")
    if not dot or not re.fullmatch(r"[A-Za-z0-9]{1,8}", extension):
        stem, extension = ascii_name, ""
    # A leading dot or ~ would make it a file that file managers hide and slicers call temporary.
    stem = re.sub(r"\s+", " ", stem).lstrip(" .~-").rstrip(" .")
    suffix = f".{extension}" if extension else ""
    stem = stem[: limit - len(suffix) - 1].rstrip(" .") or "model"
    device = stem.split(".")[0].rstrip(" ")
    if device.casefold() in RESERVED:
        stem = f"{device}_{stem[len(device) :]}"
    return stem + suffix


def opens_everywhere(name: str) -> bool:
    """Whether every computer of the lab can open a file of this name (forward slashes between its parts). People and
    slicers on Linux and macOS may save others, and Windows opens none of those."""
    return all(
        not (_UNSAFE.search(part) or part.endswith((" ", ".")) or part.split(".")[0].rstrip(" ").casefold() in RESERVED)
        for part in name.split("/")
    )


def distinct(name: str, used: set[str]) -> str:
    """`name`, or `name 2`, `name 3` … so that it is none of `used` (a set of `comparable` names)."""
    stem, dot, extension = name.rpartition(".")
    if not dot:
        stem, extension = name, ""
    candidate, count = name, 1
    while comparable(candidate) in used:
        count += 1
        candidate = f"{stem} {count}{dot}{extension}"
    return candidate
