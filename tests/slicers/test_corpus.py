"""Every file of every slicer in the corpus says what a person read off it."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import pytest

from printsys import slicers
from printsys.models3d.inspect import inspect
from printsys.slicers import SlicerFacts
from tests.corpus import CorpusFile, each, files
from tests.slicers.corpus_table import FIELDS, PART, sliced_files, table, verdict

pytestmark = pytest.mark.needs("corpus")

SLICED = each(sliced_files())
PROJECTS = each(file for file in files("3mf-model") if "project" in file.name)
MALFORMED = each(file for file in files("malformed") if slicers.could_be(file.name))


def read(file: CorpusFile) -> SlicerFacts:
    facts = slicers.read(file.path)
    assert facts is not None
    return facts


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("file", SLICED)
def test_a_reader_says_what_the_file_states_and_nothing_else(file: CorpusFile, field: str) -> None:
    expected, value = FIELDS[field](file, read(file))
    assert value == expected or not (value or expected)


def test_the_page_has_the_table_of_what_is_right_silent_and_wrong() -> None:
    """`python -m tests.slicers.corpus_table` writes it."""
    assert PART.text() == table()


@pytest.mark.parametrize(
    ("expected", "value", "judged"),
    [(7, 7, "right"), (7, None, "silent"), (7, 8, "wrong"), (None, 8, "wrong"), (None, None, None), ([], [], None)],
)
def test_a_verdict_tells_silence_from_a_wrong_number(expected: object, value: object, judged: str | None) -> None:
    assert verdict(expected, value) == judged


@pytest.mark.parametrize("file", SLICED + PROJECTS)
def test_program_and_version_are_named(file: CorpusFile) -> None:
    facts, version = read(file), file["slicer_version"]
    if version is None or version == "see inner g-code":
        return
    assert facts.program is not None
    name = facts.program.replace(" ", "")
    assert version.startswith((name, f"{name}_SteamEngine"))
    if re.search(r"\d", version.split("(")[0]):
        assert facts.version is not None
        assert re.search(rf"[ -]{re.escape(facts.version)}(\s|$)", version)


@pytest.mark.parametrize("file", PROJECTS)
def test_every_embedded_picture_of_a_project_is_listed(file: CorpusFile) -> None:
    expected, listed = FIELDS["pictures"](file, read(file))
    assert listed == expected


@pytest.mark.parametrize("file", SLICED + PROJECTS)
def test_what_is_kept_in_the_record_reads_back_the_same(file: CorpusFile) -> None:
    facts = read(file)
    assert SlicerFacts.model_validate_json(facts.model_dump_json()) == facts


@pytest.mark.parametrize("file", SLICED)
def test_no_file_that_uses_filament_weighs_nothing(file: CorpusFile) -> None:
    facts = read(file)
    weight = facts.weight_g({"PLA": Decimal("1.24"), "PETG": Decimal("1.27")})
    if facts.tools or facts.resin_ml:
        assert weight.grams is not None and weight.grams > 0
    if facts.grams:
        assert weight == (facts.grams, ())


@pytest.mark.parametrize("file", PROJECTS)
def test_a_project_is_not_taken_for_a_sliced_file(file: CorpusFile) -> None:
    facts = read(file)
    assert facts.is_project
    assert facts.placed is not None and facts.placed.volume_cm3 > 0
    assert facts.time_s is None and facts.weight_g({"PLA": Decimal(1)}) == (None, ())
    assert slicers.read(file.path, measure=False) == facts.model_copy(update={"placed": None})


@pytest.mark.parametrize("file", PROJECTS)
def test_a_project_is_measured_as_a_model_is(file: CorpusFile) -> None:
    """So that it compares with the student's original, which `models3d` measures. None of these has modifiers."""
    placed, model = read(file).placed, inspect(file.path)
    assert placed is not None
    assert [float(side) for side in placed.box.size_mm] == pytest.approx(model.size_mm, abs=0.002)
    assert float(placed.volume_cm3) == pytest.approx(model.volume_cm3, rel=0.001)
    assert (placed.bodies, placed.triangles, len(placed.items)) == (model.bodies, model.triangles, model.pieces)


@pytest.mark.parametrize("file", MALFORMED)
def test_a_malformed_file_is_a_sentence_or_no_slicer_s_file(file: CorpusFile) -> None:
    facts = slicers.read(file.path)
    if facts is not None:
        assert facts.time_s is None and facts.grams is None and not facts.tools
        assert facts.warnings and all(warning.endswith(".") for warning in facts.warnings)
    else:
        assert file.path.suffix == ".3mf"


@pytest.mark.parametrize("file", each(files("3mf-model")))
def test_a_model_from_a_cad_program_is_no_slicer_s_file(file: CorpusFile) -> None:
    by_slicer = "project_" in file.path.name or "export_prusaslicer" in file.path.name
    assert (slicers.read(file.path) is not None) == by_slicer


def test_a_name_that_promises_nothing_is_not_even_opened(tmp_path: Path) -> None:
    assert slicers.read(tmp_path / "photo.jpg") is None
