"""Whether a link that was e-mailed to a student is still good."""

from __future__ import annotations

from printsys.domain.job import Job, format_time
from printsys.domain.status import Status


def resubmission_key(job: Job) -> str | None:
    """What a link that reopens a rejected request carries, so that it works for this rejection and only once."""
    if job.status is not Status.REJECTED or job.rejection is None or job.rejection.at is None:
        return None
    return format_time(job.rejection.at)
