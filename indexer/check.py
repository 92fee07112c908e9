"""Proving storage and mirror: everything that is not as it should be, told and never touched.

Reading only: no lock is taken and nothing is repaired. What looks wrong is looked at again at the end, since on a live
system it may simply have been a change under way.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import sqlalchemy as sa
from pydantic import ValidationError

from indexer.attention import BEGIN_ANEW, AttentionItem, facts_missing, mail_failed, missing_job, price_differs
from indexer.check_mirror import check_mirror
from indexer.read_folder import not_a_job
from indexer.rebuild import Progress, duplicate
from printsys import fs
from printsys.domain.events import sha256
from printsys.domain.job import Document, FileRecord, Job, canonical, metadata_bytes, parse
from printsys.domain.status import Status
from printsys.errors import DamagedJob, JobNotFound
from printsys.jobstore import JobStore, Layout
from printsys.jobstore.files import is_ignored, sha256_of
from printsys.jobstore.jsontext import JsonProblem, decode_object
from printsys.jobstore.layout import METADATA, file_inside
from printsys.jobstore.log import Log
from printsys.jobstore.moves import read_intent
from printsys.jobstore.repair import id_inside, lies_where_it_says, whole_log
from printsys.jobstore.stored import is_deleted

FINISH = ("finish",)
"""The fix of everything that a crash left: it is finished when the job is next touched, or at the next start."""


def check(
    store: JobStore, engine: sa.Engine, deep: bool = False, progress: Progress | None = None
) -> list[AttentionItem]:
    """All of it. `deep` reads every file and compares its hash. StorageOffline, MirrorDown."""
    return check_storage(store, deep, progress) + check_mirror(store, engine, deep)


def check_storage(store: JobStore, deep: bool = False, progress: Progress | None = None) -> list[AttentionItem]:
    """What is wrong in the folders; needs no database. StorageOffline."""
    store.require_online()
    layout = store.layout
    left = {*_staging(layout), *_stray_intents(layout)}
    folders: dict[str, list[Path]] = {}
    suspicious: list[Path] = []
    every = list(layout.job_folders())
    for done, folder in enumerate(every, 1):
        if job_id := id_inside(folder):
            folders.setdefault(job_id, []).append(folder)
        if any(True for _ in _job(layout, folder, deep)):
            suspicious.append(folder)
        if progress:
            progress(done, len(every))
    findings = [one for folder in suspicious if folder.exists() for one in _job(layout, folder, deep)]
    findings += _duplicates(layout, folders) + list(loose_files(layout))
    findings += sorted(left & {*_staging(layout), *_stray_intents(layout)}, key=lambda one: one.folder or "")
    findings += [missing_job(job_id, told) for job_id, told in store.missing().items()]
    store.require_online()
    return findings


def of_folder(layout: Layout, folder: Path) -> list[AttentionItem]:
    """What is wrong with one job's folder, told without reading its files."""
    return list(_job(layout, folder, deep=False))


# -- beside the jobs ----------------------------------------------------------------------------------------------


def _staging(layout: Layout) -> Iterator[AttentionItem]:
    for folder in _entries(layout.staging):
        place = layout.relative(Path(folder.path))
        yield AttentionItem(
            "staging-left", None, place, f"{place}: a submission is being written, or was interrupted.", FINISH
        )


def _stray_intents(layout: Layout) -> Iterator[AttentionItem]:
    """Announced moves of jobs that are in no status folder; those of other jobs are told with the job."""
    for entry in _entries(layout.moves):
        job_id = entry.name.removesuffix(".json")
        if not entry.name.endswith(".json") or entry.name.startswith("."):
            continue
        if not any(True for _ in layout.named_for(job_id, tuple(layout.status(status) for status in Status))):
            if any(id_inside(folder) == job_id for folder in layout.job_folders()):
                continue
            place = layout.relative(Path(entry.path))
            yield AttentionItem(
                "intent-stale", job_id, place, f"A move of job {job_id} was not put to its end.", FINISH
            )


def loose_files(layout: Layout) -> Iterator[AttentionItem]:
    """Files that lie in a status folder by themselves."""
    for status in Status:
        try:
            with os.scandir(layout.status(status)) as entries:
                loose = [entry.name for entry in entries if not entry.is_dir(follow_symlinks=False)]
        except FileNotFoundError:
            continue
        yield from (_loose(layout, layout.status(status) / name) for name in sorted(loose) if not is_ignored(name))


def loose_file(layout: Layout, path: Path) -> AttentionItem | None:
    """The same for one place that somebody pointed at."""
    lies_there = path.is_symlink() or (path.exists() and not path.is_dir())
    return _loose(layout, path) if lies_there and not is_ignored(path.name) else None


def _loose(layout: Layout, path: Path) -> AttentionItem:
    place = layout.relative(path)
    return AttentionItem("loose-file", None, place, f"The file {place} belongs to no job.", ("make-a-job", "discard"))


def _duplicates(layout: Layout, folders: dict[str, list[Path]]) -> list[AttentionItem]:
    found = []
    for job_id, places in folders.items():
        there = [place for place in places if place.exists()]
        if len(there) > 1:
            first = next((place for place in there if lies_where_it_says(place, job_id)), there[0])
            told = layout.relative(first)
            found += [duplicate(job_id, layout.relative(place), told) for place in there if place != first]
    return found


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except FileNotFoundError:
        return []


# -- one job ------------------------------------------------------------------------------------------------------


def _job(layout: Layout, folder: Path, deep: bool) -> Iterator[AttentionItem]:
    """What is wrong with one folder, the record first: what cannot be read cannot be judged further."""
    place = layout.relative(folder)
    try:
        job_id = id_inside(folder)
        if job_id is None:
            yield not_a_job(place, folder)
            return
        tell = _teller(job_id, place)
        log = whole_log(folder, job_id)
        document = log.document()
        job = parse(document)
    except DamagedJob as damage:
        yield tell("log-damaged", str(damage), *BEGIN_ANEW)
        return
    except (ValidationError, OSError) as error:
        yield AttentionItem("unreadable", job_id, place, f"The record in {place} cannot be read: {error}", BEGIN_ANEW)
        return
    if log.tail:
        yield tell("log-torn", f"Job {job_id}: the last change was interrupted while it was written.", *FINISH)
    if sha256(metadata_bytes(document)) != log.state:
        yield tell("log-inconsistent", f"Job {job_id}: the events do not lead to the state that they name.")
    trouble = list(_metadata(folder, document, log, tell))
    yield from trouble
    if any(one.kind == "log-cut" for one in trouble):
        return
    yield from _place(layout, folder, job, log, tell)
    yield from _files(folder, job, deep, tell)
    yield from facts_missing(job, log.events, place)
    yield from price_differs(job, log.events, place)
    yield from mail_failed(job, log.events, place)


Teller = Callable[..., AttentionItem]


def _teller(job_id: str, place: str) -> Teller:
    def tell(kind: str, sentence: str, *fixes: str, file: str | None = None) -> AttentionItem:
        return AttentionItem(kind, job_id, place, sentence, fixes, file)

    return tell


def _metadata(folder: Path, document: Document, log: Log, tell: Teller) -> Iterator[AttentionItem]:
    """Whether metadata.json is what the log leads to; what a person did only to its white space does not count."""
    found = fs.read_if_there(folder / METADATA)
    name = f"metadata.json of job {document['id']}"
    if found is None:
        yield tell("metadata-gone", f"{name} is gone; it can be made again from the events.", "restore-metadata")
    elif sha256(found) == log.state:
        return
    elif sha256(found) in {event.state for event in log.events}:
        yield tell("metadata-behind", f"{name} is older than the events: a change was interrupted.", *FINISH)
    else:
        try:
            theirs = decode_object(found)
            parse(theirs)
        except (JsonProblem, ValidationError) as error:
            yield tell("metadata-unreadable", f"{name} cannot be understood: {_brief(error)}.", "restore-metadata")
            return
        if theirs["revision"] > log.seq:
            told = (
                f"events.jsonl of job {document['id']} ends at {log.seq}, but metadata.json is at {theirs['revision']}."
            )
            yield tell("log-cut", told, *BEGIN_ANEW)
        elif canonical(theirs) != document:
            yield tell("metadata-edited", f"{name} was edited by hand.", "accept-edit", "restore-metadata")


def _brief(error: JsonProblem | ValidationError) -> str:
    if isinstance(error, JsonProblem):
        return str(error)
    problem = error.errors()[0]
    return f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}"


def _place(layout: Layout, folder: Path, job: Job, log: Log, tell: Teller) -> Iterator[AttentionItem]:
    """Whether the folder lies where the record says, and no move of it is under way."""
    status = layout.status_of(folder)
    announced = read_intent(layout, job.id)
    if announced is not None and announced > log.seq:
        yield tell("intent-stale", f"A move of job {job.id} was announced, but never decided.", *FINISH)
    elif announced is not None:
        yield tell("move-pending", f"The folder of job {job.id} is on its way from {status} to {job.status}.", *FINISH)
    elif is_deleted(log):
        yield tell("deleted-here", f"Job {job.id} was deleted, but its folder is in {status}.", "keep", "delete")
    elif status != job.status:
        sentence = f"The folder of job {job.id} was moved to {status}; its record says {job.status}."
        yield tell("moved-by-hand", sentence, "record-move")


def _files(folder: Path, job: Job, deep: bool, tell: Teller) -> Iterator[AttentionItem]:
    for record in job.files:
        try:
            path = file_inside(folder, record.name, job.id)
        except JobNotFound:
            yield _missing(record, job, tell)
            continue
        if record.role == "original" and _differs(path, record, deep):
            sentence = f"{record.name} of job {job.id} is not what the student sent any more."
            yield tell("original-altered", sentence, "restore-original", file=record.name)
        elif record.role == "slicer" and deep and _differs(path, record, deep):
            sentence = f"{record.name} of job {job.id} changed since it was recorded."
            yield tell("file-changed", sentence, "record-file", file=record.name)
    for name in _not_recorded(job.print_files, job):
        if not (folder / name).is_file():
            yield _print_file_gone(name, job, tell)


def _not_recorded(names: Iterable[str], job: Job) -> list[str]:
    return [name for name in names if job.file(name) is None]


def _missing(record: FileRecord, job: Job, tell: Teller) -> AttentionItem:
    name = record.name
    if record.role == "original":
        sentence = f"{name}, which the student sent for job {job.id}, is gone."
        return tell("original-missing", sentence, "restore-original", file=name)
    if name in job.print_files:
        return _print_file_gone(name, job, tell)
    return tell("file-missing", f"The file {name} of job {job.id} is gone.", "forget-file", file=name)


def _print_file_gone(name: str, job: Job, tell: Teller) -> AttentionItem:
    return tell("print-file-missing", f"The print file {name} of job {job.id} is gone.", "choose-print-file", file=name)


def _differs(path: Path, record: FileRecord, deep: bool) -> bool:
    return path.stat().st_size != record.size or (deep and sha256_of(path) != record.sha256)
