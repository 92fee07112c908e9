"""What a slicer's output says, so that nobody types it: `read`, `picture`, `could_be`.

What a file is, is told by its content; its name only says whether to look at all. docs/slicers.md lists the programs.
"""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from printsys.domain.filetypes import type_of
from printsys.formats.safezip import Package, ZipRefused, open_package
from printsys.slicers import (
    bambu_package,
    bgcode,
    chitubox,
    closed,
    ends,
    gcode,
    gx,
    project3mf,
    sl1,
    ufp,
    zip_pictures,
)
from printsys.slicers.facts import Box, Placed, PlacedItem, Plate, SlicerFacts, Thumbnail, Tool, Weight
from printsys.slicers.pictures import largest

__all__ = [
    "Box",
    "Placed",
    "PlacedItem",
    "Plate",
    "SlicerFacts",
    "Thumbnail",
    "Tool",
    "Weight",
    "could_be",
    "picture",
    "read",
]

ZIP = b"PK\x03\x04"
APPLE_DOUBLE = b"\x00\x05\x16\x07"


def could_be(name: str) -> bool:
    """Whether a file of this name is worth reading."""
    return not name.startswith("._") and type_of(name).has_reader


def read(path: Path, *, name: str | None = None, measure: bool = True) -> SlicerFacts | None:
    """None for what is no slicer's file. What cannot be read is facts of the family "unknown" with a warning sentence.

    `name` is the file's own name where it lies under another. Milliseconds, unless a project's meshes are measured
    (`placed`): some seconds for a million triangles, so not where a person waits. OSError is the disk's alone.
    """
    name = name or path.name
    if not could_be(name):
        return None
    with path.open("rb") as stream:
        head = stream.read(8)
        if not head:
            return _unreadable("The file is empty (0 bytes).")
        return closed.read(name, head) if closed.is_one(name) else _by_content(stream, head, name, measure)


def _by_content(stream: BinaryIO, head: bytes, name: str, measure: bool) -> SlicerFacts | None:
    if head.startswith(bgcode.MAGIC):
        return bgcode.read(stream)
    if gx.is_one(head):
        return gx.read(stream)
    if chitubox.is_one(head):
        return chitubox.read(stream)
    if head.startswith(APPLE_DOUBLE):
        return _unreadable("This is a note that macOS keeps beside a file, not the file itself.")
    if head.startswith(ZIP):
        try:
            with open_package(stream) as package:
                return _package(package, name, measure)
        except ZipRefused as refusal:
            return _unreadable(f"The file could not be read. {refusal}")
    if type_of(name).is_gcode:
        return gcode.read(ends.of_file(stream))
    return _unreadable("The file could not be read: it is not what its name says, or it is damaged.")


def _package(package: Package, name: str, measure: bool) -> SlicerFacts | None:
    facts = _facts_of(package, name, measure)
    if facts is None:
        return None
    return facts.model_copy(update={"thumbnails": (*facts.thumbnails, *zip_pictures.thumbnails(package))})


def _facts_of(package: Package, name: str, measure: bool) -> SlicerFacts | None:
    """A 3MF that no slicer has been at is a model: None."""
    if bambu_package.plates_of(package):
        return bambu_package.read(package)
    if sl1.is_one(package):
        return sl1.read(package)
    if ufp.gcode_part(package) is not None or name.casefold().endswith(".ufp"):
        return ufp.read(package)
    if name.casefold().endswith(".3mf"):
        return project3mf.read(package) if measure else project3mf.said_by(package)
    return _unreadable("The package holds nothing that a slicer writes.")


def _unreadable(why: str) -> SlicerFacts:
    return SlicerFacts(warnings=(why,))


def picture(path: Path, *, name: str | None = None) -> bytes | None:
    """The largest embedded preview as a PNG; None where none can be shown. OSError is the disk's alone."""
    name = name or path.name
    if not could_be(name):
        return None
    with path.open("rb") as stream:
        return largest(stream, name)
