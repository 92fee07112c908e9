"""Second versions of a job's record that a sync program, or a person, left beside it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from indexer.attention import AttentionItem, raised
from printsys import fs
from printsys.domain.changes import OURS
from printsys.domain.events import diff
from printsys.domain.words import counted
from printsys.jobstore.files import record_copies
from printsys.jobstore.jsontext import JsonProblem, decode_object
from printsys.jobstore.layout import EVENTS, METADATA
from printsys.jobstore.repair import id_inside


def record_conflicts(relative_path: str, folder: Path) -> Iterator[AttentionItem]:
    """An item for each, which says how it differs. What has no record beside it is told as a lost record."""
    try:
        names = record_copies(folder)
        job_id = id_inside(folder) if names else None
    except OSError:
        return
    if job_id is None:
        return
    for name in names:
        record = EVENTS if name.casefold().startswith("events") else METADATA
        which = f"{name} lies beside {record} of job {job_id}: a second version, from a sync program or a person."
        difference = _difference(folder / record, folder / name)
        yield raised("record-conflict", job_id, relative_path, f"{which} {difference}", name)


def _difference(record: Path, copy: Path) -> str:
    try:
        ours, theirs = fs.read(record), fs.read(copy)
        return _other_events(ours, theirs) if record.name == EVENTS else _other_fields(ours, theirs)
    except (OSError, JsonProblem):
        return "They cannot be compared."


def _other_events(ours: bytes, theirs: bytes) -> str:
    our_lines, their_lines = ours.splitlines(), theirs.splitlines()
    pairs = zip(our_lines, their_lines, strict=False)
    same = next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(our_lines), len(their_lines)))
    lengths = f"Ours has {counted(len(our_lines), 'event')}, the copy {len(their_lines)}"
    return f"{lengths}; the first {counted(same, 'is', 'are')} the same."


def _other_fields(ours: bytes, theirs: bytes) -> str:
    """JsonProblem."""
    document, other = decode_object(ours), decode_object(theirs)
    if other.get("id") != document.get("id"):
        return "The copy is no record of this job."
    revisions = f"Ours is at revision {document.get('revision')}, the copy at {other.get('revision', 'none')}"
    names = sorted(diff(document, other).keys() - OURS)
    return f"{revisions}; they differ in {', '.join(names)}." if names else f"{revisions}; they say the same."
