"""After a crash: finish every change that was under way, and remove what interrupted submissions left in staging/."""

from __future__ import annotations

from pathlib import Path

from filelock import Timeout

from printsys import fs
from printsys.errors import JobNotFound
from printsys.jobstore import moves
from printsys.jobstore.locks import job_lock, staging_lock_name
from printsys.jobstore.store import JobStore


def recover_all(store: JobStore) -> list[str]:
    """Finish every intent, drop every staging folder that nobody fills. Returns the ids. StorageOffline, JobBusy."""
    store.require_online()
    store.layout.make()
    touched = []
    for intent in sorted(store.layout.moves.glob("*.json")):
        job_id = intent.stem
        with store.locked(job_id):
            try:
                store.load_locked(job_id)
            except JobNotFound:
                moves.drop_intent(store.layout, job_id)
        touched.append(job_id)
    for torn in sorted(store.layout.moves.glob(f".*.json{fs.TEMPORARY_SUFFIX}")):
        with store.locked(torn.name[1:].partition(".")[0]):  # a process that still writes it holds this lock
            fs.unlink(torn)
    return touched + [
        staging.name for staging in sorted(store.layout.staging.iterdir()) if drop_abandoned(store, staging)
    ]


def drop_abandoned(store: JobStore, staging: Path) -> bool:
    """Remove a folder of staging/; False, and nothing is changed, where a submission or a job still needs it."""
    job_id, dot, _ = staging.name.partition(".")
    if dot and moves.announced_files(store.layout, job_id) == staging:
        return False  # its files are a job's already; they wait for the disk
    try:
        with job_lock(store.layout, staging_lock_name(job_id) if dot else job_id).acquire(timeout=0):
            if staging.exists():
                fs.remove_tree(staging)
    except Timeout:
        return False  # a submission that is being written right now
    return True
