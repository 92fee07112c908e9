"""Starts real programs, which report how they were started."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from opener import launch
from opener.slicers import Slicer
from tests.waiting import until

REPORTS = f"""#!{sys.executable}
import json, os, sys, time
report = dict(arguments=sys.argv[1:], cwd=os.getcwd(), environ=dict(os.environ), session=os.getsid(0), pid=os.getpid())
with open(os.environ["SAYS"] + ".new", "w") as file:
    json.dump(report, file)
os.rename(os.environ["SAYS"] + ".new", os.environ["SAYS"])
time.sleep(float(os.environ["STAYS"]))
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "my slicer"
    path.write_text(REPORTS)
    path.chmod(0o755)
    return path


def slicer(path: Path) -> Slicer:
    return Slicer("S", path, frozenset({".stl"}), frozenset())


def test_a_program_gets_the_path_as_one_argument_and_lives_on_its_own(program: Path, tmp_path: Path) -> None:
    says = tmp_path / "says"
    environ = {"SAYS": str(says), "STAYS": "60", "LD_PRELOAD": "", "PYTHONPATH": "/evil", "LANG": "C"}
    file = tmp_path / '-x "$(touch pwned)"; a.stl'
    assert launch.start(launch.open_command(slicer(program), file, "linux"), environ, patience_s=0.1) == ""
    until(says.exists)
    report = json.loads(says.read_text())
    try:
        assert report["arguments"] == [str(file)]
        assert report["cwd"] == str(tmp_path)
        assert report["session"] == report["pid"], "it does not end with the opener or the browser"
        assert report["environ"].keys() - {"LC_CTYPE"} == {"SAYS", "STAYS", "LANG"}
    finally:
        os.kill(report["pid"], 9)
        os.waitpid(report["pid"], 0)


def test_a_program_that_hands_over_and_ends_well_is_well(program: Path, tmp_path: Path) -> None:
    assert launch.start([str(program), "a"], {"SAYS": str(tmp_path / "says"), "STAYS": "0"}, patience_s=60) == ""


def test_a_program_that_ends_at_once_badly_is_reported(tmp_path: Path) -> None:
    script = tmp_path / "broken"
    script.write_text("#!/bin/sh\nexit 127\n")
    script.chmod(0o755)
    assert launch.start([str(script)], {}, patience_s=60) == "it ended at once with code 127"


@pytest.mark.parametrize("mode", [0o644, 0o755])
def test_what_is_no_program_is_reported(tmp_path: Path, mode: int) -> None:
    (tmp_path / "no program").write_bytes(b"\x7fELF nonsense")
    (tmp_path / "no program").chmod(mode)
    problem = launch.start([str(tmp_path / "no program")], {})
    assert problem in ("Permission denied", "Exec format error")


def test_a_program_that_is_gone_is_reported(tmp_path: Path) -> None:
    assert launch.start([str(tmp_path / "gone" / "slicer")], {}) == "No such file or directory"


def test_what_makes_programs_load_foreign_code_is_taken_away() -> None:
    bad = ["LD_PRELOAD", "LD_LIBRARY_PATH", "DYLD_INSERT_LIBRARIES", "PYTHONHOME", "_PYI_ARCHIVE_FILE", "_MEIPASS2",
           "BASH_ENV", "ENV", "BASH_FUNC_ls%%", "QT_PLUGIN_PATH", "GTK_MODULES"]  # fmt: skip
    clean = launch.clean_environment(dict.fromkeys([*bad, "PATH", "HOME", "DISPLAY", "LANG", "APPDATA"], "x"))
    assert set(clean) == {"PATH", "HOME", "DISPLAY", "LANG", "APPDATA"}


def test_a_bundle_is_opened_by_macos() -> None:
    command = launch.open_command(slicer(Path("/Applications/PrusaSlicer.app")), Path("/lab/a.stl"), "darwin")
    assert command == ["/usr/bin/open", "-a", "/Applications/PrusaSlicer.app", "/lab/a.stl"]


@pytest.mark.parametrize(
    ("platform", "command"),
    [
        ("linux", ["/usr/bin/xdg-open", "/lab/a b"]),
        ("darwin", ["/usr/bin/open", "-R", "/lab/a b/c.stl"]),
        ("win32", [r"D:\Windows\explorer.exe", "/select,", "/lab/a b/c.stl"]),
    ],
)
def test_each_system_s_file_manager_shows_the_file(platform: str, command: list[str]) -> None:
    assert launch.show_command(Path("/lab/a b/c.stl"), platform, {"SystemRoot": r"D:\Windows"}) == command


def test_explorer_gets_the_file_behind_its_option() -> None:
    command = launch.show_command(Path("/lab/a b/c.stl"), "win32", {})
    assert subprocess.list2cmdline(command) == r'C:\Windows\explorer.exe /select, "/lab/a b/c.stl"'
