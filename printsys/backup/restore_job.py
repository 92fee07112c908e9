"""One job out of a backup, beside the living storage: back into its folder where it is gone, or a copy elsewhere."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from printsys.backup.restore import checked_files, write_file
from printsys.backup.vault import BackupDamaged, BackupFailed, BackupRefused, CopiedFile, Snapshot, Unit, Vault
from printsys.domain.status import Status
from printsys.domain.words import counted
from printsys.jobstore import JobStore, Layout, Stored
from printsys.jobstore.bring_back import bring_back

STAGED = ".printsys/staging/"


@dataclass(frozen=True)
class JobCopy:
    """A job as a backup has it. `files`: by their names in the job's folder; `damaged`: names of those that the backup
    no longer has as they were."""

    vault: Vault
    snapshot: Snapshot
    unit: Unit
    files: dict[str, CopiedFile]
    damaged: list[str]

    @property
    def folder_name(self) -> str:
        return self.unit.relative_path.rpartition("/")[2]

    def write(self, folder: Path) -> None:
        """Into that folder, which holds nothing, all but what is damaged."""
        for name, file in self.files.items():
            if name not in self.damaged:
                write_file(self.vault, file, folder, name)


def find_copy(vault: Vault, job_id: str, name: str | None) -> JobCopy:
    """The job in the backup of that name, or in the newest one that has it; all of it is read.

    BackupRefused where none has it, BackupDamaged where the backup's list is damaged.
    """
    newest = vault.snapshot(name)  # or why there is none
    older = vault.names()[-2::-1] if name is None else []
    for snapshot in chain([newest], map(vault.snapshot, older)):
        unit = next((unit for unit in snapshot.units if (unit.kind, unit.id) == ("job", job_id)), None)
        if unit is not None:
            files = dict(_files_of(unit))
            damaged = [path for path, file in files.items() if not vault.is_whole(file.sha256, file.size)]
            return JobCopy(vault, snapshot, unit, files, damaged)
    where = f"backup {name}" if name is not None else f"any backup in {vault.root}"
    raise BackupRefused(
        f"There is no job {job_id} in {where}. One that was deleted before may be in a backup's trash: restore.py, "
        "which lies beside the backups, finds it there."
    )


def _files_of(unit: Unit) -> Iterator[tuple[str, CopiedFile]]:
    """By their names in the job's folder. A change that was under way had files on their way into it: they come first,
    so that one of the folder itself with such a name wins."""
    files = dict(checked_files([unit]))
    for name, file in files.items():
        if name.startswith(STAGED) and name.count("/") > 2:
            yield name.split("/", 3)[3], file
    for name, file in files.items():
        if name.startswith(f"{unit.relative_path}/"):
            yield name.removeprefix(f"{unit.relative_path}/"), file


def restore_job(store: JobStore, copy: JobCopy, actor: str) -> Stored:
    """Into the living storage. What `bring_back` raises; BackupDamaged where the backup's record of it is damaged."""
    status_name, _, name = copy.unit.relative_path.partition("/")
    if status_name not in set(Status) or not name or "/" in name:
        raise BackupDamaged(f"The backup names {copy.unit.relative_path!r}, no job's folder. Nothing was written.")
    return bring_back(store, copy.unit.id, copy.folder_name, copy.write, copy.snapshot.name, actor)


def copy_elsewhere(copy: JobCopy, target: Path, layout: Layout) -> Path:
    """The job's folder in `target`; returns it. BackupRefused where it is there already, or where the
    indexer would take it for a job."""
    if layout.has(target):
        raise BackupRefused(f"{target} lies in the storage. Please name a folder elsewhere.")
    folder = target / copy.folder_name
    if os.path.lexists(folder):
        raise BackupRefused(f"{folder} is there already. Nothing was written.")
    try:
        folder.mkdir(parents=True)
        copy.write(folder)
    except OSError as error:
        raise BackupFailed(f"{folder} cannot be written ({error.strerror}).") from error
    return folder


def require_whole(copy: JobCopy) -> None:
    """BackupDamaged."""
    if copy.damaged:
        files = counted(len(copy.damaged), "damaged file")
        raise BackupDamaged(
            f"Backup {copy.snapshot.name} has {files} of job {copy.unit.id}, {copy.damaged[0]} the first. Nothing was "
            "written. An older backup may have it whole (--list, --backup NAME); --without-damaged restores all others."
        )
