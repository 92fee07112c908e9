"""The lab today as pages need it: what is otherwise, when it is open, what prints when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import cast

from flask import g

from printsys.config.lab import Printer
from printsys.domain.job import Job
from printsys.domain.lab_today import LabToday
from printsys.domain.opening_hours import OpeningHours
from printsys.domain.print_queue import Busyness, Column, Slot, busyness, columns, days_until
from printsys.domain.status import LIVE, Status
from printsys.errors import MirrorDown
from printsys.jobstore.lab_today import lab_today
from printsys.web.services import services

IN_THE_QUEUE = tuple(status for status in LIVE if status is not Status.COMPLETED)


def today() -> LabToday:
    """Read once a request."""
    if "lab_today" not in g:
        g.lab_today = lab_today(services().store)
    return cast(LabToday, g.lab_today)


def opening_hours() -> OpeningHours:
    return services().lab.opening_hours(today().closed_days)


def closed_days_to_come(limit: int = 3) -> list[date]:
    """From today on, of lab.toml and of staff."""
    first = services().lab.today(datetime.now(UTC))
    days = frozenset(services().lab.opening.closed_days) | today().closed_days
    return sorted(day for day in days if day >= first)[:limit]


def queue_columns(statuses: Sequence[Status] = IN_THE_QUEUE) -> list[Column]:
    """MirrorDown."""
    note = today()
    printers = [printer.id for printer in services().lab.printers]
    jobs = services().queries.queue(statuses)
    return columns(jobs, printers, opening_hours(), datetime.now(UTC), note.order, note.printers_down)


@dataclass(frozen=True)
class Wait:
    """About how many days a new request for a method takes now."""

    method: str
    days: int
    busyness: Busyness


def waits() -> list[Wait]:
    """One for each method of which anybody knows; none while the database is down."""
    try:
        free = {column.printer: column.free_at for column in queue_columns()}
    except MirrorDown:
        return []
    hours, now, known_waits = opening_hours(), datetime.now(UTC), []
    for method in services().lab.methods:
        printers = services().lab.printers_for(method.name)
        days = days_until([free[printer.id] for printer in printers], now, hours)
        if days is not None:
            known_waits.append(Wait(method.name, days, busyness(days)))
    return known_waits


@dataclass(frozen=True)
class Turn:
    """A job's place on its printer: `number` in line, 1 is next; None while it is not confirmed."""

    printer: Printer | None
    number: int | None
    slot: Slot
    is_down: bool


def turn_of(job: Job) -> Turn | None:
    """None for a job that waits for no printer, and while the database is down."""
    if job.status not in (Status.UPLOADED, Status.PENDING, Status.READY_TO_PRINT):
        return None
    try:
        slots = [(column, n, slot) for column in queue_columns() for n, slot in enumerate(column.slots, 1)]
    except MirrorDown:
        return None
    place = next(((column, n, slot) for column, n, slot in slots if slot.job.id == job.id), None)
    if place is None:
        return None
    column, number, slot = place
    is_confirmed = job.status is Status.READY_TO_PRINT
    printer = services().lab.printer(column.printer)
    return Turn(printer, number if is_confirmed else None, slot, today().is_down(column.printer))
