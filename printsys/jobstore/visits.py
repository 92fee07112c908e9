"""The outermost loop of one job's visit: whatever is wrong with a job is its own trouble, and stops no other job."""

from __future__ import annotations

import logging
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
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Failure:
    """Why a visit came to nothing."""

    error: Exception

    @property
    def is_passing(self) -> bool:
        return isinstance(self.error, PASSING)


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
