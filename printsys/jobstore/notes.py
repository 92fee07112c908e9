"""Notes in storage itself, true for every computer of the lab: jobs whose folder vanished, and what happened in the
folders while the system was off. They outlive the mirror."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from printsys import fs
from printsys.domain.job import format_time
from printsys.domain.naming import parse_id
from printsys.jobstore.jsontext import JsonProblem, decode_object
from printsys.jobstore.store import JobStore

MAX_MISSED_EVENTS = 500
"""So many can be read; the histories of the jobs have all of them."""
EventKey = tuple[str, int]
"""A job's id, and the number of an event of it."""
logger = logging.getLogger(__name__)


def note_missing(store: JobStore, job_id: str, summary: Mapping[str, object]) -> None:
    """Remember a job whose folder vanished: pages show it until it is back or forgotten. StorageFailure."""
    with store.disk_errors():
        fs.replace(store.layout.missing / f"{job_id}.json", json.dumps(dict(summary), ensure_ascii=False).encode())


def missing_jobs(store: JobStore) -> dict[str, dict[str, object]]:
    """What was noted of each missing job, by its id. What else lies there (a Mac's ._ files, copies) is no note."""
    ids = [path.stem for path in sorted(store.layout.missing.glob("*.json")) if parse_id(path.stem) == path.stem]
    notes = ((job_id, missing_job_note(store, job_id)) for job_id in ids)
    return {job_id: note for job_id, note in notes if note is not None}


def missing_job_note(store: JobStore, job_id: str) -> dict[str, object] | None:
    """What was noted of this one, nothing where nobody can read the note; None: it is not missing."""
    path = store.layout.missing / f"{job_id}.json"
    try:
        data = fs.read_if_there(path)
        return decode_object(data) if data is not None else None
    except (JsonProblem, OSError) as error:
        logger.warning("the note of the missing job %s cannot be read: %s", job_id, error)
        return {}


def forget_missing(store: JobStore, job_id: str) -> None:
    """Called for every job that is there, so it asks first: a storage that can only be read refuses any removal."""
    note = store.layout.missing / f"{job_id}.json"
    if os.path.lexists(note):
        fs.unlink(note)


@dataclass(frozen=True)
class MissedEvents:
    """What staff have not read yet. `since`: when the system last ran before, as far as it is known."""

    since: datetime | None
    events: tuple[EventKey, ...]


def missed_events(store: JobStore) -> MissedEvents:
    """Nothing, where there is nothing, or nothing that can be read: it is only a reminder."""
    try:
        data = fs.read_if_there(store.layout.missed_events)
        note = decode_object(data) if data is not None else {}
        since = note.get("since")
        events = tuple((str(job_id), int(seq)) for job_id, seq in note.get("lines", []))
        return MissedEvents(datetime.fromisoformat(since) if since else None, events)
    except (JsonProblem, ValueError, TypeError, OSError):
        return MissedEvents(None, ())


def note_missed_events(store: JobStore, events: Iterable[EventKey], since: datetime | None) -> None:
    """Add to what staff have not read yet; the first note says since when. JobBusy, StorageFailure."""
    with store.locked("away"), store.disk_errors():
        unread = missed_events(store)
        every = tuple(dict.fromkeys([*unread.events, *events]))[-MAX_MISSED_EVENTS:]
        _write_missed_events(store, MissedEvents(unread.since if unread.events else since, every))


def forget_missed_events(store: JobStore, last_read: EventKey) -> None:
    """Up to `last_read`; what was added after it stays, as all does where it is not there. JobBusy, StorageFailure."""
    with store.locked("away"), store.disk_errors():
        unread = missed_events(store)
        if last_read not in unread.events:
            return
        rest = unread.events[unread.events.index(last_read) + 1 :]
        if rest:
            _write_missed_events(store, MissedEvents(unread.since, rest))
        else:
            fs.unlink(store.layout.missed_events)


def _write_missed_events(store: JobStore, missed: MissedEvents) -> None:
    note = {"since": format_time(missed.since) if missed.since else None, "lines": missed.events}
    fs.replace(store.layout.missed_events, json.dumps(note).encode())
