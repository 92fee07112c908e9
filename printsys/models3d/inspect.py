"""The facts of a model, as the record keeps them. findings.py says what they mean for a student."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict

from printsys.models3d.crumbs import slimmest
from printsys.models3d.fit import BedFit, Box, bed_fits
from printsys.models3d.islands import islands
from printsys.models3d.mesh import Floats, Mesh, finite, load
from printsys.models3d.thickness import DETAIL_THICK_MM, Thin, thinnest
from printsys.models3d.topology import Topology, study

MAX_PIECES = 200
Size = tuple[float, float, float]


class Place(BaseModel):
    """`mm` thick, wide or high at the point `at`, in the model's own axes. `on_picture`: shares of its width and
    height, from the top left; None: there is no picture."""

    model_config = ConfigDict(frozen=True)

    mm: float
    at: Size
    on_picture: tuple[float, float] | None = None


class ModelFacts(BaseModel):
    """Lengths in mm, areas in cm², volumes in cm³; a file without a unit counts as drawn in millimeters.

    `format` is "binary STL", "text STL", "OBJ" or "3MF"; `unit` is what the file states (3MF alone can).
    `pieces_mm`: the sizes, each once, of the parts that can be placed separately: the items of a 3MF, else the whole.
    `volume_cm3` is 0 where inside and outside are unclear; with small holes it is a good guess. `inverted`: the surface
    faces inwards. `bodies` does not count cavities. `slicer_trouble`: why slicers refuse or misplace the file as
    it is, the rest of a sentence; where `is_converted`, the working copy is written as STL. `wall`, `floor`: the
    thinnest upright and level ones; None where none is below thickness.THICK_MM, or where nobody can measure it.
    `detail`: the slimmest body or stroke below thickness.DETAIL_THICK_MM. `islands`: how many parts begin in
    the air as the model stands; `island`: the one that is joined highest, so many mm above where it begins.
    `bed_fits`: how the piece that fits worst stands in each of the lab's printers in which not all stand as drawn.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    @property
    def largest_piece_mm(self) -> Size:
        """All of it, unless it comes in pieces: those of a project lie side by side, and no print is as wide."""
        return max(self.pieces_mm, key=math.prod, default=self.size_mm) if self.pieces > 1 else self.size_mm

    format: str
    unit: str | None = None
    triangles: int = 0
    size_mm: Size = (0.0, 0.0, 0.0)
    pieces: int = 0
    pieces_mm: tuple[Size, ...] = ()
    volume_cm3: float = 0.0
    area_cm2: float = 0.0
    bodies: int = 0
    watertight: bool = False
    inverted: bool = False
    degenerate: int = 0
    open_edges: int = 0
    turned_edges: int = 0
    finite: bool = True
    slicer_trouble: str | None = None
    is_converted: bool = False
    wall: Place | None = None
    floor: Place | None = None
    detail: Place | None = None
    islands: int = 0
    island: Place | None = None
    bed_fits: tuple[BedFit, ...] = ()


def inspect(path: Path) -> ModelFacts:
    """FileRefused, ModelUnreadable or ModelTooHard, each with one sentence, for a file without facts."""
    return measure(load(path))


def measure(mesh: Mesh) -> ModelFacts:
    return study_mesh(mesh)[0]


def study_mesh(mesh: Mesh, volumes: Sequence[Box] = ()) -> tuple[ModelFacts, Floats]:
    """The facts, and both ends of each open edge that a picture should show (count × 2 × 3). `volumes`: W × D × H in mm
    of the printers that it may have to fit."""
    if not len(mesh.faces) or not finite(mesh):
        facts = ModelFacts(format=mesh.kind, unit=mesh.unit, triangles=len(mesh.faces), finite=not len(mesh.faces))
        return facts, np.zeros((0, 2, 3))
    topology = study(mesh.points, mesh.faces, mesh.piece)
    size = _size(mesh.triangles.reshape(-1, 3))
    numbers = np.unique(mesh.piece)
    pieces = [mesh.faces[mesh.piece == number] for number in numbers[:MAX_PIECES]] if len(numbers) > 1 else []
    corners = [mesh.points[np.unique(faces)] for faces in pieces] or [mesh.triangles.reshape(-1, 3)]
    sizes = [_size(points) for points in corners]
    is_inverted = topology.watertight and topology.turned_edges == 0 and topology.volume < 0
    facts = ModelFacts(
        format=mesh.kind,
        unit=mesh.unit,
        triangles=len(mesh.faces),
        size_mm=size,
        pieces=len(numbers),
        pieces_mm=tuple(dict.fromkeys(sizes)),
        volume_cm3=_tidy(abs(topology.volume) / 1000) if topology.has_clear_volume else 0.0,
        area_cm2=_tidy(topology.area / 100),
        bodies=topology.bodies,
        watertight=topology.watertight,
        inverted=is_inverted,
        degenerate=topology.degenerate,
        open_edges=topology.open_edges,
        turned_edges=topology.turned_edges,
        slicer_trouble=mesh.slicer_trouble,
        is_converted=mesh.is_converted,
        bed_fits=bed_fits(corners, volumes),
    )
    if topology.watertight and not topology.turned_edges:
        facts = facts.model_copy(update=_places(mesh.points, topology, is_inverted))
    return facts, topology.open_at


def _places(points: Floats, topology: Topology, is_inverted: bool) -> dict[str, Place | int | None]:
    """What is thin, slim or begins in the air: of a closed surface whose triangles agree."""
    outwards = slice(None, None, -1 if is_inverted else 1)
    faces, joined = topology.faces[:, outwards], topology.joined[:, outwards]
    thin = thinnest(points, faces)
    slim = [place for place in (thin.detail, slimmest(points, topology)) if place is not None]
    detail = min(slim, key=lambda place: place.thickness_mm, default=None)
    air = islands(points, faces, joined, topology.piece, topology.body)
    return {
        "wall": _place(thin.wall),
        "floor": _place(thin.floor),
        "detail": _place(detail) if detail is not None and detail.thickness_mm < DETAIL_THICK_MM else None,
        "islands": len(air),
        "island": Place(mm=round(air[0].depth_mm, 3), at=_point(air[0].at)) if air else None,
    }


def _place(thin: Thin | None) -> Place | None:
    return Place(mm=round(thin.thickness_mm, 3), at=_point(thin.at)) if thin is not None else None


def on_picture(facts: ModelFacts, places: Callable[[Floats], Floats]) -> ModelFacts:
    """With where its places are on the picture; `places` knows where points of the model are."""
    marked = {
        name: place.model_copy(update={"on_picture": _shares(places(np.array([place.at]))[0])})
        for name in ("wall", "floor", "detail", "island")
        if (place := getattr(facts, name)) is not None
    }
    return facts.model_copy(update=marked)


def _shares(place: Floats) -> tuple[float, float]:
    return round(float(place[0]), 4), round(float(place[1]), 4)


def _point(at: Size) -> Size:
    x, y, z = (round(along, 2) for along in at)
    return x, y, z


def _size(points: np.ndarray) -> Size:
    x, y, z = (_tidy(float(np.ptp(points[:, axis]))) for axis in range(3))
    return x, y, z


def _tidy(number: float) -> float:
    """Six significant digits: more than any caliper, fewer than a float's noise."""
    return float(f"{number:.6g}")
