"""Every file of every slicer in the corpus says what a person read off it."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from printsys import slicers
from printsys.models3d.inspect import inspect
from printsys.slicers import SlicerFacts
from tests.corpus import Row, rows

pytestmark = pytest.mark.needs("corpus")

NAMED_PICTURE = re.compile(r"(?:Metadata/(?:plate_\d+|plate_\d+_small|thumbnail)|thumbnail/\w+)\.png$")


def of(*folders: str) -> list[Any]:
    """One placeholder where the corpus is missing, so that the missing is seen."""
    found = [row for row in rows(*folders) if slicers.could_be(row.path.name)]
    return [pytest.param(row, id=row.path.name) for row in found] or [pytest.param(None, id="no-corpus")]


SLICED = of("gcode", "bgcode", "3mf-sliced", "sla")
PROJECTS = [param for param in of("3mf-model") if param.values[0] is None or "project" in param.values[0].said["path"]]
MALFORMED = of("malformed")


def read(row: Row) -> SlicerFacts:
    facts = slicers.read(row.path)
    assert facts is not None
    return facts


def figures(text: str | None, divide: int = 1) -> list[Decimal]:
    """`1.20, 0, 0.29`, `plate1 6.75; plate2 3.91`, `3.18 cm3`, `656.209 (0.656209m)`: those that are not 0."""
    plain = re.sub(r"plate\d", "", (text or "").split("(")[0])
    return [value / divide for found in re.findall(r"(?<![\w.])\d+(?:\.\d+)?", plain) if (value := Decimal(found))]


def stated(row: Row, facts: SlicerFacts, what: str) -> list[Decimal]:
    groups = [plate.tools for plate in facts.plates] or [facts.tools]
    return [getattr(tool, what) for tools in groups for tool in tools if getattr(tool, what)]


@pytest.mark.parametrize("row", SLICED)
def test_time_is_the_job_s_in_whole_seconds(row: Row) -> None:
    elapsed = re.search(r"TIME_ELAPSED:([\d.]+)", row.said["notes"])
    said = row["time_s"] or (elapsed.group(1) if elapsed else None)
    assert read(row).time_s == (round(Decimal(said)) if said else None)


@pytest.mark.parametrize("row", SLICED)
def test_weight_is_as_stated_and_nothing_where_it_is_not(row: Row) -> None:
    facts = read(row)
    said = Decimal(row["weight_g"] or 0)
    assert (facts.grams or 0) == said
    if row["weight_per_tool_g"]:
        assert stated(row, facts, "weight_g") == figures(row["weight_per_tool_g"])


@pytest.mark.parametrize("row", SLICED)
def test_length_and_volume_are_as_stated_for_each_tool(row: Row) -> None:
    facts = read(row)
    assert stated(row, facts, "length_mm") == figures(row["length_mm"])
    volume = row["volume"] or ""
    if "ml" in volume.split("(")[0]:
        assert facts.resin_ml == figures(volume)[0]
    else:
        assert stated(row, facts, "volume_cm3") == figures(volume, 1000 if "mm3" in volume else 1)


@pytest.mark.parametrize("row", SLICED + PROJECTS)
def test_program_and_version_are_named(row: Row) -> None:
    facts, said = read(row), row["slicer_version"]
    if said is None or said == "see inner g-code":
        return
    assert facts.program is not None
    name = facts.program.replace(" ", "")
    assert said.startswith((name, f"{name}_SteamEngine"))
    if re.search(r"\d", said.split("(")[0]):
        assert facts.version is not None and facts.version in said
        assert re.search(rf"[ -]{re.escape(facts.version)}(\s|$)", said)


@pytest.mark.parametrize("row", SLICED)
def test_printer_and_material_are_those_of_the_tools_in_use(row: Row) -> None:
    facts = read(row)
    if (printer := row["printer_model"]) is not None:
        assert facts.printer_model == printer.split(" (")[0]
    if (material := row["material"]) is not None:
        loaded = material.split(" (")[0].split(";")
        used = [loaded[tool.index] for tool in facts.tools] or loaded
        assert facts.material == ", ".join(dict.fromkeys(used))


@pytest.mark.parametrize("row", SLICED + PROJECTS)
def test_every_embedded_picture_of_a_plate_is_listed(row: Row) -> None:
    listed = [(shown.format, shown.width, shown.height) for shown in read(row).thumbnails]
    for entry in (row["thumbnails"] or "").split("; "):
        named = re.fullmatch(r"(\S+) (\d+)x(\d+)", entry)
        if named is None or ("/" in entry and not NAMED_PICTURE.search(named.group(1))):
            continue
        assert ("PNG" if "/" in entry else named.group(1), int(named.group(2)), int(named.group(3))) in listed


@pytest.mark.parametrize("row", SLICED + PROJECTS)
def test_what_is_kept_in_the_record_reads_back_the_same(row: Row) -> None:
    facts = read(row)
    assert SlicerFacts.model_validate_json(facts.model_dump_json()) == facts


@pytest.mark.parametrize("row", SLICED)
def test_no_file_that_uses_filament_weighs_nothing(row: Row) -> None:
    facts = read(row)
    weight = facts.weight_g({"PLA": Decimal("1.24"), "PETG": Decimal("1.27")})
    if facts.tools or facts.resin_ml:
        assert weight.grams is not None and weight.grams > 0
    if facts.grams:
        assert weight == (facts.grams, ())


@pytest.mark.parametrize("row", PROJECTS)
def test_a_project_is_told_from_a_sliced_file(row: Row) -> None:
    facts = read(row)
    assert facts.is_project
    assert facts.placed is not None and facts.placed.volume_cm3 > 0
    assert facts.time_s is None and facts.weight_g({"PLA": Decimal(1)}) == (None, ())
    assert slicers.read(row.path, measure=False) == facts.model_copy(update={"placed": None})


@pytest.mark.parametrize("row", PROJECTS)
def test_a_project_is_measured_as_a_model_is(row: Row) -> None:
    """To be compared with the student's original, which `models3d` measures. None of these has modifiers."""
    placed, model = read(row).placed, inspect(row.path)
    assert placed is not None
    assert [float(side) for side in placed.box.size_mm] == pytest.approx(model.size_mm, abs=0.002)
    assert float(placed.volume_cm3) == pytest.approx(model.volume_cm3, rel=0.001)
    assert (placed.bodies, placed.triangles, len(placed.items)) == (model.bodies, model.triangles, model.pieces)


@pytest.mark.parametrize("row", MALFORMED)
def test_a_malformed_file_is_a_sentence_or_no_slicer_s_file(row: Row) -> None:
    facts = slicers.read(row.path)
    if facts is not None:
        assert facts.time_s is None and facts.grams is None and not facts.tools
        assert facts.warnings and all(warning.endswith(".") for warning in facts.warnings)
    else:
        assert row.path.suffix == ".3mf"


@pytest.mark.parametrize("row", of("3mf-model"))
def test_a_model_from_a_cad_program_is_no_slicer_s_file(row: Row) -> None:
    by_slicer = "project_" in row.path.name or "export_prusaslicer" in row.path.name
    assert (slicers.read(row.path) is not None) == by_slicer


def test_a_name_that_promises_nothing_is_not_even_opened(tmp_path: Path) -> None:
    assert slicers.read(tmp_path / "photo.jpg") is None
