"""The `index` process: keeps the mirror what the folders say, whatever was down or deleted meanwhile."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa

from indexer import migrate
from indexer.index import Mirror
from indexer.queries import Queries
from indexer.rebuild import SweepReport
from indexer.reconcile import Reconciler
from indexer.sweep import Sweeper
from indexer.watcher import PollingWatcher, Watcher, WatchMode, make_watcher
from printsys.domain.effects import Context
from printsys.domain.events import FILESYSTEM, EventType
from printsys.errors import MirrorDown, PrintSysError, StorageOffline
from printsys.jobstore import JobStore
from printsys.jobstore.notes import note_missed_events
from printsys.jobstore.recovery import recover_all

SWEEP_EVERY_S = 300.0
LISTEN_S = 0.2
QUIET_S = 1.0
"""A folder in which much happens is looked at when it starts, and then whenever it has been quiet for so long."""
TICK_S = 2.0
"""How soon a server or a share that is back is noticed."""

logger = logging.getLogger(__name__)


@dataclass
class Service:
    """`changed(job_id)` is told of each job that a sweep changed, `synced` of each sweep. `wake` makes the next one
    happen now. `context()` as in Reconciler."""

    store: JobStore
    engine: sa.Engine
    context: Callable[[], Context]
    changed: Callable[[str], None] = lambda job_id: None
    synced: Callable[[SweepReport], None] = lambda report: None
    sweep_every_s: float = SWEEP_EVERY_S
    tick_s: float = TICK_S
    watch_mode: WatchMode = "auto"

    def __post_init__(self) -> None:
        self.mirror, self.queries = Mirror(self.engine), Queries(self.engine)
        self.sweeper = Sweeper(self.store, self.mirror, Reconciler(self.store, self.context), self.changed)
        self.wake = threading.Event()
        self._server: datetime | None = None
        self._was_away = True
        self._next_sweep = 0.0
        self._trouble: str | None = None
        self._watcher: Watcher | None = None
        self._again: dict[Path, float] = {}

    def run(self, stop: threading.Event) -> None:
        """Until `stop`: look at once at what the watcher hears, and again when it is quiet; sweep when it is time."""
        ticked = float("-inf")
        try:
            while not stop.is_set():
                if time.monotonic() - ticked >= self.tick_s:
                    self._keep_watching()
                    self.tick()
                    ticked = time.monotonic()
                self._listen()
        finally:
            self._stop_watching()

    @property
    def is_quiet(self) -> bool:
        """Whether nothing was heard of that is still to be looked at."""
        # In this order: what is no longer in the watcher's queue is in `_again` until it has been looked at.
        return (self._watcher is None or self._watcher.folders.unfinished_tasks == 0) and not self._again

    # -- what the watcher hears -----------------------------------------------------------------------------------

    def _keep_watching(self) -> None:
        """A watcher that runs; one that missed something is replaced, and everything swept."""
        if self._watcher is not None and self._watcher.lost():
            logger.warning("the watcher missed events; everything is swept")
            self._stop_watching()
            self.wake.set()
        if self._watcher is None:
            try:
                self.store.require_online()
                self._watcher = make_watcher(self.store.layout, self.watch_mode)
            except (StorageOffline, OSError) as error:
                logger.info("not watching: %s", error)

    def _stop_watching(self) -> None:
        if self._watcher is not None:
            self._watcher.stop()
            self._watcher = None

    def _listen(self) -> None:
        """Folders that were heard of are looked at once at once, and once more when they have been quiet."""
        if self._watcher is None:
            time.sleep(LISTEN_S)  # nothing to listen to; the next tick tries again
            return
        if isinstance(self._watcher, PollingWatcher):
            self._watcher.poll()
        sounds = list(self._heard(self._watcher))
        heard, now = dict.fromkeys(sounds), time.monotonic()
        new = [folder for folder in heard if folder not in self._again]
        due = [folder for folder, at in self._again.items() if at <= now and folder not in heard]
        self._again |= dict.fromkeys(heard, now + QUIET_S)
        for _ in sounds:
            self._watcher.folders.task_done()
        try:
            for folder in [*sorted(new, key=_is_gone), *due]:  # where something went comes before where it was
                if self.sweeper.look_at(folder):
                    self._again[folder] = time.monotonic() + QUIET_S
                elif self._again[folder] <= now:  # it was due, and is settled
                    del self._again[folder]
        except (StorageOffline, MirrorDown) as error:
            self._tell_once(str(error))
            self.wake.set()
            for folder in due:  # the sweep looks at them
                self._again.pop(folder, None)

    def _heard(self, watcher: Watcher) -> Iterator[Path]:
        try:
            yield watcher.folders.get(timeout=LISTEN_S)
            while True:
                yield watcher.folders.get_nowait()
        except queue.Empty:
            return

    def tick(self) -> None:
        """Sync if it is time, if somebody asked, or if PostgreSQL was away; otherwise only finish waiting moves."""
        try:
            if self._server_is_new() or self.wake.is_set() or time.monotonic() >= self._next_sweep:
                self._sync()
            else:
                self._finish_moves()
        except StorageOffline as error:
            self._server = None
            self._tell_once(str(error))
        except MirrorDown as error:
            self._server = None
            self._tell_once(str(error))
            self._record_without_the_mirror()

    def _server_is_new(self) -> bool:
        """Whether PostgreSQL is another one than at the last sync, or lost its tables: then all is compared anew."""
        return self._server is None or self.queries.server_started_at() != self._server or self.queries.changes() == 0

    def _sync(self) -> None:
        self.wake.clear()
        self._recover()
        migrate.upgrade(self.engine.url.render_as_string(hide_password=False))
        started = self.queries.server_started_at()
        before = self.queries.synced_at()
        report = self.sweeper.sweep()
        self._again |= dict.fromkeys(self.sweeper.soon.values(), time.monotonic() + QUIET_S)
        self._note_what_was_missed(report, before)
        self._server = started
        self._next_sweep = time.monotonic() + self.sweep_every_s
        self._tell_once(None)
        logger.info("swept: %d jobs, %d changed, %d removed", report.jobs, report.changed, report.removed)
        self.synced(report)

    def _note_what_was_missed(self, report: SweepReport, since: datetime | None) -> None:
        """The first sweep after a start finds what people did in the folders meanwhile: staff are told at once."""
        news = [(job_id, event) for job_id, event in report.news if event.type != EventType.EMAIL_QUEUED]
        lines = [(job_id, event.seq) for job_id, event in news if event.actor == FILESYSTEM]
        if self._was_away and lines:
            note_missed_events(self.store, lines, since)
        self._was_away = False

    def _record_without_the_mirror(self) -> None:
        """The folders are the record: what people do there is recorded while PostgreSQL is down, too."""
        try:
            for job_id in self.sweeper.record_only():
                logger.info("job %s: recorded; the mirror follows when PostgreSQL is back", job_id)
        except StorageOffline as error:
            self._tell_once(str(error))

    def _recover(self) -> None:
        """Finish what a crash interrupted. A job that only a person can put right stops no other."""
        try:
            recover_all(self.store)
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


def _is_gone(folder: Path) -> bool:
    return not folder.exists()
