"""The folder that a backup is kept in: each content once, by its hash, and a list of what was where for each backup.

    content/ab/abcdef…      the bytes, named by their sha256; written whole or not at all, never changed
    snapshots/<time>.jsonl  one backup: a line a job with its files, a first line about it, a last one that seals it
    journal.jsonl           what a backup that is under way (or was killed) has looked at already
    printsys-backup         says what this folder is

So a job that moves costs nothing, what did not change is not read again, and a backup that is killed spoils no
earlier one.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from printsys import fs
from printsys.domain.job import format_time
from printsys.errors import PrintSysError

FORMAT = 1
MARKER = "printsys-backup"
CHUNK = 1 << 20


class BackupRefused(PrintSysError):
    """The folder cannot be used for this; nothing was changed."""


class BackupFailed(PrintSysError):
    """The disk that the backup is on refused. What it has is whole; the next backup goes on from there."""


class BackupDamaged(PrintSysError):
    """What is in the backup is not what was put there."""


@dataclass(frozen=True)
class Kept:
    """A file as it was copied. `mtime_ns` and `size` tell whether it has changed since, where `sure`: a file that was
    written a moment before it was copied may change again within the same tick of its clock."""

    sha256: str
    size: int
    mtime_ns: int
    mode: int
    sure: bool


@dataclass(frozen=True)
class Unit:
    """What is copied in one: a job under its lock, or what else there is. `files`: by their place in storage/ (kinds
    `job` and `storage`) or by their names (`lab`, `secrets`)."""

    kind: str
    id: str
    place: str
    files: Mapping[str, Kept]

    def line(self) -> bytes:
        files = {name: [k.sha256, k.size, k.mtime_ns, k.mode, k.sure] for name, k in self.files.items()}
        return _line({"kind": self.kind, "id": self.id, "place": self.place, "files": files})

    @classmethod
    def read(cls, line: bytes) -> Unit:
        told = json.loads(line)
        return cls(told["kind"], told["id"], told["place"], {n: Kept(*kept) for n, kept in told["files"].items()})


@dataclass(frozen=True)
class Snapshot:
    name: str
    made_at: str
    units: list[Unit]

    def contents(self) -> dict[str, int]:
        """The size of each content that it needs, by its hash."""
        return {kept.sha256: kept.size for unit in self.units for kept in unit.files.values()}


class Vault:
    """`root`: the folder of the backups."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.content, self.snapshots = root / "content", root / "snapshots"
        self.journal = root / "journal.jsonl"
        self._unsynced: set[Path] = set()

    def is_one(self) -> bool:
        return (self.root / MARKER).is_file()

    @contextmanager
    def open(self) -> Iterator[None]:
        """Make the folder if need be, and keep other backups out of it. BackupRefused, BackupFailed."""
        with _writing():
            if not self.is_one() and self.root.exists() and any(self.root.iterdir()):
                raise BackupRefused(f"{self.root} holds other things. Please name an empty folder, or a backup.")
            for folder in (self.root, self.content, self.snapshots):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            fs.replace(self.root / MARKER, _line({"format": FORMAT}))
            lock = FileLock(self.root / "lock", timeout=0)
            try:
                lock.acquire()
            except Timeout as error:
                raise BackupRefused(f"Another backup to {self.root} is under way.") from error
        try:
            with _writing():
                for torn in self.content.glob("*.new"):
                    torn.unlink()
            yield
        finally:
            lock.release()

    # -- contents -----------------------------------------------------------------------------------------------

    def path(self, sha256: str) -> Path:
        return self.content / sha256[:2] / sha256

    def has(self, kept: Kept) -> bool:
        return self._has(kept.sha256, kept.size)

    def _has(self, sha256: str, size: int) -> bool:
        try:
            return self.path(sha256).stat().st_size == size
        except FileNotFoundError:
            return False

    def put(self, chunks: Iterable[bytes]) -> tuple[str, int]:
        """Keep these bytes; their sha256 and size. An OSError of reading them is the caller's; BackupFailed."""
        digest, size = hashlib.sha256(), 0
        with _writing():
            descriptor, name = tempfile.mkstemp(suffix=".new", dir=self.content)
        temporary = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                for chunk in chunks:
                    digest.update(chunk)
                    size += len(chunk)
                    with _writing():
                        file.write(chunk)
                with _writing():
                    file.flush()
                    if self._has(digest.hexdigest(), size):
                        return digest.hexdigest(), size
                    os.fsync(file.fileno())
            with _writing():
                self._adopt(temporary, digest.hexdigest())
        finally:
            temporary.unlink(missing_ok=True)
        return digest.hexdigest(), size

    def _adopt(self, temporary: Path, sha256: str) -> None:
        target = self.path(sha256)
        target.parent.mkdir(mode=0o700, exist_ok=True)
        os.replace(temporary, target)
        self._unsynced |= {target.parent, self.content}

    def is_whole(self, sha256: str, size: int) -> bool:
        """Reads it."""
        path = self.path(sha256)
        try:
            return path.stat().st_size == size and _hash_of(path) == sha256
        except OSError:
            return False

    def forget_damaged(self) -> list[str]:
        """Read every content, and drop those that are not what they were: the next backup brings them anew."""
        damaged = [path for path in sorted(self.content.glob("??/*")) if _hash_of(path) != path.name]
        with _writing():
            for path in damaged:
                path.unlink()
        return [path.name for path in damaged]

    # -- backups ------------------------------------------------------------------------------------------------

    def names(self) -> list[str]:
        """Of the backups that were ended, the oldest first."""
        return sorted(path.stem for path in self.snapshots.glob("*.jsonl"))

    def known(self) -> dict[tuple[str, str], bytes]:
        """(kind, id) → the line of each unit as it was last copied, by an ended backup or by one that was killed."""
        lines: dict[tuple[str, str], bytes] = {}
        newest = [self.snapshots / f"{name}.jsonl" for name in self.names()[-1:]]
        for path in (*newest, self.journal):
            for line in (fs.read_if_there(path) or b"").splitlines(keepends=True):
                told = _told(line)
                if told is not None and "kind" in told:
                    lines[told["kind"], told["id"]] = line
        return lines

    def note(self, line: bytes) -> None:
        """Remember it should this backup be killed."""
        with _writing(), self.journal.open("ab") as file:
            file.write(line)

    def publish(self, lines: Iterable[bytes], now: datetime) -> str:
        """These units are a backup; its name. From here on it counts."""
        name = now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
        while (self.snapshots / f"{name}.jsonl").exists():
            name += "+"
        body = b"".join([_line({"format": FORMAT, "made_at": format_time(now)}), *lines])
        build_batch = _line({"end": hashlib.sha256(body).hexdigest()})
        with _writing():
            for folder in self._unsynced:  # once, and not for each content: until here nothing relies on them
                fs.sync_folder(folder)
            self._unsynced.clear()
            fs.replace(self.snapshots / f"{name}.jsonl", body + build_batch)
            self.journal.unlink(missing_ok=True)
        return name

    def snapshot(self, name: str | None = None) -> Snapshot:
        """The backup of that name, or the newest. BackupRefused, BackupDamaged."""
        names = self.names() if self.is_one() else []
        if not names:
            raise BackupRefused(f"There is no backup in {self.root} that was ended.")
        if name is not None and name not in names:
            raise BackupRefused(f"There is no backup {name} in {self.root}; there are: {', '.join(names)}.")
        name = name or names[-1]
        try:
            head, *units, end = fs.read(self.snapshots / f"{name}.jsonl").splitlines(keepends=True)
            first, last = json.loads(head), json.loads(end)
            if last.get("end") != hashlib.sha256(b"".join([head, *units])).hexdigest():
                raise ValueError
        except (ValueError, OSError) as error:
            raise BackupDamaged(f"The list of backup {name} is damaged. Other backups there: {names}.") from error
        if first.get("format") != FORMAT:
            raise BackupRefused(f"Backup {name} was made by a newer version of this program.")
        return Snapshot(name, first["made_at"], [Unit.read(line) for line in units])

    def forget_all_but(self, newest: int) -> list[str]:
        """Drop older backups, and the contents that only they have; the names of those dropped."""
        names = self.names()
        dropped, kept = names[:-newest], names[-newest:]
        needed = {sha256 for name in kept for sha256 in self.snapshot(name).contents()} if dropped else set()
        with _writing():
            for name in dropped:
                (self.snapshots / f"{name}.jsonl").unlink()
            for path in self.content.glob("??/*") if dropped else ():
                if path.name not in needed:
                    path.unlink()
        return dropped


def _hash_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _line(told: Mapping[str, Any]) -> bytes:
    """ASCII: a file's name may be no Unicode at all, and comes back as it was."""
    return json.dumps(told, separators=(",", ":")).encode("ascii") + b"\n"


def _told(line: bytes) -> dict[str, Any] | None:
    """None for a line that was cut off: what it told is looked at again."""
    try:
        told = json.loads(line)
    except ValueError:
        return None
    return told if isinstance(told, dict) else None


@contextmanager
def _writing() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BackupFailed(f"The backup's folder refuses ({error.strerror}). Nothing that it had is lost.") from error
