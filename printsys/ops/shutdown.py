"""How the processes of `manage.py run` end together, on every system alike.

A child's standard input is a pipe from the supervisor. When that closes, because the supervisor stops its children or
because it died, the child ends. Ctrl-C at the terminal reaches the supervisor alone.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable

SUPERVISED = "PRINTSYS_SUPERVISED"
STOP_REQUEST = b"stop\n"
"""A supervisor writes this before it closes the pipe, unless it dies."""


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

    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, end_by_signal)
    if os.environ.get(SUPERVISED):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        threading.Thread(target=_watch_supervisor, args=(end,), daemon=True, name="shutdown").start()


def _watch_supervisor(end: Callable[[bool], object]) -> None:
    is_orphan = True
    while data := os.read(sys.stdin.fileno(), 4096):
        is_orphan = is_orphan and STOP_REQUEST not in data
    end(is_orphan)
