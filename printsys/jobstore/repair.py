"""Putting a job right when it is touched: the same code for every crash point, safe to be killed and run again.

A torn tail of the log is cut off and kept aside; an event newer than metadata.json is rolled forward; a lost
metadata.json is rebuilt; a person's edit of it is merged, or raised and left alone; an unfinished move is finished.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from printsys import fs
from printsys.domain.changes import Conflict, hand_edit
from printsys.domain.events import FILESYSTEM, SYSTEM, EventBatch, EventDraft, EventType, build_batch, sha256
from printsys.domain.job import Document, Job, canonical, metadata_bytes, parse
from printsys.domain.status import Status
from printsys.errors import DamagedJob, JobNotFound
from printsys.jobstore.jsontext import JsonProblem, decode_object, line_of_field
from printsys.jobstore.layout import ASIDE, EVENTS, METADATA, Layout
from printsys.jobstore.log import Log, read_log
from printsys.jobstore.moves import finish_move, read_intent
from printsys.jobstore.stored import Stored, is_deleted

IDENTITY = ("id", "schema_version", "created_at")
"""Keys that an edit by hand may not change."""


@dataclass(frozen=True)
class _Followed:
    """The log after metadata.json was brought up to it. An edit by hand that also asks for another status is a step of
    the job's life: it is left as it is, for whoever can decide what the step needs."""

    log: Log
    digest: str | None = None
    asked: Status | None = None
    edited: Document | None = None


def id_inside(folder: Path) -> str | None:
    """The id that the folder's record carries: in its first event or, where that is lost, in metadata.json."""
    for name, find in ((EVENTS, _id_in_log), (METADATA, _id_in_metadata)):
        try:
            data = fs.read_if_there(folder / name)
            found = find(data) if data is not None else None
        except (JsonProblem, NotADirectoryError):
            continue
        if isinstance(found, str):
            return found
    return None


def lies_where_it_says(folder: Path, job_id: str) -> bool:
    """Whether the folder holds this job and lies in the status folder that its own metadata.json names."""
    try:
        data = fs.read_if_there(folder / METADATA)
        document = decode_object(data) if data is not None else {}
    except (JsonProblem, NotADirectoryError):
        return False
    return document.get("id") == job_id and document.get("status") == folder.parent.name


def _id_in_log(data: bytes) -> Any:
    first = decode_object(data.partition(b"\n")[0]).get("patch")
    return first.get("id") if isinstance(first, dict) else None


def _id_in_metadata(data: bytes) -> Any:
    return decode_object(data).get("id")


def read_if_clean(layout: Layout, folder: Path, job_id: str) -> Stored | None:
    """The job, read without its lock; None unless everything is whole, in place and as the system wrote it."""
    data, metadata = fs.read_if_there(folder / EVENTS), fs.read_if_there(folder / METADATA)
    if data is None or metadata is None or layout.intent(job_id).exists():
        return None
    try:
        log = read_log(data, job_id)
    except DamagedJob:
        return None
    if log.tail or not log.events or log.state != sha256(metadata):
        return None
    document = decode_object(metadata)
    return Stored(folder, layout.status_of(folder), parse(document), canonical(document), log, digest=log.state)


def repair(layout: Layout, folder: Path, job_id: str, now: datetime, required: bool) -> Stored:
    """The job put right, under its lock. JobNotFound where a deletion was finished by it.

    `required`: the caller is going to write. Then what a person must decide raises DamagedJob, and what the disk
    refuses raises OSError; otherwise the last good state is served, with the problem.
    """
    try:
        log = _whole_log(folder, job_id, required)
    except DamagedJob as damage:
        if required:
            raise
        return _serve_metadata(layout, folder, job_id, damage)
    problem: DamagedJob | None = None
    followed = _Followed(log)
    try:
        followed = _metadata_follows(folder, log, job_id, now)
    except DamagedJob as error:
        if required:
            raise
        problem = error
    except OSError:
        if required:
            raise
    noticed = log.seq + 1 if followed.log.seq > log.seq else None
    log = followed.log
    document = log.document()
    job = parse(document)
    deleting = is_deleted(log) and read_intent(layout, job_id) is not None
    folder, pending = finish_move(layout, folder, job, log)
    if deleting:
        raise JobNotFound(job_id)
    return Stored(
        folder,
        layout.status_of(folder),
        job,
        document,
        log,
        pending,
        problem,
        followed.asked,
        followed.edited,
        followed.digest,
        noticed,
    )


def whole_log(folder: Path, job_id: str) -> Log:
    """The log, if it can be trusted. DamagedJob."""
    data = fs.read_if_there(folder / EVENTS)
    if data is None:
        raise DamagedJob(job_id, EVENTS, "the file is gone.")
    log = read_log(data, job_id)
    if not log.events:
        raise DamagedJob(job_id, EVENTS, "it holds no finished event.")
    return log


def _whole_log(folder: Path, job_id: str, required: bool) -> Log:
    log = whole_log(folder, job_id)
    revision = _revision_of(folder / METADATA)
    if revision > log.seq:  # metadata.json is never written before its event: lines were taken out of the log
        raise DamagedJob(job_id, EVENTS, f"it ends at event {log.seq}, but metadata.json is at revision {revision}.")
    if log.tail:
        try:
            keep_aside(folder, f"events-torn-{sha256(log.tail)[:8]}.jsonl", log.tail)
            fs.truncate(folder / EVENTS, log.length)
        except OSError:
            if required:
                raise
    return Log(log.events, log.last_line, log.length)


def _revision_of(path: Path) -> int:
    """What metadata.json says of itself; 0 where it says nothing readable."""
    try:
        found = decode_object(fs.read_if_there(path) or b"{}").get("revision")
    except JsonProblem:
        return 0
    return found if isinstance(found, int) else 0


def keep_aside(folder: Path, name: str, data: bytes) -> Path:
    """Keep bytes that are about to be cut off or replaced, for people to look at. Running twice keeps one copy."""
    aside = folder / ASIDE
    aside.mkdir(exist_ok=True)
    fs.replace(aside / name, data)
    fs.sync_folder(folder)
    return aside / name


def _metadata_follows(folder: Path, log: Log, job_id: str, now: datetime) -> _Followed:
    """Make metadata.json what the log says, bringing a person's edit into the log first."""
    path = folder / METADATA
    found = fs.read_if_there(path)
    if found is not None and sha256(found) == log.state:
        return _Followed(log, log.state)
    if found is None:
        if log.events[-1].type != EventType.METADATA_RESTORED:
            log = append_batch(folder, log, [EventDraft(EventType.METADATA_RESTORED, SYSTEM)], now)
    elif sha256(found) != log.state_before:
        theirs = _read_by_hand(found, log, job_id)
        edit = hand_edit(log.document(theirs["revision"]), theirs, log.document())
        if isinstance(edit, Conflict):
            fields = " and ".join(edit.fields)
            raise DamagedJob(job_id, METADATA, f"it was edited by hand while the system changed {fields} too.")
        if "status" in edit.patch:
            rest = {name: value for name, value in edit.patch.items() if name not in ("status", "status_since")}
            return _Followed(log, sha256(found), Status(theirs["status"]), rest)
        if edit.patch:
            log = append_batch(folder, log, [EventDraft(EventType.METADATA_EDITED, FILESYSTEM, {}, edit.patch)], now)
        elif theirs["revision"] == log.seq:
            return _Followed(log, sha256(found))  # only white space, line ends or the order of keys: nothing happened
    written = metadata_bytes(log.document())
    fs.replace(path, written, lambda: fs.read_if_there(path) == found)
    return _Followed(log, sha256(written))


def _read_by_hand(found: bytes, log: Log, job_id: str) -> Document:
    """What a person's metadata.json says, or DamagedJob with the line and field that nobody can act on."""
    try:
        theirs = decode_object(found)
    except JsonProblem as problem:
        raise DamagedJob(job_id, METADATA, f"{problem}.") from problem
    _check(found, theirs, job_id)
    recorded = log.document()
    for key in IDENTITY:
        if theirs.get(key) != recorded[key] and not _is_older(theirs, log, key):
            line = line_of_field(found, [key])
            raise DamagedJob(job_id, METADATA, f"line {line}: {key} was changed by hand, to {theirs.get(key)!r}.")
    if theirs["revision"] < 1:
        raise DamagedJob(job_id, METADATA, f"line {line_of_field(found, ['revision'])}: there is no such revision.")
    return canonical(theirs)


def _is_older(theirs: Document, log: Log, key: str) -> bool:
    """Whether the value is simply that of the revision which the person had opened."""
    revision = theirs["revision"]
    return 1 <= revision < log.seq and bool(log.document(revision)[key] == theirs.get(key))


def _check(text: bytes, document: Document, job_id: str) -> Job:
    try:
        return parse(document)
    except ValidationError as error:
        problem = error.errors()[0]
        line = line_of_field(text, problem["loc"])
        where = ".".join(str(part) for part in problem["loc"])
        raise DamagedJob(job_id, METADATA, f"line {line}, {where}: {problem['msg']}.") from error


def append_batch(folder: Path, log: Log, drafts: list[EventDraft], now: datetime) -> Log:
    """Write `drafts` to the log as one batch; metadata.json is the caller's to bring up."""
    batch = build_batch(drafts, log.document(), log.seq, log.last_line, now)
    parse(batch.document)
    fs.append(folder / EVENTS, batch.lines, log.length)
    return with_batch(log, batch)


def with_batch(log: Log, batch: EventBatch) -> Log:
    last = batch.lines.rstrip(b"\n").rpartition(b"\n")[2]
    return Log(log.events + batch.events, last, log.length + len(batch.lines))


def _serve_metadata(layout: Layout, folder: Path, job_id: str, problem: DamagedJob) -> Stored:
    """With a ruined log metadata.json is the last good state; with both ruined there is nothing to serve."""
    found = fs.read_if_there(folder / METADATA)
    if found is None:
        raise problem
    try:
        document = decode_object(found)
    except JsonProblem:
        raise problem from None
    job = _check(found, document, job_id)
    return Stored(folder, layout.status_of(folder), job, canonical(document), Log((), None, 0), None, problem)
