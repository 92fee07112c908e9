"""Reading job folders fast and mostly without locks, for a rebuild and for a sync.

What the record's own hashes prove to be ours needs no further validation; everything else goes through the store, which
repairs what a crash left and refuses what only a person can put right.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from indexer import rows
from indexer.attention import RULES, AttentionItem
from indexer.check_folder import not_a_job, unreadable
from indexer.rows import JobRecord, storable
from printsys import fs
from printsys.domain.events import EventType, sha256
from printsys.errors import JobBusy, PrintSysError, StorageOffline
from printsys.jobstore import JobStore, Layout
from printsys.jobstore.files import ListedFile, is_ignored, list_files, looks_as_recorded, signature
from printsys.jobstore.jsontext import JsonProblem
from printsys.jobstore.layout import EVENTS, METADATA, ORIGINAL
from printsys.jobstore.repair import id_inside


def read(store: JobStore, folder: Path) -> JobRecord | AttentionItem | None:
    """The job in `folder`, or why there is none. None where it is being changed or moved just now. StorageOffline."""
    return read_proven(store.layout, folder) or _read_by_store(store, folder)


def read_proven(layout: Layout, folder: Path) -> JobRecord | None:
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
    return JobRecord(layout.relative(folder), status.value if status else None, document, events, digest, len(log))


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


def _read_by_store(store: JobStore, folder: Path) -> JobRecord | AttentionItem | None:
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
        return unreadable(place, job_id, error)
    return rows.found(store.layout, stored) if stored.folder_status is not None else None


def quiet_listing(layout: Layout, it: JobRecord, now_ns: int) -> str | None:
    """The signature of the folder's listing, if nothing in it differs from the record and nothing is left open: then no
    sweep need look into it. None where anything is in doubt."""
    if it.folder_status != it.document.get("status") or it.events[-1]["type"] == EventType.JOB_DELETED:
        return None
    if any(rule.may_follow(event) for event in it.events for rule in RULES):
        return None
    folder = layout.root / it.folder
    listing = signature(folder, now_ns)  # first: what changes while the rest is looked at makes another one
    records = {file["name"]: file for file in it.document.get("files") or []}
    told = [event["at"] for event in it.events if "files" in event["patch"]]
    recorded_at = datetime.fromisoformat(max(told)).timestamp() if told else 0.0
    try:
        there = {seen.name: seen for seen in (*list_files(folder), *_originals(folder))}
    except OSError:
        return None
    if there.keys() != records.keys() or set(it.document.get("print_files") or []) - records.keys():
        return None
    same = all(looks_as_recorded(there[name], file["size"], recorded_at, now_ns) for name, file in records.items())
    return listing if same else None


def _originals(folder: Path) -> Iterator[ListedFile]:
    with os.scandir(folder / ORIGINAL) as entries:
        for entry in entries:
            if not is_ignored(entry.name) and entry.is_file(follow_symlinks=False):
                status = entry.stat(follow_symlinks=False)
                yield ListedFile(f"{ORIGINAL}/{entry.name}", status.st_size, status.st_mtime_ns)
