"""The files of a job as events: what was added, and the first event of a job, which brings its files with it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from printsys.domain import emails
from printsys.domain.emails import Mail
from printsys.domain.events import SYSTEM, EventDraft, EventType
from printsys.domain.inputs import AtCounterInput, SubmitInput, WalkInInput
from printsys.domain.job import CONVERTED, PRINTED_ON, SCHEMA_VERSION, Document, FileRecord, Job, dump, format_time
from printsys.domain.request_fields import to_document
from printsys.domain.status import Status


def job_created(
    job_id: str,
    folder: str,
    request: SubmitInput | AtCounterInput,
    files: Sequence[Document],
    actor: str,
    now: datetime,
    owes_receipt: bool = True,
) -> list[EventDraft]:
    """The first batch of a submitted job: what the student asked for and sent, and the e-mail that confirms it."""
    created = _created(job_id, folder, to_document(request), files, actor, now, {})
    address = request.student_email if owes_receipt else None
    return [created, *([emails.queued(Mail.RECEIVED, address, actor)] if address else [])]


def walk_in_created(
    job_id: str, folder: str, request: WalkInInput, files: Sequence[Document], actor: str, now: datetime, found_in: str
) -> list[EventDraft]:
    """The first event of a job that staff make of a file or folder at `found_in`: as much as they know of it."""
    return [_created(job_id, folder, to_document(request), files, actor, now, {"found_in": found_in})]


def reprint_created(
    job_id: str, folder: str, of: Job, files: Sequence[Document], actor: str, now: datetime, found_in: str | None = None
) -> list[EventDraft]:
    """The first event of a job that prints another one again, for the same student, as it was asked for."""
    origin: Document = {"reprint_of": of.id}
    if found_in is not None:
        origin["found_in"] = found_in
    wishes = {key: value for key, value in dump(of.request).items() if key != PRINTED_ON} | {"due_date": None}
    request = {"student": dump(of.student), "request": wishes}
    return [_created(job_id, folder, request, files, actor, now, origin)]


def _created(
    job_id: str,
    folder: str,
    request: Document,
    files: Sequence[Document],
    actor: str,
    now: datetime,
    origin: Document,
) -> EventDraft:
    at = format_time(now)
    document: Document = {
        "schema_version": SCHEMA_VERSION,
        "id": job_id,
        "status": Status.UPLOADED.value,
        "status_since": at,
        "created_at": at,
        **request,
        "files": list(files),
        "print_files": [],
        "notes": "",
    }
    names = [file["name"] for file in files]
    return EventDraft(EventType.JOB_CREATED, actor, {"folder": folder, "files": names} | origin, document)


def files_added(job: Job, records: Sequence[FileRecord], actor: str) -> list[EventDraft]:
    """One FileAdded for each record, in order; each patch holds the whole list as it is after it."""
    drafts = []
    files = [dump(record) for record in job.files]
    for record in records:
        files = [*files, dump(record)]
        event_data = {"name": record.name, "size": record.size, "sha256": record.sha256}
        drafts.append(EventDraft(EventType.FILE_ADDED, actor, event_data, {"files": files}))
    return drafts


def working_copy_converted(job: Job, before: FileRecord, after: FileRecord, of: FileRecord, reason: str) -> EventDraft:
    """The working copy `before` of the original `of` becomes `after`, written as STL, and the print file follows.
    `reason` says what is the matter with the original."""
    files = [dump(after) | {CONVERTED: reason} if file.name == before.name else dump(file) for file in job.files]
    print_files = [after.name if name == before.name else name for name in job.print_files]
    event_data = {"name": after.name, "from": before.name, "of": of.name, "sha256": after.sha256, "reason": reason}
    patch: Document = {"files": files} | ({"print_files": print_files} if print_files != job.print_files else {})
    return EventDraft(EventType.WORKING_COPY_CONVERTED, SYSTEM, event_data, patch)
