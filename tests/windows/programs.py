"""What other programs on a Windows desktop do to files: hold them open in each share mode, look at each new one."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

GENERIC_READ = 0x80000000
OPEN_EXISTING = 3
SHARE_NONE, SHARE_READ, SHARE_WRITE, SHARE_DELETE = 0, 1, 2, 4
SHARE_ALL = SHARE_READ | SHARE_WRITE | SHARE_DELETE
WM_CLOSE = 0x0010
INVALID_HANDLE = ctypes.c_void_p(-1).value


def _kernel32() -> Any:
    library: Any = getattr(ctypes, "windll").kernel32  # noqa: B009  only Windows has it
    library.CreateFileW.restype = ctypes.c_void_p
    return library


class OpenFile:
    """A file that another program has open for reading; `share` says what it lets others do meanwhile."""

    def __init__(self, path: Path, share: int) -> None:
        self._kernel32 = _kernel32()
        handle = self._kernel32.CreateFileW(str(path), GENERIC_READ, share, None, OPEN_EXISTING, 0, None)
        if handle in (None, INVALID_HANDLE):
            raise OSError(f"{path} could not be opened")
        self._handle: int | None = handle

    def close(self) -> None:
        if self._handle is not None:
            self._kernel32.CloseHandle(ctypes.c_void_p(self._handle))
            self._handle = None


@contextlib.contextmanager
def held_open(path: Path, share: int = SHARE_READ) -> Iterator[OpenFile]:
    opened = OpenFile(path, share)
    try:
        yield opened
    finally:
        opened.close()


def close_after(opened: OpenFile, seconds: float) -> threading.Timer:
    """Close it from another thread, as a virus scanner does when it has looked."""
    timer = threading.Timer(seconds, opened.close)
    timer.start()
    return timer


@contextlib.contextmanager
def virus_scanner(root: Path, seconds: float = 0.4) -> Iterator[list[str]]:
    """Open every file that appears below `root` for `seconds`, sharing everything. Yields the files it looked at."""
    stop, looked_at = threading.Event(), list[str]()

    def scan(path: str) -> None:
        with contextlib.suppress(OSError):
            opened = OpenFile(Path(path), SHARE_ALL)
            time.sleep(seconds)
            opened.close()

    def watch() -> None:
        while not stop.wait(0.005):
            for folder, _folders, names in os.walk(root):
                for name in names:
                    path = os.path.join(folder, name)
                    if path not in looked_at:
                        looked_at.append(path)
                        threading.Thread(target=scan, args=(path,), daemon=True).start()

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield looked_at
    finally:
        stop.set()
        watcher.join()


def is_wine() -> bool:
    """Whether this "Windows" is wine, which says so itself."""
    return hasattr(getattr(ctypes, "windll").ntdll, "wine_get_version")  # noqa: B009


def close_window(title: str) -> bool:
    """Close a window as a person does by its cross. False where none has that title."""
    user32: Any = getattr(ctypes, "windll").user32  # noqa: B009
    user32.FindWindowW.restype = ctypes.c_void_p
    window = user32.FindWindowW(None, title)
    return bool(window and user32.PostMessageW(ctypes.c_void_p(window), WM_CLOSE, None, None))


def press_ctrl_c(pid: int, word: str) -> None:
    """Interrupt a Python that was started in a process group of its own, and has `word` among its arguments."""
    if not is_wine():
        os.kill(pid, getattr(signal, "CTRL_BREAK_EVENT"))  # noqa: B009  only Windows has it
        return
    # Wine has no console here, but it hands a Linux signal on as Ctrl-C.
    for process in Path(r"Z:\proc").iterdir():
        if process.name.isdigit() and _is_interpreter(process, word):
            with contextlib.suppress(OSError):  # wine knows no handle of a Linux program, and starts it all the same
                subprocess.run([r"Z:\bin\sh", "-c", f"kill -INT {process.name}"], check=False)


def _is_interpreter(process: Path, word: str) -> bool:
    """Not the launcher in a .venv's Scripts, which leaves the signal to its child."""
    try:
        words = (process / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")
    except OSError:  # it has just ended
        return False
    return "python.exe" in words[0] and "\\Scripts\\" not in words[0] and word in words and "run" in words
