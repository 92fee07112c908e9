"""How the processes of `manage.py run` live and end together, on every system alike.

A child's standard input is a pipe from the supervisor. When that closes, because the supervisor stops its children or
because it died, the child winds up. Ctrl-C at the terminal reaches the supervisor alone.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable

SUPERVISED = "PRINTSYS_SUPERVISED"
FAREWELL = b"stop\n"
"""Written before the pipe is closed; a supervisor that dies says nothing."""
_told = threading.Event()


def stop_event() -> threading.Event:
    """An event that is set when this process should wind up: its supervisor is gone or, started by hand, Ctrl-C."""
    stop = threading.Event()
    on_end(stop.set)
    return stop


def on_end(wind_up: Callable[[], object]) -> None:
    """Call `wind_up` once, from another thread or a signal, when this process should end."""
    once = threading.Lock()

    def end(*_signal: object) -> None:
        if once.acquire(blocking=False):
            wind_up()

    if os.environ.get(SUPERVISED):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        threading.Thread(target=_wait_for_end_of_input, args=(end,), daemon=True, name="lifeline").start()
    else:
        signal.signal(signal.SIGINT, end)
    signal.signal(signal.SIGTERM, end)


def _wait_for_end_of_input(end: Callable[[], None]) -> None:
    while said := os.read(sys.stdin.fileno(), 4096):
        if FAREWELL in said:
            _told.set()
    end()


def is_orphan() -> bool:
    """Whether this process ends because its supervisor died, not because it was told to."""
    return bool(os.environ.get(SUPERVISED)) and not _told.is_set()
