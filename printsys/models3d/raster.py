"""Triangles to pixels, with depth, in numpy: exact for slivers and for millions of triangles smaller than a pixel.

Each triangle becomes the rows it crosses, each row a run of pixels, each pixel one whole number that holds its depth
and, below it, the triangle's number: the smallest wins. A pixel belongs to the triangle that covers its center, so
that neighbors leave no gap and no pixel twice.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

EMPTY = np.iinfo(np.int64).max
DEPTHS = (1 << 30) - 1
AT_ONCE = 1 << 18
"""Triangles in one go; memory stays flat."""
PIXELS_AT_ONCE = 1 << 21

Grid = npt.NDArray[np.int64]
Corners = npt.NDArray[np.float32]
Depths = npt.NDArray[np.float64]


def nearest(corners: Corners, size: int) -> tuple[Grid, Corners]:
    """For each pixel of `size` × `size` the number of the triangle in front, -1 without one, and its depth there.

    `corners`: (x, y, depth) × 3 corners × count, in pixels, y downwards, depth from 0 (near) to 1.
    """
    front = np.full(size * size, EMPTY, np.int64)
    for owner, place, depth in fragments(corners, size):
        key = ((np.clip(depth, 0, 1) * DEPTHS).astype(np.int64) << 32) | owner
        np.minimum.at(front, place, key)
    picture = front.reshape(size, size)
    depths = ((picture >> 32) / DEPTHS).astype(np.float32)
    return np.where(picture == EMPTY, -1, picture & 0xFFFFFFFF), depths


def fragments(corners: Corners, size: int) -> Iterator[tuple[Grid, Grid, Depths]]:
    """Every pixel of every triangle, hidden ones too: the triangle's number, the pixel's (row × `size` + column), and
    the depth there. In bounded memory."""
    for first in range(0, corners.shape[2], AT_ONCE):
        part = corners[:, :, first : first + AT_ONCE]
        for owner, row, begin, end in _spans(part, size):
            for run, column, depth in _fill(part, owner, row, begin, end):
                yield owner[run] + first, row[run] * size + column, depth


def _spans(part: Corners, size: int) -> Iterator[tuple[Grid, Grid, Grid, Grid]]:
    """Runs of pixels: their triangle, their row, the first column and the one after the last, in bounded memory."""
    y = part[1]
    top = np.clip(np.ceil(y.min(axis=0) - 0.5), 0, size).astype(np.int64)
    bottom = np.clip(np.ceil(y.max(axis=0) - 0.5), 0, size).astype(np.int64)
    owner, row = _counted(top, bottom - top)
    for start in range(0, len(owner), PIXELS_AT_ONCE):
        owners, rows = owner[start : start + PIXELS_AT_ONCE], row[start : start + PIXELS_AT_ONCE]
        low, high = _crossings(part, owners, rows)
        begin = np.clip(np.ceil(low - 0.5), 0, size).astype(np.int64)
        end = np.clip(np.ceil(high - 0.5), 0, size).astype(np.int64)
        visible = end > begin
        yield owners[visible], rows[visible], begin[visible], end[visible]


def _crossings(part: Corners, owner: Grid, row: Grid) -> tuple[Corners, Corners]:
    """Where a triangle's outline crosses the middle of a row, left and right."""
    middle = (row + 0.5).astype(np.float32)
    low = np.full(len(owner), np.inf, np.float32)
    high = np.full(len(owner), -np.inf, np.float32)
    for start, stop in ((0, 1), (1, 2), (2, 0)):
        x1, y1 = part[0, start][owner], part[1, start][owner]
        x2, y2 = part[0, stop][owner], part[1, stop][owner]
        crosses = (y1 <= middle) != (y2 <= middle)
        x = x1 + (middle - y1) * (x2 - x1) / np.where(crosses, y2 - y1, 1)
        low = np.minimum(low, np.where(crosses, x, np.inf))
        high = np.maximum(high, np.where(crosses, x, -np.inf))
    return low, high


def _fill(part: Corners, owner: Grid, row: Grid, begin: Grid, end: Grid) -> Iterator[tuple[Grid, Grid, Depths]]:
    """Number of the run, column and depth of each pixel."""
    slope_x, slope_y = _slopes(part, owner)
    x, y, depth = part[:, 0, owner]
    start = depth + (row + 0.5 - y) * slope_y - x * slope_x
    ends = np.cumsum(end - begin)
    cut = 0
    while cut < len(owner):
        stop = max(int(np.searchsorted(ends, (ends[cut - 1] if cut else 0) + PIXELS_AT_ONCE, "right")), cut + 1)
        run, column = _counted(begin[cut:stop], (end - begin)[cut:stop])
        run += cut
        yield run, column, start[run] + (column + 0.5) * slope_x[run]
        cut = stop


def _slopes(part: Corners, owner: Grid) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """How depth changes along x and y; flat for a triangle that we see edge-on, where any answer is right."""
    x, y, depth = part.astype(np.float64)
    cross = (x[1] - x[0]) * (y[2] - y[0]) - (y[1] - y[0]) * (x[2] - x[0])
    safe = np.where(np.abs(cross) < 1e-6, np.inf, cross)
    along_x = ((depth[1] - depth[0]) * (y[2] - y[0]) - (depth[2] - depth[0]) * (y[1] - y[0])) / safe
    along_y = ((depth[2] - depth[0]) * (x[1] - x[0]) - (depth[1] - depth[0]) * (x[2] - x[0])) / safe
    return along_x[owner], along_y[owner]


def _counted(start: Grid, count: Grid) -> tuple[Grid, Grid]:
    """For each owner `count` numbers from `start`: (owner of each, number)."""
    count = np.maximum(count, 0)
    owner = np.repeat(np.arange(len(count)), count)
    before = np.cumsum(count) - count
    return owner, np.arange(len(owner)) - np.repeat(before - start, count)
