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
    """`points` finite, `faces` at least one, `piece` as many as faces.

    Corners of different pieces are never the same: two boxes that touch are two bodies.
    """
    owner = np.zeros(len(points), np.uint64)
    owner[faces.ravel()] = np.repeat(piece, 3).astype(np.uint64)
    number = _number(points.astype(np.float64), owner)
    welded = number[faces]
    is_triangle = _have_three_corners(welded)
    edges = _edges(welded[is_triangle])
    if edges[0]:
        near = _number_near(points, owner, number)[faces]
        near_edges = _edges(near[_have_three_corners(near)])
        if near_edges[0] < edges[0]:
            welded, edges = near, near_edges
    area, volume = _measure(points, faces)
    return Topology(_bodies(welded), *edges, int((~is_triangle).sum()), area, volume)


def _number_near(points: Floats, owner: npt.NDArray[np.uint64], number: Ints) -> Ints:
    """Numbers that are the same for corners within CLOSE of each other.

    Any grid separates some neighbors, so three grids lie over each other, shifted: the next joins what one separates.
    """
    _, first = np.unique(number, return_index=True)
    owners, places = owner[first], points[first].astype(np.float64)
    step = CLOSE * float(np.linalg.norm(np.ptp(places, axis=0))) or 1.0
    for shift in (0.0, 0.5, 0.25):
        joined = _number(np.floor(places / step + shift), owners)
        number = joined[number]
        _, first = np.unique(joined, return_index=True)
        owners, places = owners[first], places[first]
    return number


def _number(places: npt.NDArray[np.float64], owner: npt.NDArray[np.uint64]) -> Ints:
    """0, 1, 2 … for each place, the same for equal ones of one owner."""
    bits = np.ascontiguousarray(places + 0.0).view(np.uint64).reshape(-1, 3)  # -0.0 becomes 0.0
    # One number for each row, by multiplying and shifting as splitmix64 does; the same for equal rows.
    mixed = owner * np.uint64(0x9E3779B97F4A7C15)
    for column in range(3):
        mixed = (mixed ^ bits[:, column]) * np.uint64(0xBF58476D1CE4E5B9)
        mixed ^= mixed >> np.uint64(29)
        mixed *= np.uint64(0x94D049BB133111EB)
        mixed ^= mixed >> np.uint64(32)
    numbers: Ints = np.unique(mixed, return_inverse=True)[1]
    return numbers


def _have_three_corners(faces: Ints) -> npt.NDArray[np.bool_]:
    a, b, c = faces.T
    three: npt.NDArray[np.bool_] = (a != b) & (b != c) & (c != a)
    return three


def _edges(faces: Ints) -> tuple[int, int]:
    """How many edges are open, and how many lie between triangles that disagree about the outside."""
    count = int(faces.max(initial=0)) + 1
    start = faces[:, [0, 1, 2]].ravel().astype(np.int64)
    stop = faces[:, [1, 2, 0]].ravel().astype(np.int64)
    forward = start < stop
    keys = np.where(forward, start * count + stop, stop * count + start) * 2 + forward
    keys.sort()
    edges, first, uses = np.unique(keys >> 1, return_index=True, return_counts=True)
    ahead = np.add.reduceat(keys & 1, first) if len(edges) else np.zeros(0, np.int64)
    odd = uses % 2 == 1
    return int(odd.sum()), int((~odd & (2 * ahead != uses)).sum())


def _bodies(faces: Ints) -> int:
    """Groups of triangles that share corners: each corner takes the smallest number it is connected to."""
    label = np.arange(int(faces.max(initial=0)) + 1)
    start = np.concatenate([faces[:, 0], faces[:, 1]])
    stop = np.concatenate([faces[:, 1], faces[:, 2]])
    while len(start):
        a, b = label[start], label[stop]
        np.minimum.at(label, np.maximum(a, b), np.minimum(a, b))
        while not np.array_equal(shorter := label[label], label):
            label = shorter
        apart = label[start] != label[stop]
        start, stop = start[apart], stop[apart]
    return len(np.unique(label[faces]))


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
