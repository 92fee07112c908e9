"""What a student is told of a model, what blocks and what does not, and what staff are told of a sliced one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from printsys.models3d.compare import compare
from printsys.models3d.estimate import weight_range_g
from printsys.models3d.findings import ModelFinding, blocks, findings, fits, largest_scale, suspected_unit
from printsys.models3d.inspect import ModelFacts, Size


@dataclass(frozen=True)
class Machine:
    id: str
    name: str
    build_volume_mm: tuple[int, int, int]


MK4 = Machine("mk4", "Prusa MK4S", (250, 210, 220))
XL = Machine("xl", "Prusa XL", (360, 360, 360))
LAB = (MK4, XL)


def model(size: Size = (40, 30, 20), **more: Any) -> ModelFacts:
    volume = size[0] * size[1] * size[2] / 1000
    sound = {"format": "binary STL", "triangles": 12, "size_mm": size, "pieces": 1, "pieces_mm": (size,), "bodies": 1}
    return ModelFacts.model_validate(sound | {"watertight": True, "volume_cm3": volume} | more)


def codes(found: list[ModelFinding]) -> list[str]:
    return [finding.code for finding in found]


def only(found: list[ModelFinding]) -> ModelFinding:
    assert len(found) == 1, found
    return found[0]


def test_a_sound_model_gives_no_words() -> None:
    assert findings(model(), LAB, "mk4") == []


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        (ModelFacts(format="3MF"), "no-surface"),
        (ModelFacts(format="OBJ", triangles=4, finite=False), "not-numbers"),
        (model((100, 80, 0)), "flat"),
        (model((400, 400, 400)), "too-large"),
    ],
)
def test_what_cannot_be_printed_blocks_and_is_said_alone(facts: ModelFacts, code: str) -> None:
    found = only(findings(facts, LAB, "mk4"))
    assert (found.grade, found.code) == ("cannot print", code) and blocks([found]) and found.advice


@pytest.mark.parametrize(
    "more", [{"open_edges": 7, "watertight": False}, {"turned_edges": 2}, {"inverted": True}, {"bodies": 3}]
)
def test_what_staff_can_mend_blocks_nothing(more: dict[str, Any]) -> None:
    found = findings(model(**more), LAB, "mk4")
    assert len(found) == 1 and not blocks(found)


def test_too_large_for_the_printer_asked_for_names_those_it_fits_and_the_scale() -> None:
    found = only(findings(model((300, 100, 100)), LAB, "mk4"))
    assert found.grade == "probably wrong"
    assert found.advice == "It fits the Prusa XL. At 83 % it would fit the Prusa MK4S."


def test_too_large_for_all_names_the_nearest_scale() -> None:
    found = only(findings(model((720, 100, 100)), LAB))
    assert found.advice.startswith("At 50 % it would fit the Prusa XL.")


def test_the_scale_that_is_promised_fits() -> None:
    size = (301.0, 10.0, 10.0)
    percent = int(largest_scale(size, MK4.build_volume_mm) * 100)
    assert fits((size[0] * percent / 100, 1, 1), MK4.build_volume_mm) == "yes"


def test_a_tall_model_fits_turned_on_its_side() -> None:
    found = only(findings(model((50, 50, 240)), LAB, "mk4"))
    assert (found.grade, found.sentence) == ("worth knowing", "It fits the Prusa MK4S turned on its side.")


@pytest.mark.parametrize(
    ("size", "verdict"),
    [
        ((250, 210, 220), "yes"),
        ((210, 250, 220), "yes"),
        ((220, 210, 250), "turned"),
        ((250.004, 210, 220), "yes"),
        ((250.1, 1, 1), "no"),
        ((230, 230, 230), "no"),
    ],
)
def test_any_axis_aligned_orientation_is_tried(size: Size, verdict: str) -> None:
    assert fits(size, MK4.build_volume_mm) == verdict


def test_two_plates_side_by_side_are_judged_one_by_one() -> None:
    plates = model((600, 200, 20), pieces=2, pieces_mm=((200, 200, 20), (150, 100, 20)))
    assert codes(findings(plates, LAB, "mk4")) == []


@pytest.mark.parametrize(
    ("longest", "unit"),
    [(2.9, "inches"), (0.12, "metres"), (80_000, "micrometres"), (60, None), (4572, None), (0.001, None)],
)
def test_a_unit_is_suspected_by_size(longest: float, unit: str | None) -> None:
    suspect = suspected_unit(model((longest, longest / 2, longest / 2)))
    assert (suspect and suspect[0]) == unit


def test_the_suspicion_names_the_size_it_would_come_to() -> None:
    found = findings(model((2, 1, 1)), LAB, "mk4")
    assert codes(found) == ["unit-inches"]
    assert found[0].sentence.endswith("Was it drawn in inches? Then it would be 50.8 × 25.4 × 25.4 mm.")


def test_a_unit_that_is_stated_is_not_doubted() -> None:
    assert suspected_unit(model((2, 1, 1), unit="inch")) is None


def test_the_worst_comes_first() -> None:
    found = findings(model((50, 50, 240), open_edges=3, watertight=False, bodies=2), LAB, "mk4")
    assert codes(found) == ["holes", "turned", "bodies"]


# -- compared with what was sliced ----------------------------------------------------------------------------------

BRACKET = model((60, 40, 20), volume_cm3=20.0)


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (model((60.02, 40, 20), volume_cm3=20.1), None),
        (model((20, 60, 40), volume_cm3=20.0), "turned on another side"),
        (model((30, 20, 10), volume_cm3=2.5), "scaled to 50 %"),
        (model((70, 52, 20), volume_cm3=20.0), "turned at an angle"),
        (model((60, 40, 25), volume_cm3=25.0), "another size"),
        (model((60, 40, 20), volume_cm3=12.0), "another volume"),
        (ModelFacts(format="3MF"), None),
    ],
)
def test_a_sliced_model_is_compared_with_the_students(other: ModelFacts, words: str | None) -> None:
    said = compare(BRACKET, other)
    assert len(said) == (0 if words is None else 1)
    assert words is None or words in said[0]


def test_more_bodies_are_said() -> None:
    said = compare(BRACKET, model((60, 40, 20), volume_cm3=20.0, bodies=3))
    assert said == ["It holds more bodies than the student's model (3 instead of 1)."]


def test_copies_are_told_as_copies_and_nothing_else() -> None:
    plate = model((130, 40, 20), volume_cm3=40.0, bodies=2, pieces=2, pieces_mm=((60, 40, 20),))
    assert compare(BRACKET, plate) == ["It holds 2 copies of the model."]


# -- the guess at the weight ----------------------------------------------------------------------------------------


def test_the_guess_follows_its_formula() -> None:
    low, high = weight_range_g(volume_cm3=64, area_cm2=96, density=1.25)
    assert low == pytest.approx((7.68 + 0.10 * 56.32) * 1.25)
    assert high == pytest.approx((11.52 + 0.25 * 52.48) * 1.15 * 1.25)


def test_a_thin_model_is_all_shell_and_never_heavier_than_solid_with_supports() -> None:
    low, high = weight_range_g(volume_cm3=1, area_cm2=40, density=1)
    assert (low, high) == (1, 1.15)
