"""What a double-click on start.bat adds to `run`: the pages in the browser, and a window that says what it is for."""

from __future__ import annotations

import contextlib
import http.client
import sys
import webbrowser
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

ADDRESS = "address"
"""File in instance/: where the running system serves."""
STAFF_PAGE = "/dashboard"
SW_MINIMIZE = 6
"""https://learn.microsoft.com/windows/win32/api/winuser/nf-winuser-showwindow"""
STD_INPUT_HANDLE, QUICK_EDIT_MODE, EXTENDED_FLAGS = -10, 0x0040, 0x0080
"""https://learn.microsoft.com/windows/console/setconsolemode"""


@contextlib.contextmanager
def published_address(instance: Path, url: str) -> Iterator[None]:
    """While the body runs, `running_address` of the same instance knows where the system serves."""
    file = instance / ADDRESS
    with contextlib.suppress(OSError):  # it only spares a second double-click the search
        file.write_text(url, "utf-8")
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            file.unlink()


def running_address(instance: Path) -> str | None:
    """Where another process serves this instance already, if it answers."""
    try:
        url = (instance / ADDRESS).read_text("utf-8").strip()
        address = urlsplit(url)
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=5)
        connection.request("GET", "/healthz")
        connection.getresponse()
        connection.close()
    except (OSError, ValueError, http.client.HTTPException):
        return None
    return url


def show_pages(url: str) -> None:
    """In the default browser; BROWSER names another program (https://docs.python.org/3/library/webbrowser.html)."""
    if not webbrowser.open(f"{url}{STAFF_PAGE}"):
        print(f"Open {url}{STAFF_PAGE} in a browser.", flush=True)


def make_clicks_harmless() -> None:
    """A click into a console window begins to select its text. Until that ends, all programs that print there wait, and
    the pages with them."""
    if sys.platform == "win32":
        import ctypes

        kernel32, mode = ctypes.windll.kernel32, ctypes.c_uint32()
        console = kernel32.GetStdHandle(STD_INPUT_HANDLE)
        if kernel32.GetConsoleMode(console, ctypes.byref(mode)):  # not where it is no console
            kernel32.SetConsoleMode(console, mode.value & ~QUICK_EDIT_MODE | EXTENDED_FLAGS)


def minimize_window() -> None:
    """The console window of this process, where it has one."""
    if sys.platform == "win32":
        import ctypes

        ctypes.windll.user32.ShowWindow(ctypes.windll.kernel32.GetConsoleWindow(), SW_MINIMIZE)
