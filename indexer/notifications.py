"""Waits for PostgreSQL's NOTIFY and wakes the live pages: a number that grows with each change.

PostgreSQL stores no notifications: after a reconnect the number grows too, since something may have changed meanwhile.
"""

from __future__ import annotations

import logging
import select
import threading

import psycopg2
import sqlalchemy as sa

from indexer.index import CHANNEL

RETRY_S = 2.0
WAIT_S = 1.0
logger = logging.getLogger(__name__)


class ChangeListener:
    """One connection for all that wait in this process, opened for the first of them."""

    def __init__(self, engine: sa.Engine) -> None:
        self._url = engine.url
        self._changed = threading.Condition()
        self._number = 0
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def stopped(self) -> bool:
        return self._stopped.is_set()

    def wait(self, after: int, timeout_s: float) -> int:
        """The number of changes, as soon as it is more than `after`, or when the time is over."""
        with self._changed:
            if self._thread is None:
                self._thread = threading.Thread(target=self._listen, daemon=True, name="notifications")
                self._thread.start()
            self._changed.wait_for(lambda: self._number > after or self.stopped, timeout_s)
            return self._number

    def number(self) -> int:
        return self._number

    def stop(self) -> None:
        self._stopped.set()
        with self._changed:
            self._changed.notify_all()

    def _count(self) -> None:
        with self._changed:
            self._number += 1
            self._changed.notify_all()

    def _listen(self) -> None:
        while not self.stopped:
            try:
                self._listen_while_up()
            except (psycopg2.OperationalError, psycopg2.InterfaceError) as error:
                logger.info("no notifications from PostgreSQL for now: %s", str(error).strip())
                self._stopped.wait(RETRY_S)

    def _listen_while_up(self) -> None:
        dsn = self._url.set(drivername="postgresql").render_as_string(hide_password=False)
        connection = psycopg2.connect(dsn, connect_timeout=3)
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(f"LISTEN {CHANNEL}")
            self._count()  # changes before this connection were missed
            while not self.stopped:
                if select.select([connection], [], [], WAIT_S)[0]:
                    connection.poll()
                    if connection.notifies:
                        connection.notifies.clear()
                        self._count()
        finally:
            connection.close()
