"""Starts the system by itself. Each operating system has a service manager of its own, in a module beside this one."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from printsys.errors import PrintSysError

PATIENCE_S = 90
"""Of one call. `systemctl stop` returns only when the system has ended."""


@dataclass(frozen=True)
class ServedSystem:
    """What to start: `python manage.py run` in `root`, with `arguments` behind `run`."""

    root: Path
    instance: Path
    arguments: tuple[str, ...]


class Service(Protocol):
    """One operating system's way. All methods may raise PrintSysError."""

    @property
    def occasion(self) -> str:
        """When it starts the system: "at each log-on of this account"."""

    @property
    def advice(self) -> str | None:
        """What a person may want to do after `install`, where there is anything."""

    def log(self, instance: Path) -> str:
        """Where one reads what the system printed: a path or a command."""

    def install(self, system: ServedSystem) -> None:
        """From the next such occasion on. Replaces what was installed; a copy that runs goes on."""

    def starts(self, root: Path) -> bool | None:
        """Whether that is the system in `root`; None where nothing is installed."""

    def start(self) -> None:
        """Now, as on the occasion itself."""

    def stop(self) -> None:
        """What it started. May return before that has ended."""

    def uninstall(self) -> None: ...


class ManagerRefused(PrintSysError):
    """The service manager did not do what it was asked for; with its own words."""


def as_utf_8(output: bytes) -> str:
    return output.decode("utf-8", "replace")


@dataclass(frozen=True)
class ManagerProgram:
    """The program by which one asks a service manager. ManagerRefused, PrintSysError where it does not run."""

    name: str
    title: str
    manager: str
    decode: Callable[[bytes], str] = as_utf_8

    def __call__(self, *arguments: str) -> str:
        """What it printed."""
        program = shutil.which(self.name)
        if program is None:
            raise PrintSysError(f"{self.title}, which asks {self.manager}, is not on PATH.")
        try:
            done = subprocess.run(
                [program, *arguments], stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE_S, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise PrintSysError(f"{self.title} does not run: {error}") from error
        if done.returncode != 0:
            printed = (self.decode(output).strip() for output in (done.stderr, done.stdout))
            raise ManagerRefused(
                f"{self.manager} refused: {next(filter(None, printed), f'exit code {done.returncode}')}"
            )
        return self.decode(done.stdout)
