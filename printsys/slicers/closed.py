"""Projects in formats that nobody has published. We name the program, so that people know what the file is.

ideaMaker's `.idea` and Formlabs' `.form` hold the arrangement and not the answer: time and material are only in the
program (or, of ideaMaker, in the G-code that it exports). We show an embedded PNG.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePath
from typing import BinaryIO

from printsys.slicers.facts import SlicerFacts

KNOWN = {
    ".idea": ("ideamaker", "ideaMaker", "Export the G-code beside it and weight and time are filled in from there."),
    ".form": ("formlabs", "PreForm", "PreForm shows time and resin of it; please type them."),
}
PNG, PNG_END = b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"
SEARCHED = 8 << 20


def is_one(name: str) -> bool:
    return PurePath(name).suffix.casefold() in KNOWN


def read(name: str, head: bytes) -> SlicerFacts | None:
    """By the extension: nothing else is reliable. None for XML, as NetBeans has files named `.form`, too."""
    if not is_one(name) or head.lstrip(b"\xef\xbb\xbf \r\n").startswith(b"<"):
        return None
    family, program, advice = KNOWN[PurePath(name).suffix.casefold()]
    warning = f"This is a project of {program}, whose format is not public. {advice}"
    return SlicerFacts(family=family, program=program, is_project=True, warnings=(warning,))


def pictures(stream: BinaryIO) -> Iterator[bytes]:
    """PNGs that lie unpacked in the file's first 8 MB, the largest first."""
    stream.seek(0)
    data, pngs, at = stream.read(SEARCHED), [], 0
    while (begin := data.find(PNG, at)) >= 0:
        end = data.find(PNG_END, begin)
        if end < 0:
            break
        at = end + len(PNG_END)
        pngs.append(data[begin:at])
    yield from sorted(pngs, key=len, reverse=True)[:8]
