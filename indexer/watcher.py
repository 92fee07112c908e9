"""Notices that something happened in a job folder. An event only calls for a visit; the sweep is the truth.

Native events (watchdog) where the file system gives them, polling where it does not: a network share sends none for
what another machine did. Only the live statuses are watched: the others change rarely and may hold 100,000 folders.
"""

from __future__ import annotations

import logging
import os
import queue
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from watchdog import events as e
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver

from printsys.domain.status import LIVE
from printsys.jobstore import Layout
from printsys.jobstore.files import signature

WatchMode = Literal["auto", "native", "polling"]
NETWORK = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "fuse.sshfs", "9p", "afs", "ceph", "glusterfs", "davfs"})
"""File systems (third field of /proc/mounts) on which inotify sees only what this machine does itself."""
PROBE = ".printsys-probe"
PROBE_EVERY_S = 60.0
PROBE_PATIENCE_S = 10.0
POLL_FOLDERS_S = 2.0
POLL_JOBS_S = 5.0

EVENTS: list[type[e.FileSystemEvent]] = [
    e.FileCreatedEvent, e.FileMovedEvent, e.FileClosedEvent, e.FileDeletedEvent,
    e.DirCreatedEvent, e.DirMovedEvent, e.DirDeletedEvent,
]  # fmt: skip
"""Without *opened* and *closed without writing*: with those, watchdog's own walk raises events for itself, and
it goes blind at 100,000 folders."""
if sys.platform != "linux":
    EVENTS.append(e.FileModifiedEvent)  # elsewhere there is no event for a file that its writer has closed


def mode_for(root: Path, mode: WatchMode) -> Literal["native", "polling"]:
    """`auto` polls on network file systems."""
    if mode != "auto":
        return mode
    return "polling" if _is_on_network(root) else "native"


def _is_on_network(root: Path) -> bool:
    if sys.platform == "win32":
        import ctypes

        drive = os.path.splitdrive(root.absolute())[0]
        remote = 4  # DRIVE_REMOTE, GetDriveTypeW
        return drive.startswith("\\\\") or ctypes.windll.kernel32.GetDriveTypeW(f"{drive}\\") == remote
    try:
        mounts = Path("/proc/mounts").read_text("utf-8", "replace").splitlines()
    except OSError:
        return False
    kinds = {line.split()[1].replace("\\040", " "): line.split()[2] for line in mounts}
    resolved = root.resolve()
    mount = next((str(folder) for folder in (resolved, *resolved.parents) if str(folder) in kinds), "/")
    return kinds.get(mount, "") in NETWORK


class _OverflowHandler(logging.Handler):
    """watchdog says only in its log that the kernel's queue overflowed."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.overflowed = False

    def emit(self, record: logging.LogRecord) -> None:
        if "overflow" in record.getMessage():
            self.overflowed = True


class NativeWatcher(e.FileSystemEventHandler):
    """Puts the job folders in which something happened into `folders`."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.folders: queue.Queue[Path] = queue.Queue()
        self._overflow = _OverflowHandler()
        self._observer: BaseObserver | None = None
        self._probed_at = time.monotonic()
        self._probe_open = False

    def start(self) -> None:
        observer = Observer()
        for status in LIVE:
            observer.schedule(self, str(self.layout.status(status)), recursive=True, event_filter=EVENTS)
        logging.getLogger("watchdog.observers").addHandler(self._overflow)
        observer.start()
        self._observer = observer

    def stop(self) -> None:
        logging.getLogger("watchdog.observers").removeHandler(self._overflow)
        if self._observer is not None:
            self._observer.stop()
            self._observer.join()
            self._observer = None

    def on_any_event(self, event: e.FileSystemEvent) -> None:
        for path in (event.src_path, event.dest_path):
            parts = os.fsdecode(path)[len(str(self.layout.root)) + 1 :].split(os.sep)
            if parts[-1] == PROBE:
                self._probe_open = False
            elif len(parts) >= 2 and not parts[1].startswith("."):
                self.folders.put(self.layout.root / parts[0] / parts[1])

    def has_missed_events(self) -> bool:
        """Since the last call: an overflow, a dead thread, a probe without an event. Then a sweep must find them."""
        overflowed, self._overflow.overflowed = self._overflow.overflowed, False
        return overflowed or not self._is_alive()

    def _is_alive(self) -> bool:
        if self._observer is None or not self._observer.is_alive():
            return False
        now = time.monotonic()
        if self._probe_open and now - self._probed_at > PROBE_PATIENCE_S:
            self._probe_open = False
            return False
        if not self._probe_open and now - self._probed_at > PROBE_EVERY_S:
            self.probe()
        return True

    def probe(self) -> None:
        """Make an event of our own; if it does not arrive within `PROBE_PATIENCE_S`, the watcher is deaf."""
        self._probed_at, self._probe_open = time.monotonic(), True
        path = self.layout.status(LIVE[0]) / PROBE
        path.touch()
        path.unlink()


@dataclass
class PollingWatcher:
    """The same for file systems without events: status folders every 2 s, listings of the live jobs every 5 s."""

    layout: Layout
    folders: queue.Queue[Path] = field(default_factory=queue.Queue)
    _names: set[Path] = field(default_factory=set)
    _signatures: dict[Path, str | None] = field(default_factory=dict)
    _names_at: float = float("-inf")
    _jobs_at: float = float("-inf")

    def start(self) -> None:
        self._names = set(self.layout.job_folders(LIVE))
        self._signatures = {folder: signature(folder, time.time_ns()) for folder in self._names}

    def stop(self) -> None:
        return

    def has_missed_events(self) -> bool:
        return False

    def poll(self) -> None:
        """Compare what is due. The service's loop calls it."""
        now = time.monotonic()
        if now - self._names_at >= POLL_FOLDERS_S:
            self._names_at = now
            names = set(self.layout.job_folders(LIVE))
            for folder in names ^ self._names:
                self.folders.put(folder)
            self._names = names
        if now - self._jobs_at >= POLL_JOBS_S:
            self._jobs_at = now
            for folder in self._names:
                listing = signature(folder, time.time_ns())
                if listing is None or listing != self._signatures.get(folder):
                    self.folders.put(folder)
                self._signatures[folder] = listing


Watcher = NativeWatcher | PollingWatcher


def make_watcher(layout: Layout, mode: WatchMode) -> Watcher:
    """A running watcher."""
    layout.make()
    watcher: Watcher = NativeWatcher(layout) if mode_for(layout.root, mode) == "native" else PollingWatcher(layout)
    watcher.start()
    return watcher
