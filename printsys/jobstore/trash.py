"""The trash and the quarantine: what staff put away, and what the system may remove for good.

Removal never reads a status folder: a job's files are never waste.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Literal

from printsys import fs
from printsys.domain import naming
from printsys.domain.events import EventType
from printsys.domain.status import Status
from printsys.errors import DamagedJob, JobNotFound, StorageFailure
from printsys.jobstore.layout import EVENTS
from printsys.jobstore.log import trusted
from printsys.jobstore.newest import forget_newest
from printsys.jobstore.recovery import drop_abandoned
from printsys.jobstore.refusals import reason_of
from printsys.jobstore.repair import id_if_readable, id_inside
from printsys.jobstore.store import JobStore

TRASH_KEEPS = timedelta(days=30)
STALE = timedelta(days=1)
"""A submission that somebody still writes is younger, whatever the connection; and it holds its lock."""
EMPTYING = ".emptying-"
"""The name of a thing in the trash begins so once its removal has begun: killed there, the next prune ends it."""


# -- putting away -----------------------------------------------------------------------------------------------------


def discard(store: JobStore, relative_path: str) -> Path:
    """Move a copy of a job's folder, or what is no job at all, from a status folder into the trash.

    JobNotFound for anything else: a job itself is deleted by its action.
    """
    store.require_online()
    source = _in_status_folder(store, relative_path)
    if _job_of(store, source) is not None:
        raise JobNotFound(relative_path)
    return _put_away(store, source, store.layout.trash)


def quarantine(store: JobStore, relative_path: str) -> Path:
    """Move a folder whose record nobody can read out of the way, for good; JobNotFound for a job that is whole."""
    store.require_online()
    source = _in_status_folder(store, relative_path)
    job_id = _job_of(store, source)
    if job_id is not None:
        try:
            is_whole = store.load(job_id).problem is None
        except DamagedJob:
            is_whole = False
        if is_whole:
            raise JobNotFound(relative_path)
    return _put_away(store, source, store.layout.quarantine)


def _in_status_folder(store: JobStore, relative_path: str) -> Path:
    """A file or folder that lies in a status folder by itself; JobNotFound for any other place."""
    source = store.layout.find(relative_path)
    lies_right = source.parent.parent == store.layout.root and source.parent.name in set(Status)
    if not lies_right or source.is_symlink() or not source.exists():
        raise JobNotFound(relative_path)
    return source


def _job_of(store: JobStore, source: Path) -> str | None:
    """The id of the job whose folder `source` is; None for a copy of it, and for what is no job."""
    job_id = id_inside(source) if source.is_dir() else None
    return job_id if job_id is not None and store.find(job_id) == source else None


def _put_away(store: JobStore, source: Path, into: Path) -> Path:
    with store.disk_errors():
        into.mkdir(exist_ok=True)
        taken_names = {naming.comparable(entry.name) for entry in into.iterdir()}
        target = into / naming.distinct(source.name, taken_names)
        os.utime(source)  # since when it lies there: a rename alone does not tell on every system
        fs.move_folder(source, target)
    return target


# -- removing for good ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Waste:
    """`since`: when it was thrown away or abandoned. `size` in bytes."""

    kind: Literal["trash", "staging", "scratch"]
    path: Path
    since: datetime
    size: int


def find_waste(store: JobStore, now: datetime) -> Iterator[Waste]:
    """Deleted jobs whose time in the trash is over, and submissions that were cut off. StorageOffline."""
    store.require_online()
    for path in _entries(store.layout.trash):
        since = _thrown_away_at(path)
        if since < now - TRASH_KEEPS or path.name.startswith(EMPTYING):
            yield Waste("trash", path, since, size_of(path))
    yield from _stale("staging", store.layout.staging, now)


def find_scratch(folder: Path, now: datetime) -> Iterator[Waste]:
    """What a killed process left in `folder`, this machine's own folder for files under inspection."""
    yield from _stale("scratch", folder, now)


def remove(store: JobStore, waste: Waste) -> bool:
    """Whether it is gone now; False where somebody has taken it back, or is still writing it. StorageFailure."""
    if waste.kind == "trash":
        store.require_online()
        with store.locked(naming.id_in_folder_name(waste.path.name) or "trash"), store.disk_errors():
            if waste.path.parent != store.layout.trash or not os.path.lexists(waste.path):
                return False
            doomed = waste.path
            if not doomed.name.startswith(EMPTYING):  # so that nobody takes half of it for the whole
                doomed = doomed.with_name(EMPTYING + doomed.name)
                fs.move_folder(waste.path, doomed)
            _delete(doomed)
            _forget_events(store, waste.path.name)
        return True
    if waste.kind == "staging":
        return drop_abandoned(store, waste.path)
    try:
        _delete(waste.path)
    except OSError as error:
        raise StorageFailure(f"{waste.path} cannot be removed: {reason_of(error)}.") from error
    return True


def thrown_away(store: JobStore, job_id: str) -> Iterator[Path]:
    """The folders in the trash that carry the job's id, or its name where nobody can read their record. Those that bear
    its name come first, so that a caller whom one is enough reads no other. StorageFailure."""
    with store.disk_errors():
        named = list(store.layout.named_for(job_id, [store.layout.trash]))
        others = (path for path in _entries(store.layout.trash) if path not in named)
        for path in chain(named, others):
            is_folder = path.is_dir() and not path.is_symlink()
            if is_folder and (id_if_readable(path) or naming.id_in_folder_name(path.name)) == job_id:
                yield path


def _forget_events(store: JobStore, name: str) -> None:
    job_id = naming.id_in_folder_name(name)
    parents = [*map(store.layout.status, Status), store.layout.trash, store.layout.quarantine]
    if job_id is not None and not any(True for _ in store.layout.named_for(job_id, parents)):
        forget_newest(store.layout, job_id)


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        fs.remove_tree(path)
    else:
        fs.unlink(path)


def _stale(kind: Literal["staging", "scratch"], folder: Path, now: datetime) -> Iterator[Waste]:
    for path in _entries(folder):
        since = _touched_at(path)
        if since < now - STALE:
            yield Waste(kind, path, since, size_of(path))


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _thrown_away_at(path: Path) -> datetime:
    """The latest that anything tells: the job's own log, and the file system, whose times a copy may have renewed."""
    try:
        log = fs.read_if_there(path / EVENTS) if path.is_dir() and not path.is_symlink() else None
    except fs.NotAFile:
        log = None
    deleted = [event.at for event in trusted(log or b"").events if event.type == EventType.JOB_DELETED]
    return max([_touched_at(path), *deleted])


def _touched_at(path: Path) -> datetime:
    status = path.lstat()
    return datetime.fromtimestamp(max(status.st_mtime, status.st_ctime), UTC)


def size_of(path: Path) -> int:
    """In bytes, of all that lies at or below `path`."""
    if path.is_symlink() or not path.is_dir():
        return path.lstat().st_size
    return sum(inner.lstat().st_size for inner in path.rglob("*") if not inner.is_dir())
