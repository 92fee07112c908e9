"""A job as rows of the mirror. Values are JSON's own (times and decimals as text): PostgreSQL reads them itself, and
the same rows serve for an upsert and for COPY."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from indexer.search_text import search_vector
from printsys.domain import emails
from printsys.domain.events import Event, sha256
from printsys.domain.job import Document, format_time, metadata_bytes
from printsys.jobstore import Layout, Stored

Row = dict[str, Any]

LARGEST_INTEGER = 2**31 - 1
LARGEST_BIGINT = 2**63 - 1
_USUAL_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_MAIL_EVENTS = frozenset({"EmailQueued", *emails.CLOSING})


@dataclass(frozen=True)
class JobRecord:
    """A job's record as it lies in `folder` (relative to storage/). `events` are values as in events.jsonl.

    Document and events hold no NUL characters (see `storable`).
    """

    folder: str
    folder_status: str | None
    document: Document
    events: list[Row]
    digest: str
    log_size: int
    move_pending: str | None = None
    problem: str | None = None
    asked_in_file: str | None = None
    signature: str | None = None
    """Of the folder's listing, where it is known that nothing is to be looked at."""

    @property
    def id(self) -> str:
        return str(self.document["id"])

    @property
    def revision(self) -> int:
        return int(self.document["revision"])


def found(layout: Layout, stored: Stored) -> JobRecord:
    """What the store has loaded."""
    return JobRecord(
        folder=layout.relative(stored.folder),
        folder_status=stored.folder_status.value if stored.folder_status else None,
        document=storable(stored.document),
        events=[storable(event.model_dump(mode="json")) for event in stored.events],
        digest=_digest(stored),
        log_size=stored.log.length,
        move_pending=stored.move_pending,
        problem=str(stored.problem) if stored.problem else None,
        asked_in_file=stored.asked_in_file.value if stored.asked_in_file else None,
    )


def _digest(stored: Stored) -> str:
    """sha256 of metadata.json as it is; where an older one of ours still waits to be replaced, as it is going to be."""
    ours = {event.state for event in stored.events}
    if stored.digest is not None and stored.digest not in ours:
        return stored.digest
    return stored.log.state or sha256(metadata_bytes(stored.document))


def job_row(it: JobRecord, change_no: int) -> Row:
    document = it.document
    student, request = document["student"], document["request"]
    estimate, payment = document.get("estimate") or {}, document.get("payment") or {}
    owed = _owed(it)
    return {
        "id": it.id,
        "revision": it.revision,
        "status": document["status"],
        "folder": it.folder,
        "folder_status": it.folder_status,
        "status_since": _time(document["status_since"]),
        "created_at": _time(document["created_at"]),
        "updated_at": _time(document["updated_at"]),
        "student_name": student["name"],
        "student_email": student.get("email"),
        "discipline": student.get("discipline"),
        "class_number": student.get("class_number"),
        "method": request["method"],
        "color": request.get("color"),
        "printer": request.get("printer"),
        "copies": min(request.get("copies") or 1, LARGEST_INTEGER),
        "material": estimate.get("material"),
        "weight_g": _number(estimate.get("weight_g")),
        "volume_ml": _number(estimate.get("volume_ml")),
        "time_h": _number(estimate.get("time_h")),
        "cost": _number(estimate.get("cost")),
        "paid": _number(payment.get("amount")),
        "reviewed_at": _time(document.get("reviewed_at")),
        "expires_at": _time((document.get("confirmation") or {}).get("expires_at")),
        "move_pending": it.move_pending,
        "problem": it.problem,
        "asked_in_file": it.asked_in_file,
        "mail_owed": len(owed),
        "next_mail_at": min((_when(mail, document) for mail in owed), default=None),
        "digest": it.digest,
        "log_size": it.log_size,
        "signature": it.signature,
        "document": document,
        "words": search_vector(document),
        "change_no": change_no,
    }


def event_rows(it: JobRecord, after: int = 0) -> Iterable[Row]:
    """Rows of the events whose `seq` is greater than `after`."""
    for event in it.events:
        if event["seq"] > after:
            yield {
                "job_id": it.id,
                "seq": event["seq"],
                "at": _time(event["at"]),
                "type": event["type"],
                "actor": event["actor"],
                "data": event.get("data") or {},
                "patch": event.get("patch") or {},
            }


def file_rows(it: JobRecord) -> Iterable[Row]:
    for position, file in enumerate(it.document.get("files") or []):
        yield {
            "job_id": it.id,
            "position": position,
            "name": file["name"],
            "role": file["role"],
            "size": min(file["size"], LARGEST_BIGINT),
            "sha256": file["sha256"],
            "added_at": _time(file["added_at"]),
            "source": file["source"],
        }


def storable(value: Any) -> Any:
    """The value without NUL characters: JSON has them, PostgreSQL's text has not."""
    return _without_nul(value) if "\\u0000" in json.dumps(value) else value


def _without_nul(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\x00", "\ufffd")
    if isinstance(value, Mapping):
        return {_without_nul(name): _without_nul(item) for name, item in value.items()}
    return [_without_nul(item) for item in value] if isinstance(value, list) else value


def _owed(it: JobRecord) -> list[emails.OwedMail]:
    letters = [Event.model_validate(event) for event in it.events if event["type"] in _MAIL_EVENTS]
    return emails.owed(letters, it.id) if letters else []


def _when(mail: emails.OwedMail, document: Mapping[str, Any]) -> str:
    return format_time(mail.not_before) if mail.not_before else _time(document["created_at"]) or ""


def _time(text: str | None) -> str | None:
    """A time of metadata.json in the one form that sorts, compares and is PostgreSQL's too."""
    if text is None or _USUAL_TIME.fullmatch(text):
        return text
    return datetime.fromisoformat(text).astimezone(UTC).isoformat()


def _number(text: str | None) -> str | None:
    return None if text is None else text.strip()
