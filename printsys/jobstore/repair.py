"""Puts a job right when it is touched: the same code for every crash point, safe to be killed and run again.

It cuts off a torn tail of the log and keeps it aside, rolls an event newer than metadata.json forward, rebuilds a lost
metadata.json, merges a person's edit of it (or raises it and leaves it alone), and finishes an unfinished move.
"""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path

from pydantic import ValidationError

from printsys import fs
from printsys.domain import naming
from printsys.domain.changes import Conflict, hand_edit
from printsys.domain.events import FILESYSTEM, SYSTEM, EventDraft, EventType, build_batch, sha256
from printsys.domain.job import Document, Job, canonical, metadata_bytes, parse
from printsys.domain.status import Status
from printsys.errors import DamagedJob, JobNotFound, OlderCopy
from printsys.jobstore.jsontext import MAX_BYTES, JsonProblem, decode_object, decode_record, line_of_field
from printsys.jobstore.layout import ASIDE, EVENTS, METADATA, Layout
from printsys.jobstore.log import Log, read_log
from printsys.jobstore.moves import finish_move, read_intent
from printsys.jobstore.newest import is_as_noted, is_newest, note_newest, read_newest, require_newest
from printsys.jobstore.open_files import who_holds
from printsys.jobstore.stored import Stored, is_deleted

logger = logging.getLogger(__name__)

IDENTITY = ("id", "schema_version", "created_at")
"""Keys that an edit by hand may not change."""


@dataclass(frozen=True)
class _Synced:
    """The log, and the metadata.json that was brought up to it (`digest`). An edit by hand that also asks for another
    status is a step of the job's life: it stays as it is, for code that can decide what the step needs."""

    log: Log
    digest: str | None = None
    asked_in_file: Status | None = None
    edited: Document | None = None
    is_behind: bool = False
    """On Windows: a program holds metadata.json open, so it is not brought up to the log yet. The log is the record."""


def id_inside(folder: Path) -> str | None:
    """The id that the folder's record carries: in its first event or, where that is lost, in metadata.json.

    Text that is no id counts as none: locks and notes are named by it, and `../../x` must not lead out of storage.
    """
    sources = ((EVENTS, partial(fs.first_line, most_bytes=MAX_BYTES), _first_patch), (METADATA, fs.read, decode_object))
    for name, read, document_of in sources:
        try:
            job_id = document_of(read(folder / name)).get("id")
        except (JsonProblem, FileNotFoundError, NotADirectoryError, fs.NotAFile):
            continue
        if isinstance(job_id, str) and naming.parse_id(job_id) == job_id:
            return job_id
    return None


def id_if_readable(folder: Path) -> str | None:
    """`id_inside`, or None where the disk refuses to tell: the folder's own visit says why."""
    try:
        return id_inside(folder)
    except OSError:
        return None


def _first_patch(line: bytes) -> Document:
    patch = decode_object(line).get("patch")
    return patch if isinstance(patch, dict) else {}


def lies_where_it_says(folder: Path, job_id: str) -> bool:
    """Whether the folder holds this job and lies in the status folder that its own metadata.json names."""
    try:
        data = fs.read_if_there(folder / METADATA)
        document = decode_object(data) if data is not None else {}
    except (JsonProblem, NotADirectoryError, fs.NotAFile):
        return False
    return document.get("id") == job_id and document.get("status") == folder.parent.name


def read_if_clean(layout: Layout, folder: Path, job_id: str) -> Stored | None:
    """The job, read without its lock; None unless everything is whole, in place and as the system wrote it."""
    try:
        data, metadata = fs.read_if_there(folder / EVENTS), fs.read_if_there(folder / METADATA)
    except fs.NotAFile:
        return None
    if data is None or metadata is None or layout.intent(job_id).exists():
        return None
    try:
        log = read_log(data, job_id)
    except DamagedJob:
        return None
    if log.tail or not log.events or log.state != sha256(metadata):
        return None
    newest, written = read_newest(layout, job_id), decode_record(metadata)
    document = canonical(written)
    if not is_newest(newest, log) or not (is_as_noted(newest, log) or log.document() == document):
        return None  # or somebody has just written more: under the lock it shows
    return Stored(folder, layout.status_of(folder), parse(written), document, log, digest=log.state)


def load(layout: Layout, folder: Path, job_id: str, now: datetime) -> Stored:
    """The job for reading, put right under its lock. What a person must decide, or the disk refuses, stays as it is:
    the last good state is served, with the problem.

    DamagedJob only where nothing can be served: events.jsonl and metadata.json are both ruined. JobNotFound where the
    repair finished a deletion.
    """
    try:
        log = _trusted_log(layout, folder, job_id)
    except OlderCopy as older:
        return _as_it_lies(layout, folder, whole_log(folder, job_id), older)
    except DamagedJob as damage:
        return _serve_metadata(layout, folder, job_id, damage)
    synced, problem = _Synced(log), None
    try:
        synced = _sync(layout, folder, log, job_id, now, patience_s=0)
    except DamagedJob as damage:
        problem = damage
    except OSError as error:
        logger.info("job %s is served from its log; its repair has to wait: %s", job_id, error)
    return _finished(layout, folder, job_id, log, synced, problem, patience_s=0)


def repair_for_write(layout: Layout, folder: Path, job_id: str, now: datetime) -> Stored:
    """The job, put right under its lock, for a caller that is going to change it.

    DamagedJob for what a person must decide; OSError where the disk refuses; JobNotFound where the repair finished a
    deletion.
    """
    log = _trusted_log(layout, folder, job_id)
    synced = _sync(layout, folder, log, job_id, now, fs.BRIEF_PATIENCE_S)
    return _finished(layout, folder, job_id, log, synced, None, fs.BRIEF_PATIENCE_S)


def _finished(
    layout: Layout,
    folder: Path,
    job_id: str,
    log: Log,
    synced: _Synced,
    problem: DamagedJob | None,
    patience_s: float,
) -> Stored:
    """Finish the move that is under way, too. `log` is the log as it was found."""
    document = synced.log.document()
    job = parse(document)
    is_being_deleted = is_deleted(synced.log) and read_intent(layout, job_id) is not None
    folder, move_pending = finish_move(layout, folder, job, synced.log, patience_s)
    if move_pending is None and synced.is_behind:
        move_pending = f"{METADATA} is brought up to date when {who_holds(folder)}"
    if is_being_deleted:
        raise JobNotFound(job_id)
    return Stored(
        folder=folder,
        folder_status=layout.status_of(folder),
        job=job,
        document=document,
        log=synced.log,
        move_pending=move_pending,
        problem=problem,
        asked_in_file=synced.asked_in_file,
        edited=synced.edited,
        digest=synced.digest,
        noticed=log.seq + 1 if synced.log.seq > log.seq else None,
    )


def whole_log(folder: Path, job_id: str) -> Log:
    """The log, if it can be trusted. DamagedJob."""
    data = _read_record(folder, EVENTS, job_id)
    if data is None:
        raise DamagedJob(job_id, EVENTS, "the file is gone.")
    log = read_log(data, job_id)
    if not log.events:
        raise DamagedJob(job_id, EVENTS, "it holds no finished event.")
    return log


def _trusted_log(layout: Layout, folder: Path, job_id: str) -> Log:
    """`whole_log`, and nothing tells against its end. DamagedJob.

    metadata.json is never written before its event, so no lines were taken out where it is not ahead of the log.
    """
    log = whole_log(folder, job_id)
    try:
        metadata = fs.read_if_there(folder / METADATA)
    except fs.NotAFile:
        metadata = None
    try:
        revision = decode_record(metadata or b"{}").get("revision")
    except JsonProblem:
        revision = None
    if isinstance(revision, int) and revision > log.seq:
        raise DamagedJob(job_id, EVENTS, f"it ends at event {log.seq}, but metadata.json is at revision {revision}.")
    require_newest(read_newest(layout, job_id), log, job_id)
    if not leads_to_its_state(log, metadata):
        raise DamagedJob(job_id, EVENTS, f"line {log.seq} does not lead to the state that it names.")
    return log


def _read_record(folder: Path, name: str, job_id: str) -> bytes | None:
    """A file of the record. DamagedJob where something else has its name."""
    try:
        return fs.read_if_there(folder / name)
    except fs.NotAFile as error:
        raise DamagedJob(job_id, name, "a folder or a special file lies in its place.") from error


def read_or_move_aside(folder: Path, name: str) -> bytes | None:
    """A file of the record that is about to be written again. What has its name and is no file goes to aside/."""
    try:
        return fs.read_if_there(folder / name)
    except fs.NotAFile:
        aside = folder / ASIDE
        aside.mkdir(exist_ok=True)
        fs.move_folder(folder / name, aside / naming.distinct(name, {naming.comparable(n) for n in os.listdir(aside)}))
        return None


def leads_to_its_state(log: Log, metadata: bytes | None) -> bool:
    """Whether the last event leads to the metadata.json that it names: else somebody changed or added it.

    A version with more keys writes the same document in other bytes, so metadata.json itself may prove it, too.
    """
    document = log.document()
    if metadata is not None and sha256(metadata) == log.state:
        with suppress(JsonProblem):
            if canonical(decode_record(metadata)) == document:
                return True
    return sha256(metadata_bytes(document)) == log.state


def keep_aside(folder: Path, name: str, data: bytes) -> Path:
    """Keep bytes that are about to be cut off or replaced, for people to look at. Running twice keeps one copy; where
    other bytes have the name, theirs stays as it is."""
    target = folder / ASIDE / name
    target.parent.mkdir(exist_ok=True)
    if fs.read_if_there(target) not in (None, data):
        target = target.with_name(f"{sha256(data)[:8]}-{name}")
    fs.replace(target, data)
    fs.sync_folder(folder)
    return target


def _sync(layout: Layout, folder: Path, log: Log, job_id: str, now: datetime, patience_s: float) -> _Synced:
    """Cut off what a crash left behind the log, and make metadata.json what the log says. A person's edit of it comes
    into the log first. `patience_s`: how long to wait, on Windows, for a program that has metadata.json open; after
    that the log goes on without it. DamagedJob, OSError."""
    if log.tail:
        logger.warning("job %s: the last change was interrupted while it was written; the rest is kept aside", job_id)
        keep_aside(folder, f"events-torn-{sha256(log.tail)[:8]}.jsonl", log.tail)
        fs.truncate(folder / EVENTS, log.length)
        log = replace(log, tail=b"")
    metadata = _read_record(folder, METADATA, job_id)
    if metadata is not None and sha256(metadata) == log.state:
        return _Synced(log, log.state)
    if metadata is None:
        if log.events[-1].type != EventType.METADATA_RESTORED:
            log = _append(folder, log, EventDraft(EventType.METADATA_RESTORED, SYSTEM), now)
    elif sha256(metadata) != log.state_before:
        edited_document = _read_by_hand(metadata, log, job_id)
        edit = hand_edit(log.document(edited_document["revision"]), edited_document, log.document())
        if isinstance(edit, Conflict):
            fields = " and ".join(edit.fields)
            raise DamagedJob(job_id, METADATA, f"it was edited by hand while the system changed {fields} too.")
        if "status" in edit.patch:
            other_fields = {name: value for name, value in edit.patch.items() if name not in ("status", "status_since")}
            return _Synced(log, sha256(metadata), Status(edited_document["status"]), other_fields)
        if edit.patch:
            log = _append(folder, log, EventDraft(EventType.METADATA_EDITED, FILESYSTEM, {}, edit.patch), now)
        elif edited_document["revision"] == log.seq:
            return _Synced(log, sha256(metadata))  # only white space, line ends or key order: nothing happened
    note_newest(layout, job_id, log)
    written = metadata_bytes(log.document())
    try:
        fs.replace(folder / METADATA, written, lambda: fs.read_if_there(folder / METADATA) == metadata, patience_s)
    except OSError as error:
        if metadata is None or not fs.is_held(error):
            raise
        return _Synced(log, sha256(metadata), is_behind=True)
    return _Synced(log, sha256(written))


def _read_by_hand(text: bytes, log: Log, job_id: str) -> Document:
    """What a person's metadata.json says, or DamagedJob with the line and field that nobody can act on."""
    try:
        document = decode_object(text)
    except JsonProblem as problem:
        raise DamagedJob(job_id, METADATA, f"{problem}.") from problem
    _parse_by_hand(text, document, job_id)
    revision, recorded = document["revision"], log.document()
    opened = log.document(revision) if 1 <= revision < log.seq else recorded
    for key in IDENTITY:
        if document.get(key) not in (recorded[key], opened[key]):
            line = line_of_field(text, [key])
            raise DamagedJob(job_id, METADATA, f"line {line}: {key} was changed by hand, to {document.get(key)!r}.")
    if revision < 1:
        raise DamagedJob(job_id, METADATA, f"line {line_of_field(text, ['revision'])}: there is no such revision.")
    return canonical(document)


def _parse_by_hand(text: bytes, document: Document, job_id: str) -> Job:
    try:
        return parse(document)
    except ValidationError as error:
        problem = error.errors()[0]
        line = line_of_field(text, problem["loc"])
        field_path = ".".join(str(part) for part in problem["loc"])
        raise DamagedJob(job_id, METADATA, f"line {line}, {field_path}: {problem['msg']}.") from error


def _append(folder: Path, log: Log, draft: EventDraft, now: datetime) -> Log:
    """Write one event to the log; metadata.json is the caller's to bring up."""
    batch = build_batch([draft], log.document(), log.seq, log.last_line, now)
    parse(batch.document)
    fs.append(folder / EVENTS, batch.lines, log.length)
    return log.with_batch(batch)


def _as_it_lies(layout: Layout, folder: Path, log: Log, problem: OlderCopy) -> Stored:
    """A whole record that is not the newest: nothing of it is put right, and its folder stays where it is."""
    document = log.document()
    status = layout.status_of(folder)
    return Stored(folder, status, parse(document), document, log, problem=problem, digest=log.state)


def _serve_metadata(layout: Layout, folder: Path, job_id: str, problem: DamagedJob) -> Stored:
    """With a ruined log metadata.json is the last good state; with both ruined there is nothing to serve."""
    try:
        metadata = fs.read_if_there(folder / METADATA)
        document = decode_object(metadata) if metadata is not None else None
    except (JsonProblem, fs.NotAFile):
        raise problem from None
    if metadata is None or document is None:
        raise problem
    return Stored(
        folder=folder,
        folder_status=layout.status_of(folder),
        job=_parse_by_hand(metadata, document, job_id),
        document=canonical(document),
        log=Log(),
        problem=problem,
    )
