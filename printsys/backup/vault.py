"""The folder of the backups: each content once, by its hash, and for each backup a list of what was where.

    content/ab/abcdef…      the bytes, named by their sha256; written whole or not at all, never changed
    snapshots/<time>.jsonl  one backup: a first line about it, a line a job with its files, a last one with their hash
    journal.jsonl           the lines so far of a backup that is under way, or was killed
    printsys-backup         marks the folder as one of backups
    restore.py              restores a backup without this program: restore_standalone.py as it was at the last backup

So a job that moves costs nothing, what did not change is not read again, and a backup that is killed spoils no
earlier one.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from printsys import fs
from printsys.domain.job import format_time
from printsys.errors import PrintSysError
from printsys.jobstore.files import FileFacts, sha256_of

FORMAT = 1
MARKER = "printsys-backup"
RESTORER = "restore.py"
RESTORER_SOURCE = Path(__file__).with_name("restore_standalone.py")
CHUNK = 1 << 20
NAME = "%Y%m%dT%H%M%SZ"
"""Of a backup: when it was ended."""


class BackupRefused(PrintSysError):
    """The folder cannot serve for this; nothing was changed."""


class VaultBusy(BackupRefused):
    """Another process writes into the folder, or reads what must not be dropped meanwhile."""


class BackupFailed(PrintSysError):
    """The disk that the backup is on refused. What it has is whole; the next backup goes on from there."""


class BackupDamaged(PrintSysError):
    """What is in the backup is not what was put there."""


@dataclass(frozen=True)
class CopiedFile:
    """A file as it was copied. Where `is_certain`, equal facts mean that it has not changed since: a file that was
    written a moment before it was copied may change again within the same tick of its clock. A backup of an older
    version has neither inode nor ctime: the next one reads each file again."""

    sha256: str
    size: int
    mtime_ns: int
    mode: int
    is_certain: bool
    inode: int = -1
    ctime_ns: int = -1

    @property
    def facts(self) -> FileFacts:
        return FileFacts(self.size, self.mtime_ns, self.inode, self.ctime_ns)


@dataclass(frozen=True)
class Unit:
    """What is copied as one: a job under its lock, or all that is no job's. `files`: by their paths relative to
    storage/ (kinds `job` and `storage`) or by their names (`lab`, `secrets`). `relative_path` is the job's folder."""

    kind: str
    id: str
    relative_path: str
    files: Mapping[str, CopiedFile]

    def to_line(self) -> bytes:
        files = {name: list(astuple(file)) for name, file in self.files.items()}
        return _line({"kind": self.kind, "id": self.id, "place": self.relative_path, "files": files})

    @classmethod
    def from_line(cls, line: bytes) -> Unit:
        data = json.loads(line)
        files = {name: CopiedFile(*fields) for name, fields in data["files"].items()}
        return cls(data["kind"], data["id"], data["place"], files)


@dataclass(frozen=True)
class Snapshot:
    name: str
    made_at: str
    units: list[Unit]

    def contents(self) -> dict[str, int]:
        """The size of each content that it needs, by its hash."""
        return {file.sha256: file.size for unit in self.units for file in unit.files.values()}


@dataclass(frozen=True)
class Damage:
    """What is not as it was written: contents by their hashes, and the lists of backups by their names."""

    contents: list[str]
    lists: list[str]

    def __len__(self) -> int:
        return len(self.contents) + len(self.lists)


class Vault:
    """`root`: the folder of the backups."""

    def __init__(self, root: Path, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.root, self.clock = root, clock
        self.content, self.snapshots = root / "content", root / "snapshots"
        self.journal = root / "journal.jsonl"
        self._unsynced: set[Path] = set()

    def is_marked(self) -> bool:
        return os.path.isfile(self.root / MARKER)  # False, too, on a disk that refuses

    @contextmanager
    def open(self) -> Iterator[None]:
        """Make the folder if it is not there, and lock other backups out. BackupRefused, BackupFailed."""
        with _writing():
            if not self.is_marked() and self.root.exists() and any(self.root.iterdir()):
                raise BackupRefused(f"{self.root} holds other things. Please name an empty folder, or a backup.")
            for folder in (self.root, self.content, self.snapshots):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            fs.replace(self.root / MARKER, _line({"format": FORMAT}))
            lock = FileLock(self.root / "lock", timeout=0)
            try:
                lock.acquire()
            except Timeout as error:
                raise VaultBusy(f"Another backup to {self.root} is under way.") from error
        try:
            with _writing():
                for torn in self.content.glob("*.new"):
                    fs.unlink(torn)
                self._keep_restorer()
            yield
        finally:
            lock.release()

    @contextmanager
    def reading(self) -> Iterator[None]:
        """While the body reads, no backup begins, and so none drops what is read. VaultBusy."""
        lock = FileLock(self.root / "lock", timeout=0) if self.is_marked() else None
        try:
            if lock is not None:
                lock.acquire()
        except Timeout as error:
            raise VaultBusy(f"A backup to {self.root} is under way. Please wait for its end.") from error
        except OSError:  # a disk that can only be read: no backup is made on it
            lock = None
        try:
            yield
        finally:
            if lock is not None:
                lock.release()

    def _keep_restorer(self) -> None:
        """So that the backups outlive this program."""
        source = fs.read(RESTORER_SOURCE)
        if fs.read_if_there(self.root / RESTORER) != source:
            fs.replace(self.root / RESTORER, source)

    # -- contents -----------------------------------------------------------------------------------------------

    def path(self, sha256: str) -> Path:
        return self.content / sha256[:2] / sha256

    def has(self, sha256: str, size: int) -> bool:
        try:
            return self.path(sha256).stat().st_size == size
        except FileNotFoundError:
            return False

    def put(self, chunks: Iterable[bytes]) -> tuple[str, int]:
        """Store these bytes; returns their sha256 and size. BackupFailed; an OSError of reading them passes through."""
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
                    if self.has(digest.hexdigest(), size):
                        return digest.hexdigest(), size
                    os.fsync(file.fileno())
            target = self.path(digest.hexdigest())
            with _writing():
                target.parent.mkdir(mode=0o700, exist_ok=True)
                fs.rename_over(temporary, target)
            self._unsynced |= {target.parent, self.content}
        finally:
            with _writing():
                fs.unlink(temporary)
        return digest.hexdigest(), size

    def is_whole(self, sha256: str, size: int) -> bool:
        """Reads it, from the disk."""
        path = self.path(sha256)
        try:
            fs.forget_cached(path)
            return path.stat().st_size == size and sha256_of(path) == sha256
        except OSError:
            return False

    def read_all(self, progress: Callable[[int, int], None] | None = None) -> Damage:
        """Read every content and every backup's list.

        BackupFailed where the disk is gone meanwhile, and OSError where it refuses: neither tells of damage.
        """
        try:
            damage = self._damage(progress)
        except OSError:
            self._require_marked()
            raise
        self._require_marked()
        return damage

    def _damage(self, progress: Callable[[int, int], None] | None) -> Damage:
        contents = [path for path in sorted(self.content.glob("??/*")) if not path.name.startswith(".")]
        damaged = []
        for done, path in enumerate(contents, 1):
            if not _is_readable(partial(_require_hash, path)):
                damaged.append(path.name)
            if progress:
                progress(done, len(contents))
        return Damage(damaged, [name for name in self.names() if not _is_readable(partial(self._sealed, name))])

    def _require_marked(self) -> None:
        if not self.is_marked():
            raise BackupFailed(f"{self.root} is not there any more. Is its disk connected?")

    def drop(self, damage: Damage) -> None:
        """The next backup copies the contents again. A damaged list stays beside the others, for a person."""
        with _writing():
            for path in (self.snapshots / f"{name}.jsonl" for name in damage.lists):
                fs.rename_over(path, path.with_suffix(".damaged"))
        self._forget(damage.contents)

    def _forget(self, contents: Iterable[str]) -> None:
        with _writing():
            for sha256 in contents:
                fs.unlink(self.path(sha256))

    # -- backups ------------------------------------------------------------------------------------------------

    def names(self) -> list[str]:
        """Of the finished backups, the oldest first. One of later than tomorrow was named by a clock that was ahead: it
        counts as older than all others, so that it is the newest in nobody's way."""
        tomorrow = (self.clock().astimezone(UTC) + timedelta(days=1)).strftime(NAME)
        names = [path.stem for path in self.snapshots.glob("*.jsonl") if not path.name.startswith(".")]
        return sorted(names, key=lambda name: (name <= tomorrow, name))

    def newest_made_at(self) -> datetime | None:
        """By its name, to the second."""
        names = self.names()
        return datetime.strptime(names[-1].rstrip("+"), NAME).replace(tzinfo=UTC) if names else None

    def last_lines(self) -> dict[tuple[str, str], bytes]:
        """(kind, id) → the line of each unit as it was last copied, by a finished backup or by one that was killed."""
        lines: dict[tuple[str, str], bytes] = {}
        newest = [self.snapshots / f"{name}.jsonl" for name in self.names()[-1:]]
        for path in (*newest, self.journal):
            for line in (fs.read_if_there(path) or b"").splitlines(keepends=True):
                try:
                    data = json.loads(line)
                except ValueError:  # cut off: its unit is read again
                    continue
                if isinstance(data, dict) and "kind" in data:
                    lines[data["kind"], data["id"]] = line
        return lines

    def add_to_journal(self, line: bytes) -> None:
        """For the next backup, should this one be killed."""
        with _writing(), self.journal.open("ab") as file:
            file.write(line)

    def publish(self, lines: Iterable[bytes], now: datetime) -> str:
        """Make these units a backup and return its name. From here on it counts."""
        name = now.astimezone(UTC).strftime(NAME)
        while (self.snapshots / f"{name}.jsonl").exists():
            name += "+"
        body = b"".join([_line({"format": FORMAT, "made_at": format_time(now)}), *lines])
        end = _line({"end": hashlib.sha256(body).hexdigest()})
        with _writing():
            for folder in self._unsynced:  # once, and not for each content: until here nothing relies on them
                fs.sync_folder(folder)
            self._unsynced.clear()
            fs.replace(self.snapshots / f"{name}.jsonl", body + end)
            fs.unlink(self.journal)
        return name

    def snapshot(self, name: str | None = None) -> Snapshot:
        """The backup of that name, or the newest. BackupRefused, BackupDamaged."""
        names = self.names() if self.is_marked() else []
        if not names:
            raise BackupRefused(f"There is no backup in {self.root} that was ended.")
        if name is not None and name not in names:
            raise BackupRefused(f"There is no backup {name} in {self.root}; there are: {', '.join(names)}.")
        name = name or names[-1]
        try:
            head, *units = self._sealed(name)
            first = json.loads(head)
        except (ValueError, OSError) as error:
            raise BackupDamaged(f"The list of backup {name} is damaged. Other backups there: {names}.") from error
        if first.get("format") != FORMAT:
            raise BackupRefused(f"Backup {name} was made by a newer version of this program.")
        return Snapshot(name, first["made_at"], [Unit.from_line(line) for line in units])

    def _sealed(self, name: str) -> list[bytes]:
        """The lines of the backup's list that its last one seals. ValueError, OSError."""
        *lines, end = fs.read(self.snapshots / f"{name}.jsonl").splitlines(keepends=True)
        seal = json.loads(end)
        if not isinstance(seal, dict) or seal.get("end") != hashlib.sha256(b"".join(lines)).hexdigest():
            raise ValueError(f"backup {name} is not as it was sealed")
        return lines

    def withdraw(self, name: str, damaged: Iterable[str]) -> None:
        """Drop a backup that is not what it should be, and these contents of it. The next one uses what is whole."""
        with _writing():
            fs.unlink(self.snapshots / f"{name}.jsonl")
        self._forget(damaged)

    def forget_all_but(self, newest: int, published: str) -> list[str]:
        """Drop older backups, and the contents that only they have; the names of those dropped. `published` stays,
        whatever the clock made of its name.

        None, while a list among those that stay is damaged: nobody knows what it needs."""
        others = [name for name in self.names() if name != published]
        count = max(0, len(others) - (newest - 1))
        dropped, remaining = others[:count], [*others[count:], published]
        try:
            needed = {sha256 for name in remaining for sha256 in self.snapshot(name).contents()} if dropped else set()
        except BackupDamaged:
            return []
        with _writing():
            for name in dropped:
                fs.unlink(self.snapshots / f"{name}.jsonl")
            for path in self.content.glob("??/*") if dropped else ():
                if path.name not in needed:
                    fs.unlink(path)
        return dropped


def _require_hash(content: Path) -> None:
    """Reads it from the disk. ValueError, OSError."""
    fs.forget_cached(content)
    if sha256_of(content) != content.name:
        raise ValueError(f"{content} is not what it was")


def _is_readable(read: Callable[[], object]) -> bool:
    """False where `read` raises ValueError, or meets a bad sector. Any other OSError of it."""
    try:
        read()
    except ValueError:
        return False
    except OSError as error:
        if error.errno != errno.EIO:
            raise
        return False
    return True


def _line(data: Mapping[str, Any]) -> bytes:
    """ASCII: a file's name may be no Unicode at all, and comes back as it was."""
    return json.dumps(data, separators=(",", ":")).encode("ascii") + b"\n"


@contextmanager
def _writing() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BackupFailed(f"The backup's folder refuses ({error.strerror}). Nothing that it had is lost.") from error
