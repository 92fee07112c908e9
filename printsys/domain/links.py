"""Whether a link that was e-mailed to a student is still good."""

from __future__ import annotations

import secrets
from datetime import datetime

from printsys.domain.job import Job, format_time
from printsys.domain.status import Status
from printsys.errors import TokenExpired, TokenUsed


def require_open_confirmation(job: Job, nonce: str, now: datetime) -> None:
    """TokenUsed or TokenExpired unless the link with `nonce` is the one that this job waits for."""
    require_latest_confirmation(job, nonce)
    if job.confirmation is None or job.confirmation.expires_at is None or job.confirmation.expires_at <= now:
        raise TokenExpired("This link has expired. You can have a new one sent to you.")


def require_latest_confirmation(job: Job, nonce: str) -> None:
    """TokenUsed unless the link with `nonce`, expired or not, is the newest of a job that waits for its student."""
    if job.confirmation is None or job.confirmation.nonce is None:
        raise TokenUsed("This link is no longer in use: the lab took the approval back. You will hear from us.")
    if not secrets.compare_digest(job.confirmation.nonce, nonce):
        raise TokenUsed("This link was replaced by a newer one. Please use the link from our latest e-mail.")
    if not awaits_confirmation(job):
        raise TokenUsed("This link did its work already: there is nothing left to confirm.")


def awaits_confirmation(job: Job) -> bool:
    """Whether the job goes on when its student confirms the price."""
    return job.status is Status.PENDING


def confirmation_expired_at(job: Job, now: datetime) -> datetime | None:
    """When the link expired on which the job still waits; None where none has."""
    expires_at = job.confirmation.expires_at if job.confirmation else None
    return expires_at if awaits_confirmation(job) and expires_at is not None and expires_at <= now else None


def resubmission_key(job: Job) -> str | None:
    """What a link that reopens a rejected request carries, so that it works for this rejection and only once."""
    if job.status is not Status.REJECTED or job.rejection is None or job.rejection.at is None:
        return None
    return format_time(job.rejection.at)


def require_open_resubmission(job: Job, key: str) -> None:
    """TokenUsed unless the link with `key` is the one of this job's present rejection."""
    if job.status is Status.ARCHIVED:
        raise TokenUsed("This job is closed and filed. Please send us a new request.")
    if resubmission_key(job) != key:
        raise TokenUsed("This link did its work already: your request is with us again.")
