"""Backups from beginning to end: copied, read back, older ones dropped, and the result in this computer's record."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from printsys.backup.create import BackupReport, back_up
from printsys.backup.vault import BackupDamaged, BackupFailed, Vault, VaultBusy
from printsys.config import Lab, Settings
from printsys.domain.words import counted
from printsys.errors import PrintSysError
from printsys.jobstore import JobStore
from printsys.ops.backup_record import BackupRecord, BackupRun, backup_folder, under_way, write_record

Progress = Callable[[int, int], None]
OutsideFiles = Mapping[str, Mapping[str, Path]]


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass
class BackupResult:
    """What a backup under way comes to."""

    report: BackupReport = field(default_factory=BackupReport)


def verified_backup(
    store: JobStore,
    vault: Vault,
    outside_files: OutsideFiles,
    keep: int = 0,
    progress: Progress | None = None,
    now: Callable[[], datetime] = utc_now,
) -> tuple[BackupReport, list[str]]:
    """A backup into the open vault, of which all that the one before it did not have is read back; and the older ones
    that it dropped. `keep`: how many stay, 0 for all.

    What `back_up` raises, and BackupDamaged where bytes do not come back as they were: then it is withdrawn, and the
    next one copies them again.
    """
    before = _contents_of_newest(vault)
    report = back_up(store, vault, outside_files, progress, now)
    contents = vault.snapshot(report.name).contents()
    new = {sha256: size for sha256, size in contents.items() if sha256 not in before}
    damaged = [sha256 for sha256, size in new.items() if not vault.is_whole(sha256, size)]
    if damaged:
        vault.withdraw(report.name, damaged)
        raise BackupDamaged(
            f"{counted(len(damaged), 'new file')} could not be read back as written, so this backup does not count. "
            "The disk of the backups may be failing."
        )
    return report, vault.forget_all_but(keep, report.name) if keep else []


def _contents_of_newest(vault: Vault) -> Mapping[str, int]:
    """Those that need not be read back. None, where the list of the newest backup is damaged."""
    try:
        return vault.snapshot().contents() if vault.names() else {}
    except BackupDamaged:
        return {}


@contextmanager
def recorded(settings: Settings, lab: Lab, vault: Vault, now: Callable[[], datetime]) -> Iterator[BackupResult]:
    """The body's backup in this computer's record, from its beginning; the body fills in what it yields.

    A backup to another place than the lab's is not in the record. BackupUnderWay.
    """
    place = backup_folder(settings, lab)
    result = BackupResult()
    if place is None or place.resolve() != vault.root.resolve():
        yield result
        return
    with under_way(settings) as record:
        run = BackupRun(now(), str(place))
        write_record(settings, replace(record, last=run))
        try:
            require_place(Vault(place), record)
            yield result
        except VaultBusy:  # nothing has begun
            write_record(settings, record)
            raise
        except (PrintSysError, OSError) as error:
            write_record(settings, replace(record, last=replace(run, ended_at=now(), error=in_words(error))))
            raise
        run = _with_result(run, result.report, now())
        write_record(settings, replace(record, last=run, last_good=run))


def _with_result(run: BackupRun, report: BackupReport, ended_at: datetime) -> BackupRun:
    return replace(
        run, ended_at=ended_at, name=report.name, jobs=report.jobs, files=report.files, bytes=report.bytes,
        copied=report.copied, left_out=len(report.left_out), is_verified=True,
    )  # fmt: skip


def note_newest(settings: Settings, vault: Vault, since: datetime, now: datetime) -> bool:
    """Whether the place has a backup of since that moment that the record does not know: another computer made it, or a
    process that was killed right behind its end. It is in the record then, as the last one."""
    made_at = vault.newest_made_at() if vault.is_marked() else None
    if made_at is None or not since <= made_at <= now:
        return False
    snapshot = vault.snapshot()
    files = [file for unit in snapshot.units for file in unit.files.values()]
    jobs, size = sum(unit.kind == "job" for unit in snapshot.units), sum(file.size for file in files)
    run = BackupRun(made_at, str(vault.root), made_at, snapshot.name, jobs, len(files), size)
    with under_way(settings) as record:
        write_record(settings, replace(record, last=run, last_good=run))
    return True


def in_words(error: PrintSysError | OSError) -> str:
    return str(error) if isinstance(error, PrintSysError) else f"This computer refused ({error.strerror})."


def require_place(vault: Vault, record: BackupRecord) -> None:
    """BackupFailed where the disk is not there: nobody wants a backup in an empty mount point. A new place is made in
    a folder that is there."""
    had_one = record.last_good is not None and record.last_good.place == str(vault.root)
    if had_one and not vault.is_marked():
        raise BackupFailed(f"{vault.root} is not there, or holds no backups any more. Is its disk connected?")
    if not had_one and not vault.root.parent.is_dir():
        raise BackupFailed(f"{vault.root.parent} is not there. Is the disk of the backups connected?")
