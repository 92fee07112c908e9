"""Jobs that are due to be archived or pruned: listed for a person, so that what was looked at is what goes.

A list in a file has ids and no names, for it may outlive its jobs. Its first line is about all of it, so that a page
shows the beginning of a long one without taking the rest apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter

from printsys import fs
from printsys.domain.status import Status
from printsys.errors import PrintSysError
from printsys.jobstore import JobStore, Stored
from printsys.jobstore.trash import size_of

Task = Literal["archive", "prune"]


@dataclass(frozen=True)
class DueJob:
    """`since`: when it ended, or was archived. `size` of all that lies in its folder, in bytes."""

    id: str
    revision: int
    status: Status
    since: datetime
    size: int


@dataclass(frozen=True)
class JobThatStays:
    id: str
    why: str


@dataclass(frozen=True)
class ListSummary:
    """Jobs that were due `days` after their end or their archiving at `listed_at`: how many, their `size` in bytes, and
    how many `stay`."""

    task: Task
    listed_at: datetime
    days: int
    jobs: int
    size: int
    stay: int

    @property
    def before(self) -> datetime:
        return due_before(self.listed_at, self.days)


@dataclass(frozen=True)
class DueList:
    """All that the summary is about, or the first of them."""

    summary: ListSummary
    jobs: Sequence[DueJob]
    stay: Sequence[JobThatStays]


_SUMMARY, _JOB, _STAYS = TypeAdapter(ListSummary), TypeAdapter(DueJob), TypeAdapter(JobThatStays)


def due_before(now: datetime, days: int) -> datetime:
    """The moment before which a job must have ended, or been archived, to be due by now."""
    return now - timedelta(days=days)


def due_job(store: JobStore, stored: Stored) -> DueJob:
    """StorageFailure, StorageOffline."""
    with store.disk_errors():
        size = size_of(stored.folder)
    return DueJob(stored.id, stored.job.revision, stored.job.status, stored.job.status_since, size)


def due_list(
    task: Task, now: datetime, days: int, jobs: Sequence[DueJob], skipped: Sequence[tuple[str, str]]
) -> DueList:
    """The longest due first. `skipped`: jobs that stay, each as (id, reason)."""
    summary = ListSummary(task, now, days, len(jobs), sum(job.size for job in jobs), len(skipped))
    return DueList(
        summary,
        sorted(jobs, key=lambda job: (job.since, job.id)),
        [JobThatStays(job_id, reason) for job_id, reason in skipped],
    )


def write_list(path: Path, listed: DueList) -> None:
    """OSError."""
    lines = [
        _SUMMARY.dump_json(listed.summary),
        *map(_JOB.dump_json, listed.jobs),
        *map(_STAYS.dump_json, listed.stay),
    ]
    fs.replace(path, b"\n".join(lines) + b"\n")


def read_list(path: Path, task: Task, most: int | None = None) -> DueList:
    """`most`: no more jobs than that, and no more of those that stay. PrintSysError where it is no whole list of that
    task: what is due to be archived is not due to be pruned."""
    try:
        first, *lines = fs.read(path).splitlines()
        summary = _SUMMARY.validate_json(first)
        if summary.task != task or len(lines) != summary.jobs + summary.stay:
            raise ValueError
        jobs, stay = lines[: summary.jobs], lines[summary.jobs :]
        return DueList(
            summary,
            [_JOB.validate_json(line) for line in jobs[:most]],
            [_STAYS.validate_json(line) for line in stay[:most]],
        )
    except OSError as error:
        raise PrintSysError(f"The list {path} cannot be read ({error.strerror}). Nothing was changed.") from error
    except ValueError as error:
        raise PrintSysError(f"{path} is no list of jobs to {task}. Nothing was changed.") from error
