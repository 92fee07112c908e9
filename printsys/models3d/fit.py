"""Whether a model fits a printer, turned about the vertical, standing as it was drawn or on any side of its hull.

A side is a face of the convex hull on which the model stands by itself. On each, rotating calipers (G. Toussaint, 1983)
give its width and depth for every angle: between two angles at which an edge lies flush they are two cosines, so the
largest scale lies at such an angle or where the bed's two sides are used up alike. No angle is tried and none missed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

Points = npt.NDArray[np.float64]
Box = tuple[float, float, float]
Pose = Literal["as drawn", "diagonal", "turned", "turned diagonal", "no"]
POSES: tuple[Pose, ...] = ("as drawn", "diagonal", "turned", "turned diagonal", "no")
"""From the least trouble to the most. `diagonal`: turned about the vertical by an angle."""
SLACK_MM = 0.005
FLAT = 1e-6
"""Of its longest side: as thick as nothing."""
MOST_CORNERS = 500
"""Of a hull: of a rounder one so many of its corners find the sides and angles, and all points the scale."""
MOST_POINTS = 20_000
"""That are asked for their hull as they are; of more the outermost are."""
MOST_SIDES = 100
TRIED_EXACTLY = 3
LEVEL = 1e-6
"""Of the model's reach: corners as near to a side lie on it."""


class BedFit(BaseModel):
    """How a model stands in a printer's volume (W × D × H, mm) at its best, and the largest scale at which it does."""

    model_config = ConfigDict(frozen=True)

    volume_mm: Box
    pose: Pose
    scale: float


def bed_fits(pieces: Sequence[npt.NDArray[np.floating]], volumes: Sequence[Box]) -> tuple[BedFit, ...]:
    """Of the corners of several pieces, each printed by itself: the worst in each of the volumes, but for those in
    which all stand as they were drawn. Nothing where a piece is flat: it has no sides to stand on."""
    if not volumes or any(_is_flat(piece) for piece in pieces):
        return ()
    fits = [fit(np.asarray(piece, np.float64), volumes) for piece in pieces]
    worst = [
        max(of_volume, key=lambda row: (POSES.index(row.pose), -row.scale)) for of_volume in zip(*fits, strict=True)
    ]
    return tuple(row for row in worst if row.pose != "as drawn")


def _is_flat(piece: npt.NDArray[np.floating]) -> bool:
    size = np.ptp(piece, axis=0)
    return bool(size.min() <= FLAT * size.max())


def fit_box(size: Box, volume: Box) -> BedFit:
    """By the size alone, along the axes."""
    straight, turned = largest_scale(_lying(size), _lying(volume)), largest_scale(sorted(size), sorted(volume))
    least = 1 - SLACK_MM / max(size)
    pose: Pose = "as drawn" if straight >= least else "turned" if turned >= least else "no"
    return BedFit(volume_mm=volume, pose=pose, scale=straight if pose == "as drawn" else turned)


def fit(points: Points, volumes: Sequence[Box]) -> list[BedFit]:
    """Of one piece, in each of the volumes: `points` are its corners in mm."""
    size = np.ptp(points, axis=0)
    straight = [largest_scale(_lying(size), _lying(volume)) for volume in volumes]
    if all(scale >= _least(size) for scale in straight):
        return [
            BedFit(volume_mm=volume, pose="as drawn", scale=scale)
            for volume, scale in zip(volumes, straight, strict=True)
        ]
    corners = hull(points)
    return [_fit(points, corners, volume, scale) for volume, scale in zip(volumes, straight, strict=True)]


def _fit(points: Points, corners: Points, volume: Box, straight: float) -> BedFit:
    """`straight`: the largest scale as it was drawn, its sides along the bed's."""
    size = np.ptp(points, axis=0)
    least = _least(size)
    if straight >= least:
        return BedFit(volume_mm=volume, pose="as drawn", scale=straight)
    drawn = max(straight, _at_best(points, corners, [np.array([0.0, 0.0, 1.0])], volume))
    if drawn >= least:
        return BedFit(volume_mm=volume, pose="diagonal", scale=drawn)
    boxed = largest_scale(sorted(size), sorted(volume))
    if boxed >= least:
        return BedFit(volume_mm=volume, pose="turned", scale=boxed)
    best = max(drawn, boxed, _at_best(points, corners, sides(corners), volume))
    return BedFit(volume_mm=volume, pose="turned diagonal" if best >= least else "no", scale=best)


def _lying(size: Sequence[float]) -> list[float]:
    return [*sorted(size[:2]), size[2]]


def largest_scale(size: Sequence[float], volume: Sequence[float]) -> float:
    """The factor at which each of `size` just fits into its counterpart of `volume`."""
    return float(min(room / side for side, room in zip(size, volume, strict=True) if side > 0))


def _least(size: Points) -> float:
    """A scale so near to 1 that nobody could measure the difference."""
    return 1 - SLACK_MM / float(size.max())


def hull(points: Points) -> Points:
    """Corners of the convex hull, `MOST_CORNERS` at most; of a flat model the outermost points."""
    import manifold3d

    few = _outermost(points, MOST_CORNERS) if len(points) > MOST_POINTS else points
    corners: Points = np.asarray(manifold3d.Manifold.hull_points(few).to_mesh64().vert_properties, np.float64)[:, :3]
    return _outermost(corners if len(corners) else points, MOST_CORNERS)


def sides(corners: Points) -> Iterator[Points]:
    """Of a hull, the upward normals with which it stands on a side, the largest sides first."""
    import manifold3d

    mesh = manifold3d.Manifold.hull_points(corners).to_mesh64()
    triangles = np.asarray(mesh.vert_properties, np.float64)[:, :3][np.asarray(mesh.tri_verts, np.int64)]
    across = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    areas = np.linalg.norm(across, axis=1)
    normals = across[areas > 0] / areas[areas > 0, None]
    _, first, number = np.unique(np.round(normals, 5), axis=0, return_index=True, return_inverse=True)
    side_areas = np.bincount(number.ravel(), areas[areas > 0])
    middle = _middle(triangles)
    for side in np.argsort(-side_areas, kind="stable")[:MOST_SIDES]:
        up = -normals[first[side]]
        if _stands(corners, up, middle):
            yield up


def _outermost(points: Points, count: int) -> Points:
    """At most `count`, each the farthest in some direction."""
    if len(points) <= count:
        return points
    ways, by_axis = _directions(count), np.ascontiguousarray(points.T)
    numbers = [np.argmax(ways[start : start + 8] @ by_axis, axis=1) for start in range(0, count, 8)]
    outermost: Points = points[np.unique(np.concatenate(numbers))]
    return outermost


def _directions(count: int) -> Points:
    """Spread over the sphere by the golden angle."""
    number = np.arange(count) + 0.5
    height, angle = 1 - 2 * number / count, np.pi * (1 + 5**0.5) * number
    radius = np.sqrt(1 - height**2)
    return np.column_stack([radius * np.cos(angle), radius * np.sin(angle), height])


def _middle(triangles: Points) -> Points:
    """The center of mass of the solid hull."""
    origin = triangles[0, 0]
    a, b, c = (triangles[:, k] - origin for k in range(3))
    shares = np.einsum("ij,ij->i", a, np.cross(b, c))
    middle: Points = origin + (shares[:, None] * (a + b + c)).sum(axis=0) / (4 * shares.sum())
    return middle


def _stands(corners: Points, up: Points, middle: Points) -> bool:
    """Whether the middle lies above the side that is lowest when `up` points upwards."""
    heights = corners @ up
    reach = float(np.ptp(corners, axis=0).max())
    flat = _flattened(corners[heights <= heights.min() + LEVEL * reach + 1e-9], up)
    outline = _outline(flat)
    if len(outline) < 3:
        return False
    edges = np.roll(outline, -1, axis=0) - outline
    to_middle = _flattened(middle[None], up)[0] - outline
    return bool((edges[:, 0] * to_middle[:, 1] - edges[:, 1] * to_middle[:, 0] >= -LEVEL * reach**2).all())


def _flattened(points: Points, up: Points) -> Points:
    """As seen from above."""
    side = np.eye(3)[int(np.argmin(np.abs(up)))]
    u = np.cross(up, side)
    u /= np.linalg.norm(u)
    flat: Points = points @ np.column_stack([u, np.cross(up, u)])
    return flat


def _outline(flat: Points) -> Points:
    """The convex polygon around points of a plane, counter-clockwise (A. M. Andrew, 1979)."""
    ordered = np.unique(flat, axis=0)
    if len(ordered) < 3:
        return ordered

    def half(points: Points) -> list[Points]:
        chain: list[Points] = []
        for point in points:
            while len(chain) > 1 and _turn(chain[-2], chain[-1], point) <= 0:
                chain.pop()
            chain.append(point)
        return chain[:-1]

    return np.array(half(ordered) + half(ordered[::-1]))


def _turn(a: Points, b: Points, c: Points) -> float:
    return float((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]))


def _at_best(points: Points, corners: Points, ups: Iterable[Points], volume: Box) -> float:
    """The largest scale at which the model stands in the volume with one of `ups` upwards, turned about it."""
    turns = [(up, _best_angle(_outline(_flattened(corners, up)), volume[0], volume[1])) for up in ups]
    turns.sort(key=lambda turn: -_scale(corners, turn[0], turn[1], volume))
    return max((_scale(points, up, angle, volume) for up, angle in turns[:TRIED_EXACTLY]), default=0.0)


def _scale(points: Points, up: Points, angle: float, volume: Box) -> float:
    axes = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    on_bed = np.ptp(_flattened(points, up) @ axes, axis=0)
    return largest_scale([*on_bed, np.ptp(points @ up)], volume)


def _best_angle(outline: Points, width: float, depth: float) -> float:
    """Turned by which a convex outline of the largest scale lies in `width` × `depth`."""
    edges = np.roll(outline, -1, axis=0) - outline
    flush = np.sort(np.unique(np.concatenate([np.arctan2(edges[:, 1], edges[:, 0]) % (np.pi / 2), [0.0]])))
    flush = np.concatenate([flush, flush + np.pi / 2, [np.pi]])  # the bed is the same after half a turn
    middle = (flush[:-1] + flush[1:]) / 2
    across, along = _spans(outline, middle), _spans(outline, middle + np.pi / 2)
    # Where across·u / width equals along·v / depth, u = (cos, sin), v = (-sin, cos).
    a = across[:, 0] / width - along[:, 1] / depth
    b = across[:, 1] / width + along[:, 0] / depth
    alike = np.arctan2(-a, b) % np.pi
    alike = alike[(alike > flush[:-1]) & (alike < flush[1:])]
    angles = np.concatenate([flush, alike])
    ways = np.array([np.cos(angles), np.sin(angles)])
    used = np.maximum(np.ptp(outline @ ways, axis=0) / width, np.ptp(outline @ [-ways[1], ways[0]], axis=0) / depth)
    return float(angles[np.argmin(used)])


def _spans(outline: Points, angles: Points) -> Points:
    """From the last corner to the first in each of the directions."""
    along = outline @ np.array([np.cos(angles), np.sin(angles)])
    spans: Points = outline[np.argmax(along, axis=0)] - outline[np.argmin(along, axis=0)]
    return spans
