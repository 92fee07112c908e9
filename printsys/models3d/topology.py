"""How the triangles of a mesh hang together: numpy alone, in a few sorts, for millions of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from printsys.models3d.mesh import Floats, Ints

CLOSE = 1e-6
"""Of the model's diagonal: corners nearer than this are the same when exact ones leave holes (32-bit exporters)."""


@dataclass(frozen=True)
class Topology:
    """`open_edges` belong to an odd number of triangles, `turned_edges` to two that face opposite ways."""

    bodies: int
    open_edges: int
    turned_edges: int
    degenerate: int
    area: float
    volume: float
    """Signed: negative when the surface faces inwards. In the cube of the points' unit."""

    @property
    def watertight(self) -> bool:
        return self.open_edges == 0


def study(points: Floats, faces: Ints, piece: Ints) -> Topology:
    """`points` finite, `faces` at least one."""
    faces, count, degenerate, kept = _welded(points, faces, piece, 0.0)
    open_edges, turned = _edges(faces, count)
    if open_edges:
        near = _welded(points, kept, piece, CLOSE * float(np.linalg.norm(np.ptp(points, axis=0))))
        again = _edges(near[0], near[1])
        if again[0] < open_edges:
            faces, count, (open_edges, turned) = near[0], near[1], again
    area, volume = _measure(points, kept)
    return Topology(_bodies(faces, count), open_edges, turned, degenerate, area, volume)


def _welded(points: Floats, faces: Ints, piece: Ints, grid: float) -> tuple[Ints, int, int, Ints]:
    """Faces over welded points, their number, how many triangles were no triangles, and the true ones as they came.

    Corners of different pieces stay apart: two boxes that touch are two bodies.
    """
    of_point = np.zeros(len(points), np.uint64)
    if len(piece) == len(faces):
        of_point[faces.ravel()] = np.repeat(piece, 3).astype(np.uint64)
    places = (np.round(points / grid) if grid else points).astype(np.float64) + 0.0  # -0.0 is 0.0
    bits = np.ascontiguousarray(places).view(np.uint64).reshape(-1, 3)
    _, number = np.unique(_mixed(bits, of_point), return_inverse=True)
    welded = number[faces]
    true = (welded[:, 0] != welded[:, 1]) & (welded[:, 1] != welded[:, 2]) & (welded[:, 2] != welded[:, 0])
    kept = faces if true.all() else faces[true]
    return welded[true], int(number.max()) + 1, int((~true).sum()), kept


def _mixed(bits: npt.NDArray[np.uint64], salt: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """One number for each row, by multiplying and shifting as splitmix64 does; equal rows are equal."""
    mixed = salt * np.uint64(0x9E3779B97F4A7C15)
    for column in range(3):
        mixed = (mixed ^ bits[:, column]) * np.uint64(0xBF58476D1CE4E5B9)
        mixed ^= mixed >> np.uint64(29)
        mixed *= np.uint64(0x94D049BB133111EB)
        mixed ^= mixed >> np.uint64(32)
    return mixed


def _edges(faces: Ints, count: int) -> tuple[int, int]:
    """How many are open, and how many lie between triangles that disagree about the outside."""
    start = faces[:, [0, 1, 2]].ravel().astype(np.int64)
    stop = faces[:, [1, 2, 0]].ravel().astype(np.int64)
    forward = start < stop
    keys = np.where(forward, start * count + stop, stop * count + start) * 2 + forward
    keys.sort()
    edges, first, uses = np.unique(keys >> 1, return_index=True, return_counts=True)
    ahead = np.add.reduceat(keys & 1, first) if len(edges) else np.zeros(0, np.int64)
    odd = uses % 2 == 1
    return int(odd.sum()), int((~odd & (2 * ahead != uses)).sum())


def _bodies(faces: Ints, count: int) -> int:
    """Groups of triangles that share corners: each corner takes the smallest number it is connected to."""
    label = np.arange(count)
    one = np.concatenate([faces[:, 0], faces[:, 1]])
    other = np.concatenate([faces[:, 1], faces[:, 2]])
    while len(one):
        a, b = label[one], label[other]
        np.minimum.at(label, np.maximum(a, b), np.minimum(a, b))
        while not np.array_equal(shorter := label[label], label):
            label = shorter
        apart = label[one] != label[other]
        one, other = one[apart], other[apart]
    return len(np.unique(label[faces.ravel()])) if len(faces) else 0


def _measure(points: Floats, faces: Ints) -> tuple[float, float]:
    """Area, and volume by the divergence theorem about the middle (so that a far place costs no digits)."""
    middle = points.mean(axis=0, dtype=np.float64)
    area = volume = 0.0
    for start in range(0, len(faces), 1 << 18):
        a, b, c = (points[faces[start : start + (1 << 18), k]].astype(np.float64) - middle for k in range(3))
        across = np.cross(b - a, c - a)
        area += float(np.linalg.norm(across, axis=1).sum()) / 2
        volume += float(np.einsum("ij,ij->", a, across)) / 6
    return area, volume
