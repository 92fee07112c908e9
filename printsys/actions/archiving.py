"""Jobs that ended long ago: finds them, and archives them when staff or a command ask for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from printsys.actions import Actions
from printsys.domain.inputs import NoInput
from printsys.domain.job import Job
from printsys.domain.status import FINAL
from printsys.errors import PrintSysError
from printsys.jobstore import JobStore


@dataclass
class ArchiveResult:
    """Ids of the `archived` jobs; those that stay, each as (id, reason), in `skipped`."""

    archived: list[str] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)


def ended_before(now: datetime, days: int) -> datetime:
    """The moment before which a job must have ended to be kept long enough by now."""
    return now - timedelta(days=days)


def is_kept_long_enough(job: Job, before: datetime) -> bool:
    return job.status in FINAL and job.status_since < before


def kept_long_enough(store: JobStore, before: datetime, skipped: list[tuple[str, str]]) -> Iterator[Job]:
    """Straight from the folders. Jobs that cannot be read are added to `skipped`, each with the reason."""
    for job_id, _folder in list(store.ids(FINAL)):
        try:
            job = store.load(job_id).job
        except PrintSysError as error:
            skipped.append((job_id, str(error)))
            continue
        if is_kept_long_enough(job, before):
            yield job


def archive(actions: Actions, jobs: Iterable[tuple[str, int]], before: datetime, actor: str) -> ArchiveResult:
    """Archive each (id, revision when listed), if that is still due. A job that cannot be archived delays no other."""
    result = ArchiveResult()
    for job_id, revision in jobs:
        try:
            if is_kept_long_enough(actions.store.load(job_id).job, before):
                actions.perform(job_id, "archive", NoInput(), actor, revision)
                result.archived.append(job_id)
        except PrintSysError as error:
            result.skipped.append((job_id, str(error)))
    return result
