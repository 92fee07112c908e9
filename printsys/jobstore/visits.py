"""The outermost loop of one job's visit: whatever is wrong with a job is its own trouble, and stops no other job."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from printsys.errors import JobBusy, JobNotFound, MirrorDown, PrintSysError, StorageFailure, StorageOffline
from printsys.jobstore.store import JobStore

T = TypeVar("T")
OF_ALL_JOBS = (StorageOffline, MirrorDown)
"""These are no trouble of the job that happens to meet them first."""
PASSING = (JobBusy, JobNotFound, StorageFailure, FileNotFoundError)
"""What is usual while people move folders: the next visit finds out more."""
PATIENT_VISITS = 8
"""What the disk refuses oftener than so, visit after visit, is no program that has a file open for a moment."""
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Failure:
    """Why a visit came to nothing."""

    error: Exception

    @property
    def is_passing(self) -> bool:
        return isinstance(self.error, PASSING)


class Refusals:
    """Counts, for each folder, the visits in a row that ended in StorageFailure."""

    def __init__(self) -> None:
        self._in_a_row: Counter[str] = Counter()

    def is_lasting(self, name: str, result: object) -> bool:
        """Whether the disk refused the visit with this `result`, and refused more than `PATIENT_VISITS` in a row: a
        person should know, and the visits go on."""
        if not (isinstance(result, Failure) and isinstance(result.error, StorageFailure)):
            self._in_a_row.pop(name, None)
            return False
        self._in_a_row[name] += 1
        return self._in_a_row[name] > PATIENT_VISITS


def visit(store: JobStore, name: str, look: Callable[[], T]) -> T | Failure:
    """What `look` returns or, whatever it raises, a Failure. `name` is the folder or the id, for the log.

    StorageOffline, MirrorDown: these stop every visit.
    """
    try:
        return look()
    except OF_ALL_JOBS:
        raise
    except PASSING as error:
        logger.info("%s is visited again later: %s", name, type(error).__name__)
        return Failure(error)
    except PrintSysError as error:
        return Failure(error)
    except Exception as error:
        if isinstance(error, OSError):
            store.require_online()
        logger.exception("%s: a visit failed; other jobs go on", name)
        return Failure(error)
