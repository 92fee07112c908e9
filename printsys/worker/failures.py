"""Retries jobs whose inspection crashed, with growing pauses; after three crashes it reports the reason.

An inspection crashes by an error that nobody foresaw, or by the end of the worker's whole process (killed for its
memory, say). The second leaves a mark in `instance/looking/`, by which the next process knows.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from printsys.backoff import BackOff
from printsys.ops.heartbeat import Problem

PAUSES_S = (60, 300, 1800, 7200, 86_400)
MOST_FAILURES = 3
MOST_DEATHS = 3
DEATHS = "The worker's process ended %d times while it inspected this job's files."


@dataclass
class FailureTracker:
    """The jobs whose files no sweep inspects for now, and why. Whatever a person asks for is tried all the same.

    `folder` holds one mark for each inspection that runs: how many processes have begun it and not come to its end.
    """

    folder: Path
    backoff: BackOff = field(default_factory=lambda: BackOff(PAUSES_S))
    _errors: dict[str, Problem] = field(default_factory=dict)

    @contextmanager
    def at_work(self, job_id: str) -> Iterator[None]:
        """Marks the job while the body runs; only the end of the process leaves the mark."""
        mark = self.folder / job_id
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.write_text(f"{self._deaths(job_id) + 1}\n", "ascii")
        try:
            yield
        finally:
            mark.unlink(missing_ok=True)

    def failed(self, job_id: str, error: BaseException) -> None:
        self.backoff.failed(job_id)
        self._errors[job_id] = Problem(datetime.now(UTC), f"{type(error).__name__}: {error}", job_id)

    def settled(self, job_id: str) -> None:
        self.backoff.settled(job_id)
        self._errors.pop(job_id, None)

    def waits(self, job_id: str) -> bool:
        """Whether a sweep should leave the job alone."""
        return self._deaths(job_id) >= MOST_DEATHS or self.backoff.wait_s(job_id) > 0

    def given_up(self) -> tuple[Problem, ...]:
        """The jobs that a person should see to: after `MOST_FAILURES` errors, or `MOST_DEATHS` of the process."""
        problems = [error for job_id, error in self._errors.items() if self.backoff.failures(job_id) >= MOST_FAILURES]
        for mark in sorted(self.folder.iterdir()) if self.folder.is_dir() else []:
            deaths = self._deaths(mark.name)
            if deaths >= MOST_DEATHS:
                at = datetime.fromtimestamp(mark.stat().st_mtime, UTC)
                problems.append(Problem(at, DEATHS % deaths, mark.name))
        return tuple(problems)

    def _deaths(self, job_id: str) -> int:
        try:
            return int((self.folder / job_id).read_text("ascii"))
        except (FileNotFoundError, ValueError):
            return 0
