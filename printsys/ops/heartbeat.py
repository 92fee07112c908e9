"""The signs of life of the worker and the indexer, for pages and for `/healthz`: small files in instance/ that they
write every few seconds.

A file can be read while the queue or the database is down. The time in it counts: a process that hangs is as dead as
one that is gone.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from printsys import fs
from printsys.config import Settings, make_private_folder

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


@dataclass(frozen=True)
class IndexerHeartbeat:
    """`problem`: what keeps the indexer from following the folders, in words; None while it does. `watch_problem`: why
    it polls them where the system should report what happens there, a sentence for staff."""

    at: datetime
    pid: int
    problem: str | None = None
    watch_problem: str | None = None

    def is_alive(self, now: datetime) -> bool:
        return now - self.at < LIFE


_SHAPE = TypeAdapter(Heartbeat)
_INDEXER_SHAPE = TypeAdapter(IndexerHeartbeat)


def path(settings: Settings) -> Path:
    return settings.instance / "worker.json"


def read(settings: Settings) -> Heartbeat | None:
    """The last one of this machine's worker; None where there never was one."""
    try:
        return _SHAPE.validate_json(fs.read(path(settings)))
    except (OSError, ValidationError):
        return None


def write(settings: Settings, heartbeat: Heartbeat) -> None:
    make_private_folder(settings.instance)
    fs.replace(path(settings), _SHAPE.dump_json(heartbeat) + b"\n")


def indexer_path(settings: Settings) -> Path:
    return settings.instance / "indexer.json"


def read_indexer(settings: Settings) -> IndexerHeartbeat | None:
    """The last one of this machine's indexer; None where there never was one."""
    try:
        return _INDEXER_SHAPE.validate_json(fs.read(indexer_path(settings)))
    except (OSError, ValidationError):
        return None


def write_indexer(settings: Settings, heartbeat: IndexerHeartbeat) -> None:
    make_private_folder(settings.instance)
    fs.replace(indexer_path(settings), _INDEXER_SHAPE.dump_json(heartbeat) + b"\n")


class IndexerBeat:
    """Writes the heartbeat when the indexer's own loop calls, at most every `every_s`: one that hangs falls silent."""

    def __init__(self, settings: Settings, every_s: float = BEAT_S) -> None:
        self.settings, self.every_s = settings, every_s
        self._next = 0.0
        self._last_problems: tuple[str | None, str | None] = (None, None)

    def __call__(self, problem: str | None, watch_problem: str | None) -> None:
        if time.monotonic() < self._next and (problem, watch_problem) == self._last_problems:
            return
        self._next, self._last_problems = time.monotonic() + self.every_s, (problem, watch_problem)
        try:
            write_indexer(self.settings, IndexerHeartbeat(datetime.now(UTC), os.getpid(), problem, watch_problem))
        except OSError as error:
            logger.warning("the indexer's sign of life cannot be written: %s", error.strerror)


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
