"""A picture of a model: shaded, framed, from above the front left corner, on a transparent ground.

numpy alone: no GPU, no display. The shades keep clear of black and white, so that the picture suits a light page and
a dark one.
"""

from __future__ import annotations

import io
import math
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from printsys.errors import ModelUnreadable
from printsys.models3d.mesh import finite, load
from printsys.models3d.raster import nearest

Array = npt.NDArray[np.float32]

FINER = 2
"""Each pixel is the mean of 2 × 2 finer ones: smooth edges."""
MARGIN = 0.06
TURN, TILT = math.radians(-35), math.radians(28)
LIGHTS = (((-0.45, 0.75, 0.6), 0.68), ((0.8, 0.15, 0.5), 0.08))
"""Towards the light, in the picture's own axes (right, up, to the eye), and its strength."""
AMBIENT = 0.28
SHADE, BRIGHT = np.array([38, 70, 104], np.float32), np.array([201, 222, 240], np.float32)
OUTLINE = 0.45
BEHIND = 0.04
"""Of the model's depth: a larger step from one pixel to the next becomes a line."""
MOST_PIXELS = 60_000_000
"""Covered by all triangles together, hidden ones too: beyond it the picture is coarser."""


def draw(path: Path, size: int = 512) -> bytes:
    """PNG, `size` pixels a side. FileRefused, ModelUnreadable or ModelTooHard for a file without anything to draw."""
    mesh = load(path)
    if not len(mesh.faces):
        raise ModelUnreadable(f"{path.name} has no surface that could be drawn.")
    if not finite(mesh):
        raise ModelUnreadable(f"{path.name} has corners that are not numbers, so it cannot be drawn.")
    return render(mesh.triangles, size)


def render(triangles: npt.NDArray[np.floating], size: int = 512) -> bytes:
    fine = size * FINER
    projected = _project(triangles)
    corners = _frame(projected, fine)
    while fine > 64 and _area(corners) > MOST_PIXELS:
        fine //= 2
        corners = _frame(projected, fine)
    return _png(_shade(projected, *nearest(corners, fine)), size)


def _project(triangles: npt.NDArray[np.floating]) -> Array:
    """Right, up, towards the eye × 3 corners × count. Scaled to about 1 first: sizes of any power fit 32 bits."""
    own = np.ascontiguousarray(triangles.transpose(2, 1, 0))
    low, high = (np.array([float(edge(axis)) for axis in own]) for edge in (np.min, np.max))
    middle, reach = (low + high) / 2, float((high - low).max()) or 1.0
    centered = [
        ((axis - axis.dtype.type(at)) / axis.dtype.type(reach)).astype(np.float32)
        for axis, at in zip(own, middle, strict=True)
    ]
    right = np.array([math.cos(TURN), -math.sin(TURN), 0])
    ahead = np.array([-math.sin(TURN) * math.cos(TILT), -math.cos(TURN) * math.cos(TILT), math.sin(TILT)])
    projected = np.empty(own.shape, np.float32)
    for number, (x, y, z) in enumerate(np.array([right, np.cross(ahead, right), ahead], np.float32)):
        projected[number] = centered[0] * x + centered[1] * y + centered[2] * z
    return projected


def _frame(projected: Array, fine: int) -> Array:
    """Pixels: x to the right, y down, depth 0 (near) to 1."""
    low, high = (np.array([float(edge(axis)) for axis in projected]) for edge in (np.min, np.max))
    scale = fine * (1 - 2 * MARGIN) / max(float((high - low)[:2].max()), 1e-9)
    middle = (low + high) / 2
    corners = np.empty_like(projected)
    corners[0] = (projected[0] - np.float32(middle[0])) * np.float32(scale) + np.float32(fine / 2)
    corners[1] = (np.float32(middle[1]) - projected[1]) * np.float32(scale) + np.float32(fine / 2)
    corners[2] = (np.float32(high[2]) - projected[2]) / np.float32(max(high[2] - low[2], 1e-9))
    return corners


def _area(corners: Array) -> float:
    """Pixels that all triangles cover together."""
    x, y, _ = corners
    double = (x[1] - x[0]) * (y[2] - y[0]) - (y[1] - y[0]) * (x[2] - x[0])
    return float(np.abs(double).sum(dtype=np.float64)) / 2


def _shade(projected: Array, front: npt.NDArray[np.int64], depth: Array) -> Array:
    """Height × width × (red, green, blue, opacity), colors 0 to 255 times opacity, opacity 0 to 1."""
    covered = front >= 0
    owners, owner_index = np.unique(front[covered], return_inverse=True)
    picture = np.zeros((*front.shape, 4), np.float32)
    picture[covered, :3] = _colors(projected[:, :, owners].T)[owner_index]
    picture[covered, 3] = 1
    # A line where the ground or something clearly behind begins: that makes a shape readable.
    depth = np.where(covered, depth, 2)
    edge = np.zeros(depth.shape, np.bool_)
    edge[:, 1:] |= depth[:, :-1] - depth[:, 1:] > BEHIND
    edge[:, :-1] |= depth[:, 1:] - depth[:, :-1] > BEHIND
    edge[1:] |= depth[:-1] - depth[1:] > BEHIND
    edge[:-1] |= depth[1:] - depth[:-1] > BEHIND
    picture[..., :3] *= (1 - OUTLINE * (edge & covered).astype(np.float32))[..., None]
    return picture


def _colors(triangles: Array) -> Array:
    normal = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    normal /= np.maximum(np.linalg.norm(normal, axis=1), 1e-30)[:, None]
    normal *= np.where(normal[:, 2:] < 0, -1, 1)  # towards the eye: a surface that faces inwards has colors, too
    light = np.full(len(normal), AMBIENT, np.float32)
    for towards, strength in LIGHTS:
        light += strength * np.maximum(normal @ (np.array(towards, np.float32) / np.linalg.norm(towards)), 0)
    return SHADE + (BRIGHT - SHADE) * np.clip(light, 0, 1)[:, None]


def _png(picture: Array, size: int) -> bytes:
    fine = len(picture)
    step = max(fine // size, 1)
    small = picture.reshape(fine // step, step, fine // step, step, 4).mean(axis=(1, 3))
    opacity = small[..., 3:]
    small[..., :3] /= np.maximum(opacity, 1e-6)
    small[..., 3:] = opacity * 255
    image = Image.fromarray(np.clip(small + 0.5, 0, 255).astype(np.uint8), "RGBA")
    if image.width != size:
        image = image.resize((size, size), Image.Resampling.BILINEAR)
    out = io.BytesIO()
    image.save(out, "PNG", compress_level=4)
    return out.getvalue()
