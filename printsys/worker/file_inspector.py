"""Finds out what a job's files say: models are inspected, sliced files read, pictures made.

What is owed is in the record (`domain/owed_work.py`), so whoever looks, however often, does each thing once.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from printsys import slicers
from printsys.assessment.slicer_readings import reading, readings_of
from printsys.assessment.upload_check import look_at
from printsys.domain.estimates import file_read
from printsys.domain.events import SYSTEM, EventDraft, EventType
from printsys.domain.job import FileRecord, Job, dump, parse
from printsys.domain.pending_work import owes_a_look, preview_name, previews, to_inspect, to_read
from printsys.domain.status import FILES_READ
from printsys.errors import DamagedJob, FileRefused, JobNotFound, MirrorDown, ModelTooHard, ModelUnreadable
from printsys.jobstore import Stored
from printsys.models3d import bounded
from printsys.services import Services

MOST_PLACED = 20
logger = logging.getLogger(__name__)


class FileInspector:
    def __init__(self, services: Services) -> None:
        self.services = services

    # -- who owes -----------------------------------------------------------------------------------------------

    def owing(self) -> Iterator[str]:
        """Ids of the live jobs about whose files something is still to be found out, or a picture is gone."""
        return (job.id for folder, job in self._live() if _owes(folder, job))

    def owes(self, job_id: str) -> bool:
        """The same of one job."""
        try:
            stored = self.services.store.load(job_id)
        except (JobNotFound, DamagedJob):
            return False
        return stored.problem is None and stored.job.status in FILES_READ and _owes(stored.folder, stored.job)

    def _live(self) -> Iterator[tuple[Path, Job]]:
        """By the mirror, or by the folders where it cannot say."""
        root = self.services.store.layout.root
        try:
            known = [(root / place, parse(document)) for place, document in self.services.queries.live()]
        except MirrorDown as error:
            logger.info("looking for files to read in the folders: %s", error)
            for job_id, folder in self.services.store.ids(FILES_READ):
                try:
                    yield folder, self.services.store.load(job_id).job
                except (JobNotFound, DamagedJob):  # gone meanwhile; or for a person to see to
                    continue
            return
        yield from known

    # -- one job ------------------------------------------------------------------------------------------------

    def attend(self, job_id: str) -> None:
        """Look into each file of the job that nobody has looked into yet. What vanished, or was saved over meanwhile,
        is looked into once that is recorded."""
        try:
            stored = self.services.store.load(job_id)
        except JobNotFound:
            return
        if stored.problem is not None:  # what is found out could not be recorded
            return
        for work, owed in ((self._inspect, to_inspect), (self._read, to_read)):
            for record in list(owed(stored.job)):
                try:
                    work(stored, record, self.services.store.file(stored, record.name))
                except (JobNotFound, OSError) as error:
                    logger.info("job %s: a file is looked into later: %s", job_id, type(error).__name__)
        self._pictures_again(stored)

    def _inspect(self, stored: Stored, record: FileRecord, path: Path) -> None:
        """What a model is like. A failure is kept with its reason, so that nobody tries for ever."""
        looked = look_at(path, record.uploaded_as or path.name)
        found: dict[str, Any] = looked.facts.model_dump(mode="json") if looked.facts else {"trouble": looked.trouble}
        made = self._keep_picture(stored, record, looked.png)
        found |= {"preview": made} if made else {}

        def decide(now: Stored) -> Sequence[EventDraft]:
            if not _is_unchanged(now, record) or _now(now, record).model is not None:
                return []
            files = [dump(f) | ({"model": found} if f.name == record.name else {}) for f in now.job.files]
            inspected = EventDraft(EventType.MODEL_INSPECTED, SYSTEM, {"name": record.name}, {"files": files})
            return [inspected, *_pictured(record, made)]

        self.services.actions.record(stored.id, decide)

    def _read(self, stored: Stored, record: FileRecord, path: Path) -> None:
        """What a slicer wrote."""
        facts = slicers.read(path) or slicers.SlicerFacts()
        if facts.placed is not None:  # a plate of a thousand small things is told by its sums
            few = facts.placed.model_copy(update={"items": facts.placed.items[:MOST_PLACED]})
            facts = facts.model_copy(update={"placed": few})
        said = facts.model_dump(mode="json", exclude_defaults=True)
        made = self._keep_picture(stored, record, slicers.picture(path))
        said |= {"preview": made} if made else {}

        def decide(now: Stored) -> Sequence[EventDraft]:
            found = reading(record.name, facts, self.services.lab.method(now.job.request.method))
            readings = readings_of(now.job, self.services.lab) | ({record.name: found} if found is not None else {})
            drafts = file_read(now.job, record, said, readings, now.events)
            return [*drafts, *(_pictured(record, made) if drafts else [])]

        self.services.actions.record(stored.id, decide)

    # -- pictures -----------------------------------------------------------------------------------------------

    def _keep_picture(self, stored: Stored, record: FileRecord, png: bytes | None) -> str | None:
        if png is None:
            return None
        name = preview_name(record.sha256)
        self.services.store.save_preview(stored.id, name, png)
        return name

    def _pictures_again(self, stored: Stored) -> None:
        """Somebody deleted previews: nothing is lost, and nothing of it is news."""
        for record, name in previews(stored.job):
            if not (stored.folder / name).exists():
                try:
                    path = self.services.store.file(stored, record.name)
                    self._keep_picture(stored, record, slicers.picture(path) if record.slicer else bounded.draw(path))
                except (JobNotFound, OSError, FileRefused, ModelUnreadable, ModelTooHard) as error:
                    logger.info("job %s: a picture is not made again: %s", stored.id, type(error).__name__)


def _now(stored: Stored, record: FileRecord) -> FileRecord:
    return stored.job.file(record.name) or record


def _is_unchanged(stored: Stored, record: FileRecord) -> bool:
    now = stored.job.file(record.name)
    return now is not None and now.sha256 == record.sha256


def _pictured(record: FileRecord, made: str | None) -> list[EventDraft]:
    return [EventDraft(EventType.THUMBNAIL_MADE, SYSTEM, {"of": record.name, "name": made})] if made else []


def _owes(folder: Path, job: Job) -> bool:
    return owes_a_look(job) or any(not (folder / name).exists() for _, name in previews(job))
