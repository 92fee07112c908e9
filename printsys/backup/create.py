"""Taking a backup while the system runs.

Each job is copied twice: first as it comes, without its lock, then under it; the second time only what changed in
between is read, so that nobody waits for a large file. A job that moves meanwhile is found again by its id.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from printsys import fs
from printsys.backup.vault import CHUNK, BackupRefused, Kept, Unit, Vault
from printsys.domain.status import Status
from printsys.errors import JobBusy, JobNotFound, StorageFailure
from printsys.jobstore import JobStore, moves
from printsys.jobstore.files import RACY_S, sha256_of
from printsys.jobstore.repair import id_inside

ROUNDS = 5
"""So often the folders are listed, until nothing new turns up: a listing may miss a job that is just being moved."""
ATTEMPTS = 3
"""So often a file is read that changes while it is read. What a person saves just then is in the next backup."""
NOT_COPIED = frozenset({"locks", "moves", "staging", "trash"})
"""Of .printsys/: what is under way. An announced move is copied with its job, and the trash by
itself."""
Progress = Callable[[int, int], None]


@dataclass
class BackupReport:
    """`bytes` of all files; `copied` of those that the backup did not have. `left_out`: what could not be read."""

    name: str = ""
    jobs: int = 0
    files: int = 0
    bytes: int = 0
    copied: int = 0
    left_out: dict[str, str] = field(default_factory=dict)


def back_up(
    store: JobStore,
    vault: Vault,
    beside: Mapping[str, Mapping[str, Path]],
    progress: Progress | None = None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> BackupReport:
    """`beside`: kind → name → path of files outside of storage/. The vault is open. StorageOffline, BackupFailed.

    Every job that is there from beginning to end is in it once, whole, as it was at one moment between the two.
    """
    store.require_online()
    taking = _Taking(store, vault)
    taking.jobs(progress)
    taking.all_else()
    for kind, files in beside.items():
        taking.beside(kind, files)
    store.require_online()
    taking.report.name = vault.publish(taking.lines.values(), clock())
    return taking.report


def refuse_places(storage: Path, vault: Path) -> None:
    """BackupRefused where a backup would be part of what it is a backup of."""
    one, other = storage.resolve(), vault.resolve()
    if one == other or one in other.parents or other in one.parents:
        raise BackupRefused(f"{vault} and the storage folder lie in each other. Please keep backups elsewhere.")


class _Taking:
    """One backup on its way."""

    def __init__(self, store: JobStore, vault: Vault) -> None:
        self.store, self.vault, self.layout = store, vault, store.layout
        self.known = vault.known()
        self.lines: dict[tuple[str, str], bytes] = {}
        self.copies: set[Path] = set()
        """Folders that somebody copied: they carry the id of a job that lies elsewhere."""
        self.report = BackupReport()

    # -- jobs -----------------------------------------------------------------------------------------------------

    def jobs(self, progress: Progress | None) -> None:
        seen: dict[str, set[Path]] = {}
        busy: dict[str, str] = {}
        for _ in range(ROUNDS):
            listed = [(i, f) for i, f in self._listed() if f not in seen.get(i, ()) or i in busy]
            if not listed:
                break
            for done, (job_id, folder) in enumerate(listed, 1):
                seen.setdefault(job_id, set()).add(folder)
                busy.pop(job_id, None)
                try:
                    self._job(job_id, folder)
                except JobBusy as error:
                    busy[job_id] = str(error)
                if progress:
                    progress(done, len(listed))
        self.report.left_out |= busy

    def _listed(self) -> Iterator[tuple[str, Path]]:
        """Every job folder by the id inside. Both ways: a job that is moved against one is met by the other."""
        found = dict.fromkeys(self.layout.job_folders())
        found.update(dict.fromkeys(self.layout.job_folders(tuple(reversed(Status)))))
        for folder in found:
            job_id = self._id_inside(folder)
            if job_id is not None:
                yield job_id, folder

    def _id_inside(self, folder: Path) -> str | None:
        """None too where it cannot be read: then it is copied as what it is, as far as that can be."""
        with self._told(self.layout.relative(folder)):
            return id_inside(folder)
        return None

    def _job(self, job_id: str, folder: Path) -> None:
        is_new = ("job", job_id) not in self.lines
        if is_new:  # what there is to read is read while nobody waits; under the lock it is known then
            self._keep("job", job_id, self.layout.relative(folder), [folder])
        for _ in range(ATTEMPTS):
            try:
                with self.store.lock_for_reading(job_id) as now:
                    if now != folder and self._id_inside(folder) == job_id:
                        self.copies.add(folder)
                    if not is_new or self._copy_job(job_id, now):
                        return
            except StorageFailure:  # it refuses locks: a disk that can only be read any more, and needs a backup most
                self._copy_job(job_id, self.store.find(job_id))
                return
            except JobNotFound:
                return  # deleted: it is in the trash, which is copied last
        self.report.left_out[folder.name] = "Somebody is moving it just now."

    def _copy_job(self, job_id: str, folder: Path) -> bool:
        """Whether it was there to the end: a person may move a folder whoever holds its lock."""
        unit = self._keep("job", job_id, self.layout.relative(folder), [folder, *self._announced(job_id)])
        if not folder.is_dir():
            return False
        self._add(unit)
        self.report.jobs += 1
        return True

    def _announced(self, job_id: str) -> Iterator[Path]:
        """A move that waits for a program to close its file, and the files that it brings."""
        yield self.layout.intent(job_id)
        staging = moves.announced_files(self.layout, job_id)
        if staging is not None:
            yield staging

    # -- all else -------------------------------------------------------------------------------------------------

    def all_else(self) -> None:
        """What is no job's: loose files, folders without a record, copies of jobs; of ours the trash, the quarantine,
        notes, and the storage's id."""
        self._add(self._keep("storage", "", "", self._places_of_no_job()))

    def _places_of_no_job(self) -> Iterator[Path]:
        for path in _entries(self.layout.root):
            if path.name in set(Status):
                yield from (inner for inner in _entries(path) if inner in self.copies or self._id_inside(inner) is None)
            elif path == self.layout.system:
                yield from (inner for inner in _entries(path) if inner.name not in NOT_COPIED)
            else:
                yield path
        # A job that was deleted after it was copied is a job in this backup, and not in its trash besides.
        yield from (p for p in _entries(self.layout.trash) if ("job", self._id_inside(p)) not in self.lines)

    def beside(self, kind: str, files: Mapping[str, Path]) -> None:
        """Files outside of storage/, by the names that the backup has for them."""
        before = self._before(kind, "")
        kept = {name: self._kept(path, before.get(name)) for name, path in files.items() if path.is_file()}
        self._add(Unit(kind, "", "", kept))

    # -- files ----------------------------------------------------------------------------------------------------

    def _add(self, unit: Unit) -> None:
        line = unit.line()
        self.lines[unit.kind, unit.id] = line
        self.vault.note(line)
        self.report.files += len(unit.files)
        self.report.bytes += sum(kept.size for kept in unit.files.values())

    def _keep(self, kind: str, unit_id: str, place: str, tops: Iterable[Path]) -> Unit:
        """Bring into the vault what it has not of all that is below `tops`. A job's file is known wherever the job was.

        What vanishes meanwhile is not there; what cannot be read is told.
        """
        before = self._before(kind, unit_id)
        kept: dict[str, Kept] = {}
        for path in (path for top in tops for path in self._below(top)):
            name = self.layout.relative(path)
            with self._told(name):
                kept[name] = self._kept(path, before.get(_inside(name, place)))
        unit = Unit(kind, unit_id, place, kept)
        self.known[kind, unit_id] = unit.line()
        return unit

    def _below(self, path: Path) -> Iterator[Path]:
        """Every regular file at or below `path`. Links are not followed: they may lead anywhere."""
        inside: list[Path] = []
        with self._told(self.layout.relative(path)):
            kind = path.lstat().st_mode
            if stat.S_ISREG(kind) and not path.name.endswith(fs.TEMPORARY_SUFFIX):
                yield path
            elif stat.S_ISDIR(kind):
                inside = _entries(path)
        for entry in inside:
            yield from self._below(entry)

    @contextmanager
    def _told(self, name: str) -> Iterator[None]:
        try:
            yield
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            self.report.left_out[name] = f"It cannot be read ({error.strerror})."

    def _before(self, kind: str, unit_id: str) -> dict[str, Kept]:
        line = self.known.get((kind, unit_id))
        unit = Unit.read(line) if line is not None else Unit(kind, unit_id, "", {})
        return {_inside(name, unit.place): kept for name, kept in unit.files.items()}

    def _kept(self, path: Path, before: Kept | None) -> Kept:
        found = path.stat()
        if before is not None and found.st_size == before.size and self.vault.has(before):
            if before.sure and before.mtime_ns == found.st_mtime_ns:
                return before
            if sha256_of(path) == before.sha256:
                return _described(found, before.sha256, before.size)
        return self._copied(path)

    def _copied(self, path: Path) -> Kept:
        """The file as it was at one moment, if it can be had so."""
        for _ in range(ATTEMPTS):
            found = path.stat()
            digest, size = self.vault.put(_chunks(path))
            self.report.copied += size
            after = path.stat()
            if (after.st_mtime_ns, after.st_size) == (found.st_mtime_ns, size):
                break
        return _described(found, digest, size)


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() and not folder.is_symlink() else []


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk


def _inside(name: str, place: str) -> str:
    return name.removeprefix(f"{place}/") if place else name


def _described(found: os.stat_result, sha256: str, size: int) -> Kept:
    is_sure = time.time_ns() - found.st_mtime_ns > RACY_S * 1e9
    return Kept(sha256, size, found.st_mtime_ns, stat.S_IMODE(found.st_mode), is_sure)
