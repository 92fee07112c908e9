"""Registers the opener for the dashboard's links: for this person only, without an administrator."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol


class Registration(Protocol):
    """One system's way. `command` is what the system calls, with the link behind it. All may raise Refused."""

    def install(self, command: Sequence[str]) -> None: ...

    def uninstall(self) -> bool:
        """Leaves nothing behind. Returns False where nothing was registered."""

    def registered(self) -> dict[str, str | None]:
        """What the system would call for each of `url.SCHEMES`, as the system has it; None where it has nothing."""

    def expected(self, command: Sequence[str]) -> str:
        """What `registered` says where `command` is registered."""


def registration() -> Registration:
    if sys.platform == "win32":
        from opener import registry
        from opener.registration_windows import WindowsRegistration

        return WindowsRegistration(registry.real())
    if sys.platform == "darwin":
        from opener.registration_macos import MacRegistration

        return MacRegistration(Path.home())
    from opener.registration_linux import LinuxRegistration

    return LinuxRegistration(os.environ)


def own_command(
    executable: str = sys.executable, frozen: bool = bool(getattr(sys, "frozen", False)), platform: str = sys.platform
) -> list[str]:
    """The command by which the system calls this very opener with a link.

    `-I` keeps PYTHON* variables and the folder that the browser runs in from changing what Python imports; what stands
    behind `--` is never an option, whatever the link holds.
    """
    if frozen:
        return [executable, "open", "--"]
    if platform == "win32":
        windowless = Path(executable).with_name("pythonw.exe")  # no black window flashes up
        executable = str(windowless) if windowless.is_file() else executable
    return [executable, "-I", str(Path(__file__).resolve().with_name("__main__.py")), "open", "--"]
