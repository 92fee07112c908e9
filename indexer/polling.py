"""Notices what happens in the folders by looking at them, where the file system reports nothing or not enough."""

from __future__ import annotations

import os
import queue
import time
from dataclasses import dataclass, field
from pathlib import Path

from printsys.domain.clutter import is_clutter_folder
from printsys.domain.status import LIVE, Status
from printsys.jobstore import Layout
from printsys.jobstore.files import signature

POLL_FOLDERS_S = 2.0
POLL_JOBS_S = 5.0
SAME_TIME_S = 3.0
"""Two changes of a folder may bear one time: FAT counts in steps of two seconds."""


@dataclass
class _Listing:
    """The names in a status folder, and its time of change when it was listed (None: it is not there). Of the jobs that
    have ended there may be 100,000: they are listed again only when that time is another, or new."""

    names: set[str]
    changed_ns: int | None
    listed_at: float
    certain_at: float
    """Monotonic, as `listed_at`: a listing from before this moment may lack a change that bears the same time."""

    @property
    def is_certain(self) -> bool:
        return self.listed_at >= self.certain_at


@dataclass
class PollingWatcher:
    """As NativeWatcher, puts the job folders in which something happened into `folders`: what comes and goes in the
    status folders every 2 s, listings of the live jobs every 5 s."""

    layout: Layout
    instead_of_native: str | None = None
    """Why it polls where native events were wanted, for staff."""
    folders: queue.Queue[Path] = field(default_factory=queue.Queue)
    _listings: dict[Status, _Listing] = field(default_factory=dict)
    _signatures: dict[Path, str] = field(default_factory=dict)
    _names_at: float = float("-inf")
    _jobs_at: float = float("-inf")

    def start(self) -> None:
        self._listings = {status: self._list(status, None) for status in Status}
        self._signatures = {folder: signature(folder) for folder in self._live_jobs()}

    def stop(self) -> None:
        return

    def has_missed_events(self) -> bool:
        return False

    def poll(self) -> None:
        """Compare what is due. The service's loop calls it."""
        now = time.monotonic()
        if now - self._names_at >= POLL_FOLDERS_S:
            self._names_at = now
            for status, before in self._listings.items():
                if status in LIVE or not before.is_certain or before.changed_ns != _changed_ns(self.layout, status):
                    self._compare(status, before)
        if now - self._jobs_at >= POLL_JOBS_S:
            self._jobs_at = now
            for folder in self._live_jobs():
                listing = signature(folder)
                if listing != self._signatures.get(folder):
                    self.folders.put(folder)
                self._signatures[folder] = listing

    def _compare(self, status: Status, before: _Listing) -> None:
        after = self._listings[status] = self._list(status, before)
        for name in sorted(after.names ^ before.names):
            self.folders.put(self.layout.status(status) / name)
            self._signatures.pop(self.layout.status(status) / name, None)

    def _list(self, status: Status, before: _Listing | None) -> _Listing:
        now, changed_ns = time.monotonic(), _changed_ns(self.layout, status)
        is_new = before is None or changed_ns != before.changed_ns
        certain_at = now + SAME_TIME_S if before is None or is_new else before.certain_at
        try:
            names = {name for name in os.listdir(self.layout.status(status)) if not is_clutter_folder(name)}
        except FileNotFoundError:  # whether the whole storage is away is the service's question
            names = set()
        except OSError:
            names = set() if before is None else before.names
        return _Listing(names, changed_ns, now, certain_at)

    def _live_jobs(self) -> list[Path]:
        return [self.layout.status(status) / name for status in LIVE for name in sorted(self._listings[status].names)]


def _changed_ns(layout: Layout, status: Status) -> int | None:
    try:
        return layout.status(status).stat().st_mtime_ns
    except OSError:
        return None
