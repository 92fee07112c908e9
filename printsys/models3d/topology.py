"""How the triangles of a mesh hang together: numpy alone, in a few sorts, for millions of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from printsys.models3d.mesh import Floats, Ints
from printsys.models3d.orientation import connected, turned

CLOSE = 1e-6
"""Of the model's diagonal: corners nearer than this are the same when exact ones leave holes (32-bit exporters)."""


SMALL_LEAK = 0.02
"""Of the volume: so little may depend on how holes are closed."""
MOST_SHOWN = 3000
"""Open edges that a picture shows."""
MOST_NESTED = 1000
"""Bodies among which we look for cavities."""


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
    has_clear_volume: bool
    """Inside and outside are known: the surface is closed, but for holes that hardly matter, and its triangles agree,
    or could be turned so that they do."""
    open_at: Floats
    """Both ends of the first of the open edges: count × 2 × 3."""
    faces: Ints
    """The triangles, each once."""
    piece: Ints
    joined: Ints
    """Numbers of the corners of `faces`, the same for corners of one place."""
    body: Ints
    """Number of each triangle's body, from 0."""
    body_volumes: npt.NDArray[np.float64]
    """Signed, as `volume`."""

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
    if edges != (0, 0):
        first = _without_repeats(welded)
        if len(first) < len(welded):
            welded, faces, piece, is_triangle = welded[first], faces[first], piece[first], is_triangle[first]
            edges = _edges(welded[_have_three_corners(welded)])
    area, volumes = _measure(points, faces)
    count = int(welded.max(initial=0)) + 1
    linked = connected(count, welded[:, [0, 1]].ravel(), welded[:, [1, 2]].ravel())
    labels, body = np.unique(linked[welded[:, 0]], return_inverse=True)
    body_volumes = np.bincount(body, volumes).astype(np.float64)
    volume, is_clear, cavities = float(volumes.sum()), True, 0
    if edges[0]:
        is_clear = not edges[1] and _leak(points, faces, welded) <= SMALL_LEAK * abs(volume)
    elif edges[1]:
        volume, is_clear = _oriented_volume(welded, volumes)
    elif 1 < len(labels) <= MOST_NESTED:
        volume, cavities = _nested_volume(points[faces].astype(np.float64), body, body_volumes)
    open_at = _open_edges(points, faces, welded) if edges[0] else np.zeros((0, 2, 3), points.dtype)
    return Topology(
        len(labels) - cavities,
        *edges,
        degenerate=int((~is_triangle).sum()),
        area=area,
        volume=volume,
        has_clear_volume=is_clear,
        open_at=open_at,
        faces=faces,
        piece=piece,
        joined=welded,
        body=body,
        body_volumes=body_volumes,
    )


def _without_repeats(faces: Ints) -> Ints:
    """Numbers of the triangles, each that is there several times, the same way round, once."""
    lowest = np.argmin(faces, axis=1)
    rotated = np.take_along_axis(faces, (lowest[:, None] + np.arange(3)) % 3, axis=1)
    return np.sort(np.unique(rotated, axis=0, return_index=True)[1])


def _oriented_volume(welded: Ints, volumes: npt.NDArray[np.float64]) -> tuple[float, bool]:
    """Of the surface with its triangles turned so that they agree, each shell facing outwards; and whether they do."""
    three = _have_three_corners(welded)
    flip, shell, agree = turned(welded[three])
    signed = np.where(flip, -volumes[three], volumes[three])
    shells = np.bincount(shell, signed)
    return float(np.abs(shells).sum()), agree and int((shells != 0).sum()) == 1


def _nested_volume(
    triangles: npt.NDArray[np.float64], body: Ints, signed: npt.NDArray[np.float64]
) -> tuple[float, int]:
    """Volume of all bodies (`signed`: of each) and how many are cavities: those that face the other way than the
    largest and lie in the box of one that does not. Another body that faces the other way is only inside out."""
    lowest, highest = (np.zeros((len(signed), 3)) for _ in range(2))
    for number in range(len(signed)):
        corners = triangles[body == number]
        lowest[number], highest[number] = corners.min(axis=(0, 1)), corners.max(axis=(0, 1))
    outward = float(np.sign(signed[np.argmax(np.abs(signed))]))
    solid = np.sign(signed) == outward
    is_cavity = np.zeros(len(signed), bool)
    for number in np.flatnonzero(~solid).tolist():
        around = (lowest[solid] < lowest[number]) & (highest[solid] > highest[number])
        is_cavity[number] = bool(around.all(axis=1).any())
    return outward * float(np.where(is_cavity, -np.abs(signed), np.abs(signed)).sum()), int(is_cavity.sum())


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


def _open_edges(points: Floats, faces: Ints, welded: Ints) -> Floats:
    _, ends = _at_open_edges(faces, welded, first_only=True)
    segments: Floats = points[ends[:MOST_SHOWN]]
    return segments


def _leak(points: Floats, faces: Ints, welded: Ints) -> float:
    """By how much the volume may depend on how the holes are closed. Each hole counts by itself: opposite ones, as the
    ends of a tube, would cancel each other."""
    numbers, ends = _at_open_edges(faces, welded)
    count = int(welded.max(initial=0)) + 1
    hole = connected(count, numbers[:, 0], numbers[:, 1])[numbers[:, 0]]
    start, stop = (points[ends[:, k]].astype(np.float64) - points.mean(axis=0, dtype=np.float64) for k in range(2))
    across = np.cross(start, stop)
    of_holes = np.stack([np.bincount(hole, across[:, axis]) for axis in range(3)], axis=1)
    reach = float(np.linalg.norm(np.ptp(points, axis=0)))
    return float(np.linalg.norm(of_holes, axis=1).sum()) * reach / 6


def _at_open_edges(faces: Ints, welded: Ints, first_only: bool = False) -> tuple[Ints, Ints]:
    """Of each side of a triangle that lies at an open edge, the way round that the triangle has it: the numbers of both
    ends, and their corners. `first_only`: one side of each edge."""
    three = _have_three_corners(welded)
    welded, faces = welded[three], faces[three]
    count = int(welded.max(initial=0)) + 1
    numbers, corners = (
        np.stack([each, np.roll(each, -1, axis=1)], axis=-1).reshape(-1, 2).astype(np.int64) for each in (welded, faces)
    )
    keys = numbers.min(axis=1) * count + numbers.max(axis=1)
    _, first, edge, uses = np.unique(keys, return_index=True, return_inverse=True, return_counts=True)
    sides = first[uses % 2 == 1] if first_only else np.flatnonzero((uses % 2 == 1)[edge])
    return numbers[sides], corners[sides]


def _measure(points: Floats, faces: Ints) -> tuple[float, npt.NDArray[np.float64]]:
    """Area; each triangle's share of the volume, by the divergence theorem about the middle (so that a far place costs
    no digits)."""
    middle = points.mean(axis=0, dtype=np.float64)
    area, volumes = 0.0, np.zeros(len(faces))
    for start in range(0, len(faces), 1 << 18):
        a, b, c = (points[faces[start : start + (1 << 18), k]].astype(np.float64) - middle for k in range(3))
        across = np.cross(b - a, c - a)
        area += float(np.linalg.norm(across, axis=1).sum()) / 2
        volumes[start : start + (1 << 18)] = np.einsum("ij,ij->i", a, across) / 6
    return area, volumes
