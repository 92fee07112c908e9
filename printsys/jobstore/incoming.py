"""Files on their way into a new job: the student's exact bytes, the working copy that staff open and slice, and what a
slicer had made of them already."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Literal

from printsys import fs
from printsys.domain.job import Document, FileRecord, dump
from printsys.domain.naming import comparable, distinct, id_in_folder_name, safe_file_name
from printsys.jobstore.arriving import ArrivingFile
from printsys.jobstore.layout import ORIGINAL

CHUNK = 1 << 20


@dataclass(frozen=True)
class IncomingFile:
    """A file to store: its bytes from where `stream` stands, or all of one that arrived, and the name that its owner
    gave it.

    An `original` stays untouched, with a copy to work on; a file of a `slicer` goes beside the copy.
    """

    name: str
    stream: BinaryIO | ArrivingFile
    source: str = "upload"
    role: Literal["original", "slicer"] = "original"


@dataclass
class StagedFiles:
    """Files for a job that exists, staged beside storage/ in `folder`. `is_taken` once a change has them: then they
    are the job's, whatever happens."""

    folder: Path
    files: tuple[Document, ...] = ()
    is_taken: bool = False
    replaced: dict[str, str] = field(default_factory=dict)
    """Files of the job that go to aside/ before these come, each with its sha256: other bytes stay where they are."""

    @property
    def names(self) -> list[str]:
        return [str(file["name"]) for file in self.files]


@dataclass(frozen=True)
class NewJobFiles:
    """The folder's name and its files as they are on disk now, as records for metadata.json: originals, then working
    copies."""

    folder_name: str
    files: tuple[Document, ...]


def stage_files(
    staging: Path,
    folder_name: str,
    files: Sequence[IncomingFile],
    now: datetime,
    name_limit: int,
    names_in_original: Iterable[str] = (),
) -> NewJobFiles:
    """Write each original as original/<safe name> (read-only) and as the working copy <folder name>[_n].<ext>, and
    what a slicer made under its own name; all of it synced.

    `names_in_original` are taken already: those of the job's own original/.
    """
    taken_names = {comparable(name) for name in names_in_original}
    stage = _Stage(staging, folder_name, now.replace(microsecond=0), name_limit - len(" 99"), taken_names)
    (staging / ORIGINAL).mkdir()
    for incoming in files:
        if incoming.role == "original":
            stage.add_original(incoming)
        else:
            stage.add_slicer_file(incoming)
    fs.sync_folder(staging / ORIGINAL)
    return NewJobFiles(folder_name, tuple(map(dump, stage.originals + stage.working_copies + stage.slicer_files)))


@dataclass
class _Stage:
    """The staging folder while it is filled, with the records of what lies there."""

    staging: Path
    folder_name: str
    now: datetime
    name_limit: int
    original_names: set[str]
    """Names in original/, as they are compared."""
    originals: list[FileRecord] = field(default_factory=list)
    working_copies: list[FileRecord] = field(default_factory=list)
    slicer_files: list[FileRecord] = field(default_factory=list)

    def add_original(self, incoming: IncomingFile) -> None:
        name = distinct(safe_file_name(incoming.name, self.name_limit), self.original_names)
        self.original_names.add(comparable(name))
        path = self.staging / ORIGINAL / name
        record = self._store(f"{ORIGINAL}/{name}", "original", incoming, path)
        number = len(self.originals) + 1
        copy_name = f"{self.folder_name}{'' if number == 1 else f'_{number}'}{os.path.splitext(name)[1].lower()}"
        fs.copy(path, self.staging / copy_name)
        path.chmod(0o444)
        self.originals.append(record)
        self.working_copies.append(
            record.model_copy(update={"name": copy_name, "role": "working", "uploaded_as": None})
        )

    def add_slicer_file(self, incoming: IncomingFile) -> None:
        taken_names = {comparable(name) for name in names_in(self.staging)}
        stem, extension = os.path.splitext(safe_file_name(incoming.name, self.name_limit))
        # A file that bears the name of the job it was made for takes this one's.
        name = distinct((self.folder_name if id_in_folder_name(stem) else stem) + extension, taken_names)
        self.slicer_files.append(self._store(name, "slicer", incoming, self.staging / name))

    def _store(self, name: str, role: Literal["original", "slicer"], incoming: IncomingFile, path: Path) -> FileRecord:
        """Write and sync the file's bytes, and describe them."""
        if isinstance(incoming.stream, ArrivingFile):
            incoming.stream.move_to(path)
            size, sha256 = incoming.stream.size, incoming.stream.sha256
        else:
            size, sha256 = _write(path, incoming.stream)
        return FileRecord(
            name=name,
            role=role,
            size=size,
            sha256=sha256,
            added_at=self.now,
            source=incoming.source,
            uploaded_as=incoming.name if role == "original" else None,
        )


def _write(path: Path, stream: BinaryIO) -> tuple[int, str]:
    """The file's size and sha256."""
    digest, size = hashlib.sha256(), 0
    with path.open("xb") as file:
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
            size += file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    return size, digest.hexdigest()


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()] if folder.is_dir() else []


def next_version(folder_name: str, names: Iterable[str]) -> str:
    """What working copies of a new version are called, where files with `names` are in the folder: `<name>_v2` …"""
    taken_names = {comparable(name) for name in names}
    version = 2
    while any(name.startswith(comparable(f"{folder_name}_v{version}")) for name in taken_names):
        version += 1
    return f"{folder_name}_v{version}"
