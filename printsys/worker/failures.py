"""Work that breaks whoever does it: tried again later each time, in the end only when somebody asks, its reason kept.

Two ways to break: an error that nobody foresaw, and the end of the worker's whole process (killed for its memory, say).
The second leaves a mark in `instance/looking/`, by which the next process knows.
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
DEATHS = "The worker was ended %d times while it looked into this job's files."


@dataclass
class FailureTracker:
    """Which jobs' files are not looked into for now, and why. What somebody asks for is tried all the same."""

    folder: Path
    backoff: BackOff = field(default_factory=lambda: BackOff(PAUSES_S))
    _reasons: dict[str, Problem] = field(default_factory=dict)

    @contextmanager
    def at_work(self, job_id: str) -> Iterator[None]:
        """Marked while the body runs; only the end of the process leaves the mark."""
        mark = self._mark(job_id)
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.write_text(f"{self._deaths(job_id) + 1}\n", "ascii")
        try:
            yield
        finally:
            mark.unlink(missing_ok=True)

    def failed(self, job_id: str, error: BaseException) -> None:
        self.backoff.failed(job_id)
        self._reasons[job_id] = Problem(datetime.now(UTC), f"{type(error).__name__}: {error}", job_id)

    def settled(self, job_id: str) -> None:
        self.backoff.settled(job_id)
        self._reasons.pop(job_id, None)

    def waits(self, job_id: str) -> bool:
        """Whether a sweep should leave the job alone."""
        return self._deaths(job_id) >= MOST_DEATHS or self.backoff.wait_s(job_id) > 0

    def given_up(self) -> tuple[Problem, ...]:
        """What a person should know of."""
        broke = [one for job_id, one in self._reasons.items() if self.backoff.failures(job_id) >= MOST_FAILURES]
        return (*broke, *self._killers())

    def _killers(self) -> Iterator[Problem]:
        marks = sorted(self.folder.iterdir()) if self.folder.is_dir() else []
        for mark in marks:
            deaths = self._deaths(mark.name)
            if deaths >= MOST_DEATHS:
                at = datetime.fromtimestamp(mark.stat().st_mtime, UTC)
                yield Problem(at, DEATHS % deaths, mark.name)

    def _mark(self, job_id: str) -> Path:
        return self.folder / job_id

    def _deaths(self, job_id: str) -> int:
        try:
            return int(self._mark(job_id).read_text("ascii"))
        except (FileNotFoundError, ValueError):
            return 0
