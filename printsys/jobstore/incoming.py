"""Files on their way into a new job: the student's exact bytes, and the working copy that staff open and slice."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from printsys.domain.job import Document, FileRecord, dump
from printsys.domain.naming import comparable, distinct, safe_file_name
from printsys.jobstore import fs
from printsys.jobstore.layout import ORIGINAL

CHUNK = 1 << 20


@dataclass(frozen=True)
class Incoming:
    """A file to be stored: its bytes from where `stream` stands, and the name that its owner gave it."""

    name: str
    stream: BinaryIO
    source: str = "upload"


@dataclass
class Parcel:
    """Files for a job that exists, staged beside storage/. `is_taken` once a change has them: then they are the job's,
    whatever happens."""

    place: Path
    files: tuple[Document, ...]
    is_taken: bool = False

    @property
    def names(self) -> list[str]:
        return [str(file["name"]) for file in self.files]


@dataclass(frozen=True)
class Staged:
    """The folder's name and its files as they are on disk now, as records for metadata.json: originals, then working
    copies."""

    folder: str
    files: tuple[Document, ...]


def stage_files(
    staging: Path,
    folder_name: str,
    files: Sequence[Incoming],
    now: datetime,
    name_limit: int,
    originals_there: Iterable[str] = (),
) -> Staged:
    """Write each file as original/<safe name> (read-only) and as the working copy <folder name>[_n].<ext>, synced.

    `originals_there` are names in original/ that are taken already.
    """
    originals = staging / ORIGINAL
    originals.mkdir()
    taken = {comparable(name) for name in originals_there}
    kept: list[FileRecord] = []
    working: list[FileRecord] = []
    for number, incoming in enumerate(files, 1):
        name = distinct(safe_file_name(incoming.name, name_limit - len(" 99")), taken)
        taken.add(comparable(name))
        size, digest = _store(incoming.stream, originals / name)
        extension = os.path.splitext(name)[1].lower()
        copy_name = f"{folder_name}{'' if number == 1 else f'_{number}'}{extension}"
        fs.copy(originals / name, staging / copy_name)
        (originals / name).chmod(0o444)
        record = FileRecord(
            name=f"{ORIGINAL}/{name}",
            role="original",
            size=size,
            sha256=digest,
            added_at=now.replace(microsecond=0),
            source=incoming.source,
            uploaded_as=incoming.name,
        )
        kept.append(record)
        working.append(record.model_copy(update={"name": copy_name, "role": "working", "uploaded_as": None}))
    fs.sync_folder(originals)
    return Staged(folder_name, tuple(dump(record) for record in kept + working))


def next_version(folder_name: str, names: Iterable[str]) -> str:
    """What working copies of a new version are called, where files with `names` are in the folder: `<name>_v2` …"""
    taken = {comparable(name) for name in names}
    version = 2
    while any(name.startswith(comparable(f"{folder_name}_v{version}")) for name in taken):
        version += 1
    return f"{folder_name}_v{version}"


def _store(stream: BinaryIO, path: Path) -> tuple[int, str]:
    """Size in bytes and sha256 of what was written, synced."""
    digest, size = hashlib.sha256(), 0
    with path.open("xb") as file:
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
            size += file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    return size, digest.hexdigest()
