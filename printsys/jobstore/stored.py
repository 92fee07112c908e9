"""A job as it was found on disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from printsys import fs
from printsys.domain.events import Event, EventType
from printsys.domain.job import Document, Job
from printsys.domain.status import Status
from printsys.errors import DamagedJob
from printsys.jobstore.layout import EVENTS
from printsys.jobstore.log import Log, trusted


@dataclass(frozen=True)
class Stored:
    """`move_pending` says, in words, why the folder is not in its status folder yet. `problem` says what a person
    must look at in the record; while there is one, the job serves its last good state and cannot be changed.
    `asked_in_file` is a status that somebody wrote into metadata.json, `edited` what else that edit changed: it waits
    for the step, and the next recorded change brings it along.
    `digest` is the sha256 of metadata.json as the store read or wrote it: the store replaces only that file.
    `noticed` is the number of the first event that loading it added: an edit by hand, a restored metadata.json."""

    folder: Path
    folder_status: Status | None
    job: Job
    document: Document
    log: Log
    move_pending: str | None = None
    problem: DamagedJob | None = None
    asked_in_file: Status | None = None
    edited: Document | None = None
    digest: str | None = None
    noticed: int | None = None

    @property
    def id(self) -> str:
        return self.job.id

    @property
    def events(self) -> tuple[Event, ...]:
        return self.log.events

    @property
    def asked_by_hand(self) -> Status | None:
        """The status that somebody asks for by having dragged the folder there, or written it into metadata.json.

        A folder in another status folder than the record says, with no move of ours under way, was moved by a person.
        """
        if self.move_pending is None and self.folder_status not in (None, self.job.status):
            return self.folder_status
        return self.asked_in_file


def is_deleted(log: Log) -> bool:
    return bool(log.events) and log.events[-1].type == EventType.JOB_DELETED


def ends_with_deletion(folder: Path) -> bool:
    """Of a folder in the trash: whether the job itself was deleted. A copy of it has another end."""
    try:
        return is_deleted(trusted(fs.read_if_there(folder / EVENTS) or b""))
    except OSError:  # nobody knows: better an item too many than a job that is lost without a word
        return False
