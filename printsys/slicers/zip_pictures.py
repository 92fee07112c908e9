"""The pictures of plates in a package. What users attach to a project (`Auxiliaries/`) is none of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from printsys.formats.safezip import Package, ZipRefused
from printsys.slicers.bambu_package import plates_of
from printsys.slicers.facts import Thumbnail

NAME = re.compile(
    r"/?(?:Metadata/(?:plate_(\d{1,4})(?:_small)?|thumbnail(?:_\w{1,20})?)|thumbnail/[\w-]{1,60}|Thumbnails/[\w-]{1,60})"
    r"\.(?:png|jpe?g)",
    re.IGNORECASE,
)
MOST_LISTED = 64
MOST_PICTURE = 16 << 20


class _Part(NamedTuple):
    """Sorts as pictures are listed. `plate` 0: the picture is of the whole package."""

    is_of_another_plate: bool
    plate: int
    name: str


def thumbnails(package: Package) -> Iterator[Thumbnail]:
    """Those of plates with G-code come first, in the order of plates; sizes are those that the pictures state."""
    yield from (shown for _, shown in _listed(package))


def pictures(package: Package) -> Iterator[bytes]:
    """Never of a plate whose G-code is elsewhere. The largest first, those of the whole package last."""
    shown = [(part, thumbnail) for part, thumbnail in _listed(package) if not part.is_of_another_plate]
    for _, thumbnail in sorted(shown, key=lambda pair: (pair[0].plate == 0, -pair[1].width * pair[1].height)):
        try:
            yield package.read(thumbnail.where, MOST_PICTURE)
        except ZipRefused:
            continue


def _listed(package: Package) -> Iterator[tuple[_Part, Thumbnail]]:
    for part in sorted(_parts(package))[:MOST_LISTED]:
        try:
            head = package.head(part.name, 24)
        except ZipRefused:
            continue
        where = part.name.lstrip("/")
        if head.startswith(b"\x89PNG\r\n\x1a\n") and len(head) == 24:
            width, height = int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")
            yield part, Thumbnail(format="PNG", width=width, height=height, where=where)
        elif head.startswith(b"\xff\xd8\xff"):
            yield part, Thumbnail(format="JPG", width=0, height=0, where=where)


def _parts(package: Package) -> Iterator[_Part]:
    sliced = {index for index, _ in plates_of(package)}
    for match in filter(None, map(NAME.fullmatch, package.names)):
        plate = int(match.group(1) or 0)
        yield _Part(bool(sliced and plate and plate not in sliced), plate, match.string)
