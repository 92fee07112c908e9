"""Reminders that are due by the calendar: to confirm, that a link expired, to collect a print.

Derived from the log, so that two looks, or two computers, do each once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from printsys.domain.emails import Mail
from printsys.domain.events import Event, EventType
from printsys.domain.job import Job
from printsys.domain.status import Status


@dataclass(frozen=True)
class Patience:
    """How long the lab waits before it reminds a student to confirm, and to collect. None: it never reminds."""

    confirm: timedelta | None
    collect: timedelta | None


def due(job: Job, events: Sequence[Event], now: datetime, patience: Patience) -> list[str]:
    """The actions of the workflow that are due for `job` by now and have not been done."""
    if job.status is Status.PENDING:
        since_link = _since(events, lambda event: bool((event.patch.get("confirmation") or {}).get("nonce")))
        return _due_of_link(job, since_link, now, patience)
    if job.status is Status.COMPLETED and job.student.email and patience.collect is not None:
        since_status = _since(events, lambda event: "status" in event.patch)
        is_early = now < job.status_since + patience.collect
        return [] if is_early or _was_queued(Mail.UNCOLLECTED, since_status) else ["remind-to-collect"]
    return []


def _due_of_link(job: Job, events: Sequence[Event], now: datetime, patience: Patience) -> list[str]:
    link = job.confirmation
    if link is None or link.nonce is None or link.expires_at is None:
        return []
    if link.expires_at <= now:
        return [] if any(event.type == EventType.CONFIRMATION_EXPIRED for event in events) else ["expire"]
    if patience.confirm is None or link.sent_at is None or not job.student.email:
        return []
    is_early = now < link.sent_at + patience.confirm
    return [] if is_early or _was_queued(Mail.REMINDER, events) else ["remind"]


def _since(events: Sequence[Event], starts: Callable[[Event], bool]) -> Sequence[Event]:
    """The events after the last one that starts the wait. By their order, whatever the clocks showed."""
    last = max((n for n, event in enumerate(events) if starts(event)), default=-1)
    return events[last + 1 :]


def _was_queued(mail: Mail, events: Iterable[Event]) -> bool:
    return any(event.type == EventType.EMAIL_QUEUED and event.data.get("mail") == mail for event in events)
