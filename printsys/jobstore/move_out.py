"""Jobs that somebody put into another folder: back into the status folders, where the system follows them."""

from __future__ import annotations

from pathlib import Path

from printsys import fs
from printsys.domain import naming
from printsys.domain.status import Status
from printsys.errors import JobNotFound
from printsys.jobstore import repair
from printsys.jobstore.files import jobs_inside
from printsys.jobstore.store import JobStore


def move_out(store: JobStore, relative_path: str) -> list[str]:
    """Move the jobs that lie in this folder, which itself lies in a status folder, to where their records say that they
    are. Returns their ids. JobNotFound where there are none (any more); JobBusy, StorageFailure, StorageOffline."""
    store.require_online()
    outer = store.layout.find(relative_path)
    status = store.layout.status_of(outer)
    if status is None or outer.is_symlink() or not outer.is_dir():
        raise JobNotFound(relative_path)
    moved = []
    for inner in jobs_inside(outer):
        job_id = repair.id_inside(inner) or naming.id_in_folder_name(inner.name)
        if job_id is not None:
            with store.locked(job_id), store.disk_errors():
                _move(store, inner, job_id, status)
            moved.append(job_id)
    if not moved:
        raise JobNotFound(relative_path)
    return moved


def _move(store: JobStore, inner: Path, job_id: str, status: Status) -> None:
    """Into `status` where its record does not say where it belongs."""
    clean = repair.read_if_clean(store.layout, inner, job_id)
    parent = store.layout.status(clean.job.status if clean is not None else status)
    taken_names = {naming.comparable(entry.name) for entry in parent.iterdir()}
    fs.move_folder(inner, parent / naming.distinct(inner.name, taken_names))
