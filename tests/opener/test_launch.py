"""Starts real programs, which report how they were started. Each is a script, with Python as the program: so it runs on
Windows, too."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from opener import launch
from opener.slicers import Slicer
from tests.waiting import until

REPORTS = """
import json, os, sys, time
session = os.getsid(0) if hasattr(os, "getsid") else os.getpid()
report = dict(arguments=sys.argv[1:], cwd=os.getcwd(), environ=dict(os.environ), session=session, pid=os.getpid())
with open(os.environ["SAYS"] + ".new", "w") as file:
    json.dump(report, file)
os.rename(os.environ["SAYS"] + ".new", os.environ["SAYS"])
time.sleep(float(os.environ["STAYS"]))
"""


SYSTEM = {name: os.environ[name] for name in ("SYSTEMROOT",) if name in os.environ}
"""What Python itself needs to start."""
FILE = Path("/lab/a b/c.stl")


@pytest.fixture
def program(tmp_path: Path) -> list[str]:
    """The beginning of a command."""
    path = tmp_path / "my slicer.py"
    path.write_text(REPORTS, "utf-8")
    return [sys.executable, str(path)]


def slicer(path: Path) -> Slicer:
    return Slicer("S", path, frozenset({".stl"}), frozenset())


def test_the_file_s_whole_path_is_the_one_argument() -> None:
    program = Path("/opt/my slicer")
    assert launch.open_command(slicer(program), FILE, "linux") == [str(program), str(FILE)]


def test_a_program_gets_its_arguments_as_they_are_and_lives_on_its_own(
    program: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OF_THE_BROWSER", "1")
    says = tmp_path / "says"
    environ = SYSTEM | {"SAYS": str(says), "STAYS": "60", "LD_PRELOAD": "", "PYTHONPATH": "/evil", "LANG": "C"}
    file = str(tmp_path / '-x "$(touch pwned)"; 50% 李.stl')
    assert launch.start([*program, file], environ, patience_s=0.1) == ""
    until(says.exists)
    report = json.loads(says.read_text("utf-8"))
    try:
        assert report["arguments"] == [file]
        assert Path(report["cwd"]).samefile(Path(program[0]).parent)
        assert report["session"] == report["pid"], "it does not end with the opener or the browser"
        assert report["environ"].keys() >= {"SAYS", "STAYS", "LANG"}
        assert not report["environ"].keys() & {"OF_THE_BROWSER", "LD_PRELOAD", "PYTHONPATH"}
    finally:
        os.kill(report["pid"], signal.SIGTERM)
        if sys.platform != "win32":
            os.waitpid(report["pid"], 0)


def test_a_program_that_hands_over_and_ends_well_is_well(program: list[str], tmp_path: Path) -> None:
    environ = SYSTEM | {"SAYS": str(tmp_path / "says"), "STAYS": "0"}
    assert launch.start([*program, "a"], environ, patience_s=60) == ""


def test_a_program_that_ends_at_once_badly_is_reported() -> None:
    command = [sys.executable, "-c", "raise SystemExit(127)"]
    assert launch.start(command, SYSTEM, patience_s=60) == "it ended at once with code 127"


@pytest.mark.parametrize("mode", [0o644, 0o755])
def test_what_is_no_program_is_reported(tmp_path: Path, mode: int) -> None:
    (tmp_path / "no program").write_bytes(b"\x7fELF nonsense")
    (tmp_path / "no program").chmod(mode)
    problem = launch.start([str(tmp_path / "no program")], {})
    assert problem in ("this account may not run it", "it is no program that this computer can run")


def test_a_program_that_is_gone_is_reported(tmp_path: Path) -> None:
    assert launch.start([str(tmp_path / "gone" / "slicer")], {}) == "it is not there any more"


def test_what_makes_programs_load_foreign_code_is_taken_away() -> None:
    bad = ["LD_PRELOAD", "LD_LIBRARY_PATH", "DYLD_INSERT_LIBRARIES", "PYTHONHOME", "_PYI_ARCHIVE_FILE", "_MEIPASS2",
           "BASH_ENV", "ENV", "BASH_FUNC_ls%%", "QT_PLUGIN_PATH", "GTK_MODULES"]  # fmt: skip
    clean = launch.clean_environment(dict.fromkeys([*bad, "PATH", "HOME", "DISPLAY", "LANG", "APPDATA"], "x"))
    assert set(clean) == {"PATH", "HOME", "DISPLAY", "LANG", "APPDATA"}


def test_a_bundle_is_opened_by_macos() -> None:
    bundle = Path("/Applications/PrusaSlicer.app")
    assert launch.open_command(slicer(bundle), FILE, "darwin") == ["/usr/bin/open", "-a", str(bundle), str(FILE)]


@pytest.mark.parametrize(
    ("platform", "command"),
    [
        ("linux", ["/usr/bin/xdg-open", str(FILE.parent)]),
        ("darwin", ["/usr/bin/open", "-R", str(FILE)]),
        ("win32", [r"D:\Windows\explorer.exe", "/select,", str(FILE)]),
    ],
)
def test_each_system_s_file_manager_shows_the_file(platform: str, command: list[str]) -> None:
    assert launch.show_command(FILE, platform, {"SystemRoot": r"D:\Windows"}) == command


def test_explorer_gets_the_file_behind_its_option() -> None:
    command = launch.show_command(FILE, "win32", {})
    assert subprocess.list2cmdline(command) == rf'C:\Windows\explorer.exe /select, "{FILE}"'
