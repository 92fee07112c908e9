"""Where things are under storage/ (DESIGN 3), and the gate that keeps every path inside it."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath

from printsys import fs
from printsys.domain.clutter import is_clutter_folder
from printsys.domain.naming import FILE_NAME_LIMIT, FOLDER_NAME_LIMIT, PATH_LIMIT, opens_everywhere
from printsys.domain.status import Status
from printsys.errors import ConfigError, JobNotFound
from printsys.jobstore.folder_names import FolderNames

SYSTEM = ".printsys"
METADATA = "metadata.json"
EVENTS = "events.jsonl"
ORIGINAL = "original"
PREVIEWS = "previews"
JOB_CARD = "job-card.html"
"""In a job folder: the job as a page for people. Derived from the record, and no file of the job."""
ASIDE = "aside"
"""In a job folder: what the system cut off or replaced, kept for people. Never read back."""


def is_text(name: str) -> bool:
    """Whether a name on disk is text, which JSON and PostgreSQL can hold."""
    return name.isascii() or readable(name) == name


def readable(text: str) -> str:
    """A name on disk, or text with one in it, as it can be shown: bytes that are no UTF-8 as `\\xe9`."""
    if text.isascii():
        return text
    try:
        data = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half of a character, as names on Windows may have it
        data = text.encode("utf-8", "backslashreplace")
    return data.decode("utf-8", "backslashreplace")


class Layout:
    """The paths of one storage folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._names = FolderNames()
        self._status_folders = {status: root / status.value for status in Status}
        self.system = root / SYSTEM
        self.locks = self.system / "locks"
        self.moves = self.system / "moves"
        self.staging = self.system / "staging"
        self.trash = self.system / "trash"
        self.quarantine = self.system / "quarantine"
        self.missing = self.system / "missing"
        self.looks = self.system / "looks"
        self.newest = self.system / "newest"
        self.missed_events = self.system / "away.json"
        self.lab_today = self.system / "lab.json"
        self.pruned = self.system / "pruned"
        self.calendar = self.system / "calendar.json"
        self.digest = self.system / "digest.json"
        self.storage_id = self.system / "storage-id"
        longest = len(str(root)) + len(f"/{Status.READY_TO_PRINT}/") + FOLDER_NAME_LIMIT + len(f"/{ORIGINAL}/")
        self.file_name_limit = min(FILE_NAME_LIMIT, PATH_LIMIT - longest)
        if self.file_name_limit < 24:
            shortest = len(str(root)) - (24 - self.file_name_limit)
            raise ConfigError([f"PRINTSYS_STORAGE: {root} is too long; please use at most {shortest} characters."])

    def status(self, status: Status) -> Path:
        return self._status_folders[status]

    def lock(self, job_id: str) -> Path:
        return self.locks / f"{job_id}.lock"

    def intent(self, job_id: str) -> Path:
        return self.moves / f"{job_id}.json"

    def has(self, path: Path) -> bool:
        """Whether `path` is the storage folder or lies in it, by whatever links and dots it is named."""
        root, resolved = self.root.resolve(), path.resolve()
        return resolved == root or root in resolved.parents

    def pruned_id(self, job_id: str) -> Path:
        return self.pruned / "gone" / job_id

    def newest_event(self, job_id: str) -> Path:
        return self.newest / job_id

    def relative(self, path: Path) -> str:
        """As text, for people, JSON and PostgreSQL; `find` leads back from it."""
        return readable(self.exact(path))

    def exact(self, path: Path) -> str:
        """As it is on disk: it may hold bytes that are no text (surrogates)."""
        return path.relative_to(self.root).as_posix()

    def find(self, relative_path: str) -> Path:
        """The path that `relative` shows so, whether it exists or not."""
        path = self.root / relative_path
        if "\\" in path.name and not os.path.lexists(path):
            with suppress(OSError):
                return next((entry for entry in path.parent.iterdir() if readable(entry.name) == path.name), path)
        return path

    def status_of(self, folder: Path) -> Status | None:
        """The status folder that `folder` lies in; None for the trash and the quarantine."""
        try:
            return Status(folder.parent.name) if folder.parent.parent == self.root else None
        except ValueError:
            return None

    def make(self) -> None:
        """Every folder that is missing in a storage that has its own `system`. FileNotFoundError, and nothing is made,
        where that is gone: in the empty place of a share, say."""
        for folder in (
            self.locks,
            self.moves,
            self.staging,
            self.trash,
            self.quarantine,
            self.missing,
            self.looks,
            self.newest,
            *self._status_folders.values(),
        ):
            folder.mkdir(exist_ok=True)

    def job_folders(self, statuses: tuple[Status, ...] = tuple(Status)) -> Iterator[Path]:
        """Every folder in the status folders that could be a job; hidden ones and clutter are not."""
        return (self.root / relative_path for relative_path in self.job_paths(statuses))

    def job_paths(self, statuses: tuple[Status, ...] = tuple(Status)) -> list[str]:
        """As `job_folders`, relative to storage/ with forward slashes: for walking 100,000 of them. As on disk."""
        return self.list_statuses(statuses)[0]

    def list_statuses(self, statuses: tuple[Status, ...] = tuple(Status)) -> tuple[list[str], list[str]]:
        """The paths of `job_paths`, and those of whatever lies beside these folders and is none."""
        folders, others = list[str](), list[str]()
        for status in statuses:
            try:
                entries = list(os.scandir(self.status(status)))
            except (FileNotFoundError, NotADirectoryError):
                continue
            for entry in entries:
                name = entry.name
                if not entry.is_dir(follow_symlinks=False):
                    others.append(f"{status.value}/{name}")
                elif not is_clutter_folder(name):
                    folders.append(f"{status.value}/{name}")
        return folders, others

    def named_for(self, job_id: str, within: Iterable[Path]) -> Iterator[Path]:
        """Folders whose name ends with this id, in `within` (folders of job folders)."""
        for parent in within:
            with suppress(FileNotFoundError, NotADirectoryError):
                yield from (parent / name for name in self._names.ending_with(parent, job_id))

    def list_anew(self) -> None:
        """Trust no listing that `named_for` and `named_by_people` made before."""
        self._names.forget()

    def named_by_people(self) -> Iterator[Path]:
        """The folders of job_folders whose names end with no id."""
        for parent in self._status_folders.values():
            with suppress(FileNotFoundError, NotADirectoryError):
                for name in self._names.without_id(parent):
                    if (
                        not is_clutter_folder(name)
                        and os.path.isdir(parent / name)
                        and not os.path.islink(parent / name)
                    ):
                        yield parent / name


def file_inside(folder: Path, name: str, job_id: str) -> Path:
    """The regular file `name` (forward slashes) inside the job folder; JobNotFound's kin for anything else.

    Links are not followed, `..`, absolute paths, drives and alternate data streams have no meaning here. A name is
    refused only where this system gives it another meaning; which names all computers can open, naming.py knows.
    """
    segments = PurePosixPath(name).parts
    if not segments or name.startswith("/") or "\0" in name or not {"..", "."}.isdisjoint(segments):
        raise JobNotFound(job_id)
    if fs.WINDOWS and not opens_everywhere(name):
        raise JobNotFound(job_id)
    path = folder
    try:
        for segment in segments:
            path = path / segment
            if path.is_symlink():
                raise JobNotFound(job_id)
        is_file = path.is_file()
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        is_file = False
    if not is_file:
        raise JobNotFound(job_id)
    return path


NO_FILE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EINVAL})
"""Why nothing of a job's can be opened there: gone, or something else in its place."""


def open_inside(folder: Path, name: str, job_id: str) -> io.BufferedReader:
    """As `file_inside`, opened for reading: what is put into its place meanwhile, such as a link, is not followed."""
    segments = file_inside(folder, name, job_id).relative_to(folder).parts
    try:
        file = fs.open_beneath(folder, segments)
    except OSError as error:
        if error.errno not in NO_FILE:
            raise
        raise JobNotFound(job_id) from error
    if fs.WINDOWS:
        try:
            file_inside(folder, name, job_id)
        except JobNotFound:
            file.close()
            raise
    return file
