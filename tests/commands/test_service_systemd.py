"""`manage.py service` with a real systemd: from install to uninstall, as on a lab's Linux computer."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator

import psutil
import pytest

from printsys.config import ROOT
from printsys.ops.service_linux import UNIT
from tests.ops.user_manager import UserManager, user_manager, whats_missing
from tests.running_system import System, gone, system_of_its_own
from tests.waiting import until

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="systemd is Linux'"),
    pytest.mark.needs("systemctl", "unshare", "nsenter"),
]


@pytest.fixture
def manager() -> Iterator[UserManager]:
    if reason := whats_missing():
        pytest.skip(reason)
    with user_manager() as manager:
        yield manager


@pytest.fixture
def system() -> Iterator[System]:
    with system_of_its_own() as system:
        yield system


def service(manager: UserManager, system: System, *arguments: str) -> tuple[int, str]:
    command = [sys.executable, str(ROOT / "manage.py"), "service", *arguments]
    done = manager.call(*command, PRINTSYS_STORAGE=str(system.storage), PRINTSYS_INSTANCE=str(system.instance))
    return done.returncode, done.stdout + done.stderr


def test_systemd_starts_it_starts_it_again_after_a_kill_and_stops_it_in_order(
    manager: UserManager, system: System
) -> None:
    code, text = service(manager, system, "install", "--port", str(system.port))
    assert (code, text.splitlines()[-1]) == (0, f"Ready: {system.url}/"), text
    assert "loginctl enable-linger" in text
    assert manager.value(UNIT, "UnitFileState") == "enabled"

    drop_in = manager.folder / "config" / "systemd" / "user" / f"{UNIT}.d" / "soon.conf"
    drop_in.parent.mkdir()
    drop_in.write_text("[Service]\nRestartSec=0\n", "utf-8")
    manager.call("systemctl", "--user", "daemon-reload")
    first = int(manager.value(UNIT, "MainPID"))
    os.kill(first, signal.SIGKILL)
    until(lambda: manager.value(UNIT, "NRestarts") == "1" and system.serves())
    assert int(manager.value(UNIT, "MainPID")) != first

    code, text = service(manager, system, "status", "--json")
    summary = json.loads(text)
    assert (code, summary["this_copy"], summary["running"], summary["address"]) == (0, True, True, system.url)

    main = psutil.Process(int(manager.value(UNIT, "MainPID")))
    processes = [main, *main.children(recursive=True), system.server()]
    assert len(processes) > 5
    assert manager.call("systemctl", "--user", "stop", UNIT).returncode == 0
    assert [manager.value(UNIT, name) for name in ("ActiveState", "Result", "ExecMainStatus")] == [
        "inactive", "success", "0",
    ]  # fmt: skip
    assert [process for process in processes if not gone(process)] == []

    code, text = service(manager, system, "uninstall")
    assert code == 0 and "still runs" not in text, text
    assert manager.value(UNIT, "LoadState") == "not-found"
    assert service(manager, system, "status")[0] == 1
    assert (system.storage / ".printsys" / "storage-id").exists()
