"""Archived jobs whose time is over: finds them, and prunes them when a person says so, never by itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from printsys.actions import Actions
from printsys.actions.due_jobs import DueJob, due_job
from printsys.domain.job import Job
from printsys.domain.payments import is_unpaid, ledger
from printsys.domain.pricing import money
from printsys.domain.pruned import Because
from printsys.domain.status import Status
from printsys.domain.words import counted
from printsys.errors import JobBusy, PrintSysError, TransitionNotAllowed
from printsys.jobstore import JobStore, Stored
from printsys.jobstore.job_folder import copies_of
from printsys.jobstore.pruned import announce, finish_all, finish_pruning


@dataclass
class PruneResult:
    """Ids of the `pruned` jobs; those that stay, each as (id, reason), in `skipped`."""

    pruned: list[str] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)


def prune_phrase(jobs: int) -> str:
    """What a person types to prune so many."""
    return f"prune {counted(jobs, 'job')}"


def is_archived_since(job: Job, before: datetime) -> bool:
    """Since a moment before `before`."""
    return job.status is Status.ARCHIVED and job.status_since < before


def prunable(store: JobStore, before: datetime, skipped: list[tuple[str, str]]) -> Iterator[DueJob]:
    """Archived since a moment before `before`, straight from the folders. Those that cannot go are added to `skipped`,
    each with the reason."""
    for job_id in dict.fromkeys(job_id for job_id, _folder in store.ids((Status.ARCHIVED,))):
        try:
            stored = store.load(job_id)
            if is_archived_since(stored.job, before):
                require_ended(store, stored)
                yield due_job(store, stored)
        except PrintSysError as error:
            skipped.append((job_id, str(error)))


def require_ended(store: JobStore, stored: Stored) -> None:
    """TransitionNotAllowed, JobBusy, DamagedJob where something is still open that goes with the folder, or where a
    copy of the folder would be the job then. StorageFailure."""
    if stored.problem is not None:
        raise stored.problem
    if stored.asked_by_hand is not None or stored.move_pending is not None:
        raise JobBusy(stored.id, 0)
    if is_unpaid(stored.job):
        due = money(ledger(stored.job).due)
        raise TransitionNotAllowed("prune", f"{due} of it is still to be paid. Please take or waive that first.")
    with store.disk_errors():
        copy = next(copies_of(store.layout, stored.folder, stored.id), None)
    if copy is not None:
        # Without the copy's own name, which has a student's: lists of due jobs are kept.
        raise TransitionNotAllowed(
            "prune", f"A copy of its folder lies in {copy.parent.name}/. Please throw one of them away first."
        )


def prune(
    actions: Actions,
    jobs: Iterable[tuple[str, int]],
    actor: str,
    because: Because,
    archived_before: datetime | None = None,
) -> PruneResult:
    """Prune each (id, revision when listed), if it was archived before that moment. None: in whatever status. A job
    that changed since stays, and keeps no other waiting."""
    result = PruneResult()
    finish_all(actions.store)
    for job_id, revision in jobs:
        try:
            prune_job(actions, job_id, revision, actor, because, archived_before)
            result.pruned.append(job_id)
        except PrintSysError as error:
            result.skipped.append((job_id, str(error)))
    return result


def prune_job(
    actions: Actions,
    job_id: str,
    revision: int,
    actor: str,
    because: Because,
    archived_before: datetime | None = None,
) -> None:
    """StaleJob, TransitionNotAllowed where it was not archived before that moment, what `require_ended` and
    JobStore.edit raise; JobBusy where a program holds a file of it open: then the job is gone as soon as that ends."""
    with actions.store.edit(job_id, revision) as change:
        if archived_before is not None and not is_archived_since(change.before.job, archived_before):
            raise TransitionNotAllowed("prune", f"Job {job_id} was not archived long enough ago.")
        require_ended(actions.store, change.before)
        line = announce(actions.store, change, actor, actions.lab.today(actions.clock()), because)
    actions.follow_up(change.result, line)
    if not finish_pruning(actions.store, job_id):
        raise JobBusy(job_id, 0)
