"""Takes a backup while the system runs.

It copies each job twice: first without its lock, then under it. The second time it reads only what changed in between,
so that nobody waits for a large file. It finds a job that moves meanwhile again by its id.
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
from printsys.backup.vault import CHUNK, BackupRefused, CopiedFile, Unit, Vault
from printsys.domain.status import Status
from printsys.errors import JobBusy, JobNotFound, StorageFailure
from printsys.jobstore import JobStore, moves
from printsys.jobstore.files import facts_of, sha256_of
from printsys.jobstore.layout import readable
from printsys.jobstore.repair import id_inside

ROUNDS = 5
"""The most listings of the folders, until nothing new turns up: one may miss a job that is just being moved."""
RACY_S = 3.0
"""A file changed less than so long before it was read may change again within the same tick of its clock (FAT's is
2 s): the next backup reads it again."""
ATTEMPTS = 3
"""The most reads of a file that changes while it is read. What a person saves just then is in the next backup."""
NOT_COPIED = frozenset({"locks", "moves", "newest", "staging", "trash"})
"""Of .printsys/: what is under way, and notes of events that may be newer than the copied ones. An announced move is
copied with its job, and the trash last, by itself."""
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
    outside_files: Mapping[str, Mapping[str, Path]],
    progress: Progress | None = None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> BackupReport:
    """Copy storage/ and `outside_files` (kind → name → path) into the open vault. StorageOffline, BackupFailed.

    Every job that is there from beginning to end is in it once, whole, as it was at one moment between the two.
    """
    store.require_online()
    run = _BackupRun(store, vault)
    run.copy_jobs(progress)
    run.copy_what_is_no_job()
    for kind, files in outside_files.items():
        run.copy_outside_files(kind, files)
    store.require_online()
    run.report.name = vault.publish(run.lines.values(), clock())
    return run.report


def refuse_overlap(storage: Path, vault: Path) -> None:
    """BackupRefused where a backup would be part of what it is a backup of."""
    source, target = storage.resolve(), vault.resolve()
    if source == target or source in target.parents or target in source.parents:
        raise BackupRefused(f"{vault} and the storage folder lie in each other. Please keep backups elsewhere.")


class _BackupRun:
    """One backup on its way. `lines` are the units of it so far, `last_lines` what the vault has of each."""

    def __init__(self, store: JobStore, vault: Vault) -> None:
        self.store, self.vault, self.layout = store, vault, store.layout
        self.last_lines = vault.last_lines()
        self.lines: dict[tuple[str, str], bytes] = {}
        self.duplicates: set[Path] = set()
        """Folders that somebody copied: they carry the id of a job that lies elsewhere."""
        self.report = BackupReport()

    # -- jobs -----------------------------------------------------------------------------------------------------

    def copy_jobs(self, progress: Progress | None) -> None:
        tried: set[tuple[str, Path]] = set()
        busy: dict[str, str] = {}
        for _ in range(ROUNDS):
            listed = [job for job in self._jobs() if job not in tried or job[0] in busy]
            if not listed:
                break
            for done, (job_id, folder) in enumerate(listed, 1):
                tried.add((job_id, folder))
                busy.pop(job_id, None)
                try:
                    self._copy_job(job_id, folder)
                except JobBusy as error:
                    busy[job_id] = str(error)
                if progress:
                    progress(done, len(listed))
        self.report.left_out |= busy

    def _jobs(self) -> Iterator[tuple[str, Path]]:
        """Every job folder with the id inside, listed in both directions: a job that moves against one meets the
        other."""
        folders = dict.fromkeys(self.layout.job_folders())
        folders |= dict.fromkeys(self.layout.job_folders(tuple(reversed(Status))))
        for folder in folders:
            job_id = self._id_inside(folder)
            if job_id is not None:
                yield job_id, folder

    def _id_inside(self, folder: Path) -> str | None:
        """None, too, where the record cannot be read: then the folder's files are copied as those of no job."""
        with self._noting_failures(self.layout.relative(folder)):
            return id_inside(folder)
        return None

    def _copy_job(self, job_id: str, folder: Path) -> None:
        is_new = ("job", job_id) not in self.lines
        if is_new:  # without the lock, so that little is left to read under it
            self._copy_unit("job", job_id, self.layout.exact(folder), [folder])
        for _ in range(ATTEMPTS):
            try:
                with self.store.lock_for_reading(job_id) as own_folder:
                    if own_folder != folder and self._id_inside(folder) == job_id:
                        self.duplicates.add(folder)
                    if not is_new or self._add_job(job_id, own_folder):
                        return
            except StorageFailure:  # it refuses locks: a disk that can only be read any more needs a backup most
                self._add_job(job_id, self.store.find(job_id))
                return
            except JobNotFound:
                return  # deleted: it is in the trash, which is copied last
        self.report.left_out[folder.name] = "Somebody is moving it just now."

    def _add_job(self, job_id: str, folder: Path) -> bool:
        """False where the folder was not there to the end: a person may move it in spite of the lock."""
        # With a move that waits for a program to close its file, and the files that the move brings.
        staging = moves.announced_files(self.layout, job_id)
        paths = [folder, self.layout.intent(job_id), *([staging] if staging is not None else [])]
        unit = self._copy_unit("job", job_id, self.layout.exact(folder), paths)
        if not folder.is_dir():
            return False
        self._add(unit)
        self.report.jobs += 1
        return True

    # -- all else -------------------------------------------------------------------------------------------------

    def copy_what_is_no_job(self) -> None:
        """Loose files, folders without a record, copies of jobs; of ours the trash, the quarantine, notes, and the
        storage's id."""
        self._add(self._copy_unit("storage", "", "", self._paths_of_no_job()))

    def _paths_of_no_job(self) -> Iterator[Path]:
        for path in _entries(self.layout.root):
            if path.name in set(Status):
                yield from (f for f in _entries(path) if f in self.duplicates or self._id_inside(f) is None)
            elif path == self.layout.system:
                yield from (entry for entry in _entries(path) if entry.name not in NOT_COPIED)
            else:
                yield path
        # A job that was deleted after it was copied is a job in this backup, and not in its trash besides.
        yield from (f for f in _entries(self.layout.trash) if ("job", self._id_inside(f)) not in self.lines)

    def copy_outside_files(self, kind: str, files: Mapping[str, Path]) -> None:
        """Files outside of storage/, by the names that the backup has for them."""
        last_files = self._last_files(kind, "")
        copied = {name: self._copy_file(path, last_files.get(name)) for name, path in files.items() if path.is_file()}
        self._add(Unit(kind, "", "", copied))

    # -- files ----------------------------------------------------------------------------------------------------

    def _add(self, unit: Unit) -> None:
        line = unit.to_line()
        self.lines[unit.kind, unit.id] = line
        self.vault.add_to_journal(line)
        self.report.files += len(unit.files)
        self.report.bytes += sum(file.size for file in unit.files.values())

    def _copy_unit(self, kind: str, unit_id: str, relative_path: str, paths: Iterable[Path]) -> Unit:
        """Bring into the vault what it lacks of all that is at or below `paths`. It knows a job's file by its name in
        the job, wherever the job was.

        What vanishes meanwhile is not in the unit; what cannot be read is in the report.
        """
        last_files = self._last_files(kind, unit_id)
        copied: dict[str, CopiedFile] = {}
        for path in (file for top_path in paths for file in self._files_below(top_path)):
            name = self.layout.exact(path)
            with self._noting_failures(name):
                copied[name] = self._copy_file(path, last_files.get(_name_in(relative_path, name)))
        unit = Unit(kind, unit_id, relative_path, copied)
        self.last_lines[kind, unit_id] = unit.to_line()
        return unit

    def _files_below(self, path: Path) -> Iterator[Path]:
        """Every regular file at or below `path`. Links are not followed: they may lead anywhere."""
        entries: list[Path] = []
        with self._noting_failures(self.layout.relative(path)):
            mode = path.lstat().st_mode
            if stat.S_ISREG(mode) and not path.name.endswith(fs.TEMPORARY_SUFFIX):
                yield path
            elif stat.S_ISDIR(mode):
                entries = _entries(path)
        for entry in entries:
            yield from self._files_below(entry)

    @contextmanager
    def _noting_failures(self, name: str) -> Iterator[None]:
        """Go on without what is gone; note in the report what cannot be read."""
        try:
            yield
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            self.report.left_out[readable(name)] = f"It cannot be read ({error.strerror})."

    def _last_files(self, kind: str, unit_id: str) -> dict[str, CopiedFile]:
        """The unit's files as the vault has them, by their names in the unit."""
        line = self.last_lines.get((kind, unit_id))
        if line is None:
            return {}
        unit = Unit.from_line(line)
        return {_name_in(unit.relative_path, name): file for name, file in unit.files.items()}

    def _copy_file(self, path: Path, last: CopiedFile | None) -> CopiedFile:
        """`last` itself where it is the file still; otherwise the file as it was at one moment, if that can be had."""
        status = path.stat()
        if last is not None and status.st_size == last.size and self.vault.has(last.sha256, last.size):
            if last.is_certain and last.facts == facts_of(status):
                return last
            if sha256_of(path) == last.sha256:
                return _copied_file(status, last.sha256, last.size)
        for _ in range(ATTEMPTS):
            status = path.stat()
            digest, size = self.vault.put(_chunks(path))
            self.report.copied += size
            after = path.stat()
            if (after.st_mtime_ns, after.st_size) == (status.st_mtime_ns, size):
                break
        return _copied_file(status, digest, size)


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() and not folder.is_symlink() else []


def _chunks(path: Path) -> Iterator[bytes]:
    with fs.open_regular(path) as file:
        while chunk := file.read(CHUNK):
            yield chunk


def _name_in(relative_path: str, name: str) -> str:
    return name.removeprefix(f"{relative_path}/") if relative_path else name


def _copied_file(status: os.stat_result, sha256: str, size: int) -> CopiedFile:
    is_certain = time.time_ns() - status.st_mtime_ns > RACY_S * 1e9
    facts = facts_of(status)
    return CopiedFile(
        sha256, size, facts.mtime_ns, stat.S_IMODE(status.st_mode), is_certain, facts.inode, facts.ctime_ns
    )
