"""Reads job folders fast and mostly without locks, for a rebuild and for a sync.

A record whose own hashes prove that we wrote it needs no further validation. Everything else goes through the store,
which repairs what a crash left and refuses what only a person can put right.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from indexer import rows
from indexer.attention import RULES, AttentionItem, duplicate
from indexer.check_folder import not_a_job, unreadable
from indexer.rows import EventTexts, JobRecord, storable
from printsys import fs
from printsys.domain.events import EventType, changes_nothing, sha256
from printsys.domain.job import Document
from printsys.errors import JobBusy, PrintSysError, StorageOffline
from printsys.jobstore import JobStore, Layout
from printsys.jobstore.files import ListedFile, jobs_inside, list_files, list_originals, odd_entries, record_copies
from printsys.jobstore.jsontext import JsonProblem
from printsys.jobstore.layout import EVENTS, METADATA
from printsys.jobstore.newest import read_newest
from printsys.jobstore.repair import id_inside


def read(store: JobStore, folder: Path) -> JobRecord | AttentionItem | None:
    """The job in `folder`, or why there is none. None where it is being changed or moved just now. StorageOffline."""
    if record := read_proven(store.layout, folder):
        return record
    # The careful way, under the job's lock where something must be put right.
    relative_path = store.layout.relative(folder)
    job_id = None
    try:
        job_id = id_inside(folder)
        if job_id is None:
            return not_a_job(relative_path, folder) if folder.exists() else None
        stored = store.load(job_id)
    except StorageOffline:
        raise
    except JobBusy:
        return None
    except (PrintSysError, ValidationError, JsonProblem, OSError) as error:
        return unreadable(relative_path, job_id, error) if folder.exists() else None
    if stored.folder != folder and folder.exists():
        return duplicate(job_id, relative_path, store.layout.relative(stored.folder))
    return rows.record_of(store.layout, stored) if stored.folder_status is not None else None


def read_proven(layout: Layout, folder: Path) -> JobRecord | None:
    """The job, if its log is an unbroken chain that leads to exactly the metadata.json that is there."""
    inside = f"{folder}{os.sep}"
    try:
        metadata, log = fs.read(inside + METADATA), fs.read(inside + EVENTS)
    except OSError:
        return None
    events, texts = _chained(log)
    if not events or events[-1].get("state") != (digest := sha256(metadata)):
        return None
    document = json.loads(metadata)
    if os.path.exists(layout.intent(document["id"])) or not _ends_as_written(layout, document, events, log):
        return None
    if b"\\u0000" in metadata or b"\\u0000" in log:
        document, events, texts = storable(document), storable(events), ()
    status = layout.status_of(folder)
    path = layout.relative(folder)
    return JobRecord(path, status.value if status else None, document, events, digest, len(log), texts=texts)


_TEXT = r'"([^"\\\x00-\x1f]*)"'
_LINE_BEGINS = re.compile(rf'\{{"seq":([1-9][0-9]*),"at":{_TEXT},"type":{_TEXT},"actor":{_TEXT},"data":')
_LINE_ENDS = re.compile(r',"prev":(?:null|"([0-9a-f]{64})")(?:,"state":"([0-9a-f]{64})")?\}')
_PATCH = ',"patch":'
_value_at = json.JSONDecoder().raw_decode


def _chained(log: bytes) -> tuple[list[dict[str, Any]], Sequence[EventTexts]]:
    """The log's events, if every line follows on the one before it; otherwise none. With the texts of their data and
    patches, if all lines are spelled as this version spells them."""
    lines = log.split(b"\n")
    if lines.pop():  # what follows the last line end is a torn write
        return [], ()
    texts: list[EventTexts] = []
    try:
        events = [_usual_event(line.decode(), texts) for line in lines]
    except (ValueError, StopIteration):
        try:
            events, texts = json.loads(b"[" + b",".join(lines) + b"]"), []
        except ValueError:
            return [], ()
    if len(lines) != len(events):
        return [], ()
    before = None
    for number, (line, event) in enumerate(zip(lines, events, strict=True), 1):
        if not isinstance(event, dict) or event.get("seq") != number or event.get("prev") != before:
            return [], ()
        before = sha256(line)
    return events, texts


def _usual_event(line: str, texts: list[EventTexts]) -> dict[str, Any]:
    """An event whose line is spelled as this version spells it; its data and patch are added to `texts`. ValueError."""
    begin = _LINE_BEGINS.match(line)
    if begin is None:
        raise ValueError(line)
    data_at = begin.end()
    data, data_ends = _value_at(line, data_at)
    patch_at = data_ends + len(_PATCH)
    patch, patch_ends = _value_at(line, patch_at)
    end = _LINE_ENDS.fullmatch(line, patch_ends)
    if end is None or not line.startswith(_PATCH, data_ends):
        raise ValueError(line)
    texts.append((line[data_at:data_ends], line[patch_at:patch_ends]))
    seq, at, kind, actor = begin.groups()
    event = {"seq": int(seq), "at": at, "type": kind, "actor": actor, "data": data, "patch": patch, "prev": end[1]}
    return event if end[2] is None else event | {"state": end[2]}


def _ends_as_written(layout: Layout, document: Document, events: list[dict[str, Any]], log: bytes) -> bool:
    """`document` is what the last event names as its state; the newest event that is known is in the log as it was
    written. Where no note proves the last line, its patch must change nothing of the document any more."""
    job_id = document["id"]
    newest = read_newest(layout, job_id)
    if newest is not None and newest.seq > len(events):
        return False
    last = sha256(log[:-1].rpartition(b"\n")[2])
    if newest is not None and newest.digest is not None:
        line_digest = events[newest.seq]["prev"] if newest.seq < len(events) else last
        if line_digest != newest.digest or newest.seq == len(events):
            return bool(line_digest == newest.digest)
    return changes_nothing(document, events[-1].get("patch") or {})


def is_as_recorded(layout: Layout, record: JobRecord, digest: Callable[[ListedFile], str | None]) -> bool:
    """Whether nothing in the folder differs from the record and nothing is left open: then there is nothing for a sweep
    to do. False where anything is in doubt. `digest` gives the sha256 of a file."""
    if record.folder_status != record.document.get("status") or record.events[-1]["type"] == EventType.JOB_DELETED:
        return False
    if any(rule.may_follow(event) for event in record.events for rule in RULES):
        return False
    folder = layout.root / record.folder
    recorded = {file["name"]: file for file in record.document.get("files") or []}
    try:
        if jobs_inside(folder) or record_copies(folder) or any(True for _ in odd_entries(folder)):
            return False
        present = {file.name: file for file in (*list_files(folder), *list_originals(folder))}
    except OSError:
        return False
    if present.keys() != recorded.keys() or set(record.document.get("print_files") or []) - recorded.keys():
        return False
    if any(present[name].size != file.get("size") for name, file in recorded.items()):
        return False
    return all(digest(present[name]) == file["sha256"] for name, file in recorded.items())
