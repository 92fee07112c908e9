"""Tiny details (issue 14): what is slimmer than one line of the print, so that a slicer leaves it out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import trimesh

from printsys.models3d.findings import findings
from printsys.models3d.inspect import ModelFacts, inspect, measure
from printsys.models3d.mesh import Mesh
from printsys.models3d.samples import SAMPLES, sample
from tests.factories import LAB
from tests.models3d.test_thickness import Vector, box, joined, wedge
from tests.present import present

PLATE = box((60, 40, 5))


def facts_of(*bodies: trimesh.Trimesh) -> ModelFacts:
    mesh = joined(*bodies)
    return measure(Mesh("STL", np.asarray(mesh.vertices), np.asarray(mesh.faces), np.zeros(len(mesh.faces), int)))


def codes(facts: ModelFacts, method: str) -> list[str]:
    least_mm = present(LAB.method(method)).least_wall_mm
    return [finding.code for finding in findings(facts, LAB.printers, least_wall_mm=least_mm)]


def detail(*bodies: trimesh.Trimesh) -> tuple[float, Vector] | None:
    """Of which the student hears."""
    facts = facts_of(*bodies)
    place = facts.detail if "tiny-detail" in codes(facts, "Filament") else None
    return (place.mm, place.at) if place is not None else None


def stroke(width: float, at: Vector = (0, 0, 2.9), length: float = 2.0, height: float = 1.0) -> trimesh.Trimesh:
    """Of a letter that stands on the plate and reaches into it: too little of it for a wall."""
    return box((width, length, height), at)


def test_a_letter_s_stroke_is_as_wide_as_its_faces_are_apart() -> None:
    width, at = present(detail(PLATE, stroke(0.25)))
    assert width == pytest.approx(0.25, abs=0.01) and at == pytest.approx((0, 0, 2.9), abs=1)
    assert facts_of(PLATE, stroke(0.25)).wall is None, "too little of it for a wall"
    assert detail(PLATE, stroke(0.45)) is None


def test_a_body_that_is_slim_in_two_directions_is_a_detail_wherever_it_lies() -> None:
    for size in ((0.3, 0.2, 20), (20, 0.3, 0.2), (0.3, 0.3, 0.3)):
        place = present(facts_of(PLATE, box(size, (20, 10, 14))).detail)
        assert place.mm == pytest.approx(0.25, abs=0.06), (
            "the narrower of the two, where it is measured, else the wider"
        )
        assert np.all(np.abs(np.array(place.at) - (20, 10, 14)) <= np.array(size) / 2 + 0.01), "in the body"
    assert detail(PLATE, box((0.5, 0.5, 20), (20, 10, 14))) is None


def test_a_tiny_cavity_is_no_detail() -> None:
    bubble = box((0.2, 0.2, 0.2))
    bubble.invert()
    assert detail(PLATE, bubble) is None


@pytest.mark.parametrize(
    "mesh",
    [
        trimesh.creation.cone(10, 20),
        trimesh.creation.cone(2, 30),
        trimesh.creation.icosphere(4, 10),
        trimesh.creation.torus(20, 5),
        trimesh.creation.annulus(9, 10, 20, sections=200),
        wedge(100, 40, 17.6),
        wedge(100, 40, 9),
    ],
    ids=["cone", "spike", "sphere", "torus", "tube", "wedge", "slim wedge"],
)
def test_tips_edges_and_roundings_are_no_details(mesh: trimesh.Trimesh) -> None:
    assert detail(mesh) is None


@pytest.mark.parametrize("name", SAMPLES)
def test_a_good_model_has_no_tiny_detail(name: str, tmp_path: Path) -> None:
    path = tmp_path / "good.stl"
    path.write_bytes(sample(name, "stl"))
    assert "tiny-detail" not in codes(inspect(path), "Filament")


def test_it_is_tiny_for_the_method_whose_line_is_wider() -> None:
    facts = facts_of(PLATE, stroke(0.25))
    assert "tiny-detail" in codes(facts, "Filament") and "tiny-detail" not in codes(facts, "Resin")
    assert "tiny-detail" in codes(facts_of(PLATE, stroke(0.12, length=3)), "Resin")


def test_a_lab_with_a_wide_nozzle_hears_of_wider_details() -> None:
    facts = facts_of(PLATE, stroke(0.5))
    usual, wide = ({f.code for f in findings(facts, LAB.printers, least_wall_mm=least)} for least in (0.8, 1.2))
    assert "tiny-detail" not in usual and "tiny-detail" in wide


def test_the_finding_teaches_where_and_what_to_do_and_stops_nobody() -> None:
    (finding,) = (f for f in findings(facts_of(PLATE, stroke(0.25)), LAB.printers) if f.code == "tiny-detail")
    assert finding.grade == "worth knowing"
    assert finding.sentence.startswith("A detail is only 0.25 mm wide (near x ")
    assert finding.advice.startswith("Make it at least 0.8 mm wide")


def test_a_thin_wall_is_said_once() -> None:
    rib = box((0.25, 30, 12), (5, 0, 8))
    assert [code for code in codes(facts_of(PLATE, rib), "Filament") if code in ("thin-wall", "tiny-detail")] == [
        "thin-wall"
    ]
