"""One list of file types, and everyone who goes by it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from opener import names
from printsys import slicers
from printsys.config.lab import SubmissionTable
from printsys.domain.filetypes import ADVISED, FILE_TYPES, UNKNOWN, FileType, advised_formats, type_of
from printsys.domain.pending_work import to_inspect, to_read
from printsys.domain.status import Status
from printsys.errors import FileRefused
from printsys.jobstore.files import printable
from printsys.models3d import mesh
from printsys.slicers import closed
from tests.domain.test_estimates import job, record

DOCS = Path(__file__).resolve().parents[2] / "docs" / "slicers.md"


def each(*file_types: FileType) -> list[object]:
    return [pytest.param(file_type, id=file_type.extension) for file_type in file_types]


READ = [file_type for file_type in FILE_TYPES if file_type.has_reader]


def test_each_extension_stands_in_the_list_once() -> None:
    extensions = [file_type.extension for file_type in FILE_TYPES]
    assert len(set(extensions)) == len(extensions)
    assert all(re.fullmatch(r"\.[a-z0-9]+", extension) for extension in extensions)


@pytest.mark.parametrize(
    ("name", "extension"),
    [("Plate 1.gcode.3MF", ".3mf"), ("BOX.STL", ".stl"), ("box", ""), ("box.docx", ""), (".gcode", "")],
)
def test_the_last_extension_counts_in_any_case(name: str, extension: str) -> None:
    assert type_of(name).extension == extension
    assert (type_of(name) is UNKNOWN) == (extension == "")


@pytest.mark.parametrize("file_type", each(*READ))
def test_what_has_a_reader_is_read_and_may_be_printed_and_opened(file_type: FileType, tmp_path: Path) -> None:
    name = f"Jane_x{file_type.extension}"
    (tmp_path / name).write_bytes(b"nothing that any program writes")
    facts = slicers.read(tmp_path / name)
    assert facts is not None and facts.warnings, "a sentence that says what is wrong"
    assert [owed.name for owed in to_read(job(Status.UPLOADED, record(name)))] == [name]
    assert [listed.name for listed in printable(tmp_path)] == [name]
    assert names.parts_of(name) == (name,)


def test_the_documented_extensions_are_those_that_have_a_reader() -> None:
    columns = [line.split("|")[2] for line in DOCS.read_text("utf-8").splitlines() if line.startswith("| ")]
    documented = {word for column in columns for code in re.findall(r"`([^`]+)`", column) for word in code.split()}
    assert {type_of(f"a{extension}").extension for extension in documented} == {t.extension for t in READ}


def test_what_has_no_reader_is_not_owed_a_read() -> None:
    unread = [f"a{file_type.extension}" for file_type in FILE_TYPES if not file_type.has_reader]
    assert not list(to_read(job(Status.UPLOADED, *map(record, unread))))
    assert not any(map(slicers.could_be, unread))


def test_closed_projects_are_projects_with_a_reader() -> None:
    assert set(closed.KNOWN) == {t.extension for t in READ if t.kind == "project"}


@pytest.mark.parametrize("file_type", each(*FILE_TYPES))
def test_meshes_are_inspected_and_nothing_else_is(file_type: FileType, tmp_path: Path) -> None:
    model = tmp_path / f"a{file_type.extension}"
    model.write_bytes(b"nothing")
    with pytest.raises(FileRefused) as refusal:
        mesh.load(model)
    assert ("is not one of the kinds that we print" not in str(refusal.value)) == file_type.is_mesh
    owed = list(to_inspect(job(Status.UPLOADED, record(model.name, "original"))))
    assert bool(owed) == file_type.is_mesh


def test_what_to_export_follows_from_what_the_lab_accepts() -> None:
    assert advised_formats() == "STL, OBJ or 3MF"
    assert advised_formats([".stl", ".step", ".zip"]) == "STL"
    assert advised_formats([".step", ".ply"]) == "STEP or PLY"


def test_students_may_send_what_every_slicer_opens() -> None:
    assert SubmissionTable.model_fields["extensions"].default == list(ADVISED) == [".stl", ".obj", ".3mf"]


def test_the_opener_s_own_list_is_this_one() -> None:
    assert {t.extension for t in FILE_TYPES if t.is_known} == names.OPENABLE
    assert {t.extension for t in FILE_TYPES if t.kind in ("model", "model or project")} == names.MODELS


def test_a_companion_is_no_print_file(tmp_path: Path) -> None:
    """ideaMaker saves `box.data` beside `box.gcode`, a moment later."""
    for name in ("box.gcode", "box.data", "notes.txt", "box.stl"):
        (tmp_path / name).write_bytes(b"x")
    assert [listed.name for listed in printable(tmp_path)] == ["box.gcode", "box.stl"]
