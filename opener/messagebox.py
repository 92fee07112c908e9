"""A message box without tkinter, which Debian and others do not install with Python: a refusal must still be seen."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

from opener.dialogs import TITLE, ConsoleDialogs


class MessageBox(ConsoleDialogs):
    """Shows a box of the system's own; asks nothing."""

    def tell(self, text: str) -> None:
        super().tell(text)
        if sys.platform == "win32":
            import ctypes

            ctypes.windll.user32.MessageBoxW(None, text, TITLE, 0x10)
        elif command := box_command(text):
            subprocess.run(command, check=False)


def box_command(text: str) -> list[str] | None:
    """The first of the usual helpers that is installed; None without one or without a screen."""
    if sys.platform == "darwin":
        return ["/usr/bin/osascript", "-e", "on run a", "-e", "display alert (item 1 of a)", "-e", "end run", text]
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return None
    commands = (
        ["zenity", "--error", "--no-markup", f"--title={TITLE}", f"--text={text}"],
        ["kdialog", "--title", TITLE, "--error", text],
        ["xmessage", "-center", text],
        ["notify-send", TITLE, text],
    )
    return next((command for command in commands if shutil.which(command[0])), None)
