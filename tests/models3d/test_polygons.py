"""Polygons of OBJ files become triangles that cover them, and nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from printsys.models3d.inspect import inspect
from printsys.models3d.polygons import triangulate
from tests.corpus import CORPUS


def area(points: np.ndarray, triangles: np.ndarray) -> float:
    a, b, c = (points[triangles[:, corner]] for corner in range(3))
    return float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2)


def shoelace(points: np.ndarray) -> float:
    x, y = points[:, 0], points[:, 1]
    return float(abs((x * np.roll(y, -1) - y * np.roll(x, -1)).sum()) / 2)


def star(radii: list[float]) -> np.ndarray:
    """A polygon without crossings: one corner in each direction."""
    angles = np.arange(len(radii)) * 2 * np.pi / len(radii)
    return np.column_stack([radii * np.cos(angles), radii * np.sin(angles), np.zeros(len(radii))])


@given(
    radii=st.lists(st.floats(1, 20), min_size=4, max_size=30),
    first=st.integers(0, 29),
    is_backwards=st.booleans(),
    tilt=st.floats(0, 3),
)
def test_the_triangles_cover_exactly_the_polygon(
    radii: list[float], first: int, is_backwards: bool, tilt: float
) -> None:
    flat = star(radii)
    turn = np.array([[np.cos(tilt), 0, np.sin(tilt)], [0, 1, 0], [-np.sin(tilt), 0, np.cos(tilt)]])
    polygon = [int(number) for number in np.roll(np.arange(len(radii)), first)]
    triangles = triangulate(flat @ turn.T + 1000, [polygon[::-1] if is_backwards else polygon])
    assert len(triangles) == len(radii) - 2
    assert area(flat, triangles) == pytest.approx(shoelace(flat), rel=1e-6)
    a, b, c = (flat[triangles[:, corner]] for corner in range(3))
    across = np.cross(b - a, c - a)[:, 2]
    assert ((across <= 1e-6) if is_backwards else (across >= -1e-6)).all(), "none is turned over"


@pytest.mark.parametrize("first", range(4))
def test_a_dart_is_cut_at_its_inner_corner(first: int) -> None:
    dart = np.array([[0, 0, 0], [10, -10, 0], [3, 0, 0], [10, 10, 0]], float)
    triangles = triangulate(dart, [[int(n) for n in np.roll(range(4), first)]])
    assert area(dart, triangles) == pytest.approx(shoelace(dart))


def test_polygons_of_different_sizes_go_together() -> None:
    points = np.vstack([star([1.0] * 5), star([2.0] * 4) + 10])
    triangles = triangulate(points, [[0, 1, 2, 3, 4], [5, 6, 7, 8]])
    assert len(triangles) == 5 and triangulate(points, []).shape == (0, 3)


def test_the_same_shape_in_polygons_and_triangles_has_one_surface(tmp_path: Path) -> None:
    """FAULTS M5: the fan of a concave polygon covered what is not there, and made a print dearer."""
    corners = [(0, 0), (200, 0), (200, 50), (50, 50), (50, 200), (0, 200)]
    lines = [f"v {x} {y} {z}" for z in (0, 4) for x, y in corners]
    lines += ["f 6 5 4 3 2 1", "f 7 8 9 10 11 12"]
    lines += [f"f {n + 1} {(n + 1) % 6 + 1} {(n + 1) % 6 + 7} {n + 7}" for n in range(6)]
    path = tmp_path / "L.obj"
    path.write_text("\n".join(lines), "utf-8")
    facts = inspect(path)
    assert (facts.volume_cm3, facts.area_cm2, facts.watertight) == (70.0, 382.0, True)


@pytest.mark.needs("corpus")
@pytest.mark.parametrize("name", ["L-ngon.obj", "L-triangles.obj"])
def test_the_reported_files_are_one_shape(name: str) -> None:
    facts = inspect(CORPUS / "reported" / name)
    assert (facts.volume_cm3, facts.area_cm2) == (70.0, 382.0)
