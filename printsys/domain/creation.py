"""The files of a job as events: what was added, and the first event of a job, which brings its files with it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from printsys.domain import emails
from printsys.domain.emails import Mail
from printsys.domain.events import EventDraft, EventType
from printsys.domain.inputs import SubmitInput, WalkInInput
from printsys.domain.job import SCHEMA_VERSION, Document, FileRecord, Job, dump, format_time
from printsys.domain.status import Status


def job_created(
    job_id: str, folder: str, said: SubmitInput, files: Sequence[Document], actor: str, now: datetime
) -> list[EventDraft]:
    """The first batch of a submitted job: everything that the student said and sent, and the e-mail that says so."""
    said_so = requested(said)
    created = _created(job_id, folder, said_so["student"], said_so["request"], files, actor, now)
    return [created, emails.queued(Mail.RECEIVED, said.student_email, actor)]


def walk_in_created(
    job_id: str, folder: str, said: WalkInInput, files: Sequence[Document], actor: str, now: datetime, found_in: str
) -> list[EventDraft]:
    """The first event of a job that was found as a file or a folder: what staff know of it, and where it lay."""
    student = {
        "name": said.student_name,
        "email": said.student_email,
        "discipline": said.discipline,
        "class_number": said.class_number,
    }
    request = {"method": said.print_method, "color": said.color, "printer": said.printer, "copies": said.copies}
    return [_created(job_id, folder, student, request, files, actor, now, {"found_in": found_in})]


def reprint_created(
    job_id: str, folder: str, of: Job, files: Sequence[Document], actor: str, now: datetime, found_in: str | None = None
) -> list[EventDraft]:
    """The first event of a job that prints another one again, for the same student, as it was asked for."""
    told: Document = {"reprint_of": of.id}
    if found_in is not None:
        told["found_in"] = found_in
    request = dump(of.request) | {"due_date": None}
    return [_created(job_id, folder, dump(of.student), request, files, actor, now, told)]


def _created(
    job_id: str,
    folder: str,
    student: Document,
    request: Document,
    files: Sequence[Document],
    actor: str,
    now: datetime,
    told: Document | None = None,
) -> EventDraft:
    at = format_time(now)
    document: Document = {
        "schema_version": SCHEMA_VERSION,
        "id": job_id,
        "status": Status.UPLOADED.value,
        "status_since": at,
        "created_at": at,
        "student": student,
        "request": request,
        "files": list(files),
        "print_files": [],
        "notes": "",
    }
    names = [file["name"] for file in files]
    return EventDraft(EventType.JOB_CREATED, actor, {"folder": folder, "files": names} | (told or {}), document)


def requested(said: SubmitInput) -> Document:
    """What the student said, as the sections of metadata.json have it."""
    return {
        "student": {
            "name": said.student_name,
            "email": said.student_email,
            "discipline": said.discipline,
            "class_number": said.class_number,
        },
        "request": {
            "method": said.print_method,
            "color": said.color,
            "printer": said.printer,
            "minimum_charge_consent": said.minimum_charge_consent,
            "copies": said.copies,
            "due_date": said.due_date,
            "message": said.message,
        },
    }


def files_added(job: Job, records: Sequence[FileRecord], actor: str) -> list[EventDraft]:
    """One FileAdded for each record, in order; each patch holds the whole list as it is after it."""
    drafts = []
    files = [dump(record) for record in job.files]
    for record in records:
        files = [*files, dump(record)]
        told = {"name": record.name, "size": record.size, "sha256": record.sha256}
        drafts.append(EventDraft(EventType.FILE_ADDED, actor, told, {"files": files}))
    return drafts
