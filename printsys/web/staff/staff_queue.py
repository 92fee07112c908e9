"""The print queue as staff see it: its jobs whole, from the mirror or, while that is down, from the folders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from indexer.job_filter import JobFilter
from printsys.config.lab import Printer
from printsys.domain.lab_today import Note
from printsys.domain.print_queue import Column, QueuedJob, Slot, columns
from printsys.domain.status import Status
from printsys.errors import InvalidInput, MirrorDown
from printsys.web import lab_day
from printsys.web.services import services
from printsys.web.staff.folder_list import DATABASE_DOWN, read_folders
from printsys.web.staff.job_list import JobSummary

MOST_JOBS = 500
ON_A_PRINTER = (Status.PRINTING, Status.READY_TO_PRINT)


@dataclass(frozen=True)
class Printing:
    """A print on a printer. `is_late`: it should be done by now."""

    summary: JobSummary
    done_at: datetime | None
    is_late: bool


@dataclass(frozen=True)
class Waiting:
    """A print in line. `is_behind_closing`: it is the first one that is not done when the lab closes today."""

    summary: JobSummary
    slot: Slot
    is_behind_closing: bool


@dataclass(frozen=True)
class PrinterColumn:
    """`printer` None: of jobs for a printer that the lab does not have. `down`: why it is, if it is."""

    printer: Printer | None
    down: Note | None
    printing: list[Printing]
    waiting: list[Waiting]
    free_at: datetime | None

    @property
    def is_free(self) -> bool:
        return not self.printing and self.down is None


@dataclass(frozen=True)
class StaffQueue:
    columns: list[PrinterColumn]
    closes: datetime | None
    banners: list[str]


def staff_queue() -> StaffQueue:
    summaries, banners = _summaries()
    lab, now, note, hours = services().lab, datetime.now(UTC), lab_day.today(), lab_day.opening_hours()
    jobs = [QueuedJob.of(summary.job) for summary in summaries.values()]
    planned = columns(jobs, [printer.id for printer in lab.printers], hours, now, note.order, note.printers_down)
    closes = hours.closes(now)
    return StaffQueue([_column(column, summaries, now, closes) for column in planned], closes, banners)


def _summaries() -> tuple[dict[str, JobSummary], list[str]]:
    """By id, and what staff should know of the list."""
    try:
        rows = [row for status in ON_A_PRINTER for row in services().queries.jobs(status, "", MOST_JOBS, 0, True)]
        return {row.id: JobSummary.from_row(row) for row in rows}, []
    except MirrorDown:
        stored = [each for status in ON_A_PRINTER for each in read_folders(services().store, JobFilter(status)).jobs]
        return {each.id: JobSummary.from_folder(each) for each in stored}, [DATABASE_DOWN]


def _column(
    column: Column, summaries: Mapping[str, JobSummary], now: datetime, closes: datetime | None
) -> PrinterColumn:
    printing = []
    for job in column.printing:
        done_at = job.done_at if job.hours is not None else None
        printing.append(Printing(summaries[job.id], done_at, job.is_late(now)))
    is_open, waiting = closes is not None, []
    for slot in column.slots:
        is_behind = is_open and closes is not None and slot.ends is not None and slot.ends > closes
        waiting.append(Waiting(summaries[slot.job.id], slot, is_behind))
        is_open = is_open and not is_behind
    down = lab_day.today().printers_down.get(column.printer)
    return PrinterColumn(services().lab.printer(column.printer), down, printing, waiting, column.free_at)


def require_up(printer_id: str | None) -> Printer | None:
    """The printer, if the lab has it. InvalidInput where it is down."""
    printer = services().lab.printer(printer_id)
    if printer is not None and printer.id in lab_day.today().printers_down:
        raise InvalidInput({"printer": [f"The {printer.name} is down. Which one is it on?"]})
    return printer


def require_free(printer_id: str | None) -> None:
    """InvalidInput asks for the printer where a print cannot start on this one now."""
    printer = require_up(printer_id)
    if printer is None:
        return
    try:
        printing = services().queries.queue([Status.PRINTING])
    except MirrorDown:  # nobody knows
        return
    if any(job.printer == printer.id for job in printing):
        words = f"Another job is recorded as printing on the {printer.name}. Which one is it on?"
        raise InvalidInput({"printer": [words]})


def moved(ids: list[str], job_id: str, by: str) -> list[str]:
    """`ids` with that job one place up or down, or at the front. Unchanged where it is not among them."""
    if job_id not in ids:
        return ids
    here = ids.index(job_id)
    target = {"up": here - 1, "down": here + 1, "front": 0}.get(by, here)
    others = [each for each in ids if each != job_id]
    target = min(max(target, 0), len(others))
    return [*others[:target], job_id, *others[target:]]


def waiting_ids(printer: str, columns_now: list[PrinterColumn]) -> list[str]:
    column = next((each for each in columns_now if each.printer is not None and each.printer.id == printer), None)
    return [waiting.summary.job.id for waiting in column.waiting] if column is not None else []
