"""A system without a window, as Windows' Task Scheduler starts and ends it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
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


@pytest.fixture
def instance() -> Iterator[Path]:
    """Not below pytest's folder: run as root, PostgreSQL is another user's process and would not reach it."""
    with tempfile.TemporaryDirectory(prefix="printsys-tests-", ignore_cleanup_errors=os.name == "nt") as folder:
        yield Path(folder) / "instance"


def test_a_killed_task_stops_the_whole_system_in_order(instance: Path) -> None:
    with start(instance, "--port", str(free_port()), "--storage", str(instance.with_name("storage"))) as task:
        try:
            until(lambda: running_address(instance) is not None or task.poll() is not None, 300)
            log = (instance / "logs" / "service.log").read_text("utf-8")
            assert "Ready: http://127.0.0.1:" in log, log
            assert "The database did not start" not in log, log
        finally:
            task.kill()
    until(lambda: has_ended(instance), 300)
    assert not (instance / "address").exists()
    assert not (instance / "postgres" / "postmaster.pid").exists()


def test_why_a_system_did_not_start_is_in_its_log(tmp_path: Path) -> None:
    with start(tmp_path / "instance", "--port", "99999") as task:
        try:
            assert task.wait(120) == 2
        finally:
            task.kill()
    assert "99999 is no port" in (tmp_path / "instance" / "logs" / "service.log").read_text("utf-8")
