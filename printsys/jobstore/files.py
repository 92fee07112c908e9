"""The files of a job folder: which there are, and what each of them is. Reading only."""

from __future__ import annotations

import hashlib
import os
import time
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from printsys import fs
from printsys.domain.clutter import conflict_of, is_clutter, is_clutter_folder, is_record_copy
from printsys.domain.filetypes import type_of
from printsys.domain.job import FileRecord
from printsys.domain.naming import id_in_folder_name
from printsys.errors import JobNotFound
from printsys.jobstore.inodes import keeps_inodes
from printsys.jobstore.layout import ASIDE, EVENTS, JOB_CARD, METADATA, ORIGINAL, PREVIEWS, file_inside, is_text
from printsys.jobstore.writers import has_writer


class FileFacts(NamedTuple):
    """What the file system tells of a file without its contents: as long as all of it is the same, they are.

    Windows' listings have no inode and no time of the last change of anything; 0 stands for both there, and for the
    inode on file systems that give out new ones.
    """

    size: int
    mtime_ns: int
    inode: int
    ctime_ns: int


def facts_of(status: os.stat_result) -> FileFacts:
    if fs.WINDOWS:
        return FileFacts(status.st_size, status.st_mtime_ns, 0, 0)
    inode = status.st_ino if keeps_inodes(status.st_dev) else 0
    return FileFacts(status.st_size, status.st_mtime_ns, inode, status.st_ctime_ns)


@dataclass(frozen=True)
class ListedFile:
    """A file as a directory listing shows it. `name` is relative to the job folder; times in ns, sizes in bytes."""

    name: str
    facts: FileFacts

    @property
    def size(self) -> int:
        return self.facts.size

    @property
    def mtime_ns(self) -> int:
        return self.facts.mtime_ns


def is_ignored(name: str) -> bool:
    """Whether a file is none of the job's: its record or a copy of that, its card, or clutter."""
    return name.casefold() in (METADATA, EVENTS, JOB_CARD) or is_clutter(name) or is_record_copy(name)


def record_copies(folder: Path) -> list[str]:
    """Second versions of the record that lie beside it."""
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries if is_record_copy(entry.name) and entry.is_file(follow_symlinks=False)]
    return sorted(name for name in names if is_text(name) and not is_clutter(name))


def list_files(folder: Path) -> Iterator[ListedFile]:
    """The files that people and slicers keep in the job folder and in folders in it (`plates/plate1.gcode`).

    No originals, previews or links, and nothing of another job that lies in there. `odd_entries` has what cannot be
    followed.
    """
    return _those_still_there(list_entries(folder))


def list_entries(folder: Path) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """The names of these files: of ten thousand the facts of all cost as much again."""
    for entry in _entries_in(folder):
        yield entry.name, entry
    for inner in _inner_folders(folder):
        if not _holds_a_record(inner):
            yield from _entries_below(inner)


def listed(name: str, entry: os.DirEntry[str]) -> ListedFile:
    """With the facts that the file has now. OSError."""
    return ListedFile(name, facts_of(entry.stat(follow_symlinks=False)))


def list_recorded(folder: Path, names: Iterable[str]) -> Iterator[ListedFile]:
    """Those of `names` that lie in the folder, whatever they are called."""
    for name in names:
        with suppress(OSError, ValueError, JobNotFound):
            yield ListedFile(name, facts_of(file_inside(folder, name, folder.name).stat()))


def list_originals(folder: Path) -> Iterator[ListedFile]:
    """What lies in `original/` of the job folder."""
    return _those_still_there(_entries_below(folder / ORIGINAL))


def _those_still_there(entries: Iterable[tuple[str, os.DirEntry[str]]]) -> Iterator[ListedFile]:
    for name, entry in entries:
        with suppress(FileNotFoundError):  # a slicer's temporary file, gone since it was listed
            yield listed(name, entry)


def _entries_below(inner: Path) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Named as seen from the job folder."""
    try:
        for entry in _entries_in(inner):
            yield f"{inner.name}/{entry.name}", entry
    except (FileNotFoundError, NotADirectoryError):
        return


def _entries_in(folder: Path) -> Iterator[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if not is_ignored(entry.name) and is_text(entry.name) and entry.is_file(follow_symlinks=False):
                yield entry


def _inner_folders(folder: Path) -> list[Path]:
    """Those that people and slicers made in it."""
    with os.scandir(folder) as entries:
        folders = [entry for entry in entries if entry.is_dir(follow_symlinks=False) and _is_followed(entry.name)]
    return sorted(Path(entry.path) for entry in folders if entry.name != ORIGINAL and is_text(entry.name))


def _is_followed(name: str) -> bool:
    """Whether what happens in the folder of this name, in a job's folder, is of interest."""
    return name not in (PREVIEWS, ASIDE) and not is_clutter_folder(name)


def jobs_inside(folder: Path) -> list[Path]:
    """Folders of jobs that lie in this folder, where none belongs."""
    return [inner for inner in _inner_folders(folder) if _holds_a_record(inner)]


def _holds_a_record(folder: Path) -> bool:
    has_metadata = os.path.lexists(folder / METADATA) and id_in_folder_name(folder.name) is not None
    return has_metadata or os.path.lexists(folder / EVENTS)


class OddEntry(NamedTuple):
    """`name` is relative to the job folder; `reason` why it cannot be followed: the rest of a sentence."""

    name: str
    reason: str


def odd_entries(folder: Path) -> Iterator[OddEntry]:
    """What lies in the job folder and cannot be followed: a name that is no text; a pipe, a socket, a device; a folder
    in a folder in it."""
    yield from _odd_entries_in(folder)
    for inner in _inner_folders(folder):
        if not _holds_a_record(inner):
            for odd in _odd_entries_in(inner, is_inner=True):
                yield OddEntry(f"{inner.name}/{odd.name}", odd.reason)


def _odd_entries_in(folder: Path, is_inner: bool = False) -> Iterator[OddEntry]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if is_ignored(entry.name):
                continue
            is_folder = entry.is_dir(follow_symlinks=False)
            if not is_text(entry.name):
                yield OddEntry(entry.name, "has a name that is not UTF-8")
            elif is_inner and is_folder:
                yield OddEntry(entry.name, "is a folder in a folder")
            elif not (is_folder or entry.is_symlink() or entry.is_file(follow_symlinks=False)):
                yield OddEntry(entry.name, "is no ordinary file")


MOST_OFFERED = 200


def printable(folder: Path) -> list[ListedFile]:
    """What could be the print file, the likeliest first: slicer output, the newest first, then models by name;
    conflict copies of a sync program last.

    At most `MOST_OFFERED`: nobody reads ten thousand names.
    """

    def rank(listed: ListedFile) -> tuple[bool, bool, int, str]:
        is_model = type_of(listed.name).kind == "model"
        return (
            conflict_of(listed.name) is not None,
            is_model,
            0 if is_model else -listed.mtime_ns,
            listed.name.casefold(),
        )

    ranked = sorted((listed for listed in list_files(folder) if type_of(listed.name).is_printable), key=rank)
    return ranked[:MOST_OFFERED]


SLICE = 1 << 20


def sha256_of(path: Path) -> str:
    with fs.open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def describe(folder: Path, name: str, source: str, now: datetime) -> tuple[FileRecord, ListedFile]:
    """A record of the file as it is now, and its listing for `unchanged` under the lock. Reads the whole file."""
    path = folder / name
    facts = facts_of(path.stat())
    digest = sha256_of(path)
    record = FileRecord(
        name=name, role="slicer", size=facts.size, sha256=digest, added_at=now.replace(microsecond=0), source=source
    )
    return record, ListedFile(name, facts)


def unchanged(folder: Path, listed: ListedFile) -> bool:
    """False, too, where the file is gone or cannot be read just now."""
    try:
        return facts_of((folder / listed.name).stat()) == listed.facts
    except OSError:
        return False


# -- what a listing tells -------------------------------------------------------------------------------------------

SETTLE_S = 2.0
"""A file is finished when its facts have been the same for so long by the monotonic clock (what its own time says of
that, depends on whose clock it bears), and a deletion is believed then: slicers unlink their target for an instant
before they rename the new one into its place.

What is read after that may be trusted as long as the facts stay the same: the next change falls into another tick of
the file system's clock, be it FAT's of 2 s. What was read sooner would be what git calls racily clean."""
CUT_SHORT_S = 60.0
"""A 3MF whose zip directory does not read is still being written; after so long it is a broken one."""


def signature(folder: Path | str) -> str:
    """What a directory listing tells of a job folder, without reading any file.

    Names and facts of all files, record, originals and one level of folders included, the job's card excepted. Equal
    signatures: nothing has happened.
    """
    folder, inner_names = str(folder), list[str]()
    listings = [os.path.basename(folder), _listing(folder, inner_names)]
    for name in sorted(inner_names):
        listings.append(_listing(f"{folder}{os.sep}{name}"))
    text = "".join(listings).encode("utf-8", "surrogateescape")
    return hashlib.sha1(text, usedforsecurity=False).hexdigest()


def _listing(folder: str, inner_names: list[str] | None = None) -> str:
    """Adds the names of the folders in it that are followed, too, to `inner_names`."""
    lines = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                name = entry.name
                if name == JOB_CARD:
                    continue
                if not entry.is_dir(follow_symlinks=False):
                    status = entry.stat(follow_symlinks=False)
                    # As facts_of has them; 500,000 calls of it would cost a sweep a tenth of its time.
                    if fs.WINDOWS:
                        lines.append(f"{name}\0{status.st_size}\0{status.st_mtime_ns}\0\0")
                        continue
                    inode = status.st_ino if keeps_inodes(status.st_dev) else 0
                    facts = f"{status.st_size}\0{status.st_mtime_ns}\0{inode}\0{status.st_ctime_ns}"
                    lines.append(f"{name}\0{facts}\0")
                elif name == ORIGINAL or _is_followed(name):
                    lines.append(f"{name}/\0")
                    if inner_names is not None:
                        inner_names.append(name)
    except (FileNotFoundError, NotADirectoryError):
        lines = []
    except OSError as error:
        lines = [f"not to be read: {error.errno}"]
    lines.sort()
    lines.append("/")
    return "".join(lines)


@dataclass
class PartialHash:
    """A file's sha256 on its way: one of gigabytes is read in slices, between which other jobs have their turn."""

    read: int = 0
    _digest: hashlib._Hash = field(default_factory=hashlib.sha256)

    def read_on(self, path: Path, until: float) -> str | None:
        """The sha256, if the end is reached before `until` (monotonic clock). OSError."""
        with fs.open_regular(path) as file:
            file.seek(self.read)
            while chunk := file.read(SLICE):
                self._digest.update(chunk)
                self.read += len(chunk)
                if time.monotonic() > until:
                    return None
        return self._digest.hexdigest()


def read_finished(path: Path, facts: FileFacts, quiet_s: float, hashing: PartialHash, until: float) -> str | None:
    """The sha256 of a file that has had these facts for `quiet_s`; None while somebody seems to be writing it, and
    where more is to be read than there is time for.

    On Linux and Windows: a program has it open for writing. A 3MF: see `CUT_SHORT_S`.
    """
    try:
        if has_writer(path) or (quiet_s < CUT_SHORT_S and _is_cut_short(path)):
            return None
        digest = hashing.read_on(path, until)
        return digest if facts_of(path.stat()) == facts else None
    except OSError:
        return None


def first_unfinished(paths: Sequence[Path]) -> Path | None:
    """The first of these files that somebody seems to be writing; takes `SETTLE_S`. OSError."""
    before = [facts_of(path.stat()) for path in paths]
    time.sleep(SETTLE_S)
    for path, facts in zip(paths, before, strict=True):
        if facts_of(path.stat()) != facts or has_writer(path) or _is_cut_short(path):
            return path
    return None


def _is_cut_short(path: Path) -> bool:
    """Whether it is a 3MF without the directory that ends each zip."""
    if path.suffix.casefold() != ".3mf":
        return False
    with fs.open_regular(path) as file:
        return not zipfile.is_zipfile(file)
