"""Checks one job's folder. Only reads: takes no lock, repairs nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from indexer.attention import NEW_RECORD, NO_RECORD, AttentionItem, odd_name, open_questions, raised
from indexer.record_conflicts import record_conflicts
from printsys import fs
from printsys.domain import naming
from printsys.domain.crowded import MOST_FILES
from printsys.domain.events import sha256
from printsys.domain.job import Document, Job, canonical, parse
from printsys.domain.words import counted
from printsys.errors import DamagedJob, JobNotFound, OlderCopy, PrintSysError
from printsys.jobstore import Layout
from printsys.jobstore.files import jobs_inside, list_entries, odd_entries
from printsys.jobstore.jsontext import JsonProblem, decode_object
from printsys.jobstore.layout import EVENTS, METADATA, file_inside, readable
from printsys.jobstore.log import Log
from printsys.jobstore.moves import read_intent
from printsys.jobstore.newest import read_newest, require_newest
from printsys.jobstore.repair import id_inside, leads_to_its_state, whole_log
from printsys.jobstore.stored import is_deleted


@dataclass(frozen=True)
class _Record:
    """A job as its log gives it."""

    layout: Layout
    folder: Path
    log: Log
    document: Document
    job: Job

    def raised(self, kind: str, sentence: str, file: str | None = None) -> AttentionItem:
        return raised(kind, self.job.id, self.layout.relative(self.folder), sentence, file)


HashOf = Callable[[Path], str | None]
"""The sha256 of a file; None: not known."""


def not_read(path: Path) -> str | None:
    return None


def check_folder(
    layout: Layout, folder: Path, hash_of: HashOf = not_read, most_files: int = MOST_FILES
) -> list[AttentionItem]:
    """What is wrong in `folder`, the record first: what cannot be read cannot be judged further. Where `hash_of` knows
    a file's hash, it must be the recorded one."""
    relative_path = layout.relative(folder)
    return [*_check(layout, folder, hash_of, most_files), *record_conflicts(relative_path, folder)]


def _check(layout: Layout, folder: Path, hash_of: HashOf, most_files: int) -> list[AttentionItem]:
    relative_path = layout.relative(folder)
    job_id = None
    try:
        job_id = id_inside(folder)
        if job_id is None:
            return [not_a_job(relative_path, folder)]
        newest = read_newest(layout, job_id)  # first: a log that is read later has it
        log = whole_log(folder, job_id)
        document = log.document()
        record = _Record(layout, folder, log, document, parse(document))
    except DamagedJob as damage:
        return [raised("log-damaged", job_id, relative_path, str(damage))]
    except (ValidationError, OSError) as error:
        return [unreadable(relative_path, job_id, error)]
    items = list(_metadata(record))
    if any(item.kind in ("log-cut", "log-inconsistent") for item in items):
        return items
    try:
        require_newest(newest, log, job_id)
    except DamagedJob as damage:
        kind = "older-copy" if isinstance(damage, OlderCopy) else "log-damaged"
        return [raised(kind, job_id, relative_path, str(damage))]
    return [
        *items,
        *_location(record),
        *odd_name(layout, folder, job_id),
        *_odd_entries(record),
        *_too_many(record, most_files),
        *_jobs_inside(relative_path, folder, job_id),
        *_files(record, hash_of),
        *open_questions(record.job, log.events, relative_path),
    ]


def not_a_job(relative_path: str, folder: Path) -> AttentionItem:
    """A folder without an id inside. Where it has a record, or the name of a job, that record is ruined."""
    for item in _jobs_inside(relative_path, folder, None):  # somebody put them together
        return item
    job_id = naming.id_in_folder_name(folder.name)
    if job_id is None and not (folder / METADATA).exists() and not (folder / EVENTS).exists():
        sentence = f"The folder {relative_path} is not a job: it has no record."
        return raised("not-a-job", None, relative_path, sentence)
    sentence = f"The record in {relative_path} is lost or cannot be read."
    return raised("unreadable", job_id, relative_path, sentence, fixes=NO_RECORD)


def unreadable(relative_path: str, job_id: str | None, error: Exception) -> AttentionItem:
    """Our own errors say all of it; others are put into a sentence."""
    sentence = (
        str(error) if isinstance(error, PrintSysError) else f"The record in {relative_path} cannot be read: {error}"
    )
    return raised("unreadable", job_id, relative_path, sentence, fixes=NEW_RECORD)


def _metadata(record: _Record) -> Iterator[AttentionItem]:
    """Whether the log is whole, and metadata.json what it leads to. A hand edit of white space alone does not count."""
    if record.log.tail:
        sentence = f"Job {record.job.id}: the last change was interrupted while it was written."
        yield record.raised("log-torn", sentence)
    name = f"metadata.json of job {record.job.id}"
    try:
        data = fs.read_if_there(record.folder / METADATA)
    except fs.NotAFile:
        yield record.raised("metadata-unreadable", f"{name} is a folder or a special file, and no text.")
        return
    if not leads_to_its_state(record.log, data):
        sentence = f"Job {record.job.id}: the events do not lead to the state that they name."
        yield record.raised("log-inconsistent", sentence)
        return
    if data is None:
        yield record.raised("metadata-gone", f"{name} is gone; it can be made again from the events.")
    elif sha256(data) == record.log.state:
        return
    elif sha256(data) in {event.state for event in record.log.events}:
        yield record.raised("metadata-behind", f"{name} is older than the events: a change was interrupted.")
    else:
        try:
            edited = decode_object(data)
            parse(edited)
        except JsonProblem as error:
            yield record.raised("metadata-unreadable", f"{name} cannot be understood: {error}.")
            return
        except ValidationError as error:
            problem = error.errors()[0]
            reason = f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}"
            yield record.raised("metadata-unreadable", f"{name} cannot be understood: {reason}.")
            return
        if edited["revision"] > record.log.seq:
            ends = f"events.jsonl of job {record.job.id} ends at {record.log.seq}"
            yield record.raised("log-cut", f"{ends}, but metadata.json is at {edited['revision']}.")
        elif canonical(edited) != record.document:
            yield record.raised("metadata-edited", f"{name} was edited by hand.")


def _location(record: _Record) -> Iterator[AttentionItem]:
    """Whether the folder lies where the record says, and no move of it is under way."""
    job, status = record.job, record.layout.status_of(record.folder)
    announced = read_intent(record.layout, job.id)
    if announced is not None and announced > record.log.seq:
        yield record.raised("intent-stale", f"A move of job {job.id} was announced, but never decided.")
    elif announced is not None:
        sentence = f"The folder of job {job.id} is on its way from {status} to {job.status}."
        yield raised("move-pending", job.id, record.layout.relative(record.folder), sentence, fixes={"finish"})
    elif is_deleted(record.log):
        yield record.raised("deleted-here", f"Job {job.id} was deleted, but its folder is in {status}.")
    elif status != job.status:
        sentence = f"The folder of job {job.id} was moved to {status}; its record says {job.status}."
        yield record.raised("moved-by-hand", sentence)


def _files(record: _Record, hash_of: HashOf) -> Iterator[AttentionItem]:
    job = record.job
    for file in job.files:
        try:
            path = file_inside(record.folder, file.name, job.id)
        except JobNotFound:
            if file.role == "original":
                sentence = f"{file.name}, which the student sent for job {job.id}, is gone."
                yield record.raised("original-missing", sentence, file.name)
            elif file.name in job.print_files:
                yield _print_file_gone(record, file.name)
            else:
                yield record.raised("file-missing", f"The file {file.name} of job {job.id} is gone.", file.name)
            continue
        has_other_bytes = hash_of(path) not in (None, file.sha256)
        if file.role == "original" and (has_other_bytes or path.stat().st_size != file.size):
            sentence = f"{file.name} of job {job.id} is not what the student sent any more."
            yield record.raised("original-altered", sentence, file.name)
        elif file.role != "original" and has_other_bytes:
            sentence = f"{file.name} of job {job.id} changed since it was recorded."
            yield record.raised("file-changed", sentence, file.name)
    for name in job.print_files:
        if job.file(name) is None and not (record.folder / name).is_file():
            yield _print_file_gone(record, name)


def _odd_entries(record: _Record) -> Iterator[AttentionItem]:
    for name, reason in odd_entries(record.folder):
        sentence = f"{name} in the folder of job {record.job.id} {reason}, so the system leaves it alone."
        yield record.raised("odd-file", sentence, name)


def _jobs_inside(relative_path: str, folder: Path, job_id: str | None) -> Iterator[AttentionItem]:
    names = [readable(inner.name) for inner in jobs_inside(folder)]
    if len(names) == 1:
        sentence = f"The job folder {names[0]} lies in {relative_path}, where nothing follows it."
    else:
        sentence = f"{len(names)} job folders lie in {relative_path}, where nothing follows them: {', '.join(names)}."
    if names:
        yield raised("job-inside", job_id, relative_path, sentence)


def _too_many(record: _Record, most_files: int) -> Iterator[AttentionItem]:
    """Of a folder with very many files only some are recorded: see domain/crowded.py."""
    names = [name for name, _ in list_entries(record.folder)]
    unrecorded = len(set(names) - {file.name for file in record.job.files})
    if len(names) > most_files and unrecorded:
        sentence = (
            f"The folder of job {record.job.id} holds {counted(len(names), 'file')}, and "
            f"{counted(unrecorded, 'of them is', 'of them are')} not recorded. "
            "Please move what is no part of the job elsewhere."
        )
        yield record.raised("many-files", sentence)


def _print_file_gone(record: _Record, name: str) -> AttentionItem:
    return record.raised("print-file-missing", f"The print file {name} of job {record.job.id} is gone.", name)
