"""The triangles of a file of any format. Arrays only, so that a picture of a large model starts quickly."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from printsys import fs
from printsys.domain.filetypes import MESHES
from printsys.errors import FileRefused, ModelTooHard, ModelUnreadable
from printsys.formats import threemf
from printsys.formats.safezip import ZipRefused, open_package
from printsys.formats.threemf import MAX_TRIANGLES
from printsys.models3d import slicer_trouble
from printsys.models3d.polygons import triangulate
from printsys.models3d.sniff import STL_HEADER, check_model, facet_count, stated_count
from printsys.models3d.sniff_others import CHUNK, MAX_UNPACKED, models_in

Floats = npt.NDArray[np.floating]
Ints = npt.NDArray[np.integer]

MAX_BYTES = 2 << 30
FAR = 1e12
"""In mm, beyond the moon: no corner lies there."""
STL_FACET = np.dtype([("normal", "<f4", 3), ("points", "<f4", (3, 3)), ("attribute", "<u2")])


@dataclass(frozen=True)
class Mesh:
    """Points in millimeters. `piece` numbers the separately placeable part that each triangle belongs to.

    `unit` is the file's own, None if its format has none. `soup`: three own points for each triangle. `slicer_trouble`:
    see slicer_trouble.py. `is_converted`: the lab works with a copy of it, written as STL.
    """

    kind: str
    points: Floats
    faces: Ints
    piece: Ints
    unit: str | None = None
    soup: bool = False
    slicer_trouble: str | None = None
    is_converted: bool = False

    @property
    def triangles(self) -> Floats:
        """Count × 3 corners × 3."""
        return self.points.reshape(-1, 3, 3) if self.soup else self.points[self.faces]


def load(path: Path) -> Mesh:
    """FileRefused, ModelUnreadable or ModelTooHard, each with a sentence, for a file without a usable mesh."""
    with fs.open_regular(path) as stream:
        check_model(path.name, stream, MAX_BYTES, MESHES)
    mesh = {".stl": _stl, ".obj": _obj, ".3mf": _3mf, ".zip": _zip}.get(path.suffix.lower(), _other)(path)
    if not mesh.soup and len(mesh.faces) and (mesh.faces.min() < 0 or mesh.faces.max() >= len(mesh.points)):
        raise ModelUnreadable(f"{path.name} has triangles whose corners do not exist. Please export it again.")
    if mesh.soup:
        return mesh
    # A point that no triangle uses does not print, and may be anywhere or nowhere.
    used, faces = np.unique(mesh.faces, return_inverse=True)
    return replace(mesh, points=mesh.points[used], faces=faces.reshape(-1, 3))


def _one_piece(kind: str, points: Floats, faces: Ints, trouble: str | None, soup: bool = False) -> Mesh:
    piece = np.zeros(len(faces), np.int32)
    return Mesh(kind, points, faces, piece, soup=soup, slicer_trouble=trouble, is_converted=trouble is not None)


def _soup(kind: str, points: Floats, trouble: str | None) -> Mesh:
    return _one_piece(kind, points, np.arange(len(points), dtype=np.int32).reshape(-1, 3), trouble, soup=True)


def _stl(path: Path) -> Mesh:
    size = path.stat().st_size
    with fs.open_regular(path) as stream:
        head = stream.read(CHUNK)
    count = facet_count(head, size)
    if count is not None:
        refuse_too_many(path, count)
        facets = np.fromfile(path, STL_FACET, count, offset=STL_HEADER)
        trouble = slicer_trouble.of_binary_stl(stated_count(head), count)
        return _soup("binary STL", facets["points"].reshape(-1, 3), trouble)
    whole = fs.read(path)
    # The solid's name is anybody's words, "vertex" among them.
    text = re.sub(rb"(?:^|(?<=[\r\n]))[ \t]*(?:end)?solid[^\r\n]*", b"", whole, flags=re.IGNORECASE)
    corners = re.findall(rb"vertex\s+(\S+)\s+(\S+)\s+(\S+)", text, re.IGNORECASE)
    refuse_too_many(path, len(corners) // 3)
    if len(corners) % 3:
        raise ModelUnreadable(f"{path.name} is cut short: its last triangle lacks a corner. Please export it again.")
    return _soup("text STL", _numbers(path, corners), slicer_trouble.of_text_stl(whole, len(corners) // 3))


def _numbers(path: Path, rows: Sequence[Sequence[bytes]]) -> Floats:
    try:
        return np.array(rows, dtype="S32").astype(np.float64).reshape(-1, 3)
    except ValueError:
        if any(b"," in number for row in rows for number in row):
            raise ModelUnreadable(
                f"{path.name} writes its numbers with decimal commas, which no slicer reads. Please export it again "
                "with points, or as binary STL."
            ) from None
        raise ModelUnreadable(f"{path.name} has corners that are not numbers. Please export it again.") from None


def _obj(path: Path) -> Mesh:
    """`v` and `f` of Wavefront OBJ (appendix B1 of the Advanced Visualizer manual)."""
    points: list[list[bytes]] = []
    faces: list[Sequence[int]] = []
    polygons: list[Sequence[int]] = []
    has_short_faces = False
    text = fs.read(path)
    for line in text.replace(b"\\\r\n", b" ").replace(b"\\\n", b" ").splitlines():
        word, *rest = line.split() or (b"",)
        if word == b"v" and len(rest) >= 3:
            points.append(rest[:3])
        elif word == b"f":
            corners = [_corner(path, text, len(points)) for text in rest]
            has_short_faces |= len(corners) < 3
            if len(corners) >= 3:
                (faces if len(corners) == 3 else polygons).append(corners)
    refuse_too_many(path, len(faces) + sum(len(polygon) - 2 for polygon in polygons))
    places = _numbers(path, points)
    if any(not 0 <= corner < len(places) for polygon in polygons for corner in polygon):
        raise ModelUnreadable(f"{path.name} has triangles whose corners do not exist. Please export it again.")
    triangles = np.array(faces, np.int64).reshape(-1, 3)
    whole = np.vstack([triangles, triangulate(places, polygons)])
    return _one_piece("OBJ", places, whole, slicer_trouble.of_obj(text, polygons, has_short_faces))


def _corner(path: Path, text: bytes, point_count: int) -> int:
    """Counted from 1, or backwards from the newest point; the rest after `/` is texture and normal."""
    try:
        number = int(text.partition(b"/")[0])
    except ValueError:
        raise ModelUnreadable(f"{path.name} has faces that cannot be read. Please export it again.") from None
    if abs(number) > MAX_BYTES:  # more corners than bytes
        raise ModelUnreadable(f"{path.name} has faces whose corners do not exist. Please export it again.")
    return number - 1 if number > 0 else point_count + number


def _3mf(path: Path) -> Mesh:
    """Each item of the build is a piece of its own."""
    points, faces, pieces = [np.zeros((0, 3))], [np.zeros((0, 3), np.int64)], [np.zeros(0, np.int32)]
    base = 0
    try:
        with fs.open_regular(path) as stream, open_package(stream) as package:
            model = threemf.read(package)
            for item, placed, corners in model.placed():
                points.append(placed)
                faces.append(corners + base)
                pieces.append(np.full(len(corners), item, np.int32))
                base += len(placed)
            trouble = slicer_trouble.of_3mf(model, package)
            is_project = threemf.BAMBU_PARTS in package
    except threemf.ThreeMfTooMuch as error:
        raise ModelTooHard(f"{path.name} {error}. Please export it again, simplified.") from error
    except threemf.ThreeMfRefused as error:
        raise ModelUnreadable(f"{path.name} {error}. Please export it again.") from error
    except ZipRefused as error:
        raise ModelUnreadable(f"{path.name} is damaged or cut short. Please export it again.") from error
    # The plates of a project would become one heap: its own program opens it.
    is_converted = trouble is not None and not (is_project and len(model.items) > 1)
    if trouble is not None and not is_converted:
        trouble = "is a project that only OrcaSlicer and Bambu Studio open"
    return Mesh(
        "3MF",
        np.vstack(points) * model.mm_per_unit,
        np.vstack(faces),
        np.concatenate(pieces),
        model.unit,
        slicer_trouble=trouble,
        is_converted=is_converted,
    )


def _other(path: Path) -> Mesh:
    """A format that the lab converts: all that is in it, as it stands, is one model."""
    from printsys.models3d.other_formats import read

    surface = read(path)
    points, faces = [np.zeros((0, 3))], [np.zeros((0, 3), np.int64)]
    base = 0
    for corners, triangles in surface.pieces:
        points.append(corners)
        faces.append(triangles + base)
        base += len(corners)
    trouble = f"is in a format ({surface.kind}) that not every slicer reads"
    return replace(_one_piece(surface.kind, np.vstack(points), np.vstack(faces), trouble), unit=surface.unit)


def _zip(path: Path) -> Mesh:
    """The one model in the archive, unpacked for as long as that takes."""
    try:
        with fs.open_regular(path) as stream, open_package(stream) as package:
            (name,) = models_in(package)
            with tempfile.TemporaryDirectory() as scratch:
                inner = Path(scratch) / f"model{os.path.splitext(name)[1].lower()}"
                inner.write_bytes(package.read(name, MAX_UNPACKED))
                mesh = load(inner)
    except ZipRefused as error:
        raise ModelUnreadable(f"{path.name} cannot be unpacked. {error}") from error
    except (FileRefused, ModelUnreadable, ModelTooHard) as error:
        error.args = (str(error).replace(inner.name, f"{path.name} ({name.rpartition('/')[2]})"),)
        raise
    return replace(mesh, slicer_trouble="is a zip archive", is_converted=True)


def refuse_too_many(path: Path, triangles: int) -> None:
    if triangles > MAX_TRIANGLES:
        raise ModelTooHard(
            f"{path.name} has {triangles:,} triangles, far more than any printer shows. Please simplify it."
        )


def finite(mesh: Mesh) -> bool:
    """Whether every corner is a number, and small enough to compute sizes and volumes with."""
    return bool(mesh.points.min(initial=0) > -FAR and mesh.points.max(initial=0) < FAR)
