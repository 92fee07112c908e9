"""`manage.py service`: what it asks of the operating system, and what it says."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from printsys.commands import service as command
from printsys.config import ROOT
from printsys.errors import PrintSysError
from printsys.ops import desktop
from printsys.ops.service import ServedSystem


class FakeService:
    """An operating system that notes what it is asked for."""

    occasion = "at each full moon"
    advice: str | None = None

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.system: ServedSystem | None = None

    def log(self, instance: Path) -> str:
        return str(instance / "logs" / "service.log")

    def install(self, system: ServedSystem) -> None:
        self.calls.append("install")
        self.system = system

    def starts(self, root: Path) -> bool | None:
        return None if self.system is None else self.system.root == root

    def start(self) -> None:
        self.calls.append("start")

    def stop(self) -> None:
        self.calls.append("stop")

    def uninstall(self) -> None:
        self.calls.append("uninstall")
        self.system = None


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeService:
    fake = FakeService()
    monkeypatch.setenv("PRINTSYS_STORAGE", str(tmp_path / "storage"))
    monkeypatch.setenv("PRINTSYS_INSTANCE", str(tmp_path / "instance"))
    monkeypatch.setattr(command, "service", lambda is_system: fake)
    monkeypatch.setattr(command, "START_PATIENCE_S", 0.1)
    monkeypatch.setattr(command, "STOP_PATIENCE_S", 0.1)
    return fake


def manage(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.run(parser.parse_args(arguments))


@contextlib.contextmanager
def running_copy(instance: Path) -> Iterator[None]:
    with FileLock(instance / "run.lock"):
        yield


def test_install_starts_the_system_with_the_options_of_run(
    manager: FakeService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(desktop, "running_address", lambda instance: "http://127.0.0.1:5001")
    assert manage("install", "--port", "5001") == 0
    assert manager.calls == ["install", "start"]
    arguments = ("--host", "127.0.0.1", "--port", "5001", "--storage", str(tmp_path / "storage"))
    assert manager.system == ServedSystem(ROOT, tmp_path / "instance", arguments)
    output = capsys.readouterr().out
    assert "The staff password is: " in output, "nobody would see it later"
    assert output.endswith("Ready: http://127.0.0.1:5001/\n")


def test_a_start_that_does_not_answer_points_to_the_log(
    manager: FakeService, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert manage("install") == 1
    assert str(tmp_path / "instance" / "logs" / "service.log") in capsys.readouterr().out


def test_install_beside_a_running_copy_leaves_that_one_alone(
    manager: FakeService, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "instance").mkdir()
    with running_copy(tmp_path / "instance"):
        assert manage("install") == 0
    assert manager.calls == ["install"]
    assert "A copy runs already" in capsys.readouterr().out


def test_it_is_stopped_and_started_by_hand(
    manager: FakeService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(PrintSysError, match="Nothing is installed here"):
        manage("stop")
    manager.system = ServedSystem(ROOT, tmp_path, ())
    assert manage("stop") == 0
    monkeypatch.setattr(desktop, "running_address", lambda instance: "http://127.0.0.1:5001")
    assert manage("start") == 0
    assert manager.calls == ["stop", "start"]
    assert capsys.readouterr().out == "It is stopped.\nReady: http://127.0.0.1:5001/\n"


def test_stopping_says_where_a_copy_goes_on(
    manager: FakeService, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manager.system = ServedSystem(ROOT, tmp_path, ())
    (tmp_path / "instance").mkdir()
    with running_copy(tmp_path / "instance"):
        assert manage("stop") == 1
    assert "It has not ended yet" in capsys.readouterr().out


@pytest.mark.parametrize("action", ["install", "uninstall", "start", "stop"])
def test_another_copy_s_log_on_is_left_alone(manager: FakeService, tmp_path: Path, action: str) -> None:
    manager.system = ServedSystem(tmp_path / "other copy", tmp_path, ())
    with pytest.raises(PrintSysError, match="Another copy of this system starts by itself here"):
        manage(action)
    assert manager.calls == []


def test_status_says_whether_it_is_installed_and_runs(
    manager: FakeService, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert manage("status", "--json") == 1
    summary = json.loads(capsys.readouterr().out)
    assert (summary["installed"], summary["running"], summary["address"]) == (False, False, None)
    manager.system = ServedSystem(ROOT, tmp_path, ())
    assert manage("status") == 0
    assert capsys.readouterr().out.startswith("The system starts at each full moon.\nIt does not answer now.\n")


def test_uninstall_stops_the_system_and_leaves_storage_alone(
    manager: FakeService, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "storage").mkdir()
    (tmp_path / "storage" / "file").touch()
    manager.system = ServedSystem(ROOT, tmp_path, ())
    assert manage("uninstall") == 0
    assert manager.calls == ["stop", "uninstall"]
    assert (tmp_path / "storage" / "file").exists()
    assert "still runs" not in capsys.readouterr().out
    assert manage("uninstall") == 0
    assert "nothing is left" in capsys.readouterr().out


def test_uninstall_says_that_a_copy_in_a_window_goes_on(
    manager: FakeService, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manager.system = ServedSystem(ROOT, tmp_path, ())
    (tmp_path / "instance").mkdir()
    with running_copy(tmp_path / "instance"):
        assert manage("uninstall") == 0
    assert "close that window" in capsys.readouterr().out


def test_install_names_what_else_there_is_to_do(
    manager: FakeService, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    manager.advice = "Howl."
    monkeypatch.setattr(desktop, "running_address", lambda instance: "http://127.0.0.1:5001")
    manage("install")
    assert "The system starts at each full moon from now on, without a window.\nHowl.\n" in capsys.readouterr().out


def test_this_system_has_a_service() -> None:
    assert command.service().occasion == "at each log-on of this account"


@pytest.mark.skipif(sys.platform == "linux", reason="Linux has such a service")
def test_elsewhere_a_service_of_the_whole_computer_is_refused() -> None:
    """PrintSysError is exit code 2: test_manage.py."""
    with pytest.raises(PrintSysError, match="`--system` is for Linux"):
        command.service(is_system=True)


def test_an_unknown_system_is_pointed_to_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "plan9")
    with pytest.raises(PrintSysError, match=r"Let it call `python manage\.py run`"):
        command.service()
