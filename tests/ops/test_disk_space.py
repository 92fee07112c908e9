"""How long a disk lasts is told from what the lab has stored week by week, and not guessed from too little."""

from __future__ import annotations

from datetime import date, timedelta

from printsys.ops.disk_space import FEWEST_WEEKS, Growth, growth

FRIDAY = date(2026, 3, 6)
MONDAY = FRIDAY - timedelta(days=4)


def weekly(weeks: int, size: int) -> dict[date, int]:
    """The same each Wednesday of the last whole weeks."""
    return {MONDAY - timedelta(days=5 + 7 * week): size for week in range(weeks)}


def test_the_rate_is_that_of_the_last_whole_weeks() -> None:
    this_week = {FRIDAY: 10**15, MONDAY: 10**15}
    assert growth(100_000, weekly(6, 1000) | this_week, FRIDAY) == Growth(1000, 100)


def test_too_few_weeks_with_jobs_tell_nothing() -> None:
    assert growth(100_000, {}, FRIDAY) is None
    assert growth(100_000, weekly(FEWEST_WEEKS - 1, 1000), FRIDAY) is None
    assert growth(100_000, weekly(FEWEST_WEEKS, 0), FRIDAY) is None
    assert growth(100_000, weekly(FEWEST_WEEKS, 1000), FRIDAY) == Growth(1000, 100)


def test_weeks_without_jobs_count_as_what_they_are() -> None:
    term = {day: size for day, size in weekly(10, 1000).items() if day < MONDAY - timedelta(weeks=4)}
    assert growth(100_000, term, FRIDAY) == Growth(600, 166)


def test_what_is_older_than_a_quarter_says_nothing() -> None:
    old = {MONDAY - timedelta(weeks=20 + week): 10**9 for week in range(10)}
    assert growth(100_000, old, FRIDAY) is None
    assert growth(100_000, old | weekly(13, 1000), FRIDAY) == Growth(1000, 100)


def test_a_disk_that_lasts_longer_than_anybody_plans_has_no_number() -> None:
    assert growth(10**12, weekly(5, 1000), FRIDAY) == Growth(1000, None)
