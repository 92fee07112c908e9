"""How the processes of `manage.py run` end together, on every system alike.

A child's standard input is a pipe from the supervisor. When that closes, because the supervisor stops its children or
because it died, the child ends. Ctrl-C at the terminal reaches the supervisor alone.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
from collections.abc import Callable

SUPERVISED = "PRINTSYS_SUPERVISED"
ENDS_WITH_PARENT = "PRINTSYS_ENDS_WITH_PARENT"
"""In the environment of a process whose standard input is such a pipe, and which may be interrupted anywhere."""
STOP_REQUEST = b"stop\n"
"""A supervisor writes this before it closes the pipe, unless it dies."""
CLOSING = {2, 5, 6}
"""CTRL_CLOSE_EVENT, CTRL_LOGOFF_EVENT and CTRL_SHUTDOWN_EVENT: Windows ends the process when its handler returns, or
after some seconds (https://learn.microsoft.com/windows/console/handlerroutine)."""


class StopEvent(threading.Event):
    """Set when this process should end. `is_orphan`: because its supervisor died."""

    is_orphan = False


def stop_event() -> StopEvent:
    stop = StopEvent()

    def end(is_orphan: bool) -> None:
        stop.is_orphan = is_orphan
        stop.set()

    on_shutdown(end)
    return stop


def on_shutdown(end: Callable[[bool], object]) -> None:
    """Call `end(is_orphan)`, from another thread, when this process should end: its supervisor asks for it or died, or,
    where a person started it, Ctrl-C, SIGTERM or a closed terminal. It may be called more than once."""

    def end_by_signal(*_: object) -> None:
        # Not in the handler itself: the main thread may be inside a lock that `end` wants.
        threading.Thread(target=end, args=(False,), daemon=True).start()

    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, end_by_signal)
    if sys.platform == "win32":
        _handle_closing_console(console_handler(end, is_supervised=bool(os.environ.get(SUPERVISED))))
    if os.environ.get(SUPERVISED):
        for name in ("SIGINT", "SIGBREAK"):
            if (number := getattr(signal, name, None)) is not None:
                signal.signal(number, signal.SIG_IGN)
        threading.Thread(target=_watch_supervisor, args=(end,), daemon=True, name="shutdown").start()


def end_with_parent() -> None:
    """From now on this process ends, wherever it is, when the one that started it has died."""
    end = threading.Thread(target=_watch_supervisor, args=(lambda _: os._exit(2),), daemon=True, name="shutdown")
    end.start()


def console_handler(end: Callable[[bool], object], is_supervised: bool) -> Callable[[int], bool]:
    """What Windows calls, in a thread of its own, when the console window closes or the user logs off.

    It returns only with the process itself, so that the system has the time to end in order. A supervised process
    waits for its supervisor, which has the same console.
    """

    def handle(event: int) -> bool:
        if event not in CLOSING:
            return False
        if not is_supervised:
            end(False)
        threading.Event().wait()
        return True

    return handle


_console_handlers: list[object] = []
"""Windows keeps only their addresses."""


def _handle_closing_console(handler: Callable[[int], bool]) -> None:
    if sys.platform != "win32":
        return
    routine = ctypes.WINFUNCTYPE(ctypes.c_int, ctypes.c_uint)(handler)
    _console_handlers.append(routine)
    ctypes.WinDLL("kernel32").SetConsoleCtrlHandler(routine, 1)


def _watch_supervisor(end: Callable[[bool], object]) -> None:
    is_orphan = True
    while data := os.read(sys.stdin.fileno(), 4096):
        is_orphan = is_orphan and STOP_REQUEST not in data
    end(is_orphan)
