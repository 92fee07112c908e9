"""Compares the record with what lies in the folder and names the changes. Pure: others read and write the disk."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from printsys.domain.events import FILESYSTEM, Event, EventDraft, EventType, diff, merge_patch, same_json
from printsys.domain.job import CONVERTED, PLATES, SUPERSEDED, Document, FileRecord, Job, dump
from printsys.domain.plates import marks_of, with_renamed_file

OURS = frozenset({"revision", "updated_at"})
"""Keys that only the system counts: what a person has there is ignored."""
LEARNED = frozenset({EventType.MODEL_INSPECTED, EventType.ESTIMATE_READ, EventType.THUMBNAIL_MADE})
"""What the system finds out by itself about files that are recorded already: no decision, and no new bytes."""
OF_FILES = frozenset(
    {
        EventType.FILE_ADDED,
        EventType.FILES_ADDED,
        EventType.FILE_CHANGED,
        EventType.FILE_RENAMED,
        EventType.FILE_REMOVED,
    }
)
"""Where several of them are one batch, only the last one has the list of files in its patch."""


@dataclass(frozen=True)
class HandEdit:
    """What a person changed in metadata.json: a merge patch on the document as it is now."""

    patch: Document


@dataclass(frozen=True)
class Conflict:
    """Both the system and the person changed these fields (dotted paths) since the person opened the file."""

    fields: tuple[str, ...]


def hand_edit(base: Mapping[str, Any], theirs: Mapping[str, Any], current: Mapping[str, Any]) -> HandEdit | Conflict:
    """Three-way merge: what `theirs` changed against `base` (the revision they edited), brought onto `current`."""
    edit = _without(diff(base, theirs), OURS)
    meanwhile = _without(diff(base, current), OURS)
    clashes = tuple(_clashes(edit, meanwhile))
    if clashes:
        return Conflict(clashes)
    return HandEdit(_without(diff(current, merge_patch(current, edit)), OURS))


def _without(patch: Document, keys: frozenset[str]) -> Document:
    return {name: value for name, value in patch.items() if name not in keys}


def _clashes(theirs: Any, ours: Any, path: str = "") -> list[str]:
    """Paths that both patches set to different values."""
    if isinstance(theirs, Mapping) and isinstance(ours, Mapping):
        shared = [key for key in theirs if key in ours]
        return [clash for key in shared for clash in _clashes(theirs[key], ours[key], f"{path}.{key}" if path else key)]
    return [] if same_json(theirs, ours) else [path]


def news_since(events: Iterable[Event], revision: int) -> list[Event]:
    """What happened after `revision` that a person who saw the job then should know before deciding.

    Bookkeeping that changes nothing of the job (an e-mail went out) is no news, nor is what the system learned of the
    files that were on the page already (a model was inspected): neither refuses a click. A file that was added or
    changed is news, and its event comes before anything that the system learns of it.
    """
    later = (event for event in events if event.seq > revision and event.type not in LEARNED)
    return [event for event in later if event.patch.keys() - OURS or event.type in OF_FILES]


# -- files and folders ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class FoundFile:
    """A file as it lies in the job folder now. `size` in bytes."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class FolderSnapshot:
    """What is in a job's folder. Names that are `being_written` wait until they are stable; those that `vanished` a
    moment ago count as gone only later, but may turn out to have been renamed."""

    folder: str
    files: tuple[FoundFile, ...]
    being_written: frozenset[str] = frozenset()
    vanished: frozenset[str] = frozenset()

    @property
    def unsettled(self) -> bool:
        """Whether another comparison will soon find more."""
        return bool(self.being_written or self.vanished)


@dataclass(frozen=True)
class FileAppeared:
    file: FoundFile


@dataclass(frozen=True)
class FilesAppeared:
    files: tuple[FoundFile, ...]


@dataclass(frozen=True)
class FileSavedOver:
    before: FileRecord
    file: FoundFile


@dataclass(frozen=True)
class FileRenamed:
    before: FileRecord
    file: FoundFile


@dataclass(frozen=True)
class FileGone:
    before: FileRecord


@dataclass(frozen=True)
class FolderRenamed:
    before: str
    now: str


FolderChange = FileAppeared | FilesAppeared | FileSavedOver | FileRenamed | FileGone | FolderRenamed


def compare(job: Job, folder_name: str, snapshot: FolderSnapshot) -> Iterator[FolderChange]:
    """What happened in the folder since it was recorded. `folder_name` is the name that the record has for it.

    Originals are not compared here: a change of them is raised, never recorded.
    """
    # The folder has another name: a person renamed it. The id inside says which job it is.
    if snapshot.folder != folder_name:
        yield FolderRenamed(folder_name, snapshot.folder)
    recorded = {record.name: record for record in job.files if record.role != "original"}
    present = {file.name: file for file in snapshot.files}
    missing = {n: record for n, record in recorded.items() if n not in present and n not in snapshot.being_written}
    appeared: list[FoundFile] = []
    for name, file in present.items():
        record = recorded.get(name)
        if record is not None:
            # The same name, other bytes: saved over.
            if record.sha256 != file.sha256:
                yield FileSavedOver(record, file)
            continue
        # A name that is new, with the bytes of one that is gone: renamed.
        old = next((gone for gone in missing.values() if gone.sha256 == file.sha256), None)
        if old is not None:
            del missing[old.name]
            yield FileRenamed(old, file)
        # A name that is new: a slicer or a person put it there.
        else:
            appeared.append(file)
    if len(appeared) == 1:
        yield FileAppeared(appeared[0])
    elif appeared:
        yield FilesAppeared(tuple(appeared))
    # A name that is recorded and has been nowhere for long enough.
    for record in missing.values():
        if record.name not in snapshot.vanished:
            yield FileGone(record)


def drafts_of(job: Job, changes: Iterable[FolderChange], now: datetime) -> list[EventDraft]:
    """One event for each change, by `filesystem`; lists in the patches are whole, each as it is after its event."""
    files = [dump(record) for record in job.files]
    print_files = list(job.print_files)
    marks = marks_of(job)
    drafts = []
    for change in changes:
        kind, data, patch = _event_of(change, files, print_files, now)
        if isinstance(change, FileRenamed) and any(mark["file"] == change.before.name for mark in marks):
            marks = with_renamed_file(marks, change.before.name, change.file.name)
            patch = patch | {PLATES: marks}
        drafts.append(EventDraft(kind, FILESYSTEM, data, patch))
        files, print_files = patch.get("files", files), patch.get("print_files", print_files)
    return drafts


def _event_of(
    change: FolderChange, files: list[Document], print_files: list[str], now: datetime
) -> tuple[EventType, Document, Document]:
    match change:
        case FolderRenamed(before, after):
            return EventType.FOLDER_RENAMED, {"from": before, "to": after}, {}
        case FileAppeared(file):
            return EventType.FILE_ADDED, _identity(file), {"files": [*files, _new_record(file, now)]}
        case FilesAppeared(new_files):
            identities = [_identity(file) for file in new_files]
            return (
                EventType.FILES_ADDED,
                {"files": identities},
                {"files": [*files, *(_new_record(file, now) for file in new_files)]},
            )
        case FileSavedOver(record, file):
            data = {"name": file.name, "before": record.sha256, "after": file.sha256, "size": file.size}
            # Facts about the old bytes are not true of the new ones.
            stale = dict.fromkeys(("model", "slicer", SUPERSEDED, CONVERTED))
            fresh = {"size": file.size, "sha256": file.sha256} | stale
            return EventType.FILE_CHANGED, data, {"files": _with(files, record.name, fresh)}
        case FileRenamed(record, file):
            renamed = [file.name if name == record.name else name for name in print_files]
            patch: Document = {"files": _with(files, record.name, {"name": file.name})}
            return (
                EventType.FILE_RENAMED,
                {"from": record.name, "to": file.name},
                patch | ({"print_files": renamed} if renamed != print_files else {}),
            )
        case FileGone(record):
            remaining = [file for file in files if file["name"] != record.name]
            return EventType.FILE_REMOVED, {"name": record.name, "sha256": record.sha256}, {"files": remaining}


def _identity(file: FoundFile) -> Document:
    return {"name": file.name, "size": file.size, "sha256": file.sha256}


def _new_record(file: FoundFile, now: datetime) -> Document:
    added_at = now.replace(microsecond=0)
    return dump(FileRecord(**_identity(file), role="slicer", added_at=added_at, source=FILESYSTEM))


def _with(files: list[Document], name: str, changed: Document) -> list[Document]:
    return [file | changed if file["name"] == name else file for file in files]


def recorded_folder(events: Iterable[Event]) -> str | None:
    """The name that the record has for the job's folder: as created, or as last renamed by hand."""
    name: str | None = None
    for event in events:
        if event.type == EventType.JOB_CREATED:
            name = event.data.get("folder")
        elif event.type == EventType.FOLDER_RENAMED:
            name = event.data.get("to")
    return name
