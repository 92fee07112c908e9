"""A rehearsal: the newest backup restored into a temporary place, every file there compared with the hash that the
backup has of it, and every job's record proved, as `check` does.

It shows that the backups would give the lab back, and leaves nothing behind.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from indexer.attention import AttentionItem
from indexer.check import check_storage
from printsys import fs
from printsys.backup.restore import STORAGE_KINDS, checked_files, restore_storage, verify
from printsys.backup.runs import Progress, in_words
from printsys.backup.vault import BackupDamaged, Snapshot, Vault
from printsys.config import Settings
from printsys.domain.words import counted
from printsys.errors import PrintSysError
from printsys.jobstore import JobStore
from printsys.jobstore.files import sha256_of
from printsys.jobstore.identity import recognise
from printsys.ops.backup_record import RehearsalRun, under_way, write_record

FOLDER = "rehearsal"
SPARE_BYTES = 1_000_000_000
"""So much stays free on the disk, for the lab at work."""
BROKEN_RECORD = frozenset({"unreadable", "log-damaged", "log-cut", "log-inconsistent", "not-followed"})
"""Of a job whose chain of events is not whole. What else `check` finds is as it was in storage."""


class NoRoomToRehearse(PrintSysError):
    """No disk has room for a second copy of the storage."""


def rehearse(
    settings: Settings, vault: Vault, now: Callable[[], datetime], progress: Progress | None = None
) -> RehearsalRun:
    """The result is in this computer's record, too. BackupUnderWay, VaultBusy: nothing has begun."""
    with under_way(settings) as record, vault.reading():
        run = RehearsalRun(now())
        write_record(settings, replace(record, rehearsal=run))
        try:
            run = replace(_rehearsed(settings, vault, run, progress), ended_at=now())
        except (PrintSysError, OSError) as error:
            run = replace(run, ended_at=now(), error=in_words(error))
        good = run if run.is_good else record.good_rehearsal
        write_record(settings, replace(record, rehearsal=run, good_rehearsal=good))
    return run


def remove_leftovers(settings: Settings, vault: Vault) -> None:
    """What a rehearsal that was killed left on the disks. OSError; BackupUnderWay, VaultBusy where one may go on."""
    leftovers = [place for place in _places(settings, vault) if os.path.lexists(place)]
    if leftovers:
        with under_way(settings), vault.reading():
            for place in leftovers:
                _remove(place)


def _places(settings: Settings, vault: Vault) -> list[Path]:
    return [settings.instance / FOLDER, vault.root / FOLDER]


def _rehearsed(settings: Settings, vault: Vault, run: RehearsalRun, progress: Progress | None) -> RehearsalRun:
    places = _places(settings, vault)
    for place in places:
        _remove(place)
    snapshot = vault.snapshot()
    place = _with_room(places, _size_of(snapshot))
    try:
        place.mkdir(mode=0o700)
        damaged = verify(vault, snapshot, progress)
        if damaged:
            files = counted(len(damaged), "damaged file")
            raise BackupDamaged(f"Backup {snapshot.name} has {files}, {damaged[0]} the first.")
        remembered_at = place / "storage-id"
        report = restore_storage(vault, snapshot, place / "storage", remembered_at, [], progress)
        store = JobStore(place / "storage", recognise(place / "storage", remembered_at))
        _prove_files(store, snapshot, progress)
        _prove_records(store, report.jobs, progress)
    finally:
        _remove(place)
    return replace(run, name=snapshot.name, jobs=report.jobs, files=report.files)


def _prove_files(store: JobStore, snapshot: Snapshot, progress: Progress | None) -> None:
    """BackupDamaged unless each file came back with the bytes that the backup has of it. OSError."""
    files = list(checked_files([unit for unit in snapshot.units if unit.kind in STORAGE_KINDS]))
    altered = []
    for done, (name, file) in enumerate(files, 1):
        if sha256_of(store.layout.root / name) != file.sha256:
            altered.append(name)
        if progress:
            progress(done, len(files))
    if altered:
        raise BackupDamaged(f"{counted(len(altered), 'file')} came back with other bytes, {altered[0]} the first.")


def _prove_records(store: JobStore, jobs: int, progress: Progress | None) -> None:
    """BackupDamaged unless each of so many jobs is there with its record whole."""
    broken = [item for item in check_storage(store, progress=progress) if item.kind in BROKEN_RECORD]
    if broken:
        raise BackupDamaged(
            f"{counted(len(broken), 'job')} would not come back whole: {_names(broken)}. If the storage has them so, "
            "too, they are under Attention; an older backup may have them whole."
        )
    restored = len({job_id for job_id, _folder in store.ids()})
    if restored != jobs:
        raise BackupDamaged(f"The backup lists {counted(jobs, 'job')}, and {restored:,} came back.")


def _names(items: list[AttentionItem]) -> str:
    return ", ".join(item.folder or "" for item in items[:5]) + (" …" if len(items) > 5 else "")


def _size_of(snapshot: Snapshot) -> int:
    return sum(file.size for unit in snapshot.units if unit.kind in STORAGE_KINDS for file in unit.files.values())


def _with_room(places: list[Path], size: int) -> Path:
    for place in places:
        if shutil.disk_usage(place.parent).free >= size + SPARE_BYTES:
            return place
    raise NoRoomToRehearse(
        f"A rehearsal needs {(size + SPARE_BYTES) / 1e9:.1f} GB, and neither this computer's instance/ nor the disk of "
        "the backups has them free."
    )


def _remove(place: Path) -> None:
    if os.path.lexists(place):
        fs.remove_tree(place)
