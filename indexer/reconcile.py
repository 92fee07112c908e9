"""Brings what people and slicers did in a job's folder into its record.

Reading and hashing happen outside the job's lock. Under it the comparison (printsys.domain.changes) runs again against
the record as it is then, and a plain loop records what it yields: a second run, or a second computer, finds nothing to
do.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from printsys.domain.changes import FolderChange, FolderSnapshot, FoundFile, compare, drafts_of, recorded_folder
from printsys.domain.effects import Context
from printsys.domain.emails import owed
from printsys.domain.folder_moves import drag
from printsys.jobstore import JobStore, Stored
from printsys.jobstore.files import SETTLE_S, ListedFile, is_settled, list_files, looks_as_recorded, sha256_of
from printsys.jobstore.layout import readable


@dataclass(frozen=True)
class Outcome:
    """The job afterwards, the first event that was added (None: nothing to do), and whether more is to come soon."""

    stored: Stored
    first_new_seq: int | None
    unsettled: bool


@dataclass
class Reconciler:
    """`context()` brings the clock, the prices and the grace in which a dragged folder's e-mail waits.

    It remembers hashes and missing files between runs; forgetting them costs reading, never truth.
    """

    store: JobStore
    context: Callable[[], Context]
    _hashes: dict[tuple[str, str], tuple[int, int, str]] = field(default_factory=dict)
    """By job id and file name: size, modification time (ns), sha256."""
    _missing_since: dict[tuple[str, str], float] = field(default_factory=dict)

    def reconcile(self, job_id: str) -> Outcome:
        """Record what happened in the job's folder. Raises what JobStore.edit does."""
        before = self.store.load(job_id)
        snapshot = self._snapshot(before)
        if before.problem is not None or (before.asked_by_hand is None and not _changes(before, snapshot)):
            return Outcome(before, before.noticed, snapshot.unsettled)
        with self.store.edit(job_id) as edit:
            job, events = edit.job, edit.before.events
            # Otherwise it was renamed again since: the next run compares.
            if readable(edit.before.folder.name) == snapshot.folder:
                edit.record(*drafts_of(job, _changes(edit.before, snapshot), self.store.clock()))
            status = edit.before.asked_by_hand
            if status is not None and status != job.status:
                edit.record(*drag(job, status, self.context(), owed(events, job.id)))
        added = before.job.revision + 1 if edit.result.job.revision > before.job.revision else None
        return Outcome(edit.result, before.noticed or added, snapshot.unsettled)

    # -- the folder as it is ------------------------------------------------------------------------------------

    def _snapshot(self, stored: Stored) -> FolderSnapshot:
        """What is in the folder, each file with its hash; what is still being written or has just vanished is apart."""
        files, being_written = [], set()
        now_ns = time.time_ns()
        listed = list(list_files(stored.folder))
        for file in listed:
            digest = self._digest(stored, file, now_ns)
            if digest is None:
                being_written.add(file.name)
            else:
                files.append(FoundFile(file.name, file.size, digest))
        vanished = self._vanished_just_now(stored, {file.name for file in listed})
        return FolderSnapshot(readable(stored.folder.name), tuple(files), frozenset(being_written), frozenset(vanished))

    def _digest(self, stored: Stored, file: ListedFile, now_ns: int) -> str | None:
        """The file's sha256: as hashed before, as recorded if nothing contradicts it, or read now; None: not yet."""
        key = (stored.id, file.name)
        hashed = self._hashes.get(key)
        if hashed is not None and hashed[:2] == (file.size, file.mtime_ns):
            return hashed[2]
        record = stored.job.file(file.name)
        if record is not None:
            times = (event.at for event in stored.events if "files" in event.patch)
            recorded_at = max(times, default=record.added_at).timestamp()
            if looks_as_recorded(file, record.size, recorded_at, now_ns):
                return record.sha256
        path = stored.folder / file.name
        if not is_settled(path, now_ns):
            return None
        try:
            digest = sha256_of(path)
            after = path.stat()
        except OSError:
            return None
        if (after.st_size, after.st_mtime_ns) != (file.size, file.mtime_ns):
            return None
        self._hashes[key] = (file.size, file.mtime_ns, digest)
        return digest

    def _vanished_just_now(self, stored: Stored, present: set[str]) -> set[str]:
        """Recorded files that are missing, but not yet for long enough to be believed gone."""
        missing = {record.name for record in stored.job.files if record.role != "original"} - present
        now = time.monotonic()
        fresh = set()
        for name in missing:
            since = self._missing_since.setdefault((stored.id, name), now)
            if now - since < SETTLE_S:
                fresh.add(name)
        for name in present:
            self._missing_since.pop((stored.id, name), None)
        return fresh


def _changes(stored: Stored, snapshot: FolderSnapshot) -> list[FolderChange]:
    return list(compare(stored.job, recorded_folder(stored.events) or snapshot.folder, snapshot))
