"""Looking at the files of a job folder: which there are, and what one of them is. Reading only."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from printsys.domain.job import FileRecord
from printsys.jobstore.layout import ASIDE, EVENTS, METADATA, ORIGINAL, PREVIEWS

MODELS = (".stl", ".obj")
PRINTABLE = (
    ".3mf",
    ".gcode",
    ".bgcode",
    ".gco",
    ".g",
    ".gx",
    ".ufp",
    ".idea",
    ".form",
    ".sl1",
    ".sl1s",
    ".ctb",
    *MODELS,
)
"""What staff may choose as the print file: slicer output and projects first, then models."""
IGNORED_SUFFIXES = (".tmp", ".part", ".crdownload", ".swp", ".swo", ".bak", "~", ".lock")
IGNORED_NAMES = frozenset({METADATA, EVENTS, "thumbs.db", "desktop.ini"})
OURS = frozenset({ORIGINAL, PREVIEWS, ASIDE})


@dataclass(frozen=True)
class Seen:
    """A file as a directory listing shows it. `name` is relative to the job folder; times in ns, sizes in bytes."""

    name: str
    size: int
    mtime_ns: int


def is_ignored(name: str) -> bool:
    """Whether a file is none of the job's: ours, hidden, or some program's temporary."""
    lower = name.casefold()
    return lower in IGNORED_NAMES or lower.startswith((".", "~$")) or lower.endswith(IGNORED_SUFFIXES)


def list_files(folder: Path) -> Iterator[Seen]:
    """The files that people and slicers keep in the job folder itself; no originals, previews or links."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if not is_ignored(entry.name) and entry.is_file(follow_symlinks=False):
                status = entry.stat(follow_symlinks=False)
                yield Seen(entry.name, status.st_size, status.st_mtime_ns)


def printable(folder: Path) -> list[Seen]:
    """What could be the print file, the likeliest first: slicer output, the newest first, then models by name."""
    found = [seen for seen in list_files(folder) if seen.name.casefold().endswith(PRINTABLE)]
    return sorted(
        found, key=lambda seen: (_is_model(seen), 0 if _is_model(seen) else -seen.mtime_ns, seen.name.casefold())
    )


def _is_model(seen: Seen) -> bool:
    return seen.name.casefold().endswith(MODELS)


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def describe(folder: Path, name: str, source: str, now: datetime) -> tuple[FileRecord, Seen]:
    """A record of the file as it is now, and its listing to re-check with under the lock. Reads the whole file."""
    path = folder / name
    before = path.stat()
    digest = sha256_of(path)
    record = FileRecord(
        name=name, role="slicer", size=before.st_size, sha256=digest, added_at=now.replace(microsecond=0), source=source
    )
    return record, Seen(name, before.st_size, before.st_mtime_ns)


def unchanged(folder: Path, seen: Seen) -> bool:
    try:
        status = (folder / seen.name).stat()
    except FileNotFoundError:
        return False
    return (status.st_size, status.st_mtime_ns) == (seen.size, seen.mtime_ns)
