"""The files of a job folder: which there are, and what each of them is. Reading only."""

from __future__ import annotations

import errno
import hashlib
import os
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from printsys import fs
from printsys.domain.filetypes import type_of
from printsys.domain.job import FileRecord
from printsys.jobstore.layout import EVENTS, METADATA, ORIGINAL, is_text

IGNORED_SUFFIXES = (".tmp", ".part", ".crdownload", ".swp", ".swo", ".bak", "~", ".lock")
IGNORED_NAMES = frozenset({METADATA, EVENTS, "thumbs.db", "desktop.ini"})


@dataclass(frozen=True)
class ListedFile:
    """A file as a directory listing shows it. `name` is relative to the job folder; times in ns, sizes in bytes."""

    name: str
    size: int
    mtime_ns: int


def is_ignored(name: str) -> bool:
    """Whether a file is none of the job's: ours, hidden, or some program's temporary."""
    lower = name.casefold()
    return lower in IGNORED_NAMES or lower.startswith((".", "~$")) or lower.endswith(IGNORED_SUFFIXES)


def list_files(folder: Path) -> Iterator[ListedFile]:
    """The files that people and slicers keep in the job folder itself; no originals, previews or links.

    `odd_entries` has what cannot be followed.
    """
    with os.scandir(folder) as entries:
        for entry in entries:
            if not is_ignored(entry.name) and is_text(entry.name) and entry.is_file(follow_symlinks=False):
                status = entry.stat(follow_symlinks=False)
                yield ListedFile(entry.name, status.st_size, status.st_mtime_ns)


def odd_entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    """What lies in the job folder and cannot be followed: a name that is no text; a pipe, a socket, a device."""
    with os.scandir(folder) as entries:
        for entry in entries:
            is_usual = entry.is_symlink() or entry.is_dir(follow_symlinks=False) or entry.is_file(follow_symlinks=False)
            if not is_ignored(entry.name) and not (is_usual and is_text(entry.name)):
                yield entry


def printable(folder: Path) -> list[ListedFile]:
    """What could be the print file, the likeliest first: slicer output, the newest first, then models by name."""

    def rank(listed: ListedFile) -> tuple[bool, int, str]:
        is_model = type_of(listed.name).kind == "model"
        return is_model, 0 if is_model else -listed.mtime_ns, listed.name.casefold()

    return sorted((listed for listed in list_files(folder) if type_of(listed.name).is_printable), key=rank)


def sha256_of(path: Path) -> str:
    with fs.open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def describe(folder: Path, name: str, source: str, now: datetime) -> tuple[FileRecord, ListedFile]:
    """A record of the file as it is now, and its listing for `unchanged` under the lock. Reads the whole file."""
    path = folder / name
    before = path.stat()
    digest = sha256_of(path)
    record = FileRecord(
        name=name, role="slicer", size=before.st_size, sha256=digest, added_at=now.replace(microsecond=0), source=source
    )
    return record, ListedFile(name, before.st_size, before.st_mtime_ns)


def unchanged(folder: Path, listed: ListedFile) -> bool:
    """False, too, where the file is gone or cannot be read just now."""
    try:
        status = (folder / listed.name).stat()
    except OSError:
        return False
    return (status.st_size, status.st_mtime_ns) == (listed.size, listed.mtime_ns)


# -- what a listing tells -------------------------------------------------------------------------------------------

SETTLE_S = 2.0
"""A file is finished when its size and time of change have been quiet for so long, and a deletion is believed then:
slicers unlink their target for an instant before they rename the new one into its place."""
RACY_S = 3.0
"""A file changed less than so long before it was read may change again within the same tick of its clock (FAT's is
2 s): what was read of it is not trusted later without reading again (git calls this racily clean)."""


def signature(folder: Path | str, now_ns: int) -> str | None:
    """What a directory listing tells of a job folder, without reading any file; None while it may still be changing.

    Names, sizes and times of all files, record and originals included. Equal signatures: nothing has happened.
    """
    folder = str(folder)
    digest = hashlib.sha1(os.path.basename(folder).encode("utf-8", "surrogateescape"), usedforsecurity=False)
    newest = 0
    for inner in (folder, f"{folder}{os.sep}{ORIGINAL}"):
        lines = []
        try:
            with os.scandir(inner) as entries:
                for entry in entries:
                    if not entry.is_dir(follow_symlinks=False):
                        status = entry.stat(follow_symlinks=False)
                        mtime_ns = status.st_mtime_ns
                        lines.append(f"{entry.name}\0{status.st_size}\0{mtime_ns}\0")
                        if mtime_ns > newest:
                            newest = mtime_ns
        except (FileNotFoundError, NotADirectoryError):
            lines = []
        except OSError:
            return None
        lines.sort()
        digest.update("".join(lines).encode("utf-8", "surrogateescape") + b"/")
    return digest.hexdigest() if now_ns - newest >= RACY_S * 1e9 else None


TRUST_S = 3
"""Seconds by which the clocks of files and of records may differ."""
RECENT_S = 3600


def looks_as_recorded(listed: ListedFile, size: int, recorded_at: float, now_ns: int) -> bool:
    """Same size, and not written to since it was recorded (`recorded_at`, seconds since the epoch). Around that moment
    only reading tells, if it is recent."""
    if listed.size != size:
        return False
    after = listed.mtime_ns / 1e9 - recorded_at
    recent = now_ns - listed.mtime_ns < RECENT_S * 1e9
    return after < -TRUST_S or (after <= TRUST_S and not recent)


def is_settled(path: Path, now_ns: int) -> bool:
    """Whether nobody seems to be writing the file any more; for a 3MF, its zip directory must read, too.

    Quiet for `SETTLE_S`; on Linux also: no process has it open for writing (a read lease would not be granted).
    """
    try:
        status = path.stat()
        if now_ns - status.st_mtime_ns < SETTLE_S * 1e9 or _has_writer(path):
            return False
        if path.suffix.casefold() == ".3mf":
            with fs.open_regular(path) as file:
                return zipfile.is_zipfile(file)
    except OSError:
        return False
    return True


def _has_writer(path: Path) -> bool:
    """fcntl(2), F_SETLEASE: a read lease is refused with EAGAIN while the file is open for writing anywhere."""
    if sys.platform != "linux":
        return False
    import fcntl

    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError as error:
        # Other refusals (a share without leases, another owner) tell nothing: quiet has to do.
        return error.errno == errno.EAGAIN
    finally:
        os.close(descriptor)
    return False
