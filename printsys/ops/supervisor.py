"""Keeps the parts of the system running: starts them, restarts what dies, stops all within seconds."""

from __future__ import annotations

import contextlib
import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from printsys.config import ROOT
from printsys.ops.shutdown import STOP_REQUEST, SUPERVISED

STOP_PATIENCE_S = 4.0
ANSWER_S = 2.0
"""The page on which somebody asked for a restart is on its way to the browser, with its styles and its script."""
PAUSES_S = (0.5, 1, 2, 5, 10, 30)
STEADY_S = 60.0
"""After a part has run this long, its next death counts as the first."""
logger = logging.getLogger(__name__)


@dataclass
class SupervisedProcess:
    """A child process: `arguments` are manage.py's."""

    name: str
    arguments: Sequence[str]
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    deaths: int = 0
    last_code: int | None = None
    stop_at: float | None = None
    end_by: float | None = None
    """Where somebody asked for a restart: when it is asked to end, and until when it has to have ended."""
    restart_at: float = field(default=0.0)

    def start(self, environment: Mapping[str, str]) -> None:
        self.started_at = time.monotonic()
        command = [sys.executable, str(ROOT / "manage.py"), *self.arguments]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, env={**environment, SUPERVISED: "1"})

    def request_restart(self) -> None:
        """`Supervisor.run` ends it in a moment, and starts it again as soon as it has ended."""
        if self.process is not None and self.stop_at is None:
            logger.info("%s is asked to start again", self.name)
            self.stop_at = time.monotonic() + ANSWER_S

    def carry_out_restart(self) -> None:
        """Of a process that runs and that somebody wants to start again: what is due by now."""
        if self.process is None or self.stop_at is None or time.monotonic() < self.stop_at:
            return
        if self.end_by is None:
            self.end_by = time.monotonic() + STOP_PATIENCE_S
            _request_stop(self.process)
        elif time.monotonic() > self.end_by:
            self.process.kill()

    def schedule_restart(self) -> None:
        """Of a process that has ended: later each time that it dies soon."""
        assert self.process is not None
        now = time.monotonic()
        if self.end_by is not None:
            self.process, self.stop_at, self.end_by, self.restart_at = None, None, None, now
            return
        self.last_code, self.stop_at = self.process.returncode, None
        self.deaths = 1 if now - self.started_at > STEADY_S else self.deaths + 1
        pause = PAUSES_S[min(self.deaths, len(PAUSES_S)) - 1]
        logger.error("%s ended with code %s; it starts again in %s s", self.name, self.last_code, pause)
        self.restart_at = now + pause
        _request_stop(self.process)
        self.process = None


class Supervisor:
    def __init__(
        self,
        parts: Sequence[SupervisedProcess],
        environment: Mapping[str, str],
        take_requests: Callable[[], Iterable[str]] = tuple,
    ) -> None:
        """`take_requests()`: the names of parts that somebody wants to be started again."""
        self.parts = list(parts)
        self.environment = environment
        self.take_requests = take_requests

    def part(self, name: str) -> SupervisedProcess:
        return next(part for part in self.parts if part.name == name)

    def run(self, stop: threading.Event) -> None:
        """Until `stop` is set: start the parts, and restart what dies. Then stop them all."""
        try:
            while True:
                wanted = set(self.take_requests())
                for part in self.parts:
                    if part.name in wanted:
                        part.request_restart()
                    self._look_after(part)
                if stop.wait(0.2):
                    return
        finally:
            self._stop()

    def _look_after(self, part: SupervisedProcess) -> None:
        if part.process is None:
            if time.monotonic() >= part.restart_at:
                self._start(part)
        elif part.process.poll() is not None:
            part.schedule_restart()
        else:
            part.carry_out_restart()

    def _start(self, part: SupervisedProcess) -> None:
        """Where the system has no room for a process now, later."""
        try:
            part.start(self.environment)
        except OSError as error:
            part.deaths += 1
            pause = PAUSES_S[min(part.deaths, len(PAUSES_S)) - 1]
            logger.error("%s cannot be started (%s); it is tried again in %s s", part.name, error.strerror, pause)
            part.restart_at = time.monotonic() + pause

    def restart_all(self, environment: Mapping[str, str]) -> None:
        """With another environment: `run` starts each part again as soon as it has ended."""
        self.environment = environment
        for part in self.parts:
            if part.process is not None:
                _request_stop(part.process)

    def _stop(self) -> None:
        """Asks all parts at once to end, and kills what still runs after `STOP_PATIENCE_S`."""
        running = [part.process for part in self.parts if part.process is not None]
        for process in running:
            _request_stop(process)
        deadline = time.monotonic() + STOP_PATIENCE_S
        for process in running:
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _request_stop(process: subprocess.Popen[bytes]) -> None:
    """Once; of a process that has ended, or was asked before, only the pipe is closed."""
    if process.stdin is not None and not process.stdin.closed:
        with contextlib.suppress(OSError):  # it is gone already
            process.stdin.write(STOP_REQUEST)
        with contextlib.suppress(OSError):
            process.stdin.close()
