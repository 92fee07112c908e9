"""Whether a file is what its name says: over real files, files that people send by mistake, and noise."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zipfile
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from printsys.domain.filetypes import MESHES
from printsys.errors import FileRefused
from printsys.models3d.sniff import check_model
from tests.corpus import CorpusFile, each, files

MB = 1024 * 1024
FILES = files("stl", "obj", "3mf-model", "malformed")

REFUSED = {
    "box.mtl": "not one of the kinds",
    "rabbit.mtl": "not one of the kinds",
    "trimesh_face_in_group_name.obj": "no surface",
    "lib3mf_SecureContent_keystore_encrypted.3mf": "encrypted",
    "3mf_content-types-custom.3mf": "not a 3MF model",
    "3mf_corrupt-archive.3mf": "not a 3MF file",
    "3mf_is-text-not-zip.3mf": "not a 3MF file",
    "3mf_only-3dmodel-file.3mf": "not a 3MF model",
    "MUSTFAIL_Chapter2.3.2b_DataTypeDefinitionInXMLMarkup.3mf": "document type",
    "ctb_appledouble-resource-fork.ctb": "not one of the kinds",
    "gcode3mf_adv-bad-crc.gcode.3mf": "not a 3MF model",
    "gcode3mf_adv-encrypted.gcode.3mf": "encrypted",
    "gcode3mf_adv-size-lie.gcode.3mf": "not a 3MF model",
    "gcode3mf_adv-traversal-names.gcode.3mf": "lead out of it",
    "gcode_0bytes_name-only_0.4n_0.25mm_PETG_MK3S_2h9m.gcode": "not one of the kinds",
    "gcode_garbage-printable.gcode": "not one of the kinds",
    "gcode_truncated.gcode": "not one of the kinds",
    "gcode_zero-byte.gcode": "not one of the kinds",
    "MUSTFAIL_Chapter3.4c_MissingResourceElement.3mf": "without any surface",
    "lib3mf_Slice_Expected_Slice_Hierarchy.3mf": "without any surface",
    "obj_empty.obj": "not an OBJ",
    "obj_points-only.obj": "no surface",
    "stl_26bytes.stl": "without any surface",
    "stl_empty_binary.stl": "without any surface",
    "ufp_hello-no-gcode.ufp": "not one of the kinds",
}
"""Every other file has the form that its name promises. Faults further in (3MF's MUSTFAIL files name colors that do not
exist, and the like) are for the reader of the mesh to find."""


def verdict(name: str, data: bytes, max_bytes: int = 50 * MB) -> str:
    """`ok`, or the sentence of the refusal. Every sentence names the file and ends as one."""
    stream = io.BytesIO(data)
    try:
        check_model(name, stream, max_bytes, MESHES)
    except FileRefused as error:
        refused = error
    else:
        assert stream.tell() == 0
        return "ok"
    assert refused.filename == name
    assert name in str(refused)
    assert str(refused).endswith(".")
    return str(refused)


@pytest.mark.needs("corpus")
def test_the_collection_is_whole() -> None:
    assert len(FILES) > 120
    assert REFUSED.keys() <= {file.path.name for file in FILES}


@pytest.mark.needs("corpus")
@pytest.mark.parametrize("file", each(FILES))
def test_real_files_pass_and_ruined_ones_do_not(file: CorpusFile) -> None:
    name = file.path.name
    outcome = verdict(name, file.path.read_bytes())
    if name in REFUSED:
        assert REFUSED[name] in outcome
    else:
        assert outcome == "ok"


# -- STL ------------------------------------------------------------------------------------------------------------

FACET = struct.pack("<12fH", *([0.0] * 12), 0)
ASCII_STL = b"""solid part
 facet normal 0 0 1
  outer loop
   vertex 0 0 0
   vertex 1 0 0
   vertex 0 1 0
  endloop
 endfacet
endsolid part
"""


def binary_stl(facets: int = 2, header: bytes = b"made by a test", stated: int | None = None) -> bytes:
    return header.ljust(80, b"\0") + struct.pack("<I", facets if stated is None else stated) + FACET * facets


@pytest.mark.parametrize(
    "data",
    [
        binary_stl(),
        binary_stl(header=b"solid made by SolidWorks"),
        binary_stl(header=b"MZ is how this header starts"),
        binary_stl(stated=0xFFFFFFFF),  # FAULTS M10: a program that did not know the count yet
        binary_stl(stated=0),
        binary_stl(header=b"%PDF"),
        binary_stl() + b"\0" * 100,
        ASCII_STL,
        ASCII_STL.upper(),
        ASCII_STL.replace(b"\n", b"\r\n"),
        ASCII_STL.replace(b"\n", b"\r"),
        b"\xef\xbb\xbf" + ASCII_STL,
        b"\n  " + ASCII_STL,
        b"solid one\nendsolid one\n" + ASCII_STL,
        "solid Türgriff 门\n".encode() + ASCII_STL.partition(b"\n")[2],
    ],
)
def test_stl_files_as_programs_write_them_are_taken(data: bytes) -> None:
    assert verdict("part.stl", data) == "ok"


def test_the_extension_may_be_in_capitals() -> None:
    assert verdict("PART.STL", binary_stl()) == "ok"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty (0 bytes)"),
        (binary_stl(0), "without any surface"),
        (b"solid part\nendsolid part\n", "without any surface"),
        (binary_stl(100)[:-1000], "cut short"),
        (binary_stl(2, stated=10**9), "cut short"),
        (binary_stl(header=b"solid")[:-20], "cut short"),
        (b"MZ\x90\0" + b"\0" * 500, "a Windows program"),
        (b"%PDF-1.7\n" + b"x" * 500, "a PDF document"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 500, "a picture"),
        (b"<!DOCTYPE html>\n<html><body>Sign in</body></html>", "a web page"),
        (b"  <html lang=en>", "a web page"),
        (b"; generated by a slicer\nG28\nG1 X1 Y1\nG1 X2 Y2\nM104 S0\n", "sliced G-code"),
        (b"GCDE\1\0\0\0" + b"\0" * 200, "sliced G-code"),
        (b"PK\x03\x04" + b"\0" * 200, "a zip archive, whatever"),
        (b"ISO-10303-21;\nHEADER;\n", "a STEP file, whatever"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 200, "a SolidWorks part"),
        (b"BLENDER-v300" + b"\0" * 200, "a Blender project"),
        (b"Dear lab, please print my cat.", "not an STL file"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n", "a Git LFS pointer"),
    ],
)
def test_a_file_that_is_no_stl_is_refused_with_the_reason(data: bytes, words: str) -> None:
    assert words in verdict("part.stl", data)


# -- OBJ ------------------------------------------------------------------------------------------------------------

OBJ = b"# made by a test\nv 0 0 0\nv 1 0 0\nv 0 1 0\n"


@pytest.mark.parametrize("face", [b"f 1 2 3", b"f -3 -2 -1", b"f 1/1/1 2/2/2 3/3/3", b"  f\t1//1 2//2 3//3\r"])
def test_obj_files_with_a_face_are_taken(face: bytes) -> None:
    assert verdict("part.obj", OBJ + face + b"\n") == "ok"
    assert verdict("PART.OBJ", (OBJ + face.strip() + b"\n").replace(b"\n", b"\r")) == "ok"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (OBJ, "no surface"),
        (OBJ + b"g of things\nf 1 2\n", "no surface"),
        (b"f 1 2 3\n", "not an OBJ"),
        (OBJ + b"\0\0\0\0f 1 2 3\n", "not an OBJ"),
        (b"; sliced\nG28\nG1 X1\nG1 X2\n", "sliced G-code"),
    ],
)
def test_a_file_that_is_no_obj_is_refused_with_the_reason(data: bytes, words: str) -> None:
    assert words in verdict("part.obj", data)


# -- 3MF ------------------------------------------------------------------------------------------------------------

MODEL = b"""<?xml version="1.0" encoding="UTF-8"?><model unit="millimeter"><resources><object id="1"><mesh>
<vertices><vertex x="0" y="0" z="0"/><vertex x="1" y="0" z="0"/><vertex x="0" y="1" z="0"/></vertices>
<triangles><triangle v1="0" v2="1" v3="2"/></triangles></mesh></object></resources><build/></model>"""
EMPTY_MODEL = b'<?xml version="1.0"?><model unit="millimeter"><resources/><build/></model>'
RELATIONSHIPS = b"""<Relationships><Relationship Target="/3D/3dmodel.model" Id="r0"
 Type="http://schemas.microsoft.com/3dmanufacturing/2013/01/3dmodel"/></Relationships>"""
PARTS: dict[str, bytes] = {"[Content_Types].xml": b"<Types/>", "_rels/.rels": RELATIONSHIPS, "3D/3dmodel.model": MODEL}


def package(parts: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return packed.getvalue()


def with_dtd(encoding: str, at: int = 0) -> bytes:
    text = "<?xml version='1.0'?>" + " " * at + "<!DOCTYPE model [<!ENTITY a 'b'>]><model/>"
    return text.encode(encoding)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_3mf_package_is_taken(method: int) -> None:
    assert verdict("part.3mf", package(PARTS, method)) == "ok"


def test_the_mesh_may_be_in_another_part_than_the_start() -> None:
    assert verdict("part.3mf", package(PARTS | {"3D/3dmodel.model": EMPTY_MODEL, "3D/Objects/1.model": MODEL})) == "ok"


def test_a_model_part_may_be_utf_16() -> None:
    model = MODEL.decode().replace("UTF-8", "UTF-16").encode("utf-16")
    assert verdict("part.3mf", package(PARTS | {"3D/3dmodel.model": model})) == "ok"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (package({"3D/3dmodel.model": MODEL}), "not a 3MF model"),
        (package({"word/document.xml": b"<doc/>", "[Content_Types].xml": b"<Types/>"}), "not a 3MF model"),
        (package({"model.stl": binary_stl()}), "not a 3MF model"),
        (package(PARTS)[:-60], "damaged"),
        (b"PK\3\4" + b"\0" * 200, "damaged"),
        (package(PARTS | {"../../evil.sh": b"boo"}), "lead out of it"),
        (package(PARTS | {"..\\evil.exe": b"boo"}), "lead out of it"),
        (package(PARTS | {"3D/3dmodel.model": b"nothing of the kind"}), "no model that we can read"),
        (package(PARTS | {"3D/3dmodel.model": EMPTY_MODEL}), "without any surface"),
        (package(PARTS, zipfile.ZIP_BZIP2), "packed in a way"),
        (package(PARTS, zipfile.ZIP_LZMA), "packed in a way"),
        (package(PARTS | {"3D/3dmodel.model": with_dtd("utf-8")}), "document type"),
        (package(PARTS | {"3D/3dmodel.model": with_dtd("utf-16")}), "document type"),
        *(
            (package(PARTS | {"3D/3dmodel.model": with_dtd("utf-16", at=32_768 - 24 - back)}), "document type")
            for back in range(10)
        ),
        (package(PARTS | {"3D/3dmodel.model": MODEL + b" " * 40 * MB}), "unpacks to far more"),
    ],
)
def test_what_is_no_3mf_is_refused_with_the_reason(data: bytes, words: str) -> None:
    assert words in verdict("part.3mf", data)


def test_a_model_part_with_a_wrong_checksum_is_refused() -> None:
    data = bytearray(package(PARTS, zipfile.ZIP_STORED))
    data[data.index(b"millimeter")] ^= 1
    assert "damaged" in verdict("part.3mf", bytes(data))


def test_an_encrypted_package_is_refused() -> None:
    data = bytearray(package(PARTS))
    entry = data.index(b"PK\1\2")
    data[entry + 8] |= 1  # the flag that says so, in the directory
    assert "encrypted" in verdict("part.3mf", bytes(data))


def test_a_package_that_lies_about_its_sizes_is_refused() -> None:
    data = bytearray(package(PARTS | {"3D/3dmodel.model": MODEL + b" " * 40 * MB}))
    entry = data.rindex(b"PK\1\2")
    data[entry + 24 : entry + 28] = struct.pack("<I", 100)
    assert "damaged" in verdict("part.3mf", bytes(data))


def test_a_package_of_very_many_parts_is_refused() -> None:
    parts = PARTS | {f"{n}": b"" for n in range(11_000)}
    assert "unpacks to far more" in verdict("part.3mf", package(parts))


# -- all kinds ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["part.rar", "part.gcode", "part", ".stl", "part.stl.exe"])
def test_other_extensions_are_refused(name: str) -> None:
    assert "not one of the kinds" in verdict(name, binary_stl())


def test_a_file_over_the_limit_is_refused_and_one_at_it_is_taken() -> None:
    data = binary_stl(20_971)  # 1,048,634 bytes
    assert "larger than 1 MB" in verdict("part.stl", data, MB)
    assert verdict("part.stl", data, len(data)) == "ok"


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("part.stl", ASCII_STL[:12] + b" " * 20 * MB),
        ("part.stl", b"solid" + b"\n" * 20 * MB),
        ("part.stl", binary_stl(400_000)),
        ("part.obj", OBJ + b"v 1 1 1\n" * 2 * MB),
        ("part.3mf", package(PARTS | {"3D/3dmodel.model": MODEL + bytes(range(256)) * 80 * 1024}, zipfile.ZIP_STORED)),
    ],
    ids=["one line", "empty lines", "binary", "many lines", "package"],
)
def test_memory_does_not_grow_with_the_file(name: str, data: bytes) -> None:
    tracemalloc.start()
    try:
        verdict(name, data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2 * MB


@settings(deadline=None)
@given(
    name=st.sampled_from(["part.stl", "part.obj", "part.3mf"]),
    start=st.sampled_from([b"", b"PK\3\4", b"solid ", b"v 0 0 0\n", package(PARTS), binary_stl(), ASCII_STL]),
    rest=st.binary(max_size=400),
)
def test_any_bytes_are_taken_or_refused_never_an_error(name: str, start: bytes, rest: bytes) -> None:
    verdict(name, start + rest)


@settings(deadline=None)
@given(at=st.integers(0, len(package(PARTS)) - 1), value=st.integers(0, 255))
def test_any_changed_byte_of_a_package_is_taken_or_refused_never_an_error(at: int, value: int) -> None:
    data = bytearray(package(PARTS))
    data[at] = value
    verdict("part.3mf", bytes(data))


@settings(deadline=None)
@given(length=st.integers(0, len(package(PARTS)) - 1))
def test_a_package_that_was_cut_short_is_refused(length: int) -> None:
    assert verdict("part.3mf", package(PARTS)[:length]) != "ok"
