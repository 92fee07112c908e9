"""Keeps the parts of the system running: starts them, starts again what dies, stops all within seconds."""

from __future__ import annotations

import contextlib
import logging
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from printsys.config import ROOT
from printsys.ops.shutdown import FAREWELL, SUPERVISED

STOP_PATIENCE_S = 4.0
BACK_OFF_S = (0.5, 1, 2, 5, 10, 30)
STEADY_S = 60.0
"""A part that ran this long before it died starts over with the shortest pause."""
logger = logging.getLogger(__name__)


@dataclass
class SupervisedProcess:
    """A child process: `arguments` are manage.py's."""

    name: str
    arguments: Sequence[str]
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    deaths: int = 0
    last_code: int | None = None
    again_at: float = field(default=0.0)

    def start(self, environment: Mapping[str, str]) -> None:
        self.started = time.monotonic()
        command = [sys.executable, str(ROOT / "manage.py"), *self.arguments]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, env={**environment, SUPERVISED: "1"})

    def bury(self) -> None:
        """Plan the next start, later each time that it dies soon."""
        assert self.process is not None
        self.last_code = self.process.returncode
        lived = time.monotonic() - self.started
        self.deaths = 1 if lived > STEADY_S else self.deaths + 1
        pause = BACK_OFF_S[min(self.deaths, len(BACK_OFF_S)) - 1]
        logger.error("%s ended with code %s; it starts again in %s s", self.name, self.process.returncode, pause)
        self.again_at = time.monotonic() + pause
        _close_input(self.process)
        self.process = None


class Supervisor:
    def __init__(self, parts: Sequence[SupervisedProcess], environment: Mapping[str, str]) -> None:
        self.parts = list(parts)
        self.environment = environment

    def part(self, name: str) -> SupervisedProcess:
        return next(part for part in self.parts if part.name == name)

    def start(self) -> None:
        for part in self.parts:
            part.start(self.environment)

    def watch(self, stop: threading.Event) -> None:
        """Until `stop` is set: start again whatever dies."""
        while not stop.wait(0.2):
            for part in self.parts:
                if part.process is not None and part.process.poll() is not None:
                    part.bury()
                elif part.process is None and time.monotonic() >= part.again_at:
                    part.start(self.environment)

    def start_anew(self, environment: Mapping[str, str]) -> None:
        """All parts with another environment: `watch` starts each again as soon as it has ended."""
        self.environment = environment
        for part in self.parts:
            if part.process is not None:
                _close_input(part.process)

    def stop(self) -> None:
        """All parts are told at once; what does not end in `STOP_PATIENCE_S` is killed."""
        running = [part.process for part in self.parts if part.process is not None]
        for process in running:
            _close_input(process)
        deadline = time.monotonic() + STOP_PATIENCE_S
        for process in running:
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _close_input(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        with contextlib.suppress(OSError):  # it is gone already
            process.stdin.write(FAREWELL)
        with contextlib.suppress(OSError):
            process.stdin.close()
