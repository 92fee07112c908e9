"""The facts of a model, as the record keeps them. findings.py says what they mean for a student."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict

from printsys.models3d.mesh import Mesh, finite, load
from printsys.models3d.topology import study

MAX_PIECES = 200
Size = tuple[float, float, float]


class ModelFacts(BaseModel):
    """Lengths in mm, areas in cm², volumes in cm³; a file without a unit counts as drawn in millimeters.

    `format` is "binary STL", "text STL", "OBJ" or "3MF"; `unit` is what the file states (3MF alone can).
    `pieces_mm`: the sizes, each once, of the parts that can be placed separately: the items of a 3MF, else the whole.
    `volume_cm3` is 0 where inside and outside are unclear; with small holes it is a good guess. `inverted`: the surface
    faces inwards. `bodies` does not count cavities. `slicer_trouble`: why slicers refuse or misplace the file as
    it is, the rest of a sentence; where `is_converted`, the working copy is written as STL.
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
    slicer_trouble: str | None = None
    is_converted: bool = False


def inspect(path: Path) -> ModelFacts:
    """FileRefused, ModelUnreadable or ModelTooHard, each with one sentence, for a file without facts."""
    return measure(load(path))


def measure(mesh: Mesh) -> ModelFacts:
    if not len(mesh.faces) or not finite(mesh):
        return ModelFacts(format=mesh.kind, unit=mesh.unit, triangles=len(mesh.faces), finite=not len(mesh.faces))
    topology = study(mesh.points, mesh.faces, mesh.piece)
    size = _size(mesh.triangles.reshape(-1, 3))
    numbers = np.unique(mesh.piece)
    pieces = [mesh.faces[mesh.piece == number] for number in numbers[:MAX_PIECES]] if len(numbers) > 1 else []
    sizes = [_size(mesh.points[np.unique(faces)]) for faces in pieces] or [size]
    return ModelFacts(
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
        inverted=topology.watertight and topology.turned_edges == 0 and topology.volume < 0,
        degenerate=topology.degenerate,
        open_edges=topology.open_edges,
        turned_edges=topology.turned_edges,
        slicer_trouble=mesh.slicer_trouble,
        is_converted=mesh.is_converted,
    )


def _size(points: np.ndarray) -> Size:
    x, y, z = (_tidy(float(np.ptp(points[:, axis]))) for axis in range(3))
    return x, y, z


def _tidy(number: float) -> float:
    """Six significant digits: more than any caliper, fewer than a float's noise."""
    return float(f"{number:.6g}")
