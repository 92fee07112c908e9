"""Jobs as the dashboard shows them: from the mirror or, while that is down, straight from the active folders."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from itertools import islice
from typing import Any

from indexer.queries import JobRow
from printsys.assessment.model_findings import MINOR, findings_of
from printsys.config import Lab
from printsys.domain.emails import held_back
from printsys.domain.events import STUDENT
from printsys.domain.job import Job, parse
from printsys.domain.pending_work import preview_of
from printsys.domain.status import LIVE, Status
from printsys.domain.workflow import Step, steps_from
from printsys.errors import MirrorDown, PrintSysError
from printsys.jobstore import Stored
from printsys.models3d.findings import ModelFinding
from printsys.services import Services
from printsys.web.staff.action_views import next_step

PAGE = 50
MOST_FROM_FOLDERS = 500
DATABASE_DOWN = "The database is resting. This is a plain list, straight from the folders; everything works."


@dataclass(frozen=True)
class JobSummary:
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
    link_expired: datetime | None
    picture: str | None
    """Of its print file or model, under previews/."""
    opens: str | None
    """What staff open in a slicer: the print file or, before there is one, the working copy."""
    findings: tuple[ModelFinding, ...]
    """What speaks against printing the student's models."""
    has_address: bool
    """Whether the student can be written to."""
    held_back: datetime | None
    """Until when the e-mail of a folder that was dragged waits: so long dragging back, or *Undo*, undoes all."""

    @property
    def next_step(self) -> Step | None:
        return next_step(self)

    @property
    def waits_for_student(self) -> bool:
        return waits_for_student(self.status)

    @classmethod
    def of_row(cls, row: JobRow, lab: Lab) -> JobSummary:
        return cls(
            id=row.id, revision=row.revision, status=row.status, status_since=row.status_since,
            student_name=row.student_name, method=row.method, color=row.color, printer=row.printer,
            class_number=row.class_number, weight_g=row.weight_g, time_h=row.time_h, cost=row.cost, paid=row.paid,
            unreviewed=row.unreviewed, notes=row.notes, message=row.message, due_date=row.due_date, copies=row.copies,
            files=len(row.sent_files), hint=_hint(row.problem, row.move_pending, row.asked_by_hand),
            link_expired=_expired(row.status, row.expires_at), held_back=_future(row.next_mail_at),
            **_seen(parse(row.document), lab),
        )  # fmt: skip

    @classmethod
    def of(cls, stored: Stored, lab: Lab) -> JobSummary:
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
            files=len(job.sent_files),
            hint=_hint(str(stored.problem) if stored.problem else None, stored.move_pending, stored.asked_by_hand),
            link_expired=_expired(job.status, job.confirmation.expires_at if job.confirmation else None),
            held_back=_future(held_back(stored.events)), **_seen(job, lab),
        )  # fmt: skip


def _seen(job: Job, lab: Lab) -> dict[str, Any]:
    """The picture of what is printed or, before that is known, of what was sent; and what was found about that."""
    print_files = [record for name in job.print_files if (record := job.file(name))]
    made = (name for record in (*print_files, *job.sent_files) if (name := preview_of(record)))
    found = (one for record in job.sent_files for one in findings_of(record, job, lab) if one.grade != MINOR)
    working = (record.name for record in job.current_files if record.role == "working")
    opens = next((record.name for record in print_files), None) or next(working, None)
    return {
        "picture": next(made, None),
        "findings": tuple(found),
        "opens": opens if job.status in LIVE else None,
        "has_address": bool(job.student.email),
    }


def waits_for_student(status: Status) -> bool:
    return any(step.action == "student_confirm" for step in steps_from(status, STUDENT))


def _expired(status: Status, expires_at: datetime | None) -> datetime | None:
    """When the link ran out on which the job still waits."""
    if expires_at is None or expires_at > datetime.now(UTC) or not waits_for_student(status):
        return None
    return expires_at


def _future(moment: datetime | None) -> datetime | None:
    return moment if moment is not None and moment > datetime.now(UTC) else None


def _hint(problem: str | None, move_pending: str | None, asked: Status | None) -> str | None:
    if problem or move_pending:
        return problem or move_pending
    return f"Somebody moved the folder to {asked}." if asked else None


@dataclass(frozen=True)
class JobList:
    """One page of the dashboard. `unreadable` says which folders were found but could not be read, and why."""

    cards: list[JobSummary]
    status: Status | None
    counts: dict[Status, int]
    total: int
    page: int = 1
    banners: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)

    @property
    def page_count(self) -> int:
        return max(1, math.ceil(self.total / PAGE))


def shelf(services: Services, status: Status | None, q: str, page: int) -> JobList:
    """`status` None: all that match `q` or, without `q`, the first live status in which something waits."""
    try:
        counts = services.queries.counts()
        if status is None and not q:
            status = next((s for s in LIVE if counts[s]), Status.UPLOADED)
        total = services.queries.count(status, q)
        page = max(1, min(page, math.ceil(total / PAGE)))
        rows = services.queries.jobs(status, q, PAGE, (page - 1) * PAGE, oldest_first=status in LIVE)
        return JobList([JobSummary.of_row(row, services.lab) for row in rows], status, counts, total, page)
    except MirrorDown:
        return _from_folders(services, status, q, [DATABASE_DOWN])


def _from_folders(services: Services, status: Status | None, q: str, banners: list[str]) -> JobList:
    """All of it on one page. Finished jobs may be many: of those only so many are read as can be waited for."""
    layout = services.store.layout
    counts = {each: sum(1 for _ in layout.job_folders((each,))) for each in Status}
    cards, unreadable = [], []
    for name, found in islice(_read(services, (status,) if status else LIVE), MOST_FROM_FOLDERS):
        if isinstance(found, PrintSysError):
            unreadable.append(f"{name}: {found}")
        elif _matches(found, q):
            cards.append(found)
    cards.sort(key=lambda card: card.status_since, reverse=status is not None and status not in LIVE)
    return JobList(cards, status, counts, len(cards), 1, banners, unreadable)


def _read(services: Services, statuses: tuple[Status, ...]) -> Iterator[tuple[str, JobSummary | PrintSysError]]:
    """(folder's name, the job in it or why it cannot be read). Folders that are no jobs are not named."""
    for job_id, folder in services.store.ids(statuses):
        try:
            yield folder.name, JobSummary.of(services.store.load(job_id), services.lab)
        except PrintSysError as error:
            yield folder.name, error


def _matches(card: JobSummary, q: str) -> bool:
    """Every word must be found; the mirror's own search knows more than a card does."""
    said = (card.id, card.student_name, card.method, card.color, card.printer, card.class_number, card.notes)
    text = " ".join(part for part in said if part).casefold()
    return all(word in text for word in q.casefold().split())
