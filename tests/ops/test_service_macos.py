"""macOS' agent: its property list read back, and the calls of launchctl, for which a stand-in is on PATH."""

from __future__ import annotations

import os
import plistlib
import sys
from pathlib import Path

import pytest

from printsys.errors import PrintSysError
from printsys.ops.service import ServedSystem
from printsys.ops.service_macos import LABEL, LaunchAgent

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a shell script")
STAND_IN = """#!/bin/sh
echo "$@" >> "$LAUNCHCTL_CALLS"
case "$1" in
bootstrap) [ -e "$LAUNCHCTL_CALLS.loaded" ] && { echo "Bootstrap failed: 5: Input/output error" >&2; exit 5; }
    touch "$LAUNCHCTL_CALLS.loaded";;
bootout) rm "$LAUNCHCTL_CALLS.loaded" 2>/dev/null || { echo "Boot-out failed: 3: No such process" >&2; exit 3; };;
*) echo "Unrecognized subcommand: $1" >&2; exit 64;;
esac
"""
"""Takes what the real one documents, and no more: https://keith.github.io/xcode-man-pages/launchctl.1.html"""
SCHEMA = {
    "Label": str, "ProgramArguments": list, "WorkingDirectory": str, "EnvironmentVariables": dict, "RunAtLoad": bool,
    "KeepAlive": dict, "ThrottleInterval": int, "ExitTimeOut": int, "ProcessType": str, "StandardOutPath": str,
    "StandardErrorPath": str,
}  # fmt: skip
"""The types of launchd.plist(5): https://keith.github.io/xcode-man-pages/launchd.plist.5.html"""


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A line for each call of launchctl."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "launchctl").write_text(STAND_IN, "utf-8")
    (tmp_path / "bin" / "launchctl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("LAUNCHCTL_CALLS", str(tmp_path / "calls"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path / "calls"


def example(root: Path) -> ServedSystem:
    return ServedSystem(root, root / "instance", ("--port", "5000", "--storage", str(root / "the jobs")))


@pytest.mark.parametrize("name", ["print lab", "José & <Ñandú>", "李明"])
def test_the_property_list_says_what_launchd_starts(calls: Path, tmp_path: Path, name: str) -> None:
    root = tmp_path / name
    LaunchAgent().install(example(root))
    written = plistlib.loads((tmp_path / "home" / "Library" / "LaunchAgents" / f"{LABEL}.plist").read_bytes())
    assert {key: type(value) for key, value in written.items()} == SCHEMA
    assert written["ProgramArguments"] == [
        sys.executable, str(root / "manage.py"), "run", "--port", "5000", "--storage", str(root / "the jobs"),
    ]  # fmt: skip
    assert written["EnvironmentVariables"] == {"PRINTSYS_INSTANCE": str(root / "instance")}
    assert written["KeepAlive"] == {"SuccessfulExit": False}, (
        "ended in order it stays down, after a crash it comes back"
    )
    assert Path(written["StandardOutPath"]).parent.is_dir(), "launchd makes no folder"
    assert (LaunchAgent().starts(root), LaunchAgent().starts(tmp_path)) == (True, False)


def test_it_is_started_again_whether_or_not_launchd_has_it(calls: Path, tmp_path: Path) -> None:
    agent = LaunchAgent()
    agent.install(example(tmp_path))
    assert not calls.exists(), "a copy that runs goes on"
    agent.start()
    agent.start()
    domain = f"gui/{os.getuid()}"
    assert calls.read_text("utf-8").splitlines()[-2:] == [
        f"bootout {domain}/{LABEL}",
        f"bootstrap {domain} {agent.file}",
    ]


def test_nothing_is_left_of_it(calls: Path, tmp_path: Path) -> None:
    agent = LaunchAgent()
    assert agent.starts(tmp_path) is None
    agent.install(example(tmp_path))
    agent.start()
    agent.stop()
    agent.uninstall()
    assert agent.starts(tmp_path) is None and not agent.file.exists()
    agent.stop()


def test_a_damaged_list_is_another_copy_s(calls: Path, tmp_path: Path) -> None:
    agent = LaunchAgent()
    agent.file.parent.mkdir(parents=True)
    for damaged in (b"", b"<plist", b"\x00\xff"):
        agent.file.write_bytes(damaged)
        assert agent.starts(tmp_path) is False


def test_a_refusal_comes_with_launchd_s_own_words(calls: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    agent = LaunchAgent()
    agent.install(example(tmp_path))
    (tmp_path / "bin" / "launchctl").write_text(
        "#!/bin/sh\necho 'Not privileged to set domain.' >&2; exit 1\n", "utf-8"
    )
    with pytest.raises(PrintSysError, match=r"launchd refused: Not privileged to set domain\."):
        agent.start()
