"""A job as it was found on disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from printsys.domain.events import Event, EventType
from printsys.domain.job import Document, Job, Status
from printsys.errors import DamagedJob
from printsys.jobstore.log import Log


@dataclass(frozen=True)
class Stored:
    """`move_pending` says, in words, why the folder is not in its status folder yet. `problem` says what a person
    must look at in the record; while there is one, the job serves its last good state and cannot be changed."""

    folder: Path
    folder_status: Status | None
    job: Job
    document: Document
    log: Log
    move_pending: str | None = None
    problem: DamagedJob | None = None

    @property
    def id(self) -> str:
        return self.job.id

    @property
    def events(self) -> tuple[Event, ...]:
        return self.log.events

    @property
    def moved_by_hand(self) -> bool:
        """The folder lies in another status folder than the record says, and no move of ours is under way."""
        return self.move_pending is None and self.folder_status not in (None, self.job.status)


def is_deleted(log: Log) -> bool:
    return bool(log.events) and log.events[-1].type == EventType.JOB_DELETED
