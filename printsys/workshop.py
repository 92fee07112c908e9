"""Finds out what a job's files say: models are inspected, sliced files read, pictures made.

What is owed is in the record (`domain/owed_work.py`), so whoever looks, however often, does each thing once.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence

from printsys import slicers
from printsys.domain.estimates import file_read
from printsys.domain.events import Draft
from printsys.domain.job import LIVE, FileRecord, parse
from printsys.domain.owed_work import owes_a_look, to_read
from printsys.errors import DamagedJob, JobNotFound, MirrorDown
from printsys.jobstore import Stored
from printsys.readings import reading, readings_of
from printsys.wiring import House

logger = logging.getLogger(__name__)


class Workshop:
    def __init__(self, house: House) -> None:
        self.house = house

    def owing(self) -> Iterator[str]:
        """Ids of the live jobs in whose files nobody has looked yet: by the mirror, or by the folders."""
        try:
            documents = self.house.queries.live_documents()
        except MirrorDown as error:
            logger.info("looking for files to read in the folders: %s", error)
            yield from self._owing_by_the_folders()
            return
        for document in documents:
            if owes_a_look(parse(document)):
                yield document["id"]

    def _owing_by_the_folders(self) -> Iterator[str]:
        for job_id, _ in self.house.store.ids(LIVE):
            try:
                if owes_a_look(self.house.store.load(job_id).job):
                    yield job_id
            except (JobNotFound, DamagedJob):  # gone meanwhile; or for a person to see to
                continue

    def attend(self, job_id: str) -> None:
        """Look into each file of the job that nobody has looked into yet."""
        try:
            stored = self.house.store.load(job_id)
        except JobNotFound:
            return
        if stored.problem is not None:  # what is found out could not be recorded
            return
        for record in list(to_read(stored.job)):
            self._read(stored, record)

    def _read(self, stored: Stored, record: FileRecord) -> None:
        """What a slicer wrote. What vanished meanwhile, or was saved over, is read once that is recorded."""
        try:
            facts = slicers.read(self.house.store.file(stored, record.name))
        except (JobNotFound, OSError) as error:
            logger.info("job %s: a file is read later: %s", stored.id, type(error).__name__)
            return
        kept = facts or slicers.SlicerFacts()
        said = kept.model_dump(mode="json", exclude_defaults=True, exclude={"placed": {"items"}})

        def decide(now: Stored) -> Sequence[Draft]:
            found = reading(record.name, kept, self.house.lab.method(now.job.request.method))
            readings = readings_of(now.job, self.house.lab) | ({record.name: found} if found is not None else {})
            return file_read(now.job, record, said, readings, now.events)

        self.house.actions.record(stored.id, decide)
