"""The pictures of plates in a package. What users attach to a project (`Auxiliaries/`) is none of them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from printsys.formats.safezip import Package, ZipRefused
from printsys.slicers.facts import Thumbnail

NAME = re.compile(
    r"/?(?:Metadata/(?:plate_\d{1,4}|plate_\d{1,4}_small|thumbnail(?:_\w{1,20})?)|thumbnail/[\w-]{1,60}|Thumbnails/[\w-]{1,60})"
    r"\.(?:png|jpe?g)",
    re.IGNORECASE,
)
MOST_LISTED = 64
MOST_PICTURE = 16 << 20


def thumbnails(package: Package) -> Iterator[Thumbnail]:
    """In the order of plates; sizes are those that the pictures themselves state."""
    for name in sorted(filter(NAME.fullmatch, package.names))[:MOST_LISTED]:
        try:
            head = package.head(name, 24)
        except ZipRefused:
            continue
        if head.startswith(b"\x89PNG\r\n\x1a\n") and len(head) == 24:
            width, height = int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")
            yield Thumbnail(format="PNG", width=width, height=height, where=name.lstrip("/"))
        elif head.startswith(b"\xff\xd8\xff"):
            yield Thumbnail(format="JPG", width=0, height=0, where=name.lstrip("/"))


def pictures(package: Package) -> Iterator[bytes]:
    """The largest first."""
    for shown in sorted(thumbnails(package), key=lambda shown: shown.width * shown.height, reverse=True):
        try:
            yield package.read(shown.where, MOST_PICTURE)
        except ZipRefused:
            continue
