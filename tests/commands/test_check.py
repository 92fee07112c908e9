"""`check`: what it says beside its findings, and what of that changes its exit code."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from indexer.index import Mirror
from printsys.config import ROOT, load_lab, load_settings
from printsys.jobstore import JobStore
from printsys.ops.backup_record import BackupRecord, BackupRun, read_record, under_way, write_record
from printsys.ops.backup_trouble import backup_trouble
from tests.factories import make_job, sync
from tests.manage import Manage
from tests.present import present


@pytest.fixture
def whole(store: JobStore, mirror: Mirror) -> None:
    make_job(store)
    sync(store, mirror)


@pytest.fixture
def failed_backup(manage: Manage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BackupRecord:
    """The last of this computer's backups could not be made."""
    monkeypatch.setenv("PRINTSYS_BACKUP", str(tmp_path / "backups"))
    settings, now = load_settings(), datetime.now(UTC)
    good = BackupRun(now - timedelta(days=3), str(tmp_path / "backups"), now - timedelta(days=3), "a", 12, 90)
    failed = BackupRun(now, str(tmp_path / "backups"), now, error="The disk is full.")
    with under_way(settings):
        write_record(settings, BackupRecord(failed, good))
    return read_record(settings)


def test_trouble_with_the_backups_is_a_remark_and_no_finding(
    whole: None, manage: Manage, failed_backup: BackupRecord
) -> None:
    output = manage("check")
    trouble = present(backup_trouble(load_lab(ROOT / "lab.toml"), failed_backup, datetime.now(UTC)))
    assert output.code == 0
    assert output.out.splitlines() == ["Storage and mirror are whole.", f"Remark: {trouble.sentence} {trouble.advice}"]
    document = manage("check", "--json").json
    assert (document["findings"], document["problem"]) == ([], None)
    assert "The disk is full." in document["remarks"][0]


def test_a_lab_without_a_place_for_backups_hears_nothing_of_them(whole: None, manage: Manage) -> None:
    output = manage("check", "--json")
    assert output.code == 0 and output.json == {"findings": [], "problem": None, "remarks": []}


def test_a_lab_toml_that_cannot_be_read_stops_no_check(
    whole: None, manage: Manage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lab.toml").write_text("[about\n", "utf-8")
    monkeypatch.setenv("LAB_CONFIG", str(tmp_path / "lab.toml"))
    output = manage("check", "--json")
    assert output.code == 0 and "Nobody knows whether backups are made" in output.json["remarks"][0]
