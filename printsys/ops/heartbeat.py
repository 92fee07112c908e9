"""A worker's sign of life, for pages and for `/healthz`: a small file in instance/ that it writes every few seconds.

A file, so that it can be read while the queue or the database is down; and told by the time in it, so that a worker
that hangs is as dead as one that is gone.
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
    """What stood in an e-mail's way: `words` are the mail server's. `job_id` None: nobody's in particular."""

    at: datetime
    words: str
    job_id: str | None = None


@dataclass(frozen=True)
class Heartbeat:
    """`queue`: how many looks wait in the task queue, None where that is down. `error`: the last thing that stood in
    the way of any e-mail, None after one went out. `trying`: what holds up a job's e-mail, by the job's id."""

    at: datetime
    pid: int
    queue: int | None = None
    error: Problem | None = None
    sent_at: datetime | None = None
    trying: tuple[Problem, ...] = ()
    sidelined: tuple[Problem, ...] = ()
    """Jobs whose files are no longer looked into by themselves."""

    def is_alive(self, now: datetime) -> bool:
        return now - self.at < LIFE

    def holding_up(self, job_id: str) -> Problem | None:
        return next((one for one in self.trying if one.job_id == job_id), None)

    def given_up(self, job_id: str) -> Problem | None:
        return next((one for one in self.sidelined if one.job_id == job_id), None)


_SHAPE = TypeAdapter(Heartbeat)


def place(settings: Settings) -> Path:
    return settings.instance / "worker.json"


def read(settings: Settings) -> Heartbeat | None:
    """The last sign of life of this machine's worker; None where there never was one."""
    try:
        return _SHAPE.validate_json(fs.read(place(settings)))
    except (OSError, ValidationError):
        return None


def write(settings: Settings, heartbeat: Heartbeat) -> None:
    settings.instance.mkdir(parents=True, exist_ok=True)
    fs.replace(place(settings), _SHAPE.dump_json(heartbeat) + b"\n")


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
