"""The formats that the lab converts: read right, refused with a sentence, and written as STL."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trimesh

from printsys.domain.filetypes import MESHES
from printsys.errors import FileRefused, ModelUnreadable
from printsys.models3d import bounded
from printsys.models3d.inspect import inspect
from printsys.models3d.sniff import check_model
from tests.models3d.prusaslicer import info
from tests.models3d.step_box import step_box

BOX = trimesh.creation.box(bounds=[(0, 0, 0), (10, 20, 30)])
ALL = [".stl", ".obj", ".3mf"]


def in_meters() -> Any:
    """As glTF has it: y upwards."""
    box = BOX.copy()
    box.apply_scale(0.001)
    box.apply_transform([[1, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]])
    return box


def glb() -> bytes:
    data = in_meters().export(file_type="glb")
    assert isinstance(data, bytes)
    return data


def gltf(is_embedded: bool = True) -> bytes:
    files = in_meters().scene().export(file_type="gltf")
    document = json.loads(files["model.gltf"])
    for buffer in document["buffers"]:
        data = base64.b64encode(files[buffer["uri"]]).decode()
        buffer["uri"] = f"data:application/octet-stream;base64,{data}" if is_embedded else buffer["uri"]
    return json.dumps(document).encode()


def packed_gltf(**changes: Any) -> bytes:
    """With these keys in its document, or in the accessor of its points."""
    document = json.loads(gltf())
    accessor = document["accessors"][document["meshes"][0]["primitives"][0]["attributes"]["POSITION"]]
    (document if changes.keys() & {"extensionsUsed", "skins"} else accessor).update(changes)
    return json.dumps(document).encode()


def fan_gltf() -> bytes:
    document = json.loads(gltf())
    document["meshes"][0]["primitives"][0]["mode"] = 6
    return json.dumps(document).encode()


def packed_glb(extension: str) -> bytes:
    whole = glb()
    end = 20 + int.from_bytes(whole[12:16], "little")
    text = json.dumps(json.loads(whole[20:end]) | {"extensionsUsed": [extension]}).encode()
    text += b" " * (-len(text) % 4)
    chunks = len(text).to_bytes(4, "little") + b"JSON" + text + whole[end:]
    return whole[:8] + (12 + len(chunks)).to_bytes(4, "little") + chunks


def amf(unit: str = "millimeter", extra: str = "", start: str = "") -> bytes:
    points = "".join(
        f"<vertex><coordinates><x>{x}</x><y>{y}</y><z>{z}</z></coordinates></vertex>" for x, y, z in BOX.vertices
    )
    faces = "".join(f"<triangle><v1>{a}</v1><v2>{b}</v2><v3>{c}</v3></triangle>" for a, b, c in BOX.faces)
    mesh = f"<mesh><vertices>{points}</vertices><volume>{faces}</volume></mesh>"
    return f'<?xml version="1.0"?>{start}<amf unit="{unit}"><object id="0">{mesh}</object>{extra}</amf>'.encode()


def zipped(**files: bytes) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as package:
        for name, data in files.items():
            package.writestr(name.replace("__", "/"), data)
    return target.getvalue()


def exported(file_type: str, **options: str) -> bytes:
    data = BOX.export(file_type=file_type, **options)
    return data if isinstance(data, bytes) else data.encode()


WHOLE: dict[str, Callable[[], bytes]] = {
    "box.ply": lambda: exported("ply"),
    "text.ply": lambda: exported("ply", encoding="ascii"),
    "box.off": lambda: exported("off"),
    "box.glb": glb,
    "box.gltf": gltf,
    "box.amf": amf,
    "zipped.amf": lambda: zipped(**{"box.amf": amf()}),
    "box.step": lambda: step_box((10, 20, 30)),
    "BOX.STP": lambda: step_box((10, 20, 30)),
    "box.zip": lambda: zipped(**{"model/box.stl": exported("stl"), "__MACOSX/._box.stl": b"\0", "LICENSE": b"CC BY"}),
}


@pytest.mark.parametrize("name", sorted(WHOLE))
def test_a_box_is_a_box_in_every_format_and_as_the_stl_of_it(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(WHOLE[name]())
    facts = inspect(path)
    assert facts.size_mm == pytest.approx((10, 20, 30), rel=1e-5)
    assert facts.volume_cm3 == pytest.approx(6, rel=1e-5) and facts.watertight and facts.bodies == 1
    assert facts.is_converted and facts.slicer_trouble
    bounded.convert(path, tmp_path / "converted.stl")
    stl = inspect(tmp_path / "converted.stl")
    assert stl.size_mm == pytest.approx((10, 20, 30), rel=1e-5) and not stl.is_converted


@pytest.mark.needs("prusa-slicer")
@pytest.mark.parametrize("name", ["box.step", "box.amf"])
def test_prusaslicer_sees_the_same(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(WHOLE[name]())
    opened, facts = info(path), inspect(path)
    assert opened is not None and opened.sizes_mm[0] == pytest.approx(facts.size_mm, rel=1e-4)
    assert opened.volume_cm3 == pytest.approx(facts.volume_cm3, rel=1e-4)


@pytest.mark.parametrize(
    ("size", "unit"),
    [((1, 2, 3), "SI_UNIT(.CENTI.,.METRE.)"), ((0.01, 0.02, 0.03), "SI_UNIT($,.METRE.)")],
    ids=["centimeters", "meters"],
)
def test_a_step_file_states_its_unit(size: tuple[float, float, float], unit: str, tmp_path: Path) -> None:
    path = tmp_path / "box.step"
    path.write_bytes(step_box(size, unit))
    assert inspect(path).size_mm == pytest.approx((10, 20, 30), rel=1e-5)


def test_an_amf_has_its_unit_and_its_places(tmp_path: Path) -> None:
    twice = "".join(
        f'<instance objectid="0"><deltax>{x}</deltax><deltay>0</deltay><rx>90</rx></instance>' for x in (0, 100)
    )
    path = tmp_path / "two.amf"
    path.write_bytes(amf("inch", f'<constellation id="1">{twice}</constellation>'))
    facts = inspect(path)
    assert facts.unit == "inch" and facts.bodies == 2
    assert facts.size_mm == pytest.approx((110 * 25.4, 30 * 25.4, 20 * 25.4))


ENTITIES = '<!DOCTYPE amf [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
BAD: dict[str, tuple[bytes, str]] = {
    "cloud.ply": (b"ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\nend_header\n0\n", "cloud of points"),
    "cut.ply": (exported("ply")[:300], "damaged or cut short"),
    "other.off": (b"solid a", "not an OFF file"),
    "cut.off": (exported("off")[:60], "damaged or cut short"),
    "cut.glb": (WHOLE["box.glb"]()[:200], "damaged or cut short"),
    "old.glb": (b"glTF\x01\0\0\0" + bytes(20), "glTF of version 1"),
    "split.gltf": (gltf(is_embedded=False), "needs other files.*export it as .glb"),
    "text.gltf": (b"hello", "not a glTF file"),
    "entities.amf": (amf(start=ENTITIES), "document type"),
    "cut.amf": (amf()[:400], "damaged or cut short"),
    "furlongs.amf": (amf("furlong"), "damaged"),
    "places.amf": (amf().replace(b"<v1>0</v1>", b"<v1>99</v1>"), "damaged"),
    "empty.step": (b"ISO-10303-21;\nhello", "STEP file that cannot be read"),
    "cut.step": (step_box((1, 2, 3))[:3000], "STEP file that cannot be read"),
    "text.stp": (b"hello", "not a STEP file"),
    "refers.step": (
        step_box((1, 2, 3)).replace(b"DATA;", b"DATA;\n#9=DOCUMENT_FILE('/x.stp','',$,#8,'',$);", 1),
        "other files",
    ),
    "draco.gltf": (packed_gltf(extensionsUsed=["KHR_draco_mesh_compression"]), "export it uncompressed"),
    "packed.gltf": (packed_gltf(extensionsUsed=["EXT_meshopt_compression"]), "export it uncompressed"),
    "draco.glb": (packed_glb("KHR_draco_mesh_compression"), "export it uncompressed"),
    "sparse.gltf": (packed_gltf(sparse={}), "export it uncompressed"),
    "normalized.gltf": (packed_gltf(normalized=True), "export it uncompressed"),
    "repeated.gltf": (packed_gltf(extensionsUsed=["EXT_mesh_gpu_instancing"]), "a pattern moves.*export an STL"),
    "posed.gltf": (packed_gltf(skins=[{"joints": [0]}]), "a pose .*moves.*export an STL"),
    "fan.gltf": (fan_gltf(), "triangles as fans.*export an STL"),
    "project.amf": (
        amf().replace(b"<object", b'<metadata type="slic3rpe_amf_version">1</metadata><object', 1),
        "a project of PrusaSlicer or Slic3r",
    ),
    "two.zip": (zipped(**{"a.stl": b"1", "b.obj": b"2"}), "holds 2 models. Please unzip it"),
    "none.zip": (zipped(**{"a.txt": b"1", "inner.zip": b"PK"}), "without a model that we print"),
    "bad_inside.zip": (zipped(**{"deep/a.stl": b"hello"}), r"bad_inside.zip \(a.stl\) is not an STL file"),
    "bomb.zip": (zipped(**{"a.stl": bytes(300 << 20)}), "unpacks to far more"),
    "cut.zip": (zipped(**{"a.stl": b"1"})[:-30], "cannot be unpacked"),
    "text.zip": (b"hello", "not a zip archive"),
}


@pytest.mark.parametrize("name", sorted(BAD))
def test_what_is_ruined_or_hostile_is_refused_with_a_sentence(name: str, tmp_path: Path) -> None:
    data, words = BAD[name]
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises((FileRefused, ModelUnreadable), match=words):
        inspect(path)


# -- what the lab does not accept. FAULTS M12 ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("model.zip", zipped(**{"a.stl": b"1"}), "model.zip is a zip archive. Please unzip it and send the model"),
        ("model.stl", zipped(**{"a.stl": b"1"}), "is a zip archive, whatever its name says. Please unzip it"),
        ("model.stl", zipped(**{"3D/3dmodel.model": b"1"}), "rename it to end in .3mf"),
        ("._x.stl", b"\x00\x05\x16\x07" + bytes(4092), "what macOS notes about it. Please send x.stl itself"),
        ("part.step", step_box((1, 2, 3)), "not one of the kinds that we print .*as STL, OBJ or 3MF"),
        ("part.stl", step_box((1, 2, 3)), "is a STEP file, whatever its name says"),
    ],
)
def test_the_sentence_says_what_to_do(name: str, data: bytes, words: str) -> None:
    with pytest.raises(FileRefused, match=words):
        check_model(name, io.BytesIO(data), 1 << 30, ALL)


def test_the_advice_follows_from_what_the_lab_accepts() -> None:
    with pytest.raises(FileRefused, match=r"\(.stl, .step\). Please export your model as STL\.$"):
        check_model("a.txt", io.BytesIO(b"hello"), 1 << 30, [".stl", ".step"])


@pytest.mark.parametrize("name", sorted(WHOLE))
def test_a_lab_may_accept_every_format(name: str) -> None:
    check_model(name, io.BytesIO(WHOLE[name]()), 1 << 30, MESHES)
