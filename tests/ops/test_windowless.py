"""A system without a window, as Windows' Task Scheduler starts and ends it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from filelock import FileLock, Timeout

from printsys.config import ROOT
from printsys.ops import windowless
from printsys.ops.desktop import running_address
from tests.running_system import free_port
from tests.waiting import until


def start(instance: Path, *arguments: str) -> subprocess.Popen[bytes]:
    environment = os.environ | {"DATABASE_URL": "", "REDIS_URL": "", "MAIL_SERVER": ""}
    command = [sys.executable, *windowless.MODULE, str(instance), "run", *arguments]
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def has_ended(instance: Path) -> bool:
    try:
        with FileLock(instance / "run.lock", timeout=0):
            return True
    except Timeout:
        return False


def test_a_killed_task_stops_the_whole_system_in_order(tmp_path: Path) -> None:
    instance = tmp_path / "instance"
    with start(instance, "--port", str(free_port()), "--storage", str(tmp_path / "storage")) as task:
        until(lambda: running_address(instance) is not None or task.poll() is not None, 300)
        log = (instance / "logs" / "service.log").read_text("utf-8")
        assert "Ready: http://127.0.0.1:" in log, log
        task.kill()
    until(lambda: has_ended(instance), 300)
    assert not (instance / "address").exists()
    assert not (instance / "postgres" / "postmaster.pid").exists()


def test_why_a_system_did_not_start_is_in_its_log(tmp_path: Path) -> None:
    with start(tmp_path / "instance", "--port", "99999") as task:
        assert task.wait(120) == 2
    assert "99999 is no port" in (tmp_path / "instance" / "logs" / "service.log").read_text("utf-8")
