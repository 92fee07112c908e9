"""Each kind of attention item, its rule and its fixes are known on both ends."""

from __future__ import annotations

import pytest

from indexer.attention import FIXES_BY_KIND, NEEDS_NOBODY, RULES, needs_a_person, raised
from printsys.domain.status import Status
from printsys.jobstore import JobStore
from printsys.web.staff.fixes import FIXES
from tests.factories import make_job

NEXT_SWEEP = {"forget-file", "record-file", "sync"}
"""Fixes that the next sweep carries out: `check` reports their items."""


def test_each_fix_that_staff_may_be_offered_has_a_button_and_the_reverse() -> None:
    offered = {slug for fixes in FIXES_BY_KIND.values() for slug in fixes}
    assert offered - NEEDS_NOBODY - NEXT_SWEEP == FIXES.keys()
    assert offered >= NEEDS_NOBODY | NEXT_SWEEP


def test_each_button_does_something_or_leads_to_a_form() -> None:
    for slug, fix in FIXES.items():
        assert (fix.apply is None) != (fix.form is None), slug


def test_each_rule_raises_a_kind_that_has_fixes() -> None:
    for rule in RULES:
        assert needs_a_person(raised(rule.kind, None, None, "")), rule.kind


@pytest.mark.parametrize("status", list(Status))
def test_no_rule_may_follow_the_usual_way_of_a_job(store: JobStore, status: Status) -> None:
    """Else each sweep after a rebuild would read every job."""
    job = make_job(store, status=status)
    events = [event.model_dump(mode="json") for event in job.events]
    assert not any(rule.may_follow(event) for rule in RULES for event in events)
    assert [rule.kind for rule in RULES if rule.find(job.job, job.events)] == []
