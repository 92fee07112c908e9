"""XML of strangers: entities are never expanded, and nothing outside is read, whichever part of a file it stands in."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from printsys import slicers
from printsys.errors import FileRefused, ModelUnreadable
from printsys.formats import threemf
from printsys.formats.safezip import ZipRefused, open_package
from printsys.models3d import other_formats
from printsys.models3d.sniff import check_model
from printsys.slicers import xmltext
from tests.models3d.test_bounded import OBJECT, item, package
from tests.source import imports, modules

READERS = {"printsys.formats.threemf", "printsys.models3d.other_formats", "printsys.slicers.xmltext"}
OURS = {
    "printsys.ops.service_macos": "reads what it wrote",
    "printsys.ops.service_windows": "reads what it wrote",
    "printsys.slicers.bambu_package": "names the type alone",
}
XML = ("xml", "lxml", "defusedxml")
CANARY = "the canary of the test"


def laughs() -> str:
    names = "abcdefghij"
    levels = [f'<!ENTITY {name} "{f"&{inner};" * 10}">' for inner, name in pairwise(names)]
    return f'<!DOCTYPE m [<!ENTITY a "ha">{"".join(levels)}]>'


DOCTYPES: dict[str, Callable[[Path], str]] = {
    "a billion laughs": lambda _: laughs(),
    "one long entity": lambda _: f'<!DOCTYPE m [<!ENTITY j "{"a" * 100_000}">]>',
    "a file of the computer": lambda file: f'<!DOCTYPE m [<!ENTITY j SYSTEM "{file.as_uri()}">]>',
    "a page of the network": lambda _: '<!DOCTYPE m [<!ENTITY j SYSTEM "http://127.0.0.1:9/x">]>',
    "a parameter entity": lambda file: f'<!DOCTYPE m [<!ENTITY % p SYSTEM "{file.as_uri()}">%p;]>',
    "a document type elsewhere": lambda file: f'<!DOCTYPE m SYSTEM "{file.as_uri()}">',
    "an empty document type": lambda _: "<!DOCTYPE m>",
    "one behind a comment": lambda _: "<!-- x --><!DOCTYPE m [<!ENTITY j 'x'>]>",
}
PARTS = ("3D/m.model", "_rels/.rels", threemf.PRUSA_VOLUMES, threemf.BAMBU_PARTS)


@pytest.fixture(params=DOCTYPES)
def doctype(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    (tmp_path / "canary").write_text(CANARY, "utf-8")
    return DOCTYPES[request.param](tmp_path / "canary")


def with_doctype(part: str, doctype: str, encoding: str) -> bytes:
    """A 3MF with it in one of its parts, which refers to the entity."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(package(OBJECT, item(1)))) as source, zipfile.ZipFile(out, "w") as target:
        for name in dict.fromkeys([*source.namelist(), part]):
            text = source.read(name).decode() if name in source.namelist() else "<config/>"
            if name == part:
                root = text.removeprefix('<?xml version="1.0"?>')
                text = (
                    f'<?xml version="1.0" encoding="{encoding}"?>{doctype}{root.replace("<metadata", "&j;<metadata")}'
                )
            target.writestr(name, text.encode(encoding if name == part else "utf-8"))
    return out.getvalue()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("part", PARTS)
def test_a_document_type_in_any_part_of_a_3mf_gives_a_refusal_or_is_not_read(
    doctype: str, part: str, encoding: str
) -> None:
    content = with_doctype(part, doctype, encoding)
    with open_package(io.BytesIO(content)) as opened:
        if part in (threemf.PRUSA_VOLUMES, threemf.BAMBU_PARTS):  # a list that cannot be read is none
            assert len(threemf.read(opened).objects) == 1
        else:
            with pytest.raises(threemf.ThreeMfRefused, match=r"document type|damaged"):
                threemf.read(opened)
    if part == "3D/m.model":
        with pytest.raises(FileRefused, match="document type"):
            check_model("a.3mf", io.BytesIO(content), 50 << 20, (".3mf",))


def test_a_document_type_in_what_a_slicer_lists_is_refused(doctype: str, tmp_path: Path) -> None:
    with pytest.raises(ZipRefused):
        xmltext.parse(f"{doctype}<config><plate>&j;</plate></config>".encode())
    path = tmp_path / "x.gcode.3mf"
    with zipfile.ZipFile(path, "w") as target:
        target.writestr("Metadata/plate_1.gcode", "G1")
        target.writestr("Metadata/slice_info.config", f"{doctype}<config><plate>&j;</plate></config>")
    facts = slicers.read(path)
    assert facts is not None and CANARY not in facts.model_dump_json()
    assert facts.warnings == ("The file could not be read. It holds XML that we do not open.",)


@pytest.mark.parametrize("is_zipped", [False, True])
def test_a_document_type_in_an_amf_is_refused(doctype: str, tmp_path: Path, is_zipped: bool) -> None:
    text = f'<?xml version="1.0"?>{doctype}<amf unit="millimeter"><object id="1"><x>&j;</x></object></amf>'
    path = tmp_path / "x.amf"
    if is_zipped:
        with zipfile.ZipFile(path, "w") as target:
            target.writestr("x.amf", text)
    else:
        path.write_text(text, "utf-8")
    with pytest.raises(ModelUnreadable, match="document type") as refused:
        other_formats.read(path)
    assert CANARY not in str(refused.value)


def test_no_other_module_reads_xml() -> None:
    """A new reader belongs into the tests above."""
    readers = {name for name, path in modules() if {each.partition(".")[0] for each in imports(path)} & set(XML)}
    assert readers == READERS | OURS.keys()
