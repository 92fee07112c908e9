"""Notices that something happened in a job folder. An event only calls for a visit; the sweep is the truth.

Native events (watchdog) where the file system gives them, polling where it does not: a network share sends none for
what another machine did. The live statuses are watched with all that is in them. Of the others, which may hold 100,000
folders, only what comes and goes: one watch each.
"""

from __future__ import annotations

import errno
import logging
import os
import queue
import sys
import time
from pathlib import Path

from watchdog import events as e

from indexer.observers import Observer
from indexer.polling import PollingWatcher
from indexer.watch_mode import WatchMode, mode_for
from printsys import fs
from printsys.domain.clutter import is_clutter_folder
from printsys.domain.status import LIVE, Status
from printsys.jobstore import Layout

PROBE = ".printsys-probe"
PROBE_EVERY_S = 60.0
PROBE_PATIENCE_S = 10.0
ENDED_EVERY = 10
"""In the folders of jobs that have ended only each tenth round makes an event: it changes the folder's time, and a
computer that polls then lists all that is in it again."""

logger = logging.getLogger(__name__)

EVENTS: list[type[e.FileSystemEvent]] = [
    e.FileCreatedEvent, e.FileMovedEvent, e.FileClosedEvent, e.FileDeletedEvent,
    e.DirCreatedEvent, e.DirMovedEvent, e.DirDeletedEvent,
]  # fmt: skip
"""Without *opened* and *closed without writing*: with those, watchdog's own walk raises events for itself, and
it goes blind at 100,000 folders."""
if sys.platform != "linux":
    EVENTS.append(e.FileModifiedEvent)  # elsewhere there is no event for a file that its writer has closed


class NativeWatcher(e.FileSystemEventHandler):
    """Puts the job folders in which something happened into `folders`."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self._prefix = os.path.join(layout.root, "")  # a drive's own root ends with the separator already
        self.folders: queue.Queue[Path] = queue.Queue()
        self._observer: Observer | None = None
        self._watched: dict[Path, tuple[int, int] | None] = {}
        """The status folders that are watched, each with its identity."""
        self._probed_at = time.monotonic()
        self._probes = 0
        self._unanswered: set[Path] = set()
        """Status folders whose last probe has not been heard."""

    def start(self) -> None:
        """OSError where the system refuses."""
        self._observer = observer = Observer()
        for status in Status:
            folder = self.layout.status(status)
            self._watched[folder] = _identity(folder)
            observer.schedule(self, str(folder), recursive=status in LIVE, event_filter=EVENTS)
        observer.start()

    def stop(self) -> None:
        if self._observer is not None:
            self._observer.stop()
            if self._observer.is_alive():
                self._observer.join()
            self._observer = None

    @property
    def refusal(self) -> OSError | None:
        """Why folders inside a status folder are not watched; None: they are."""
        return self._observer.refusal if self._observer is not None else None

    def on_any_event(self, event: e.FileSystemEvent) -> None:
        for path in (event.src_path, event.dest_path):
            parts = os.fsdecode(path).removeprefix(self._prefix).split(os.sep)
            if parts[-1] == PROBE:
                self._unanswered.discard(self.layout.root / parts[0])
            elif len(parts) >= 2 and not is_clutter_folder(parts[1]):
                self.folders.put(self.layout.root / parts[0] / parts[1])

    def has_missed_events(self) -> bool:
        """Since the last call: an overflow, a dead thread, a folder that could not be watched, another one in the place
        of a watched one, a probe without an event. Then a sweep must find them."""
        if self._observer is None or self._observer.has_overflowed() or not self._observer.is_whole():
            return True
        if self.refusal is not None:
            logger.warning("a folder is not watched: %s", self.refusal)
            return True
        # watchdog goes on watching a folder that is moved away.
        is_replaced = any(_identity(folder) != identity for folder, identity in self._watched.items())
        return is_replaced or self._is_deaf()

    def _is_deaf(self) -> bool:
        now = time.monotonic()
        if self._unanswered and now - self._probed_at > PROBE_PATIENCE_S:
            names = ", ".join(sorted(folder.name for folder in self._unanswered))
            logger.warning("nothing is heard of what happens in %s", names)
            return True
        if now - self._probed_at > PROBE_EVERY_S:
            self.probe()
        return False

    def probe(self) -> None:
        """Make an event of our own in the watched folders, each in its turn. One whose event does not arrive within
        `PROBE_PATIENCE_S` is not watched any more."""
        self._probed_at = time.monotonic()
        ended = self._probes % ENDED_EVERY == 0
        self._probes += 1
        for folder in self._watched:
            if not (ended or folder.name in LIVE):
                continue
            self._unanswered.add(folder)
            try:
                fs.write_over(folder / PROBE, b"")
                fs.unlink(folder / PROBE, fs.BRIEF_PATIENCE_S)
            except OSError as error:  # a full disk, say, proves nothing
                self._unanswered.discard(folder)
                logger.info("the watch of %s is not tried: %s", folder.name, error.strerror)


def _identity(folder: Path) -> tuple[int, int] | None:
    """Tells the folder from another of its name; None: there is none."""
    try:
        status = folder.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


Watcher = NativeWatcher | PollingWatcher


def make_watcher(layout: Layout, mode: WatchMode) -> Watcher:
    """A running watcher. Where the system refuses to watch (so many) folders, it polls instead, and says why."""
    layout.make()
    if mode_for(layout.root, mode) == "polling":
        return make_polling_watcher(layout)
    watcher = native_watcher(layout)
    return watcher if isinstance(watcher, NativeWatcher) else make_polling_watcher(layout, why_refused(watcher))


def native_watcher(layout: Layout) -> NativeWatcher | OSError:
    """A running watcher, or why the system refuses to watch the folders."""
    watcher = NativeWatcher(layout)
    try:
        watcher.start()
    except OSError as error:
        watcher.stop()
        if isinstance(error, FileNotFoundError | NotADirectoryError):
            raise
        return error
    if (refusal := watcher.refusal) is not None:
        watcher.stop()
        return refusal
    return watcher


def make_polling_watcher(layout: Layout, reason: str | None = None) -> PollingWatcher:
    """`reason`: why it is not a native one, if that was wanted."""
    problem = f"Changes in the folders show up a few seconds late, because {reason}." if reason else None
    if problem:
        logger.warning(problem)
    watcher = PollingWatcher(layout, problem)
    watcher.start()
    return watcher


REFUSALS = {
    errno.ENOSPC: "Linux watches no more folders for this user (as root: sysctl fs.inotify.max_user_watches=524288)",
    errno.EMFILE: "Linux gives this user no more watchers (as root: sysctl fs.inotify.max_user_instances=512)",
}


def why_refused(refusal: OSError) -> str:
    """With what to do about it, where that is known."""
    return REFUSALS.get(refusal.errno or 0, f"the system does not watch them ({refusal.strerror or refusal})")
