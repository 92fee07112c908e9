"""events.jsonl: what happened to a job, each line with the merge patch that it made on metadata.json.

Folding the patches from the first line on gives metadata.json back. `prev` chains the lines. The last event of a
batch carries `state`, the sha256 of the metadata.json it leads to; a batch without it was never finished.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, StrictInt, StrictStr

from printsys.domain.job import Document, Time, canonical, format_time, text_of


class EventType(StrEnum):
    JOB_CREATED = "JobCreated"
    STAFF_APPROVED = "StaffApproved"
    JOB_REJECTED = "JobRejected"
    STUDENT_CONFIRMED = "StudentConfirmed"
    STUDENT_DECLINED = "StudentDeclined"
    STAFF_CONFIRMED = "StaffConfirmed"
    JOB_WITHDRAWN = "JobWithdrawn"
    STUDENT_WROTE = "StudentWrote"
    PRINTING_STARTED = "PrintingStarted"
    PRINT_FAILED = "PrintFailed"
    PLATES_MARKED = "PlatesMarked"
    JOB_COMPLETED = "JobCompleted"
    PAYMENT_RECORDED = "PaymentRecorded"
    PAYMENT_REFUNDED = "PaymentRefunded"
    PAYMENT_WAIVED = "PaymentWaived"
    JOB_PICKED_UP = "JobPickedUp"
    JOB_REOPENED = "JobReopened"
    JOB_ARCHIVED = "JobArchived"
    JOB_DELETED = "JobDeleted"
    FACTS_SUPPLIED = "FactsSupplied"
    CONFIRMATION_EXPIRED = "ConfirmationExpired"
    BECAME_THE_LABS = "BecameTheLabs"
    PUT_AWAY = "PutAway"
    RESUBMITTED = "Resubmitted"
    MOVE_UNDONE = "MoveUndone"
    MOVE_ACCEPTED = "MoveAccepted"
    EVENT_LOST = "EventLost"
    RECORD_RESTORED = "RecordRestored"
    OLDER_COPY_KEPT = "OlderCopyKept"
    JOB_RESTORED = "JobRestored"
    ORIGINAL_RESTORED = "OriginalRestored"
    STATUS_REVERTED = "StatusReverted"
    STATUS_OVERRIDDEN = "StatusOverridden"
    REVIEWED = "Reviewed"
    UNREVIEWED = "Unreviewed"
    NOTES_EDITED = "NotesEdited"
    DETAILS_EDITED = "DetailsEdited"
    FILE_ADDED = "FileAdded"
    FILES_ADDED = "FilesAdded"
    FILE_CHANGED = "FileChanged"
    FILE_RENAMED = "FileRenamed"
    FILE_REMOVED = "FileRemoved"
    PRINT_FILE_CHOSEN = "PrintFileChosen"
    MODEL_INSPECTED = "ModelInspected"
    WORKING_COPY_CONVERTED = "WorkingCopyConverted"
    ESTIMATE_READ = "EstimateRead"
    FILE_READ = "FileRead"
    PRICE_KEPT = "PriceKept"
    FILE_OPENED = "FileOpened"
    THUMBNAIL_MADE = "ThumbnailMade"
    METADATA_EDITED = "MetadataEdited"
    METADATA_RESTORED = "MetadataRestored"
    FOLDER_MOVED = "FolderMoved"
    FOLDER_RENAMED = "FolderRenamed"
    EMAIL_QUEUED = "EmailQueued"
    EMAIL_SENT = "EmailSent"
    EMAIL_FAILED = "EmailFailed"
    EMAIL_DROPPED = "EmailDropped"


BEGUN_AGAIN = frozenset({EventType.RECORD_RESTORED, EventType.OLDER_COPY_KEPT, EventType.JOB_RESTORED})
"""Lines before such an event may be others than they were."""
LISTING = frozenset({"files", "print_files", "estimate"})
"""Keys of metadata.json whose values grow with the number of the job's files."""
STUDENT, STAFF, SYSTEM, FILESYSTEM = "student", "staff", "system", "filesystem"


def actor_kind(actor: str) -> str:
    """`staff:Sam` → `staff`."""
    return actor.partition(":")[0]


class Event(BaseModel):
    """One line. `type` is text, not the enum: a log written by a newer version still reads."""

    model_config = ConfigDict(extra="allow", frozen=True)

    seq: StrictInt
    at: Time
    type: StrictStr
    actor: StrictStr
    data: dict[str, Any] = {}
    patch: dict[str, Any] = {}
    prev: StrictStr | None = None
    state: StrictStr | None = None


@dataclass(frozen=True)
class EventDraft:
    """An event that has not happened yet: what, by whom, and what it changes in metadata.json."""

    type: EventType
    actor: str
    data: Document = field(default_factory=dict)
    patch: Document = field(default_factory=dict)


@dataclass(frozen=True)
class EventBatch:
    """A change ready for the disk: whole lines for events.jsonl and the metadata.json that they lead to."""

    events: tuple[Event, ...]
    lines: bytes
    document: Document
    metadata: bytes


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def merge_patch(target: Any, patch: Any) -> Any:
    """RFC 7396, section 2. Neither argument is changed."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), value)
    return merged


def diff(old: Mapping[str, Any], new: Mapping[str, Any]) -> Document:
    """The smallest merge patch that makes `new` of `old`; lists are replaced whole, null means absent."""
    patch: Document = {name: None for name, value in old.items() if value is not None and new.get(name) is None}
    for name, value in new.items():
        before = old.get(name)
        if value is None or same_json(value, before):
            continue
        if isinstance(value, dict) and isinstance(before, dict):
            patch[name] = diff(before, value)
        else:  # merging into something that is no object starts from {}
            patch[name] = value
    return patch


def same_json(first: Any, second: Any) -> bool:
    """JSON equality: 1, 1.0 and true are three values, as they are three texts."""
    if isinstance(first, dict) and isinstance(second, dict):
        keys = {k for k, v in first.items() if v is not None} | {k for k, v in second.items() if v is not None}
        return all(same_json(first.get(k), second.get(k)) for k in keys)
    if isinstance(first, list) and isinstance(second, list):
        return len(first) == len(second) and all(same_json(a, b) for a, b in zip(first, second, strict=True))
    return type(first) is type(second) and bool(first == second)


def changes_nothing(document: Any, patch: Mapping[str, Any]) -> bool:
    """Whether merging the patch into the document gives the same again: without making either."""
    if not isinstance(document, dict):
        return False
    for name, value in patch.items():
        before = document.get(name)
        if not (changes_nothing(before, value) if isinstance(value, dict) else same_json(value, before)):
            return False
    return True


def fold(events: Iterable[Event]) -> Document:
    """The document that the log leads to."""
    document: Document = {}
    for event in events:
        document = merge_patch(document, event.patch)
    return canonical(document)


def line_of(event: Event) -> bytes:
    """The event's line without its line end. `state` is left out where it is not the last of its batch."""
    values = event.model_dump(mode="json")
    if values["state"] is None:
        del values["state"]
    return json.dumps(values, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def _without_repetition(drafts: Sequence[EventDraft]) -> list[Document]:
    """The patches of one batch without the lists that a later one of them replaces whole: a hundred changes of a
    hundred files would otherwise write a hundred lists of a hundred files. What a person wrote stays whole."""
    lighter = []
    for number, draft in enumerate(drafts, 1):
        patch, later = draft.patch, [other.patch for other in drafts[number:]]
        repeated = {
            name
            for name in LISTING & patch.keys()
            if draft.type is not EventType.METADATA_EDITED
            and any(name in p and _overrides(p[name], patch[name]) for p in later)
        }
        lighter.append({name: value for name, value in patch.items() if name not in repeated})
    return lighter


def _overrides(later: Any, earlier: Any) -> bool:
    """Whether merging `later` gives the same, `earlier` merged before it or not."""
    if not isinstance(later, dict):
        return True
    return isinstance(earlier, dict) and all(k in later and _overrides(later[k], v) for k, v in earlier.items())


def build_batch(
    drafts: Sequence[EventDraft], before: Mapping[str, Any], last_seq: int, last_line: bytes | None, now: datetime
) -> EventBatch:
    """Number, date and chain the drafts; every patch gets `revision` and `updated_at` so that folding is complete."""
    at = format_time(now)
    document: Document = dict(before)
    patches: list[Document] = []
    for seq, patch in enumerate(_without_repetition(drafts), last_seq + 1):
        patches.append(patch | {"revision": seq, "updated_at": at})
        document = merge_patch(document, patches[-1])
    document = canonical(document)
    metadata = text_of(document)
    events: list[Event] = []
    lines: list[bytes] = []
    for seq, (draft, patch) in enumerate(zip(drafts, patches, strict=True), last_seq + 1):
        event = Event(
            seq=seq,
            at=now.replace(microsecond=0),
            type=draft.type.value,
            actor=draft.actor,
            data=draft.data,
            patch=patch,
            prev=sha256(last_line) if last_line is not None else None,
            state=sha256(metadata) if seq == last_seq + len(drafts) else None,
        )
        last_line = line_of(event)
        events.append(event)
        lines.append(last_line + b"\n")
    return EventBatch(tuple(events), b"".join(lines), document, metadata)
