"""A student's data, given to the student or taken out of the storage on request."""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from printsys import fs
from printsys.actions import Actions
from printsys.actions.pruning import prune
from printsys.domain.job import Document, format_time
from printsys.domain.naming import id_in_folder_name
from printsys.domain.payments import is_unpaid
from printsys.domain.status import FINAL, NAMES, Status
from printsys.errors import PrintSysError
from printsys.jobstore import JobStore, Stored
from printsys.jobstore.job_folder import copies_of
from printsys.jobstore.jsontext import JsonProblem, decode_object
from printsys.jobstore.layout import EVENTS, METADATA, readable
from printsys.jobstore.log import trusted
from printsys.jobstore.pruned import key_of, note_request
from printsys.jobstore.refusals import reason_of
from printsys.jobstore.stored import is_deleted
from printsys.jobstore.trash import Waste, remove

README = """What the print lab has of {address}, {at}.

Each folder is one of your jobs: metadata.json is the job as it is now,
events.jsonl what happened to it, line by line, original/ what you sent,
job-card.html the job to look at in a browser, which may be older than
metadata.json. The rest is what the lab made of it. Folders under "copies" are copies of them that somebody made,
those under "deleted" are in the lab's trash.
"""


@dataclass
class StudentData:
    """`open`: jobs that go on, each with the reason why it stays. `copies`: folders that people made of the jobs'.
    `deleted`: folders in the trash, each with the key of its job (see PrunedJob). `unreadable`: ids of jobs, and names
    of folders in the trash, of which nobody knows whose they are, each with the reason."""

    ended: list[Stored] = field(default_factory=list)
    open: list[tuple[Stored, str]] = field(default_factory=list)
    copies: list[Path] = field(default_factory=list)
    deleted: dict[Path, str] = field(default_factory=dict)
    unreadable: list[tuple[str, str]] = field(default_factory=list)

    @property
    def jobs(self) -> list[Stored]:
        return [*self.ended, *(stored for stored, _ in self.open)]


def find_data(store: JobStore, address: str) -> StudentData:
    """Everything with that e-mail address, straight from the folders. Capitals do not count. StorageOffline."""
    data = StudentData()
    store.require_online()
    for job_id in dict.fromkeys(job_id for job_id, _folder in store.ids()):
        try:
            stored = store.load(job_id)
        except PrintSysError as error:
            data.unreadable.append((job_id, str(error)))
            continue
        if not _is_of(stored.job.student.email, address):
            continue
        with store.disk_errors():
            copies = list(copies_of(store.layout, stored.folder, job_id))
        data.copies.extend(copies)
        reason = _reason_to_stay(stored)
        if reason is None and copies:
            reason = f"a copy of its folder lies in {store.layout.relative(copies[0])}"
        if reason is None:
            data.ended.append(stored)
        else:
            data.open.append((stored, reason))
    _find_deleted(store, address, data)
    return data


def _is_of(email: object, address: str) -> bool:
    return isinstance(email, str) and email.strip().casefold() == address.strip().casefold()


def _reason_to_stay(stored: Stored) -> str | None:
    if stored.problem is not None:
        return "its record needs a person"
    if stored.asked_by_hand is not None or stored.move_pending is not None:
        return "its folder is being moved"
    if stored.job.status not in (*FINAL, Status.ARCHIVED):
        return f"it is {NAMES[stored.job.status]}"
    return "something of it is still to be paid" if is_unpaid(stored.job) else None


def _find_deleted(store: JobStore, address: str, data: StudentData) -> None:
    with store.disk_errors():
        trash = sorted(store.layout.trash.iterdir()) if store.layout.trash.is_dir() else []
    for folder in trash:
        try:
            key, document = _deleted_job(folder)
        except (OSError, JsonProblem) as error:
            reason = reason_of(error) if isinstance(error, OSError) else str(error)
            data.unreadable.append((readable(folder.name), reason))
            continue
        student = document.get("student")
        if isinstance(student, dict) and _is_of(student.get("email"), address):
            data.deleted[folder] = key


def _deleted_job(folder: Path) -> tuple[str, Document]:
    """The document of a job in the trash, empty for what is no job, and the job's key, empty for a mere copy of it.
    OSError and JsonProblem where nobody can read it."""
    if folder.is_symlink() or not folder.is_dir():
        return "", {}
    log = trusted(fs.read_if_there(folder / EVENTS) or b"")
    if log.events:
        return key_of(log) if is_deleted(log) else "", log.document()
    if id_in_folder_name(folder.name) is None and not os.path.lexists(folder / METADATA):
        return "", {}
    return "", decode_object(fs.read(folder / METADATA))


# -- export -----------------------------------------------------------------------------------------------------------


def export(store: JobStore, data: StudentData, address: str, into: Path) -> Path:
    """Write all files of the student's jobs into a new zip in `into`, for nobody's eyes but this account's, and note
    that it was done. PrintSysError; half a zip never stays."""
    now = store.clock()
    path = into / f"student-data-{now:%Y-%m-%d-%H%M%S}.zip"
    if store.layout.has(into):
        raise PrintSysError(f"{into} lies in the storage. Please name a folder elsewhere.")
    with _removed_unless_whole(path) as file, zipfile.ZipFile(file, "w") as archive:
        archive.writestr("README.txt", README.format(address=address, at=format_time(now)))
        for stored in data.jobs:
            with store.lock_for_reading(stored.id) as folder:
                _add(archive, folder, f"jobs/{folder.name}")
        for folder in data.copies:
            _add(archive, folder, f"copies/{store.layout.relative(folder)}")
        for folder in data.deleted:
            _add(archive, folder, f"deleted/{folder.name}")
    note_request(store, "exported", jobs=len(data.jobs) + len(data.deleted))
    return path


@contextmanager
def _removed_unless_whole(path: Path) -> Iterator[BinaryIO]:
    is_whole = False
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(fs.open_new(path, 0o600), "wb") as file:
            try:
                yield file
                is_whole = True
            finally:
                if not is_whole:
                    file.close()
                    path.unlink()
    except OSError as error:
        raise PrintSysError(f"{path} cannot be made: {reason_of(error)} ({error.filename or path}).") from error


def _add(archive: zipfile.ZipFile, folder: Path, name: str) -> None:
    """Regular files only: a link may lead anywhere. A slicer's temporary file may go meanwhile. OSError for a folder or
    file that cannot be read: what is handed out as everything has everything."""
    for parent, folders, files in os.walk(folder, onerror=_refuse):
        folders.sort()
        for path in (Path(parent, file) for file in sorted(files)):
            if not path.is_symlink() and path.is_file():
                with suppress(FileNotFoundError), fs.open_regular(path) as reader:
                    inside = readable(path.relative_to(folder).as_posix())
                    entry = zipfile.ZipInfo.from_file(path, f"{name}/{inside}", strict_timestamps=False)
                    entry.compress_type = zipfile.ZIP_DEFLATED
                    with archive.open(entry, "w") as writer:
                        shutil.copyfileobj(reader, writer, 1 << 20)


def _refuse(error: OSError) -> None:
    raise error


# -- erase ------------------------------------------------------------------------------------------------------------


@dataclass
class EraseResult:
    erased: list[str] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)


def erase(actions: Actions, data: StudentData, actor: str) -> EraseResult:
    """Leave an anonymous line of each ended job, empty the trash of the student's folders, and note that it was done;
    the note says how many, and not who. It has the keys of jobs that go out of the trash, which leave no line: no
    backup should bring them back. Open jobs stay."""
    keys = sorted(set(data.deleted.values()) - {"", *(key_of(stored.log) for stored, _ in data.open)})
    pruned = prune(actions, [(stored.id, stored.job.revision) for stored in data.ended], actor, "erased")
    result = EraseResult(pruned.pruned, pruned.skipped)
    numbers = {"jobs": len(result.erased), "deleted": len(data.deleted), "stay": len(data.open)}
    note_request(actions.store, "erased", **numbers, by=actor, keys=keys)
    for folder in data.deleted:
        try:
            if folder.exists() and not remove(actions.store, Waste("trash", folder, actions.clock(), 0)):
                result.skipped.append((folder.name, "somebody is at it."))
        except PrintSysError as error:
            result.skipped.append((folder.name, str(error)))
    return result
