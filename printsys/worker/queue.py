"""The task queue: huey over a file in instance/, or over Redis for several machines.

It only carries hints ("look at this job"): what a job owes is in its folder. So the queue may be deleted, ruined or
unreachable at any time.
"""

from __future__ import annotations

import logging
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from huey import Huey
from huey.api import TaskWrapper
from huey.serializer import SignedSerializer
from huey.storage import RedisStorage, SqliteStorage
from redis import ConnectionPool, RedisError

from printsys.config import Settings

NAME = "printsys"
LOOK_AT = "look_at"
LOCKED_PATIENCE_S = 2.0
QUEUE_DOWN = (sqlite3.Error, RedisError, OSError)
logger = logging.getLogger(__name__)


def make_huey(settings: Settings) -> Huey:
    """Opens nothing yet: a page is served whether the queue is there or not.

    Messages are signed, since huey unpickles what it finds in the queue.
    """
    common: dict[str, Any] = {"results": False, "serializer": SignedSerializer(settings.secret_key)}
    if settings.redis_url:
        pool = ConnectionPool.from_url(settings.redis_url, socket_connect_timeout=2, socket_timeout=5)
        return Huey(NAME, storage_class=RedisStorage, connection_pool=pool, **common)
    return Huey(NAME, storage_class=DisposableQueue, filename=str(settings.instance / "queue.db"), **common)


def make_enqueue(settings: Settings) -> Callable[[str], None]:
    """`enqueue(job_id)` for processes that only hand work over. Never raises for a queue that is down."""
    return partial(enqueue, register(make_huey(settings), LOOK_AT, _only_the_worker_runs_tasks))


def _only_the_worker_runs_tasks(job_id: str) -> None:
    raise NotImplementedError


def register(huey: Huey, name: str, function: Callable[..., None]) -> TaskWrapper:
    """The task `name`. A queue knows a task by its function's module, too: here it is the same one in each process."""

    def run(*args: Any, **options: Any) -> None:
        function(*args, **options)

    return huey.task(name=name)(run)


def enqueue(task: TaskWrapper, job_id: str, delay_s: int = 0, **options: bool) -> None:
    """Never raises for a queue that is down: a sweep finds what the job owes."""
    try:
        task.schedule((job_id,), options, delay=delay_s) if delay_s else task(job_id, **options)
    except QUEUE_DOWN as error:
        logger.warning("job %s: the queue is down (%s); a sweep finds what the job owes", job_id, error)


def queue_length(huey: Huey) -> int:
    """How many tasks wait, scheduled ones included. Raises one of QUEUE_DOWN."""
    return int(huey.pending_count()) + int(huey.scheduled_count())


class WithoutOutages(logging.Filter):
    """huey logs a queue that is down with a traceback at each try; the worker logs it once."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not (record.exc_info and isinstance(record.exc_info[1], QUEUE_DOWN))


def tell_outages_once() -> None:
    for name in ("huey.consumer.Worker", "huey.consumer.Scheduler"):
        huey_logger = logging.getLogger(name)
        if not any(isinstance(log_filter, WithoutOutages) for log_filter in huey_logger.filters):
            huey_logger.addFilter(WithoutOutages())


class DisposableQueue(SqliteStorage):  # type: ignore[misc]
    """Opens a new queue file when somebody deletes the open one, and sets a ruined one aside."""

    def __init__(self, name: str, filename: str) -> None:
        self._conn: sqlite3.Connection | None = None
        self._opened: tuple[int, int] | None = None
        # No write-ahead log: its extra files would outlive a deleted queue. No fsync: nothing here must last.
        super().__init__(
            name, filename=filename, journal_mode="delete", fsync=False, timeout=LOCKED_PATIENCE_S, create_tables=False
        )

    @property
    def conn(self) -> sqlite3.Connection:
        """Callers hold the lock."""
        if self._conn is not None and self._on_disk() != self._opened:
            self._close()
        if self._conn is None:
            try:
                self._conn = self._create_connection()
            except sqlite3.DatabaseError as error:
                if not _is_about_the_file(error):
                    raise
                self._set_aside(error)
                self._conn = self._create_connection()
            self._opened = self._on_disk()
        return self._conn

    def _create_connection(self) -> sqlite3.Connection:
        Path(self.filename).parent.mkdir(parents=True, exist_ok=True)
        connection: sqlite3.Connection = super()._create_connection()
        for statement in self.ddl:
            connection.execute(statement)
        return connection

    def _on_disk(self) -> tuple[int, int] | None:
        try:
            status = os.stat(self.filename)
        except FileNotFoundError:
            return None
        return status.st_dev, status.st_ino

    @contextmanager
    def db(self, commit: bool = False, close: bool = False) -> Iterator[sqlite3.Cursor]:
        opened = None
        try:
            with super().db(commit, close) as cursor:
                opened = self._opened
                yield cursor
        except sqlite3.DatabaseError as error:
            if _is_about_the_file(error):
                with self.lock:
                    if opened is not None and self._on_disk() == opened:  # else another thread was faster
                        self._set_aside(error)
            raise

    def _set_aside(self, error: sqlite3.DatabaseError) -> None:
        """The next access starts an empty queue; the next sweep finds in the folders what it should have held."""
        self._close()
        try:
            os.replace(self.filename, self.filename + ".damaged")
        except PermissionError:  # on Windows another process has it open, and goes on with the same file, emptied
            shutil.copyfile(self.filename, self.filename + ".damaged")
            os.truncate(self.filename, 0)
        logger.error("the task queue is ruined (%s); it is kept as queue.db.damaged, a new one takes its place", error)

    def _close(self) -> None:
        if self._conn is not None:
            self._conn.close()
            self._conn = None


def _is_about_the_file(error: sqlite3.DatabaseError) -> bool:
    """No database, or malformed. A file that is locked or full raises a more special error."""
    return type(error) is sqlite3.DatabaseError
