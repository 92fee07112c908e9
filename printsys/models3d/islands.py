"""Islands: where a print would begin in the air, as the model stands. On the surface's graph of corners, in numpy.

Every corner leads downhill to a lowest one. A lowest one from which the way to any lower one first climbs (its depth,
as in "persistence" of H. Edelsbrunner and others, 2000) is an island if the model is above it, and neither the plate
nor another body below. A bridge or an overhang is none: it hangs on walls that go further down.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from printsys.models3d.mesh import Floats, Ints
from printsys.models3d.thickness import MOST_TRIANGLES, middle_of

Values = npt.NDArray[np.float64]

MOST_PASSES = 200_000
"""Between valleys of the surface: a rougher one is not measured."""
MOST_JUDGED = 100
DEEP_MM = 1.0
"""A shallower island is joined after a few layers: it sags a little, and nobody minds."""
PLATE_MM = 0.3
"""So much above the plate is still the first layer."""
LEVEL_MM = 0.02
TOUCHING_MM = 0.1
"""A body that stands so little above another one stands on it."""
BESIDE = TOUCHING_MM * np.array([(1, 0, 0.5), (-1, 0, 0.5), (0, 1, 0.5), (0, -1, 0.5)])
"""A body that begins against the side of another one hangs on it."""
MOST_BESIDE = 50
MOST_SAMPLES = 200
MOST_PAIRS = 2_000_000
"""Of points of the surface below a level place with its triangles."""


@dataclass(frozen=True)
class Island:
    """It begins at the point `at` (in the model's own axes) and is joined `depth_mm` higher, or is so high itself where
    nothing joins it."""

    depth_mm: float
    at: tuple[float, float, float]


@dataclass(frozen=True)
class _Surface:
    """`height` and `place` of each corner, `faces` (count × 3) of their numbers, `edges` (count × 2), each once; the
    number of each face's `body`."""

    place: Values
    faces: Ints
    edges: Ints
    body: Ints

    @property
    def height(self) -> Values:
        height: Values = self.place[:, 2]
        return height


def islands(points: Floats, faces: Ints, joined: Ints, piece: Ints, body: Ints) -> list[Island]:
    """The deepest first, MOST_JUDGED at most. `joined` (count × 3): the number of each corner of `faces`, the same for
    corners of one place; `piece` of each face: each stands on the plate by itself; `body` of each face. The surface is
    closed and faces outwards."""
    if len(faces) > MOST_TRIANGLES:
        return []
    surface = _surface(points, faces, joined, body)
    plate = np.full(len(surface.place), np.inf)
    lowest = np.full(int(piece.max()) + 1, np.inf)
    np.minimum.at(lowest, piece, surface.height[surface.faces].min(axis=1))
    plate[surface.faces] = lowest[piece][:, None]
    depths, valley = _valleys(surface)
    deep = np.flatnonzero((depths >= DEEP_MM) & (surface.height > plate + PLATE_MM))
    judged = deep[np.argsort(-depths[deep], kind="stable")][:MOST_JUDGED]
    if not len(judged):
        return []
    boxes = _Boxes(surface)
    return [
        Island(float(depths[corner]), at)
        for corner, bottom in zip(judged.tolist(), _bottoms(surface, valley, judged), strict=True)
        if bottom.faces_downwards and (at := _in_the_air(bottom, boxes)) is not None
    ]


def _surface(points: Floats, faces: Ints, joined: Ints, body: Ints) -> _Surface:
    three = (joined[:, 0] != joined[:, 1]) & (joined[:, 1] != joined[:, 2]) & (joined[:, 2] != joined[:, 0])
    place = np.zeros((int(joined.max(initial=0)) + 1, 3))
    place[joined.ravel()] = points[faces.ravel()]
    ends = np.stack([joined[three], np.roll(joined[three], -1, axis=1)], axis=-1).reshape(-1, 2)
    edges = np.sort(ends, axis=1)[ends[:, 0] < ends[:, 1]]  # of a closed surface each is there the other way, too
    return _Surface(place, joined, edges, body)


def _valleys(surface: _Surface) -> tuple[Values, Ints]:
    """Of each corner how deep it is the lowest of its surroundings (0: it is not), and the lowest corner of the valley
    in which it lies, valleys of one level taken together."""
    order = np.lexsort((np.arange(len(surface.place)), surface.height))
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    a, b = rank[surface.edges[:, 0]], rank[surface.edges[:, 1]]
    downhill = np.arange(len(order))
    np.minimum.at(downhill, np.maximum(a, b), np.minimum(a, b))
    while not np.array_equal(further := downhill[downhill], downhill):
        downhill = further
    height = surface.height[order]
    depths, level = np.zeros(len(order)), np.arange(len(order))
    roots = np.flatnonzero(downhill == np.arange(len(order)))
    depths[roots] = np.inf
    parent = dict(zip(roots.tolist(), roots.tolist(), strict=True))
    passes = _passes(downhill[a], downhill[b], np.maximum(a, b))
    if len(passes) > MOST_PASSES:
        return np.zeros(len(order)), np.arange(len(order))
    for top, first, second in passes[np.argsort(passes[:, 0], kind="stable")].tolist():
        low, high = sorted((_root(parent, first), _root(parent, second)))
        if low != high:
            depths[high] = height[top] - height[high]
            parent[high] = low
            if depths[high] <= LEVEL_MM:
                level[high] = low
    _measure_bodies(parent, roots, downhill, height, depths)
    while not np.array_equal(further := level[level], level):
        level = further
    by_corner = np.empty(len(order))
    by_corner[order] = depths
    return by_corner, order[level[downhill]][rank]


def _measure_bodies(parent: dict[int, int], roots: Ints, downhill: Ints, height: Values, depths: Values) -> None:
    """Valleys without a way to a lower one are bodies of their own, as deep as these are high."""
    body = np.arange(len(downhill))
    body[roots] = [_root(parent, root) for root in roots.tolist()]
    top = np.full(len(downhill), -np.inf)
    np.maximum.at(top, body[downhill], height)
    own = roots[np.isinf(depths[roots])]
    depths[own] = top[own] - height[own]


def _passes(one: Ints, other: Ints, top: Ints) -> Ints:
    """(rank of the highest corner, valley, valley) of the lowest edge between each two valleys."""
    apart = one != other
    one, other, top = one[apart], other[apart], top[apart]
    order = np.lexsort((top, np.maximum(one, other), np.minimum(one, other)))
    low, high, top = np.minimum(one, other)[order], np.maximum(one, other)[order], top[order]
    first = np.ones(len(low), bool)
    first[1:] = (low[1:] != low[:-1]) | (high[1:] != high[:-1])
    passes: Ints = np.column_stack([top, low, high])[first]
    return passes


def _root(parent: dict[int, int], valley: int) -> int:
    while parent[valley] != valley:
        parent[valley] = parent[parent[valley]]
        valley = parent[valley]
    return valley


@dataclass(frozen=True)
class _Bottom:
    """The lowest place of a valley: points of it, its level triangles (count × 3 × 3), and whether the surface around
    looks downwards, so that the model is above it. It looks upwards at the bottom of a bowl or a cavity."""

    samples: Values
    level: Values
    faces_downwards: bool
    body: int


def _bottoms(surface: _Surface, valley: Ints, corners: Ints) -> Iterator[_Bottom]:
    """Of the valleys with these lowest `corners`."""
    is_low = np.isin(valley, valley[corners]) & (surface.height <= surface.height[valley] + LEVEL_MM)
    low = np.flatnonzero(is_low)
    is_around = is_low[surface.faces].any(axis=1)
    around, bodies = surface.faces[is_around], surface.body[is_around]
    edges = surface.edges[is_low[surface.edges].all(axis=1)]
    of_faces = np.where(is_low[around], valley[around], -1)
    for number in valley[corners].tolist():
        is_own = (of_faces == number).any(axis=1)
        own = around[is_own]
        a, b, c = (surface.place[own[:, corner]] for corner in range(3))
        level = own[(is_low[own] & (valley[own] == number)).all(axis=1)]
        ends = edges[(valley[edges] == number).all(axis=1)]
        samples = _samples(surface.place[low[valley[low] == number]], surface.place[level], surface.place[ends])
        faces_downwards = float(np.cross(b - a, c - a)[:, 2].sum()) < 0
        yield _Bottom(samples, surface.place[level], faces_downwards, int(bodies[is_own][0]))


def _samples(corners: Values, faces: Values, edges: Values) -> Values:
    """The corners, and points of the faces (count × 3 × 3) and edges (count × 2 × 3) between them."""
    weights = np.array([(i, j, 6 - i - j) for i in range(7) for j in range(7 - i)], float) / 6
    on_faces = np.einsum("wk,fkx->fwx", weights, faces).reshape(-1, 3)
    shares = np.linspace(0, 1, 7)[1:-1, None, None]
    on_edges = (edges[:, 0] * shares + edges[:, 1] * (1 - shares)).reshape(-1, 3)
    samples: Values = np.vstack([corners, on_faces, on_edges])
    return samples[:: max(1, len(samples) // MOST_SAMPLES)]


def _in_the_air(bottom: _Bottom, boxes: _Boxes) -> tuple[float, float, float] | None:
    """The middle one of the samples; None where another body, or a part of this one, is just below one of them, or
    another body just beside one."""
    below = np.array([0, 0, TOUCHING_MM])
    if boxes.hold(bottom.samples - below) or boxes.reach(bottom.level - below):
        return None
    some = bottom.samples[:: max(1, len(bottom.samples) // MOST_BESIDE)]
    beside = np.vstack([some + step for step in BESIDE])
    return middle_of(bottom.samples) if not boxes.hold(beside, but=bottom.body) else None


class _Boxes:
    """The triangles by the boxes around them, to ask what is inside the model."""

    def __init__(self, surface: _Surface) -> None:
        self.corners, self.body = surface.place[surface.faces], surface.body
        self.lowest, self.highest = self.corners.min(axis=1).T.copy(), self.corners.max(axis=1).T.copy()

    def reach(self, level: Values) -> bool:
        """Whether the surface passes through one of these level triangles: a slim post under a wide plate."""
        if not len(level):
            return False
        lowest, highest = level.min(axis=(0, 1)), level.max(axis=(0, 1))
        is_near = (self.lowest[2] < lowest[2]) & (self.highest[2] > lowest[2])
        for axis in range(2):
            is_near &= (self.highest[axis] >= lowest[axis]) & (self.lowest[axis] <= highest[axis])
        ends = np.stack([self.corners[is_near], np.roll(self.corners[is_near], -1, axis=1)], axis=2)
        is_below = ends[..., 2] < lowest[2]
        below, above = ends[is_below[..., 0] & ~is_below[..., 1]].transpose(1, 0, 2)
        points = below + (above - below) * ((lowest[2] - below[:, 2]) / (above[:, 2] - below[:, 2]))[:, None]
        a, b, c = level.transpose(1, 0, 2)
        for point in points[:: max(1, len(points) * len(level) // MOST_PAIRS)]:
            sides = [_turn(start, stop, point) for start, stop in ((a, b), (b, c), (c, a))]
            if ((np.minimum.reduce(sides) > 0) | (np.maximum.reduce(sides) < 0)).any():
                return True
        return False

    def hold(self, points: Values, but: int = -1) -> bool:
        """Whether the model holds one of `points`, and would without the body `but`: a line upwards leaves it more
        often than it enters."""
        points = points + np.array([1.3e-4, 0.7e-4, 0])  # not exactly on an edge
        lowest, highest = points.min(axis=0), points.max(axis=0)
        is_near = self.highest[2] >= lowest[2]
        for axis in range(2):
            is_near &= (self.highest[axis] >= lowest[axis]) & (self.lowest[axis] <= highest[axis])
        a, b, c = self.corners[is_near].transpose(1, 0, 2)
        normal, is_other = np.cross(b - a, c - a), self.body[is_near] != but
        for point in points:
            sides = [_turn(start, stop, point) for start, stop in ((a, b), (b, c), (c, a))]
            is_over = (np.minimum.reduce(sides) > 0) | (np.maximum.reduce(sides) < 0)
            over = normal[is_over]
            height = point[2] + np.einsum("ij,ij->i", a[is_over] - point, over) / over[:, 2]
            leaves = np.where(height > point[2], np.sign(over[:, 2]), 0)
            if leaves.sum() > 0 and leaves[is_other[is_over]].sum() > 0:
                return True
        return False


def _turn(start: Values, stop: Values, point: Values) -> Values:
    x, y = (stop - start)[:, 0], (stop - start)[:, 1]
    turn: Values = x * (point[1] - start[:, 1]) - y * (point[0] - start[:, 0])
    return turn
