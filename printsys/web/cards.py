"""Jobs as the dashboard shows them: from the mirror or, while that is down, straight from the active folders."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from indexer.queries import JobRow
from printsys.domain.job import LIVE, Job, Status
from printsys.domain.workflow import Step, steps_from
from printsys.errors import MirrorDown, PrintSysError, StorageOffline
from printsys.jobstore import Stored
from printsys.wiring import House

PAGE = 50
NEXT = ("approve", "start", "complete", "pickup", "archive")
"""The one thing to do next, where it is staff's to do."""
ONE_CLICK = ("start", "complete", "archive", "review", "unreview", "resend-email")
DATABASE_DOWN = "The database is resting. This is a plain list, straight from the active folders; everything works."


@dataclass(frozen=True)
class Card:
    """A job at a glance. `hint` is what a person should know about its folder or record."""

    id: str
    revision: int
    status: Status
    status_since: datetime
    student_name: str
    method: str
    color: str | None
    printer: str | None
    class_number: str | None
    weight_g: Decimal | None
    time_h: Decimal | None
    cost: Decimal | None
    paid: Decimal | None
    unreviewed: bool
    notes: str
    message: str
    due_date: str | None
    copies: int
    files: int
    hint: str | None
    mail_owed: int

    @property
    def next_step(self) -> Step | None:
        return next((step for step in steps_from(self.status) if step.action in NEXT), None)

    @classmethod
    def of_row(cls, row: JobRow) -> Card:
        return cls(
            id=row.id, revision=row.revision, status=row.status, status_since=row.status_since,
            student_name=row.student_name, method=row.method, color=row.color, printer=row.printer,
            class_number=row.class_number, weight_g=row.weight_g, time_h=row.time_h, cost=row.cost, paid=row.paid,
            unreviewed=row.unreviewed, notes=row.notes, message=row.message, due_date=row.due_date, copies=row.copies,
            files=len(row.sent_files), hint=_hint(row.problem, row.move_pending, row.asked_by_hand),
            mail_owed=row.mail_owed,
        )  # fmt: skip

    @classmethod
    def of(cls, stored: Stored) -> Card:
        job: Job = stored.job
        estimate = job.estimate
        return cls(
            id=job.id, revision=job.revision, status=job.status, status_since=job.status_since,
            student_name=job.student.name, method=job.request.method, color=job.request.color,
            printer=job.request.printer, class_number=job.student.class_number,
            weight_g=estimate.weight_g if estimate else None, time_h=estimate.time_h if estimate else None,
            cost=estimate.cost if estimate else None, paid=job.payment.amount if job.payment else None,
            unreviewed=job.status is Status.UPLOADED and job.reviewed_at is None, notes=job.notes or "",
            message=job.request.message or "", due_date=job.request.due_date, copies=job.request.copies,
            files=sum(1 for record in job.files if record.role == "original"),
            hint=_hint(str(stored.problem) if stored.problem else None, stored.move_pending, stored.asked_by_hand),
            mail_owed=0,
        )  # fmt: skip


def _hint(problem: str | None, move_pending: str | None, asked: Status | None) -> str | None:
    if problem or move_pending:
        return problem or move_pending
    return f"Somebody moved the folder to {asked}." if asked else None


@dataclass(frozen=True)
class Shelf:
    """One page of the dashboard. `counts` is None while nobody can count."""

    cards: list[Card]
    status: Status | None
    counts: dict[Status, int] | None
    total: int
    page: int = 1
    banners: list[str] = field(default_factory=list)

    @property
    def page_count(self) -> int:
        return max(1, math.ceil(self.total / PAGE))


def shelf(house: House, status: Status | None, q: str, page: int) -> Shelf:
    """`status` None: all that match `q` or, without `q`, the first live status in which something waits."""
    banners = _storage_banner(house)
    try:
        counts = house.queries.counts()
        if status is None and not q:
            status = next((s for s in LIVE if counts[s]), Status.UPLOADED)
        rows = house.queries.jobs(status, q, PAGE, (page - 1) * PAGE, oldest_first=status in LIVE)
        total = house.queries.count(status, q)
        return Shelf([Card.of_row(row) for row in rows], status, counts, total, page, banners)
    except MirrorDown:
        cards = [card for card in _from_folders(house, status) if _matches(card, q)]
        return Shelf(cards, status, None, len(cards), 1, [*banners, DATABASE_DOWN])


def _storage_banner(house: House) -> list[str]:
    try:
        house.store.require_online()
    except StorageOffline as offline:
        return [str(offline)]
    return []


def _from_folders(house: House, status: Status | None) -> Iterator[Card]:
    try:
        for job_id, _ in house.store.ids((status,) if status else LIVE):
            try:
                yield Card.of(house.store.load(job_id))
            except PrintSysError:
                continue  # its own page says what is wrong with it
    except StorageOffline:
        return


def _matches(card: Card, q: str) -> bool:
    text = f"{card.id} {card.student_name} {card.method} {card.color} {card.class_number}".casefold()
    return all(word in text for word in q.casefold().split())
