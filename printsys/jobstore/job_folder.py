"""The one rule for which of several folders with one id is the job, and which are copies of it.

Pages, check, rebuild and sweep go by it. The job is the folder that

1. has the newest event that is known of the job (see newest.py): an older copy has not;
2. bears the name that its record has for it: a copy in the same place bears another;
3. lies in the status folder that its record names: a copy in another place does not. The log tells that status, as
   people edit metadata.json;
4. comes first, by status and name.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from printsys import fs
from printsys.domain.changes import recorded_folder
from printsys.domain.events import sha256
from printsys.domain.status import Status
from printsys.jobstore.jsontext import JsonProblem, decode_object, decode_record
from printsys.jobstore.layout import EVENTS, METADATA, Layout
from printsys.jobstore.log import trusted
from printsys.jobstore.newest import read_newest
from printsys.jobstore.repair import id_if_readable

_ORDER = {status.value: number for number, status in enumerate(Status)}


class Claim(NamedTuple):
    """What speaks for a folder, in the order of the rule; False sorts first."""

    is_older: bool
    is_renamed: bool
    is_elsewhere: bool
    status: int
    name: str

    @property
    def is_beyond_doubt(self) -> bool:
        """No other folder is the job, whatever its name."""
        return not (self.is_older or self.is_renamed)


def claim_of(layout: Layout, folder: Path, job_id: str) -> Claim:
    """`folder` carries the job's id."""
    newest = read_newest(layout, job_id)  # first: a record that is read later has it
    metadata, log = _document(_read(folder, METADATA)), trusted(_read(folder, EVENTS))
    revision = metadata.get("revision")
    seq = max(log.seq, revision if isinstance(revision, int) else 0)
    record = log.document() if log.events and log.seq == seq else metadata  # people edit metadata.json
    name = recorded_folder(log.events)
    return Claim(
        is_older=newest is not None and seq < newest.seq,
        is_renamed=name is not None and name != folder.name,
        is_elsewhere=record.get("status") != folder.parent.name,
        status=_ORDER.get(folder.parent.name, len(_ORDER)),
        name=folder.name,
    )


def job_among(layout: Layout, folders: Iterable[Path], job_id: str) -> Path:
    """Which of `folders`, at least one, is the job."""
    return min(folders, key=lambda folder: claim_of(layout, folder, job_id))


def copies_of(layout: Layout, folder: Path, job_id: str) -> Iterator[Path]:
    """Folders with the job's id besides `folder`, which is the job. One that bears its name and whose record nobody can
    read counts. OSError."""
    named = (path for path in layout.named_for(job_id, map(layout.status, Status)) if path.is_dir())
    yield from (path for path in named if path != folder and id_if_readable(path) in (job_id, None))
    yield from (path for path in layout.named_by_people() if path != folder and id_if_readable(path) == job_id)


def is_plainly_the_job(layout: Layout, folder: Path, job_id: str) -> bool:
    """Whether nothing speaks against it, so that no other folder need be looked at. Reads little."""
    newest, metadata = read_newest(layout, job_id), _read(folder, METADATA)
    document = _document(metadata)
    revision = document.get("revision")
    if document.get("id") != job_id or not isinstance(revision, int):
        return False
    if document.get("status") != folder.parent.name and not _is_dragged(layout, folder):
        return False
    log = _read(folder, EVENTS)
    is_edited = sha256(metadata).encode() not in log  # as no event names it
    return not is_edited and (newest is None or revision >= newest.seq) and _bears_its_name(folder, log)


def _is_dragged(layout: Layout, folder: Path) -> bool:
    """Whether it lies in a status folder, and no other status folder has anything of its name."""
    others = (place for place in map(layout.status, Status) if place != folder.parent)
    is_there = layout.status_of(folder) is not None
    return is_there and not any(os.path.lexists(os.path.join(place, folder.name)) for place in others)


def _bears_its_name(folder: Path, log: bytes) -> bool:
    if b'"type":"FolderRenamed"' in log:
        return recorded_folder(trusted(log).events) == folder.name
    first_line = log.partition(b"\n")[0]
    if f'"folder":{json.dumps(folder.name)}'.encode() in first_line:  # usually; the whole line costs much to read
        return True
    try:
        data = decode_object(first_line).get("data")
    except JsonProblem:
        return False
    return isinstance(data, dict) and data.get("folder", folder.name) == folder.name


def _document(metadata: bytes) -> Mapping[str, Any]:
    try:
        return decode_record(metadata)
    except JsonProblem:
        return {}


def _read(folder: Path, name: str) -> bytes:
    try:
        return fs.read_if_there(folder / name) or b""
    except OSError:
        return b""
