"""Lists every folder of storage/, compares it with the mirror and reconciles what differs.

The sweep is the truth; native file events only call for one earlier. Where nothing changed it reads no file.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import sqlalchemy as sa

from indexer import check, index, rows
from indexer.attention import AttentionItem, duplicate, for_people, missing_job, move_waits, not_followed
from indexer.check_folder import check_folder, not_a_job, unreadable
from indexer.connection import reading, writing
from indexer.index import Mirror
from indexer.queries import Queries
from indexer.rebuild import Progress, SweepReport, reindex
from indexer.reconcile import Outcome, Reconciler
from indexer.schema import attention, events, jobs, mirror_state
from printsys import fs
from printsys.domain import emails, naming
from printsys.domain.job import format_time
from printsys.domain.pending_work import has_pending_files
from printsys.domain.status import LIVE, Status
from printsys.errors import JobBusy, JobNotFound, OlderCopy, PrintSysError, StorageFailure, StorageOffline
from printsys.jobstore import JobStore, Stored
from printsys.jobstore.files import SETTLE_S, signature
from printsys.jobstore.layout import EVENTS, readable
from printsys.jobstore.newest import note_number, read_newest
from printsys.jobstore.notes import forget_missing, missing_jobs, note_missing
from printsys.jobstore.older_copy import has_newer_record
from printsys.jobstore.repair import id_inside, lies_where_it_says
from printsys.jobstore.trash import is_put_away
from printsys.jobstore.visits import Failure, visit

WORTH_A_REBUILD = 500
"""An empty mirror of so many folders is filled by COPY rather than one by one."""
SAVE_EVERY = 500
RECENT_NS = 3_000_000_000
"""Two changes of a folder may bear one time: FAT counts in steps of two seconds."""
COLUMNS = ("id", "folder", "student_name", "status", "signature", "move_pending", "problem", "digest", "log_size")
AS_MIRRORED = ("folder", "move_pending", "problem", "digest", "log_size")


class Listing(NamedTuple):
    """Of a folder when it was last reconciled. `signature` None: something is open there."""

    job_id: str
    signature: str | None


logger = logging.getLogger(__name__)


@dataclass
class _Walk:
    """What a sweep, or a look at one folder, gathers on its way. Paths are relative to storage/."""

    report: SweepReport
    rows: dict[str, sa.Row[Any]] = field(default_factory=dict)
    """The mirror's rows of the folders that are visited, by path."""
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
    _gone_since: dict[Path, float] = field(default_factory=dict)
    """Folders that were not there at the last visit though the mirror has a job in them, since when (monotonic)."""
    _recorded: dict[Path, str] = field(default_factory=dict)
    """Listings of live folders in which nothing is left to record: for the time without PostgreSQL."""
    _ended: dict[Status, tuple[int, set[str]]] = field(default_factory=dict)
    """Likewise of the other status folders: when one last changed, and the names in it that lie where they should."""

    def sweep(self, progress: Progress | None = None) -> SweepReport:
        """Every folder. StorageOffline, MirrorDown."""
        self.store.require_online()
        listings = self._listings()
        paths = list(self.store.layout.job_paths())
        if not listings and len(paths) >= WORTH_A_REBUILD:
            reindex(self.store, self.mirror.engine, progress)
            listings = self._listings()
        walk = _Walk(SweepReport(folders=len(paths)))
        differing = self._differing(paths, listings, walk)
        missing_ids = {listing.job_id for listing in listings.values()} - walk.paths.keys()
        walk.rows = self._mirrored_rows(differing, missing_ids)
        for done, path in enumerate(differing, 1 + len(paths) - len(differing)):
            self._visit(self.store.layout.root / path, walk)
            if len(walk.signatures) >= SAVE_EVERY:
                self._save_signatures(walk)
            if progress:
                progress(done, len(paths))
        walk.report.jobs = len(walk.paths)
        self.store.require_online()
        self._note_missing(walk)
        walk.report.attention += [*self._missing_items(), *for_people(check.loose_files(self.store.layout))]
        self._settle(walk, set(differing))
        return walk.report

    def record_only(self) -> list[str]:
        """Record what people did in the live folders while PostgreSQL is down; the mirror follows when it is back.

        Returns the ids of the jobs that changed. StorageOffline.
        """
        self.store.require_online()
        changed = []
        for folder in [*self.store.layout.job_folders(LIVE), *self._dragged_out()]:
            listing = signature(folder, time.time_ns())
            if listing is not None and self._recorded.get(folder) == listing:
                continue
            outcome = visit(self.store, self.store.layout.relative(folder), partial(self._reconcile, folder))
            if isinstance(outcome, Outcome) and outcome.first_new_seq is not None:
                changed.append(outcome.stored.id)
                self.changed(outcome.stored.id)
            elif listing is not None and not (isinstance(outcome, Outcome) and outcome.unsettled):
                self._recorded[folder] = listing
        return changed

    def _dragged_out(self) -> list[Path]:
        """Folders in the status folders of jobs that have ended, where their record does not say that they lie there.

        Of many thousands only those are read that came since the last call. A status folder's time says whether
        anything came; a recent time proves nothing yet.
        """
        dragged: list[Path] = []
        for status in Status:
            status_folder = self.store.layout.status(status)
            if status in LIVE or not status_folder.is_dir():
                continue
            changed_ns = status_folder.stat().st_mtime_ns
            seen_ns, settled = self._ended.get(status, (0, set()))
            if changed_ns == seen_ns:
                continue
            folders = list(self.store.layout.job_folders((status,)))
            new = [folder for folder in folders if folder.name not in settled]
            strays = [folder for folder in new if visit(self.store, folder.name, partial(_is_stray, folder)) is True]
            dragged += strays
            is_certain = not strays and changed_ns < time.time_ns() - RECENT_NS
            names = {folder.name for folder in folders} - {folder.name for folder in strays}
            self._ended[status] = (changed_ns if is_certain else 0, names)
        return dragged

    def sweep_folder(self, folder: Path) -> bool:
        """One folder in which something happened. True: it is not settled yet, visit it again in a moment.

        A folder that is not there any more was moved, renamed or deleted: the job is searched by its id.
        """
        walk = _Walk(SweepReport())
        self.soon.discard(folder)
        current = folder if folder.is_dir() else self._moved_to(folder)
        visited = {folder}
        if current is not None:
            self._gone_since.pop(folder, None)
            visited.add(current)
            self._visit(current, walk)
        else:
            self._visit_gone(folder, walk)
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
            place = self._place_of(job_id) if job_id is not None else None
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
        walk.report.attention += [item for item in self._missing_items() if item.folder == path]
        if (loose := check.loose_file(self.store.layout, folder)) is not None:
            walk.report.attention.append(loose)

    # -- which folders ------------------------------------------------------------------------------------------

    def _listings(self) -> dict[str, Listing]:
        """Each mirrored folder's listing, by path."""
        settled = sa.and_(jobs.c.move_pending.is_(None), jobs.c.problem.is_(None))
        columns = (jobs.c.folder, jobs.c.id, sa.case((settled, jobs.c.signature)))
        # As three arrays: a hundred thousand rows cost more to take apart than to fetch.
        query = sa.select(*(sa.func.array_agg(column) for column in columns))
        with reading(self.mirror.engine, patient=True) as connection:
            paths, ids, signatures = (values or () for values in connection.execute(query).one())
        return {path: Listing(job_id, listing) for path, job_id, listing in zip(paths, ids, signatures, strict=True)}

    def _mirrored_rows(self, paths: Sequence[str], ids: set[str]) -> dict[str, sa.Row[Any]]:
        """The rows of these paths, and of these jobs wherever the mirror has them."""
        either = sa.or_(jobs.c.folder == _any(paths), jobs.c.id == _any(ids))
        with reading(self.mirror.engine, patient=True) as connection:
            rows = connection.execute(sa.select(*(jobs.c[name] for name in COLUMNS)).where(either)).all()
        return {row.folder: row for row in rows}

    def _differing(self, paths: Iterable[str], listings: dict[str, Listing], walk: _Walk) -> list[str]:
        """Paths whose listing is not what it was when last reconciled; the others are found already."""
        root = f"{self.store.layout.root}{os.sep}"
        now_ns = time.time_ns()
        differing = []
        for path in paths:
            listing = listings.get(path)
            if (
                listing is not None
                and listing.signature is not None
                and signature(root + path, now_ns) == listing.signature
            ):
                walk.paths[listing.job_id] = path
            else:
                differing.append(path)
        return differing

    # -- one folder ---------------------------------------------------------------------------------------------

    def _visit(self, folder: Path, walk: _Walk) -> None:
        path = self.store.layout.relative(folder)
        item = visit(self.store, path, lambda: self._look_into(folder, walk))
        if isinstance(item, Failure):
            if item.is_passing:
                self.soon.add(folder)
                return
            item = not_followed(path, naming.id_in_folder_name(folder.name), item)
        if item is not None:
            walk.report.attention.append(item)
            if item.kind != "duplicate":
                self._keep_last_row(item, walk)

    def _look_into(self, folder: Path, walk: _Walk) -> AttentionItem | None:
        """Reconcile the folder and mirror its job; or why it is none."""
        listing = signature(folder, time.time_ns())
        self._note_what_the_mirror_knows(folder)
        outcome = self._reconcile(folder)
        self.soon.discard(folder)
        if outcome is None:
            self.soon.add(folder)
        if not isinstance(outcome, Outcome):
            return outcome
        stored = outcome.stored
        if outcome.first_new_seq is not None:
            walk.report.news += [(stored.id, event) for event in stored.events if event.seq >= outcome.first_new_seq]
            self.changed(stored.id)
        self._mirror(stored, walk)
        walk.paths[stored.id] = self.store.layout.relative(stored.folder)
        if outcome.unsettled:
            self.soon.add(stored.folder)
        if listing is not None and outcome.first_new_seq is None and not outcome.unsettled:
            walk.signatures[stored.id] = listing
        return None

    def _reconcile(self, folder: Path) -> Outcome | AttentionItem | None:
        """The job in `folder` with what happened there recorded, or why it is none; None: visit it again later."""
        path = self.store.layout.relative(folder)
        job_id = None
        try:
            job_id = id_inside(folder)
            if job_id is None:
                return not_a_job(path, folder) if folder.exists() else None
            first = self.store.find(job_id, near=folder)
            if first != folder:  # or the job has just moved on
                return duplicate(job_id, path, self.store.layout.relative(first)) if folder.exists() else None
            return self.reconciler.reconcile(job_id)
        except StorageOffline:
            raise
        except (JobBusy, JobNotFound, StorageFailure, FileNotFoundError) as error:
            logger.info("job %s is visited again later: %s", job_id or "(not known yet)", type(error).__name__)
            return None
        except PrintSysError as error:
            return unreadable(path, job_id, error)

    def _keep_last_row(self, item: AttentionItem, walk: _Walk) -> None:
        """An unreadable job that the mirror has keeps its last row, which names the problem."""
        path = item.folder or ""
        row = walk.rows.get(path)
        job_id = item.job_id or (row.id if row is not None else None)
        if job_id is not None and job_id not in walk.paths:
            walk.paths[job_id] = path
            walk.report.changed += self.mirror.mark_problem(job_id, item.sentence)

    def _mirror(self, stored: Stored, walk: _Walk) -> None:
        layout = self.store.layout
        record = rows.record_of(layout, stored)
        row = walk.rows.get(record.folder)
        if row is None or any(getattr(row, name) != getattr(record, name) for name in AS_MIRRORED):
            written = self.mirror.put_record(record, layout.root)
            if not written and stored.problem is not None:  # an older copy: the row stays as it was, and says so
                written = self.mirror.mark_problem(stored.id, str(stored.problem))
            walk.report.changed += written
            if written and (emails.owed(stored.events, stored.id) or has_pending_files(stored.job)):
                self.changed(stored.id)  # the worker's last query of the mirror missed this job
        items = [item for item in check_folder(layout, stored.folder) if item.kind != "move-pending"]
        if isinstance(stored.problem, OlderCopy):
            items = [self._with_possible_fixes(item, stored) for item in items]
        walk.report.attention += for_people([*items, *move_waits(layout, stored)])
        forget_missing(self.store, stored.id)

    def _note_what_the_mirror_knows(self, folder: Path) -> None:
        """An older copy of a folder shows by the note of its newest event; a storage of an older version has no notes
        yet, and the mirror knows."""
        job_id = _id_inside(folder)
        if job_id is None or read_newest(self.store.layout, job_id) is not None:
            return
        if _line_count(folder) >= self._mirrored_seq(job_id):
            return
        try:
            with self.store.locked(job_id):  # or somebody has just written more
                seq = self._mirrored_seq(job_id)
                if _line_count(self.store.find(job_id)) < seq:
                    note_number(self.store.layout, job_id, seq)
        except (JobBusy, JobNotFound, StorageFailure) as error:
            logger.info("job %s is compared with the mirror later: %s", job_id, error)

    def _mirrored_seq(self, job_id: str) -> int:
        with reading(self.mirror.engine) as connection:
            query = sa.select(sa.func.coalesce(sa.func.max(events.c.seq), 0)).where(events.c.job_id == job_id)
            return int(connection.execute(query).scalar_one())

    def _with_possible_fixes(self, item: AttentionItem, stored: Stored) -> AttentionItem:
        """Without the newer record's fix where neither the mirror nor the trash has it."""
        mirrored = Queries(self.mirror.engine).events_from(stored.id, stored.log.seq)
        if item.kind != "older-copy" or has_newer_record(self.store, stored.id, mirrored):
            return item
        return replace(item, fixes=tuple(fix for fix in item.fixes if fix != "put-newer-back"))

    # -- the rest -----------------------------------------------------------------------------------------------

    def _note_missing(self, walk: _Walk) -> None:
        """Rows whose folder is nowhere: the system deleted the job, or a person the folder."""
        for row in walk.rows.values():
            if row.id in walk.paths or self._place_of(row.id) is not None:
                continue
            if is_put_away(self.store, row.id):
                walk.report.removed += self.mirror.remove([row.id])
                continue
            note = {"student_name": row.student_name, "status": row.status, "folder": row.folder}
            if row.id not in missing_jobs(self.store):
                note_missing(self.store, row.id, note | {"noticed_at": format_time(self.store.clock())})
            self.mirror.mark_problem(row.id, missing_job(row.id, note).sentence)

    def _missing_items(self) -> list[AttentionItem]:
        return [missing_job(job_id, note) for job_id, note in missing_jobs(self.store).items()]

    def _place_of(self, job_id: str) -> Path | None:
        """Where the job's folder is now. Folders that bear the name of another job are not searched: where a person
        gave it such a name, the visit of that folder finds the job."""
        try:
            return self.store.find(job_id, everywhere=False)
        except JobNotFound:
            return None

    def _settle(self, walk: _Walk, visited: set[str], whole: bool = True) -> None:
        """Save the signatures, and what needs a person, of the folders that were visited."""
        if not (whole or walk.signatures or walk.report.attention):
            with reading(self.mirror.engine) as connection:
                raised = sa.select(sa.exists().where(attention.c.folder == _any(visited)))
                if not connection.execute(raised).scalar():
                    return
        self._save_signatures(walk)
        with writing(self.mirror.engine, patient=True) as (connection, _):
            stale: sa.ColumnElement[bool] = attention.c.folder == _any(visited)
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


def _id_inside(folder: Path) -> str | None:
    try:
        return id_inside(folder)
    except OSError:  # what it is shows when it is reconciled
        return None


def _line_count(folder: Path) -> int:
    try:
        return (fs.read_if_there(folder / EVENTS) or b"").count(b"\n")
    except OSError:
        return 0


def _is_stray(folder: Path) -> bool:
    job_id = id_inside(folder)
    return job_id is not None and not lies_where_it_says(folder, job_id)


def _any(values: Iterable[str]) -> Any:
    """Any of these, however many: as one array, where IN would have a parameter for each."""
    return sa.any_(sa.cast([readable(value) for value in values], sa.ARRAY(sa.Text)))
