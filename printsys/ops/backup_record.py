"""What became of this computer's backups: a small file in instance/ that pages, `doctor` and `/healthz` read.

A run is in it before it begins. Whether one still goes on is told by a lock, which the operating system frees when
its process dies: so a run that was killed never looks like one that is under way.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic import TypeAdapter, ValidationError

from printsys import fs
from printsys.config import Lab, Settings, make_private_folder
from printsys.errors import PrintSysError

INTERRUPTED = "It was interrupted before its end."
PATIENCE_S = 2.0
"""Longer than a page holds the lock that asks whether a run is under way."""
logger = logging.getLogger(__name__)


class BackupUnderWay(PrintSysError):
    """A backup, or something that no backup may disturb, goes on; nothing was changed."""

    def __init__(self) -> None:
        super().__init__(
            "A backup, a rehearsal of one or a pruning is under way on this computer. Please try again when that has "
            "ended. Nothing was changed."
        )


class RecordRefused(PrintSysError):
    """This computer's record of its backups cannot be read; nothing was changed."""


@dataclass(frozen=True)
class BackupRun:
    """One backup to the lab's place. `bytes` of all files; `copied` of those that were new. `left_out`: how many files
    could not be read. `error`: why there is no backup of it, in words."""

    started_at: datetime
    place: str
    ended_at: datetime | None = None
    name: str = ""
    jobs: int = 0
    files: int = 0
    bytes: int = 0
    copied: int = 0
    left_out: int = 0
    is_verified: bool = False
    error: str | None = None

    @property
    def is_good(self) -> bool:
        return self.ended_at is not None and self.error is None


@dataclass(frozen=True)
class RehearsalRun:
    """The newest backup restored into a temporary place. `error`: why it would not give the lab back, in words."""

    started_at: datetime
    ended_at: datetime | None = None
    name: str = ""
    jobs: int = 0
    files: int = 0
    error: str | None = None

    @property
    def is_good(self) -> bool:
        return self.ended_at is not None and self.error is None

    @property
    def was_stopped(self) -> bool:
        """By a worker that ended as it was asked to: that says nothing about the backup."""
        return self.ended_at is not None and self.error == INTERRUPTED


@dataclass(frozen=True)
class FailedReading:
    """All that the place holds was to be read, and it could not. `error`: why, in words."""

    at: datetime
    error: str


@dataclass(frozen=True)
class BackupRecord:
    """The last of each, and the last that was good. `read_all_at`: when all that the place holds was read, `damaged`
    how many files of it were not as they had been written. `failed_reading`: one since then."""

    last: BackupRun | None = None
    last_good: BackupRun | None = None
    read_all_at: datetime | None = None
    damaged: int = 0
    rehearsal: RehearsalRun | None = None
    good_rehearsal: RehearsalRun | None = None
    failed_reading: FailedReading | None = None


_SHAPE = TypeAdapter(BackupRecord)


def backup_folder(settings: Settings, lab: Lab) -> Path | None:
    """Where this computer backs up to: PRINTSYS_BACKUP, else `[backup] place` of lab.toml."""
    return settings.backup or lab.backup.folder(settings.lab_config)


def record_if_any(settings: Settings, lab: Lab) -> BackupRecord | None:
    """None where the lab has named no place for backups."""
    return read_record(settings) if backup_folder(settings, lab) is not None else None


def record_path(settings: Settings) -> Path:
    return settings.instance / "backups.json"


def read_record(settings: Settings) -> BackupRecord:
    """As it is true now: what nobody carries on any more was interrupted. An empty one where it cannot be read now:
    pages go on."""
    try:
        record = _read(settings)
        is_open = any(run is not None and run.ended_at is None for run in (record.last, record.rehearsal))
        # Again, for the run may have ended between the two looks.
        return record if not is_open or is_under_way(settings) else _settled(_read(settings))
    except OSError as error:
        logger.warning("%s cannot be read: %s", record_path(settings), error)
        return BackupRecord()


def is_under_way(settings: Settings) -> bool:
    """Whether a backup, a rehearsal or a pruning goes on, by whatever process of this computer."""
    if not record_path(settings).exists():
        return False
    lock = _lock(settings)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    lock.release()
    return False


def require_no_backup(settings: Settings) -> None:
    """BackupUnderWay, for who is to be told before a pruning begins."""
    if is_under_way(settings):
        raise BackupUnderWay


@contextmanager
def under_way(settings: Settings) -> Iterator[BackupRecord]:
    """While the body runs, no other backup, rehearsal or pruning does on this computer: a backup that is made while
    jobs are pruned could have a job and its line. BackupUnderWay, and RecordRefused: who writes it must know what is in
    it."""
    make_private_folder(settings.instance)
    lock = _lock(settings)
    try:
        lock.acquire(timeout=PATIENCE_S)
    except Timeout as error:
        raise BackupUnderWay from error
    try:
        try:
            record = _settled(_read(settings))
        except OSError as error:
            raise RecordRefused(f"{record_path(settings)} cannot be read ({error.strerror}).") from error
        yield record
    finally:
        lock.release()


def write_record(settings: Settings, record: BackupRecord) -> None:
    """Only `under_way`."""
    fs.replace(record_path(settings), _SHAPE.dump_json(record) + b"\n")


def _lock(settings: Settings) -> FileLock:
    return FileLock(settings.instance / "backups.lock")


def _read(settings: Settings) -> BackupRecord:
    """A new one where there is none, or one that nobody understands: the next backup fills it. OSError."""
    data = fs.read_if_there(record_path(settings))
    try:
        return _SHAPE.validate_json(data) if data is not None else BackupRecord()
    except ValidationError:
        return BackupRecord()


def _settled(record: BackupRecord) -> BackupRecord:
    """Of a moment at which nothing is under way."""
    last, rehearsal = record.last, record.rehearsal
    if last is not None and last.ended_at is None and last.error is None:
        last = replace(last, error=INTERRUPTED)
    if rehearsal is not None and rehearsal.ended_at is None and rehearsal.error is None:
        rehearsal = replace(rehearsal, error=INTERRUPTED)
    return replace(record, last=last, rehearsal=rehearsal)
