"""The one door to storage/: create, load, edit and delete jobs so that a crash leaves each wholly before or after."""

from __future__ import annotations

import io
import logging
import os
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import reduce
from pathlib import Path

from printsys import fs
from printsys.domain import naming
from printsys.domain.changes import news_since
from printsys.domain.crowded import MOST_FILES
from printsys.domain.events import FILESYSTEM, Event, EventDraft, EventType, build_batch, merge_patch, sha256
from printsys.domain.job import Job, parse
from printsys.domain.status import Status
from printsys.errors import InvalidInput, JobBusy, JobNotFound, StaleJob
from printsys.jobstore import identity, job_folder, locks, moves, repair
from printsys.jobstore.files import jobs_inside
from printsys.jobstore.incoming import IncomingFile, NewJobFiles, StagedFiles, names_in, next_version, stage_files
from printsys.jobstore.layout import EVENTS, METADATA, ORIGINAL, Layout, file_inside, open_inside
from printsys.jobstore.log import Log
from printsys.jobstore.look_requests import request_look
from printsys.jobstore.newest import note_newest
from printsys.jobstore.stored import Stored

logger = logging.getLogger(__name__)


@dataclass
class JobEdit:
    """A change under way, under the job's lock. `result` is the job afterwards."""

    before: Stored
    drafts: list[EventDraft] = field(default_factory=list)
    to_trash: bool = False
    staged: StagedFiles | None = None
    """New files that the change brings into the job."""
    on_recorded: Callable[[Stored], object] | None = None
    """Called with the job as it will be, when the change is in the log and metadata.json is to be written yet. Not
    called where the folder is to be moved, or files come into it."""
    result: Stored = field(init=False)

    def __post_init__(self) -> None:
        self.result = self.before

    @property
    def job(self) -> Job:
        return self.before.job

    @property
    def job_so_far(self) -> Job:
        """The job with the edit by hand that is recorded first, and with what is recorded since: what a step starts
        from that joins the same batch."""
        patches = [self.before.edited or {}, *(draft.patch for draft in self.drafts)]
        return parse(reduce(merge_patch, patches, self.before.document)) if any(patches) else self.job

    def record(self, *drafts: EventDraft) -> None:
        self.drafts.extend(drafts)


def require_current(stored: Stored, expected_revision: int | None) -> None:
    """StaleJob, with what happened since, if the job is not the one that the caller saw at that revision."""
    if expected_revision is None or expected_revision == stored.job.revision:
        return
    since = news_since(stored.events, expected_revision)
    if since or expected_revision > stored.job.revision:
        raise StaleJob(stored.id, expected_revision, stored.job.revision, since)


class JobStore:
    """`root` is storage/; `expected_id` is the storage-id that this machine remembers, the proof of the right mount."""

    def __init__(
        self,
        root: Path,
        expected_id: str,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        random_bits: Callable[[int], int] = secrets.randbits,
        lock_patience_s: float = locks.LOCK_PATIENCE_S,
    ) -> None:
        self.layout = Layout(root)
        self.expected_id = expected_id
        self.clock = clock
        self._random_bits = random_bits
        self.lock_patience_s = lock_patience_s
        self.most_files = MOST_FILES
        """Of a folder with more files, the record follows what could be printed: see domain/crowded.py."""
        self.requests_looks = True
        """Whether the indexer is asked to look at a job that a person moved. The indexer itself need not ask."""
        self._last_seen: dict[str, Path] = {}

    def require_online(self) -> None:
        """StorageOffline unless the storage folder carries the id that this machine remembers."""
        identity.require_online(self.layout, self.expected_id)

    def locked(self, name: str, patience_s: float | None = None) -> AbstractContextManager[None]:
        """The job's lock (`name` is its id), or another of its locks. JobBusy where another process keeps it for
        longer than `patience_s` (usually `lock_patience_s`); StorageFailure, StorageOffline."""
        patience_s = self.lock_patience_s if patience_s is None else patience_s
        return locks.locked(self.layout, self.expected_id, name, patience_s)

    def disk_errors(self) -> AbstractContextManager[None]:
        """An OSError in the body is raised as StorageFailure, or as StorageOffline where the storage is gone."""
        return locks.disk_errors(self.layout, self.expected_id)

    # -- reading ------------------------------------------------------------------------------------------------

    def load(self, job_id: str) -> Stored:
        """The job now. What a crash left behind is put right first. JobNotFound, DamagedJob, StorageOffline."""
        self.require_online()
        with self.disk_errors():
            stored = repair.read_if_clean(self.layout, self.find(job_id), job_id)
        if stored is not None:
            self._request_look(stored)
            return stored
        with self.locked(job_id), self.disk_errors():
            return self.load_locked(job_id)

    def load_locked(self, job_id: str) -> Stored:
        """`load`, for a caller that holds the job's lock."""
        stored = self._remember(repair.load(self.layout, self.find(job_id), job_id, self.clock()))
        self._request_look(stored)
        return stored

    def _request_look(self, stored: Stored) -> None:
        """Only the indexer records what a person did in the folders, and events of it may be lost."""
        if self.requests_looks and stored.asked_by_hand is not None and stored.problem is None:
            request_look(self.layout, stored.id)

    def find(self, job_id: str, near: Path | None = None, everywhere: bool = True) -> Path:
        """The job's folder, wherever it is now: as last seen, by its name, or by the id inside. JobNotFound.

        Where several folders carry the id (somebody copied one), the rule of job_folder.py says which is the job.
        `near`: a folder that carries the id, to begin with. Not `everywhere`: folders that bear the name of another job
        are passed over, so that a job that is gone costs no reading of 100,000 others.
        """
        likely = [folder for folder in (self._last_seen.get(job_id), near) if folder is not None]
        for folder in likely:
            if job_folder.is_plainly_the_job(self.layout, folder, job_id):
                self._last_seen[job_id] = folder
                return folder
        status_folders = [self.layout.status(status) for status in Status]
        # A folder that was dragged keeps its name, also one that a person gave it: nothing need be listed then.
        names = dict.fromkeys(folder.name for folder in likely)
        places = ((folder, name) for name in names for folder in status_folders)
        same_name = (folder / name for folder, name in places if os.path.lexists(os.path.join(folder, name)))
        claims = self._claims(job_id, same_name)
        if not claims:
            self.layout.list_anew()
            claims = self._claims(job_id, ())
        if not claims and everywhere:
            carriers = {folder for folder in self.layout.job_folders() if _carries(folder, job_id)}
            claims = {folder: job_folder.claim_of(self.layout, folder, job_id) for folder in carriers}
        if claims:
            best = min(claims, key=claims.__getitem__)
            self._last_seen[job_id] = best
            return best
        self.require_online()
        raise JobNotFound(job_id)

    def _claims(self, job_id: str, same_name: Iterable[Path]) -> dict[Path, job_folder.Claim]:
        """The folders that carry the id, until one is the job beyond doubt; the likeliest places first."""
        claims: dict[Path, job_folder.Claim] = {}
        named = self.layout.named_for(job_id, map(self.layout.status, Status))
        for search in (same_name, named, self.layout.named_by_people()):
            carriers = {folder for folder in search if folder not in claims and _carries(folder, job_id)}
            claims |= {folder: job_folder.claim_of(self.layout, folder, job_id) for folder in carriers}
            if any(claim.is_beyond_doubt for claim in claims.values()):
                break
        return claims

    def ids(self, statuses: tuple[Status, ...] = tuple(Status)) -> Iterator[tuple[str, Path]]:
        """(id, folder) of every job folder, by the id inside it; a folder without one is not a job."""
        for folder in self.layout.job_folders(statuses):
            try:
                job_id = repair.id_inside(folder)
            except OSError as error:  # a visit to that folder raises it
                logger.info("%s cannot be read: %s", self.layout.relative(folder), error)
                continue
            if job_id is not None:
                yield job_id, folder

    def file(self, stored: Stored, name: str) -> Path:
        """The path of one of the job's files, for reading. JobNotFound for anything else; StorageFailure."""
        with self.disk_errors():
            return file_inside(stored.folder, name, stored.id)

    def open(self, stored: Stored, name: str) -> io.BufferedReader:
        """One of the job's files as `file` has it, for whoever shows its contents to somebody."""
        with self.disk_errors():
            return open_inside(stored.folder, name, stored.id)

    def read_copy(self, folder: Path) -> Job | None:
        """The job as a copy of its folder has it or, where the copy's record is not whole, the job that was copied.

        None where the folder is no copy of any job.
        """
        job_id = repair.id_inside(folder)
        if job_id is None:
            return None
        with self.disk_errors():
            clean = repair.read_if_clean(self.layout, folder, job_id)
        return clean.job if clean is not None else self.load(job_id).job

    # -- creating -----------------------------------------------------------------------------------------------

    def create(
        self,
        folder_name: Callable[[str], str],
        files: Sequence[IncomingFile],
        drafts: Callable[[str, NewJobFiles], Sequence[EventDraft]],
        status: Status = Status.UPLOADED,
    ) -> Stored:
        """A new job, complete or not at all: staged beside storage/, then one rename into its status folder.

        `folder_name(id)` names it; `drafts(id, new_files)` gives, purely, its first events from the files as they are
        on disk. Raises StorageFailure (nothing is left behind), StorageOffline, FileRefused.
        """
        self.require_online()
        with self.disk_errors():
            self.layout.make()
        while True:
            job_id = naming.job_id(self._random_bits(naming.ID_BITS))
            with self.locked(job_id), self.disk_errors():
                if not self._is_taken(job_id):
                    return self._create(job_id, folder_name(job_id), files, drafts, status)

    def _create(
        self,
        job_id: str,
        name: str,
        files: Sequence[IncomingFile],
        drafts: Callable[[str, NewJobFiles], Sequence[EventDraft]],
        status: Status,
    ) -> Stored:
        staging = self.layout.staging / job_id
        staging.mkdir()
        try:
            new_files = stage_files(staging, name, files, self.clock(), self.layout.file_name_limit)
            batch = build_batch(drafts(job_id, new_files), {}, 0, None, self.clock())
            job = parse(batch.document)
            fs.write_new(staging / EVENTS, batch.lines)
            fs.write_new(staging / METADATA, batch.metadata)
            fs.sync_folder(staging)
            target = self.layout.status(status) / name
            fs.rename_folder(staging, target)
        finally:
            if staging.exists():
                fs.remove_tree(staging)
        # The job is there now, and a submission that is there must not be reported as failed.
        for folder in (target.parent, self.layout.staging):
            try:
                fs.sync_folder(folder)
            except OSError as error:
                logger.warning("job %s is created, but %s could not be synced: %s", job_id, folder.name, error)
        self._last_seen[job_id] = target
        log = Log().with_batch(batch)
        _log_events(job_id, log.events)
        return Stored(target, status, job, batch.document, log, digest=sha256(batch.metadata))

    @contextmanager
    def staged(self, job_id: str, files: Sequence[IncomingFile]) -> Iterator[StagedFiles]:
        """`files` on their way into a job that exists, written and synced outside its lock. A change takes them over
        by `change.staged`; what none has taken is gone afterwards. Raises what `create` does, and JobNotFound."""
        stored = self.load(job_id)
        with self.staging(job_id) as staged:
            name = next_version(stored.folder.name, names_in(stored.folder))
            originals = names_in(stored.folder / ORIGINAL)
            new_files = stage_files(staged.folder, name, files, self.clock(), self.layout.file_name_limit, originals)
            fs.sync_folder(staged.folder)
            staged.files = new_files.files
            yield staged

    @contextmanager
    def staging(self, job_id: str) -> Iterator[StagedFiles]:
        """An empty folder beside storage/, for files on their way into the job: see `staged`."""
        staged = StagedFiles(self.layout.staging / f"{job_id}.{self._random_bits(32):08x}")
        with self.locked(locks.staging_lock_name(job_id)), self.disk_errors():
            self.layout.staging.mkdir(exist_ok=True)
            staged.folder.mkdir()
            try:
                yield staged
            finally:
                is_announced = moves.announced_files(self.layout, job_id) == staged.folder
                if staged.folder.exists() and not (staged.is_taken and is_announced):
                    fs.remove_tree(staged.folder)

    def _is_taken(self, job_id: str) -> bool:
        """Whether any folder carries this id: in its name (trash and staging too), or inside one that was renamed. The
        note of its newest event tells of a folder that is missing."""
        parents = [*map(self.layout.status, Status), self.layout.trash, self.layout.quarantine]
        if (self.layout.staging / job_id).exists() or self.layout.newest_event(job_id).exists():
            return True
        if any(True for _ in self.layout.named_for(job_id, parents)):
            return True
        return any(_carries(folder, job_id) for folder in self.layout.named_by_people())

    # -- changing -----------------------------------------------------------------------------------------------

    @contextmanager
    def edit(
        self, job_id: str, expected_revision: int | None = None, loaded: Stored | None = None
    ) -> Iterator[JobEdit]:
        """Change a job under its lock. What the body records is written, whole, when the body ends without an error.

        `loaded`: the job as the caller has just loaded it. Where its folder still has that record, byte for byte, it is
        not searched for again.

        StaleJob if `expected_revision` is given and the job has moved on; JobBusy, JobNotFound, DamagedJob,
        StorageOffline; StorageFailure where the disk refuses (then nothing was changed).
        """
        self.require_online()
        with self.locked(job_id):
            with self.disk_errors():
                before = self._as_loaded(loaded) or self.repair_for_write(job_id)
            require_current(before, expected_revision)
            change = JobEdit(before)
            yield change
            if change.drafts:
                with self.disk_errors():
                    change.result = self._commit(change)
                _log_events(job_id, change.result.events[len(before.events) :])
            self._request_look(change.result)

    def _as_loaded(self, loaded: Stored | None) -> Stored | None:
        """The job, if it is whole and as it was then."""
        if loaded is None or not job_folder.is_plainly_the_job(self.layout, loaded.folder, loaded.id):
            return None
        now = repair.read_if_clean(self.layout, loaded.folder, loaded.id)
        is_the_same = now is not None and (now.log.last_line, now.digest) == (loaded.log.last_line, loaded.digest)
        return now if is_the_same else None

    def _commit(self, change: JobEdit) -> Stored:
        before, log = change.before, change.before.log
        if change.to_trash and jobs_inside(before.folder):
            raise InvalidInput({"": ["Another job's folder lies in this one. Please move it out first."]})
        if change.staged is not None and moves.waiting_files(self.layout, before.id) is not None:
            raise JobBusy(before.id, 0)  # files of an earlier change are still on their way into the folder
        drafts = list(change.drafts)
        if before.edited or (before.edited is not None and any("status" in draft.patch for draft in drafts)):
            drafts.insert(0, EventDraft(EventType.METADATA_EDITED, FILESYSTEM, {}, before.edited))
        batch = build_batch(drafts, before.document, log.seq, log.last_line, self.clock())
        after = replace(
            before,
            job=parse(batch.document),
            document=batch.document,
            log=log.with_batch(batch),
            asked_in_file=None,
            edited=None,
            digest=sha256(batch.metadata),
        )
        moves_folder = change.to_trash or after.job.status != before.job.status
        parent = self.layout.trash if change.to_trash else self.layout.status(after.job.status)
        metadata = before.folder / METADATA
        has_to_move = (moves_folder and parent != before.folder.parent) or change.staged is not None
        if has_to_move:
            moves.write_intent(self.layout, before.folder, parent, after.log.seq, before.id, change.staged)
        fs.append(before.folder / EVENTS, batch.lines, log.length)
        note_newest(self.layout, before.id, after.log)
        if change.on_recorded is not None and not has_to_move:
            change.on_recorded(after)
        if change.staged is not None:
            change.staged.is_taken = True

        def is_unchanged() -> bool:
            return sha256(fs.read(metadata)) == before.digest

        if before.asked_in_file is not None and after.job.status == before.job.status:
            # The step that a person asked for in metadata.json is still to be decided: the file keeps saying so.
            return replace(after, asked_in_file=before.asked_in_file, digest=before.digest)
        # From here on the change has happened: what the disk refuses now is finished when the job is next touched.
        try:
            fs.replace(metadata, batch.metadata, is_unchanged, fs.BRIEF_PATIENCE_S)
            folder, move_pending = moves.finish_move(
                self.layout, before.folder, after.job, after.log, fs.BRIEF_PATIENCE_S
            )
        except OSError as error:
            logger.warning("job %s: the change is recorded, the rest is finished later: %s", before.id, error)
            return after
        self._last_seen[before.id] = folder
        return replace(after, folder=folder, folder_status=self.layout.status_of(folder), move_pending=move_pending)

    def repair_for_write(self, job_id: str) -> Stored:
        """The job, ready to be changed by a caller that holds its lock. See `repair.repair_for_write`."""
        return self._remember(repair.repair_for_write(self.layout, self.find(job_id), job_id, self.clock()))

    def _remember(self, stored: Stored) -> Stored:
        self._last_seen[stored.id] = stored.folder
        return stored

    @contextmanager
    def lock_for_reading(self, job_id: str) -> Iterator[Path]:
        """The job's folder, in which the system changes nothing while the body reads it. JobNotFound, JobBusy."""
        self.require_online()
        with self.locked(job_id):
            yield self.find(job_id)

    def save_derived(self, job_id: str, name: str, data: bytes) -> Path:
        """Keep a picture (`previews/…`) or the job's card in its folder. They are no part of the record, so no event
        tells of them.

        JobNotFound, JobBusy, StorageFailure.
        """
        self.require_online()
        with self.locked(job_id), self.disk_errors():
            path = self.find(job_id) / name
            path.parent.mkdir(exist_ok=True)
            fs.replace(path, data)
        return path


def _carries(folder: Path, job_id: str) -> bool:
    """Whether this is the job's folder. One that cannot be read keeps no other job from being found."""
    try:
        return repair.id_inside(folder) == job_id
    except OSError:
        if naming.id_in_folder_name(folder.name) == job_id:
            raise
        return False


def _log_events(job_id: str, events: Iterable[Event]) -> None:
    for event in events:
        logger.info("job %s: %s by %s", job_id, event.type, event.actor)
