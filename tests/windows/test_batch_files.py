"""start.bat and register.bat as a double-click runs them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from printsys.ops.shutdown import SUPERVISED
from tests.commands.fake_browser import FakeBrowser
from tests.running_system import free_port
from tests.waiting import until

ROOT = Path(__file__).resolve().parents[2]
PYTHON = Path(getattr(sys, "_base_executable", sys.executable)).parent
"""The folder of a Python that a person installed, without what `.venv` has."""
SYSTEM_ONLY = {**os.environ, "PATH": rf"{os.environ.get('SYSTEMROOT', '')}\system32"}
WITH_PYTHON = SYSTEM_ONLY | {"PATH": f"{SYSTEM_ONLY['PATH']};{PYTHON}"}


def call(*command: str, environment: Mapping[str, str]) -> tuple[int, str]:
    """From another folder, with nobody at the keyboard: the exit code and the output."""
    done = subprocess.run(
        ["cmd", "/c", *command],
        cwd=os.environ["SYSTEMROOT"],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        timeout=300,
        check=False,
    )
    return done.returncode, done.stdout


def test_start_bat_starts_the_system_and_shows_it(tmp_path: Path) -> None:
    browser, port, log = FakeBrowser(tmp_path), free_port(), tmp_path / "log"
    environment = WITH_PYTHON | {
        "PRINTSYS_STORAGE": str(tmp_path / "storage"),
        "PRINTSYS_INSTANCE": str(tmp_path / "instance"),
        "BROWSER": browser.variable,
        SUPERVISED: "1",  # so it ends with its standard input: no test can click a window's cross
    }
    command = ["cmd", "/c", str(ROOT / "start.bat"), "--port", str(port)]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=tmp_path, env=environment, stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT
        )
    assert process.stdin is not None
    until(lambda: bool(browser.shown) or process.poll() is not None, 300)
    text = log.read_text("utf-8", "replace")
    assert f"Ready: http://127.0.0.1:{port}/" in text
    assert "Close this window to stop the system." in text
    assert browser.shown == [f"http://127.0.0.1:{port}/dashboard"]
    process.stdin.close()
    assert process.wait(120) == 0, log.read_text("utf-8", "replace")
    assert "Stopped." in log.read_text("utf-8", "replace")


def test_start_bat_stays_open_and_says_so_when_the_system_cannot_start() -> None:
    code, text = call(str(ROOT / "start.bat"), "--port", "99999", environment=WITH_PYTHON)
    assert code == 2, text
    assert "99999 is no port" in text
    assert "The system does not run. The lines above say why." in text


def test_without_a_python_it_says_where_to_get_one() -> None:
    for name in ("start.bat", "register.bat"):
        code, text = call(str(ROOT / name), environment=SYSTEM_ONLY)
        assert code == 2, text
        assert "Python 3.11 or newer is not installed" in text and "https://www.python.org/downloads/windows/" in text


def test_register_bat_without_an_answer_registers_nothing() -> None:
    code, text = call(str(ROOT / "register.bat"), environment=WITH_PYTHON)
    assert code == 1, text
    assert "Nothing was registered." in text
