"""A picture of a model: in the color of its print, with its edges, on its ground, from above the front left corner.

numpy alone: no GPU, no display. What is not the ground is clear, so that the picture suits a light page and a dark one.
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw
from PIL.PngImagePlugin import PngInfo

from printsys.errors import ModelUnreadable
from printsys.models3d import ground
from printsys.models3d.edges import lines
from printsys.models3d.mesh import finite, load
from printsys.models3d.paint import Paint, comment, paint_of
from printsys.models3d.raster import nearest

Array = npt.NDArray[np.float32]
Sides = tuple[float, float, float, float]

FINER = 2
"""Each pixel is the mean of 2 × 2 finer ones: smooth edges."""
MARGIN = 0.04
TURN, TILT = math.radians(-35), math.radians(33)
RIGHT = (math.cos(TURN), -math.sin(TURN), 0.0)
AHEAD = (-math.sin(TURN) * math.cos(TILT), -math.cos(TURN) * math.cos(TILT), math.sin(TILT))
AXES = np.array([RIGHT, np.cross(AHEAD, RIGHT), AHEAD], np.float32)
"""Of the picture (right, up, to the eye), in the model's own."""
LIGHTS = (((-0.45, 0.75, 0.6), 0.72), ((0.8, 0.15, 0.5), 0.10))
"""Towards the light, in the picture's axes, and its strength."""
AMBIENT = 0.20
LOW_TOPS = 0.22
"""Level surfaces are darker by up to so much, the lower they are: a floor differs from the top around it."""
LINES = 0.62
ALARM = (229, 28, 46)
SAMPLED = 2
"""Of the visible pixels each second, each way, throws a shadow."""
MOST_PIXELS = 60_000_000
"""Covered by all triangles together, hidden ones too: beyond it the picture is coarser."""


@dataclass(frozen=True)
class Frame:
    """Where the picture's axes lie in a picture of `side` pixels. `low`, `high`: of what it shows, ground included."""

    side: int
    low: npt.NDArray[np.float64]
    high: npt.NDArray[np.float64]

    @property
    def scale(self) -> float:
        return self.side * (1 - 2 * MARGIN) / max(float((self.high - self.low)[:2].max()), 1e-9)

    def pixels(self, projected: Array) -> Array:
        """x to the right, y down, depth 0 (near) to 1."""
        middle, scale = (self.low + self.high) / 2, self.scale
        corners = np.empty_like(projected)
        # In place: three arrays of a million triangles would cost more than drawing them.
        for at, zero, factor, shift in (
            (0, middle[0], scale, self.side / 2),
            (1, middle[1], -scale, self.side / 2),
            (2, self.high[2], -1 / self.deep, 0.0),
        ):
            np.subtract(projected[at], np.float32(zero), out=corners[at])
            corners[at] *= np.float32(factor)
            corners[at] += np.float32(shift)
        return corners

    @property
    def deep(self) -> float:
        return max(float(self.high[2] - self.low[2]), 1e-9)

    def axes_at(self, column: Array, row: Array) -> tuple[Array, Array]:
        """How far to the right and up a pixel lies."""
        middle = (self.low + self.high) / 2
        right = (column - np.float32(self.side / 2)) / np.float32(self.scale) + np.float32(middle[0])
        up = (np.float32(self.side / 2) - row) / np.float32(self.scale) + np.float32(middle[1])
        return right, up


def draw(path: Path, size: int = 512, color: str | None = None) -> bytes:
    """PNG, `size` pixels a side; `color` as the lab calls it. FileRefused, ModelUnreadable or ModelTooHard for a file
    without anything to draw."""
    mesh = load(path)
    if not len(mesh.faces):
        raise ModelUnreadable(f"{path.name} has no surface that could be drawn.")
    if not finite(mesh):
        raise ModelUnreadable(f"{path.name} has corners that are not numbers, so it cannot be drawn.")
    return render(mesh.triangles, size, color)


def render(
    triangles: npt.NDArray[np.floating],
    size: int = 512,
    color: str | None = None,
    open_edges: npt.NDArray[np.floating] | None = None,
) -> bytes:
    """`open_edges` (both ends of each, count × 2 × 3) are drawn in red, hidden ones too."""
    return Scene(triangles).png(size, color, open_edges)


class Scene:
    """A model in front of the eye."""

    def __init__(self, triangles: npt.NDArray[np.floating]) -> None:
        placed, self.middle, self.reach = _centered(triangles)
        self.low, self.high = (np.array([float(edge(axis)) for axis in placed]) for edge in (np.min, np.max))
        self.projected = _project(placed)
        self.bounds = tuple(np.array([float(edge(axis)) for axis in self.projected]) for edge in (np.min, np.max))
        self.sides = ground.rectangle(self.low, self.high)

    def frame(self, side: int) -> Frame:
        left, front, right, back = self.sides
        corners = AXES @ np.array([[x, y, self.low[2]] for x in (left, right) for y in (front, back)], np.float32).T
        low, high = (bound.copy() for bound in self.bounds)
        low[:2], high[:2] = np.minimum(low, corners.min(axis=1))[:2], np.maximum(high, corners.max(axis=1))[:2]
        return Frame(side, low, high)

    def places(self, points: npt.NDArray[np.floating]) -> Array:
        """Where points of the model (count × 3) are on its picture: shares of width and height, from the top left."""
        own = ((points.astype(np.float64) - self.middle) / self.reach).astype(np.float32)
        x, y, _ = self.frame(1).pixels((AXES @ own.T)[:, :, None])
        places: Array = np.column_stack([x, y])
        return places

    def png(self, size: int, color: str | None, open_edges: npt.NDArray[np.floating] | None) -> bytes:
        floor, top = float(self.low[2]), float(self.high[2])
        fine = size * FINER
        frame = self.frame(fine)
        corners = frame.pixels(self.projected)
        while fine > 64 and _area(corners) > MOST_PIXELS:
            fine //= 2
            frame = Frame(fine, frame.low, frame.high)
            corners = frame.pixels(self.projected)
        front, depth = nearest(corners, fine)
        deep = np.float32(frame.deep * frame.scale)
        picture = _shade(self.projected, front, depth * deep, paint_of(color), (floor, top))
        small = _smaller(picture, size)
        shadow = _shadow(front, depth, frame, self.sides, floor)
        _stand(small, Frame(len(small), frame.low, frame.high), self.sides, floor, shadow)
        image = _image(small, size)
        if open_edges is not None and len(open_edges):
            _draw_edges(image, self.places(open_edges.reshape(-1, 3)).reshape(-1, 4))
        return _png(image, comment(color))


def _centered(triangles: npt.NDArray[np.floating]) -> tuple[Array, npt.NDArray[np.float64], float]:
    """The model's own axes × 3 corners × count, scaled to about 1, so that sizes of any power fit 32 bits; what was
    taken away, and by what it was divided."""
    own = np.array(triangles.transpose(2, 1, 0), order="C")
    low, high = (np.array([float(edge(axis)) for axis in own]) for edge in (np.min, np.max))
    middle, reach = (low + high) / 2, float((high - low).max()) or 1.0
    for axis, at in zip(own, middle, strict=True):
        axis -= axis.dtype.type(at)
        axis /= axis.dtype.type(reach)
    return own.astype(np.float32, copy=False), middle, reach


def _project(placed: Array) -> Array:
    """Right, up, towards the eye × 3 corners × count."""
    projected = np.empty(placed.shape, np.float32)
    for axis, row in zip(projected, AXES, strict=True):
        np.multiply(placed[0], row[0], out=axis)
        for along, share in zip(placed[1:], row[1:], strict=True):
            axis += along * share
    return projected


def _area(corners: Array) -> float:
    """Pixels that all triangles cover together."""
    x, y, _ = corners
    double = (x[1] - x[0]) * (y[2] - y[0]) - (y[1] - y[0]) * (x[2] - x[0])
    return float(np.abs(double).sum(dtype=np.float64)) / 2


def _shade(
    projected: Array, front: npt.NDArray[np.int64], depth: Array, paint: Paint, heights: tuple[float, float]
) -> Array:
    """Height × width × (red, green, blue, opacity), colors 0 to 255 times opacity, opacity 0 to 1."""
    covered = front >= 0
    is_seen = np.zeros(projected.shape[2], np.bool_)
    is_seen[front[covered]] = True
    row_of = np.cumsum(is_seen, dtype=np.int64) - 1
    rows = np.where(covered, row_of[front], -1)
    seen = projected[:, :, is_seen]
    normals = _normals(seen)
    colors = np.empty((len(normals) + 1, 4), np.float32)
    colors[:-1, :3] = _colors(seen, normals, paint, heights)
    colors[:-1, 3], colors[-1] = 1, 0
    picture = colors[rows]
    line = lines(rows, depth, normals)
    row, column = np.nonzero(line)
    strength = (LINES * line[row, column])[:, None]
    picture[row, column, :3] = picture[row, column, :3] * (1 - strength) + paint.line * strength
    return picture


def _normals(triangles: Array) -> Array:
    """Count × (right, up, to the eye), of length 1; towards the eye: a surface that faces inwards has colors, too."""
    first, second, third = triangles.transpose(1, 2, 0)
    normal: Array = np.cross(second - first, third - first)
    normal /= np.maximum(np.linalg.norm(normal, axis=1), 1e-30)[:, None]
    normal *= np.where(normal[:, 2:] < 0, -1, 1)
    return normal


def _colors(triangles: Array, normals: Array, paint: Paint, heights: tuple[float, float]) -> Array:
    light = np.full(len(normals), AMBIENT, np.float32)
    for towards, strength in LIGHTS:
        light += strength * np.maximum(normals @ (np.array(towards, np.float32) / np.linalg.norm(towards)), 0)
    level = normals @ AXES[:, 2] > 0.99
    height = AXES[:, 2] @ triangles[:, 0, level]
    bottom, top = heights
    light[level] *= 1 - LOW_TOPS * np.clip((top - height) / max(top - bottom, 1e-9), 0, 1)
    colors: Array = paint.shade + (paint.bright - paint.shade) * np.clip(light, 0, 1)[:, None]
    return colors


def _smaller(picture: Array, size: int) -> Array:
    step = max(len(picture) // size, 1)
    if step == 1:
        return picture
    side = len(picture) // step
    smaller: Array = picture.reshape(side, step, side, step, 4).mean(axis=(1, 3))
    return smaller


def _shadow(front: npt.NDArray[np.int64], depth: Array, frame: Frame, sides: Sides, floor: float) -> Array:
    row, column = np.nonzero(front[::SAMPLED, ::SAMPLED] >= 0)
    right, up = frame.axes_at(column.astype(np.float32) * SAMPLED, row.astype(np.float32) * SAMPLED)
    ahead = np.float32(frame.high[2]) - depth[::SAMPLED, ::SAMPLED][row, column] * np.float32(frame.deep)
    return ground.shadow(AXES.T @ np.stack([right, up, ahead]), floor, sides)


def _stand(picture: Array, frame: Frame, sides: Sides, floor: float, shadow: Array) -> None:
    """Put the ground behind what the picture shows."""
    row, column = np.nonzero(picture[..., 3] < 1)
    right, up = frame.axes_at(column.astype(np.float32) + 0.5, row.astype(np.float32) + 0.5)
    back = np.linalg.inv(AXES[:2, :2].astype(np.float64)).astype(np.float32)
    x, y = back @ np.stack([right, up - AXES[1, 2] * np.float32(floor)])
    below = ground.paint(x, y, sides, 1 / frame.scale, shadow)
    picture[row, column] += below * (1 - picture[row, column, 3:])


def _image(picture: Array, size: int) -> Image.Image:
    opacity = picture[..., 3:]
    picture[..., :3] /= np.maximum(opacity, 1e-6)
    picture[..., 3:] = opacity * 255
    image = Image.fromarray(np.clip(picture + 0.5, 0, 255).astype(np.uint8), "RGBA")
    return image if image.width == size else image.resize((size, size), Image.Resampling.BILINEAR)


def _draw_edges(image: Image.Image, places: Array) -> None:
    """`places`: both ends of each, count × 4, as shares of the picture. A light rim keeps red on red visible."""
    fine = image.width * FINER
    for width, rgb in ((11, (255, 255, 255)), (7, ALARM)):
        mask = Image.new("L", (fine, fine))
        pen = ImageDraw.Draw(mask)
        for line in (places * fine).tolist():
            pen.line(line, fill=255, width=width)
        image.paste(Image.new("RGBA", image.size, (*rgb, 255)), mask=mask.resize(image.size, Image.Resampling.BOX))


def _png(image: Image.Image, comments: PngInfo) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG", compress_level=4, pnginfo=comments)
    return out.getvalue()
