"""Reading job folders fast and mostly without locks, for a rebuild and for a sync.

What the record's own hashes prove to be ours needs no further validation; everything else goes through the store, which
repairs what a crash left and refuses what only a person can put right.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from indexer import rows
from indexer.findings import BEGIN_ANEW, Finding
from indexer.rows import Found, storable
from printsys.domain import naming
from printsys.domain.events import sha256
from printsys.errors import JobBusy, PrintSysError, StorageOffline
from printsys.jobstore import JobStore, Layout, fs
from printsys.jobstore.jsontext import JsonProblem
from printsys.jobstore.layout import EVENTS, METADATA
from printsys.jobstore.repair import id_inside


def read(store: JobStore, folder: Path) -> Found | Finding | None:
    """The job in `folder`, or why there is none. None where it is being changed or moved just now. StorageOffline."""
    return read_proven(store.layout, folder) or _read_by_store(store, folder)


def read_proven(layout: Layout, folder: Path) -> Found | None:
    """The job, if its log is an unbroken chain that leads to exactly the metadata.json that is there."""
    try:
        metadata, log = fs.read(folder / METADATA), fs.read(folder / EVENTS)
    except OSError:
        return None
    events = _chained(log)
    if not events or events[-1].get("state") != (digest := sha256(metadata)):
        return None
    document = json.loads(metadata)
    if layout.intent(document["id"]).exists():
        return None
    if b"\\u0000" in metadata or b"\\u0000" in log:
        document, events = storable(document), storable(events)
    status = layout.status_of(folder)
    return Found(layout.relative(folder), status.value if status else None, document, events, digest, len(log))


def _chained(log: bytes) -> list[dict[str, Any]]:
    """The log's events, if every line follows on the one before it; otherwise none."""
    lines = log.split(b"\n")
    if lines.pop():  # what stands behind the last line end is a torn write
        return []
    try:
        events: list[dict[str, Any]] = json.loads(b"[" + b",".join(lines) + b"]")
    except ValueError:
        return []
    if len(lines) != len(events):
        return []
    before = None
    for number, (line, event) in enumerate(zip(lines, events, strict=True), 1):
        if not isinstance(event, dict) or event.get("seq") != number or event.get("prev") != before:
            return []
        before = sha256(line)
    return events


def _read_by_store(store: JobStore, folder: Path) -> Found | Finding | None:
    """The careful way, under the job's lock where something is to be put right."""
    place = store.layout.relative(folder)
    job_id = None
    try:
        job_id = id_inside(folder)
        if job_id is None:
            return not_a_job(place, folder) if folder.exists() else None
        stored = store.load(job_id)
    except (StorageOffline, JobBusy) as error:
        if isinstance(error, StorageOffline):
            raise
        return None
    except (PrintSysError, ValidationError, JsonProblem, OSError) as error:
        if not folder.exists():
            return None
        sentence = str(error) if isinstance(error, PrintSysError) else f"The record in {place} cannot be read: {error}"
        return Finding("unreadable", job_id, place, sentence, BEGIN_ANEW)
    return rows.found(store.layout, stored) if stored.folder_status is not None else None


def not_a_job(place: str, folder: Path) -> Finding:
    """A folder that tells no id. Where it has a record, or the name of a job, that record is ruined."""
    named = naming.id_in_folder_name(folder.name)
    if named is None and not (folder / METADATA).exists() and not (folder / EVENTS).exists():
        return Finding(
            "not-a-job", None, place, f"The folder {place} is not a job: it has no record.", ("make-a-job", "discard")
        )
    sentence = f"The record in {place} is lost or cannot be read."
    return Finding("unreadable", named, place, sentence, ("make-a-job", "quarantine"))


def looks_unchanged(folder: Path, digest: str, log_size: int) -> bool:
    """Whether the record is still the one with this `digest` and length, judged without parsing it."""
    try:
        return os.stat(folder / EVENTS).st_size == log_size and sha256(fs.read(folder / METADATA)) == digest
    except OSError:
        return False
