"""What prints when: a column a printer, from what is on it and what is ready for it, by the hours of each job.

A print runs through the night, but somebody must be there to start one: each begins while the lab is open.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import groupby
from typing import Literal

from printsys.domain.job import Job
from printsys.domain.opening_hours import OpeningHours
from printsys.domain.status import Status

UNKNOWN_HOURS = Decimal(4)
"""What a job counts whose time nobody knows yet."""
MOST_HOURS = Decimal(10 * 365 * 24)
"""A hand may write any number of hours: beyond these nobody plans."""
QUIET_DAYS, TYPICAL_DAYS = 2, 5
Busyness = Literal["quiet", "typical", "busy"]


@dataclass(frozen=True)
class QueuedJob:
    """What the queue needs of a job. `hours`: of printing, None where nobody has sliced it yet."""

    id: str
    status: Status
    since: datetime
    method: str
    printer: str | None
    material: str | None
    color: str | None
    hours: Decimal | None
    due: date | None

    @classmethod
    def of(cls, job: Job) -> QueuedJob:
        estimate, request = job.estimate, job.request
        return cls(
            id=job.id,
            status=job.status,
            since=job.status_since,
            method=request.method,
            printer=request.actual_printer,
            material=estimate.material if estimate else None,
            color=request.color,
            hours=estimate.time_h if estimate else None,
            due=due_day(request.due_date),
        )

    @property
    def filament(self) -> tuple[str, str]:
        """What must be loaded for it."""
        return self.material or "", self.color or ""

    @property
    def counted_hours(self) -> Decimal:
        """What the queue plans by, whatever stands in the record."""
        return min(max(self.hours, Decimal(0)), MOST_HOURS) if self.hours is not None else UNKNOWN_HOURS

    @property
    def duration(self) -> timedelta:
        return timedelta(hours=float(self.counted_hours))

    @property
    def done_at(self) -> datetime:
        """Of a job that is on a printer: when it should be done."""
        return self.since + self.duration

    def is_late(self, now: datetime) -> bool:
        """Whether a job that is on a printer should be done by now; one that nobody has sliced never is."""
        return self.hours is not None and self.done_at <= now


def due_day(text: str | None) -> date | None:
    """None for what is no date: a person may have typed it into metadata.json."""
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        return None


@dataclass(frozen=True)
class Slot:
    """A job's turn. `hours` is the running sum of the column, this job's included. Without `starts` the printer is
    down, or the lab does not open soon."""

    job: QueuedJob
    hours: Decimal
    needs_change: bool
    starts: datetime | None = None
    ends: datetime | None = None
    fits: Literal["today", "overnight", "later", "unknown"] = "unknown"
    """Started today and on time: done before closing, by the next morning, or neither. What starts on a later day is
    `later`."""


@dataclass(frozen=True)
class Column:
    """`free_at`: when the printer can take its next new job; None: nobody knows."""

    printer: str
    printing: list[QueuedJob]
    slots: list[Slot]
    free_at: datetime | None


def column(
    printer: str,
    jobs: Iterable[QueuedJob],
    hours: OpeningHours,
    now: datetime,
    by_hand: Sequence[str] = (),
    is_down: bool = False,
) -> Column:
    """`jobs`: those for this printer. `by_hand`: ids in the order in which staff put them."""
    of_printer = [job for job in jobs if job.printer == printer]
    printing = sorted((job for job in of_printer if job.status is Status.PRINTING), key=lambda job: job.done_at)
    loaded = printing[-1].filament if printing else None
    waiting = in_turn([job for job in of_printer if job.status is not Status.PRINTING], loaded, by_hand)
    free_at = max([now, *(job.done_at for job in printing)])
    start = Column(printer, printing, [], None if is_down else free_at)
    return _filled(start, waiting, loaded, hours, hours.day_of(now))


def _filled(
    start: Column, waiting: Sequence[QueuedJob], loaded: tuple[str, str] | None, hours: OpeningHours, today: date
) -> Column:
    slots, total, free_at = [], Decimal(0), start.free_at
    for job in waiting:
        starts = hours.next_open(free_at) if free_at is not None and total < MOST_HOURS else None
        total += job.counted_hours
        ends = starts + job.duration if starts is not None else None
        slots.append(Slot(job, total, job.filament != loaded, starts, ends, _fits(job, starts, ends, hours, today)))
        loaded, free_at = job.filament, ends
    return Column(start.printer, start.printing, slots, free_at)


def _fits(
    job: QueuedJob, starts: datetime | None, ends: datetime | None, hours: OpeningHours, today: date
) -> Literal["today", "overnight", "later", "unknown"]:
    closes = hours.closes(starts) if starts is not None else None
    if ends is None or closes is None or job.hours is None:
        return "unknown"
    if hours.day_of(closes) != today:
        return "later"
    if ends <= closes:
        return "today"
    morning = hours.opens_after(closes)
    return "overnight" if morning is not None and ends <= morning else "later"


def in_turn(jobs: Sequence[QueuedJob], loaded: tuple[str, str] | None, by_hand: Sequence[str] = ()) -> list[QueuedJob]:
    """First those that staff put in order; then the confirmed before the others, and by filament with the fewest
    changes: what is due first goes first, then what is loaded, then what has waited longest."""
    place = {job_id: n for n, job_id in enumerate(by_hand)}
    moved = sorted((job for job in jobs if job.id in place), key=lambda job: place[job.id])
    others = sorted((job for job in jobs if job.id not in place), key=lambda job: (*_is_unconfirmed(job), job.filament))
    loaded = moved[-1].filament if moved else loaded
    groups = [list(group) for _, group in groupby(others, key=lambda job: (*_is_unconfirmed(job), job.filament))]
    groups.sort(
        key=lambda group: (
            *_is_unconfirmed(group[0]),
            min(_due(job) for job in group),
            group[0].filament != loaded,
            min(job.since for job in group),
        )
    )
    return moved + [job for group in groups for job in sorted(group, key=lambda job: (_due(job), job.since))]


def _is_unconfirmed(job: QueuedJob) -> tuple[bool]:
    return (job.status is not Status.READY_TO_PRINT,)


def _due(job: QueuedJob) -> date:
    return job.due or date.max


def columns(
    jobs: Iterable[QueuedJob],
    printers: Sequence[str],
    hours: OpeningHours,
    now: datetime,
    by_hand: Mapping[str, Sequence[str]],
    down: Iterable[str] = (),
) -> list[Column]:
    """One for each of the lab's printers; a job for none of them stands in a last one without a name."""
    jobs, down = list(jobs), set(down)
    by_printer = [column(printer, jobs, hours, now, by_hand.get(printer, ()), printer in down) for printer in printers]
    strangers = [job for job in jobs if job.printer not in printers]
    if strangers:
        printing = [job for job in strangers if job.status is Status.PRINTING]
        waiting = in_turn([job for job in strangers if job.status is not Status.PRINTING], None)
        by_printer.append(_filled(Column("", printing, [], None), waiting, None, hours, hours.day_of(now)))
    return by_printer


def days_until(column_ends: Iterable[datetime | None], now: datetime, hours: OpeningHours) -> int | None:
    """In how many days the first of these printers has printed a new job of usual length, from today as the first day;
    None where nobody knows."""
    ends = [_end_of_new(free_at, hours) for free_at in column_ends if free_at is not None]
    known = [end for end in ends if end is not None]
    return (hours.day_of(min(known)) - hours.day_of(now)).days + 1 if known else None


def _end_of_new(free_at: datetime, hours: OpeningHours) -> datetime | None:
    starts = hours.next_open(free_at)
    return starts + timedelta(hours=float(UNKNOWN_HOURS)) if starts is not None else None


def busyness(days: int) -> Busyness:
    return "quiet" if days <= QUIET_DAYS else "typical" if days <= TYPICAL_DAYS else "busy"
