"""`manage.py test --windows` on Linux: it says when no test ran there, and whatever hangs ends."""

from __future__ import annotations

import sys
from pathlib import Path

import psutil
import pytest

from tests.waiting import until
from tests.windows import lane
from tests.windows.bounded import TIMED_OUT, run_bounded

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the lane is run from Linux")


def shell(text: str) -> list[str]:
    return ["sh", "-c", text]


def test_what_a_hung_run_started_is_killed_with_it(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """Also what left its process group, as wine's processes may."""
    code = run_bounded(shell("setsid sleep 600 & echo $! > pid; echo started; sleep 600"), tmp_path, 15)
    assert code == TIMED_OUT
    process_id = int((tmp_path / "pid").read_text("utf-8"))
    until(lambda: not psutil.pid_exists(process_id) or psutil.Process(process_id).status() == psutil.STATUS_ZOMBIE)
    output, errors = capfdbinary.readouterr()
    assert (output, errors) == (b"started\n", b"sh did not end within 15 s and was killed.\n")


def test_lines_are_printed_and_the_exit_code_is_the_command_s(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    lines: list[bytes] = []
    assert run_bounded(shell("echo one; echo two >&2; exit 3"), tmp_path, 60, lines.append) == 3
    assert capfdbinary.readouterr().out == b"one\ntwo\n" and lines == [b"one\n", b"two\n"]


def test_without_a_lane_it_fails_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(lane, "LANE", tmp_path / "winlane")
    monkeypatch.setattr(lane, "SETUP", tmp_path / "setup.sh")
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert lane.run([]) == 2
    assert "Windows: no tests ran. There is no Windows lane in" in capsys.readouterr().err


def test_a_set_up_that_fails_is_tried_three_times(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each time it leaves what an interrupted set-up leaves."""
    monkeypatch.setattr(lane, "LANE", tmp_path / "winlane")
    monkeypatch.setattr(lane, "SETUP", tmp_path / "setup.sh")
    monkeypatch.setattr("os.geteuid", lambda: 0)
    lane.SETUP.write_text(f'mkdir -p "$1/build"; touch "$1/winpy"; echo "$1" >> {tmp_path}/calls; exit 1', "utf-8")
    assert lane.run([]) == 2
    assert (tmp_path / "calls").read_text("utf-8").splitlines() == [str(tmp_path / "winlane")] * 3
    assert "After 3 attempts the Windows lane could not be set up" in capsys.readouterr().err
