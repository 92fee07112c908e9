"""Polygons of more than three corners, cut into triangles that cover them and nothing else."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from printsys.errors import ModelTooHard

Corners = npt.NDArray[np.float64]
STRAIGHT = 1e-12
"""Of the polygon's area: a corner that turns less is straight."""
AT_ONCE = 1 << 16
MOST_CORNERS = 20_000
"""Of a concave polygon: cutting it takes a second. No program draws one with more."""


def triangulate(points: npt.NDArray[np.floating], polygons: Sequence[Sequence[int]]) -> npt.NDArray[np.int64]:
    """Triangles (count × 3) of all `polygons`, each a list of numbers of `points`, with the polygon's own direction.

    A convex one becomes a fan, manifold3d cuts a concave one. A polygon that bends out of its plane is judged in the
    plane that fits it best (Newell's normal). ModelTooHard for a concave one with more than MOST_CORNERS.
    """
    by_count: dict[int, list[Sequence[int]]] = {}
    for polygon in polygons:
        by_count.setdefault(len(polygon), []).append(polygon)
    triangles = [np.zeros((0, 3), np.int64)]
    for count, group in by_count.items():
        corners = np.array(group, np.int64)
        wrong = _turn_back(points, corners)
        if count == 4:  # from the corner that turns the other way, both triangles lie inside
            corners = np.where((wrong[:, 1] | wrong[:, 3])[:, None], np.roll(corners, -1, axis=1), corners)
        as_fan = ~wrong.any(axis=1) | (count == 4)
        fans = corners[as_fan]
        triangles += [fans[:, [0, second, second + 1]] for second in range(1, count - 1)]
        triangles += [polygon[_cut(_flattened(points[polygon]))] for polygon in corners[~as_fan]]
    return np.vstack(triangles)


def _turn_back(points: npt.NDArray[np.floating], polygons: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Of each corner of `polygons` (count × corners): whether it turns against the polygon's own direction."""
    verdicts = np.zeros(polygons.shape, bool)
    for start in range(0, len(polygons), AT_ONCE):
        places = points[polygons[start : start + AT_ONCE]].astype(np.float64)
        places -= places[:, :1]
        normal = np.cross(places, np.roll(places, -1, axis=1)).sum(axis=1)
        along, onward = places - np.roll(places, 1, axis=1), np.roll(places, -1, axis=1) - places
        turns = np.einsum("ijk,ik->ij", np.cross(along, onward), normal)
        verdicts[start : start + AT_ONCE] = turns < -STRAIGHT * np.abs(turns).sum(axis=1, keepdims=True)
    return verdicts


def _flattened(corners: npt.NDArray[np.floating]) -> Corners:
    """In the coordinate plane that sees most of the polygon, counter-clockwise."""
    places: Corners = corners.astype(np.float64) - corners[0]
    normal = np.cross(places, np.roll(places, -1, axis=0)).sum(axis=0)
    axis = int(np.argmax(np.abs(normal)))
    u, v = ((1, 2), (2, 0), (0, 1))[axis]
    flat: Corners = places[:, [u, v] if normal[axis] >= 0 else [v, u]]
    return flat


def _cut(corners: Corners) -> npt.NDArray[np.int64]:
    """Numbers of `corners`, which go counter-clockwise (count × 3). Where the polygon crosses itself they overlap."""
    import manifold3d

    if len(corners) > MOST_CORNERS:
        raise ModelTooHard(f"A face of this model has {len(corners):,} corners. Please export it in triangles.")
    triangles: npt.NDArray[np.int64] = np.asarray(manifold3d.triangulate([corners]), np.int64).reshape(-1, 3)
    return triangles
