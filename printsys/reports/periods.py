"""Days of a report: a range, the one before it to compare with, and its parts by day, week, month or term."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from printsys.config.lab import FIRST_YEAR, LAST_YEAR, Term
from printsys.errors import InvalidInput
from printsys.texts import date_text

By = Literal["day", "week", "month", "term"]
STEPS: tuple[By, ...] = ("day", "week", "month", "term")
MOST_PARTS = 120
"""A report by day or week with more parts than this is shown by the next longer step."""
DAY = timedelta(days=1)
NAMES = ("this-week", "last-week", "this-month", "last-month", "this-year", "last-year")


@dataclass(frozen=True)
class Range:
    """Days at the lab, both included. `name`: of a term."""

    first: date
    last: date
    name: str = ""

    @property
    def title(self) -> str:
        if self.name:
            return self.name
        if self.first == self.last:
            return date_text(self.first)
        if (self.first, self.last) == (_month_start(self.first), _month_end(self.first)):
            return f"{self.first:%b} {self.first.year}"
        return f"{date_text(self.first)} to {date_text(self.last)}"

    @property
    def short_title(self) -> str:
        """For a chart: `Mar 2`, `Mar 2026`, or the term's name; of a longer range, the day on which it begins."""
        if self.name:
            return self.name
        is_month = self.first == _month_start(self.first) and self.last == _month_end(self.first)
        return f"{self.first:%b} {self.first.year if is_month else self.first.day}"

    def moments(self, zone: ZoneInfo) -> tuple[datetime, datetime]:
        """When it begins, and when the day after it does, in UTC."""
        return _midnight(self.first, zone), _midnight(self.last + DAY, zone)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time.min, zone).astimezone(UTC)


def _month_start(day: date) -> date:
    return day.replace(day=1)


def _month_end(day: date) -> date:
    return _month_start(_month_start(day) + timedelta(days=32)) - DAY


def _months_back(day: date, months: int) -> date:
    """The first day of the month so many months before that of `day`."""
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    return date(year, month + 1, 1)


def named(name: str, today: date, terms: Sequence[Term]) -> Range | None:
    """`this-month`, `last-week` and their like, or a term of lab.toml by its name; None for something else."""
    monday = today - timedelta(days=today.weekday())
    ranges = {
        "this-week": Range(monday, monday + 6 * DAY),
        "last-week": Range(monday - 7 * DAY, monday - DAY),
        "this-month": Range(_month_start(today), _month_end(today)),
        "last-month": Range(_months_back(today, 1), _month_start(today) - DAY),
        "this-year": Range(date(today.year, 1, 1), date(today.year, 12, 31)),
        "last-year": Range(date(today.year - 1, 1, 1), date(today.year - 1, 12, 31)),
    } | {term.name: _of_term(term) for term in terms}
    return ranges.get(name)


def month_of(text: str, today: date) -> Range:
    """Of a month like `2026-03`; the last one that is over where the text is none."""
    try:
        first = date.fromisoformat(f"{text}-01")
    except ValueError:
        first = date.min
    if not FIRST_YEAR <= first.year <= LAST_YEAR:
        first = _months_back(today, 1)
    return Range(first, _month_end(first))


def chosen(first: date, last: date, terms: Sequence[Term]) -> Range:
    """InvalidInput where it ends before it begins, or is no range that anybody means."""
    if first > last:
        raise InvalidInput({"to": ["The range ends before it begins."]})
    if first.year < FIRST_YEAR or last.year > LAST_YEAR:
        raise InvalidInput({"from": [f"Please choose days between {FIRST_YEAR} and {LAST_YEAR}."]})
    return next((of for term in terms if ((of := _of_term(term)).first, of.last) == (first, last)), Range(first, last))


def _of_term(term: Term) -> Range:
    return Range(term.first, term.last, term.name)


def before(days: Range, terms: Sequence[Term]) -> Range:
    """What a range is compared with: the term before, as many whole months before, else as many days before."""
    earlier = [term for term in terms if term.last < days.first]
    if days.name and earlier:
        return _of_term(max(earlier, key=lambda term: term.last))
    if days.first == _month_start(days.first) and days.last == _month_end(days.last):
        months = (days.last.year - days.first.year) * 12 + days.last.month - days.first.month + 1
        return Range(_months_back(days.first, months), days.first - DAY)
    return Range(days.first - (days.last - days.first) - DAY, days.first - DAY)


def readable_step(days: Range, by: By) -> By:
    """`by`, or the next longer one: days become weeks, and weeks months."""
    steps: tuple[By, ...] = ("day", "week")
    for step in steps[steps.index(by) :] if by in steps else ():
        if len(parts(days, step, ())) <= MOST_PARTS:
            return step
    return "term" if by == "term" else "month"


def parts(days: Range, by: By, terms: Sequence[Term]) -> list[Range]:
    """The range in its parts, the first and the last of them cut to it. What is in no term is a part of its own."""
    return list(_by_term(days, terms) if by == "term" else _by_step(days, by))


def _by_step(days: Range, step: By) -> Iterator[Range]:
    first = days.first
    while first <= days.last:
        end = {"day": first, "week": first + (6 - first.weekday()) * DAY, "month": _month_end(first)}[step]
        yield Range(first, min(end, days.last))
        first = end + DAY


def _by_term(days: Range, terms: Sequence[Term]) -> Iterator[Range]:
    first = days.first
    for term in sorted(terms, key=lambda term: term.first):
        if term.last < first or term.first > days.last:
            continue
        if term.first > first:
            yield Range(first, term.first - DAY)
        first, last = max(first, term.first), min(term.last, days.last)
        yield Range(first, last, term.name)
        first = last + DAY
    if first <= days.last:
        yield Range(first, days.last)
