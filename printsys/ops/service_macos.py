"""macOS: an agent of launchd that belongs to this account, for which nobody needs to be an administrator."""

from __future__ import annotations

import contextlib
import os
import plistlib
import sys
from pathlib import Path
from typing import Any
from xml.parsers.expat import ExpatError

from printsys.errors import PrintSysError
from printsys.ops import windowless
from printsys.ops.service import ManagerProgram, ManagerRefused, ServedSystem

LABEL = "org.printlab.jobsystem"
launchctl = ManagerProgram("launchctl", "launchctl", "launchd")


def agent(system: ServedSystem, python: Path) -> dict[str, Any]:
    """What the agent's file says: launchd.plist(5).

    What it sets against the defaults: launchd would not start it again after a crash, would kill it after 20 seconds
    when the account logs off, and would hold back its processor and disk.
    """
    log = str(windowless.log_file(system.instance))
    return {
        "Label": LABEL,
        "ProgramArguments": [str(python), str(system.root / "manage.py"), "run", *system.arguments],
        "WorkingDirectory": str(system.root),
        "EnvironmentVariables": {"PRINTSYS_INSTANCE": str(system.instance)},
        "RunAtLoad": True,
        "KeepAlive": {"SuccessfulExit": False},
        "ThrottleInterval": 10,
        "ExitTimeOut": 60,
        "ProcessType": "Interactive",
        "StandardOutPath": log,
        "StandardErrorPath": log,
    }


class LaunchAgent:
    occasion = "at each log-on of this account"
    advice = None

    def __init__(self) -> None:
        self.file = Path.home() / "Library" / "LaunchAgents" / f"{LABEL}.plist"
        self.domain = f"gui/{os.getuid()}" if sys.platform != "win32" else "gui"

    def log(self, instance: Path) -> str:
        return str(windowless.log_file(instance))

    def install(self, system: ServedSystem) -> None:
        try:
            windowless.log_file(system.instance).parent.mkdir(parents=True, exist_ok=True)
            self.file.parent.mkdir(parents=True, exist_ok=True)
            self.file.write_bytes(plistlib.dumps(agent(system, Path(sys.executable))))
        except OSError as error:
            raise PrintSysError(f"{self.file} cannot be written: {error.strerror}.") from error

    def starts(self, root: Path) -> bool | None:
        try:
            written = plistlib.loads(self.file.read_bytes())
        except FileNotFoundError:
            return None
        except (plistlib.InvalidFileException, ExpatError):  # somebody's edit
            return False
        return bool(written.get("WorkingDirectory") == str(root))

    def start(self) -> None:
        """An agent that launchd knows already, and whose system ended in order, is one that it has to take up again."""
        self.stop()
        launchctl("bootstrap", self.domain, str(self.file))

    def stop(self) -> None:
        with contextlib.suppress(ManagerRefused):  # it does not run
            launchctl("bootout", f"{self.domain}/{LABEL}")

    def uninstall(self) -> None:
        self.file.unlink(missing_ok=True)
