"""Bounds how many of the worker's threads inspect models at once: one is always left for e-mails."""

from __future__ import annotations

import threading


class InspectionSlots:
    """`count` inspections at once. A job that finds no slot free waits here, once, so that nothing queues behind it. If
    the process ends, a sweep finds the job again."""

    def __init__(self, count: int) -> None:
        self._free = count
        self._waiting: dict[str, None] = {}
        self._lock = threading.Lock()

    def take(self, job_id: str | None = None) -> bool:
        """False where none is free: then `job_id` waits until it is given back to the queue."""
        with self._lock:
            if self._free:
                self._free -= 1
                return True
            if job_id is not None:
                self._waiting[job_id] = None
            return False

    def give_back(self) -> str | None:
        """The job that has waited longest, for the caller to queue it again."""
        with self._lock:
            self._free += 1
            job_id = next(iter(self._waiting), None)
            if job_id is not None:
                del self._waiting[job_id]
            return job_id

    @property
    def waiting(self) -> int:
        return len(self._waiting)
