"""The `index` process: keeps the mirror what the folders say, whatever was down or deleted meanwhile."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from indexer import migrate
from indexer.index import Mirror
from indexer.queries import Queries
from indexer.rebuild import Report
from indexer.reconcile import Reconciler
from indexer.sweep import Sweeper
from printsys.domain.workflow import Terms
from printsys.errors import MirrorDown, PrintSysError, StorageOffline
from printsys.jobstore import JobStore

SWEEP_EVERY_S = 300.0
TICK_S = 2.0
"""How soon a server or a share that is back is noticed."""

logger = logging.getLogger(__name__)


@dataclass
class Service:
    """`changed(job_id)` is told of each job that a sweep changed, `synced` of each sweep. `wake` makes the next one
    happen now. `terms()` as in Reconciler."""

    store: JobStore
    engine: sa.Engine
    terms: Callable[[], Terms]
    changed: Callable[[str], None] = lambda job_id: None
    synced: Callable[[Report], None] = lambda report: None
    sweep_every_s: float = SWEEP_EVERY_S
    tick_s: float = TICK_S

    def __post_init__(self) -> None:
        self.mirror, self.queries = Mirror(self.engine), Queries(self.engine)
        self.sweeper = Sweeper(self.store, self.mirror, Reconciler(self.store, self.terms), self.changed)
        self.wake = threading.Event()
        self._server: datetime | None = None
        self._next_sweep = 0.0
        self._trouble: str | None = None

    def run(self, stop: threading.Event) -> None:
        while not stop.is_set():
            self.tick()
            stop.wait(self.tick_s)

    def tick(self) -> None:
        """Sync if it is time, if somebody asked, or if PostgreSQL was away; otherwise only finish waiting moves."""
        try:
            if self._server_is_new() or self.wake.is_set() or time.monotonic() >= self._next_sweep:
                self._sync()
            else:
                self._finish_moves()
        except (StorageOffline, MirrorDown) as error:
            self._server = None
            self._tell_once(str(error))

    def _server_is_new(self) -> bool:
        """Whether PostgreSQL is another one than at the last sync, or lost its tables: then all is compared anew."""
        return self._server is None or self.queries.server_started_at() != self._server or self.queries.changes() == 0

    def _sync(self) -> None:
        self.wake.clear()
        self._recover()
        migrate.upgrade(self.engine.url.render_as_string(hide_password=False))
        started = self.queries.server_started_at()
        report = self.sweeper.sweep()
        self._server = started
        self._next_sweep = time.monotonic() + self.sweep_every_s
        self._tell_once(None)
        logger.info("swept: %d jobs, %d changed, %d removed", report.jobs, report.changed, report.removed)
        self.synced(report)

    def _recover(self) -> None:
        """Finish what a crash interrupted. A job that only a person can put right stops no other."""
        try:
            self.store.recover_all()
        except StorageOffline:
            raise
        except PrintSysError as error:
            logger.warning("recovery is not complete: %s", error)

    def _finish_moves(self) -> None:
        """Try again to move folders that a program held open."""
        for intent in sorted(self.store.layout.moves.glob("*.json")):
            try:
                self.mirror.put(self.store.load(intent.stem))
            except (StorageOffline, MirrorDown):
                raise
            except PrintSysError as error:
                logger.info("job %s: its folder still waits to be moved: %s", intent.stem, error)

    def _tell_once(self, trouble: str | None) -> None:
        if trouble != self._trouble:
            logger.warning("%s", trouble or "PostgreSQL and storage are back.")
        self._trouble = trouble
