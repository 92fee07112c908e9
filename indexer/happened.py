"""What happens to jobs, as reports count it and lists are narrowed by it: a job counts on the day of the last time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa

from indexer.schema import COUNTED_CHANGE, events, jobs
from printsys.domain.events import EventType
from printsys.domain.job import format_time


class Happening(StrEnum):
    SUBMITTED = "submitted"
    APPROVED = "approved"
    REJECTED = "rejected"
    STARTED = "started"
    FAILED = "failed"
    PRINTED = "printed"
    COLLECTED = "collected"
    PAID = "paid"


LAST_TIMES = {
    Happening.APPROVED: (EventType.STAFF_APPROVED,),
    Happening.REJECTED: (EventType.JOB_REJECTED, EventType.STUDENT_DECLINED, EventType.JOB_WITHDRAWN),
    Happening.STARTED: (EventType.PRINTING_STARTED,),
    Happening.PRINTED: (EventType.JOB_COMPLETED,),
    Happening.COLLECTED: (EventType.JOB_PICKED_UP,),
}
"""Events of which a job's last one counts."""

PRINT_FAILED = events.c.type == EventType.PRINT_FAILED.value
PLATE_FAILED = sa.and_(events.c.type == EventType.PLATES_MARKED.value, events.c.data["state"].astext == "failed")


@dataclass(frozen=True)
class During:
    """Jobs to which something happened between two moments, the second not included."""

    happening: Happening
    start: datetime
    end: datetime

    def condition(self) -> sa.ColumnElement[bool]:
        if self.happening is Happening.SUBMITTED:
            return sa.and_(jobs.c.created_at >= format_time(self.start), jobs.c.created_at < format_time(self.end))
        if types := LAST_TIMES.get(self.happening):
            return jobs.c.id.in_(sa.select(last_times(types, self.start, self.end).c.job_id))
        between = (COUNTED_CHANGE, events.c.at >= self.start, events.c.at < self.end)
        return jobs.c.id.in_(sa.select(events.c.job_id).where(*between, self._every_time()))

    def _every_time(self) -> sa.ColumnElement[bool]:
        if self.happening is Happening.PAID:
            return sa.and_(events.c.patch.has_key("payment"))
        return sa.or_(PRINT_FAILED, PLATE_FAILED)


def last_times(types: tuple[EventType, ...], start: datetime, end: datetime) -> sa.CTE:
    """(job_id, at) of the jobs whose last event of these types lies between the moments."""
    last = sa.func.max(events.c.at)
    return (
        sa.select(events.c.job_id, last.label("at"))
        .where(COUNTED_CHANGE, events.c.type.in_([type_.value for type_ in types]), events.c.at >= start)
        .group_by(events.c.job_id)
        .having(last < end)
        .cte("last_times")
    )
