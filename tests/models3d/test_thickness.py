"""Thin walls: measured where two faces lie opposite each other, said against what the method needs, and marked."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import trimesh
from PIL import Image

from printsys.models3d import bounded
from printsys.models3d.findings import findings
from printsys.models3d.inspect import ModelFacts, Place
from printsys.models3d.samples import SAMPLES, sample
from printsys.models3d.thickness import thinnest
from printsys.models3d.thumbnail import Scene
from tests.factories import LAB
from tests.present import present

Vector = tuple[float, float, float]


def box(size: Vector, middle: Vector = (0, 0, 0)) -> trimesh.Trimesh:
    mesh: trimesh.Trimesh = trimesh.creation.box(size)
    mesh.apply_translation(middle)
    return mesh


def wedge(length: float, width: float, height: float) -> trimesh.Trimesh:
    """As it holds a door: its tip is a line."""
    corners = [
        (0, 0, 0),
        (length, 0, 0),
        (length, 0, height),
        (0, width, 0),
        (length, width, 0),
        (length, width, height),
    ]
    faces = [(0, 1, 2), (3, 5, 4), (0, 3, 4), (0, 4, 1), (1, 4, 5), (1, 5, 2), (0, 2, 5), (0, 5, 3)]
    return trimesh.Trimesh(corners, faces, process=False)


def rotation(angle: float, axis: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    """By Rodrigues' formula."""
    x, y, z = axis
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    turn: npt.NDArray[np.floating] = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    return turn


def joined(*meshes: trimesh.Trimesh) -> trimesh.Trimesh:
    """One mesh of several bodies."""
    mesh = trimesh.util.concatenate(list(meshes))
    assert isinstance(mesh, trimesh.Trimesh)
    return mesh


def thin(*meshes: trimesh.Trimesh) -> tuple[float | None, float | None]:
    """Millimeters of the thinnest wall and of the thinnest floor."""
    mesh = joined(*meshes)
    places = thinnest(np.asarray(mesh.vertices), np.asarray(mesh.faces))
    wall, floor, _ = (round(place.thickness_mm, 2) if place is not None else None for place in places)
    return wall, floor


def test_a_wall_is_as_thick_as_its_faces_are_apart() -> None:
    assert thin(box((40, 0.6, 30))) == (0.6, None)
    assert thin(box((40, 30, 0.6))) == (None, 0.6)


@pytest.mark.parametrize("angle", np.linspace(0.1, 1.5, 5).tolist())
def test_a_wall_that_stands_at_an_angle_is_as_thick(angle: float) -> None:
    axis = np.array([0.2, 0.1, 1.0])
    turn = rotation(angle, axis / np.linalg.norm(axis))
    mesh = box((40, 0.6, 30))
    mesh.vertices = mesh.vertices @ turn.T
    assert thin(mesh)[0] == pytest.approx(0.6, abs=0.02)


def test_a_thin_tube_is_thin_and_a_thick_one_is_not() -> None:
    assert thin(trimesh.creation.annulus(9.4, 10, 20, sections=200))[0] == pytest.approx(0.6, abs=0.03)
    assert thin(trimesh.creation.annulus(5, 10, 20, sections=200)) == (None, None)


@pytest.mark.parametrize(
    "mesh",
    [
        trimesh.creation.cylinder(10, 20),
        trimesh.creation.icosphere(4, 10),
        trimesh.creation.cone(10, 20),
        trimesh.creation.torus(20, 5),
        trimesh.creation.capsule(20, 4),
        box((20, 20, 20)),
        wedge(100, 40, 17.6),
    ],
    ids=["cylinder", "sphere", "cone", "torus", "capsule", "box", "door wedge of 10 degrees"],
)
def test_edges_tips_and_roundings_are_no_walls(mesh: trimesh.Trimesh) -> None:
    assert thin(mesh) == (None, None)


@pytest.mark.parametrize("name", SAMPLES)
def test_a_good_model_is_not_called_thin(name: str, tmp_path: Path) -> None:
    path = tmp_path / "good.stl"
    path.write_bytes(sample(name, "stl"))
    assert not {"thin-wall", "thin-floor", "thin"} & {*codes(bounded.inspect(path))}


def test_bodies_that_overlap_or_touch_are_as_thick_as_together() -> None:
    base = box((40, 40, 10))
    assert thin(base, box((20, 20, 1), (0, 0, 5.2))) == (None, None), "a raised letter that reaches into its base"
    assert thin(base, box((40, 40, 0.4), (0, 0, 5.2))) == (None, None), "a layer that lies on it"
    assert thin(base, box((0.5, 30, 12), (5, 0, 10))) == (0.5, None), "a rib on it"


def test_the_place_is_in_the_wall() -> None:
    mesh = joined(box((40, 40, 10)), box((0.5, 30, 12), (5, 0, 10)))
    wall = present(thinnest(np.asarray(mesh.vertices), np.asarray(mesh.faces))[0])
    assert wall.at == pytest.approx((5, 0, 10.5), abs=0.5), "in the middle of what stands out of the base"


def facts(wall: float | None = None, floor: float | None = None, **others: object) -> ModelFacts:
    def place(mm: float | None) -> Place | None:
        return Place(mm=mm, at=(1, 2, 3), on_picture=(0.25, 0.5)) if mm is not None else None

    size = {"format": "OBJ", "triangles": 12, "size_mm": (50.0, 40.0, 30.0), "watertight": True, "bodies": 1}
    return ModelFacts.model_validate(size | {"wall": place(wall), "floor": place(floor)} | others)


def codes(of: ModelFacts, least_mm: float = 0.8) -> list[str]:
    return [finding.code for finding in findings(of, LAB.printers, least_wall_mm=least_mm)]


def test_a_wall_is_thin_for_the_method_that_needs_a_thicker_one() -> None:
    filament, resin = present(LAB.method("Filament")), present(LAB.method("Resin"))
    assert codes(facts(wall=0.6), filament.least_wall_mm) == ["thin-wall"]
    assert codes(facts(wall=0.6), resin.least_wall_mm) == []
    assert codes(facts(wall=0.8)) == codes(facts(wall=0.795)) == [], "as thick as it must be, up to rounding"
    assert codes(facts(floor=0.6)) == [], "a floor is built of layers"
    assert codes(facts(floor=0.3)) == ["thin-floor"]


def test_the_finding_teaches_where_and_what_to_do() -> None:
    (finding,) = findings(facts(wall=0.6), LAB.printers)
    assert finding.sentence == "A wall is only 0.6 mm thick (near x 1, y 2, z 3 mm)."
    assert finding.advice.startswith("Make it at least 0.8 mm") and finding.at == (0.25, 0.5)


def test_what_is_small_or_thin_all_over_is_said_once() -> None:
    assert codes(facts(wall=0.05, size_mm=(2.0, 2.0, 1.0))) == ["unit-inches"]
    assert codes(facts(wall=0.3, size_mm=(50.0, 40.0, 0.3))) == ["thin"]


def stl(path: Path, triangles: npt.NDArray[np.floating]) -> Path:
    records = b"".join(bytes(12) + np.asarray(corners, "<f4").tobytes() + b"\0\0" for corners in triangles)
    path.write_bytes(bytes(80) + struct.pack("<I", len(triangles)) + records)
    return path


def red(png: bytes | None) -> npt.NDArray[np.bool_]:
    picture = np.asarray(Image.open(io.BytesIO(present(png))).convert("RGB")).astype(int)
    is_red: npt.NDArray[np.bool_] = (picture[..., 0] > 200) & (picture[..., 1] < 70) & (picture[..., 2] < 90)
    return is_red


def test_open_edges_are_red_on_the_picture(tmp_path: Path) -> None:
    # FAULTS M13 and issue 14: a hole is seen where it is.
    whole = box((30, 30, 30)).triangles
    assert not red(bounded.examine(stl(tmp_path / "whole.stl", whole), color="Blue").png).any()
    hole = bounded.examine(stl(tmp_path / "hole.stl", whole[:-1]), color="Blue")
    assert hole.facts.open_edges == 3 and red(hole.png).sum() > 200


def test_the_place_of_a_thin_wall_is_on_the_picture(tmp_path: Path) -> None:
    mesh = joined(box((40, 40, 10)), box((0.5, 30, 12), (15, 0, 10)))
    examination = bounded.examine(stl(tmp_path / "rib.stl", mesh.triangles))
    wall = present(examination.facts.wall)
    place = present(wall.on_picture)
    assert wall.mm == pytest.approx(0.5)
    expected = Scene(mesh.triangles).places(np.array([wall.at]))[0]
    assert place == pytest.approx(tuple(expected.tolist()), abs=0.01)
    assert 0.5 < place[0] < 0.95 and 0.1 < place[1] < 0.6, "the rib stands on the right"


def test_the_corners_of_a_model_are_where_its_picture_ends() -> None:
    scene = Scene(box((30, 20, 10)).triangles)
    picture = np.asarray(Image.open(io.BytesIO(scene.png(200, None, None))))
    rows, columns = np.nonzero(picture[..., 3] > 240)
    places = scene.places(box((30, 20, 10)).vertices) * 200
    assert places[:, 0].min() == pytest.approx(columns.min(), abs=2)
    assert places[:, 0].max() == pytest.approx(columns.max(), abs=2)
    assert places[:, 1].min() == pytest.approx(rows.min(), abs=2)
    assert places[:, 1].max() == pytest.approx(rows.max(), abs=2)


def test_a_surface_that_is_inside_out_has_the_same_walls(tmp_path: Path) -> None:
    mesh = box((40, 0.6, 30))
    inverted = bounded.inspect(stl(tmp_path / "inverted.stl", mesh.triangles[:, ::-1]))
    assert inverted.inverted and present(inverted.wall).mm == pytest.approx(0.6)


def test_of_a_surface_with_holes_nobody_knows_its_walls(tmp_path: Path) -> None:
    assert bounded.inspect(stl(tmp_path / "open.stl", box((40, 0.6, 30)).triangles[:-1])).wall is None
