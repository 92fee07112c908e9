"""Keeps job-card.html in each job's folder as the job is."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from printsys import fs
from printsys.domain.job import Job
from printsys.errors import DamagedJob, JobNotFound
from printsys.jobstore.files import FileFacts, facts_of
from printsys.jobstore.layout import JOB_CARD
from printsys.jobstore.visits import visit
from printsys.services import Services
from printsys.tickets.job_card import is_current, job_card
from printsys.worker.file_inspector import jobs_read_from

logger = logging.getLogger(__name__)


class JobCards:
    def __init__(self, services: Services) -> None:
        self.services = services
        self._current: dict[str, tuple[int, FileFacts]] = {}
        """By the job's id, the revision that its card was found to say, and the facts of that file."""

    def owing(self) -> Iterator[str]:
        """Ids of the live jobs whose card is gone, or of another revision than the job."""
        return (
            job.id
            for folder, job in jobs_read_from(self.services)
            if visit(self.services.store, job.id, partial(self._is_outdated, folder, job)) is True
        )

    def attend(self, job_id: str) -> None:
        """Write the job's card where it is not as it should be. StorageFailure, JobBusy."""
        try:
            stored = self.services.store.load(job_id)
            if stored.problem is None and self._is_outdated(stored.folder, stored.job):
                card = job_card(stored.job, self.services.lab, self.services.settings.base_url)
                self.services.store.save_derived(job_id, JOB_CARD, card)
        except (JobNotFound, DamagedJob) as error:
            logger.info("job %s: its card is written later: %s", job_id, type(error).__name__)

    def _is_outdated(self, folder: Path, job: Job) -> bool:
        path = folder / JOB_CARD
        try:
            facts = facts_of(path.stat())
            if self._current.get(job.id) == (job.revision, facts):
                return False
            is_as_written = is_current(fs.read(path), job.revision)
        except FileNotFoundError:
            return os.path.isdir(folder)
        except OSError as error:  # a folder lies in its place, or it cannot be read: nothing relies on it
            logger.info("job %s: its card cannot be read: %s", job.id, error)
            return False
        if is_as_written:
            self._current[job.id] = (job.revision, facts)
        return not is_as_written
