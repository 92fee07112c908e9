"""From a request to a real file inside this computer's storage, or Refused.

Nothing is resolved by joining and hoping: each part is looked up in its folder's listing, and a part that is a symlink
or a junction is refused wherever it leads. So the path that comes out lies in storage by construction.
"""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from opener import names, record
from opener.refusals import Reason, Refused
from opener.url import OpenRequest

STATUS_FOLDERS = (
    "Uploaded", "Pending", "ReadyToPrint", "Printing", "Completed", "Rejected", "PaidPickedUp", "Archived",
)  # fmt: skip
"""Active ones first: to find a renamed job folder the opener reads one metadata.json after the other."""
SYSTEM = ".printsys"
LOOK_AGAIN_S = (0.05, 0.1, 0.2, 0.4, 0.8)
"""Pauses between looks for a folder that may be on its way from one status folder to another."""

_ID_AT_END = re.compile(rf"_([{names.ID_LETTERS}]{{{names.ID_LENGTH}}})$", re.IGNORECASE)
_NAME_SURROGATE = 0x20000000
"""Bit of a reparse tag that says "this name stands for another": links and junctions, but not files that Windows
deduplicates or keeps in a cloud. https://learn.microsoft.com/windows/win32/fileio/reparse-point-tags"""


class Storage:
    """The lab's storage as this computer sees it; `expected_id` is the storage-id it was set up with, "" if none."""

    def __init__(self, root: Path, expected_id: str = "", pause: Callable[[float], None] = time.sleep) -> None:
        self.root = root
        self.expected_id = expected_id
        self.pause = pause

    def id(self) -> str:
        """The storage-id in its folder: the proof that the share is mounted. Raises Refused."""
        try:
            storage_id = record.read_regular(self.root / SYSTEM / "storage-id", 200).decode("ascii", "replace").strip()
        except (OSError, ValueError):
            raise Refused(Reason.OFFLINE, str(self.root)) from None
        if not storage_id:
            raise Refused(Reason.OFFLINE, str(self.root))
        return storage_id

    def prove(self) -> None:
        """Raises Refused unless this is the storage that the computer was set up for."""
        storage_id = self.id()
        if self.expected_id and storage_id != self.expected_id:
            raise Refused(Reason.OTHER_STORAGE, str(self.root))

    def resolve(self, request: OpenRequest) -> tuple[Path, record.RecordedJob]:
        """The absolute path of the requested file, and what its job's record says. Raises Refused."""
        self.prove()
        for pause in (*LOOK_AGAIN_S, None):
            try:
                folder = self._job_folder(request.job)
                return self._file(folder, request.parts), record.read(folder)
            except Refused as refused:
                if pause is None or refused.reason not in (Reason.NO_JOB, Reason.TWO_JOBS, Reason.NO_FILE):
                    raise
            except OSError as error:
                if pause is None:
                    raise Refused(Reason.UNREADABLE, error.strerror or type(error).__name__) from error
            self.pause(pause)
        raise AssertionError("the last look returns or raises")

    def _job_folder(self, job: str) -> Path:
        """By the id in its name, unless its metadata.json says another; a renamed one by its metadata.json."""

        def is_named_for_job(folder: Path) -> bool:
            match = _ID_AT_END.search(folder.name)
            return bool(match and match.group(1).lower() == job and record.read(folder).id in ("", job))

        folders = [folder for folder in self._folders() if is_named_for_job(folder)]
        folders = folders or [folder for folder in self._folders() if record.read(folder).id == job]
        if not folders:
            raise Refused(Reason.NO_JOB, job)
        if len(folders) > 1:
            raise Refused(Reason.TWO_JOBS, job)
        return folders[0]

    def _folders(self) -> Iterator[Path]:
        for status in STATUS_FOLDERS:
            parent = self.root / status
            try:
                entries = sorted(os.listdir(parent))
            except (FileNotFoundError, NotADirectoryError):
                continue
            yield from (parent / name for name in entries if not name.startswith("."))

    def _file(self, folder: Path, parts: tuple[str, ...]) -> Path:
        for parent in (folder.parent, folder):
            _refuse_link(parent)
        path = folder
        for part in parts:
            path = path / _entry(path, part)
            _refuse_link(path)
        if not stat.S_ISREG(path.lstat().st_mode):
            raise Refused(Reason.NOT_A_FILE, path.name)
        return Path(os.path.abspath(path))


def _entry(folder: Path, name: str) -> str:
    """`name` as the listing of `folder` has it: so a short name of Windows (`BRACKE~1.STL`) is no name."""
    try:
        entries = os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        raise Refused(Reason.NO_FILE, name) from None
    same = names.comparable(name)
    matches = [name] if name in entries else [entry for entry in entries if names.comparable(entry) == same]
    if len(matches) != 1:
        raise Refused(Reason.NO_FILE, name)
    return matches[0]


def _refuse_link(path: Path) -> None:
    status = path.lstat()
    if stat.S_ISLNK(status.st_mode) or getattr(status, "st_reparse_tag", 0) & _NAME_SURROGATE:
        raise Refused(Reason.LINK_OUT)
