"""Commands that a page starts: how each ended is told truly, and none outlives the pages."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock, Timeout

from printsys.config import Settings
from printsys.ops.command_runs import CommandRuns
from tests.present import present
from tests.source import ROOT
from tests.waiting import until

ENDLESS = "import threading; print('begun', flush=True); threading.Event().wait()"

COMMAND = """
import sys, threading, types
from pathlib import Path
from filelock import FileLock
sys.path.insert(0, {root!r})
import manage

def run(args):
    with FileLock("lock"):
        Path("runs").touch()
        threading.Event().wait()

sys.modules["printsys.commands.check"] = types.SimpleNamespace(run=run, add_arguments=lambda parser: None)
manage._run_command("check", [])
"""
"""Of manage.py, one that would last for ever."""
PAGES = """
import sys, threading
from pathlib import Path
from printsys.config import Settings
from printsys.ops import command_runs

folder = command_runs.ROOT = Path(sys.argv[1])
settings = Settings(
    storage=folder / "storage", instance=folder / "instance", lab_config=folder / "lab.toml", secret_key="x" * 32
)
command_runs.CommandRuns(settings).start("check", [])
threading.Event().wait()
"""


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CommandRuns:
    """Each command runs the Python that it is given."""
    (tmp_path / "manage.py").write_text("import sys; exec(sys.argv[1])", "utf-8")
    monkeypatch.setattr("printsys.ops.command_runs.ROOT", tmp_path)
    return CommandRuns(
        Settings(
            storage=tmp_path / "storage",
            instance=tmp_path / "instance",
            lab_config=tmp_path / "lab.toml",
            secret_key="x" * 32,
        )
    )


@pytest.mark.parametrize("code", [0, 1, 2, 70])
def test_a_command_that_ends_by_itself_has_its_exit_code(runs: CommandRuns, code: int) -> None:
    runs.start("check", [f"import sys; print('a'); sys.exit({code})"])
    until(lambda: not runs.is_running("check"))
    run = present(runs.last("check"))
    assert (run.code, run.printed) == (code, ("a",)) and run.ended_at is not None


def test_one_that_is_stopped_was_interrupted_whatever_code_that_gives(runs: CommandRuns) -> None:
    """Windows says 1, and so may a command that sees the signal."""
    catching = f"import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(1)); {ENDLESS}"
    runs.start("prune", [catching])
    runs.start("check", ["print('done')"])
    until(lambda: not runs.is_running("check"))
    runs.stop()
    until(lambda: not runs.is_running("prune"))
    assert present(runs.last("prune")).code is None and present(runs.last("check")).code == 0


def test_nothing_is_started_once_the_pages_end(runs: CommandRuns) -> None:
    runs.stop()
    with pytest.raises(OSError, match="the pages are just ending"):
        runs.start("prune", [ENDLESS])
    assert not runs.is_running("prune") and runs.last("prune") is None


def test_none_outlives_pages_that_somebody_kills(tmp_path: Path) -> None:
    """It would go on while a new process of the pages says that it was interrupted."""
    (tmp_path / "manage.py").write_text(COMMAND.format(root=str(ROOT)), "utf-8")
    pages = subprocess.Popen([sys.executable, "-c", PAGES, str(tmp_path)], cwd=ROOT)
    try:
        until((tmp_path / "runs").exists)
        assert pages.poll() is None
        with pytest.raises(Timeout), FileLock(tmp_path / "lock", timeout=0):
            pass
    finally:
        pages.kill()
        pages.wait()
    with FileLock(tmp_path / "lock", timeout=120):
        pass


@pytest.mark.parametrize("command", ["print('done')", ENDLESS])
def test_a_file_that_it_uses_up_goes_with_its_end(runs: CommandRuns, tmp_path: Path, command: str) -> None:
    path = tmp_path / "list"
    path.touch()
    runs.start("prune", [command], used_up=path)
    if command == ENDLESS:
        runs.stop()
    until(lambda: not runs.is_running("prune"))
    assert not path.exists()
