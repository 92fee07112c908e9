"""What people and slicers did in a job's folder, brought into its record.

Reading and hashing happen outside the job's lock; under it the comparison (printsys.domain.changes) is made again
against the record as it is then, and a plain loop records what it yields. So a second run, or a second computer, finds
nothing to do.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from printsys.domain.changes import FolderSnapshot, FoundFile, compare, drafts_of, recorded_folder
from printsys.domain.effects import Context
from printsys.domain.emails import owed
from printsys.domain.folder_moves import drag
from printsys.domain.job import FileRecord
from printsys.jobstore import JobEdit, JobStore, Stored
from printsys.jobstore.files import SETTLE_S, ListedFile, is_settled, list_files, looks_as_recorded, sha256_of


@dataclass(frozen=True)
class Outcome:
    """The job afterwards, the first event that was added (None: nothing to do), and whether more is to come soon."""

    stored: Stored
    first_new_seq: int | None
    unsettled: bool


@dataclass
class Reconciler:
    """`context()` brings the clock, the prices and the grace in which a dragged folder's e-mail waits.

    What was hashed and what went missing is remembered between runs; forgetting it costs reading, never truth.
    """

    store: JobStore
    context: Callable[[], Context]
    _hashes: dict[tuple[str, str], tuple[int, int, str]] = field(default_factory=dict)
    _missed: dict[tuple[str, str], float] = field(default_factory=dict)

    def reconcile(self, job_id: str) -> Outcome:
        """Record what happened in the job's folder. Raises what JobStore.edit does."""
        before = self.store.load(job_id)
        found = self._look(before)
        if before.problem is not None or not self._differs(before, found):
            return Outcome(before, before.noticed, found.unsettled)
        with self.store.edit(job_id) as change:
            self._record(change, found)
        added = before.job.revision + 1 if change.result.job.revision > before.job.revision else None
        return Outcome(change.result, before.noticed or added, found.unsettled)

    def _record(self, change: JobEdit, found: FolderSnapshot) -> None:
        now = self.store.clock()
        job, events = change.job, change.before.events
        if change.before.folder.name == found.folder:  # else it was renamed again since: the next run looks anew
            change.record(*drafts_of(job, compare(job, recorded_folder(events) or found.folder, found), now))
        asked = change.before.asked_by_hand
        if asked is not None and asked != job.status:
            change.record(*drag(job, asked, self.context(), owed(events, job.id)))

    def _differs(self, stored: Stored, found: FolderSnapshot) -> bool:
        if stored.asked_by_hand is not None:
            return True
        name = recorded_folder(stored.events) or found.folder
        return any(True for _ in compare(stored.job, name, found))

    # -- looking ------------------------------------------------------------------------------------------------

    def _look(self, stored: Stored) -> FolderSnapshot:
        """What is in the folder, each file with its hash; what is still being written or has just vanished is apart."""
        files, being_written = [], set()
        now_ns = time.time_ns()
        there = list(list_files(stored.folder))
        for seen in there:
            digest = self._digest(stored, seen, now_ns)
            if digest is None:
                being_written.add(seen.name)
            else:
                files.append(FoundFile(seen.name, seen.size, digest))
        vanished = self._vanished_just_now(stored, {seen.name for seen in there})
        return FolderSnapshot(stored.folder.name, tuple(files), frozenset(being_written), frozenset(vanished))

    def _digest(self, stored: Stored, seen: ListedFile, now_ns: int) -> str | None:
        """The file's sha256: as hashed before, as recorded if nothing speaks against it, or read now; None: not yet."""
        key = (stored.id, seen.name)
        known = self._hashes.get(key)
        if known is not None and known[:2] == (seen.size, seen.mtime_ns):
            return known[2]
        record = stored.job.file(seen.name)
        if record is not None and _is_as_recorded(record, seen, stored, now_ns):
            return record.sha256
        path = stored.folder / seen.name
        if not is_settled(path, now_ns):
            return None
        try:
            digest = sha256_of(path)
            after = path.stat()
        except OSError:
            return None
        if (after.st_size, after.st_mtime_ns) != (seen.size, seen.mtime_ns):
            return None
        self._hashes[key] = (seen.size, seen.mtime_ns, digest)
        return digest

    def _vanished_just_now(self, stored: Stored, there: set[str]) -> set[str]:
        """Recorded files that are missing, but not yet for long enough to be believed gone."""
        missing = {record.name for record in stored.job.files if record.role != "original"} - there
        now = time.monotonic()
        fresh = set()
        for name in missing:
            since = self._missed.setdefault((stored.id, name), now)
            if now - since < SETTLE_S:
                fresh.add(name)
        for name in there:
            self._missed.pop((stored.id, name), None)
        return fresh


def _is_as_recorded(record: FileRecord, seen: ListedFile, stored: Stored, now_ns: int) -> bool:
    recorded = max((e.at for e in stored.events if "files" in e.patch), default=record.added_at)
    return looks_as_recorded(seen, record.size, recorded.timestamp(), now_ns)
