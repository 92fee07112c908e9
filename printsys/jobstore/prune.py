"""What may be thrown away of storage/: deleted jobs whose time in the trash is over, and what interrupted work left.

Nothing here ever looks into a status folder: a job's files are nobody's waste.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from printsys import fs
from printsys.domain.events import EventType
from printsys.errors import StorageFailure
from printsys.jobstore.layout import EVENTS
from printsys.jobstore.log import trusted
from printsys.jobstore.store import JobStore

TRASH_KEEPS = timedelta(days=30)
STALE = timedelta(days=1)
"""A submission that is being written is younger, whatever the connection; and it holds its lock."""
EMPTYING = ".emptying-"
"""How a thing in the trash begins whose removal has begun: killed there, the next prune ends it."""


@dataclass(frozen=True)
class Waste:
    """`since`: when it was thrown away or abandoned. `size` in bytes."""

    kind: Literal["trash", "staging", "scratch"]
    path: Path
    since: datetime
    size: int


def find_waste(store: JobStore, now: datetime) -> Iterator[Waste]:
    """StorageOffline. Nothing is changed."""
    store.require_online()
    for path in _entries(store.layout.trash):
        since = _thrown_away(path)
        if since < now - TRASH_KEEPS or path.name.startswith(EMPTYING):
            yield Waste("trash", path, since, size_of(path))
    yield from _stale("staging", store.layout.staging, now)


def find_scratch(folder: Path, now: datetime) -> Iterator[Waste]:
    """Of a folder of this machine that holds only what is being looked at: what a process that was killed left."""
    yield from _stale("scratch", folder, now)


def _stale(kind: Literal["staging", "scratch"], folder: Path, now: datetime) -> Iterator[Waste]:
    for path in _entries(folder):
        since = _touched(path)
        if since < now - STALE:
            yield Waste(kind, path, since, size_of(path))


def remove(store: JobStore, waste: Waste) -> bool:
    """Whether it is gone now; False where somebody has it back, or is writing it after all. StorageFailure."""
    if waste.kind == "staging":
        return bool(store.drop_abandoned(waste.path)) and not waste.path.exists()
    if waste.kind == "scratch":
        return _removed(waste.path)
    return store.empty_from_trash(waste.path, EMPTYING)


def _removed(path: Path) -> bool:
    try:
        fs.remove_tree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    except OSError as error:
        raise StorageFailure(f"{path} cannot be removed ({error.strerror}).") from error
    return True


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _thrown_away(path: Path) -> datetime:
    """The latest that anything tells: the job's own log, and the file system, whose times a copy may have renewed."""
    log = fs.read_if_there(path / EVENTS) if path.is_dir() and not path.is_symlink() else None
    deleted = [event.at for event in trusted(log or b"").events if event.type == EventType.JOB_DELETED]
    return max([_touched(path), *deleted])


def _touched(path: Path) -> datetime:
    status = path.lstat()
    return datetime.fromtimestamp(max(status.st_mtime, status.st_ctime), UTC)


def size_of(path: Path) -> int:
    if path.is_symlink() or not path.is_dir():
        return path.lstat().st_size
    return sum(inner.lstat().st_size for inner in path.rglob("*") if not inner.is_dir())
