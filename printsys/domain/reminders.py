"""What the lab owes a student by the calendar: a reminder, the news that a link ran out, a print that lies uncollected.

Derived from the log, so that looking twice, or from two computers, does each once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from printsys.domain.emails import Mail
from printsys.domain.events import Event, EventType
from printsys.domain.job import Job
from printsys.domain.status import Status


@dataclass(frozen=True)
class Patience:
    """How long the lab waits before it reminds: of the confirmation, of the print to collect. None: it never does."""

    confirm: timedelta | None
    collect: timedelta | None


def due(job: Job, events: Sequence[Event], now: datetime, patience: Patience) -> list[str]:
    """The actions of the workflow that are due for `job` by now and have not been done."""
    if job.status is Status.PENDING:
        return list(_of_the_link(job, _since(events, _new_link), now, patience))
    if job.status is Status.COMPLETED and job.student.email and patience.collect is not None:
        reminded = any(_is_queued(event, Mail.UNCOLLECTED) for event in _since(events, _new_status))
        return [] if reminded or now < job.status_since + patience.collect else ["remind-to-collect"]
    return []


def _of_the_link(job: Job, events: Iterable[Event], now: datetime, patience: Patience) -> Iterator[str]:
    link, events = job.confirmation, list(events)
    if link is None or link.nonce is None or link.expires_at is None:
        return
    if link.expires_at <= now:
        if not any(event.type == EventType.CONFIRMATION_EXPIRED for event in events):
            yield "expire"
    elif patience.confirm is not None and link.sent_at is not None and job.student.email:
        reminded = any(_is_queued(event, Mail.REMINDER) for event in events)
        if not reminded and now >= link.sent_at + patience.confirm:
            yield "remind"


def _since(events: Sequence[Event], begins: Callable[[Event], bool]) -> Sequence[Event]:
    """The events after the last one that begins the wait anew. By their order, whatever the clocks said."""
    last = max((n for n, event in enumerate(events) if begins(event)), default=-1)
    return events[last + 1 :]


def _new_link(event: Event) -> bool:
    return bool((event.patch.get("confirmation") or {}).get("nonce"))


def _new_status(event: Event) -> bool:
    return "status" in event.patch


def _is_queued(event: Event, mail: Mail) -> bool:
    return event.type == EventType.EMAIL_QUEUED and event.data.get("mail") == mail
