"""What an earlier version of the system found out of a job's files is found out again where this one knows more."""

from __future__ import annotations

from typing import Any

import pytest

from printsys.domain.pending_work import INSPECTION, READING, is_decided, to_inspect_again, to_read_again
from printsys.domain.status import FILES_READ, Status
from printsys.models3d.inspect import ModelFacts
from printsys.slicers import SlicerFacts
from tests.domain.test_estimates import job, record

FACTS = (
    "format unit triangles size_mm pieces pieces_mm volume_cm3 area_cm2 bodies watertight inverted degenerate "
    "open_edges turned_edges finite slicer_trouble is_converted wall floor detail islands island bed_fits"
)
READ = (
    "family program version is_project time_s times tools grams length_mm volume_cm3 resin_ml material printer_model "
    "printer_is_profile nozzle_mm layer_height_mm plates objects box placed thumbnails warnings"
)


def test_whoever_adds_a_fact_raises_its_version() -> None:
    """Otherwise the jobs that the lab has already never get it."""
    assert (INSPECTION, " ".join(ModelFacts.model_fields)) == (3, FACTS)
    assert (READING, " ".join(SlicerFacts.model_fields)) == (2, READ)


@pytest.mark.parametrize(
    ("version", "is_due"),
    [({}, True), ({"inspection": INSPECTION - 1, "reading": READING - 1}, True)]
    + [({"inspection": text, "reading": text}, True) for text in ("3", None)]
    + [({"inspection": INSPECTION + n, "reading": READING + n}, False) for n in (0, 1)],
)
@pytest.mark.parametrize("status", Status)
def test_facts_of_an_earlier_version_are_due_in_live_jobs(
    status: Status, version: dict[str, Any], is_due: bool
) -> None:
    of = job(
        status,
        record("original/a.stl", "original") | {"model": {"triangles": 12} | version},
        record("a.gcode", slicer={"program": "Cura"} | version),
    )
    is_due = is_due and status in FILES_READ
    assert [file.name for file in to_inspect_again(of)] == ["original/a.stl"] * is_due
    assert [file.name for file in to_read_again(of)] == ["a.gcode"] * is_due


def test_what_nobody_has_read_yet_is_not_read_again() -> None:
    of = job(Status.UPLOADED, record("original/a.stl", "original"), record("a.gcode"))
    assert not list(to_inspect_again(of)) and not list(to_read_again(of))


def test_a_working_copy_is_decided_on_once_it_is_approved_or_chosen() -> None:
    original = record("original/a.stl", "original") | {"sha256": "the same"}
    copy = record("a.stl", "working") | {"sha256": "the same"}

    def decided(status: Status, *print_files: str, working_copy: dict[str, Any] = copy) -> bool:
        of = job(status, original, working_copy, print_files=list(print_files))
        return is_decided(of, of.files[0])

    assert not decided(Status.UPLOADED) and not decided(Status.UPLOADED, "a.gcode")
    assert decided(Status.UPLOADED, "a.stl") and decided(Status.PENDING, "a.gcode")
    converted = copy | {"sha256": "another"}
    assert not decided(Status.PENDING, "a.stl", working_copy=converted), "it is no longer what was sent"
