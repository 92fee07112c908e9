"""The truth about storage/: every folder is listed and compared with the mirror; what differs is reconciled.

Native file events only wake it. With nothing changed it lists folders and reads no file.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import sqlalchemy as sa

from indexer import check, index, rows
from indexer.attention import AttentionItem, duplicate, for_people, missing_job, move_waits
from indexer.check_folder import check_folder, not_a_job, unreadable
from indexer.connection import reading, writing
from indexer.index import Mirror
from indexer.rebuild import Progress, SweepReport, reindex
from indexer.reconcile import Outcome, Reconciler
from indexer.schema import attention, jobs, mirror_state
from printsys.domain import emails
from printsys.domain.job import format_time
from printsys.domain.pending_work import has_pending_files
from printsys.domain.status import LIVE
from printsys.errors import JobBusy, JobNotFound, PrintSysError, StorageFailure, StorageOffline
from printsys.jobstore import JobStore, Stored
from printsys.jobstore.files import signature
from printsys.jobstore.notes import forget_missing, missing_jobs, note_missing
from printsys.jobstore.repair import id_inside
from printsys.jobstore.trash import is_put_away

WORTH_A_REBUILD = 500
"""So many folders for an empty mirror are brought in by COPY rather than one by one."""
KEEP_EVERY = 500
ROW = ("id", "folder", "student_name", "status", "signature", "move_pending", "problem", "digest", "log_size")
AS_MIRRORED = ("folder", "move_pending", "problem", "digest", "log_size")
Known = dict[str, sa.Row[Any]]
"""What the mirror knows of each folder, by its place relative to storage/."""


class Listing(NamedTuple):
    """`signature` None: look again."""

    id: str
    signature: str | None


logger = logging.getLogger(__name__)


@dataclass
class Sweeper:
    """`changed(job_id)` is told of each job that the sweep changed or newly mirrored, if it may owe work now."""

    store: JobStore
    mirror: Mirror
    reconciler: Reconciler
    changed: Callable[[str], None] = lambda job_id: None
    soon: dict[str, Path] = field(default_factory=dict)
    """Jobs, and their folders, that were not settled when last looked at: look again in a moment."""
    _recorded: dict[Path, str] = field(default_factory=dict)
    """Listings of live folders in which nothing is left to record: known without PostgreSQL."""

    def sweep(self, progress: Progress | None = None) -> SweepReport:
        """Every folder. StorageOffline, MirrorDown."""
        self.store.require_online()
        listings = self._listings()
        every = list(self.store.layout.job_paths())
        if not listings and len(every) >= WORTH_A_REBUILD:
            reindex(self.store, self.mirror.engine)
            listings = self._listings()
        report = SweepReport(folders=len(every))
        seen: dict[str, str] = {}
        other = self._that_differ(every, listings, seen)
        known = self._known(other, {row.id for row in listings.values()} - seen.keys())
        signatures: dict[str, str] = {}
        for done, place in enumerate(other, 1 + len(every) - len(other)):
            self._look(self.store.layout.root / place, known, seen, signatures, report)
            if len(signatures) >= KEEP_EVERY:
                self._keep(signatures)
            if progress:
                progress(done, len(every))
        report.jobs = len(seen)
        self.store.require_online()
        self._missing(known, seen, report)
        report.attention += self._beside_the_jobs()
        self._settle(report, set(other), signatures)
        return report

    def record_only(self) -> list[str]:
        """What people did in the live folders, recorded while PostgreSQL is down; the mirror follows when it is back.

        Returns the ids of the jobs that changed. StorageOffline.
        """
        self.store.require_online()
        changed = []
        for folder in self.store.layout.job_folders(LIVE):
            listing = signature(folder, time.time_ns())
            if listing is not None and self._recorded.get(folder) == listing:
                continue
            outcome = self._reconciled(folder)
            if isinstance(outcome, Outcome) and outcome.first_new_seq is not None:
                changed.append(outcome.stored.id)
                self.changed(outcome.stored.id)
            elif listing is not None and not (isinstance(outcome, Outcome) and outcome.unsettled):
                self._recorded[folder] = listing
        return changed

    def look_at(self, folder: Path) -> bool:
        """One folder that somebody pointed at. True: it is not settled yet, look again in a moment.

        A folder that is not there any more was moved, renamed or deleted: the job is looked for by its id. What was
        raised of a place is true no longer when nothing is there.
        """
        report, signatures, seen = SweepReport(), dict[str, str](), dict[str, str]()
        place = self.store.layout.relative(folder)
        looked = {place}
        at = folder if folder.is_dir() else self._moved_to(folder)
        if at is not None:
            looked.add(self.store.layout.relative(at))
            self._look(at, {}, seen, signatures, report)
        else:
            report.attention += [one for one in self._noted_missing() if one.folder == place]
            if (loose := check.loose_file(self.store.layout, folder)) is not None:
                report.attention.append(loose)
        self._settle(report, looked, signatures, whole=False)
        return any(job_id in self.soon for job_id in seen)

    def _moved_to(self, folder: Path) -> Path | None:
        place = self.store.layout.relative(folder)
        with reading(self.mirror.engine) as connection:
            job_id = connection.execute(sa.select(jobs.c.id).where(jobs.c.folder == place)).scalar()
        try:
            return self.store.find(job_id) if job_id is not None else None
        except JobNotFound:
            return None  # the next sweep tells whether it is gone for good

    # -- which folders ------------------------------------------------------------------------------------------

    def _listings(self) -> dict[str, Listing]:
        """What each mirrored folder's listing was, by its place: of those in which nothing is left open."""
        quiet = sa.and_(jobs.c.move_pending.is_(None), jobs.c.problem.is_(None))
        told = sa.case((quiet, jobs.c.signature))
        # As three arrays: a hundred thousand rows cost more to take apart than to fetch.
        whole = sa.select(sa.func.array_agg(jobs.c.folder), sa.func.array_agg(jobs.c.id), sa.func.array_agg(told))
        with reading(self.mirror.engine, patient=True) as connection:
            places, ids, signatures = connection.execute(whole).one()
        return {
            place: Listing(job_id, told)
            for place, job_id, told in zip(places or (), ids or (), signatures or (), strict=True)
        }

    def _known(self, places: Sequence[str], ids: set[str]) -> Known:
        """The rows of these places, and of these jobs wherever they are thought to be."""
        wanted = sa.or_(jobs.c.folder == _any(places), jobs.c.id == _any(ids))
        with reading(self.mirror.engine, patient=True) as connection:
            rows = connection.execute(sa.select(*(jobs.c[name] for name in ROW)).where(wanted)).all()
        return {row.folder: row for row in rows}

    def _that_differ(self, every: Iterable[str], listings: dict[str, Listing], seen: dict[str, str]) -> list[str]:
        """Places whose listing is not what it was when last reconciled. The others go into `seen`."""
        root = f"{self.store.layout.root}{os.sep}"
        now_ns = time.time_ns()
        other = []
        for place in every:
            was = listings.get(place)
            if was is not None and was.signature is not None and signature(root + place, now_ns) == was.signature:
                seen[was.id] = place
            else:
                other.append(place)
        return other

    # -- one folder ---------------------------------------------------------------------------------------------

    def _look(
        self, folder: Path, known: Known, seen: dict[str, str], signatures: dict[str, str], report: SweepReport
    ) -> None:
        listing = signature(folder, time.time_ns())
        outcome = self._reconciled(folder)
        if isinstance(outcome, AttentionItem):
            if outcome.kind == "duplicate":
                report.attention.append(outcome)
            else:
                self._unreadable(outcome, known, seen, report)
        if not isinstance(outcome, Outcome):
            return
        job_id = outcome.stored.id
        if outcome.first_new_seq is not None:
            report.news += [(job_id, event) for event in outcome.stored.events if event.seq >= outcome.first_new_seq]
            self.changed(job_id)
        self._mirror(outcome.stored, known, report)
        seen[job_id] = self.store.layout.relative(outcome.stored.folder)
        if outcome.unsettled:
            self.soon[job_id] = outcome.stored.folder
        else:
            self.soon.pop(job_id, None)
        if listing is not None and outcome.first_new_seq is None and not outcome.unsettled:
            signatures[job_id] = listing

    def _reconciled(self, folder: Path) -> Outcome | AttentionItem | None:
        """The job in `folder` with what happened there recorded, or why it is none; None: look again later."""
        place = self.store.layout.relative(folder)
        job_id = None
        try:
            job_id = id_inside(folder)
            if job_id is None:
                return not_a_job(place, folder) if folder.exists() else None
            first = self.store.find(job_id, near=folder)
            if first != folder:  # or the job has just moved on
                return duplicate(job_id, place, self.store.layout.relative(first)) if folder.exists() else None
            return self.reconciler.reconcile(job_id)
        except StorageOffline:
            raise
        except (JobBusy, JobNotFound, StorageFailure, FileNotFoundError) as error:
            logger.info("job %s is looked at again later: %s", job_id or "(not known yet)", type(error).__name__)
            return None
        except PrintSysError as error:
            return unreadable(place, job_id, error)

    def _unreadable(self, finding: AttentionItem, known: Known, seen: dict[str, str], report: SweepReport) -> None:
        """The job, if it is known to be one, keeps its last row and says so."""
        report.attention.append(finding)
        row = known.get(finding.folder or "")
        job_id = finding.job_id or (row.id if row is not None else None)
        if job_id is not None and job_id not in seen:
            seen[job_id] = finding.folder or ""
            report.changed += self.mirror.mark_problem(job_id, finding.sentence)

    def _mirror(self, stored: Stored, known: Known, report: SweepReport) -> None:
        layout = self.store.layout
        record = rows.record_of(layout, stored)
        row = known.get(record.folder)
        if row is None or any(getattr(row, name) != getattr(record, name) for name in AS_MIRRORED):
            written = self.mirror.put_record(record, layout.root)
            report.changed += written
            if written and (emails.owed(stored.events, stored.id) or has_pending_files(stored.job)):
                self.changed(stored.id)  # who asked the mirror for owed work before did not hear of this job
        wrong = [item for item in check_folder(layout, stored.folder) if item.kind != "move-pending"]
        report.attention += for_people([*wrong, *move_waits(layout, stored)])
        forget_missing(self.store, stored.id)

    # -- the rest -----------------------------------------------------------------------------------------------

    def _missing(self, known: Known, seen: dict[str, str], report: SweepReport) -> None:
        """Rows whose folder is nowhere: deleted by the system, or gone by somebody's hand."""
        for row in known.values():
            if row.id in seen or not self._is_nowhere(row.id):
                continue
            if is_put_away(self.store, row.id):
                report.removed += self.mirror.remove([row.id])
                continue
            told = {"student_name": row.student_name, "status": row.status, "folder": row.folder}
            if row.id not in missing_jobs(self.store):
                note_missing(self.store, row.id, told | {"noticed_at": format_time(self.store.clock())})
            self.mirror.mark_problem(row.id, missing_job(row.id, told).sentence)
        report.attention += self._noted_missing()

    def _noted_missing(self) -> list[AttentionItem]:
        return [missing_job(job_id, told) for job_id, told in missing_jobs(self.store).items()]

    def _is_nowhere(self, job_id: str) -> bool:
        try:
            self.store.find(job_id)
        except JobNotFound:
            return True
        return False

    def _beside_the_jobs(self) -> list[AttentionItem]:
        return for_people(check.loose_files(self.store.layout))

    def _settle(self, report: SweepReport, looked: set[str], signatures: dict[str, str], whole: bool = True) -> None:
        """Keep the signatures, and what needs a person, of the folders that were looked at."""
        if not (whole or signatures or report.attention or self._is_raised(looked)):
            return
        self._keep(signatures)
        with writing(self.mirror.engine, patient=True) as (connection, _):
            stale: sa.ColumnElement[bool] = attention.c.folder == _any(looked)
            if whole:
                mirrored = sa.exists().where(jobs.c.folder == attention.c.folder)
                stale = sa.or_(stale, ~mirrored)
                index.recount(connection)
                connection.execute(sa.update(mirror_state).values(synced_at=sa.func.now()))
            index.set_attention(connection, report.attention, stale)

    def _keep(self, signatures: dict[str, str]) -> None:
        """Now and then in a long sweep: one that is interrupted does not begin at the beginning again."""
        if signatures:
            values = [{"job": job_id, "listing": listing} for job_id, listing in signatures.items()]
            update = sa.update(jobs).where(jobs.c.id == sa.bindparam("job"))
            with reading(self.mirror.engine, patient=True) as connection:
                connection.execute(update.values(signature=sa.bindparam("listing")), values)
            signatures.clear()

    def _is_raised(self, places: set[str]) -> bool:
        with reading(self.mirror.engine) as connection:
            raised = sa.select(sa.exists().where(attention.c.folder == _any(places)))
            return bool(connection.execute(raised).scalar())


def _any(values: Iterable[str]) -> Any:
    """Any of these, however many: as one array, where IN would have a parameter for each."""
    return sa.any_(sa.cast(list(values), sa.ARRAY(sa.Text)))
