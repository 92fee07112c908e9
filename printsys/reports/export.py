"""One row a job, for a spreadsheet or another program, straight from the records. docs/export.md documents it."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Protocol, TextIO
from zoneinfo import ZoneInfo

from printsys.domain.events import EventType
from printsys.domain.job import Job, format_time, plain
from printsys.domain.payments import NOTHING, charged_discounts, ledger
from printsys.domain.request_fields import REQUEST_FIELDS
from printsys.errors import PrintSysError
from printsys.jobstore import JobStore
from printsys.jobstore.layout import readable

Value = str | int | None
Row = dict[str, Value]

DISCOUNTS = ("discounts", "discount")
BALANCES = ("waived", "refunded", "due")
SUMS = ("weight_g", "volume_ml", "time_h", "cost")
MOMENTS = {
    "approved_at": {EventType.STAFF_APPROVED},
    "started_at": {EventType.PRINTING_STARTED},
    "completed_at": {EventType.JOB_COMPLETED},
    "picked_up_at": {EventType.JOB_PICKED_UP},
    "rejected_at": {EventType.JOB_REJECTED, EventType.STUDENT_DECLINED, EventType.JOB_WITHDRAWN},
    "archived_at": {EventType.JOB_ARCHIVED},
}
"""Column → the events whose last time it has."""
REQUEST_COLUMNS = {field.column: field for field in REQUEST_FIELDS if field.column and not field.is_personal}
PERSONAL_COLUMNS = {field.column: field for field in REQUEST_FIELDS if field.column and field.is_personal}
NUMBER = re.compile(r"-?\d+(\.\d+)?")
RISKY = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What a formula begins with (OWASP, CSV Injection); blanks may come before it."""


@dataclass(frozen=True)
class Period:
    """Days in the lab's time zone, both included; None: without end. `by`: the column that counts."""

    zone: ZoneInfo
    first: date | None = None
    last: date | None = None
    by: str = "created_at"

    def has(self, row: Row) -> bool:
        if self.first is None and self.last is None:
            return True
        moment = row[self.by]
        if not isinstance(moment, str):
            return False
        day = datetime.fromisoformat(moment).astimezone(self.zone).date()
        return (self.first or day) <= day <= (self.last or day)


def rows(
    store: JobStore,
    period: Period,
    with_students: bool,
    left_out: dict[str, str],
    progress: Callable[[int, int], None] | None = None,
) -> list[Row]:
    """In the order of submission. Jobs that cannot be read are added to `left_out`, each with the reason."""
    selected: list[Row] = []
    job_ids = list(dict.fromkeys(job_id for job_id, _folder in store.ids()))
    for count, job_id in enumerate(job_ids, 1):
        try:
            stored = store.load(job_id)
        except PrintSysError as error:
            left_out[job_id] = str(error)
            continue
        row = job_row(stored.job, stored.events, readable(stored.folder.name) if with_students else None)
        if period.has(row):
            selected.append(row)
        if progress:
            progress(count, len(job_ids))
    return sorted(selected, key=lambda row: (str(row["created_at"]), str(row["id"])))


class Dated(Protocol):
    """An event, as far as a row needs it."""

    @property
    def at(self) -> datetime: ...
    @property
    def type(self) -> str: ...


def job_row(job: Job, events: Sequence[Dated], folder: str | None = None) -> Row:
    """`folder`: its name, for a row that says whose job it is."""
    return dict(_values(job, events)) | (_personal_values(job, folder) if folder is not None else {})


def pruned_row(job: Job, events: Sequence[Dated]) -> Row:
    """Of a pruned job: nobody knows whose it was, or how many files it had."""
    return dict(_values(job, events)) | {"files": None}


def _values(job: Job, events: Sequence[Dated]) -> Iterator[tuple[str, Value]]:
    estimate, payment = job.estimate, job.payment
    yield from (("id", job.id), ("status", job.status.value), ("status_since", format_time(job.status_since)))
    yield "created_at", format_time(job.created_at)
    for column, kinds in MOMENTS.items():
        yield column, next((format_time(e.at) for e in reversed(events) if e.type in kinds), None)
    confirmed_at = job.confirmation.confirmed_at if job.confirmation else None
    yield "confirmed_at", format_time(confirmed_at) if confirmed_at else None
    yield from ((column, field.value(job)) for column, field in REQUEST_COLUMNS.items())
    yield "files", len(job.sent_files)
    yield "material", estimate.material if estimate else None
    for column in SUMS:
        amount = getattr(estimate, column) if estimate else None
        yield column, plain(amount) if amount is not None else None
    yield "paid", plain(payment.amount) if payment else None
    yield "payment_method", payment.method if payment else None
    yield "paid_at", format_time(payment.at) if payment and payment.at else None
    yield "prints_failed", sum(event.type == EventType.PRINT_FAILED for event in events)
    yield "rejection_reasons", "; ".join(job.rejection.reasons) if job.rejection else None
    book = ledger(job)
    for column in BALANCES:
        yield column, plain(getattr(book, column)) if payment else None
    taken_off = charged_discounts(job)
    yield "discounts", "; ".join(discount.name for discount in taken_off) or None
    yield "discount", plain(sum((discount.amount for discount in taken_off), NOTHING)) if taken_off else None


def _personal_values(job: Job, folder: str) -> Row:
    """What names the student, or may, because people typed it freely."""
    payment = job.payment
    return {
        **{column: field.value(job) for column, field in PERSONAL_COLUMNS.items()},
        "picked_up_by": payment.picked_up_by if payment else None,
        "transaction": payment.transaction if payment else None,
        "rejection_comment": job.rejection.comment if job.rejection else None,
        "notes": job.notes,
        "folder": folder,
    }


def write_csv(rows: Iterable[Row], columns: list[str], file: TextIO, line_end: str) -> None:
    """A header, then the rows. A text that begins as a formula does gets an apostrophe before it."""
    writer = csv.DictWriter(file, columns, lineterminator=line_end)
    writer.writeheader()
    writer.writerows({name: _harmless(value) for name, value in row.items()} for row in rows)


def _harmless(value: Any) -> Any:
    if not isinstance(value, str) or NUMBER.fullmatch(value):
        return value
    is_risky = value.startswith(RISKY) or value.lstrip().startswith(RISKY)
    return f"'{value}" if is_risky else value


def columns(with_students: bool) -> list[str]:
    return [*COLUMNS, *(STUDENT_COLUMNS if with_students else ())]


COLUMNS = (
    "id", "status", "status_since", "created_at", *MOMENTS, "confirmed_at",
    *REQUEST_COLUMNS, "files", "material", *SUMS,
    "paid", "payment_method", "paid_at", "prints_failed", "rejection_reasons",
    *BALANCES, *DISCOUNTS,
)  # fmt: skip
STUDENT_COLUMNS = (
    "student_name", "student_email", "class_number", "picked_up_by", "transaction", "message", "rejection_comment",
    "notes", "folder",
)  # fmt: skip
