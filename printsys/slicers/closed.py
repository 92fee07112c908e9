"""Projects whose formats nobody has published: they are named, so that people know what the file is, and left alone.

ideaMaker's `.idea` and Formlabs' `.form` hold the arrangement and not the answer: time and material are only in the
program (or, of ideaMaker, in the G-code that it exports). An embedded PNG is shown where there is one.
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
    """By the extension: nothing else can be relied on. None for XML, as NetBeans has files named `.form`, too."""
    known = KNOWN.get(PurePath(name).suffix.casefold())
    if known is None or head.lstrip(b"\xef\xbb\xbf \r\n").startswith(b"<"):
        return None
    family, program, advice = known
    said = f"This is a project of {program}, whose format is not public. {advice}"
    return SlicerFacts(family=family, program=program, is_project=True, warnings=(said,))


def pictures(stream: BinaryIO) -> Iterator[bytes]:
    """PNGs that lie unpacked in the file's first 8 MB, the largest first."""
    stream.seek(0)
    data, found, at = stream.read(SEARCHED), [], 0
    while (begin := data.find(PNG, at)) >= 0:
        end = data.find(PNG_END, begin)
        if end < 0:
            break
        at = end + len(PNG_END)
        found.append(data[begin:at])
    yield from sorted(found, key=len, reverse=True)[:8]
