"""A worker's sign of life, for pages and for `/healthz`: a small file in instance/ that it writes every few seconds.

A file can be read while the queue or the database is down. The time in it counts: a worker that hangs is as dead as one
that is gone.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from printsys import fs
from printsys.config import Settings

BEAT_S = 5.0
LIFE = timedelta(seconds=60)
"""Longer than a machine under load keeps a thread waiting."""
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Problem:
    """What prevents an e-mail, in the mail server's `words`, or the reading of a file. `job_id` None: of no one job."""

    at: datetime
    words: str
    job_id: str | None = None


@dataclass(frozen=True)
class Heartbeat:
    """`queue`: how many tasks wait, None where the queue is down. `error`: what prevented the last e-mail, None after
    one went out. `trying`: problems of jobs whose e-mail is tried again."""

    at: datetime
    pid: int
    queue: int | None = None
    error: Problem | None = None
    sent_at: datetime | None = None
    trying: tuple[Problem, ...] = ()
    sidelined: tuple[Problem, ...] = ()
    """Of jobs whose files are not inspected any more, because that crashed again and again."""

    def is_alive(self, now: datetime) -> bool:
        return now - self.at < LIFE

    def mail_problem(self, job_id: str) -> Problem | None:
        return next((problem for problem in self.trying if problem.job_id == job_id), None)

    def file_problem(self, job_id: str) -> Problem | None:
        return next((problem for problem in self.sidelined if problem.job_id == job_id), None)


_SHAPE = TypeAdapter(Heartbeat)


def path(settings: Settings) -> Path:
    return settings.instance / "worker.json"


def read(settings: Settings) -> Heartbeat | None:
    """The last one of this machine's worker; None where there never was one."""
    try:
        return _SHAPE.validate_json(fs.read(path(settings)))
    except (OSError, ValidationError):
        return None


def write(settings: Settings, heartbeat: Heartbeat) -> None:
    settings.instance.mkdir(parents=True, exist_ok=True)
    fs.replace(path(settings), _SHAPE.dump_json(heartbeat) + b"\n")


def keep_writing(
    settings: Settings, stop: threading.Event, current: Callable[[], Heartbeat], every_s: float = BEAT_S
) -> None:
    """Write what `current()` returns, now and every `every_s` seconds, until `stop`."""
    while True:
        try:
            write(settings, current())
        except OSError as error:
            logger.warning("the worker's sign of life cannot be written: %s", error.strerror)
        if stop.wait(every_s):
            return
