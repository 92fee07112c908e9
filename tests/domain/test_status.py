from __future__ import annotations

import re
from pathlib import Path

import pytest

from printsys.domain.status import FINAL, GOOD_COURSE, LIVE, TRAITS, WAITS_FOR_STUDENT, Status
from printsys.domain.workflow import steps_from
from printsys.texts import STATUS_TEXTS

STYLESHEET = Path(__file__).parents[2] / "static/css/site.css"


@pytest.mark.parametrize("status", list(Status))
def test_every_status_has_its_traits_texts_and_color(status: Status) -> None:
    assert status in TRAITS
    assert all(vars(STATUS_TEXTS[status]).values())
    assert re.search(rf"\.status-{status} \{{", STYLESHEET.read_text("utf-8"))


def test_nothing_is_said_of_a_status_that_does_not_exist() -> None:
    assert TRAITS.keys() == STATUS_TEXTS.keys() == set(Status)


def test_a_job_has_ended_where_it_may_be_archived() -> None:
    assert tuple(status for status in Status if "archive" in {step.action for step in steps_from(status)}) == FINAL


def test_students_are_waited_for_only_while_somebody_has_something_to_do() -> None:
    assert set(WAITS_FOR_STUDENT) <= set(LIVE)
    assert set(LIVE) == set(Status) - {Status.PAID_PICKED_UP, Status.REJECTED, Status.ARCHIVED}


def test_a_job_that_goes_well_ends_with_its_student() -> None:
    assert tuple(status for status in Status if status not in (Status.REJECTED, Status.ARCHIVED)) == GOOD_COURSE
