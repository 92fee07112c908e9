"""A picture of a model: shaded, framed, seen from above the front left corner, on a ground that is left clear.

numpy alone: no GPU, no display. The ground is transparent, the shades keep clear of black and white, so that the
picture stands on a light page and on a dark one.
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
"""Pixels are drawn as 2 × 2 and averaged: smooth edges."""
MARGIN = 0.06
TURN, TILT = math.radians(-35), math.radians(28)
LIGHTS = (((-0.45, 0.75, 0.6), 0.68), ((0.8, 0.15, 0.5), 0.08))
"""Towards the light, in the picture's own axes (right, up, to the eye), and its strength."""
AMBIENT = 0.28
SHADE, BRIGHT = np.array([38, 70, 104], np.float32), np.array([201, 222, 240], np.float32)
OUTLINE = 0.45
BEHIND = 0.04
"""Of the model's depth: from here on a step from one pixel to the next is drawn as a line."""
MOST_PIXELS = 60_000_000
"""Covered by all triangles together, hidden ones too: beyond it the picture is drawn coarser."""


def draw(path: Path, size: int = 512) -> bytes:
    """PNG, `size` pixels a side. FileRefused, ModelUnreadable or ModelTooHard if there is nothing to draw."""
    mesh = load(path)
    if not len(mesh.faces):
        raise ModelUnreadable(f"{path.name} has no surface that could be drawn.")
    if not finite(mesh):
        raise ModelUnreadable(f"{path.name} has corners that are not numbers, so it cannot be drawn.")
    return render(mesh.triangles, size)


def render(triangles: npt.NDArray[np.floating], size: int = 512) -> bytes:
    fine = size * FINER
    seen = _projected(triangles)
    corners = _framed(seen, fine)
    while fine > 64 and _covered(corners) > MOST_PIXELS:
        fine //= 2
        corners = _framed(seen, fine)
    return _png(_shaded(seen, *nearest(corners, fine)), size)


def _projected(triangles: npt.NDArray[np.floating]) -> Array:
    """Right, up, towards the eye × 3 corners × count. Brought to about 1 first: sizes of any power fit 32 bits."""
    own = np.ascontiguousarray(triangles.transpose(2, 1, 0))
    low, high = (np.array([float(edge(axis)) for axis in own]) for edge in (np.min, np.max))
    middle, reach = (low + high) / 2, float((high - low).max()) or 1.0
    centred = [
        ((axis - axis.dtype.type(at)) / axis.dtype.type(reach)).astype(np.float32)
        for axis, at in zip(own, middle, strict=True)
    ]
    seen = np.empty(own.shape, np.float32)
    for number, (x, y, z) in enumerate(_view().astype(np.float32)):
        seen[number] = centred[0] * x + centred[1] * y + centred[2] * z
    return seen


def _view() -> npt.NDArray[np.float64]:
    right = np.array([math.cos(TURN), -math.sin(TURN), 0])
    ahead = np.array([-math.sin(TURN) * math.cos(TILT), -math.cos(TURN) * math.cos(TILT), math.sin(TILT)])
    return np.array([right, np.cross(ahead, right), ahead])


def _framed(seen: Array, fine: int) -> Array:
    """Pixels: x to the right, y down, depth 0 (near) to 1."""
    low, high = (np.array([float(edge(axis)) for axis in seen]) for edge in (np.min, np.max))
    scale = fine * (1 - 2 * MARGIN) / max(float((high - low)[:2].max()), 1e-9)
    middle = (low + high) / 2
    corners = np.empty_like(seen)
    corners[0] = (seen[0] - np.float32(middle[0])) * np.float32(scale) + np.float32(fine / 2)
    corners[1] = (np.float32(middle[1]) - seen[1]) * np.float32(scale) + np.float32(fine / 2)
    corners[2] = (np.float32(high[2]) - seen[2]) / np.float32(max(high[2] - low[2], 1e-9))
    return corners


def _covered(corners: Array) -> float:
    x, y, _ = corners
    double = (x[1] - x[0]) * (y[2] - y[0]) - (y[1] - y[0]) * (x[2] - x[0])
    return float(np.abs(double).sum(dtype=np.float64)) / 2


def _shaded(seen: Array, front: npt.NDArray[np.int64], depth: Array) -> Array:
    """Height × width × (red, green, blue, opacity), colours 0 to 255 times opacity, opacity 0 to 1."""
    inside = front >= 0
    owners, where = np.unique(front[inside], return_inverse=True)
    picture = np.zeros((*front.shape, 4), np.float32)
    picture[inside, :3] = _colours(seen[:, :, owners].T)[where]
    picture[inside, 3] = 1
    picture[..., :3] *= (1 - OUTLINE * _outline(np.where(inside, depth, 2), inside))[..., None]
    return picture


def _colours(seen: Array) -> Array:
    normal = np.cross(seen[:, 1] - seen[:, 0], seen[:, 2] - seen[:, 0])
    normal /= np.maximum(np.linalg.norm(normal, axis=1), 1e-30)[:, None]
    normal *= np.where(normal[:, 2:] < 0, -1, 1)  # towards the eye: a surface that is inside out is still drawn
    light = np.full(len(normal), AMBIENT, np.float32)
    for towards, strength in LIGHTS:
        light += strength * np.maximum(normal @ (np.array(towards, np.float32) / np.linalg.norm(towards)), 0)
    return SHADE + (BRIGHT - SHADE) * np.clip(light, 0, 1)[:, None]


def _outline(depth: Array, inside: npt.NDArray[np.bool_]) -> Array:
    """1 where the ground or something clearly behind begins: what makes a shape readable."""
    edge = np.zeros(depth.shape, np.bool_)
    edge[:, 1:] |= depth[:, :-1] - depth[:, 1:] > BEHIND
    edge[:, :-1] |= depth[:, 1:] - depth[:, :-1] > BEHIND
    edge[1:] |= depth[:-1] - depth[1:] > BEHIND
    edge[:-1] |= depth[1:] - depth[:-1] > BEHIND
    return (edge & inside).astype(np.float32)


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
