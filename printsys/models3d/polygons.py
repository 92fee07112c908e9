"""Polygons of more than three corners, cut into triangles that cover them and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

Triangle = tuple[int, int, int]
Corners = npt.NDArray[np.float64]
STRAIGHT = 1e-12
"""Of the polygon's area: a corner that turns less is straight."""
AT_ONCE = 1 << 16
MOST_CORNERS = 2000
"""A polygon with more is cut as a fan: no program draws it by hand, and looking for its ears takes too long."""


def triangulate(points: npt.NDArray[np.floating], polygons: Sequence[Sequence[int]]) -> npt.NDArray[np.int64]:
    """Triangles (count × 3) of all `polygons`, each a list of numbers of `points`, with the polygon's own direction.

    A convex one becomes a fan; of a concave one ears are cut off (G. H. Meisters, 1975). A polygon that bends out of
    its plane is judged in the plane that fits it best (Newell's normal).
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
        as_fan = ~wrong.any(axis=1) | (count == 4) | (count > MOST_CORNERS)
        fans = corners[as_fan]
        triangles += [fans[:, [0, second, second + 1]] for second in range(1, count - 1)]
        triangles += [polygon[_cut_ears(_flattened(points[polygon]))] for polygon in corners[~as_fan]]
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


def _cut_ears(corners: Corners) -> list[Triangle]:
    """Numbers of `corners`, which go counter-clockwise. Where no ear is left (it crosses itself) the rest is a fan."""
    left = list(range(len(corners)))
    ears = []
    while len(left) > 3:
        ear = next((at for at in range(len(left)) if _is_ear(corners, left, at)), None)
        if ear is None:
            break
        ears.append((left[ear - 1], left[ear], left[(ear + 1) % len(left)]))
        del left[ear]
    return ears + [(left[0], second, third) for second, third in pairwise(left[1:])]


def _is_ear(corners: Corners, left: Sequence[int], at: int) -> bool:
    """Whether the corner turns left and no other corner lies in the triangle that cutting it off would make."""
    a, b, c = (corners[left[index % len(left)]] for index in (at - 1, at, at + 1))
    if _turn(a, b, c) <= 0:
        return False
    others = [corners[number] for index, number in enumerate(left) if index not in _neighbors(at, len(left))]
    return not any(_lies_in(other, a, b, c) for other in others)


def _neighbors(at: int, count: int) -> set[int]:
    return {(at - 1) % count, at, (at + 1) % count}


def _lies_in(point: Corners, a: Corners, b: Corners, c: Corners) -> bool:
    """Or on its edge; a corner of the triangle itself (a polygon may touch itself) does not count."""
    if any(np.array_equal(point, corner) for corner in (a, b, c)):
        return False
    return _turn(a, b, point) >= 0 and _turn(b, c, point) >= 0 and _turn(c, a, point) >= 0


def _turn(a: Corners, b: Corners, c: Corners) -> float:
    """Twice the signed area: above zero where the way from a over b to c turns left."""
    return float((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]))
