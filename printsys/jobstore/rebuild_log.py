"""Begins a ruined log again from what can be trusted of it. The old one is kept aside, and nothing is invented."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from pydantic import ValidationError

from printsys import fs
from printsys.domain import emails
from printsys.domain.changes import OURS
from printsys.domain.events import SYSTEM, EventBatch, EventDraft, EventType, build_batch, diff, sha256
from printsys.domain.job import Document, canonical, metadata_bytes, parse
from printsys.errors import DamagedJob
from printsys.jobstore.jsontext import JsonProblem, decode_object
from printsys.jobstore.layout import EVENTS, METADATA
from printsys.jobstore.log import Log, trusted
from printsys.jobstore.newest import NewestEvent, is_newest
from printsys.jobstore.repair import keep_aside, leads_to_its_state, read_or_move_aside

MAX_LOST = 10_000
"""Somebody typed a revision that is further than this beyond the log: it says nothing of lost lines."""


def rebuild(folder: Path, job_id: str, actor: str, now: datetime, newest: NewestEvent | None = None) -> None:
    """Write a log of the lines that can be trusted, an EventLost for each that cannot, so that no number comes twice,
    and one event that leads to metadata.json as it is. `newest` is the newest event that is known: a line with its
    number that is another cannot be trusted. DamagedJob where both are ruined.

    Killed anywhere, it can run again: it replaces the log last, and until then the log is as damaged as before.
    """
    log_bytes, metadata = read_or_move_aside(folder, EVENTS) or b"", read_or_move_aside(folder, METADATA)
    log = trusted(log_bytes)
    if newest is not None and log.seq >= newest.seq and not is_newest(newest, log):
        log = _first_lines(log_bytes, newest.seq - 1)
    if log.events and not leads_to_its_state(log, metadata):
        log = _first_lines(log_bytes, log.last_batch_at - 1)
    document = _last_good(metadata, log, job_id)
    aside = [keep_aside(folder, f"events-{sha256(log_bytes)[:8]}.jsonl", log_bytes).name] if log_bytes else []
    lost = max(_lost(log_bytes, metadata, log), newest.seq - log.seq if newest is not None else 0)
    batch = _batch(log, lost, document, aside, actor, now)
    if metadata is not None and metadata != metadata_bytes(document):
        keep_aside(folder, f"metadata-{sha256(metadata)[:8]}.json", metadata)
    fs.replace(folder / METADATA, batch.metadata)
    fs.replace(folder / EVENTS, log_bytes[: log.length] + batch.lines)


def _first_lines(log_bytes: bytes, count: int) -> Log:
    return trusted(b"".join(log_bytes.splitlines(keepends=True)[:count]))


def _batch(log: Log, lost: int, document: Document, aside: list[str], actor: str, now: datetime) -> EventBatch:
    before = log.document() if log.events else {}
    patch = {name: value for name, value in diff(before, document).items() if name not in OURS}
    drafts = [EventDraft(EventType.EVENT_LOST, SYSTEM) for _ in range(lost)]
    # Whether an e-mail had gone out is in the lines that were lost: a second one would be worse than asking staff.
    owed = emails.owed(log.events, document["id"])
    drafts += [emails.dropped(mail, "the record had to be restored") for mail in owed]
    event_data = {"trusted": log.seq, "lost": lost, "aside": aside}
    drafts.append(EventDraft(EventType.RECORD_RESTORED, actor, event_data, patch))
    batch = build_batch(drafts, before, log.seq, log.last_line, now)
    parse(batch.document)
    return batch


def _last_good(metadata: bytes | None, log: Log, job_id: str) -> Document:
    """metadata.json if it can be understood and is this job's, else what the trusted lines lead to."""
    for text in (metadata, metadata_bytes(log.document()) if log.events else None):
        try:
            document = decode_object(text) if text is not None else {}
            if parse(document).id == job_id:
                return canonical(document)
        except (JsonProblem, ValidationError):
            continue
    raise DamagedJob(job_id, "The record", "neither metadata.json nor events.jsonl can be understood any more.")


def _lost(log_bytes: bytes, metadata: bytes | None, log: Log) -> int:
    """How many events there were beyond the trusted ones, as far as anything tells."""
    lines = len(log_bytes[log.length :].splitlines())
    try:
        revision = decode_object(metadata or b"{}").get("revision")
    except JsonProblem:
        revision = None
    ahead = revision - log.seq if isinstance(revision, int) else 0
    return max(lines, ahead if ahead <= MAX_LOST else 0, 0)
