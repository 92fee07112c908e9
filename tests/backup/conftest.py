"""A lab with jobs in all statuses, and the commands that back it up and restore it."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from printsys.backup.vault import Vault
from printsys.domain.status import Status
from printsys.jobstore import JobStore, Stored
from tests.factories import act, make_job
from tests.indexer.test_check import everything
from tests.manage import Manage
from tests.source import ROOT


@pytest.fixture
def manage(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Manage:
    shutil.copy(ROOT / "lab.toml", tmp_path / "lab.toml")
    monkeypatch.setenv("LAB_CONFIG", str(tmp_path / "lab.toml"))
    return Manage(tmp_path, database_url, monkeypatch, capsys)


@pytest.fixture
def jobs(store: JobStore) -> list[Stored]:
    """One in each status, old enough for their times to be trusted, and one in the trash."""
    jobs = [
        make_job(store, name=f"Jane {status}", status=status, files=[("a.stl", os.urandom(5000))]) for status in Status
    ]
    act(store, make_job(store, name="Gone Girl").id, "delete")
    age(store.layout.root)
    return jobs


def age(root: Path, seconds: float = 60) -> None:
    for path in root.rglob("*"):
        if path.is_file():
            os.utime(path, (time.time() - seconds,) * 2)


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault(tmp_path / "backup")


def kept_files(root: Path) -> dict[str, tuple[int, int, bytes | None]]:
    """All files of a storage that a backup has, with times, rights and bytes."""
    not_copied = (".printsys/locks/", ".printsys/newest/", ".printsys/storage-id")
    return {
        name: file for name, file in everything(root).items() if file[2] is not None and not name.startswith(not_copied)
    }
