"""What `manage.py doctor` finds, each thing really so."""

from __future__ import annotations

import os
import re
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from printsys.commands import doctor
from printsys.commands.doctor import Result, examine
from printsys.config import ROOT, MailServer, Settings, load_lab
from printsys.credentials import staff_password
from printsys.ops import disk_space, heartbeat
from printsys.ops.backup_record import BackupRecord, BackupRun, under_way, write_record
from printsys.ops.heartbeat import Heartbeat, Problem
from printsys.services import build_services
from tests.links import link
from tests.mail.smtp_server import MailInbox, Server
from tests.manage import Manage
from tests.present import present
from tests.windows import wine

LAB = load_lab(ROOT / "lab.toml")
NOW = datetime.now(UTC)


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A lab that was set up, of which nothing runs."""
    monkeypatch.setattr(doctor, "ROOT", tmp_path)  # where its .env would be
    settings = Settings(
        storage=tmp_path / "storage", instance=tmp_path / "instance", lab_config=ROOT / "lab.toml", secret_key="x" * 32
    )
    build_services(settings, enqueue=lambda job_id: None).store.layout.make()
    staff_password.choose(settings, "correct horse")
    return settings


def check(settings: Settings, name: str) -> Result:
    return dict(examine(settings, LAB))[name]


def test_a_lab_in_order_has_no_findings(settings: Settings) -> None:
    known = {"paths"} if sys.platform == "win32" else set()  # the folder of the tests leaves little room for names
    known |= {"secrets"} if wine.is_met("access lists") else set()
    assert {name for name, result in examine(settings, LAB) if not result.is_fine} <= known


def test_a_backup_that_failed_or_is_late_is_a_finding(settings: Settings, tmp_path: Path) -> None:
    assert check(settings, "backup").is_fine, "nobody named a place"
    settings = settings.model_copy(update={"backup": tmp_path / "backups"})
    assert "no backup yet" in check(settings, "backup").sentence and not check(settings, "backup").is_fine
    good = BackupRun(NOW - timedelta(hours=30), str(settings.backup), NOW, "a", 1200, bytes=3_000_000_000)
    with under_way(settings):
        write_record(settings, BackupRecord(good, good))
    result = check(settings, "backup")
    assert result.is_fine and "30 h ago: 1,200 jobs, 3.0 GB, in" in result.sentence
    with under_way(settings):
        write_record(settings, BackupRecord(replace(good, error="It broke."), good))
    assert not check(settings, "backup").is_fine and "It broke." in check(settings, "backup").sentence


def test_a_share_that_is_not_mounted(settings: Settings) -> None:
    settings.storage.rename(settings.storage.with_name("away"))
    assert not check(settings, "storage").is_fine
    settings.storage.mkdir()
    assert "no storage of ours" in check(settings, "storage").sentence
    assert list(settings.storage.iterdir()) == [], "a check sets nothing up"


def test_a_share_whose_clock_differs(settings: Settings) -> None:
    """FAULTS R3: `now` is this computer's clock."""
    assert doctor.check_clock(settings).is_fine
    ahead = doctor.check_clock(settings, now=lambda: time.time() - 300)
    behind = doctor.check_clock(settings, now=lambda: time.time() + 120)
    # A slow disk takes time between the two clocks.
    assert 240 <= int(present(re.search(r"(\d+) s ahead", ahead.sentence))[1]) <= 300 and not ahead.is_fine
    assert 120 <= int(present(re.search(r"(\d+) s behind", behind.sentence))[1]) <= 180
    assert list(settings.storage.glob(".printsys/clock*")) == []


def test_a_disk_that_is_nearly_full(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk_space, "LOW_BYTES", 10**18)
    assert "nearly full" in check(settings, "disk").sentence


def test_a_storage_that_is_another_labs(settings: Settings) -> None:
    (settings.storage / ".printsys" / "storage-id").write_text("f" * 32, "utf-8")
    assert "not the one that this computer knows" in check(settings, "storage").sentence


def test_a_storage_on_two_disks(settings: Settings) -> None:
    memory = Path("/dev/shm")
    if not memory.is_dir() or memory.stat().st_dev == settings.storage.stat().st_dev:
        pytest.skip("there is no second file system here")
    folder = settings.storage / "Printing"
    folder.rmdir()
    link(folder, memory)
    assert check(settings, "storage").sentence == "Printing and .printsys lie on different disks."


@pytest.mark.skipif(os.name == "nt", reason="file modes are POSIX's")
@pytest.mark.parametrize(
    "name", ["instance/secret-key", "instance/staff-password-hash", "instance/api-tokens.json", ".env"]
)
def test_a_secret_that_others_can_read(settings: Settings, tmp_path: Path, name: str) -> None:
    secret = tmp_path / name
    secret.write_text("x", "utf-8")
    secret.chmod(0o600)
    assert check(settings, "secrets").is_fine
    secret.chmod(0o644)
    assert check(settings, "secrets").advice == f"chmod 600 {secret}"


def test_an_opener_that_is_not_set_up_is_no_finding(settings: Settings) -> None:
    result = check(settings, "opener")
    assert result.is_fine and "Open in slicer" in result.sentence


def test_a_logo_that_is_not_there(settings: Settings, tmp_path: Path) -> None:
    here = settings.model_copy(update={"lab_config": tmp_path / "lab.toml"})
    lab = LAB.model_copy(update={"about": LAB.about.model_copy(update={"logo": "printlab.png"})})
    assert "logo" not in dict(examine(settings, LAB))
    assert "printlab.png is not there" in dict(examine(here, lab))["logo"].sentence
    Image.new("RGB", (200, 100)).save(tmp_path / "printlab.png")
    assert dict(examine(here, lab))["logo"].is_fine


def test_no_staff_password(settings: Settings) -> None:
    staff_password.hash_path(settings).unlink()
    assert not check(settings, "password").is_fine


def test_too_few_watches(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few = tmp_path / "max_user_watches"
    few.write_text("8192\n", "utf-8")
    monkeypatch.setattr(doctor, "WATCHES", few)
    assert "8,192 folders only" in check(settings, "watching").sentence


def test_a_storage_that_a_program_syncs(settings: Settings) -> None:
    (settings.storage / ".stfolder").mkdir()
    result = check(settings, "watching")
    assert "Syncthing syncs" in result.sentence and not result.is_fine


def nobody_listens() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def test_a_database_that_does_not_answer(settings: Settings) -> None:
    url = f"postgresql+psycopg2://lab:secret@127.0.0.1:{nobody_listens()}/printsys"
    result = check(settings.model_copy(update={"database_url": url}), "database")
    assert not result.is_fine and "secret" not in result.sentence


def test_a_database_that_answers(settings: Settings, database_url: str) -> None:
    assert "at version" in check(settings.model_copy(update={"database_url": database_url}), "database").sentence


def test_a_redis_that_does_not_answer(settings: Settings) -> None:
    url = f"redis://127.0.0.1:{nobody_listens()}/0"
    assert "Redis does not answer" in check(settings.model_copy(update={"redis_url": url}), "queue").sentence


@pytest.mark.parametrize(
    ("ago", "problems", "words"),
    [
        (timedelta(hours=2), {}, "last seen"),
        (timedelta(0), {"sidelined": (Problem(NOW, "too deep", "a48y3vyk"),)}, "a48y3vyk"),
        (timedelta(0), {"trying": (Problem(NOW, "454 try later"),)}, "454 try later"),
    ],
)
def test_a_worker_that_is_gone_or_stuck(
    settings: Settings, ago: timedelta, problems: dict[str, Any], words: str
) -> None:
    heartbeat.write(settings, Heartbeat(datetime.now(UTC) - ago, 1, **problems))
    assert words in check(settings, "worker").sentence


@pytest.fixture
def inbox() -> Iterator[tuple[MailInbox, Server]]:
    inbox = MailInbox()
    server = Server(inbox, hostname="127.0.0.1", port=0)
    server.start()
    yield inbox, server
    inbox.gate.set()
    server.stop()


def test_a_mail_server_is_greeted_and_sent_nothing(settings: Settings, inbox: tuple[MailInbox, Server]) -> None:
    messages, server = inbox
    mail = MailServer(host="127.0.0.1", port=server.port, use_tls=False)
    assert check(settings.model_copy(update={"mail": mail}), "mail").is_fine
    assert messages.opened > 0 and messages.tried == 0
    wants = mail.model_copy(update={"use_tls": True})
    assert "STARTTLS" in check(settings.model_copy(update={"mail": wants}), "mail").sentence
    away = mail.model_copy(update={"port": nobody_listens()})
    assert "Nobody listens there" in check(settings.model_copy(update={"mail": away}), "mail").sentence


def test_the_command_says_it_in_words_and_for_programs(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    manage = Manage(tmp_path, database_url, monkeypatch, capsys)
    done = manage("doctor")
    assert done.code == 1 and "WRONG storage:" in done.out
    results = {result["name"]: result for result in manage("doctor", "--json").json}
    assert results["storage"] == {
        "name": "storage",
        "is_fine": False,
        "said": f"{tmp_path / 'storage'} is not there.",
        "advice": "Mount it, or set PRINTSYS_STORAGE. For a new lab `python manage.py run` makes it.",
    }
