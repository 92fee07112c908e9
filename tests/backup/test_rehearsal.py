"""A rehearsal proves that the newest backup gives the lab back, and leaves nothing behind."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

import pytest

from printsys import fs
from printsys.backup import rehearsal
from printsys.backup.rehearsal import FOLDER, rehearse
from printsys.backup.runs import utc_now
from printsys.backup.schedule import AFTER_INTERRUPTION, REHEARSE_EVERY, BackupSchedule
from printsys.backup.vault import Vault, VaultBusy
from printsys.config import Settings
from printsys.config.lab import BackupTable
from printsys.jobstore import JobStore, Stored
from printsys.ops.backup_record import INTERRUPTED, read_record
from printsys.ops.backup_trouble import backup_trouble
from tests.backup.conftest import age, kept_files
from tests.factories import LAB, make_job
from tests.manage import Manage
from tests.present import present
from tests.source import ROOT
from tests.waiting import until


@pytest.fixture
def settings(tmp_path: Path, vault: Vault) -> Settings:
    return Settings(
        storage=tmp_path / "storage",
        instance=tmp_path / "instance",
        lab_config=tmp_path / "lab.toml",
        secret_key="x" * 32,
        backup=vault.root,
    )


@pytest.fixture
def backed_up(jobs: list[Stored], manage: Manage, vault: Vault) -> str:
    """Its name."""
    name: str = manage("backup", str(vault.root), "--json").json["name"]
    return name


def leftovers(settings: Settings, vault: Vault) -> list[Path]:
    return [path for path in (settings.instance / FOLDER, vault.root / FOLDER) if os.path.lexists(path)]


def test_a_good_backup_passes_and_nothing_is_left_or_changed(
    backed_up: str, jobs: list[Stored], store: JobStore, settings: Settings, vault: Vault, manage: Manage
) -> None:
    before = kept_files(store.layout.root)
    output = manage("backup", str(vault.root), "--rehearse", "--json")
    assert (output.code, output.json["name"], output.json["jobs"]) == (0, backed_up, len(jobs))
    assert leftovers(settings, vault) == [] and kept_files(store.layout.root) == before
    assert vault.names() == [backed_up], "it is no backup itself"
    record = read_record(settings)
    assert record.rehearsal == record.good_rehearsal and present(record.rehearsal).jobs == len(jobs)


def test_damaged_bytes_fail_it_and_the_record_says_so(
    backed_up: str, settings: Settings, vault: Vault, manage: Manage
) -> None:
    max(vault.content.glob("??/*"), key=lambda path: path.stat().st_size).write_bytes(b"rot")
    output = manage("backup", str(vault.root), "--rehearse")
    assert output.code == 1 and "1 damaged file" in output.out
    record = read_record(settings)
    assert present(record.rehearsal).error and record.good_rehearsal is None
    assert leftovers(settings, vault) == []


def test_a_chain_of_events_that_is_broken_fails_it_though_all_bytes_are_as_copied(
    jobs: list[Stored], store: JobStore, settings: Settings, vault: Vault, manage: Manage
) -> None:
    log = jobs[3].folder / "events.jsonl"
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join([lines[0], *lines[2:]]))
    manage("backup", str(vault.root))
    output = manage("backup", str(vault.root), "--rehearse")
    assert output.code == 1 and jobs[3].folder.name in output.out


def test_a_file_that_comes_back_with_other_bytes_fails_it(
    backed_up: str, settings: Settings, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that keeps other bytes than it was given."""
    copy = fs.copy

    def failing(source: Path, target: Path) -> None:
        copy(source, target)
        if target.suffix == ".stl":
            target.write_bytes(b"\0" * target.stat().st_size)

    monkeypatch.setattr(fs, "copy", failing)
    error = present(rehearse(settings, vault, utc_now).error)
    assert "came back with other bytes" in error and ".stl" in error


def test_one_that_the_worker_s_end_stops_has_not_failed_and_begins_anew(
    jobs: list[Stored], store: JobStore, settings: Settings, vault: Vault
) -> None:
    now, stop = [datetime(2031, 5, 14, 17, 0, tzinfo=UTC)], Event()
    lab = LAB.model_copy(update={"backup": BackupTable()})
    schedule = BackupSchedule(settings, lab, store, stop, lambda: now[0])
    attend: Callable[[], None] = schedule.attend
    attend()
    attend()
    stop.set()
    attend()
    record = read_record(settings)
    assert present(record.rehearsal).error == INTERRUPTED and backup_trouble(lab, record, now[0]) is None
    stop.clear()
    now[0] += AFTER_INTERRUPTION
    attend()
    assert present(read_record(settings).rehearsal).is_good


def test_without_room_it_says_how_much_it_needs_and_writes_nothing(
    backed_up: str, settings: Settings, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rehearsal, "SPARE_BYTES", 10**18)
    error = present(rehearse(settings, vault, utc_now).error)
    assert "1000000000.0 GB" in error and leftovers(settings, vault) == []


def test_it_takes_the_disk_of_the_backups_where_this_computers_is_too_small(
    backed_up: str, settings: Settings, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    free, used = shutil.disk_usage, []

    def disk_usage(path: Path) -> object:
        used.append(path)
        return free(path) if path == vault.root else free(path)._replace(free=0)

    monkeypatch.setattr(shutil, "disk_usage", disk_usage)
    assert rehearse(settings, vault, utc_now).is_good and used == [settings.instance, vault.root]
    assert leftovers(settings, vault) == []


def test_no_backup_begins_meanwhile(backed_up: str, settings: Settings, vault: Vault) -> None:
    refusals = []

    def meanwhile(_done: int, _of: int) -> None:
        with pytest.raises(VaultBusy) as refusal, vault.open():
            pass
        refusals.append(refusal)

    assert rehearse(settings, vault, utc_now, meanwhile).is_good and refusals


def test_what_one_that_is_killed_leaves_is_removed_at_the_worker_s_next_look(
    store: JobStore, manage: Manage, settings: Settings, vault: Vault
) -> None:
    for _ in range(40):
        make_job(store, files=[("a.stl", os.urandom(400_000))])
    age(store.layout.root)
    manage("backup", str(vault.root))
    code = (
        "import sys; from pathlib import Path; from printsys.backup.rehearsal import rehearse;"
        "from printsys.backup.runs import utc_now; from printsys.backup.vault import Vault;"
        "from printsys.config import Settings; folder = Path(sys.argv[1]);"
        "rehearse(Settings(storage=folder / 'storage', instance=folder / 'instance', lab_config=folder / 'lab.toml',"
        "secret_key='x' * 32), Vault(folder / 'backup'), utc_now)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(manage.folder)], cwd=ROOT)
    uploaded = settings.instance / FOLDER / "storage" / "Uploaded"
    until(lambda: (uploaded.is_dir() and len(list(uploaded.iterdir())) > 10) or process.poll() is not None)
    assert process.poll() is None, "it was to be killed in the middle"
    process.kill()
    process.wait()
    assert present(read_record(settings).rehearsal).error == INTERRUPTED and leftovers(settings, vault)
    vault.root.joinpath(FOLDER).mkdir()
    lab = LAB.model_copy(update={"backup": BackupTable()})
    BackupSchedule(settings, lab, store, Event()).attend()
    assert leftovers(settings, vault) == [], "not only once the next rehearsal is due"
    assert rehearse(settings, vault, utc_now).is_good


def test_the_worker_rehearses_each_month_and_says_when_it_fails(
    jobs: list[Stored], store: JobStore, settings: Settings, vault: Vault
) -> None:
    now = [datetime(2031, 5, 14, 17, 0, tzinfo=UTC)]
    lab = LAB.model_copy(update={"backup": BackupTable()})
    schedule = BackupSchedule(settings, lab, store, Event(), lambda: now[0])
    attend: Callable[[], None] = schedule.attend
    for _ in range(3):  # the backup, the reading of all, the rehearsal
        attend()
    first = present(read_record(settings).good_rehearsal)
    assert first.jobs == len(jobs)
    log = jobs[3].folder / "events.jsonl"
    log.write_bytes(log.read_bytes().replace(b"approve", b"xpprove").replace(b"Approved", b"Xpproved"))
    now[0] += REHEARSE_EVERY
    for _ in range(3):
        attend()
    record = read_record(settings)
    assert present(record.rehearsal).started_at == now[0] and record.good_rehearsal == first
    trouble = present(backup_trouble(lab, record, now[0]))
    assert trouble.kind == "rehearsal-failed" and jobs[3].folder.name in trouble.sentence
