"""Jobs that ended long ago: which they are, and putting them into Archived/. Only ever when somebody says so."""

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
class Archived:
    """What became of each job: its id, or (its id, why it stays)."""

    done: list[str] = field(default_factory=list)
    stay: list[tuple[str, str]] = field(default_factory=list)


def ended_before(now: datetime, days: int) -> datetime:
    """The moment before which a job must have ended to be kept long enough by now."""
    return now - timedelta(days=days)


def is_kept_long_enough(job: Job, before: datetime) -> bool:
    return job.status in FINAL and job.status_since < before


def kept_long_enough(store: JobStore, before: datetime, stay: list[tuple[str, str]]) -> Iterator[Job]:
    """Straight from the folders. Jobs that cannot be read are added to `stay`, each with why."""
    for job_id, _folder in list(store.ids(FINAL)):
        try:
            job = store.load(job_id).job
        except PrintSysError as error:
            stay.append((job_id, str(error)))
            continue
        if is_kept_long_enough(job, before):
            yield job


def archive(actions: Actions, jobs: Iterable[tuple[str, int]], before: datetime, actor: str) -> Archived:
    """Archive each (id, revision as it was looked at), if that is still due. One that cannot be keeps none waiting."""
    told = Archived()
    for job_id, revision in jobs:
        try:
            if is_kept_long_enough(actions.store.load(job_id).job, before):
                actions.perform(job_id, "archive", NoInput(), actor, revision)
                told.done.append(job_id)
        except PrintSysError as error:
            told.stay.append((job_id, str(error)))
    return told
