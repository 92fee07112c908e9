"""Which files of a job nobody has inspected or read yet: derived from its record, so that a queue may get lost."""

from __future__ import annotations

from collections.abc import Iterator

from printsys.domain.filetypes import type_of
from printsys.domain.job import Document, FileRecord, Job
from printsys.domain.status import FILES_READ, UNPRICED

INSPECTION = 3
"""The version of what an inspection measures, `inspection` in a file's `model`; the first ones have none. Raise it with
a change that the jobs which the lab has already need as well: the worker inspects them again."""
READING = 2
"""The same of what the readers of slicers' files say: `reading` in a file's `slicer`."""


def to_inspect(job: Job) -> Iterator[FileRecord]:
    """Models that nobody has inspected: originals, and working copies that differ from every original."""
    return (record for record in _models(job) if record.model is None)


def to_inspect_again(job: Job) -> Iterator[FileRecord]:
    """Models that an earlier version of the system inspected."""
    return (record for record in _models(job) if _is_earlier(record.model, "inspection", INSPECTION))


def _models(job: Job) -> Iterator[FileRecord]:
    originals = _original_hashes(job)
    for record in job.current_files:
        is_own = record.role == "original" or (record.role == "working" and record.sha256 not in originals)
        if is_own and type_of(record.name).is_mesh and job.status in FILES_READ:
            yield record


def _is_earlier(facts: Document | None, key: str, present: int) -> bool:
    version = facts.get(key) if facts is not None else present
    return not isinstance(version, int) or version < present


def is_decided(job: Job, original: FileRecord) -> bool:
    """Whether staff have approved or chosen a working copy that is still the `original`: it stays as it is."""
    copies = (file for file in job.current_files if file.role == "working" and file.sha256 == original.sha256)
    return any(job.status not in UNPRICED or copy.name in job.print_files for copy in copies)


def to_read(job: Job) -> Iterator[FileRecord]:
    """Slicers' files that nobody has read; a working copy, too, once a slicer has saved its project over it."""
    return (record for record in _sliced(job) if record.slicer is None)


def to_read_again(job: Job) -> Iterator[FileRecord]:
    """Slicers' files that an earlier version of the system read."""
    return (record for record in _sliced(job) if _is_earlier(record.slicer, "reading", READING))


def _sliced(job: Job) -> Iterator[FileRecord]:
    originals = _original_hashes(job)
    for record in job.current_files:
        is_slicers = record.role != "original" and record.sha256 not in originals
        if is_slicers and type_of(record.name).has_reader and job.status in FILES_READ:
            yield record


def to_convert(job: Job) -> Iterator[tuple[FileRecord, FileRecord]]:
    """(original, working copy) where slicers refuse the sent file and the working copy is still the same bytes."""
    for record in job.current_files:
        copy = next(
            (file for file in job.current_files if file.role == "working" and file.sha256 == record.sha256), None
        )
        is_due = record.role == "original" and (record.model or {}).get("is_converted") is True
        if is_due and copy is not None and job.status in FILES_READ:
            yield record, copy


def _original_hashes(job: Job) -> set[str]:
    return {record.sha256 for record in job.files if record.role == "original"}


def preview_name(sha256: str) -> str:
    """`previews/<sha256, 16 digits>.png`: it depends on the bytes alone, not on the file's name."""
    return f"previews/{sha256[:16]}.png"


def preview_of(record: FileRecord) -> str | None:
    """The file's picture; None where the inspection made none."""
    return (record.model or {}).get("preview") or (record.slicer or {}).get("preview")


def previews(job: Job) -> list[tuple[FileRecord, str]]:
    """Pictures that the job's folder should hold. The worker makes a missing one again."""
    return [(record, name) for record in job.files if job.status in FILES_READ and (name := preview_of(record))]


def has_pending_files(job: Job) -> bool:
    return any(True for pending in (to_inspect, to_read, to_convert) for _ in pending(job))
