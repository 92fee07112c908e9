"""What is due by the calendar: reminders to confirm and to collect, a link that ran out, a print that nobody wants.

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
    """How long the lab waits before it reminds a student to confirm, and to collect. None: it never reminds.

    `last_call`: how long a print waits until the last e-mail; `keep` after that it is the lab's.
    """

    confirm: timedelta | None
    collect: timedelta | None
    last_call: timedelta | None = None
    keep: timedelta = timedelta(days=14)


def due(job: Job, events: Sequence[Event], now: datetime, patience: Patience) -> list[str]:
    """The actions of the workflow that are due for `job` by now and have not been done."""
    if job.status is Status.PENDING:
        since_link = _since(events, lambda event: bool((event.patch.get("confirmation") or {}).get("nonce")))
        return _due_of_link(job, since_link, now, patience)
    if job.status is Status.COMPLETED:
        return _due_of_print(job, _since(events, lambda event: "status" in event.patch), now, patience)
    return []


def _due_of_print(job: Job, events: Sequence[Event], now: datetime, patience: Patience) -> list[str]:
    """`events`: since it is done. The time after the last e-mail begins when the mail server has taken it."""
    if patience.last_call is not None and job.status_since + patience.last_call <= now:
        if job.student.email and not _was_queued(Mail.LAST_CALL, events):
            return ["last-call"]
        asked_at = _sent_at(Mail.LAST_CALL, events) if job.student.email else job.status_since + patience.last_call
        is_over = asked_at is not None and asked_at + patience.keep <= now
        return ["become-the-labs"] if is_over and became_the_labs(events) is None else []
    if not job.student.email or patience.collect is None or now < job.status_since + patience.collect:
        return []
    was_asked = any(_was_queued(mail, events) for mail in (Mail.UNCOLLECTED, Mail.LAST_CALL))
    return [] if was_asked else ["remind-to-collect"]


def became_the_labs(events: Sequence[Event]) -> Event | None:
    """The event by which the print, which nobody collected, became the lab's; None where it is the student's, or where
    its status changed since."""
    for event in reversed(events):
        if event.type == EventType.BECAME_THE_LABS:
            return event
        if "status" in event.patch:
            return None
    return None


def is_put_away(events: Sequence[Event]) -> bool:
    """Whether staff have put away what became the lab's."""
    last = next((e.type for e in reversed(events) if e.type in (EventType.BECAME_THE_LABS, EventType.PUT_AWAY)), None)
    return last == EventType.PUT_AWAY


def _sent_at(mail: Mail, events: Iterable[Event]) -> datetime | None:
    sent = [event.at for event in events if event.type == EventType.EMAIL_SENT and event.data.get("mail") == mail]
    return max(sent, default=None)


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
