"""How thick a model's walls are, where two faces lie opposite each other: measured along three axes, in numpy.

Along each axis every pixel of a grid is a line through the model. Where it is inside, from one face to another that
faces the opposite way, their distance across is the wall's thickness: exact, as faces have no pixels of their own.
Edges, tips and roundings are no walls, since their faces are not parallel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from printsys.models3d.mesh import Floats, Ints
from printsys.models3d.raster import fragments

Values = npt.NDArray[np.float64]

SIDE = 320
"""Pixels a side of the grid, or fewer where all triangles together would cover more than MOST_COVERED."""
MOST_COVERED = 6_000_000
MOST_TRIANGLES = 600_000
"""A model of more is not measured: a student waits."""
PARALLEL = 0.99
"""Cosine: faces that are less opposite than this (8°) are none of one wall: a ramp, or a wedge at its tip."""
ALONG = 0.6
"""Cosine: a wall that leans further from the axis than this is measured along another."""
THICK_MM = 2.0
"""Nobody asks about thicker walls."""
LEAST_MM2 = 3.0
"""So much of a wall must be so thin: one pixel may be anything."""
DETAIL_MM2 = 0.3
DETAIL_LINES = 12
"""So much of a detail (a letter's stroke, a rib) must be so thin, at so many lines that lie within DETAIL_MM."""
DETAIL_MM = 3.0
DETAIL_THICK_MM = 1.0
"""Half of the thickest `least_wall_mm` of lab.toml: no line is wider."""
MOST_OF_DETAILS = 20_000
MOST_TRIED = 200
SAME_MM = 0.02
LEVEL = 0.7
"""Cosine: what leans less from the plate is a floor or a roof, built of layers and not of lines."""


@dataclass(frozen=True)
class Thin:
    """The thinnest wall, in mm, with a point in it (in the model's own axes)."""

    thickness_mm: float
    at: tuple[float, float, float]


@dataclass(frozen=True)
class Samples:
    """Of lines through walls: thickness (mm), the wall's share of area (mm²), how level it lies, a point in it."""

    thickness: Values
    area: Values
    level: Values
    at: Values


class Thinnest(NamedTuple):
    """The thinnest wall, floor or roof, and upright detail (too little of it for a wall)."""

    wall: Thin | None = None
    floor: Thin | None = None
    detail: Thin | None = None


def thinnest(points: Floats, faces: Ints) -> Thinnest:
    """None where there is nothing below THICK_MM. `points` in mm; the surface must be closed, its triangles must agree
    about the outside and face outwards."""
    if len(faces) > MOST_TRIANGLES:
        return Thinnest()
    triangles = points[faces].astype(np.float64)
    normals = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    normals /= np.maximum(np.linalg.norm(normals, axis=1), 1e-300)[:, None]
    samples = [*filter(None, (_along(axis, triangles, normals) for axis in range(3)))]
    if not samples:
        return Thinnest()
    together = Samples(*(np.concatenate(values) for values in zip(*map(_values, samples), strict=True)))
    is_level = np.abs(together.level) > LEVEL
    return Thinnest(_least(together, ~is_level), _least(together, is_level), _detail(together, ~is_level))


def _values(samples: Samples) -> tuple[Values, Values, Values, Values]:
    return samples.thickness, samples.area, samples.level, samples.at


def _least(samples: Samples, chosen: npt.NDArray[np.bool_]) -> Thin | None:
    numbers = np.flatnonzero(chosen)
    order = numbers[np.argsort(samples.thickness[numbers], kind="stable")]
    reached = np.flatnonzero(np.cumsum(samples.area[order]) >= LEAST_MM2)
    if not len(reached):
        return None
    least = float(samples.thickness[order[reached[0]]])
    # The middle of where it is so thin; of several such walls, one.
    near = samples.at[order[samples.thickness[order] <= least + SAME_MM]]
    return Thin(least, middle_of(near))


def _detail(samples: Samples, chosen: npt.NDArray[np.bool_]) -> Thin | None:
    """The thinnest that enough lines beside each other meet."""
    numbers = np.flatnonzero(chosen & (samples.thickness < DETAIL_THICK_MM))
    order = numbers[np.argsort(samples.thickness[numbers], kind="stable")][:MOST_OF_DETAILS]
    places = samples.at[order]
    for number, place in enumerate(places[:MOST_TRIED]):
        beside = order[((places - place) ** 2).sum(axis=1) <= DETAIL_MM**2]
        same = beside[samples.thickness[beside] <= samples.thickness[order[number]] + SAME_MM]
        if len(same) >= DETAIL_LINES and samples.area[same].sum() >= DETAIL_MM2:
            return Thin(float(samples.thickness[order[number]]), middle_of(samples.at[same]))
    return None


def middle_of(places: Values) -> tuple[float, float, float]:
    """The one of `places` that is nearest to their middle."""
    x, y, z = places[np.argmin(((places - np.median(places, axis=0)) ** 2).sum(axis=1))].tolist()
    return x, y, z


def _along(axis: int, triangles: Values, normals: Values) -> Samples | None:
    right, up = (axis + 1) % 3, (axis + 2) % 3
    low = triangles.min(axis=(0, 1))
    extent = float((triangles.max(axis=(0, 1)) - low)[[right, up]].max())
    if extent <= 0:
        return None
    corners = np.stack(
        [triangles[..., right] - low[right], triangles[..., up] - low[up], triangles[..., axis] - low[axis]]
    )
    corners = corners.transpose(0, 2, 1)
    side = SIDE
    while side > 32 and _covered(corners[:2]) * (side / extent) ** 2 > MOST_COVERED:
        side //= 2
    pixel = extent / side
    scaled = (corners / np.array([pixel, pixel, 1.0])[:, None, None]).astype(np.float32)
    found = [*zip(*fragments(scaled, side), strict=True)]
    if not found:
        return None
    owner, place, depth = (np.concatenate(parts) for parts in found)
    first, last = _inside(place, depth, normals[owner, axis])
    enters, leaves = normals[owner[first]], normals[owner[last]]
    lean = (np.abs(enters[:, axis]) + np.abs(leaves[:, axis])) / 2
    thickness = (depth[last] - depth[first]) * lean
    is_wall = (np.einsum("ij,ij->i", enters, leaves) < -PARALLEL) & (lean > ALONG) & (thickness < THICK_MM)
    at = np.empty((int(is_wall.sum()), 3))
    at[:, right] = low[right] + (place[first[is_wall]] % side + 0.5) * pixel
    at[:, up] = low[up] + (place[first[is_wall]] // side + 0.5) * pixel
    at[:, axis] = low[axis] + (depth[first[is_wall]] + depth[last[is_wall]]) / 2
    return Samples(thickness[is_wall], pixel * pixel / lean[is_wall], enters[is_wall, 2], at)


def _covered(flat: Values) -> float:
    x, y = flat
    return float(np.abs((x[1] - x[0]) * (y[2] - y[0]) - (y[1] - y[0]) * (x[2] - x[0])).sum()) / 2


def _inside(place: npt.NDArray[np.int64], depth: Values, facing: Values) -> tuple[Ints, Ints]:
    """Numbers of the fragments at which a line enters the model and leaves it again. Lines that do not come out even
    (they meet an edge exactly) count for nothing."""
    step = np.where(facing < 0, 1, -1)
    order = np.lexsort((-step, np.round(depth, 3), place))
    line, step = place[order], step[order]
    begins = np.flatnonzero(np.concatenate([[True], line[1:] != line[:-1]]))
    count = np.diff(np.concatenate([begins, [len(line)]]))
    total = np.cumsum(step)
    before = np.repeat(total[begins] - step[begins], count)
    within = total - before
    is_even = np.repeat(within[begins + count - 1] == 0, count) & np.repeat(
        np.minimum.reduceat(within, begins) >= 0, count
    )
    enters = np.flatnonzero(is_even & (within == step) & (step == 1))
    leaves = np.flatnonzero(is_even & (within == 0))
    return order[enters], order[leaves]
