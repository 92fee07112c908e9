"""Ranges of days: by name, the one before, and their parts."""

from __future__ import annotations

from datetime import UTC, date, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from printsys.config.lab import Term
from printsys.errors import InvalidInput
from printsys.reports.periods import NAMES, STEPS, By, Range, before, chosen, named, parts, readable_step

FALL = Term(name="Fall 2025", first=date(2025, 9, 2), last=date(2025, 12, 19))
SPRING = Term(name="Spring 2026", first=date(2026, 1, 12), last=date(2026, 5, 8))
TERMS = [SPRING, FALL]
TODAY = date(2026, 3, 4)


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        ("this-week", "2026-03-02", "2026-03-08"),
        ("last-week", "2026-02-23", "2026-03-01"),
        ("this-month", "2026-03-01", "2026-03-31"),
        ("last-month", "2026-02-01", "2026-02-28"),
        ("this-year", "2026-01-01", "2026-12-31"),
        ("last-year", "2025-01-01", "2025-12-31"),
        ("Spring 2026", "2026-01-12", "2026-05-08"),
    ],
)
def test_a_range_has_a_name(name: str, first: str, last: str) -> None:
    days = named(name, TODAY, TERMS)
    assert days is not None and (days.first.isoformat(), days.last.isoformat()) == (first, last)
    assert name in NAMES or days.title == name
    assert named("next-month", TODAY, TERMS) is None


@pytest.mark.parametrize(
    ("first", "last", "first_before", "last_before"),
    [
        ("2026-03-01", "2026-03-31", "2026-02-01", "2026-02-28"),
        ("2026-01-01", "2026-03-31", "2025-10-01", "2025-12-31"),
        ("2026-03-02", "2026-03-08", "2026-02-23", "2026-03-01"),
        ("2026-03-04", "2026-03-04", "2026-03-03", "2026-03-03"),
        ("2026-01-12", "2026-05-08", "2025-09-02", "2025-12-19"),
        ("2025-09-02", "2025-12-19", "2025-05-16", "2025-09-01"),
    ],
)
def test_a_range_is_compared_with_the_one_before(first: str, last: str, first_before: str, last_before: str) -> None:
    earlier = before(chosen(date.fromisoformat(first), date.fromisoformat(last), TERMS), TERMS)
    assert (earlier.first.isoformat(), earlier.last.isoformat()) == (first_before, last_before)


@pytest.mark.parametrize("by", STEPS)
def test_the_parts_make_up_the_range(by: By) -> None:
    days = Range(date(2025, 12, 10), date(2026, 2, 3))
    listed = parts(days, by, TERMS)
    assert (listed[0].first, listed[-1].last) == (days.first, days.last)
    assert all((after.first - part.last).days == 1 for part, after in pairwise(listed))


def test_what_is_between_two_terms_is_a_part_of_its_own() -> None:
    titles = [part.title for part in parts(Range(date(2025, 12, 10), date(2026, 2, 3)), "term", TERMS)]
    assert titles == ["Fall 2025", "Sat, Dec 20, 2025 to Sun, Jan 11, 2026", "Spring 2026"]


@pytest.mark.parametrize(
    ("last", "by", "expected"),
    [
        ("2025-04-30", "day", "day"),
        ("2025-05-01", "day", "week"),
        ("2027-05-01", "day", "month"),
        ("2027-05-01", "week", "month"),
        ("2027-05-01", "term", "term"),
        ("2060-12-31", "month", "month"),
    ],
)
def test_many_days_are_shown_by_the_next_longer_step(last: str, by: By, expected: By) -> None:
    assert readable_step(Range(date(2025, 1, 1), date.fromisoformat(last)), by) == expected


def test_a_day_begins_at_midnight_at_the_lab_also_when_clocks_change() -> None:
    chicago = ZoneInfo("America/Chicago")
    start, end = Range(date(2026, 3, 8), date(2026, 3, 8)).moments(chicago)
    assert (start, end) == (datetime(2026, 3, 8, 6, tzinfo=UTC), datetime(2026, 3, 9, 5, tzinfo=UTC))


@pytest.mark.parametrize(("first", "last"), [("2026-03-02", "2026-03-01"), ("0001-01-01", "2026-01-01")])
def test_a_range_that_nobody_means_is_refused(first: str, last: str) -> None:
    with pytest.raises(InvalidInput):
        chosen(date.fromisoformat(first), date.fromisoformat(last), [])
