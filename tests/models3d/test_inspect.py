"""The facts of every mesh in the collection are those that its manifest states; and the facts of faulty meshes."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
import trimesh

from printsys.errors import FileRefused, ModelUnreadable
from printsys.formats import threemf
from printsys.formats.safezip import open_package
from printsys.models3d.inspect import ModelFacts, inspect
from tests.corpus import CORPUS, files
from tests.factories import STL as STL_TEXT

STL = {file.name: file for file in files("stl")}
OBJ = {file.name: file for file in files("obj") if not file.name.endswith(".mtl")}
PACKAGES = {file.name: file for file in files("3mf-model")}
REFUSED = {
    "obj/trimesh_face_in_group_name.obj": (FileRefused, "no surface"),
    "3mf-model/lib3mf_Reader_GEN-C-ADA-COMPONENT-TRANSFORM-0.3mf": (ModelUnreadable, "XML that is damaged"),
    "3mf-model/lib3mf_SecureContent_keystore.3mf": (ModelUnreadable, "XML that is damaged"),
    "3mf-model/lib3mf_SecureContent_keystore_encrypted.3mf": (FileRefused, "encrypted"),
    "3mf-model/lib3mf_Slice_Expected_Slice_Hierarchy.3mf": (FileRefused, "without any surface"),
}
"""An attribute twice, an encrypted part: no XML. Slices without a mesh: nothing to see."""
UNLIKE_THE_MANIFEST = {"3mf-model/lib3mf_OPC_Issues_Box_ExtensionCustom.3mf": 12, "obj/trimesh_wallhole.obj": 66}
"""A model part with an extension of its own; faces that go on in the next line (66 is what trimesh counts as well)."""


@pytest.mark.needs("corpus")
@pytest.mark.parametrize("name", STL)
def test_an_stl_is_as_the_manifest_states(name: str) -> None:
    facts, file = inspect(CORPUS / name), STL[name]
    assert facts.format == ("text STL" if file.mesh.startswith("ascii") else "binary STL")
    assert facts.triangles == file.figure("facets")
    assert facts.size_mm == pytest.approx(file.size_mm, rel=1e-4)
    if "edges_all_shared_twice=yes" in file.mesh:
        assert facts.watertight
        if not facts.turned_edges:
            assert facts.volume_cm3 * 1000 == pytest.approx(file.figure("volume"), rel=1e-4)


@pytest.mark.needs("corpus")
@pytest.mark.parametrize("name", sorted(OBJ.keys() - REFUSED.keys()))
def test_an_obj_is_as_the_manifest_states(name: str) -> None:
    facts, file = inspect(CORPUS / name), OBJ[name]
    polygons = re.findall(r"(\d+): (\d+)", file.mesh)
    assert facts.format == "OBJ" and facts.unit is None
    fans = sum((int(corners) - 2) * int(count) for corners, count in polygons)
    assert facts.triangles == UNLIKE_THE_MANIFEST.get(name, fans)
    assert facts.size_mm == pytest.approx(file.size_mm, rel=1e-4)


@pytest.mark.needs("corpus")
@pytest.mark.parametrize("name", sorted(PACKAGES.keys() - REFUSED.keys()))
def test_a_3mf_is_as_the_manifest_states(name: str) -> None:
    facts, file = inspect(CORPUS / name), PACKAGES[name]
    with (CORPUS / name).open("rb") as stream, open_package(stream) as package:
        triangles = sum(len(solid.faces) for solid in threemf.read(package).objects.values())
    assert triangles == UNLIKE_THE_MANIFEST.get(name, file.figure("triangles"))
    unit = re.search(r"units=(\w+)", file.mesh)
    assert facts.unit == (unit.group(1) if unit else "millimeter")
    if facts.triangles:
        assert all(side < 500 for side in facts.size_mm) and facts.bodies >= facts.pieces >= 1


@pytest.mark.needs("corpus")
@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_read_is_refused_with_a_sentence(name: str) -> None:
    error, words = REFUSED[name]
    with pytest.raises(error, match=words):
        inspect(CORPUS / name)


EXPECTED = {
    "3mf-model/3mfsamples_core_multiple_cylinders.3mf": ((62.0, 40.5928, 20.0), 6, 6, True),
    "3mf-model/lib3mf_BuildItems_WagonWithWheels.3mf": ((279.978, 182.915, 65.418), 6, 2, True),
    "3mf-model/lib3mf_Production_detachedmodel.3mf": ((350.0, 220.0, 220.0), 27, 27, True),
    "3mf-model/project_bambu-02.04_2plates_unsliced.3mf": ((332.8, 25.6, 25.6), 2, 2, True),
    "3mf-model/trimesh_featuretype.3MF": ((127.0, 63.5, 34.925), 1, 1, False),
    "3mf-model/MUSTPASS_Chapter4.1_ExplicitSupport.3mf": ((80.0, 10.0, 40.0), 1, 1, True),
}
"""Repeated items, components of components, parts elsewhere, inches, and a support that is not printed."""


@pytest.mark.needs("corpus")
@pytest.mark.parametrize("name", EXPECTED)
def test_a_3mf_is_placed_as_it_is_to_be_built(name: str) -> None:
    facts = inspect(CORPUS / name)
    assert (facts.size_mm, facts.bodies, facts.pieces, facts.watertight) == EXPECTED[name]


@pytest.mark.needs("corpus")
def test_plates_that_lie_side_by_side_are_not_one_large_box() -> None:
    """FAULTS M10: 332.8 mm wide, of which no part has more than 25.6."""
    facts = inspect(CORPUS / "3mf-model/project_bambu-02.04_2plates_unsliced.3mf")
    assert facts.size_mm == (332.8, 25.6, 25.6) and facts.largest_piece_mm == (25.6, 25.6, 25.6)
    assert facts.slicer_trouble == "is a project that only OrcaSlicer and Bambu Studio open" and not facts.is_converted


# -- faulty meshes --------------------------------------------------------------------------------------------------


def export_and_inspect(folder: Path, mesh: trimesh.Trimesh) -> ModelFacts:
    path = folder / "model.stl"
    mesh.export(path)
    return inspect(path)


def test_a_box_is_closed_one_body_and_its_volume(tmp_path: Path) -> None:
    facts = export_and_inspect(tmp_path, trimesh.creation.box((10, 20, 30)))
    assert (facts.watertight, facts.inverted, facts.bodies, facts.open_edges) == (True, False, 1, 0)
    assert (facts.size_mm, facts.volume_cm3, facts.area_cm2) == ((10, 20, 30), 6, 22)


def test_a_missing_triangle_leaves_three_open_edges(tmp_path: Path) -> None:
    box = trimesh.creation.box()
    box.update_faces(np.arange(12) != 5)
    facts = export_and_inspect(tmp_path, box)
    assert (facts.watertight, facts.open_edges) == (False, 3)


def test_a_surface_inside_out_is_known_and_its_volume_stays(tmp_path: Path) -> None:
    box = trimesh.creation.box((10, 10, 10))
    box.invert()
    facts = export_and_inspect(tmp_path, box)
    assert facts.inverted and facts.volume_cm3 == 1


def test_one_triangle_turned_round_is_no_hole(tmp_path: Path) -> None:
    box = trimesh.creation.box()
    faces = box.faces.copy()
    faces[3] = faces[3][::-1]
    facts = export_and_inspect(tmp_path, trimesh.Trimesh(box.vertices, faces, process=False))
    assert facts.watertight and facts.turned_edges == 3 and not facts.inverted


def test_triangles_without_area_are_counted_and_harm_nothing(tmp_path: Path) -> None:
    box = trimesh.creation.box()
    faces = np.vstack([box.faces, [[0, 0, 1], [2, 2, 2]]])
    facts = export_and_inspect(tmp_path, trimesh.Trimesh(box.vertices, faces, process=False))
    assert (facts.degenerate, facts.watertight, facts.bodies) == (2, True, 1)


def test_bodies_that_lie_apart_are_counted(tmp_path: Path) -> None:
    boxes = [trimesh.creation.box(bounds=[(3 * n, 0, 0), (3 * n + 1, 1, 1)]) for n in range(7)]
    together = trimesh.util.concatenate(boxes)
    assert isinstance(together, trimesh.Trimesh) and export_and_inspect(tmp_path, together).bodies == 7


def test_corners_that_miss_each_other_by_a_rounding_still_close(tmp_path: Path) -> None:
    ball = trimesh.creation.icosphere(radius=50)
    corners = ball.triangles + np.random.default_rng(1).normal(0, 1e-6, ball.triangles.shape)
    soup = trimesh.Trimesh(corners.reshape(-1, 3), np.arange(len(ball.faces) * 3).reshape(-1, 3), process=False)
    assert export_and_inspect(tmp_path, soup).watertight


def test_a_coordinate_that_is_no_number_is_a_fact(tmp_path: Path) -> None:
    box = trimesh.creation.box()
    path = tmp_path / "nan.stl"
    content = bytearray(box.export(file_type="stl"))
    content[84 + 12 : 84 + 16] = np.float32("nan").tobytes()
    path.write_bytes(content)
    facts = inspect(path)
    assert not facts.finite and facts.triangles == 12


@pytest.mark.parametrize("place", ["nan", "1e300", "-inf"])
def test_a_corner_that_nothing_uses_says_nothing(place: str, tmp_path: Path) -> None:
    box = trimesh.creation.box((10, 10, 10))
    path = tmp_path / "loose.obj"
    path.write_text(f"{box.export(file_type='obj')}\nv {place} 0 0\n", "utf-8")
    assert (inspect(path).size_mm, inspect(path).volume_cm3) == ((10, 10, 10), 1)


def test_a_corner_beyond_the_moon_is_no_place(tmp_path: Path) -> None:
    path = tmp_path / "far.obj"
    path.write_text("v 0 0 0\nv 1e300 0 0\nv 0 1 0\nf 1 2 3\n", "utf-8")
    assert not inspect(path).finite


def test_facts_survive_the_record(tmp_path: Path) -> None:
    facts = export_and_inspect(tmp_path, trimesh.creation.box((10, 20, 30)))
    assert ModelFacts.model_validate_json(facts.model_dump_json()) == facts


# -- FAULTS section 3: what public bug reports of other programs show ------------------------------------------------

BLOCK = (30.0, 20.0, 10.0)


@pytest.mark.needs("corpus")
@pytest.mark.parametrize("name", ["t_cura_ns.3mf", "t_unbound.3mf", "bin_count_ffffffff.stl"])
def test_what_slicers_read_is_read(name: str) -> None:
    """FAULTS M1 and M10: swapped namespaces, an undeclared prefix, a count that its program did not know yet."""
    facts = inspect(CORPUS / "reported" / name)
    assert (facts.size_mm, facts.volume_cm3, facts.triangles, facts.watertight) == (BLOCK, 6.0, 12, True)


def write_3mf(path: Path, root: str, body: str) -> Path:
    relation = "http://schemas.microsoft.com/3dmanufacturing/2013/01/3dmodel"
    with zipfile.ZipFile(path, "w") as package:
        package.writestr("[Content_Types].xml", "<Types/>")
        package.writestr(
            "_rels/.rels", f'<Relationships><Relationship Target="/3D/m.model" Type="{relation}"/></Relationships>'
        )
        package.writestr("3D/m.model", f"<model {root}>{body}</model>")
    return path


def tetrahedron(prefix: str = "", extra: str = "") -> str:
    corners = [(0, 0, 0), (30, 0, 0), (0, 30, 0), (0, 0, 30)]
    vertices = "".join(f'<{prefix}vertex x="{x}" y="{y}" z="{z}"/>' for x, y, z in corners)
    faces = [(0, 2, 1), (0, 1, 3), (1, 2, 3), (0, 3, 2)]
    triangles = "".join(f'<{prefix}triangle v1="{a}" v2="{b}" v3="{c}"/>' for a, b, c in faces)
    mesh = f"<{prefix}mesh><{prefix}vertices>{vertices}</{prefix}vertices>"
    mesh += f"<{prefix}triangles>{triangles}</{prefix}triangles>"
    item = f'<{prefix}build><{prefix}item objectid="1"/></{prefix}build>'
    object_ = f'<{prefix}object id="1">{mesh}</{prefix}mesh></{prefix}object>'
    return f"<{prefix}resources>{object_}{extra}</{prefix}resources>{item}"


CORE_NS = "http://schemas.microsoft.com/3dmanufacturing/core/2015/02"
BEAM_NS = "http://schemas.microsoft.com/3dmanufacturing/beamlattice/2017/02"


@pytest.mark.parametrize(
    ("root", "body"),
    [
        (f'xmlns="{CORE_NS}"', tetrahedron()),
        (f'xmlns:m="{CORE_NS}"', tetrahedron("m:")),
        ('xmlns="http://software.example/own"', tetrahedron()),
        ("", tetrahedron()),
        (f'xmlns="{CORE_NS}"', tetrahedron(extra='<slic3r:thing slic3r:of="7"/>')),
        (f'xmlns="{CORE_NS}" xmlns:b="{BEAM_NS}"', tetrahedron(extra='<b:vertex x="1"/><p:vertex x="2"/>')),
    ],
    ids=["plain", "prefixed", "swapped", "none", "undeclared", "a vertex of another's"],
)
def test_a_3mf_is_read_however_its_namespaces_are_written(tmp_path: Path, root: str, body: str) -> None:
    facts = inspect(write_3mf(tmp_path / "part.3mf", root, body))
    assert (facts.size_mm, facts.volume_cm3, facts.watertight) == ((30.0, 30.0, 30.0), 4.5, True)


def test_the_name_of_a_text_stl_is_no_geometry(tmp_path: Path) -> None:
    """FAULTS M10."""
    path = tmp_path / "part.stl"
    path.write_bytes(STL_TEXT.replace(b"solid", b"solid vertex 1 2 3 vertex"))
    facts = inspect(path)
    assert (facts.triangles, facts.volume_cm3, facts.watertight) == (4, 4.5, True)


def test_decimal_commas_are_named(tmp_path: Path) -> None:
    path = tmp_path / "part.stl"
    path.write_bytes(STL_TEXT.replace(b"30", b"30,5"))
    with pytest.raises(ModelUnreadable, match="decimal commas"):
        inspect(path)
