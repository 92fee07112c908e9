"""The worker's own backups: once a day, verified, and the record tells the truth of them, whatever was killed."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event

import pytest

from printsys.backup.schedule import AFTER_FAILURE, AFTER_INTERRUPTION, BackupSchedule
from printsys.backup.vault import MARKER, Vault
from printsys.config import Lab, Settings
from printsys.config.lab import BackupTable
from printsys.jobstore import JobStore, Stored
from printsys.jobstore.files import sha256_of
from printsys.ops.backup_record import (
    INTERRUPTED,
    BackupRecord,
    BackupUnderWay,
    RecordRefused,
    is_under_way,
    read_record,
    record_if_any,
    record_path,
    under_way,
    write_record,
)
from printsys.ops.backup_trouble import backup_trouble
from tests.backup.conftest import age
from tests.factories import LAB, act, make_job
from tests.present import present
from tests.waiting import until

NOON = datetime(2031, 5, 14, 17, 0, tzinfo=UTC)
"""A Wednesday noon in Chicago, later than any real backup of these tests."""
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        storage=tmp_path / "storage",
        instance=tmp_path / "instance",
        lab_config=tmp_path / "lab.toml",
        secret_key="x" * 32,
        backup=tmp_path / "backup",
    )


@dataclass
class Keeper:
    """A worker's schedule with a clock that a test sets."""

    settings: Settings
    store: JobStore
    lab: Lab
    now: datetime = NOON

    def attend(self, after: timedelta = timedelta(), stop: Event | None = None) -> BackupRecord:
        """As a worker that has just started does, so much later."""
        self.now += after
        BackupSchedule(self.settings, self.lab, self.store, stop or Event(), lambda: self.now).attend()
        return read_record(self.settings)

    def trouble(self) -> str | None:
        trouble = backup_trouble(self.lab, record_if_any(self.settings, self.lab), self.now)
        return trouble.kind if trouble else None


@pytest.fixture
def keeper(settings: Settings, store: JobStore) -> Keeper:
    return Keeper(settings, store, LAB.model_copy(update={"backup": BackupTable(keep=3)}))


def test_the_first_backup_is_made_at_once_and_then_one_a_day_after_its_hour(
    keeper: Keeper, jobs: list[Stored], vault: Vault
) -> None:
    last = present(keeper.attend().last_good)
    assert (last.jobs, last.is_verified, last.error, last.left_out) == (len(jobs), True, None, 0)
    assert last.name == "20310514T170000Z" and last.copied > 0
    keeper.attend(HOUR)  # the reading of all, and the rehearsal
    keeper.attend(HOUR)
    keeper.attend(2 * HOUR)
    assert len(vault.names()) == 1, "it is due at six in the evening"
    keeper.attend(3 * HOUR)
    keeper.attend(HOUR)
    assert vault.names() == ["20310514T170000Z", "20310515T000000Z"]


def test_a_computer_that_was_off_for_days_makes_one_backup_when_it_starts(
    keeper: Keeper, jobs: list[Stored], vault: Vault
) -> None:
    keeper.attend()
    keeper.now += 9 * DAY
    assert keeper.trouble() == "backup-late"
    for _ in range(5):
        keeper.attend(timedelta(minutes=1))
    assert len(vault.names()) == 2 and keeper.trouble() is None


def test_so_many_of_the_newest_are_kept(keeper: Keeper, jobs: list[Stored], vault: Vault) -> None:
    for _ in range(12):
        keeper.attend(DAY / 2)
    assert len(vault.names()) == 3


def test_nothing_is_made_without_a_place_or_without_an_hour(keeper: Keeper, vault: Vault) -> None:
    keeper.settings = keeper.settings.model_copy(update={"backup": None})
    assert keeper.attend() == BackupRecord() and keeper.trouble() is None
    keeper.settings = keeper.settings.model_copy(update={"backup": vault.root})
    keeper.lab = LAB.model_copy(update={"backup": BackupTable(time="")})
    assert keeper.attend() == BackupRecord() and keeper.trouble() is None
    assert not vault.root.exists() and not record_path(keeper.settings).exists()


def test_the_folder_of_env_wins_over_the_one_of_lab_toml(
    keeper: Keeper, jobs: list[Stored], vault: Vault, tmp_path: Path
) -> None:
    keeper.lab = LAB.model_copy(update={"backup": BackupTable(place="lab backups")})
    keeper.attend()
    assert vault.names() and not (tmp_path / "lab backups").exists()
    keeper.settings = keeper.settings.model_copy(update={"backup": None})
    record = keeper.attend()
    assert present(record.last_good).place == str(tmp_path / "lab backups")
    assert Vault(tmp_path / "lab backups").names(), "another place has no backup of today yet"


def test_a_disk_that_is_not_there_is_said_and_tried_again_and_no_mount_point_is_filled(
    keeper: Keeper, jobs: list[Stored], vault: Vault
) -> None:
    keeper.attend()
    away = vault.root.rename(vault.root.with_name("unplugged"))
    vault.root.mkdir()
    record = keeper.attend(DAY)
    assert "Is its disk connected?" in (present(record.last).error or "")
    assert keeper.trouble() == "backup-failed" and list(vault.root.iterdir()) == []
    vault.root.rmdir()
    away.rename(vault.root)
    assert keeper.attend(AFTER_FAILURE / 2).last == record.last, "not each minute"
    assert present(keeper.attend(AFTER_FAILURE).last).is_good and keeper.trouble() is None


def test_a_new_place_is_made_only_where_the_disk_is(keeper: Keeper, jobs: list[Stored], tmp_path: Path) -> None:
    keeper.settings = keeper.settings.model_copy(update={"backup": tmp_path / "no disk" / "printlab"})
    assert "is not there" in (present(keeper.attend().last).error or "") and not (tmp_path / "no disk").exists()


def test_a_storage_that_is_away_or_under_restore_is_not_backed_up(
    keeper: Keeper, jobs: list[Stored], vault: Vault
) -> None:
    """A restore writes the storage's id last, and a storage without it is offline."""
    keeper.store.layout.storage_id.unlink()
    assert "storage" in (present(keeper.attend().last).error or "")
    assert vault.names() == []


def test_while_the_backups_are_read_for_a_restore_none_is_made_or_called_failed(
    keeper: Keeper, jobs: list[Stored], vault: Vault
) -> None:
    good = keeper.attend().last_good
    with vault.reading():
        assert keeper.attend(DAY).last == good
    assert present(keeper.attend().last).name > present(good).name


def test_only_one_at_a_time_goes_on_on_a_computer(keeper: Keeper, settings: Settings, jobs: list[Stored]) -> None:
    with under_way(settings):
        assert keeper.attend() == BackupRecord()
        with pytest.raises(BackupUnderWay), under_way(settings):
            pass
    assert present(keeper.attend().last).is_good


def test_what_another_computer_backed_up_today_is_not_backed_up_again(
    keeper: Keeper, jobs: list[Stored], vault: Vault, settings: Settings
) -> None:
    other = Keeper(settings.model_copy(update={"instance": settings.instance / "other"}), keeper.store, keeper.lab)
    other.attend()
    run = present(keeper.attend(HOUR).last_good)
    assert vault.names() == [run.name] and run.jobs == len(jobs) and not run.is_verified


def test_new_bytes_that_do_not_come_back_make_no_backup(
    keeper: Keeper, jobs: list[Stored], vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that keeps other bytes than it was given."""
    good, put = keeper.attend().last_good, Vault.put

    def failing(self: Vault, chunks: Iterator[bytes]) -> tuple[str, int]:
        sha256, size = put(self, chunks)
        self.path(sha256).write_bytes(b"\0" * size)
        return sha256, size

    act(keeper.store, jobs[0].id, "approve")
    with monkeypatch.context() as patch:
        patch.setattr(Vault, "put", failing)
        record = keeper.attend(DAY)
    assert "read back" in (present(record.last).error or "") and record.last_good == good
    assert vault.names() == [present(good).name]
    assert present(keeper.attend(2 * HOUR).last).is_good, "it is copied again"
    assert all(vault.is_whole(*content) for content in vault.snapshot().contents().items())


def test_all_of_it_is_read_each_week_and_damage_is_said_and_mended(
    keeper: Keeper, jobs: list[Stored], vault: Vault
) -> None:
    keeper.attend()
    record = keeper.attend(HOUR)
    assert (record.read_all_at, record.damaged) == (keeper.now, 0)
    assert present(keeper.attend().rehearsal).is_good
    victim = next(path for path in vault.content.glob("??/*") if path.stat().st_size == 5000)
    victim.write_bytes(b"r" * 5000)
    for _ in range(6):
        keeper.attend(DAY)
        keeper.attend()
    assert keeper.trouble() is None, "not read yet"
    keeper.attend(DAY)
    record = keeper.attend()
    assert record.damaged == 1 and keeper.trouble() == "backup-failed"
    assert all(vault.is_whole(*content) for content in vault.snapshot().contents().items())
    keeper.attend(DAY)
    assert keeper.attend().damaged == 0 and keeper.trouble() is None


@pytest.fixture
def bad_disk(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path, int], None]:
    """From now on the disk answers so when that content is read."""

    def spoil(victim: Path, code: int) -> None:
        def read(path: Path) -> str:
            if path == victim:
                raise OSError(code, os.strerror(code))
            return sha256_of(path)

        monkeypatch.setattr("printsys.backup.vault.sha256_of", read)

    return spoil


def largest(vault: Vault) -> Path:
    return max(vault.content.glob("??/*"), key=lambda path: path.stat().st_size)


def test_a_bad_sector_is_damage_that_is_said_and_mended(
    keeper: Keeper, jobs: list[Stored], vault: Vault, bad_disk: Callable[[Path, int], None]
) -> None:
    keeper.attend()
    victim = largest(vault)
    os.utime(victim, ns=(1, 1))
    bad_disk(victim, errno.EIO)
    record = keeper.attend(HOUR)
    assert (record.damaged, keeper.trouble()) == (1, "backup-failed")
    assert victim.stat().st_mtime_ns != 1, "copied again"


def test_a_reading_that_the_disk_refuses_is_said_tried_each_hour_and_keeps_no_rehearsal_waiting(
    keeper: Keeper, jobs: list[Stored], vault: Vault, bad_disk: Callable[[Path, int], None]
) -> None:
    keeper.attend()
    victim = largest(vault)
    bad_disk(victim, errno.EACCES)
    record = keeper.attend(HOUR)
    assert present(record.failed_reading).at == keeper.now and record.read_all_at is None
    assert victim.exists() and keeper.trouble() == "backup-failed"
    record = keeper.attend(timedelta(minutes=1))
    assert record.rehearsal is not None and present(record.failed_reading).at < keeper.now
    bad_disk(vault.root, errno.EACCES)
    record = keeper.attend(HOUR)
    assert (record.read_all_at, record.failed_reading, record.damaged) == (keeper.now, None, 0)


def test_a_disk_that_drops_out_while_it_is_read_is_no_damage(
    keeper: Keeper, jobs: list[Stored], vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper.attend()
    marker = vault.root / MARKER
    kept = marker.read_bytes()

    def unplugged(_path: Path) -> str:
        marker.unlink(missing_ok=True)
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr("printsys.backup.vault.sha256_of", unplugged)
        record = keeper.attend(HOUR)
    assert "Is its disk connected?" in present(record.failed_reading).error and record.damaged == 0
    keeper.attend(HOUR)
    assert not vault.is_marked(), "and no mount point is filled"
    marker.write_bytes(kept)
    assert keeper.attend(HOUR).read_all_at == keeper.now and keeper.trouble() is None


def test_a_list_that_is_damaged_is_said_and_stands_in_no_backups_way(
    keeper: Keeper, jobs: list[Stored], vault: Vault
) -> None:
    keeper.attend()
    (name,) = vault.names()
    keeper.lab = LAB.model_copy(update={"backup": BackupTable(keep=1)})
    (vault.snapshots / f"{name}.jsonl").write_bytes(b"rot")
    record = keeper.attend(HOUR)
    assert (record.damaged, keeper.trouble()) == (1, "backup-failed")
    assert vault.names() == [present(record.last_good).name] and name not in vault.names()
    assert len(vault.snapshot().units) > len(jobs)
    assert (vault.snapshots / f"{name}.damaged").read_bytes() == b"rot"
    assert keeper.attend(2 * DAY).last_good and keeper.attend().damaged == 0 and keeper.trouble() is None


def test_a_damaged_list_among_those_that_stay_fails_no_backup_and_nothing_is_dropped(
    keeper: Keeper, jobs: list[Stored], vault: Vault
) -> None:
    keeper.attend()
    keeper.attend(DAY)
    first, second = vault.names()
    (vault.snapshots / f"{second}.jsonl").write_bytes(b"1\n2\n")
    with vault.open():
        contents = set(vault.content.glob("??/*"))
        assert vault.forget_all_but(1, second) == [] and set(vault.content.glob("??/*")) == contents
    assert vault.names() == [first, second]


def test_a_clock_that_was_ahead_keeps_nothing_from_being_done_and_its_backup_is_not_the_newest(
    keeper: Keeper, jobs: list[Stored], vault: Vault
) -> None:
    for _ in range(3):  # the backup, the reading of all, the rehearsal
        keeper.attend(3650 * DAY if keeper.now == NOON else timedelta())
    (ahead,) = vault.names()
    keeper.now = NOON
    present_name = present(keeper.attend().last_good).name
    assert present_name < ahead
    assert keeper.attend().read_all_at == NOON
    assert present(keeper.attend().rehearsal).name == present_name
    keeper.lab = LAB.model_copy(update={"backup": BackupTable(keep=1)})
    newest = present(keeper.attend(DAY).last_good).name
    assert vault.names() == [newest]


def test_a_clock_that_went_back_a_little_drops_no_backup_that_was_just_made(
    keeper: Keeper, jobs: list[Stored], vault: Vault
) -> None:
    keeper.lab = LAB.model_copy(update={"backup": BackupTable(keep=1)})
    keeper.attend()
    earlier = present(keeper.attend(-2 * HOUR).last_good)
    assert (earlier.started_at, vault.names()) == (keeper.now, [earlier.name]) and keeper.trouble() is None


def test_damage_is_in_the_record_before_it_is_dropped(
    keeper: Keeper, jobs: list[Stored], vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that is killed in between has told."""
    keeper.attend()
    victim = largest(vault)
    victim.write_bytes(b"rot")

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Vault, "drop", killed)
    with pytest.raises(KeyboardInterrupt):
        keeper.attend(HOUR)
    assert victim.exists() and keeper.trouble() == "backup-failed"


def test_a_worker_that_ends_interrupts_it_and_the_next_one_goes_on(
    keeper: Keeper, jobs: list[Stored], vault: Vault
) -> None:
    stop = Event()
    stop.set()
    assert present(keeper.attend(stop=stop).last).error == INTERRUPTED and vault.names() == []
    assert present(keeper.attend(AFTER_INTERRUPTION / 2).last).error == INTERRUPTED
    assert present(keeper.attend(AFTER_INTERRUPTION).last).is_good


# -- killed -----------------------------------------------------------------------------------------------------------

WORKER = """
import sys
from datetime import datetime
from pathlib import Path
from threading import Event
from printsys.backup.schedule import BackupSchedule
from printsys.config import Settings, load_lab
from printsys.services import open_store
folder, lab, now = Path(sys.argv[1]), load_lab(Path(sys.argv[2])), datetime.fromisoformat(sys.argv[3])
settings = Settings(storage=folder / "storage", instance=folder / "instance", lab_config=folder / "lab.toml",
                    secret_key="x" * 32, backup=folder / "backup")
BackupSchedule(settings, lab, open_store(settings), Event(), lambda: now).attend()
"""


@pytest.fixture
def killed_when(keeper: Keeper, tmp_path: Path) -> Callable[[Callable[[], bool]], None]:
    """A worker's look at the backups in a process of its own, killed as soon as `condition()` holds."""

    def kill(condition: Callable[[], bool]) -> None:
        lab_toml = Path(__file__).resolve().parents[2] / "lab.toml"
        command = [sys.executable, "-c", WORKER, str(tmp_path), str(lab_toml), keeper.now.isoformat()]
        process = subprocess.Popen(command, cwd=lab_toml.parent)
        until(lambda: condition() or process.poll() is not None)
        assert process.poll() is None, "it was to be killed in the middle"
        assert is_under_way(keeper.settings), "and until then its record says that it goes on"
        process.kill()
        process.wait()

    return kill


def test_a_backup_that_is_killed_is_never_called_good_or_under_way_and_is_made_up_for(
    keeper: Keeper, store: JobStore, vault: Vault, killed_when: Callable[[Callable[[], bool]], None]
) -> None:
    for _ in range(40):
        make_job(store, files=[("a.stl", os.urandom(400_000))])
    age(store.layout.root)
    killed_when(lambda: sum(1 for _ in vault.content.glob("??/*")) > 15)
    record = read_record(keeper.settings)
    assert present(record.last).error == INTERRUPTED and record.last_good is None
    assert keeper.trouble() == "backup-failed" and not is_under_way(keeper.settings)
    assert present(keeper.attend(AFTER_INTERRUPTION + timedelta(minutes=1)).last).jobs == 40
    assert keeper.trouble() is None


def test_one_that_was_killed_right_behind_its_end_is_a_backup(
    keeper: Keeper, jobs: list[Stored], vault: Vault, settings: Settings
) -> None:
    keeper.attend()
    ended = read_record(settings)
    unfinished = replace(present(ended.last), ended_at=None, name="", jobs=0)
    write_record(settings, BackupRecord(last=unfinished))
    assert present(read_record(settings).last).error == INTERRUPTED
    run = present(keeper.attend(AFTER_INTERRUPTION).last)
    assert run.is_good and vault.names() == [run.name] and run.jobs == len(jobs)


def test_a_record_that_nobody_can_read_hides_no_backup(keeper: Keeper, jobs: list[Stored], settings: Settings) -> None:
    name = present(keeper.attend().last).name
    record_path(settings).write_bytes(b"\0" * 50)
    assert present(keeper.attend().last_good).name == name


def test_a_record_that_is_refused_for_a_moment_loses_nothing(
    keeper: Keeper, jobs: list[Stored], settings: Settings, vault: Vault
) -> None:
    """A folder in its place is one that cannot be read, on every system."""
    good = keeper.attend().last_good
    record = record_path(settings).rename(settings.instance / "elsewhere")
    record_path(settings).mkdir()
    assert keeper.attend(DAY) == BackupRecord(), "pages go on"
    with pytest.raises(RecordRefused), under_way(settings):
        pass
    assert len(vault.names()) == 1
    record_path(settings).rmdir()
    record.rename(record_path(settings))
    assert read_record(settings).last_good == good


def test_a_run_that_ends_while_a_page_looks_was_not_interrupted(
    keeper: Keeper, jobs: list[Stored], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = keeper.attend()
    write_record(settings, replace(ended, last=replace(present(ended.last), ended_at=None)))

    def ends_just_now(_: Settings) -> bool:
        write_record(settings, ended)
        return False

    monkeypatch.setattr("printsys.ops.backup_record.is_under_way", ends_just_now)
    assert read_record(settings) == ended
