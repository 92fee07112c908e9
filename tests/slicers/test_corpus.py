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

pytestmark = pytest.mark.needs("corpus")

NAMED_PICTURE = re.compile(r"(?:Metadata/(?:plate_\d+|plate_\d+_small|thumbnail)|thumbnail/\w+)\.png$")


SLICED = each(file for file in files("gcode", "bgcode", "3mf-sliced", "sla") if slicers.could_be(file.name))
PROJECTS = each(file for file in files("3mf-model") if "project" in file.name)
MALFORMED = each(file for file in files("malformed") if slicers.could_be(file.name))


def read(file: CorpusFile) -> SlicerFacts:
    facts = slicers.read(file.path)
    assert facts is not None
    return facts


def figures(text: str | None, divide: int = 1) -> list[Decimal]:
    """`1.20, 0, 0.29`, `plate1 6.75; plate2 3.91`, `3.18 cm3`, `656.209 (0.656209m)`: those that are not 0."""
    plain = re.sub(r"plate\d", "", (text or "").split("(")[0])
    return [value / divide for text in re.findall(r"(?<![\w.])\d+(?:\.\d+)?", plain) if (value := Decimal(text))]


def stated(facts: SlicerFacts, field: str) -> list[Decimal]:
    """By each tool of each plate."""
    groups = [plate.tools for plate in facts.plates] or [facts.tools]
    return [getattr(tool, field) for tools in groups for tool in tools if getattr(tool, field)]


@pytest.mark.parametrize("file", SLICED)
def test_time_is_the_job_s_in_whole_seconds(file: CorpusFile) -> None:
    elapsed = re.search(r"TIME_ELAPSED:([\d.]+)", file.columns["notes"])
    time = file["time_s"] or (elapsed.group(1) if elapsed else None)
    assert read(file).time_s == (round(Decimal(time)) if time else None)


@pytest.mark.parametrize("file", SLICED)
def test_weight_is_as_stated_and_nothing_where_it_is_not(file: CorpusFile) -> None:
    facts = read(file)
    assert (facts.grams or 0) == Decimal(file["weight_g"] or 0)
    if file["weight_per_tool_g"]:
        assert stated(facts, "weight_g") == figures(file["weight_per_tool_g"])


@pytest.mark.parametrize("file", SLICED)
def test_length_and_volume_are_as_stated_for_each_tool(file: CorpusFile) -> None:
    facts = read(file)
    assert stated(facts, "length_mm") == figures(file["length_mm"])
    volume = file["volume"] or ""
    if "ml" in volume.split("(")[0]:
        assert facts.resin_ml == figures(volume)[0]
    else:
        assert stated(facts, "volume_cm3") == figures(volume, 1000 if "mm3" in volume else 1)


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


@pytest.mark.parametrize("file", SLICED)
def test_printer_and_material_are_those_of_the_tools_in_use(file: CorpusFile) -> None:
    facts = read(file)
    if (printer := file["printer_model"]) is not None:
        assert facts.printer_model == printer.split(" (")[0]
    if (material := file["material"]) is not None:
        loaded = material.split(" (")[0].split(";")
        used = [loaded[tool.index] for tool in facts.tools] or loaded
        assert facts.material == ", ".join(dict.fromkeys(used))


@pytest.mark.parametrize("file", SLICED + PROJECTS)
def test_every_embedded_picture_of_a_plate_is_listed(file: CorpusFile) -> None:
    listed = [(thumbnail.format, thumbnail.width, thumbnail.height) for thumbnail in read(file).thumbnails]
    for entry in (file["thumbnails"] or "").split("; "):
        named = re.fullmatch(r"(\S+) (\d+)x(\d+)", entry)
        if named is None or ("/" in entry and not NAMED_PICTURE.search(named.group(1))):
            continue
        assert ("PNG" if "/" in entry else named.group(1), int(named.group(2)), int(named.group(3))) in listed


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
