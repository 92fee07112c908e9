"""The facts of a model, as they are kept in the record. What they mean for a student is said by findings.py."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict

from printsys.models3d.mesh import Mesh, finite, load
from printsys.models3d.topology import study

MAX_PIECES = 200
Size = tuple[float, float, float]


class ModelFacts(BaseModel):
    """Lengths in mm, areas in cm², volumes in cm³, taking files that state no unit as millimetres.

    `format` is "binary STL", "text STL", "OBJ" or "3MF"; `unit` is what the file states (3MF alone can).
    `pieces_mm`: the sizes, each once, of what can be placed by itself: the items of a 3MF, else the whole.
    `volume_cm3` is a guess unless `watertight`. `inverted`: the surface faces inwards.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

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


def inspect(path: Path) -> ModelFacts:
    """FileRefused, ModelUnreadable or ModelTooHard, each with one sentence, if there is nothing to know."""
    return measure(load(path))


def measure(mesh: Mesh) -> ModelFacts:
    if not len(mesh.faces) or not finite(mesh):
        return ModelFacts(format=mesh.kind, unit=mesh.unit, triangles=len(mesh.faces), finite=not len(mesh.faces))
    found = study(mesh.points, mesh.faces, mesh.piece)
    pieces = _pieces(mesh)
    return ModelFacts(
        format=mesh.kind,
        unit=mesh.unit,
        triangles=len(mesh.faces),
        size_mm=_size(mesh.triangles.reshape(-1, 3)),
        pieces=len(np.unique(mesh.piece)),
        pieces_mm=pieces,
        volume_cm3=_tidy(abs(found.volume) / 1000),
        area_cm2=_tidy(found.area / 100),
        bodies=found.bodies,
        watertight=found.watertight,
        inverted=found.watertight and found.turned_edges == 0 and found.volume < 0,
        degenerate=found.degenerate,
        open_edges=found.open_edges,
        turned_edges=found.turned_edges,
    )


def _pieces(mesh: Mesh) -> tuple[Size, ...]:
    numbers = np.unique(mesh.piece)[:MAX_PIECES]
    if len(numbers) == 1:
        return (_size(mesh.triangles.reshape(-1, 3)),)
    sizes = (_size(mesh.points[np.unique(mesh.faces[mesh.piece == number])]) for number in numbers)
    return tuple(dict.fromkeys(sizes))


def _size(points: np.ndarray) -> Size:
    x, y, z = (_tidy(float(np.ptp(points[:, axis]))) for axis in range(3))
    return x, y, z


def _tidy(number: float) -> float:
    """Six digits that count: more than any caliper, fewer than a float's noise."""
    return float(f"{number:.6g}")
