"""Waits for the port that the pages are served on, and says who has it."""

from __future__ import annotations

import contextlib
import errno
import logging
import socket
import time
from dataclasses import dataclass

import psutil

from printsys.errors import PrintSysError

logger = logging.getLogger(__name__)
PREDECESSOR_PATIENCE_S = 20.0
"""A web process whose `run` was killed answers what it has begun, and ends."""


@dataclass(frozen=True)
class Holder:
    """The process that listens on a port."""

    pid: int
    name: str
    is_ours: bool

    def __str__(self) -> str:
        return f"{'a web process of this system' if self.is_ours else self.name} (process {self.pid})"


def require_free_port(host: str, port: int, may_move: bool) -> None:
    """PrintSysError where the port cannot be used; waits for a predecessor of ours that winds up.

    `may_move`: no link leads to this port yet, so that another one will do.
    """
    deadline = time.monotonic() + PREDECESSOR_PATIENCE_S
    is_waiting = False
    while (error := _refusal(host, port)) is not None:
        holder = holder_of(port) if error.errno == errno.EADDRINUSE else None
        may_be_ours = error.errno == errno.EADDRINUSE and (holder is None or holder.is_ours)
        if not may_be_ours or time.monotonic() > deadline:
            reason = str(error.strerror).partition(" (while")[0].lower()  # without what Python adds in brackets
            sentence = f"Port {port} on {host} cannot be used: {reason}."
            if holder is not None:
                sentence += f" It belongs to {holder}."
            if error.errno == errno.EADDRINUSE:
                sentence += f" Try --port {port + 1}." if may_move else " Stop that program; links lead to this port."
            raise PrintSysError(sentence) from error
        if not is_waiting:
            logger.info("port %d waits for %s to end", port, holder or "the program that has it")
            is_waiting = True
        time.sleep(0.1)


def _refusal(host: str, port: int) -> OSError | None:
    try:
        with socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET):
            return None
    except OSError as error:
        return error


def holder_of(port: int) -> Holder | None:
    """None where the system does not tell: of another user's process, for one."""
    with contextlib.suppress(psutil.Error, OSError):
        for connection in psutil.net_connections("tcp"):
            is_it = connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port
            if is_it and connection.pid:
                process = psutil.Process(connection.pid)
                command = process.cmdline()
                is_ours = "web" in command and any(word.endswith("manage.py") for word in command)
                return Holder(connection.pid, process.name(), is_ours)
    return None
