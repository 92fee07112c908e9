"""A desk in the lab: a screen (Xvfb), an account with the opener installed, PrusaSlicer as after its first start."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.opener.commands import Home, new_home
from tests.waiting import until

PROGRAMS = ("Xvfb", "xdotool", "localedef", "xdg-open", "xdg-mime", "prusa-slicer")
MAIN_WINDOW = "PrusaSlicer-"

_PRINTER = "printer_technology = FFF\nprinter_settings_id = Lab\n"
_SETTINGS = """\
version = 2.5.0
version_system_info_sent = 2.5.0
show_splash_screen = 0
show_hints = 0
notify_release = none
preset_update = 0

[presets]
printer = Lab
"""


@dataclass
class FakeDesktop:
    """`environ` is what every program here is started with."""

    home: Home

    @property
    def environ(self) -> dict[str, str]:
        return self.home.environ

    def follow(self, link: str) -> None:
        """What a browser does on Linux when a link of ours is clicked."""
        with self.following(link) as opening:
            assert opening.wait(60) == 0

    @contextmanager
    def following(self, link: str, **environ: str) -> Iterator[subprocess.Popen[bytes]]:
        """The same, where a window of the opener must be closed before it ends."""
        with subprocess.Popen(["xdg-open", link], env=self.environ | environ, cwd=self.home.path) as opening:
            yield opening
            opening.wait(60)

    @property
    def log(self) -> str:
        log = self.home.config / "opener.log"
        return log.read_text("utf-8") if log.exists() else ""

    def windows(self, name: str) -> list[str]:
        """Ids of the visible windows whose title has `name` in it."""
        return self._xdotool("search", "--onlyvisible", "--name", name).split()

    def press(self, window: str, *keys: str) -> None:
        # There is no window manager that would give a new window the keyboard.
        self._xdotool("windowfocus", window)
        self._xdotool("key", *keys)

    def _xdotool(self, *arguments: str) -> str:
        result = subprocess.run(
            ["xdotool", *arguments], env=self.environ, capture_output=True, encoding="utf-8", timeout=60, check=False
        )
        return result.stdout


def running(*command: str) -> list[int]:
    """Processes that were started as exactly this command."""
    return [pid for pid in _processes() if _command(pid) == command]


def _processes() -> Iterator[int]:
    yield from (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())


def _command(pid: int) -> tuple[str, ...]:
    try:
        return tuple(os.fsdecode(Path(f"/proc/{pid}/cmdline").read_bytes()).split("\0")[:-1])
    except OSError:  # it ended in between
        return ()


@contextmanager
def screen() -> Iterator[str]:
    """The name of a new screen."""
    read, write = os.pipe()
    command = ["Xvfb", "-displayfd", str(write), "-screen", "0", "1280x900x24", "-nolisten", "tcp"]
    server = subprocess.Popen(command, pass_fds=[write], stderr=subprocess.DEVNULL)
    os.close(write)
    try:
        with os.fdopen(read) as display:
            yield f":{display.readline().strip()}"
    finally:
        server.terminate()
        server.wait(30)


@contextmanager
def fake_desktop(folder: Path, storage: Path) -> Iterator[FakeDesktop]:
    """Programs that use the screen end with it; at the end waits for those that have a file of storage open."""
    home = new_home(folder / "desk")
    home.environ |= {"LANG": "en_US.UTF-8", "LC_ALL": "en_US.UTF-8", "LOCPATH": str(_english(folder))}
    home.environ["LIBGL_ALWAYS_SOFTWARE"] = "1"
    _set_up_prusa_slicer(home)
    try:
        with screen() as display:
            home.environ["DISPLAY"] = display
            result = home.opener("install", "--storage", str(storage))
            assert result.returncode == 0, result.stderr
            yield FakeDesktop(home)
    finally:
        _end_what_has_open(storage)


def _english(folder: Path) -> Path:
    """PrusaSlicer wants a locale that a small Debian does not have."""
    locales = folder / "locales"
    locales.mkdir()
    subprocess.run(["localedef", "-i", "en_US", "-f", "UTF-8", str(locales / "en_US.UTF-8")], check=True)
    return locales


def _set_up_prusa_slicer(home: Home) -> None:
    """Without a printer of its own it begins with a wizard in front of everything."""
    folder = home.path / ".config" / "PrusaSlicer"
    (folder / "printer").mkdir(parents=True)
    (folder / "printer" / "Lab.ini").write_text(_PRINTER, "utf-8")
    (folder / "PrusaSlicer.ini").write_text(_SETTINGS, "utf-8")


def _end_what_has_open(storage: Path) -> None:
    def running_pids() -> list[int]:
        return [pid for pid in _processes() if any(arg.startswith(f"{storage}{os.sep}") for arg in _command(pid)[1:])]

    for pid in running_pids():
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    until(lambda: not running_pids())
