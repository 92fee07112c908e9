"""Brings what people and slicers did in a job's folder into its record.

Reading and hashing happen outside the job's lock. Under it the comparison (printsys.domain.changes) runs again against
the record as it is then, and a plain loop records what it yields: a second run, or a second computer, finds nothing to
do.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from printsys.domain.changes import FolderChange, FolderSnapshot, FoundFile, compare, drafts_of, recorded_folder
from printsys.domain.crowded import followed
from printsys.domain.effects import Context
from printsys.domain.emails import owed
from printsys.domain.folder_moves import drag
from printsys.jobstore import JobStore, Stored
from printsys.jobstore.files import (
    SETTLE_S,
    FileFacts,
    ListedFile,
    PartialHash,
    list_entries,
    list_originals,
    list_recorded,
    listed,
    read_finished,
)
from printsys.jobstore.layout import readable

SLICE_S = 2.0
"""A visit reads a job's files for so long, and goes on in the next one: other jobs wait for theirs."""


@dataclass(frozen=True)
class Outcome:
    """The job afterwards, the first event that was added (None: nothing to do), and whether more is to come soon."""

    stored: Stored
    first_new_seq: int | None
    unsettled: bool
    is_reading: bool = False
    """Its time was over before all files were read."""


@dataclass
class _SeenFile:
    """A file that has had these facts since then (monotonic clock), and its hash once it has been read."""

    facts: FileFacts
    since: float
    sha256: str | None = None
    hashing: PartialHash = field(default_factory=PartialHash)


@dataclass
class Reconciler:
    """`context()` brings the clock, the prices and the grace in which a dragged folder's e-mail waits.

    It remembers files and what is missing between runs; forgetting them costs reading and waiting, never truth.
    """

    store: JobStore
    context: Callable[[], Context]
    settle_s: float = SETTLE_S
    slice_s: float = SLICE_S
    on_recorded: Callable[[Stored, Stored], object] | None = None
    """Called with the job before and after a change: see JobEdit.on_recorded."""
    _files: dict[str, dict[str, _SeenFile]] = field(default_factory=dict)
    """By job id and name."""
    _is_reading: bool = False
    _missing_since: dict[tuple[str, str], float] = field(default_factory=dict)

    def reconcile(self, job_id: str, is_quiet: bool = False) -> Outcome:
        """Record what happened in the job's folder. Raises what JobStore.edit does.

        `is_quiet`: the caller has seen the folder with the same listing `settle_s` ago.
        """
        before = self.store.load(job_id)
        snapshot = self._snapshot(before, is_quiet)
        if before.problem is not None or (before.asked_by_hand is None and not _changes(before, snapshot)):
            return Outcome(before, before.noticed, snapshot.unsettled, self._is_reading)
        with self.store.edit(job_id, loaded=before) as edit:
            if self.on_recorded is not None:
                edit.on_recorded = partial(self.on_recorded, edit.before)
            # Otherwise it was renamed again since: the next run compares.
            if readable(edit.before.folder.name) == snapshot.folder:
                edit.record(*drafts_of(edit.job_so_far, _changes(edit.before, snapshot), self.store.clock()))
            status = edit.before.asked_by_hand
            if status is not None and status != edit.job.status:
                edit.record(*drag(edit.job_so_far, status, self.context(), owed(edit.before.events, job_id)))
        added = before.job.revision + 1 if edit.result.job.revision > before.job.revision else None
        return Outcome(edit.result, before.noticed or added, snapshot.unsettled, self._is_reading)

    # -- the folder as it is ------------------------------------------------------------------------------------

    def _snapshot(self, stored: Stored, is_quiet: bool) -> FolderSnapshot:
        """What is in the folder, each file with its hash; what is still being written or has just vanished is apart.

        Originals are read, too: whether they are what the student sent is asked by `hash_of`.
        """
        files, being_written = [], set()
        present = dict(list_entries(stored.folder))
        recorded = {record.name for record in stored.job.files if record.role != "original"}
        names = followed(present.keys(), recorded, self.store.most_files)
        followed_files = [listed(name, entry) for name, entry in present.items() if name in names]
        # An older version recorded names that are passed over now: a file that lies there is not gone.
        followed_files += list_recorded(stored.folder, recorded - present.keys())
        originals = list(list_originals(stored.folder))
        self._forget_all_but(stored.id, {file.name for file in (*followed_files, *originals)})
        read_until = time.monotonic() + self.slice_s
        self._is_reading = False
        for file in followed_files:
            digest = self.digest(stored.id, stored.folder, file, is_quiet, read_until)
            if digest is None:
                being_written.add(file.name)
            else:
                files.append(FoundFile(file.name, file.size, digest))
        for file in originals:
            if self.digest(stored.id, stored.folder, file, is_quiet, read_until) is None:
                being_written.add(file.name)
        vanished = self._vanished_just_now(stored, {file.name for file in followed_files})
        return FolderSnapshot(readable(stored.folder.name), tuple(files), frozenset(being_written), frozenset(vanished))

    def digest(
        self, job_id: str, folder: Path, file: ListedFile, is_quiet: bool = False, read_until: float = math.inf
    ) -> str | None:
        """The file's sha256, as it was read while it had these facts, or read now, until `read_until` (monotonic).
        None: it is not quiet yet, or not all of it is read."""
        files, now = self._files.setdefault(job_id, {}), time.monotonic()
        seen_file = files.get(file.name)
        if seen_file is None or seen_file.facts != file.facts:
            seen_file = files[file.name] = _SeenFile(file.facts, now)
        quiet_s = max(now - seen_file.since, self.settle_s if is_quiet else 0.0)
        if seen_file.sha256 is None and quiet_s >= self.settle_s:
            if now < read_until:
                path, hashing = folder / file.name, seen_file.hashing
                seen_file.sha256 = read_finished(path, file.facts, quiet_s, hashing, read_until)
            self._is_reading |= seen_file.sha256 is None and time.monotonic() >= read_until
        return seen_file.sha256

    def hash_of(self, job_id: str, name: str) -> str | None:
        """The sha256 of one of the job's files at the last run; None: it was not quiet, or not there."""
        seen_file = self._files.get(job_id, {}).get(name)
        return seen_file.sha256 if seen_file is not None else None

    def forget(self, job_id: str) -> None:
        """Of a job that rests: the memory of the live ones is enough."""
        self._files.pop(job_id, None)

    def forget_all(self) -> None:
        self._files.clear()

    def _forget_all_but(self, job_id: str, names: set[str]) -> None:
        files = self._files.get(job_id, {})
        for name in files.keys() - names:
            del files[name]

    def _vanished_just_now(self, stored: Stored, present: set[str]) -> set[str]:
        """Recorded files that are missing, but not yet for long enough to be believed gone."""
        missing = {record.name for record in stored.job.files if record.role != "original"} - present
        now = time.monotonic()
        fresh = set()
        for name in missing:
            since = self._missing_since.setdefault((stored.id, name), now)
            if now - since < self.settle_s:
                fresh.add(name)
        for name in present:
            self._missing_since.pop((stored.id, name), None)
        return fresh


def _changes(stored: Stored, snapshot: FolderSnapshot) -> list[FolderChange]:
    return list(compare(stored.job, recorded_folder(stored.events) or snapshot.folder, snapshot))
