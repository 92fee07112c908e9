"""Reads a job's files: inspects models, reads what slicers saved, makes pictures.

The record says which files are still to be read (`domain/pending_work.py`), so however many processes look, and how
often, each file is read once.
"""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial, reduce
from pathlib import Path

from printsys import slicers
from printsys.actions import Actions
from printsys.assessment.slicer_readings import readings_of, slicer_reading
from printsys.assessment.upload_check import check_file
from printsys.domain.estimates import file_read
from printsys.domain.events import SYSTEM, EventDraft, EventType, merge_patch
from printsys.domain.job import FileRecord, Job, dump, parse
from printsys.domain.pending_work import (
    INSPECTION,
    READING,
    has_pending_files,
    is_decided,
    preview_name,
    preview_of,
    previews,
    to_convert,
    to_inspect,
    to_inspect_again,
    to_read,
    to_read_again,
)
from printsys.domain.status import FILES_READ
from printsys.errors import DamagedJob, FileRefused, JobNotFound, MirrorDown, ModelTooHard, ModelUnreadable
from printsys.jobstore import Stored
from printsys.jobstore.conversion import replace_working_copy, require_free
from printsys.jobstore.files import sha256_of
from printsys.jobstore.visits import visit
from printsys.models3d import bounded
from printsys.models3d.paint import HEAD, has_mark, marked
from printsys.services import Services

MOST_PLACED = 20
LONGEST_WAIT_S = 2.0
MOST_WAITING = 25
"""So many results, or for so long, wait for others to be recorded with."""
Decide = Callable[[Stored], Sequence[EventDraft]]
DECIDED = "the job was approved, or its print file chosen, before slicers' trouble with the sent file was known."
_Pending = tuple[Callable[[Job], Iterator[FileRecord]], Callable[[Job], Iterator[FileRecord]]]
"""The models and the slicers' files that are to be read."""
_NEW: _Pending = (to_inspect, to_read)
_EARLIER: _Pending = (to_inspect_again, to_read_again)
logger = logging.getLogger(__name__)


class FileInspector:
    def __init__(self, services: Services) -> None:
        self.services = services

    # -- which jobs ---------------------------------------------------------------------------------------------

    def owing(self) -> Iterator[str]:
        """Ids of the jobs with a file that is still to be read, or with a picture that is gone."""
        return (
            job.id
            for folder, job in jobs_read_from(self.services)
            if visit(self.services.store, job.id, partial(_owes, folder, job)) is True
        )

    def inspected_earlier(self) -> Iterator[str]:
        """Ids of the jobs with a file that an earlier version of the system inspected or read."""
        return (
            job.id
            for _, job in jobs_read_from(self.services)
            if any(True for pending in _EARLIER for _ in pending(job))
        )

    def owes(self, job_id: str) -> bool:
        """The same of one job."""
        try:
            stored = self.services.store.load(job_id)
        except (JobNotFound, DamagedJob):
            return False
        return stored.problem is None and stored.job.status in FILES_READ and _owes(stored.folder, stored.job)

    # -- one job ------------------------------------------------------------------------------------------------

    def attend(self, job_id: str) -> None:
        """Read each file of the job that nobody has read yet. A file that vanished or was saved over meanwhile is read
        after that change is recorded."""
        self._attend(job_id, _NEW)

    def inspect_again(self, job_id: str) -> None:
        """The same with the files that an earlier version of the system inspected or read. What staff decided stays."""
        self._attend(job_id, _EARLIER)

    def _attend(self, job_id: str, pending: _Pending) -> None:
        try:
            stored = self.services.store.load(job_id)
        except JobNotFound:
            return
        if stored.problem is not None:  # no result could be recorded
            return
        self._read_files(stored, pending)
        if self._convert(job_id):  # the new working copies are no original's bytes
            stored = self.services.store.load(job_id)
            self._read_files(stored, _NEW)
        for record, name in _pictures_to_make(stored.folder, stored.job):  # no event, since nothing was lost
            try:
                self._save_picture(stored, record, self._picture(stored, record, stored.folder / name))
            except (JobNotFound, OSError, FileRefused, ModelUnreadable, ModelTooHard) as error:
                logger.info("job %s: a picture is not made again: %s", stored.id, type(error).__name__)

    def _read_files(self, stored: Stored, pending: _Pending) -> None:
        job_id = stored.id
        results = _Results(self.services.actions, job_id)
        models, sliced = pending
        for read_file, records in ((self._inspect, models(stored.job)), (self._read, sliced(stored.job))):
            for record in list(records):
                try:
                    results.add(read_file(stored, record, self.services.store.file(stored, record.name)))
                except (JobNotFound, OSError) as error:
                    logger.info("job %s: a file is read later: %s", job_id, type(error).__name__)
        results.record()

    def _picture(self, stored: Stored, record: FileRecord, present: Path) -> bytes | None:
        """What a slicer left in its file; else a drawing, in the color of the job."""
        path, color = self.services.store.file(stored, record.name), stored.job.request.color
        if record.slicer:
            return slicers.picture(path)
        try:
            if (record.model or {}).get("open_edges"):  # they are drawn, too
                return bounded.examine(path, color=color).png
            return bounded.draw(path, color=color)
        except (ModelUnreadable, ModelTooHard):
            if not present.exists():
                raise
            return marked(present.read_bytes(), color)  # better the old picture than to try for ever

    def _inspect(self, stored: Stored, record: FileRecord, path: Path) -> Decide:
        """What a model is like. A failure is recorded with its reason, so that nobody tries for ever."""
        color, volumes = stored.job.request.color, self.services.lab.volumes
        check = check_file(path, record.uploaded_as or path.name, color=color, volumes=volumes)
        model = check.facts.model_dump(mode="json") if check.facts else {"trouble": check.trouble}
        if record.model is not None and check.facts is None and not check.is_unprintable:
            model = record.model  # it took too long this time
        preview = self._save_picture(stored, record, check.png)
        model = model | {"inspection": INSPECTION} | ({"preview": preview} if preview else {})
        again = {"again": True} if record.model is not None else {}

        def decide(latest: Stored) -> Sequence[EventDraft]:
            file = latest.job.file(record.name)
            if file is None or file.sha256 != record.sha256 or file.model != record.model:
                return []
            keeps_copy = bool(again) and model.get("is_converted") is True and is_decided(latest.job, file)
            recorded = model | ({"is_converted": False, "conversion_trouble": DECIDED} if keeps_copy else {})
            files = [dump(f) | ({"model": recorded} if f.name == record.name else {}) for f in latest.job.files]
            inspected = EventDraft(EventType.MODEL_INSPECTED, SYSTEM, {"name": record.name} | again, {"files": files})
            return [inspected, *_thumbnail_made(record, preview if preview != preview_of(record) else None)]

        return decide

    def _read(self, stored: Stored, record: FileRecord, path: Path) -> Decide:
        """What a slicer wrote."""
        facts = slicers.read(path) or slicers.SlicerFacts()
        if facts.placed is not None:  # of a plate with a thousand small things the sums are enough
            first_items = facts.placed.model_copy(update={"items": facts.placed.items[:MOST_PLACED]})
            facts = facts.model_copy(update={"placed": first_items})
        slicer = facts.model_dump(mode="json", exclude_defaults=True)
        preview = self._save_picture(stored, record, slicers.picture(path))
        slicer |= {"reading": READING} | ({"preview": preview} if preview else {})
        new_preview = preview if preview != preview_of(record) else None

        def decide(latest: Stored) -> Sequence[EventDraft]:
            readings = readings_of(latest.job, self.services.lab)
            earlier = readings.pop(record.name, None)
            new_reading = slicer_reading(record.name, facts, self.services.lab.method(latest.job.request.method))
            if new_reading is not None:
                readings |= {record.name: new_reading}
            drafts = file_read(latest.job, record, slicer, readings, latest.events, earlier)
            return [*drafts, *(_thumbnail_made(record, new_preview) if drafts else [])]

        return decide

    def _convert(self, job_id: str) -> bool:
        """Write the working copies as STL whose originals slicers refuse; whether there was one. A failure is recorded
        with its reason."""
        stored, has_converted = self.services.store.load(job_id), False
        for original, copy in to_convert(stored.job):
            with tempfile.TemporaryDirectory() as scratch:
                content = Path(scratch) / "model.stl"
                try:
                    path = self.services.store.file(stored, original.name)
                    if sha256_of(path) != original.sha256:
                        logger.info("job %s: %s is not what was sent, so it is not converted", job_id, original.name)
                        continue
                    require_free(stored.folder / copy.name, job_id)  # first: a conversion may take a minute
                    bounded.convert(path, content)
                    if sha256_of(path) != original.sha256:  # altered meanwhile
                        continue
                except (FileRefused, ModelUnreadable, ModelTooHard) as error:
                    self.services.actions.record(job_id, partial(_not_converted, original, str(error)))
                    continue
                except (JobNotFound, OSError) as error:
                    logger.info("job %s: a file is converted later: %s", job_id, type(error).__name__)
                    continue
                reason = str((original.model or {}).get("slicer_trouble"))
                converted = replace_working_copy(self.services.store, job_id, original, copy, content, reason)
                if converted is not None:
                    self.services.actions.follow_up(converted)
                    has_converted = True
        return has_converted

    def _save_picture(self, stored: Stored, record: FileRecord, png: bytes | None) -> str | None:
        """The picture's name in the job's folder."""
        if png is None:
            return None
        name = preview_name(record.sha256)
        self.services.store.save_derived(stored.id, name, png)
        return name


def jobs_read_from(services: Services) -> Iterator[tuple[Path, Job]]:
    """The jobs whose files are read in their status: by the mirror, or by the folders where it cannot say."""
    try:
        rows = services.queries.live()
    except MirrorDown as error:
        logger.info("looking for files to read in the folders: %s", error)
        for job_id, folder in services.store.ids(FILES_READ):
            stored = visit(services.store, job_id, partial(services.store.load, job_id))
            if isinstance(stored, Stored):
                yield folder, stored.job
        return
    for path, document in rows:
        job = visit(services.store, path, partial(parse, document))
        if isinstance(job, Job):
            yield services.store.layout.find(path), job


@dataclass
class _Results:
    """What was found out of a job's files, recorded together where that came fast: each change of a file's record
    writes the list of all of them, once a batch."""

    actions: Actions
    job_id: str
    waiting: list[Decide] = field(default_factory=list)
    since: float = field(default_factory=time.monotonic)

    def add(self, decide: Decide) -> None:
        self.waiting.append(decide)
        if time.monotonic() - self.since > LONGEST_WAIT_S or len(self.waiting) >= MOST_WAITING:
            self.record()

    def record(self) -> None:
        if self.waiting:
            self.actions.record(self.job_id, self._decide)
        self.waiting, self.since = [], time.monotonic()

    def _decide(self, latest: Stored) -> list[EventDraft]:
        """Each result, with those before it recorded already."""
        drafts: list[EventDraft] = []
        for decide in self.waiting:
            new_drafts = decide(latest)
            if any(draft.patch for draft in new_drafts):
                document = reduce(merge_patch, (draft.patch for draft in new_drafts), latest.document)
                latest = replace(latest, document=document, job=parse(document))
            drafts += new_drafts
        return drafts


def _not_converted(original: FileRecord, trouble: str, latest: Stored) -> list[EventDraft]:
    """So that nobody tries for ever."""
    failed = (original.model or {}) | {"is_converted": False, "conversion_trouble": trouble}
    files = [dump(file) | ({"model": failed} if file == original else {}) for file in latest.job.files]
    inspected = EventDraft(EventType.MODEL_INSPECTED, SYSTEM, {"name": original.name}, {"files": files})
    return [inspected] if original in latest.job.files else []


def _thumbnail_made(record: FileRecord, preview: str | None) -> list[EventDraft]:
    return [EventDraft(EventType.THUMBNAIL_MADE, SYSTEM, {"of": record.name, "name": preview})] if preview else []


def _owes(folder: Path, job: Job) -> bool:
    return has_pending_files(job) or any(True for _ in _pictures_to_make(folder, job))


def _pictures_to_make(folder: Path, job: Job) -> Iterator[tuple[FileRecord, str]]:
    """Those that somebody deleted, and drawings in an older style or in another color than the job's."""
    for record, name in previews(job):
        try:
            with (folder / name).open("rb") as picture:
                head = picture.read(HEAD)
        except OSError:
            yield record, name
            continue
        if not record.slicer and not has_mark(head, job.request.color):
            yield record, name
