"""Takes a job's folder away for good and leaves an anonymous line of it in `.printsys/pruned/<year>.jsonl`.

In this order: the line as a note of its own in `pruned/pending/`, synced; JobDeleted in the job's log, which moves the
folder to the trash; the line in the year's log, synced; the folder removed; the note removed. Killed anywhere, the job
is either as it was or counted once: `pruned_jobs` counts a note whose folder is in the trash as a line, and a key that
is in the log twice as one. `finish_pruning` goes on where it ended.

`pruned/gone/` has the bare ids for a while: a mirror that was down meanwhile should not look for these jobs.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

from pydantic import ValidationError

from printsys import fs
from printsys.domain.events import EventDraft, EventType
from printsys.domain.job import format_time
from printsys.domain.naming import parse_id
from printsys.domain.pruned import Because, PrunedJob, pruned_job
from printsys.errors import DamagedJob, JobNotFound, PrintSysError, StorageFailure
from printsys.jobstore.layout import EVENTS
from printsys.jobstore.log import Log, trusted
from printsys.jobstore.store import JobEdit, JobStore
from printsys.jobstore.stored import is_deleted
from printsys.jobstore.trash import TRASH_KEEPS, Waste, remove, thrown_away

KEY_LENGTH = 16
BECAUSE = "because"
"""In the data of JobDeleted: that the job was pruned, and why."""
logger = logging.getLogger(__name__)


def pruned_jobs(store: JobStore) -> Iterator[PrunedJob]:
    """What is known of every job whose folder is gone for good, each once, by the year in which it came in.

    StorageFailure for a log that cannot be read: a report should say so, and not count less.
    """
    keys = set()
    with store.disk_errors():
        for path in _year_logs(store):
            for job in _lines(path):
                if job.key not in keys:
                    keys.add(job.key)
                    yield job
        for job_id, job in _announced(store):
            if job.key not in keys and _is_in_trash(store, job_id):
                keys.add(job.key)
                yield job


def year_log(store: JobStore, job: PrunedJob) -> Path:
    """Of the year in which the job came in."""
    return store.layout.pruned / f"{job.document['created_at'][:4]}.jsonl"


def _year_logs(store: JobStore) -> list[Path]:
    return sorted(path for path in store.layout.pruned.glob("*.jsonl") if path.stem.isdecimal())


def _whole_lines(path: Path) -> bytes:
    """Without a last line that was cut off."""
    data = fs.read_if_there(path) or b""
    return data[: data.rfind(b"\n") + 1]


def _lines(path: Path) -> Iterator[PrunedJob]:
    for number, line in enumerate(_whole_lines(path).splitlines(), 1):
        try:
            yield PrunedJob.model_validate_json(line)
        except ValidationError as error:
            raise StorageFailure(f"{path.name} in .printsys/pruned/, line {number}, is no pruned job.") from error


def damaged_log(store: JobStore) -> tuple[str, str] | None:
    """(path, sentence) of the first log that somebody damaged; reports cannot count while it is so."""
    try:
        for _job in pruned_jobs(store):
            pass
    except StorageFailure as error:
        return store.layout.relative(store.layout.pruned), str(error)
    return None


# -- pruning ----------------------------------------------------------------------------------------------------------


def announce(store: JobStore, change: JobEdit, actor: str, today: date, because: Because) -> None:
    """Inside an edit of the job: when it ends, the job is deleted. Call `finish_pruning` after it. StorageFailure."""
    stored = change.before
    key = key_of(stored.log)
    job = pruned_job(stored.job, stored.document, stored.events, key, today.isoformat(), because)
    with store.disk_errors():
        note = _note(store, stored.id)
        for folder in (store.layout.pruned, note.parent):  # without parents: nothing in the empty place of a share
            folder.mkdir(exist_ok=True)
            fs.sync_folder(folder.parent)
        fs.replace(note, _line(job))
    change.record(EventDraft(EventType.JOB_DELETED, actor, {"reason": "pruned", BECAUSE: because}))
    change.to_trash = True


def was_pruned(store: JobStore, log: Log) -> bool:
    """Whether the job of this log was pruned or erased. StorageFailure."""
    key = key_of(log)
    with store.disk_errors():
        is_erased = f'"{key}"'.encode() in _whole_lines(_requests(store))  # out of the trash, which leaves no line
    return is_erased or any(job.key == key for job in pruned_jobs(store))


def key_of(log: Log) -> str:
    """Who has not got the log's first line can tell no job by it."""
    return (log.line_digest(1) or "")[:KEY_LENGTH]


def finish_pruning(store: JobStore, job_id: str) -> bool:
    """Bring an announced pruning to its end; whether the folder is gone. False, too, where it was announced and never
    decided: then the note of it goes. JobBusy, StorageFailure, StorageOffline."""
    store.require_online()
    with store.locked(job_id), store.disk_errors():
        job = _read_note(_note(store, job_id))
        if job is None:
            return False
        if not _is_in_trash(store, job_id) and not _is_in_log(store, job):
            if _is_undecided(store, job_id):
                fs.unlink(_note(store, job_id))
            return False
        with store.locked("pruned"):
            _append(store, job)
        gone = store.layout.pruned_id(job_id)
        gone.parent.mkdir(exist_ok=True)
        fs.replace(gone, b"")
    for folder in thrown_away(store, job_id):
        remove(store, Waste("trash", folder, store.clock(), 0))
    with store.disk_errors():
        fs.unlink(_note(store, job_id))
    return True


def finish_all(store: JobStore) -> None:
    """What a process that was killed left behind; and the ids that no mirror needs any more."""
    for job_id in [job_id for job_id, _job in _announced(store)]:
        try:
            finish_pruning(store, job_id)
        except PrintSysError as error:
            logger.warning("job %s is pruned later: %s", job_id, error)
    with store.disk_errors():
        for path in (store.layout.pruned / "gone").glob("*"):
            if datetime.fromtimestamp(path.stat().st_mtime, UTC) < store.clock() - TRASH_KEEPS:
                fs.unlink(path)


def _requests(store: JobStore) -> Path:
    return store.layout.pruned / "requests.jsonl"


def note_request(store: JobStore, what: str, **details: int | str | list[str]) -> None:
    """That a student's data was exported or erased: when, and how many jobs; not whose. JobBusy, StorageFailure."""
    line = json.dumps({"at": format_time(store.clock()), "what": what} | details).encode() + b"\n"
    with store.locked("pruned"), store.disk_errors():
        path = _requests(store)
        path.parent.mkdir(exist_ok=True)
        fs.append(path, line, len(_whole_lines(path)))
        fs.sync_folder(path.parent)
        fs.sync_folder(path.parent.parent)


def _append(store: JobStore, job: PrunedJob) -> None:
    """Once, however often it is called: cuts off what a write that was interrupted left."""
    path = year_log(store, job)
    if not _is_in_log(store, job):
        fs.append(path, _line(job), len(_whole_lines(path)))
        fs.sync_folder(path.parent)


def _is_in_log(store: JobStore, job: PrunedJob) -> bool:
    return f'"key":"{job.key}"'.encode() in _whole_lines(year_log(store, job))


def _line(job: PrunedJob) -> bytes:
    return json.dumps(job.model_dump(mode="json"), ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _note(store: JobStore, job_id: str) -> Path:
    return store.layout.pruned / "pending" / f"{job_id}.json"


def _announced(store: JobStore) -> Iterator[tuple[str, PrunedJob]]:
    for path in sorted((store.layout.pruned / "pending").glob("*.json")):
        if parse_id(path.stem) == path.stem and (job := _read_note(path)) is not None:
            yield path.stem, job


def _read_note(path: Path) -> PrunedJob | None:
    data = fs.read_if_there(path)
    try:
        return PrunedJob.model_validate_json(data) if data is not None else None
    except ValidationError as error:
        raise StorageFailure(f"The note {path.name} in .printsys/pruned/pending/ cannot be read.") from error


def _is_in_trash(store: JobStore, job_id: str) -> bool:
    """By our own decision: a copy that staff deleted may lie there besides."""
    for folder in thrown_away(store, job_id):
        events = trusted(fs.read_if_there(folder / EVENTS) or b"").events
        if events and events[-1].type == EventType.JOB_DELETED and BECAUSE in events[-1].data:
            return True
    return False


def _is_undecided(store: JobStore, job_id: str) -> bool:
    """The job goes on: the process ended before its log said that it goes. False where nobody can tell."""
    try:
        return not is_deleted(store.load_locked(job_id).log)
    except (JobNotFound, DamagedJob):
        return False
