"""Starts the system by itself at each log-on of this account. Each operating system has a way of its own, in a module
beside this one."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from printsys.errors import PrintSysError


@dataclass(frozen=True)
class ServedSystem:
    """What to start: `python manage.py run` in `root`, with `arguments` behind `run`."""

    root: Path
    instance: Path
    arguments: tuple[str, ...]


class Service(Protocol):
    """One operating system's way. All may raise PrintSysError."""

    def install(self, system: ServedSystem) -> None:
        """From the next log-on on. Replaces what was installed."""

    def starts(self, root: Path) -> bool | None:
        """Whether that is the system in `root`; None where nothing is installed."""

    def start(self) -> None:
        """Now, as a log-on would."""

    def stop(self) -> None:
        """What it started. Returns before that has ended."""

    def uninstall(self) -> None: ...


def service() -> Service:
    """This computer's. PrintSysError where the system has none yet."""
    if sys.platform == "win32":
        from printsys.ops.service_windows import ScheduledTask

        return ScheduledTask()
    raise PrintSysError(
        "`service` is for Windows for now. Here let the system's service manager call `python manage.py run`."
    )
