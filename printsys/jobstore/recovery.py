"""After a crash: finish every change that was under way, and remove what interrupted submissions left in staging/."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

from filelock import FileLock, Timeout

from printsys import fs
from printsys.errors import JobNotFound
from printsys.jobstore import moves
from printsys.jobstore.layout import Layout
from printsys.jobstore.locks import job_lock, staging_lock_name
from printsys.jobstore.store import JobStore
from printsys.jobstore.stored import ends_with_deletion
from printsys.jobstore.visits import Failure, visit

logger = logging.getLogger(__name__)


def recover_all(store: JobStore) -> list[str]:
    """Finish every intent, drop every staging folder that nobody fills. Returns the ids; a job that cannot be
    recovered stops no other. StorageOffline."""
    store.require_online()
    store.layout.make()
    touched = []
    for intent in sorted(store.layout.moves.glob("*.json")):
        if _succeeds(store, intent.stem, partial(_finish, store, intent.stem)):
            touched.append(intent.stem)
    for torn in sorted(store.layout.moves.glob(f".*.json{fs.TEMPORARY_SUFFIX}")):
        _succeeds(store, torn.name, partial(_remove_torn, store, torn))
    for staging in sorted(store.layout.staging.iterdir()):
        if _succeeds(store, staging.name, partial(drop_abandoned, store, staging)):
            touched.append(staging.name)
    return touched


def _succeeds(store: JobStore, name: str, work: Callable[[], bool]) -> bool:
    result = visit(store, name, work)
    if isinstance(result, Failure):
        logger.warning("%s is not recovered yet: %s", name, result.error)
        return False
    return result


def _finish(store: JobStore, job_id: str) -> bool:
    """False, and nothing is changed, where the job is missing, and files that are its own wait until it is back."""
    with store.locked(job_id):
        has_files = moves.waiting_files(store.layout, job_id) is not None
        try:
            store.find(job_id, everywhere=not has_files)  # it may be missing for long, and every sweep asks
            store.load_locked(job_id)
        except JobNotFound:
            if has_files and not _is_put_away(store.layout, job_id):
                return False
            moves.drop_intent(store.layout, job_id)
    return True


def _is_put_away(layout: Layout, job_id: str) -> bool:
    """Whether the job was deleted or pruned."""
    in_trash = layout.named_for(job_id, [layout.trash])
    return os.path.lexists(layout.pruned_id(job_id)) or any(map(ends_with_deletion, in_trash))


def _remove_torn(store: JobStore, torn: Path) -> bool:
    with store.locked(torn.name[1:].partition(".")[0]):  # a process that still writes it holds this lock
        fs.unlink(torn)
    return True


def drop_abandoned(store: JobStore, staging: Path) -> bool:
    """Remove a folder of staging/; False, and nothing is changed, where a submission or a job still needs it."""
    job_id, dot, _ = staging.name.partition(".")
    if dot and moves.announced_files(store.layout, job_id) == staging:
        return False  # its files are a job's already; they wait for the disk
    try:
        with _lock_of(store.layout, staging).acquire(timeout=0):
            if staging.exists():
                fs.remove_tree(staging)
    except Timeout:
        return False  # a submission that is being written right now
    return True


def is_being_written(layout: Layout, staging: Path) -> bool:
    """Whether a process fills this folder of staging/ right now."""
    lock = _lock_of(layout, staging)
    if not os.path.exists(lock.lock_file):
        return False
    try:
        with lock.acquire(timeout=0):
            return False
    except Timeout:
        return True
    except OSError:  # a storage that can only be read
        return False


def _lock_of(layout: Layout, staging: Path) -> FileLock:
    job_id, dot, _ = staging.name.partition(".")
    return job_lock(layout, staging_lock_name(job_id) if dot else job_id)
