"""A job as rows of the mirror. Values are JSON's own (times and decimals as text): PostgreSQL reads them itself, and
the same rows serve for an upsert and for COPY."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from indexer.schema import DOCUMENT_VALUES
from indexer.search_text import search_vector
from printsys.domain import emails
from printsys.domain.events import Event, EventType, sha256
from printsys.domain.job import MOST_DIGITS, Document, format_time, metadata_bytes, plain
from printsys.domain.pruned import PrunedJob
from printsys.jobstore import Layout, Stored
from printsys.jobstore.layout import readable

Row = dict[str, Any]
EventTexts = tuple[str, str]
"""An event's data and patch, as JSON."""

LARGEST_BIGINT = 2**63 - 1
MOST_FIGURE = 1e15
_MAIL_EVENTS = frozenset({EventType.EMAIL_QUEUED.value, *emails.CLOSING})


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
    """Of the folder's listing, where a sweep need not look into the folder."""
    texts: Sequence[EventTexts] = ()
    """Of the events, where they need not be written anew."""

    @property
    def id(self) -> str:
        return str(self.document["id"])

    @property
    def revision(self) -> int:
        return int(self.document["revision"])


def record_of(layout: Layout, stored: Stored, after: int = 0) -> JobRecord:
    """What the store has loaded. `after`: without the events up to that one, but for those about e-mails."""
    events = [event for event in stored.events if event.seq > after or event.type in _MAIL_EVENTS]
    return JobRecord(
        folder=layout.relative(stored.folder),
        folder_status=stored.folder_status.value if stored.folder_status else None,
        document=storable(stored.document),
        events=[storable(event.model_dump(mode="json")) for event in events],
        digest=digest_of(stored),
        log_size=stored.log.length,
        move_pending=readable(stored.move_pending) if stored.move_pending else None,
        problem=readable(str(stored.problem)) if stored.problem else None,
        asked_in_file=stored.asked_in_file.value if stored.asked_in_file else None,
    )


def digest_of(stored: Stored) -> str:
    """sha256 of the metadata.json that the mirror has once it has this job."""
    if stored.digest is None or stored.digest in {event.state for event in stored.events}:
        # An older metadata.json of ours may still wait to be replaced: the hash is that of the new one.
        return stored.log.state or sha256(metadata_bytes(stored.document))
    return stored.digest


def job_row(record: JobRecord, change_no: int) -> Row:
    document = with_usual_values(record.document)
    mail_events = [event for event in record.events if event["type"] in _MAIL_EVENTS]
    owed = emails.owed(map(Event.model_validate, mail_events), record.id) if _is_any_open(mail_events) else []
    # An e-mail without a time of its own may go out since the job is there.
    due = [format_time(mail.not_before) if mail.not_before else document["created_at"] for mail in owed]
    return {
        "id": record.id,
        "revision": record.revision,
        "folder": record.folder,
        "folder_status": record.folder_status,
        "move_pending": record.move_pending,
        "problem": record.problem,
        "asked_in_file": record.asked_in_file,
        "mail_owed": len(owed),
        "next_mail_at": min(due, default=None),
        "digest": record.digest,
        "log_size": record.log_size,
        "signature": record.signature,
        "document": document,
        "words": search_vector(document),
        "change_no": change_no,
    }


def _is_any_open(mail_events: Sequence[Mapping[str, Any]]) -> bool:
    """Whether `emails.owed` has any of them: of most jobs none."""
    waiting = set()
    for event in mail_events:
        if event["type"] == EventType.EMAIL_QUEUED:
            waiting.add(event["seq"])
        else:
            waiting.discard((event.get("data") or {}).get("queued_seq", -1))
    return bool(waiting)


def event_rows(record: JobRecord, after: int = 0) -> Iterable[Row]:
    """Rows of the events whose `seq` is greater than `after`."""
    for event in record.events:
        if event["seq"] > after:
            yield {
                "job_id": record.id,
                "seq": event["seq"],
                "at": usual_time(event["at"]),
                "type": event["type"],
                "actor": event["actor"],
                "data": event.get("data") or {},
                "patch": event.get("patch") or {},
            }


def file_rows(record: JobRecord) -> Iterable[Row]:
    for position, file in enumerate(record.document.get("files") or []):
        yield {
            "job_id": record.id,
            "position": position,
            "name": file["name"],
            "role": file["role"],
            "size": min(file["size"], LARGEST_BIGINT),
            "sha256": file["sha256"],
            "added_at": usual_time(file["added_at"]),
            "source": file["source"],
            **_shape(file.get("model")),
        }


def pruned_row(job: PrunedJob, log: str) -> Row:
    """A row of `pruned_jobs`, and under `events` those of `pruned_events`."""
    document = with_usual_values(job.whole_document)
    events = [{"job_id": job.key} | event.model_dump(mode="json") for event in job.counted_events]
    row: Row = storable({"id": job.key, "document": document, "events": events})
    return row | {"log": log, "digest": sha256(json.dumps([row["document"], row["events"]]).encode())}


def _shape(model: Any) -> Row:
    """What a re-exported model has in common with the first: whatever stands there, the row is written."""
    facts = model if isinstance(model, dict) else {}
    sides = facts.get("size_mm")
    triangles = _positive(facts.get("triangles"))
    return {
        "area_cm2": _positive(facts.get("area_cm2")),
        "volume_cm3": _positive(facts.get("volume_cm3")),
        "longest_mm": max(filter(None, map(_positive, sides)), default=None) if isinstance(sides, list) else None,
        "triangles": min(int(triangles), LARGEST_BIGINT) if triangles is not None else None,
    }


def _positive(value: Any) -> float | None:
    is_figure = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < MOST_FIGURE
    return float(value) if is_figure else None


# -- values that a person spelled in their own way --------------------------------------------------------------------


def with_usual_values(document: Document) -> Document:
    """The document with its times and numbers as the system spells them: then their columns sort and add up."""
    for path, is_usual, respell in _SPELLINGS:
        text: Any = document
        for key in path:
            text = text.get(key) if isinstance(text, dict) else None
        if isinstance(text, str) and not is_usual(text):
            document = _with_value(document, path, respell(text))
    return document


def _with_value(document: Document, path: Sequence[str], value: str) -> Document:
    key, *rest = path
    return document | {key: _with_value(document[key], rest, value) if rest else value}


def usual_time(text: str) -> str:
    """`2026-03-02 16:20Z` → `2026-03-02T16:20:00Z`; what is no time stays."""
    if _USUAL_TIME.fullmatch(text):
        return text
    try:
        moment = datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return text
    return moment.replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def usual_number(text: str) -> str:
    """`1_000` → `1000`, `4e1` → `40`; what is no number, or an absurd one, stays: its column is empty."""
    try:
        number = Decimal(text.strip())
    except InvalidOperation:
        return text
    return plain(number) if number.is_finite() and abs(number.adjusted()) < MOST_DIGITS else text


_USUAL_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)
_USUAL_NUMBER = re.compile(rf"\d{{1,{MOST_DIGITS}}}(\.\d{{1,{MOST_DIGITS}}})?", re.ASCII)
_SPELLINGS = tuple(
    (value.path, pattern.fullmatch, respell)
    for kind, pattern, respell in (("time", _USUAL_TIME, usual_time), ("number", _USUAL_NUMBER, usual_number))
    for value in DOCUMENT_VALUES
    if value.kind == kind
)
"""The path of each time and number, what recognizes the usual spelling, and what produces it."""


def storable(value: Any) -> Any:
    """The value without NUL characters: JSON has them, PostgreSQL's text has not."""
    return _without_nul(value) if "\\u0000" in json.dumps(value) else value


def _without_nul(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\x00", "\ufffd")
    if isinstance(value, Mapping):
        return {_without_nul(name): _without_nul(item) for name, item in value.items()}
    return [_without_nul(item) for item in value] if isinstance(value, list) else value
