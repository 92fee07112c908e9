"""`manage.py service` with the Python and the processes of Windows; only schtasks.exe is a stand-in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from printsys.ops.service import ServedSystem
from printsys.ops.service_windows import ScheduledTask
from tests.ops import fake_schtasks
from tests.running_system import free_port
from tests.windows.programs import is_wine

ROOT = Path(__file__).resolve().parents[2]


class Account:
    def __init__(self, folder: Path) -> None:
        self.tasks = folder / "bin"
        self.storage = folder / "storage"
        own = {"PRINTSYS_STORAGE": str(self.storage), "PRINTSYS_INSTANCE": str(folder / "instance 李")}
        self.environment = os.environ | own | fake_schtasks.install(self.tasks)

    def service(self, *arguments: str) -> tuple[int, str]:
        command = [sys.executable, str(ROOT / "manage.py"), "service", *arguments]
        done = subprocess.run(
            command, env=self.environment, capture_output=True, encoding="utf-8", timeout=300, check=False
        )
        return done.returncode, done.stdout + done.stderr


@pytest.mark.skipif(sys.platform == "win32" and is_wine(), reason="wine's schtasks takes any definition and keeps none")
def test_windows_itself_takes_the_definition_without_an_administrator(tmp_path: Path) -> None:
    task = ScheduledTask()
    task.name = "Print lab job system (a test)"
    task.install(ServedSystem(tmp_path, tmp_path / "instance", ("--port", "5000")))
    try:
        assert (task.starts(tmp_path), task.starts(tmp_path / "copy")) == (True, False)
    finally:
        task.uninstall()
    assert task.starts(tmp_path) is None


@pytest.fixture
def account(tmp_path: Path) -> Account:
    return Account(tmp_path)


def test_it_runs_from_install_to_uninstall(account: Account) -> None:
    address = f"http://127.0.0.1:{free_port()}"
    code, text = account.service("install", "--port", address.rpartition(":")[2])
    assert (code, text.splitlines()[-1]) == (0, f"Ready: {address}/"), text
    code, text = account.service("status", "--json")
    summary = json.loads(text)
    assert (code, summary["installed"], summary["running"], summary["address"]) == (0, True, True, address)
    assert "Ready: " in Path(summary["log"]).read_text("utf-8")
    code, text = account.service("uninstall")
    assert code == 0 and "still runs" not in text, text
    assert fake_schtasks.tasks(account.tasks) == {}
    assert (account.storage / ".printsys" / "storage-id").exists()
    assert json.loads(account.service("status", "--json")[1])["running"] is False
