"""A handful of models that could come from students: closed, in millimeters, small. For the demo and for tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import trimesh

Points = npt.NDArray[np.float64]

PIXELS = {
    "L": ("100", "100", "100", "100", "111"),
    "A": ("010", "101", "111", "101", "101"),
    "B": ("110", "101", "110", "101", "110"),
}


def phone_stand() -> trimesh.Trimesh:
    """A bent strip, 70 mm wide: a lip, a shelf for the phone, a back to lean on and a leg."""
    thickness, width = 4, 70
    bends = np.array([[0, 24], [8, 6], [32, 14], [62, 92], [92, 0]], float)
    along = np.diff(bends, axis=0)
    along /= np.linalg.norm(along, axis=1)[:, None]
    normals = np.column_stack([-along[:, 1], along[:, 0]])
    before, after = np.vstack([normals[:1], normals]), np.vstack([normals, normals[-1:]])
    # As thick around a bend as before and after it: mitered.
    across = (before + after) / (1 + np.einsum("ij,ij->i", before, after))[:, None]
    edges = bends + across * thickness / 2, bends - across * thickness / 2
    count = len(bends)
    sides = [np.column_stack([edge[:, 0], np.full(count, y), edge[:, 1]]) for y in (0, width) for edge in edges]
    near_left, near_right, far_left, far_right = (np.arange(count) + n * count for n in range(4))
    outline = np.concatenate([near_left, near_right[::-1]])
    back = np.concatenate([far_left, far_right[::-1]])
    ends = [*_band(near_right, near_left), *_band(far_left, far_right)]
    faces = [*_band(outline, back), *(triangles[:-1] for triangles in ends)]
    return _solid(np.vstack(sides), np.vstack(faces))


def vase() -> trimesh.Trimesh:
    height = np.linspace(0, 120, 41)
    outside = 28 + 10 * np.sin(height / 120 * np.pi * 1.6) + 4 * height / 120
    outer = np.column_stack([outside, height])
    inner = np.column_stack([outside - 2.4, np.maximum(height, 3)])[::-1]
    profile = np.vstack([[0, 0], outer, inner[:-1], [0, 3]])
    return trimesh.creation.revolve(profile, sections=72)


def gear(teeth: int = 18) -> trimesh.Trimesh:
    """Spur gear with a 5 mm bore, 8 mm thick."""
    angle = np.linspace(0, 2 * np.pi, teeth * 8, endpoint=False)
    rise = np.clip(np.sin(angle * teeth) * 1.8, -1, 1)
    radius = 20 + 2 * rise
    outer = np.column_stack([np.cos(angle), np.sin(angle)]) * radius[:, None]
    inner = np.column_stack([np.cos(angle), np.sin(angle)]) * 2.5
    return _ring(outer, inner, 8)


def bracelet() -> trimesh.Trimesh:
    angle = np.linspace(0, 2 * np.pi, 180, endpoint=False)
    round_ = np.column_stack([np.cos(angle), np.sin(angle)])
    return _ring(round_ * (33 + 1.2 * np.sin(angle * 12))[:, None], round_ * 30, 12)


def die(side: float = 18) -> trimesh.Trimesh:
    """A cube with rounded edges."""
    box: trimesh.Trimesh = trimesh.creation.box()
    for _ in range(4):
        box = box.subdivide()
    corners = box.vertices * 2
    norm = (np.abs(corners) ** 6).sum(axis=1) ** (1 / 6)
    box.vertices = corners / norm[:, None] * side / 2
    return box


def name_plate(text: str = "LAB") -> trimesh.Trimesh:
    """Raised letters on a plate of 1.6 mm, one millimeter a cell."""
    rows = ["".join(PIXELS[letter][row] + "0" for letter in text) for row in range(5)]
    pixels = np.array([[int(pixel) for pixel in row] for row in rows], float)
    relief = np.kron(np.pad(pixels, 1), np.ones((4, 4)))
    return _relief(1.6 + 1.2 * relief, cell=1)


def terrain() -> trimesh.Trimesh:
    """A site model, as architects print them: hills of 80 × 60 mm."""
    x, y = np.meshgrid(np.linspace(0, 4, 81), np.linspace(0, 3, 61))
    hills = np.sin(x * 1.3) * np.cos(y * 1.7) + 0.4 * np.sin(x * 3.1 + y * 2.3) + 0.1 * np.cos(x * 7 - y * 5)
    return _relief(6 + 3.5 * (hills - hills.min()), cell=1)


SAMPLES: dict[str, Callable[[], trimesh.Trimesh]] = {
    make.__name__: make for make in (phone_stand, vase, gear, bracelet, die, name_plate, terrain)
}


def sample(name: str, kind: str) -> bytes:
    """The bytes of a file of `kind`: `stl` (binary), `obj` or `3mf`."""
    data = SAMPLES[name]().export(file_type=kind)
    if isinstance(data, bytes):
        return data
    return str(data).encode()


# -- solids ---------------------------------------------------------------------------------------------------------


def _ring(outer: Points, inner: Points, height: float) -> trimesh.Trimesh:
    """The body between two outlines of as many points each."""
    count = len(outer)
    levels = [np.column_stack([outline, np.full(count, z)]) for z in (0, height) for outline in (outer, inner)]
    low_out, low_in, high_out, high_in = (np.arange(count) + n * count for n in range(4))
    faces = [
        *_band(high_out, high_in),
        *_band(low_in, low_out),
        *_band(low_out, high_out),
        *_band(high_in, low_in),
    ]
    return _solid(np.vstack(levels), np.vstack(faces))


def _band(start: npt.NDArray[np.int64], end: npt.NDArray[np.int64]) -> list[npt.NDArray[np.int64]]:
    """Triangles between two closed rows of points."""
    start_next, end_next = np.roll(start, -1), np.roll(end, -1)
    return [np.column_stack([start, start_next, end]), np.column_stack([start_next, end_next, end])]


def _relief(heights: Points, cell: float) -> trimesh.Trimesh:
    """A block with a flat bottom and `heights` (mm) on top, one every `cell` mm."""
    rows, columns = heights.shape
    y, x = np.mgrid[0:rows, 0:columns] * cell
    top = np.column_stack([x.ravel(), y.ravel(), heights.ravel()])
    bottom = top * [1, 1, 0]
    number = np.arange(rows * columns).reshape(rows, columns)
    under = number + rows * columns
    edge = np.concatenate([number[0, :-1], number[:-1, -1], number[-1, :0:-1], number[:0:-1, 0]])
    faces = [*_grid(number), *_grid(under[:, ::-1]), *_band(edge + rows * columns, edge)]
    return _solid(np.vstack([top, bottom]), np.vstack(faces))


def _grid(number: npt.NDArray[np.int64]) -> Sequence[npt.NDArray[np.int64]]:
    corner, right = number[:-1, :-1].ravel(), number[:-1, 1:].ravel()
    up, across = number[1:, :-1].ravel(), number[1:, 1:].ravel()
    return [np.column_stack([corner, right, across]), np.column_stack([corner, across, up])]


def _solid(points: Points, faces: npt.NDArray[np.int64]) -> trimesh.Trimesh:
    """With its surface facing outwards."""
    mesh = trimesh.Trimesh(points, faces, process=False)
    if mesh.volume < 0:
        mesh.invert()
    return mesh
