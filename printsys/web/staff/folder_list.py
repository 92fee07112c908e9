"""Jobs straight from the folders, for the time without a database: what a page shows, and what it cannot show."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from indexer.job_filter import JobFilter
from printsys.domain import naming
from printsys.domain.job import Job
from printsys.domain.status import LIVE, Status
from printsys.domain.words import counted
from printsys.errors import JobNotFound
from printsys.jobstore import JobStore, Stored
from printsys.jobstore.layout import readable
from printsys.jobstore.repair import id_inside
from printsys.jobstore.visits import Failure, visit

MOST_READ = 500
"""Finished jobs may be many: only as many folders are read as a person can wait for."""
DATABASE_DOWN = (
    "The database is not available. Submitting, confirming and every action go on, and this list comes straight from "
    "the folders. How many e-mails wait and which jobs ended long ago shows again when it is back."
)
LIST_LACKS = (
    "Until then the tabs count all jobs, whatever a search or a filter leaves out, and a job’s page has no Previous "
    "and Next."
)
SEARCH_COVERS = "Until then the search reads active jobs, and of all others the names of their folders."


@dataclass(frozen=True)
class FolderList:
    """`unreadable` says which folders cannot be read, and why; `left_out`: how many folders were not read."""

    jobs: list[Stored] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    left_out: int = 0

    def banners(self, q: str) -> list[str]:
        sentences = [DATABASE_DOWN, *([SEARCH_COVERS] if q else [])]
        if self.left_out:
            folders = counted(self.left_out, "more folder is", "more folders are")
            sentences.append(f"{folders} not read for this list; please search by name or id.")
        return sentences


def read_folders(store: JobStore, wanted: JobFilter) -> FolderList:
    """Without a status: all that match the words or, without words, all active jobs. A copy of a folder is no job."""
    status, q = wanted.status, wanted.q
    statuses = (status,) if status is not None else tuple(Status) if q else LIVE
    folders = [folder for folder in store.layout.job_folders(statuses) if _may_match(folder, q)]
    listed = FolderList(left_out=max(0, len(folders) - MOST_READ))
    for folder in folders[:MOST_READ]:
        stored = visit(store, folder.name, partial(_job_in, store, folder))
        if isinstance(stored, Failure):
            listed.unreadable.append(f"{readable(folder.name)}: {stored.error}")
        elif stored is not None and _matches(stored, q) and wanted.accepts(stored.job):
            listed.jobs.append(stored)
    return listed


def _job_in(store: JobStore, folder: Path) -> Stored | None:
    """None for a copy, for what is no job, and for a folder that has just moved on."""
    job_id = id_inside(folder)
    try:
        if job_id is None or store.find(job_id, near=folder) != folder:
            return None
        return store.load(job_id)
    except JobNotFound:
        return None


def _may_match(folder: Path, q: str) -> bool:
    """Whether the folder is worth reading: its name has every word, or its job is active."""
    name = folder.name.casefold()
    in_name = all(word in name or naming.camel(word, 60, "\0").casefold() in name for word in q.casefold().split())
    return in_name or folder.parent.name in LIVE


def _matches(stored: Stored, q: str) -> bool:
    """Every word must be found; the mirror's own search reads more of the job."""
    text = f"{stored.folder.name} {' '.join(_fields(stored.job))}".casefold()
    name = stored.folder.name.casefold()
    return all(word in text or naming.camel(word, 60, "\0").casefold() in name for word in q.casefold().split())


def _fields(job: Job) -> Iterator[str]:
    request, student = job.request, job.student
    fields = (job.id, student.name, student.email, student.class_number, student.discipline, job.notes)
    for text in (*fields, request.method, request.color, request.printer, *(file.name for file in job.files)):
        if text:
            yield text
