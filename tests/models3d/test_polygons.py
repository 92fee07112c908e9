"""Polygons of OBJ, PLY and OFF files become triangles that cover them, and nothing else."""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from printsys.errors import FileRefused, ModelTooHard, ModelUnreadable
from printsys.models3d.inspect import inspect
from printsys.models3d.polygons import MOST_CORNERS, triangulate
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


def test_a_face_with_thousands_of_corners_is_cut_and_one_with_more_refused() -> None:
    points = star([1.0, 3.0] * 2000)
    triangles = triangulate(points, [list(range(4000))])
    assert len(triangles) == 3998 and area(points, triangles) == pytest.approx(shoelace(points))
    points = star([1.0, 3.0] * (MOST_CORNERS // 2 + 1))
    with pytest.raises(ModelTooHard, match="has 20,002 corners"):
        triangulate(points, [list(range(len(points)))])


def test_polygons_of_different_sizes_go_together() -> None:
    points = np.vstack([star([1.0] * 5), star([2.0] * 4) + 10])
    triangles = triangulate(points, [[0, 1, 2, 3, 4], [5, 6, 7, 8]])
    assert len(triangles) == 5 and triangulate(points, []).shape == (0, 3)


# -- a prism on a concave face, in each format that has polygons ----------------------------------------------------

L = [(0.0, 0.0), (200.0, 0.0), (200.0, 50.0), (50.0, 50.0), (50.0, 200.0), (0.0, 200.0)]
SPIKES = [(round(x, 3), round(y, 3)) for x, y, _ in star([10.0, 40.0] * 8).tolist()]
HEIGHT = 4.0
Corners = list[tuple[float, float, float]]
Faces = list[list[int]]


def prism(outline: list[tuple[float, float]]) -> tuple[Corners, Faces]:
    """With one face at the bottom, one on top and one for each side."""
    count = len(outline)
    corners = [(x, y, z) for z in (0.0, HEIGHT) for x, y in outline]
    sides = [[n, (n + 1) % count, (n + 1) % count + count, n + count] for n in range(count)]
    return corners, [list(range(count))[::-1], list(range(count, 2 * count)), *sides]


def obj(corners: Corners, faces: Faces) -> bytes:
    lines = [f"v {x} {y} {z}" for x, y, z in corners]
    return "\n".join([*lines, *("f " + " ".join(str(n + 1) for n in face) for face in faces), ""]).encode()


def off(corners: Corners, faces: Faces) -> bytes:
    lines = ["OFF # of Geomview", f"{len(corners)} {len(faces)} 0", "", *(f"{x} {y} {z} 0.5" for x, y, z in corners)]
    return "\n".join([*lines, *(f"{len(face)} {' '.join(map(str, face))} 255 0 0" for face in faces)]).encode()


def ply(layout: str, corners: Corners, faces: Faces, line_end: str = "\n", counted_by: str = "uchar") -> bytes:
    """With a color behind each corner and a flag in front of each face."""
    header = [
        "ply", f"format {layout} 1.0", "comment end_header of nobody", f"element vertex {len(corners)}",
        "property float x", "property float y", "property double z", "property uchar red",
        f"element face {len(faces)}", "property short flag", f"property list {counted_by} int vertex_indices",
        "end_header", "",
    ]  # fmt: skip
    head = line_end.join(header).encode()
    if layout == "ascii":
        rows = [f"{x} {y} {z} 7" for x, y, z in corners] + [f"9 {len(f)} {' '.join(map(str, f))}" for f in faces]
        return head + line_end.join([*rows, ""]).encode()
    order, counter = "<" if "little" in layout else ">", {"uchar": "B", "int": "i"}[counted_by]
    points = [struct.pack(f"{order}ffdB", x, y, z, 7) for x, y, z in corners]
    polygons = [struct.pack(f"{order}h{counter}{len(face)}i", 9, len(face), *face) for face in faces]
    return head + b"".join(points + polygons)


WRITTEN: dict[str, Callable[[Corners, Faces], bytes]] = {
    "a.obj": obj,
    "a.off": off,
    "text.ply": partial(ply, "ascii"),
    "crlf.ply": partial(ply, "ascii", line_end="\r\n"),
    "little.ply": partial(ply, "binary_little_endian"),
    "big.ply": partial(ply, "binary_big_endian", line_end="\r\n", counted_by="int"),
}


@pytest.mark.parametrize("outline", [L, SPIKES], ids=["L", "star"])
@pytest.mark.parametrize("name", sorted(WRITTEN))
def test_the_same_shape_in_polygons_and_triangles_has_one_surface(
    name: str, outline: list[tuple[float, float]], tmp_path: Path
) -> None:
    """FAULTS M5: the fan of a concave polygon covered what is not there, and made a print dearer."""
    path = tmp_path / name
    path.write_bytes(WRITTEN[name](*prism(outline)))
    facts = inspect(path)
    flat = np.array(outline)
    around = float(np.linalg.norm(flat - np.roll(flat, -1, axis=0), axis=1).sum())
    assert facts.volume_cm3 == pytest.approx(shoelace(flat) * HEIGHT / 1000, rel=1e-5)
    assert facts.area_cm2 == pytest.approx((2 * shoelace(flat) + around * HEIGHT) / 100, rel=1e-5)
    assert facts.watertight and facts.triangles == 4 * len(outline) - 4
    assert outline is not L or (facts.volume_cm3, facts.area_cm2) == (70.0, 382.0)


@pytest.mark.parametrize("corners", [3, 4])
@pytest.mark.parametrize("layout", ["ascii", "binary_little_endian"])
def test_a_ply_of_faces_with_equally_many_corners_is_read(layout: str, corners: int, tmp_path: Path) -> None:
    points, faces = prism([(0.0, 0.0), (30.0, 0.0), (30.0, 20.0), (0.0, 20.0)])
    if corners == 3:
        faces = [triangle for a, b, c, d in faces for triangle in ([a, b, c], [a, c, d])]
    path = tmp_path / "box.ply"
    path.write_bytes(ply(layout, points, faces))
    facts = inspect(path)
    assert (facts.volume_cm3, facts.area_cm2, facts.triangles, facts.watertight) == (2.4, 16.0, 12, True)


@pytest.mark.parametrize("name", ["a.off", "text.ply", "little.ply", "big.ply"])
def test_faces_whose_corners_do_not_exist_are_refused(name: str, tmp_path: Path) -> None:
    points, faces = prism(L)
    for number in (12, -1):
        path = tmp_path / name
        path.write_bytes(WRITTEN[name](points, [[0, 1, number], *faces[1:]]))
        with pytest.raises(ModelUnreadable, match="damaged or cut short"):
            inspect(path)


@pytest.mark.parametrize("name", ["a.off", "text.ply", "little.ply", "big.ply"])
def test_a_file_that_is_cut_anywhere_is_refused(name: str, tmp_path: Path) -> None:
    data = WRITTEN[name](*prism(L))
    for end in range(len(data) // 2, len(data) - 20, 7):
        path = tmp_path / name
        path.write_bytes(data[:end])
        with pytest.raises((ModelUnreadable, FileRefused)):
            inspect(path)


def test_a_list_of_fewer_numbers_than_none_is_refused(tmp_path: Path) -> None:
    """It would be read again and again."""
    path = tmp_path / "a.ply"
    path.write_bytes(
        WRITTEN["text.ply"](*prism(L)).replace(b"\n9 6 ", b"\n9 -1 ").replace(b"face 8", b"face 99999999999")
    )
    with pytest.raises(ModelUnreadable, match="damaged"):
        inspect(path)


@pytest.mark.needs("corpus")
@pytest.mark.parametrize("name", ["L-ngon.obj", "L-triangles.obj"])
def test_the_reported_files_are_one_shape(name: str) -> None:
    facts = inspect(CORPUS / "reported" / name)
    assert (facts.volume_cm3, facts.area_cm2) == (70.0, 382.0)
