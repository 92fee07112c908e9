"""What the lab's morning e-mail says: what waits, what is late, what came in, what needs a person."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Literal

from printsys.domain.events import EventType
from printsys.domain.job import Job
from printsys.domain.print_queue import QueuedJob, due_day
from printsys.domain.status import Status

Reason = Literal["should be done", "was due", "has no answer", "is not collected"]
NOT_DONE = (Status.UPLOADED, Status.PENDING, Status.READY_TO_PRINT, Status.PRINTING)


@dataclass(frozen=True)
class LateJob:
    """`since`: the moment or the day at which it became late."""

    job: Job
    reason: Reason
    since: datetime | date


def late_jobs(jobs: Iterable[Job], now: datetime, today: date, collect_after: timedelta | None) -> list[LateJob]:
    """`today`: at the lab. `collect_after`: how long a print may wait for its student; None: for ever."""
    reasons = ((job, lateness(job, now, today, collect_after)) for job in jobs)
    late = [LateJob(job, *reason) for job, reason in reasons if reason is not None]
    return sorted(late, key=lambda each: (_day(each.since), each.job.id))


def lateness(
    job: Job, now: datetime, today: date, collect_after: timedelta | None
) -> tuple[Reason, datetime | date] | None:
    """Why and since when the job is late; None while it is not."""
    due = due_day(job.request.due_date)
    if job.status is Status.PRINTING and (queued := QueuedJob.of(job)).is_late(now):
        return "should be done", queued.done_at
    if job.status in NOT_DONE and due is not None and due < today:
        return "was due", due
    expires_at = job.confirmation.expires_at if job.confirmation else None
    if job.status is Status.PENDING and expires_at is not None and expires_at <= now:
        return "has no answer", expires_at
    if job.status is Status.COMPLETED and collect_after is not None and job.status_since + collect_after <= now:
        return "is not collected", job.status_since
    return None


def _day(moment: datetime | date) -> date:
    return moment.date() if isinstance(moment, datetime) else moment


@dataclass(frozen=True)
class WaitingGroup:
    """Jobs that wait for the same thing. `since`: the longest wait. `status` is the list of the dashboard with them."""

    title: str
    status: Status
    count: int
    since: datetime


GROUPS: tuple[tuple[str, Status, Callable[[Job], bool]], ...] = (
    ("New to review", Status.UPLOADED, lambda job: job.reviewed_at is None),
    ("Reviewed, not decided", Status.UPLOADED, lambda job: job.reviewed_at is not None),
    ("Waiting for the student's OK", Status.PENDING, lambda job: True),
    ("Ready to start", Status.READY_TO_PRINT, lambda job: True),
    ("Printing", Status.PRINTING, lambda job: True),
    ("To hand out", Status.COMPLETED, lambda job: True),
)


def waiting_groups(jobs: Iterable[Job]) -> list[WaitingGroup]:
    """In the order of a job's life, without the empty ones."""
    jobs = list(jobs)
    groups = []
    for title, status, belongs in GROUPS:
        since = [job.status_since for job in jobs if job.status is status and belongs(job)]
        if since:
            groups.append(WaitingGroup(title, status, len(since), min(since)))
    return groups


WEEK: dict[str, frozenset[EventType]] = {
    "came in": frozenset({EventType.JOB_CREATED}),
    "approved": frozenset({EventType.STAFF_APPROVED}),
    "not printed": frozenset({EventType.JOB_REJECTED, EventType.STUDENT_DECLINED, EventType.JOB_WITHDRAWN}),
    "prints done": frozenset({EventType.JOB_COMPLETED}),
    "prints failed": frozenset({EventType.PRINT_FAILED}),
    "picked up": frozenset({EventType.JOB_PICKED_UP}),
}
"""What the sum of a week counts, by its words in the e-mail."""


@dataclass(frozen=True)
class Digest:
    """`attention` None: nobody could say what needs a person. `week` None: no sum of the week. `backups`: what is wrong
    with them."""

    day: date
    since: datetime
    waiting: list[WaitingGroup] = field(default_factory=list)
    late: list[LateJob] = field(default_factory=list)
    arrived: list[Job] = field(default_factory=list)
    attention: list[str] | None = None
    week: dict[str, int] | None = None
    backups: str | None = None

    @property
    def for_a_person(self) -> list[str]:
        return [*([self.backups] if self.backups else []), *(self.attention or [])]

    @property
    def is_quiet(self) -> bool:
        return not (self.waiting or self.late or self.arrived or self.for_a_person)
