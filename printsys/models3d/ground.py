"""What a model stands on: a plane with a grid and a soft shadow, which shows where it is up and how high it is."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]

AROUND = 0.05
"""Of the model's longer side: so far the ground goes on beyond it."""
FEWEST_CELLS = 5
GRAY, DARK = np.array([128, 134, 140], np.float32), np.array([22, 24, 28], np.float32)
PLANE, LINE, SHADOW = 0.16, 0.42, 0.36
"""Opacities."""
SLANT = (0.30, 0.22)
"""Shadow falls so far to the right and back for each unit of height."""
CELLS = 72


def rectangle(low: npt.NDArray[np.float64], high: npt.NDArray[np.float64]) -> tuple[float, float, float, float]:
    """Left, front, right, back of the ground under a model between the corners `low` and `high`."""
    around = AROUND * float((high - low).max())
    return low[0] - around, low[1] - around, high[0] + around, high[1] + around


def paint(x: Array, y: Array, sides: tuple[float, float, float, float], per_pixel: float, shadow: Array) -> Array:
    """Count × (red, green, blue, opacity), colors 0 to 255 times opacity, of the ground at the points (`x`, `y`) of a
    picture; `per_pixel`: how much of the model one pixel spans."""
    left, front, right, back = sides
    step = 10 ** math.floor(math.log10(max(right - left, back - front) / FEWEST_CELLS))
    inside = np.minimum(np.minimum(x - left, right - x), np.minimum(y - front, back - y)) / per_pixel
    to_line = np.minimum(*(np.abs(axis / step - np.rint(axis / step)) * step / per_pixel for axis in (x, y)))
    line = np.clip(1.1 - np.minimum(to_line, np.abs(inside)), 0, 1)
    column = np.clip((x - left) / (right - left) * CELLS, 0, CELLS - 1).astype(np.int64)
    row = np.clip((y - front) / (back - front) * CELLS, 0, CELLS - 1).astype(np.int64)
    dark = SHADOW * shadow[row, column]
    plane = (PLANE + (LINE - PLANE) * line) * (1 - dark)
    within = np.clip(inside + 0.5, 0, 1)
    colors = GRAY * plane[:, None] + DARK * dark[:, None]
    painted: Array = np.column_stack([colors, plane + dark]).astype(np.float32) * within[:, None]
    return painted


def shadow(points: Array, floor: float, sides: tuple[float, float, float, float]) -> Array:
    """CELLS × CELLS, 0 to 1: where the visible `points` (x, y, z × count) throw their shadow on the ground."""
    left, front, right, back = sides
    height = points[2] - floor
    column = ((points[0] + SLANT[0] * height - left) / (right - left) * CELLS).astype(np.int64)
    row = ((points[1] + SLANT[1] * height - front) / (back - front) * CELLS).astype(np.int64)
    falls = (column >= 0) & (column < CELLS) & (row >= 0) & (row < CELLS)
    dark = np.zeros(CELLS * CELLS, np.float32)
    dark[row[falls] * CELLS + column[falls]] = 1
    soft: Array = dark.reshape(CELLS, CELLS)
    for axis in (0, 1, 0, 1):
        soft = (np.roll(soft, 1, axis) + soft + np.roll(soft, -1, axis)) / np.float32(3)
    return soft
