"""Jobs that the lab knows, whose folder is not there at the moment: people see the last known facts."""

from __future__ import annotations

from dataclasses import dataclass

from indexer.attention import missing_job
from indexer.missing import deleted_of
from printsys.domain import naming
from printsys.domain.job import Job
from printsys.errors import JobNotFound, MirrorDown, StorageOffline
from printsys.jobstore.notes import missing_job_note
from printsys.web.services import services


@dataclass(frozen=True)
class MissingJob:
    """`sentence` is for staff. `job` is as the mirror has it; None: without the database only the sentence is known."""

    job_id: str
    sentence: str
    job: Job | None


def find_missing_job(job_id: str) -> MissingJob | None:
    """None where nobody knows such a job, somebody deleted it, or its folder is there (then something else was not
    found).

    Looks for the folder last: that lists all of storage, and anybody can make an id up.
    """
    if naming.parse_id(job_id) != job_id:
        return None
    note = missing_job_note(services().store, job_id)
    try:
        row = services().queries.job(job_id)
    except MirrorDown:
        row = None
    if note is None and row is not None:
        note = {"student_name": row.job.student.name, "folder": row.folder}
    if note is None or deleted_of(services().store.layout, [job_id]) or _is_in_storage(job_id):
        return None
    return MissingJob(job_id, missing_job(job_id, note).sentence, row.job if row is not None else None)


def _is_in_storage(job_id: str) -> bool:
    """Or nobody can tell: then nothing is said of it."""
    try:
        services().store.find(job_id, everywhere=False)
    except JobNotFound:
        return False
    except (StorageOffline, OSError):
        return True
    return True
