"""Jobs whose folder is nowhere any more: the system deleted them, or a person moved or deleted the folder."""

from __future__ import annotations

import os
from collections.abc import Container, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from indexer.attention import AttentionItem, missing_job
from indexer.index import Mirror
from indexer.pruned import mirror_pruned_jobs
from printsys.domain import naming
from printsys.domain.job import format_time
from printsys.domain.status import Status
from printsys.errors import JobNotFound
from printsys.jobstore import JobStore, Layout
from printsys.jobstore.layout import readable
from printsys.jobstore.notes import missing_job_note, missing_jobs, note_missing
from printsys.jobstore.repair import id_if_readable
from printsys.jobstore.stored import ends_with_deletion
from printsys.jobstore.visits import Failure, visit


def note_missing_jobs(store: JobStore, mirror: Mirror, rows: Sequence[sa.Row[Any]]) -> tuple[int, set[Path]]:
    """Take the jobs that the system put away out of the mirror, and remember those that are missing. `rows` are the
    mirror's rows of jobs that were not found. They may be many, a whole status folder that was moved away: the folders
    are listed for all of them at once.

    Returns how many were taken out, and the folders of the missing jobs of which the disk takes no note now.
    """
    refused: set[Path] = set()
    if not rows:
        return 0, refused
    layout = store.layout
    present = _ids_present(layout) | _ids_present(layout)  # one that moves meanwhile may be passed over once
    gone = [row for row in rows if row.id not in present or place_of(store, row.id) is None]
    put_away = _put_away(layout, gone)
    for row in gone:
        if row.id in put_away:
            continue
        note = {"student_name": row.student_name, "status": row.status, "folder": row.folder}
        if missing_job_note(store, row.id) is None:
            noticed = note | {"noticed_at": format_time(store.clock())}
            if isinstance(visit(store, row.id, partial(note_missing, store, row.id, noticed)), Failure):
                refused.add(layout.root / row.folder)
        mirror.mark_problem(row.id, missing_job(row.id, note).sentence)
    deleted = [row.id for row in gone if row.id in put_away]
    if deleted:  # what was pruned of them is to count without a gap
        mirror_pruned_jobs(store, mirror.engine)
    return (mirror.remove(deleted) if deleted else 0), refused


def _ids_present(layout: Layout) -> set[str | None]:
    """The ids of all folders, by their names; of those that people named, by what is in them."""
    ids = set()
    for path in layout.job_paths():
        job_id = naming.id_in_folder_name(path.rpartition("/")[2])
        ids.add(job_id if job_id is not None else id_if_readable(layout.root / path))
    return ids


def _put_away(layout: Layout, rows: Sequence[sa.Row[Any]]) -> set[str]:
    """Ids of the jobs whose own folder the system moved away. A copy of a job that staff removed proves nothing: its
    record does not end with the deletion. Of a record that nobody can read, the folder's name must be the job's."""
    names = {row.id: row.folder.rpartition("/")[2] for row in rows}
    quarantined = {readable(folder.name) for folder in _entries(layout.quarantine)}
    own = {job_id for job_id, name in names.items() if name in quarantined and naming.id_in_folder_name(name) == job_id}
    pruned = {job_id for job_id in names if os.path.lexists(layout.pruned_id(job_id))}
    return deleted_of(layout, names.keys()) | own | pruned


def deleted_of(layout: Layout, job_ids: Container[str]) -> set[str]:
    """Those of the jobs that lie in the trash because somebody deleted them."""
    trash = [(naming.id_in_folder_name(folder.name), folder) for folder in _entries(layout.trash)]
    return {job_id for job_id, folder in trash if job_id and job_id in job_ids and ends_with_deletion(folder)}


def _entries(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []


def missing_items(store: JobStore) -> list[AttentionItem]:
    return [missing_job(job_id, note) for job_id, note in missing_jobs(store).items()]


def missing_item(store: JobStore, job_id: str) -> AttentionItem | None:
    note = missing_job_note(store, job_id)
    return missing_job(job_id, note) if note is not None else None


def place_of(store: JobStore, job_id: str) -> Path | None:
    """Where the job's folder is now. Folders that bear the name of another job are not searched: where a person gave it
    such a name, the visit of that folder finds the job. A folder that bears this job's name and cannot be read is it:
    its visit says why."""
    try:
        return store.find(job_id, everywhere=False)
    except JobNotFound:
        return None
    except OSError:
        return next(store.layout.named_for(job_id, map(store.layout.status, Status)), None)
