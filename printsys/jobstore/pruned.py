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
import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, date, datetime
from itertools import chain
from pathlib import Path

from pydantic import ValidationError

from printsys import fs
from printsys.domain.events import EventDraft, EventType
from printsys.domain.job import format_time
from printsys.domain.naming import parse_id
from printsys.domain.pruned import Because, PrunedJob, pruned_job
from printsys.errors import DamagedJob, JobNotFound, PrintSysError, StorageFailure, TransitionNotAllowed
from printsys.jobstore.jsontext import JsonProblem, decode_object
from printsys.jobstore.layout import EVENTS
from printsys.jobstore.log import Log, trusted
from printsys.jobstore.notes import forget_missing
from printsys.jobstore.store import JobEdit, JobStore
from printsys.jobstore.stored import is_deleted
from printsys.jobstore.trash import TRASH_KEEPS, Waste, remove, thrown_away

KEY_LENGTH = 16
BECAUSE = "because"
"""In the data of JobDeleted: that the job was pruned, and why."""
logger = logging.getLogger(__name__)


def pruned_jobs(store: JobStore) -> Iterator[PrunedJob]:
    """What is known of every job whose folder is gone for good, each once, by the year in which it came in.

    StorageFailure for a log that cannot be read: a report should say so, and not count less. StorageOffline.
    """
    keys = set()
    with store.disk_errors():
        going = jobs_going(store).values()  # before the logs: one that becomes a line meanwhile is in one of the two
        for job in chain(*map(jobs_in, year_logs(store)), going):
            if job.key not in keys:
                keys.add(job.key)
                yield job
    store.require_online()  # or there were logs that no listing had


def is_any_going(store: JobStore) -> bool:
    """Whether a note says so, be it true or not."""
    with store.disk_errors():
        return next(_announced(store), None) is not None


def jobs_going(store: JobStore) -> dict[str, PrunedJob]:
    """Jobs on their way out, by their ids: the folder is in the trash, and the note may not be a line yet."""
    with store.disk_errors():
        notes = ((job_id, _read_note(_note(store, job_id))) for job_id in _announced(store))
        return {job_id: job for job_id, job in notes if job is not None and _is_in_trash(store, job_id)}


def gone_ids(store: JobStore) -> set[str]:
    """Of jobs that were pruned in the last time."""
    with store.disk_errors():
        return {name for name in _names(store.layout.pruned / "gone") if parse_id(name) == name}


def _names(folder: Path) -> list[str]:
    """Nothing where the folder is not there."""
    try:
        return sorted(os.listdir(folder))
    except FileNotFoundError:
        return []


def year_log(store: JobStore, job: PrunedJob) -> Path:
    """Of the year in which the job came in."""
    return store.layout.pruned / f"{job.document['created_at'][:4]}.jsonl"


def year_logs(store: JobStore) -> list[Path]:
    with store.disk_errors():
        paths = (store.layout.pruned / name for name in _names(store.layout.pruned))
        return [path for path in paths if path.suffix == ".jsonl" and path.stem.isdecimal()]


def _lines_if_there(path: Path) -> bytes:
    return _whole_lines(fs.read_if_there(path) or b"")


def _whole_lines(data: bytes) -> bytes:
    """Without a last line that was cut off. One that lacks nothing but its end, as some editors leave it, is whole."""
    end = data.rfind(b"\n") + 1
    try:
        decode_object(data[end:])
    except JsonProblem:
        return data[:end]
    return data


def jobs_in(path: Path) -> Iterator[PrunedJob]:
    """Of one log. StorageFailure for a line that reports could not count; OSError, also where the log is gone: it may
    be the whole storage that is."""
    for number, line in enumerate(_whole_lines(fs.read(path)).splitlines(), 1):
        try:
            yield _pruned_job(line)
        except ValueError as error:
            raise StorageFailure(f"{path.name} in .printsys/pruned/, line {number}, is no pruned job.") from error


def _pruned_job(line: bytes) -> PrunedJob:
    """ValueError for what reports could not count."""
    try:
        job = PrunedJob.model_validate(decode_object(line))
        _ = job.job, job.counted_events  # reports read it so
    except (KeyError, TypeError) as error:
        raise ValueError(str(error)) from error
    return job


def damaged_log(store: JobStore) -> tuple[str, str] | None:
    """(path, sentence) of the first log that somebody damaged; reports cannot count while it is so."""
    try:
        for _job in pruned_jobs(store):
            pass
    except StorageFailure as error:
        return store.layout.relative(store.layout.pruned), str(error)
    return None


# -- pruning ----------------------------------------------------------------------------------------------------------


def announce(store: JobStore, change: JobEdit, actor: str, today: date, because: Because) -> PrunedJob:
    """Inside an edit of the job: when it ends, the job is deleted. Call `finish_pruning` after it. TransitionNotAllowed
    where reports could not count what would be left of it: then the job stays. StorageFailure."""
    stored = change.before
    key = key_of(stored.log)
    job = pruned_job(stored.job, stored.document, stored.events, key, today.isoformat(), because)
    line = _line(job)
    try:
        _pruned_job(line)
    except ValueError as error:
        raise TransitionNotAllowed("prune", f"Reports could not count what is left of it: {_reason(error)}.") from error
    with store.disk_errors():
        note = _note(store, stored.id)
        for folder in (store.layout.pruned, note.parent):  # without parents: nothing in the empty place of a share
            folder.mkdir(exist_ok=True)
            fs.sync_folder(folder.parent)
        fs.replace(note, line)
    change.record(EventDraft(EventType.JOB_DELETED, actor, {"reason": "pruned", BECAUSE: because}))
    change.to_trash = True
    return job


def _reason(error: ValueError) -> str:
    """Which field, and why; not what stands there."""
    if not isinstance(error, ValidationError):
        return str(error)
    problem = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(map(str, problem["loc"]))
    return f"of {where} nothing may stay" if problem["type"] == "missing" else f"{where}: {problem['msg']}"


def was_pruned(store: JobStore, log: Log) -> bool:
    """Whether the job of this log was pruned or erased. StorageFailure."""
    key = key_of(log)
    with store.disk_errors():
        is_erased = f'"{key}"'.encode() in _lines_if_there(_requests(store))  # out of the trash, which leaves no line
    return is_erased or any(job.key == key for job in pruned_jobs(store))


def key_of(log: Log) -> str:
    """Who has not got the log's first line can tell no job by it."""
    return (log.line_digest(1) or "")[:KEY_LENGTH]


def finish_pruning(store: JobStore, job_id: str) -> bool:
    """Bring an announced pruning to its end; whether the folder is gone, be it that another process ended it. False,
    too, where it was announced and never decided: then the note of it goes. JobBusy, StorageFailure, StorageOffline."""
    store.require_online()
    with store.locked(job_id), store.disk_errors():
        job = _read_note(_note(store, job_id))
        if job is None:
            return os.path.lexists(store.layout.pruned_id(job_id))
        if not _is_in_trash(store, job_id) and not _is_in_log(store, job):
            if _is_undecided(store, job_id):
                fs.unlink(_note(store, job_id))
            return False
        with store.locked("pruned"):
            _append(year_log(store, job), b"" if _is_in_log(store, job) else _line(job))
        gone = store.layout.pruned_id(job_id)
        gone.parent.mkdir(exist_ok=True)
        fs.replace(gone, b"")
    for folder in list(thrown_away(store, job_id)):
        remove(store, Waste("trash", folder, store.clock(), 0))
    with store.disk_errors():
        forget_missing(store, job_id)  # its folder was back, and no sweep has seen that
        fs.unlink(_note(store, job_id))
    return True


def finish_all(store: JobStore) -> None:
    """What a process that was killed left behind; and the ids that no mirror needs any more."""
    with store.disk_errors():
        job_ids = list(_announced(store))
    for job_id in job_ids:
        try:
            finish_pruning(store, job_id)
        except PrintSysError as error:
            logger.warning("job %s is pruned later: %s", job_id, error)
    with store.disk_errors():
        for path in map(store.layout.pruned_id, gone_ids(store)):
            with suppress(FileNotFoundError):  # another process does the same
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
        _append(path, line)
        fs.sync_folder(path.parent.parent)


def _append(path: Path, line: bytes) -> None:
    """Cuts off what a write that was interrupted left. Synced, also where there is no line to add."""
    data = _lines_if_there(path)
    if line and data and not data.endswith(b"\n"):
        line = b"\n" + line
    fs.append(path, line, len(data))
    fs.sync_folder(path.parent)


def _is_in_log(store: JobStore, job: PrunedJob) -> bool:
    return f'"key":"{job.key}"'.encode() in _lines_if_there(year_log(store, job))


def _line(job: PrunedJob) -> bytes:
    return json.dumps(job.model_dump(mode="json"), ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _note(store: JobStore, job_id: str) -> Path:
    return store.layout.pruned / "pending" / f"{job_id}.json"


def _announced(store: JobStore) -> Iterator[str]:
    names = (Path(name) for name in _names(store.layout.pruned / "pending"))
    return (name.stem for name in names if name.suffix == ".json" and parse_id(name.stem) == name.stem)


def _read_note(path: Path) -> PrunedJob | None:
    data = fs.read_if_there(path)
    try:
        return _pruned_job(data) if data is not None else None
    except ValueError as error:
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
