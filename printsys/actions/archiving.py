"""Jobs that ended long ago: finds them, and archives them when staff or a command ask for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from printsys.actions import Actions
from printsys.actions.due_jobs import DueJob, due_job
from printsys.domain.inputs import NoInput
from printsys.domain.job import Job
from printsys.domain.status import FINAL, Status
from printsys.errors import JobBusy, PrintSysError, TransitionNotAllowed
from printsys.jobstore import JobStore


@dataclass
class ArchiveResult:
    """Ids of the `archived` jobs; those that stay, each as (id, reason), in `skipped`."""

    archived: list[str] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)


def is_kept_long_enough(job: Job, before: datetime) -> bool:
    return job.status in FINAL and job.status_since < before


def kept_long_enough(store: JobStore, before: datetime, skipped: list[tuple[str, str]]) -> Iterator[DueJob]:
    """Straight from the folders. Jobs that cannot be read, or need a person first, are added to `skipped`, each with
    the reason."""
    for job_id in dict.fromkeys(job_id for job_id, _folder in store.ids(FINAL)):
        try:
            stored = store.load(job_id)
            if is_kept_long_enough(stored.job, before):
                if stored.problem is not None:
                    raise stored.problem
                if stored.asked_by_hand is not None:
                    raise JobBusy(job_id, 0)
                yield due_job(store, stored)
        except PrintSysError as error:
            skipped.append((job_id, str(error)))


def archive(actions: Actions, jobs: Iterable[tuple[str, int]], before: datetime, actor: str) -> ArchiveResult:
    """Archive each (id, revision when listed), if that is still due and nobody has done it. A job that cannot be
    archived delays no other."""
    result = ArchiveResult()
    for job_id, revision in jobs:
        try:
            job = actions.store.load(job_id).job
            if job.status is Status.ARCHIVED:
                continue
            if not is_kept_long_enough(job, before):
                raise TransitionNotAllowed("archive", f"Job {job_id} did not end long enough ago.")
            actions.perform(job_id, "archive", NoInput(), actor, revision)
            result.archived.append(job_id)
        except PrintSysError as error:
            result.skipped.append((job_id, str(error)))
    return result
