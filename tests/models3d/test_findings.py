"""What students read about a model, what blocks a submission, and what staff read about a sliced model."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import pytest

from printsys.models3d.compare import compare
from printsys.models3d.estimate import weight_range_g
from printsys.models3d.findings import ModelFinding, blocks, findings, suspected_unit
from printsys.models3d.fit import bed_fits, fit_box
from printsys.models3d.inspect import ModelFacts, Size
from tests.models3d.test_fit import box


@dataclass(frozen=True)
class Machine:
    id: str
    name: str
    build_volume_mm: tuple[int, int, int]


MK4 = Machine("mk4", "Prusa MK4S", (250, 210, 220))
XL = Machine("xl", "Prusa XL", (360, 360, 360))
LAB = (MK4, XL)


def model(size: Size = (40, 30, 20), **facts: Any) -> ModelFacts:
    volume = size[0] * size[1] * size[2] / 1000
    sound = {"format": "binary STL", "triangles": 12, "size_mm": size, "pieces": 1, "pieces_mm": (size,), "bodies": 1}
    boxes = [box(*piece) for piece in facts.get("pieces_mm", (size,))]
    fits = bed_fits(boxes, [printer.build_volume_mm for printer in LAB]) if min(size) else ()
    return ModelFacts.model_validate(sound | {"watertight": True, "volume_cm3": volume, "bed_fits": fits} | facts)


def codes(model_findings: list[ModelFinding]) -> list[str]:
    return [finding.code for finding in model_findings]


def only(model_findings: list[ModelFinding]) -> ModelFinding:
    assert len(model_findings) == 1, model_findings
    return model_findings[0]


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
def test_an_unprintable_model_has_one_finding_that_blocks(facts: ModelFacts, code: str) -> None:
    finding = only(findings(facts, LAB, "mk4"))
    assert (finding.grade, finding.code) == ("cannot print", code) and blocks([finding]) and finding.advice


@pytest.mark.parametrize(
    "facts", [{"open_edges": 7, "watertight": False}, {"turned_edges": 2}, {"inverted": True}, {"bodies": 3}]
)
def test_a_fault_that_staff_can_mend_blocks_nothing(facts: dict[str, Any]) -> None:
    finding = only(findings(model(**facts), LAB, "mk4"))
    assert not blocks([finding])


def test_a_sheet_of_one_line_is_not_thin_by_a_rounding() -> None:
    """0.4 mm far from the origin, in the 32 bits of a binary STL."""
    assert codes(findings(model((60, 40, 0.399994)), LAB, "mk4")) == []
    assert codes(findings(model((60, 40, 0.38)), LAB, "mk4")) == ["thin"]


def test_too_large_for_the_printer_asked_for_names_those_it_fits_and_the_scale() -> None:
    finding = only(findings(model((300, 100, 100)), LAB, "mk4"))
    assert finding.grade == "probably wrong"
    assert finding.advice == "It fits the Prusa XL. At 83 % it would fit the Prusa MK4S."


def test_too_large_for_all_names_the_nearest_scale() -> None:
    finding = only(findings(model((720, 100, 100)), LAB))
    assert finding.advice.startswith("At 62 % it would fit the Prusa XL.")


def test_the_promised_scale_fits() -> None:
    finding = only(findings(model((420, 60, 60)), LAB, "mk4"))
    percent = int(re.findall(r"At (\d+) % it would fit the Prusa MK4S", finding.advice)[0])
    assert findings(model((4.2 * percent, 0.6 * percent, 0.6 * percent)), LAB, "mk4")[0].code == "diagonal"


def test_a_long_model_fits_lying_diagonally() -> None:
    """FAULTS M8: 300 × 20 × 20 on a bed of 250 × 210 was "too large, however it is turned"."""
    finding = only(findings(model((300, 20, 20)), LAB, "mk4"))
    assert (finding.grade, finding.sentence) == ("worth knowing", "It fits the Prusa MK4S, lying diagonally.")
    standing = only(findings(model((20, 20, 300)), LAB, "mk4"))
    assert standing.sentence == "It fits the Prusa MK4S turned on its side, lying diagonally."


def test_a_size_alone_says_probably() -> None:
    """Nobody measured it for the printers of today: what is that large may still lie in there somehow."""
    finding = only(findings(model((400, 400, 400), bed_fits=()), LAB, "mk4"))
    assert finding.grade == "probably wrong" and "probably too large for every printer" in finding.sentence
    assert not blocks([finding])
    certain = only(findings(model((700, 10, 10), bed_fits=()), LAB, "mk4"))
    assert certain.grade == "cannot print" and "whichever side it stands on" in certain.sentence


def test_a_tall_model_fits_turned_on_its_side() -> None:
    finding = only(findings(model((50, 50, 240)), LAB, "mk4"))
    assert (finding.grade, finding.sentence) == ("worth knowing", "It fits the Prusa MK4S turned on its side.")


@pytest.mark.parametrize(
    ("size", "verdict"),
    [
        ((250, 210, 220), "as drawn"),
        ((210, 250, 220), "as drawn"),
        ((220, 210, 250), "turned"),
        ((250.004, 210, 220), "as drawn"),
        ((250.1, 1, 1), "no"),
        ((230, 230, 230), "no"),
    ],
)
def test_any_axis_aligned_orientation_is_tried(size: Size, verdict: str) -> None:
    assert fit_box(size, MK4.build_volume_mm).pose == verdict


def test_two_plates_side_by_side_are_judged_one_by_one() -> None:
    plates = model((600, 200, 20), pieces=2, pieces_mm=((200, 200, 20), (150, 100, 20)))
    assert codes(findings(plates, LAB, "mk4")) == []


@pytest.mark.parametrize(
    ("longest", "unit"),
    [(2.9, "inches"), (0.12, "meters"), (80_000, "micrometers"), (60, None), (4572, None), (0.001, None)],
)
def test_a_unit_is_suspected_by_size(longest: float, unit: str | None) -> None:
    suspect = suspected_unit(model((longest, longest / 2, longest / 2)))
    assert (suspect and suspect[0]) == unit


def test_the_suspicion_names_the_size_it_would_come_to() -> None:
    finding = only(findings(model((2, 1, 1)), LAB, "mk4"))
    assert finding.code == "unit-inches"
    assert finding.sentence.endswith("Was it drawn in inches? Then it would be 50.8 × 25.4 × 25.4 mm.")


def test_a_unit_that_is_stated_is_not_doubted() -> None:
    assert suspected_unit(model((2, 1, 1), unit="inch")) is None


def test_the_worst_comes_first() -> None:
    worst_first = findings(model((50, 50, 240), open_edges=3, watertight=False, bodies=2), LAB, "mk4")
    assert codes(worst_first) == ["holes", "turned", "bodies"]


@pytest.mark.parametrize(
    ("triangles", "open_edges", "is_refused"), [(12, 3, False), (12, 35, False), (100, 300, True), (3, 5, True)]
)
def test_triangles_of_which_no_two_hang_together_are_not_to_be_sent_as_they_are(
    triangles: int, open_edges: int, is_refused: bool
) -> None:
    finding = only(findings(model(triangles=triangles, open_edges=open_edges, watertight=False), LAB))
    assert finding.code == "holes"
    assert ("slicers refuse it as it is" if is_refused else "or send it as it is") in finding.advice


def test_a_tube_that_is_open_at_both_ends_is_not_to_be_sent_as_it_is() -> None:
    (finding,) = findings(model(open_edges=128, watertight=False, volume_cm3=0.0), LAB)
    assert "they print what is open like a tube as if it were full" in finding.advice
    assert "as it is" not in finding.advice


# -- compared with what was sliced ----------------------------------------------------------------------------------

BRACKET = model((60, 40, 20), volume_cm3=20.0)


@pytest.mark.parametrize(
    ("sliced", "words"),
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
def test_a_sliced_model_is_compared_with_the_students(sliced: ModelFacts, words: str | None) -> None:
    sentences = compare(BRACKET, sliced)
    assert len(sentences) == (0 if words is None else 1)
    assert words is None or words in sentences[0]


def test_more_bodies_are_a_difference() -> None:
    sentences = compare(BRACKET, model((60, 40, 20), volume_cm3=20.0, bodies=3))
    assert sentences == ["It holds more bodies than the student's model (3 instead of 1)."]


def test_copies_count_as_copies_and_nothing_else() -> None:
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
