"""The `index` process: keeps the mirror true to the folders, whatever was down or deleted meanwhile."""

from __future__ import annotations

import logging
import os
import queue
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

import sqlalchemy as sa

from indexer import migrate
from indexer.connection import is_noted_as_ruined
from indexer.index import Mirror
from indexer.missing import place_of
from indexer.polling import PollingWatcher
from indexer.queries import Queries
from indexer.rebuild import SweepReport
from indexer.reconcile import Reconciler
from indexer.sweep import Sweeper
from indexer.watch_mode import WatchMode
from indexer.watcher import NativeWatcher, Watcher, make_polling_watcher, make_watcher, native_watcher
from printsys.backoff import BackOff
from printsys.domain.effects import Context
from printsys.domain.events import FILESYSTEM, EventType
from printsys.errors import JobNotFound, MirrorDown, MirrorRuined, StorageOffline
from printsys.jobstore import JobStore
from printsys.jobstore.look_requests import request_look, take_look_requests
from printsys.jobstore.moves import waiting_files
from printsys.jobstore.notes import EventKey, note_missed_events
from printsys.jobstore.recovery import recover_all
from printsys.jobstore.visits import Failure, visit

SWEEP_EVERY_S = 300.0
LISTEN_S = 0.2
QUIET_S = 1.0
"""The service visits a folder at its first event, and again when it has been quiet for so long."""
PROMPT_VISITS = 8
LONGEST_PAUSE_S = 30.0
"""A folder that does not settle is visited again after `QUIET_S`; after `PROMPT_VISITS` the pauses grow up to this."""
ERROR_PAUSES_S = (2, 5, 15, 30)
VISITS_S = 1.0
"""Folders are visited for so long before newer events, and the rest of the loop, get their turn."""
MOST_GONE = 20
"""To find out where a folder went costs a look at all names; of more folders at once, one sweep finds out."""
SWEEP_PATIENCE_S = 10.0
SLICE_S = 0.3
"""A sweep that takes longer goes on in slices, between which new events get their turn."""
BUILD = "build"
MOST_FAILED_BUILDS = 3
"""After so many in a row the whole database is replaced. One may fail while another process holds a lock."""
TICK_S = 2.0
"""How soon the service notices that a server or a share is back."""

RETRY_NATIVE_S = 300.0
MOST_LOSSES = 5
"""Where watchers miss events so often within `RETRY_NATIVE_S`, polling is better."""

logger = logging.getLogger(__name__)


@dataclass
class Service:
    """Calls `changed(job_id)` for each job that a sweep changed, `synced` after each sweep. `wake` makes the next one
    happen now. `context()` as in Reconciler."""

    store: JobStore
    engine: sa.Engine
    context: Callable[[], Context]
    changed: Callable[[str], None] = lambda job_id: None
    synced: Callable[[SweepReport], None] = lambda report: None
    sweep_every_s: float = SWEEP_EVERY_S
    tick_s: float = TICK_S
    watch_mode: WatchMode = "auto"
    replace_database: Callable[[], None] = lambda: None
    """Called where the whole database is damaged, so that not even its tables can be made again."""
    beat: Callable[[str | None, str | None], None] = lambda problem, watch_problem: None
    """Called every moment while the loop runs, with what keeps it from following the folders, and why it polls them
    where it need not; in words."""

    def __post_init__(self) -> None:
        self.mirror, self.queries = Mirror(self.engine), Queries(self.engine)
        self.sweeper = Sweeper(self.store, self.mirror, Reconciler(self.store, self.context), self.changed)
        self.store.requests_looks = False
        self.wake = threading.Event()
        self._server_started_at: datetime | None = None
        self._is_catching_up = True
        self._off_since: datetime | None = None
        self._missed: list[EventKey] = []
        """Of what happened while the system was off, what is not noted yet: the disk may have refused it."""
        self._next_sweep = 0.0
        self._problem: str | None = None
        self._watcher: Watcher | None = None
        self._losses: deque[float] = deque(maxlen=MOST_LOSSES)
        """When watchers missed events (monotonic)."""
        self._next_native = 0.0
        self._ticked = float("-inf")
        self._backoff = BackOff(ERROR_PAUSES_S)
        self._failed_builds = 0
        self._errors: dict[str, str] = {}
        """What stopped a step of the loop the last time, by step."""
        self._next_visits: dict[Path, float] = {}
        self._unsettled_visits: Counter[Path] = Counter()
        self._jobs_away: set[str] = set()
        """Missing jobs whose new files wait for them: only a sweep looks for these again, for they may be away long."""

    def run(self, stop: threading.Event) -> None:
        """Until `stop`: visit each folder at its first event, and again when it is quiet; sweep when it is time."""
        try:
            while not stop.is_set():
                self._try("tick", self._tick_in_time)
                self._try("events", self._follow_events)
                self._try("sweep", self._continue_sweep)
        finally:
            self._stop_watching()

    def _try(self, name: str, step: Callable[[], None]) -> None:
        """A step of the loop. After an error that nobody foresaw it is tried again, later each time, and the other step
        goes on meanwhile."""
        if self._backoff.wait_s(name):
            time.sleep(LISTEN_S)
        else:
            try:
                step()
                self._backoff.settled(name)
                self._errors.pop(name, None)
            except Exception as error:
                logger.exception("the indexer met an error and goes on")
                self._backoff.failed(name)
                self._errors[name] = f"{type(error).__name__}: {error}"
                self.wake.set()  # what the step had begun is found by a sweep
        self._show_life()

    def _tick_in_time(self) -> None:
        if time.monotonic() - self._ticked >= self.tick_s:
            self._keep_watching()
            self.tick()
            self._ticked = time.monotonic()

    def _show_life(self, *_progress: int) -> None:
        self.beat(next(iter(self._errors.values()), None), self.watch_problem)

    @property
    def is_quiet(self) -> bool:
        """Whether no folder waits for a visit."""
        # In this order: a folder that has left the watcher's queue is in `_next_visits` until its visit is over.
        has_events = self._watcher is not None and self._watcher.folders.unfinished_tasks > 0
        return not (has_events or self._next_visits or self.sweeper.waiting)

    # -- what the watcher reports ---------------------------------------------------------------------------------

    @property
    def watch_problem(self) -> str | None:
        """Why the folders are polled though the system should report what happens in them: a sentence for staff."""
        return self._watcher.instead_of_native if isinstance(self._watcher, PollingWatcher) else None

    def _keep_watching(self) -> None:
        """Replace a watcher that missed events, and have everything swept. Where native events are refused, or fail
        again and again, poll, and try them again later."""
        now = time.monotonic()
        if self._watcher is not None and self._watcher.has_missed_events():
            logger.warning("the watcher missed events; everything is swept")
            self._losses.append(now)
            self._stop_watching()
            self.wake.set()
        try:
            self.store.require_online()
            if self._watcher is None:
                self._watcher = self._make_watcher()
                self._next_native = now + RETRY_NATIVE_S
            elif self.watch_problem is not None and now >= self._next_native:
                self._try_native()
        except (StorageOffline, OSError) as error:
            logger.info("not watching: %s", error)

    def _make_watcher(self) -> Watcher:
        recent = [loss for loss in self._losses if time.monotonic() - loss < RETRY_NATIVE_S]
        layout = self.store.layout
        if len(recent) == MOST_LOSSES:
            return make_polling_watcher(layout, "the system lost events of them several times")
        return make_watcher(layout, self.watch_mode)

    def _try_native(self) -> None:
        """The polling watcher stays until the other one runs."""
        self._next_native = time.monotonic() + RETRY_NATIVE_S
        watcher = native_watcher(self.store.layout)
        if isinstance(watcher, NativeWatcher):
            self._watcher = watcher
            self.wake.set()

    def _stop_watching(self) -> None:
        if self._watcher is not None:
            self._watcher.stop()
            self._watcher = None

    def _follow_events(self) -> None:
        """Visit folders at their first event, and once more when they have been quiet."""
        if self._watcher is None:
            time.sleep(LISTEN_S)  # there are no events; the next tick tries again
            return
        if isinstance(self._watcher, PollingWatcher):
            self._watcher.poll()
        events = list(_drain(self._watcher.folders))
        folders, now = dict.fromkeys(events), time.monotonic()
        new = [folder for folder in folders if folder not in self._next_visits]
        due = [folder for folder, at in self._next_visits.items() if at <= now and folder not in folders]
        self._next_visits |= dict.fromkeys(folders, now + QUIET_S)
        for folder in folders:
            self._unsettled_visits.pop(folder, None)
        for _ in events:
            self._watcher.folders.task_done()
        try:
            for number, folder in enumerate(self._without_the_many_gone(new, due)):
                if number and time.monotonic() - now > VISITS_S:
                    break  # they stay in `_next_visits`
                self._show_life()
                path = self.store.layout.relative(folder)
                look = partial(self.sweeper.sweep_folder, folder, self._next_visits.keys())
                if visit(self.store, path, look):  # or it failed
                    self._next_visits[folder] = time.monotonic() + self._pause_before(folder)
                elif self._next_visits[folder] <= now:  # it was due, and is settled
                    del self._next_visits[folder]
                    self._unsettled_visits.pop(folder, None)
        except (StorageOffline, MirrorDown) as error:
            self._log_once(str(error))
            self.wake.set()
            for folder in due:  # the sweep visits them
                self._next_visits.pop(folder, None)

    def _without_the_many_gone(self, new: list[Path], due: list[Path]) -> list[Path]:
        """The folders to visit. One that is gone comes last: its job is found where it went. Many that are gone wait
        until they are due, for they may come back, and then a sweep finds out about all of them at once."""
        gone = {folder for folder in (*new, *due) if not os.path.exists(folder)}
        if len(gone) <= MOST_GONE:
            return [*sorted(new, key=gone.__contains__), *due]
        if gone_and_due := gone.intersection(due):
            self.wake.set()
            self.tick()
            for folder in gone_and_due:
                self._next_visits.pop(folder, None)
        return [folder for folder in (*new, *due) if folder not in gone]

    def _pause_before(self, folder: Path) -> float:
        """How long an unsettled folder waits for its next visit."""
        if folder in self.sweeper.reading:
            return 0.0  # only for the others to have their turn
        self._unsettled_visits[folder] += 1
        doublings = max(0, self._unsettled_visits[folder] - PROMPT_VISITS)
        return min(QUIET_S * 2.0 ** min(doublings, 16), LONGEST_PAUSE_S)

    def tick(self) -> None:
        """Sync if it is time, if somebody asked, or if PostgreSQL was away; otherwise only finish waiting moves."""
        try:
            self._take_look_requests()
            if self._server_is_new() or self.wake.is_set() or time.monotonic() >= self._next_sweep:
                self._sync()
            else:
                self._finish_moves()
        except StorageOffline as error:
            self._server_started_at = None
            self._log_once(str(error))
        except MirrorDown as error:
            self._server_started_at = None
            self._log_once(str(error))
            self._record_without_the_mirror()
            if isinstance(error, MirrorRuined):
                self._build_again()

    def _build_again(self) -> None:
        """The mirror's tables cannot be read: make them again. The next sync fills them from the folders."""
        if self._backoff.wait_s(BUILD):
            return
        self._backoff.failed(BUILD)  # for damage that comes back at once
        logger.error("the mirror's tables are damaged; they are built again from the folders")
        try:
            migrate.rebuild(self.engine.url.render_as_string(hide_password=False))
            self._failed_builds = 0
        except MirrorDown as error:
            self._failed_builds += 1
            if isinstance(error, MirrorRuined) or self._failed_builds == MOST_FAILED_BUILDS:
                logger.error("the database itself is damaged (%s)", error)
                self.engine.dispose()
                self.replace_database()
                self._failed_builds = 0
            else:
                logger.warning("the mirror's tables cannot be built again yet (%s)", error)
        self.engine.dispose()

    def _take_look_requests(self) -> None:
        """Visit the jobs that another process found moved by a person."""
        for job_id in take_look_requests(self.store.layout):
            place = visit(self.store, job_id, partial(place_of, self.store, job_id))
            if isinstance(place, Failure):
                request_look(self.store.layout, job_id)
            elif place is not None:
                self._next_visits[place] = time.monotonic()

    def _server_is_new(self) -> bool:
        """Whether PostgreSQL was restarted since the last sync, or lost its tables: then everything is compared."""
        last = self._server_started_at
        if self._is_noted_as_ruined():
            raise MirrorRuined("A process met tables of the mirror that cannot be read.")
        return last is None or self.queries.server_started_at() != last or self.queries.changes() == 0

    def _is_noted_as_ruined(self) -> bool:
        try:
            return is_noted_as_ruined(self.engine)
        except MirrorDown:  # the sync meets it, too, and makes a database that somebody dropped
            return False

    def _sync(self) -> None:
        self.wake.clear()
        self._jobs_away.clear()
        recover_all(self.store)
        migrate.upgrade(self.engine.url.render_as_string(hide_password=False))
        server_started_at = self.queries.server_started_at()
        last_sync = self.queries.synced_at()
        report = self.sweeper.sweep(self._show_life, SWEEP_PATIENCE_S, looks_twice=self._is_catching_up)
        self._next_visits |= dict.fromkeys(self.sweeper.soon, time.monotonic() + QUIET_S)
        if self._is_catching_up:
            self._off_since = self._off_since or last_sync
            self._note_missed_events(report, self._off_since)
        self._is_catching_up = self._is_catching_up and bool(self.sweeper.waiting)
        self._server_started_at = server_started_at
        self._next_sweep = time.monotonic() + self.sweep_every_s
        self._backoff.settled(BUILD)
        self._log_once(None)
        logger.info("swept: %d jobs, %d changed, %d removed", report.jobs, report.changed, report.removed)
        self.synced(report)

    def _continue_sweep(self) -> None:
        if not self.sweeper.waiting:
            return
        try:
            report = self.sweeper.continue_sweep(SLICE_S)
        except (StorageOffline, MirrorDown) as error:
            self._log_once(str(error))
            self.wake.set()
            return
        self._next_visits = dict.fromkeys(self.sweeper.soon, time.monotonic() + QUIET_S) | self._next_visits
        if self._is_catching_up:
            self._note_missed_events(report, self._off_since)
            self._is_catching_up = bool(self.sweeper.waiting)

    def _note_missed_events(self, report: SweepReport, since: datetime | None) -> None:
        """The first sweep after a start finds what people did in the folders meanwhile: the pages show it to staff."""
        missed = [
            (job_id, event.seq)
            for job_id, event in report.news
            if event.actor == FILESYSTEM and event.type != EventType.EMAIL_QUEUED
        ]
        self._missed += missed
        if self._missed:
            note_missed_events(self.store, self._missed, since)
            self._missed.clear()

    def _record_without_the_mirror(self) -> None:
        """The folders are the record: the service records what people do there while PostgreSQL is down, too."""
        try:
            for job_id in self.sweeper.record_only(SWEEP_PATIENCE_S):
                logger.info("job %s: recorded; the mirror follows when PostgreSQL is back", job_id)
        except StorageOffline as error:
            self._log_once(str(error))

    def _finish_moves(self) -> None:
        """Try again to move folders that a program held open."""
        for intent in sorted(self.store.layout.moves.glob("*.json")):
            if intent.stem in self._jobs_away:
                continue
            result = visit(self.store, intent.stem, partial(self._finish_move, intent.stem))
            if isinstance(result, Failure):
                if self._is_away_with_files(intent.stem):
                    self._jobs_away.add(intent.stem)
                logger.info("job %s: its folder still waits to be moved: %s", intent.stem, result.error)

    def _is_away_with_files(self, job_id: str) -> bool:
        """Whether the job is missing, and new files wait for it."""
        if waiting_files(self.store.layout, job_id) is None:
            return False
        try:
            self.store.find(job_id, everywhere=False)
        except JobNotFound:
            return True
        return False

    def _finish_move(self, job_id: str) -> None:
        self.mirror.put(self.store.load(job_id))

    def _log_once(self, problem: str | None) -> None:
        """The same problem, tick after tick, is one line of the log; None: it is over."""
        if problem != self._problem:
            logger.warning("%s", problem or "PostgreSQL and storage are back.")
        self._problem = problem


def _drain(folders: queue.Queue[Path]) -> Iterator[Path]:
    try:
        yield folders.get(timeout=LISTEN_S)
        while True:
            yield folders.get_nowait()
    except queue.Empty:
        return
