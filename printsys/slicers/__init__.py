"""What a slicer's output says, so that nobody types it: `read`, `picture`, `could_be`.

A file's content says what it is; its name only says whether to read it at all. docs/slicers.md lists the programs.
"""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from printsys import fs
from printsys.domain.filetypes import type_of
from printsys.formats.safezip import Package, ZipRefused, open_package
from printsys.slicers import (
    bambu_package,
    bgcode,
    chitubox,
    closed,
    gcode,
    gcode_comments,
    gx,
    project3mf,
    sl1,
    ufp,
    zip_pictures,
)
from printsys.slicers.facts import Box, PlacedModel, PlacedModels, Plate, SlicerFacts, Thumbnail, Tool, Weight
from printsys.slicers.pictures import largest

__all__ = [
    "Box",
    "PlacedModel",
    "PlacedModels",
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
    """None for a file that no slicer wrote. One that nobody can read gives facts of the family "unknown" and a warning.

    `name` is the file's own name where it is stored under another. Takes milliseconds; with `measure` the meshes of a
    project (`placed`) take seconds for a million triangles, too long while a person waits. OSError is the disk's alone.
    """
    name = name or path.name
    if not could_be(name):
        return None
    with fs.open_regular(path) as stream:
        head = stream.read(8)
        if not head:
            return _unreadable("The file is empty (0 bytes).")
        return closed.read(name, head) if closed.is_one(name) else _read_by_content(stream, head, name, measure)


def _read_by_content(stream: BinaryIO, head: bytes, name: str, measure: bool) -> SlicerFacts | None:
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
                facts = _read_package(package, name, measure)
                shown = tuple(zip_pictures.thumbnails(package)) if facts else ()
        except ZipRefused as refusal:
            return _unreadable(f"The file could not be read. {refusal}")
        return facts.model_copy(update={"thumbnails": (*facts.thumbnails, *shown)}) if facts else None
    if type_of(name).is_gcode:
        return gcode.read(gcode_comments.of_file(stream))
    return _unreadable("The file could not be read: it is not what its name says, or it is damaged.")


def _read_package(package: Package, name: str, measure: bool) -> SlicerFacts | None:
    """None for a 3MF without a slicer's settings: it is a model."""
    if bambu_package.plates_of(package):
        return bambu_package.read(package)
    if sl1.is_one(package):
        return sl1.read(package)
    if ufp.gcode_part(package) is not None or name.casefold().endswith(".ufp"):
        return ufp.read(package)
    if name.casefold().endswith(".3mf"):
        return project3mf.read(package) if measure else project3mf.read_settings(package)
    return _unreadable("The package holds nothing that a slicer writes.")


def _unreadable(reason: str) -> SlicerFacts:
    return SlicerFacts(warnings=(reason,))


def picture(path: Path, *, name: str | None = None) -> bytes | None:
    """The largest embedded preview as a PNG; None without a readable one. OSError is the disk's alone."""
    name = name or path.name
    if not could_be(name):
        return None
    with fs.open_regular(path) as stream:
        return largest(stream, name)
