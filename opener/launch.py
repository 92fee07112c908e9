"""Starts a program on a file: by its whole path, never through a shell, on its own, with a clean environment."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from opener.slicers import Slicer

PATIENCE_S = 1.5
"""How long the opener watches whether a program fails at once (a missing library, a file that is no program)."""

_DIRTY = ("LD_", "DYLD_", "PYTHON", "_PYI", "_MEI", "TCL_", "TK_", "GTK_MODULES", "GIO_MODULE", "QT_PLUGIN_PATH",
          "PERL5", "RUBY", "NODE_OPTIONS", "BASH_ENV", "BASH_FUNC_", "GCONV_PATH", "VIRTUAL_ENV")  # fmt: skip
"""Beginnings of variables that make a program load foreign code, or that are meant for the opener's own Python."""


_PROBLEMS = {
    errno.ENOENT: "it is not there any more",
    errno.EACCES: "this account may not run it",
    errno.ENOEXEC: "it is no program that this computer can run",
}
"""Windows' own words for the last are `%1 is not a valid Win32 application`."""


def clean_environment(environ: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value for name, value in environ.items() if name != "ENV" and not name.upper().startswith(_DIRTY)
    }  # fmt: skip


def open_command(slicer: Slicer, file: Path, platform: str = sys.platform) -> list[str]:
    """The command that opens `file`, whose absolute path can never be read as an option."""
    if platform == "darwin" and slicer.path.suffix == ".app":
        return ["/usr/bin/open", "-a", str(slicer.path), str(file)]
    return [str(slicer.path), str(file)]


def show_command(file: Path, platform: str = sys.platform, environ: Mapping[str, str] = os.environ) -> list[str]:
    """The command that shows `file` in the file manager."""
    if platform == "win32":
        return [environ.get("SystemRoot", r"C:\Windows") + r"\explorer.exe", "/select,", str(file)]
    if platform == "darwin":
        return ["/usr/bin/open", "-R", str(file)]
    return ["/usr/bin/xdg-open", str(file.parent)]


def start(command: Sequence[str], environ: Mapping[str, str] = os.environ, patience_s: float = PATIENCE_S) -> str:
    """Starts `command` and lets it go. Returns "" or, where it failed at once, the problem."""
    if sys.platform == "win32":
        _forget_bundled_libraries()
        creation_flags = subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP
    else:
        creation_flags = 0
    try:
        process = subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=Path(command[0]).parent,
            env=clean_environment(environ),
            creationflags=creation_flags,
            start_new_session=True,
        )
    except OSError as error:
        return _PROBLEMS.get(error.errno or 0) or error.strerror or type(error).__name__
    try:
        code = process.wait(patience_s)
    except subprocess.TimeoutExpired:
        process.returncode = 0  # it outlives us on purpose: no warning about a child that still runs
        return ""
    # A slicer that hands the file to its window that is already open ends at once, with 0; so do open and xdg-open.
    return "" if code == 0 else f"it ended at once with code {code}"


def _forget_bundled_libraries() -> None:
    """PyInstaller points Windows' search for libraries at its own folder, which children would inherit.
    https://pyinstaller.org/en/stable/common-issues-and-pitfalls.html"""
    if sys.platform == "win32" and getattr(sys, "frozen", False):
        import ctypes

        ctypes.windll.kernel32.SetDllDirectoryW(None)
