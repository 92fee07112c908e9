"""A job's lock, and what the disk refuses as StorageFailure."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from filelock import FileLock, Timeout

from printsys.errors import JobBusy, StorageFailure, StorageOffline
from printsys.jobstore.identity import require_online
from printsys.jobstore.layout import Layout
from printsys.jobstore.refusals import reason_of

LOCK_PATIENCE_S = 10.0


def job_lock(layout: Layout, job_id: str) -> FileLock:
    return FileLock(layout.lock(job_id), poll_interval=0.02)


def staging_lock_name(job_id: str) -> str:
    """The lock to hold while staging files for an existing job; the job's own lock is free meanwhile."""
    return f"{job_id}.new"


def mail_lock_name(job_id: str) -> str:
    """The lock to hold while a job's e-mails are sent; the job's own lock is free meanwhile."""
    return f"{job_id}.mail"


@contextmanager
def locked(layout: Layout, expected_id: str, name: str, patience_s: float) -> Iterator[None]:
    """Hold the job's lock, or another of its locks. JobBusy after `patience_s`; StorageFailure, StorageOffline."""
    lock = job_lock(layout, name)
    # filelock would make the folder, in the empty place of a share that is gone, too
    if not os.path.isdir(layout.locks):
        require_online(layout, expected_id)
    try:
        lock.acquire(timeout=patience_s)
    except Timeout as error:
        raise JobBusy(name.partition(".")[0], patience_s) from error
    except OSError as error:
        require_online(layout, expected_id)
        raise StorageFailure(f"The storage refuses locks: {reason_of(error)}. Nothing was changed.") from error
    try:
        if not os.path.exists(layout.storage_id):
            require_online(layout, expected_id)
        yield
    except StorageOffline:
        _leave_mount_point_empty(layout, lock)
        raise
    finally:
        lock.release()


def _leave_mount_point_empty(layout: Layout, lock: FileLock) -> None:
    """The share may go between the look at it and the lock, whose folders filelock makes then."""
    if os.path.lexists(layout.storage_id):
        return
    lock.release()
    with suppress(OSError):  # on Windows the release takes the file away
        os.unlink(lock.lock_file)
    with suppress(OSError):  # what has anything else in it stays
        os.rmdir(layout.locks)
        os.rmdir(layout.system)


@contextmanager
def disk_errors(layout: Layout, expected_id: str) -> Iterator[None]:
    """Raise an OSError of the body as StorageFailure, or as StorageOffline where the storage is gone.

    For work that comes before the change happens: the sentence promises that nothing was changed.
    """
    try:
        yield
    except OSError as error:
        require_online(layout, expected_id)
        raise StorageFailure(
            f"The storage refused the change: {reason_of(error)}. Nothing was changed; please try again."
        ) from error
