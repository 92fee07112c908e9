"""What happened in the folders while the system was off: a line for each change, with what can be done about it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from printsys.domain.events import STAFF, Event, EventType
from printsys.domain.folder_moves import last_move
from printsys.domain.workflow import steps_from
from printsys.errors import PrintSysError
from printsys.jobstore import Stored
from printsys.jobstore.notes import EventKey, forget_missed_events, missed_events
from printsys.services import Services
from printsys.web.staff.history import sentence

FILES = frozenset({EventType.FILE_ADDED, EventType.FILES_ADDED, EventType.FILE_CHANGED, EventType.FILE_REMOVED})
FILE_ACTIONS = ("approve", "choose-file")
"""Of these, staff can take the first that the job's status allows."""


@dataclass(frozen=True)
class MissedLine:
    """`action`: the form that deals with it, if there is one; `undo`: whether staff can undo the move."""

    job_id: str
    revision: int
    student: str
    sentence: str
    action: str | None
    label: str
    undo: bool


@dataclass(frozen=True)
class MissedDigest:
    """`last`: the last event that it is about, by `event_name`; what is added later is not read yet."""

    since: datetime | None
    lines: list[MissedLine]
    last: str


def missed_digest(services: Services) -> MissedDigest:
    """Leaves out jobs that are gone or damaged since: those are attention items."""
    missed = missed_events(services.store)
    jobs: dict[str, Stored | None] = {}
    lines = []
    for job_id, seq in missed.events:
        if job_id not in jobs:
            jobs[job_id] = None
            with suppress(PrintSysError):
                jobs[job_id] = services.store.load(job_id)
        stored = jobs[job_id]
        event = next((e for e in stored.events if e.seq == seq), None) if stored else None
        if stored is not None and event is not None:
            lines.append(_line(stored, event))
    return MissedDigest(missed.since, lines, event_name(missed.events[-1]) if missed.events else "")


def forget_missed(services: Services, last_read: str) -> None:
    """All that staff have read, up to the event of that name."""
    keys = [key for key in missed_events(services.store).events if event_name(key) == last_read]
    if keys:
        forget_missed_events(services.store, keys[0])


def event_name(key: EventKey) -> str:
    job_id, seq = key
    return f"{job_id}:{seq}"


def _line(stored: Stored, event: Event) -> MissedLine:
    steps = {step.action: step for step in steps_from(stored.job.status, STAFF)}
    step = next((steps[name] for name in FILE_ACTIONS if name in steps), None) if event.type in FILES else None
    return MissedLine(
        stored.id,
        stored.job.revision,
        stored.job.student.name,
        sentence(event),
        step.action if step else None,
        step.label if step else "",
        event == last_move(stored.events),
    )
