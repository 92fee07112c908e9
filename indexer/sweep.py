"""Lists every folder of storage/, compares it with the mirror and reconciles what differs.

The sweep is the truth; native file events only call for one earlier. Where nothing changed it reads no file.
"""

from __future__ import annotations

import logging
import math
import os
import time
from collections import deque
from collections.abc import Callable, Container, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import sqlalchemy as sa

from indexer import check, index, read_folder, rows
from indexer.attention import AttentionItem, duplicate, for_people, move_waits, not_followed
from indexer.check_folder import check_folder, not_a_job, unreadable
from indexer.connection import any_of, reading, writing
from indexer.ended_jobs import EndedJobs
from indexer.index import Mirror
from indexer.missing import missing_item, missing_items, note_missing_jobs, place_of
from indexer.older_copies import note_what_the_mirror_knows, with_possible_fixes
from indexer.pruned import mirror_pruned_jobs
from indexer.rebuild import Progress, SweepReport, reindex
from indexer.reconcile import Outcome, Reconciler
from indexer.schema import attention, jobs, mirror_state
from printsys.domain import emails, naming
from printsys.domain.pending_work import has_pending_files
from printsys.domain.status import LIVE
from printsys.errors import JobBusy, JobNotFound, MirrorDown, OlderCopy, PrintSysError, StorageFailure, StorageOffline
from printsys.jobstore import JobStore, Stored
from printsys.jobstore.files import SETTLE_S, signature
from printsys.jobstore.notes import forget_missing
from printsys.jobstore.repair import id_inside
from printsys.jobstore.trash import TRASH_KEEPS
from printsys.jobstore.visits import Failure, Refusals, visit

WORTH_A_REBUILD = 500
"""An empty mirror of so many folders is filled by COPY rather than one by one."""
SAVE_EVERY = 500
AT_ONCE = 200
"""So many folders of those that wait are visited before the mirror has what was found in them."""
LIVE_PATHS = tuple(f"{status}/" for status in LIVE)
COLUMNS = ("id", "folder", "student_name", "status", "signature", "move_pending", "problem", "digest", "log_size")
BETWEEN = "//"
"""Stands between two of the mirror's paths, ids or signatures: none of them can hold it."""
AS_MIRRORED = ("folder", "move_pending", "problem", "digest", "log_size")


class _Sent(NamedTuple):
    """A job that the mirror was told of before its metadata.json was written, and whether that changed the mirror."""

    stored: Stored
    is_mirrored: Future[bool]


class _Mirrored(NamedTuple):
    """Of each folder when it was last reconciled, by path: its job's id, and its listing ("": something is open there).

    Two plain dicts: the garbage collector need not look through a hundred thousand pairs.
    """

    ids: dict[str, str]
    listings: dict[str, str]


logger = logging.getLogger(__name__)


@dataclass
class _Walk:
    """What a sweep, or a look at one folder, gathers on its way. Paths are relative to storage/."""

    report: SweepReport
    rows: dict[str, sa.Row[Any]] = field(default_factory=dict)
    """The mirror's rows of the folders that are visited, by path."""
    unread_rows: set[str] = field(default_factory=set)
    """Paths whose rows are read when they are asked for: a folder that was dragged has none, and need not wait."""
    paths: dict[str, str] = field(default_factory=dict)
    """Of the jobs that were found, by id."""
    signatures: dict[str, str] = field(default_factory=dict)
    """Listings of settled folders, by job id, that are not saved yet."""


@dataclass
class Sweeper:
    """Calls `changed(job_id)` for each job that the sweep changed or newly mirrored, if it may owe work now."""

    store: JobStore
    mirror: Mirror
    reconciler: Reconciler
    changed: Callable[[str], None] = lambda job_id: None
    soon: set[Path] = field(default_factory=set)
    """Folders that were not settled at the last visit, or busy: visit them again in a moment."""
    reading: set[Path] = field(default_factory=set)
    """Those of them whose files were not all read in the time of a visit."""
    _gone_since: dict[Path, float] = field(default_factory=dict)
    """Folders that were not there at the last visit though the mirror has a job in them, since when (monotonic)."""
    waiting: deque[str] = field(default_factory=deque)
    """Folders, relative to storage/, that the last sweep left to `continue_sweep`."""
    _sightings: dict[str, tuple[str, float]] = field(default_factory=dict)
    """Listings that the mirror does not have, by folder, and since when they have been so (monotonic clock)."""
    _recorded: dict[Path, str] = field(default_factory=dict)
    """Listings of live folders in which nothing is left to record: for the time without PostgreSQL."""
    _ended: EndedJobs = field(default_factory=EndedJobs)
    """Likewise of the other status folders."""
    _refusals: Refusals = field(default_factory=Refusals)
    _sent: _Sent | None = None
    """By the visit that goes on."""

    def sweep(
        self,
        progress: Progress | None = None,
        patience_s: float = math.inf,
        *,
        is_deep: bool = False,
        looks_twice: bool = False,
    ) -> SweepReport:
        """Every folder. After `patience_s` the rest of those that differ is left to `continue_sweep`: they may hold
        terabytes to be read. StorageOffline, MirrorDown.

        `is_deep`: the files of all are read. `looks_twice`: waits for `settle_s` where anything differs, so that files
        that nobody is writing are recorded now, and not at the next visit.
        """
        deadline = time.monotonic() + patience_s
        self.store.require_online()
        mirrored = self._mirrored()
        paths, other_paths = self.store.layout.list_statuses()
        if (not mirrored.ids and len(paths) >= WORTH_A_REBUILD) or self._is_out_of_date():
            reindex(self.store, self.mirror.engine, progress)
            mirrored = self._mirrored()
        mirror_pruned_jobs(self.store, self.mirror.engine, is_deep)
        walk = _Walk(SweepReport(folders=len(paths)))
        if is_deep:
            self.reconciler.forget_all()
            mirrored = mirrored._replace(listings=dict.fromkeys(mirrored.ids, ""))
        differing = self._differing(paths, mirrored, walk)
        if looks_twice and differing:
            time.sleep(self.reconciler.settle_s)
        missing_ids = set(mirrored.ids.values()) - walk.paths.keys()
        walk.rows = self._mirrored_rows(differing, missing_ids)
        self.waiting = deque(differing)
        while self.waiting and time.monotonic() < deadline:
            self._visit(self.store.layout.root / self.waiting.popleft(), walk)
            if len(walk.signatures) >= SAVE_EVERY:
                self._save_signatures(walk)
            if progress:
                progress(len(paths) - len(self.waiting), len(paths))
        walk.paths |= {mirrored.ids[path]: path for path in self.waiting if path in mirrored.ids}
        walk.report.jobs = len(walk.paths)
        self.store.require_online()
        self._note_missing(walk)
        loose = check.loose_files(self.store.layout, other_paths)
        walk.report.attention += [*missing_items(self.store), *for_people(loose)]
        self._settle(walk, set(differing) - set(self.waiting))
        return walk.report

    def continue_sweep(self, patience_s: float) -> SweepReport:
        """Visit folders that the last sweep left, for so long, but one at least. StorageOffline, MirrorDown."""
        deadline = time.monotonic() + patience_s
        self.store.require_online()
        walk = _Walk(SweepReport())
        walk.rows = self._mirrored_rows(list(islice(self.waiting, AT_ONCE)), set())
        visited = set[str]()
        while self.waiting and len(visited) < AT_ONCE and (not visited or time.monotonic() < deadline):
            path = self.waiting.popleft()
            visited.add(path)
            self._visit(self.store.layout.root / path, walk)
        self._settle(walk, visited, whole=False)
        return walk.report

    def record_only(self, patience_s: float = math.inf) -> list[str]:
        """Record what people did in the live folders while PostgreSQL is down; the mirror follows when it is back.

        Returns the ids of the jobs that changed. What is not done after `patience_s` is left to the next call.
        StorageOffline.
        """
        deadline = time.monotonic() + patience_s
        self.store.require_online()
        changed = []
        for folder in [*self._ended.strays(self.store, self.reconciler.settle_s), *self.store.layout.job_folders(LIVE)]:
            if time.monotonic() > deadline:
                break
            listing = signature(folder)
            if self._recorded.get(folder) == listing:
                continue
            path = self.store.layout.relative(folder)
            is_quiet = self._is_quiet(path, listing)
            outcome = visit(self.store, path, partial(self._reconcile, folder, is_quiet))
            if isinstance(outcome, Outcome) and outcome.first_new_seq is not None:
                changed.append(outcome.stored.id)
                self.changed(outcome.stored.id)
            elif is_quiet and not _is_unfinished(outcome):
                self._recorded[folder] = listing
        return changed

    def sweep_folder(self, folder: Path, awaited: Container[Path] = ()) -> bool:
        """One folder in which something happened. True: it is not settled yet, visit it again in a moment.

        A folder that is not there any more was moved, renamed or deleted: the job is searched by its id, and visited
        unless its folder is among those whose visits are awaited anyway.
        """
        walk = _Walk(SweepReport())
        self.soon.discard(folder)
        current = folder if folder.is_dir() else self._moved_to(folder)
        visited = {folder}
        if current is None:
            self._visit_gone(folder, walk)
        else:
            self._gone_since.pop(folder, None)
            if current == folder or current not in awaited:
                visited.add(current)
                walk.unread_rows.add(self.store.layout.relative(current))
                self._visit(current, walk)
        self._settle(walk, {self.store.layout.relative(place) for place in visited}, whole=False)
        visited |= {self.store.layout.root / path for path in walk.paths.values()}
        return not visited.isdisjoint(self.soon)

    def _moved_to(self, folder: Path) -> Path | None:
        """Where the job is that the mirror has in `folder`, or else the job that its name names: a process that met the
        job at its new place has mirrored that already."""
        path = self.store.layout.relative(folder)
        with reading(self.mirror.engine) as connection:
            mirrored_id = connection.execute(sa.select(jobs.c.id).where(jobs.c.folder == path)).scalar()
        for job_id in dict.fromkeys((mirrored_id, naming.id_in_folder_name(folder.name))):
            place = place_of(self.store, job_id) if job_id is not None else None
            if place is not None:
                return place
        return None

    def _visit_gone(self, folder: Path, walk: _Walk) -> None:
        """Nothing is there. A job that the mirror has there is missing, once it had time to come back: a person, or a
        program, may move a folder in two steps. What was raised of the path is true no longer."""
        path = self.store.layout.relative(folder)
        walk.rows = self._mirrored_rows([path], set())
        since = self._gone_since.setdefault(folder, time.monotonic())
        if walk.rows and time.monotonic() - since < SETTLE_S:
            self.soon.add(folder)
        else:
            del self._gone_since[folder]
            self.store.require_online()
            self._note_missing(walk)
        ids = dict.fromkeys([*(row.id for row in walk.rows.values()), naming.id_in_folder_name(folder.name)])
        items = [missing_item(self.store, job_id) for job_id in ids if job_id is not None]
        walk.report.attention += [item for item in items if item is not None and item.folder == path]
        if (loose := check.loose_file(self.store.layout, folder)) is not None:
            walk.report.attention.append(loose)

    # -- which folders ------------------------------------------------------------------------------------------

    def _is_out_of_date(self) -> bool:
        """Whether a job may have been pruned since the last sweep whose id `jobstore.pruned.gone_ids` has not any more:
        it would count as a missing job, and by its line."""
        with reading(self.mirror.engine) as connection:
            synced_at = connection.execute(sa.select(sa.func.max(mirror_state.c.synced_at))).scalar()
        return synced_at is not None and synced_at < self.store.clock() - TRASH_KEEPS

    def _mirrored(self) -> _Mirrored:
        settled = sa.and_(jobs.c.move_pending.is_(None), jobs.c.problem.is_(None))
        columns = (jobs.c.folder, jobs.c.id, sa.func.coalesce(sa.case((settled, jobs.c.signature)), ""))
        # As three texts: a hundred thousand rows cost more to take apart than to fetch, and so do arrays.
        query = sa.select(*(sa.func.string_agg(column, BETWEEN) for column in columns))
        with reading(self.mirror.engine, patient=True) as connection:
            texts = connection.execute(query).one()
        if texts[0] is None:
            return _Mirrored({}, {})
        paths, ids, listings = (text.split(BETWEEN) for text in texts)
        return _Mirrored(dict(zip(paths, ids, strict=True)), dict(zip(paths, listings, strict=True)))

    def _mirrored_rows(self, paths: Sequence[str], ids: set[str]) -> dict[str, sa.Row[Any]]:
        """The rows of these paths, and of these jobs wherever the mirror has them."""
        either = sa.or_(jobs.c.folder == any_of(paths), jobs.c.id == any_of(ids))
        with reading(self.mirror.engine, patient=True) as connection:
            rows = connection.execute(sa.select(*(jobs.c[name] for name in COLUMNS)).where(either)).all()
        return {row.folder: row for row in rows}

    def _row(self, path: str, walk: _Walk) -> sa.Row[Any] | None:
        """The mirror's row of the job in this folder."""
        if path in walk.unread_rows:
            walk.unread_rows.discard(path)
            walk.rows |= self._mirrored_rows([path], set())
        return walk.rows.get(path)

    def _differing(self, paths: Iterable[str], mirrored: _Mirrored, walk: _Walk) -> list[str]:
        """Paths whose listing is not what it was when last reconciled; the others are found already.

        Those that the mirror does not know come first, then the live ones.
        """
        root = f"{self.store.layout.root}{os.sep}"
        sightings: dict[str, tuple[str, float]] = {}
        differing: tuple[list[str], list[str], list[str]] = ([], [], [])
        for path in paths:
            listing = signature(root + path)
            if mirrored.listings.get(path) == listing:
                walk.paths[mirrored.ids[path]] = path
                continue
            sighting = self._sightings.get(path)
            sightings[path] = sighting if sighting and sighting[0] == listing else (listing, time.monotonic())
            differing[0 if path not in mirrored.ids else 1 if path.startswith(LIVE_PATHS) else 2].append(path)
        self._sightings = sightings
        return [path for some in differing for path in some]

    def _is_quiet(self, path: str, listing: str) -> bool:
        """Whether the folder has had this listing for `settle_s`."""
        now = time.monotonic()
        sighting = self._sightings.get(path)
        if sighting is None or sighting[0] != listing:
            sighting = self._sightings[path] = (listing, now)
        return now - sighting[1] >= self.reconciler.settle_s

    # -- one folder ---------------------------------------------------------------------------------------------

    def _visit(self, folder: Path, walk: _Walk) -> None:
        path = self.store.layout.relative(folder)
        item = visit(self.store, path, lambda: self._look_into(folder, walk))
        is_lasting = self._refusals.is_lasting(path, item)
        if isinstance(item, Failure):
            if item.is_passing:
                self.soon.add(folder)
                if not is_lasting:
                    return
            item = not_followed(path, naming.id_in_folder_name(folder.name), item)
        if item is not None:
            walk.report.attention.append(item)
            if item.kind != "duplicate":
                self._keep_last_row(item, walk)

    def _look_into(self, folder: Path, walk: _Walk) -> AttentionItem | None:
        """Reconcile the folder and mirror its job; or why it is none."""
        path = self.store.layout.relative(folder)
        listing = signature(folder)  # first: what changes while the rest is read makes another one
        is_quiet = self._is_quiet(path, listing)
        if is_quiet and (job_id := self._resting(folder, walk)) is not None:
            self._has_settled(job_id, folder, listing, walk)
            return None
        outcome = self._reconcile(folder, is_quiet, asks_mirror=True)
        self.soon.discard(folder)
        if outcome is None:
            self.soon.add(folder)
        if not isinstance(outcome, Outcome):
            return outcome
        stored = outcome.stored
        if outcome.first_new_seq is not None:
            walk.report.news += [(stored.id, event) for event in stored.events if event.seq >= outcome.first_new_seq]
        self._mirror(outcome, walk)
        walk.report.attention += self._questions(stored)
        forget_missing(self.store, stored.id)
        walk.paths[stored.id] = self.store.layout.relative(stored.folder)
        (self.reading.add if outcome.is_reading else self.reading.discard)(folder)
        if outcome.unsettled:
            self.soon.add(stored.folder)
        if is_quiet and outcome.first_new_seq is None and not outcome.unsettled:
            self._has_settled(stored.id, folder, listing, walk)
        return None

    def _resting(self, folder: Path, walk: _Walk) -> str | None:
        """The id of the job, if the folder is as its record says and the record as the mirror has it. Of a job that
        rests this is the quickest way to know, as long as its files are read in the time of a visit."""
        row = self._row(self.store.layout.relative(folder), walk)
        if row is None or row.problem is not None or row.move_pending is not None:
            return None
        record = read_folder.read_proven(self.store.layout, folder)
        if record is None or (record.id, record.digest, record.log_size) != (row.id, row.digest, row.log_size):
            return None
        read_until = time.monotonic() + self.reconciler.slice_s
        digest = partial(self.reconciler.digest, record.id, folder, is_quiet=True, read_until=read_until)
        return record.id if read_folder.is_as_recorded(self.store.layout, record, digest) else None

    def _has_settled(self, job_id: str, folder: Path, listing: str, walk: _Walk) -> None:
        """All files of the folder were read since it has this listing: as long as it has it, there is nothing to do."""
        path = self.store.layout.relative(folder)
        walk.paths[job_id], walk.signatures[job_id] = path, listing
        self._sightings.pop(path, None)
        self.soon.discard(folder)
        self.reading.discard(folder)
        forget_missing(self.store, job_id)
        if not path.startswith(LIVE_PATHS):
            self.reconciler.forget(job_id)

    def _reconcile(self, folder: Path, is_quiet: bool, asks_mirror: bool = False) -> Outcome | AttentionItem | None:
        """The job in `folder` with what happened there recorded, or why it is none; None: visit it again later.

        `asks_mirror`: for a newer record than the folder's, where storage itself has no note of it; and it is told of a
        change as soon as that is recorded. MirrorDown.
        """
        path = self.store.layout.relative(folder)
        job_id = None
        self._sent, self.reconciler.on_recorded = None, self._send if asks_mirror else None
        try:
            job_id = id_inside(folder)
            if job_id is None:
                return not_a_job(path, folder) if folder.exists() else None
            if asks_mirror:
                note_what_the_mirror_knows(self.store, self.mirror.engine, folder, job_id)
            first = self.store.find(job_id, near=folder)
            if first != folder:  # or the job has just moved on
                return duplicate(job_id, path, self.store.layout.relative(first)) if folder.exists() else None
            return self.reconciler.reconcile(job_id, is_quiet)
        except (StorageOffline, StorageFailure, MirrorDown):
            raise
        except (JobBusy, JobNotFound, FileNotFoundError) as error:
            logger.info("job %s is visited again later: %s", job_id or "(not known yet)", type(error).__name__)
            return None
        except PrintSysError as error:
            return unreadable(path, job_id, error)

    def _send(self, before: Stored, after: Stored) -> None:
        """While metadata.json is written and synced, PostgreSQL has its work done: each takes as long as the other."""
        try:
            self._sent = _Sent(after, self.mirror.start_change(after, before))
        except RuntimeError as error:  # the system gives no thread: the row is written after metadata.json then
            logger.warning("job %s: its change is not mirrored at once: %s", after.id, error)

    def _keep_last_row(self, item: AttentionItem, walk: _Walk) -> None:
        """An unreadable job that the mirror has keeps its last row, which names the problem."""
        path = item.folder or ""
        row = self._row(path, walk)
        job_id = item.job_id or (row.id if row is not None else None)
        if job_id is not None and job_id not in walk.paths:
            walk.paths[job_id] = path
            walk.report.changed += self.mirror.mark_problem(job_id, item.sentence)

    def _mirror(self, outcome: Outcome, walk: _Walk) -> None:
        """Bring the job into the mirror."""
        stored, is_changed, written = outcome.stored, outcome.first_new_seq is not None, False
        try:
            written = self._put(outcome, walk)
        finally:
            # The worker's last query of the mirror missed what has just come into it.
            if is_changed or (written and (emails.owed(stored.events, stored.id) or has_pending_files(stored.job))):
                self.changed(stored.id)
        walk.report.changed += written

    def _put(self, outcome: Outcome, walk: _Walk) -> bool:
        stored = outcome.stored
        if self._sent is not None and self._sent.is_mirrored.result() and self._sent.stored == stored:
            return True
        record = rows.record_of(self.store.layout, stored)
        # What has just changed is newer than what the mirror can have.
        row = None if outcome.first_new_seq is not None else self._row(record.folder, walk)
        if row is not None and all(getattr(row, name) == getattr(record, name) for name in AS_MIRRORED):
            return False
        written = self.mirror.put_record(record, self.store.layout.root)
        if not written and stored.problem is not None:  # an older copy: the row stays as it was, and says so
            written = self.mirror.mark_problem(stored.id, str(stored.problem))
        return written

    def _questions(self, stored: Stored) -> list[AttentionItem]:
        """What needs a person in the job's folder."""

        def hash_of(path: Path) -> str | None:
            return self.reconciler.hash_of(stored.id, path.relative_to(stored.folder).as_posix())

        items = check_folder(self.store.layout, stored.folder, hash_of, self.store.most_files)
        if isinstance(stored.problem, OlderCopy):
            items = [with_possible_fixes(self.store, self.mirror.engine, item, stored) for item in items]
        return for_people([*items, *move_waits(self.store.layout, stored)])

    # -- the rest -----------------------------------------------------------------------------------------------

    def _note_missing(self, walk: _Walk) -> None:
        lost = [row for row in walk.rows.values() if row.id not in walk.paths]
        removed, refused = note_missing_jobs(self.store, self.mirror, lost)
        walk.report.removed += removed
        self.soon |= refused

    def _settle(self, walk: _Walk, visited: set[str], whole: bool = True) -> None:
        """Save the signatures, and what needs a person, of the folders that were visited."""
        if not (whole or walk.signatures or walk.report.attention):
            with reading(self.mirror.engine) as connection:
                raised = sa.select(sa.exists().where(attention.c.folder == any_of(visited)))
                if not connection.execute(raised).scalar():
                    return
        self._save_signatures(walk)
        with writing(self.mirror.engine, patient=True) as (connection, _):
            stale: sa.ColumnElement[bool] = attention.c.folder == any_of(visited)
            if whole:
                mirrored = sa.exists().where(jobs.c.folder == attention.c.folder)
                stale = sa.or_(stale, ~mirrored)
                index.recount(connection)
                connection.execute(sa.update(mirror_state).values(synced_at=sa.func.now()))
            index.set_attention(connection, walk.report.attention, stale)

    def _save_signatures(self, walk: _Walk) -> None:
        """Also now and then in a long sweep: after an interruption the next one need not begin at the beginning."""
        if walk.signatures:
            values = [{"job": job_id, "listing": listing} for job_id, listing in walk.signatures.items()]
            update = sa.update(jobs).where(jobs.c.id == sa.bindparam("job"))
            with reading(self.mirror.engine, patient=True) as connection:
                connection.execute(update.values(signature=sa.bindparam("listing")), values)
            walk.signatures.clear()


def _is_unfinished(outcome: Outcome | AttentionItem | Failure | None) -> bool:
    """Whether the next visit may find more, though nothing changes in the folder."""
    if isinstance(outcome, Failure):
        return outcome.is_passing
    return outcome is None or (isinstance(outcome, Outcome) and outcome.unsettled)
