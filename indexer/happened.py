"""What happens to jobs, as reports count it and lists are narrowed by it: a job counts on the day of the last time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONPATH

from indexer.reported import MIRRORED, Records
from indexer.schema import COUNTED_CHANGE
from printsys.domain.events import EventType
from printsys.domain.inputs import FAULTS
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
    REFUNDED = "refunded"
    WAIVED = "waived"
    APPROVAL = "approval"
    """This and the next: a step ended, each time that it did."""
    ANSWER = "answer"
    START = "start"
    PRINT = "print"
    COLLECTION = "collection"


LAST_TIMES = {
    Happening.APPROVED: (EventType.STAFF_APPROVED,),
    Happening.REJECTED: (EventType.JOB_REJECTED, EventType.STUDENT_DECLINED, EventType.JOB_WITHDRAWN),
    Happening.STARTED: (EventType.PRINTING_STARTED,),
    Happening.PRINTED: (EventType.JOB_COMPLETED,),
    Happening.COLLECTED: (EventType.JOB_PICKED_UP,),
}
"""Events of which a job's last one counts."""

WAITS = {
    Happening.APPROVAL.value: (EventType.STAFF_APPROVED,),
    Happening.ANSWER.value: (EventType.STUDENT_CONFIRMED, EventType.STAFF_CONFIRMED),
    Happening.START.value: (EventType.PRINTING_STARTED,),
    Happening.PRINT.value: (EventType.JOB_COMPLETED,),
    Happening.COLLECTION.value: (EventType.JOB_PICKED_UP,),
}
"""Each step by the events that end it; it began with the change of status before."""


def print_failed(events: sa.FromClause) -> sa.ColumnElement[bool]:
    return events.c.type == EventType.PRINT_FAILED.value


def plate_failed(events: sa.FromClause) -> sa.ColumnElement[bool]:
    return sa.and_(events.c.type == EventType.PLATES_MARKED.value, events.c.data["state"].astext == "failed")


def _waived(events: sa.FromClause) -> sa.ColumnElement[bool]:
    """What a report counts as waived, or as taken back of it."""

    def has(path: str) -> sa.ColumnElement[bool]:
        return sa.func.jsonb_path_exists(events.c.data, sa.cast(path, JSONPATH))

    return sa.or_(
        events.c.type == EventType.PAYMENT_WAIVED.value,
        sa.and_(events.c.type == EventType.FACTS_SUPPLIED.value, has('$.lines[*] ? (@.kind == "waiver")')),
        sa.and_(
            events.c.type == EventType.STATUS_REVERTED.value, has('$.voided[*] ? (@.kind == "waiver" && exists(@.at))')
        ),
    )


@dataclass(frozen=True)
class During:
    """Jobs to which something happened between two moments, the second not included.

    `reason`: of the rejection; an empty text: it had none. `fault`: of the failed print; an empty text: nobody knows.
    `causes`: what staff typed of the failed print, any of these; None among them: plates that staff marked as failed.
    """

    happening: Happening
    start: datetime
    end: datetime
    reason: str | None = None
    fault: str | None = None
    causes: frozenset[str | None] | None = None

    def condition(self, records: Records = MIRRORED) -> sa.ColumnElement[bool]:
        jobs, events = records.jobs, records.events
        if self.happening is Happening.SUBMITTED:
            return sa.and_(jobs.c.created_at >= format_time(self.start), jobs.c.created_at < format_time(self.end))
        if self.happening is Happening.REJECTED and self.reason is not None:
            return jobs.c.id.in_(self._rejected_for(events, self.reason))
        if types := LAST_TIMES.get(self.happening):
            return jobs.c.id.in_(sa.select(last_times(events, types, self.start, self.end).c.job_id))
        between = (COUNTED_CHANGE, events.c.at >= self.start, events.c.at < self.end)
        return jobs.c.id.in_(sa.select(events.c.job_id).where(*between, self._every_time(events)))

    def _rejected_for(self, events: sa.FromClause, reason: str) -> sa.Select[tuple[str]]:
        """By the reasons of each job's last rejection."""
        last = last_rejections(events, self.start)
        is_list = sa.func.coalesce(sa.func.jsonb_typeof(last.c.reasons) == "array", sa.false())
        has_reason = sa.case((is_list, last.c.reasons.op("?")(reason)), else_=sa.false())
        if not reason:
            has_reason = sa.case(
                (is_list, sa.or_(has_reason, last.c.reasons == sa.text("'[]'::jsonb"))), else_=sa.true()
            )
        return sa.select(last.c.job_id).where(last.c.at < self.end, has_reason)

    def _every_time(self, events: sa.FromClause) -> sa.ColumnElement[bool]:
        if self.happening is Happening.FAILED:
            return self._failed(events)
        if self.happening is Happening.REFUNDED:
            return sa.and_(events.c.type == EventType.PAYMENT_REFUNDED.value, events.c.patch.has_key("payment"))
        if self.happening is Happening.WAIVED:
            return sa.and_(events.c.patch.has_key("payment"), _waived(events))
        if types := WAITS.get(self.happening):
            is_step = events.c.type.in_([type_.value for type_ in types])
            return sa.and_(is_step, events.c.patch.has_key("status"), _has_status_before(events))
        return sa.and_(events.c.patch.has_key("payment"))

    def _failed(self, events: sa.FromClause) -> sa.ColumnElement[bool]:
        is_print, is_plate = print_failed(events), plate_failed(events)
        conditions = [sa.or_(is_print, is_plate)]
        if self.fault is not None:
            fault = sa.func.coalesce(events.c.data["fault"].astext, "")
            conditions.append(fault == self.fault if self.fault else fault.not_in(FAULTS))
        if self.causes is not None:
            typed = sa.func.coalesce(events.c.data["reason"].astext, "")
            is_typed = sa.and_(is_print, typed.in_(sorted(cause for cause in self.causes if cause is not None)))
            conditions.append(sa.or_(is_typed, is_plate) if None in self.causes else is_typed)
        return sa.and_(*conditions)


def _has_status_before(events: sa.FromClause) -> sa.ColumnElement[bool]:
    """A log that was written again from metadata.json may begin in the middle of a step."""
    earlier = events.alias("earlier")
    is_earlier = (earlier.c.job_id == events.c.job_id, earlier.c.seq < events.c.seq)
    return sa.exists().where(*is_earlier, earlier.c.patch.has_key("status"))


def last_times(events: sa.FromClause, types: tuple[EventType, ...], start: datetime, end: datetime) -> sa.CTE:
    """(job_id, at) of the jobs whose last event of these types lies between the moments."""
    last = sa.func.max(events.c.at)
    return (
        sa.select(events.c.job_id, last.label("at"))
        .where(COUNTED_CHANGE, events.c.type.in_([type_.value for type_ in types]), events.c.at >= start)
        .group_by(events.c.job_id)
        .having(last < end)
        .cte("last_times")
    )


def all_last_times(events: sa.FromClause, start: datetime, end: datetime) -> sa.Subquery:
    """(happening, job_id, at) of all of `LAST_TIMES`, as `last_times` has each."""
    happening = sa.case(
        *((events.c.type.in_([type_.value for type_ in types]), each.value) for each, types in LAST_TIMES.items())
    ).label("happening")
    types = [type_.value for types in LAST_TIMES.values() for type_ in types]
    last = sa.func.max(events.c.at)
    return (
        sa.select(happening, events.c.job_id, last.label("at"))
        .where(COUNTED_CHANGE, events.c.type.in_(types), events.c.at >= start)
        .group_by(sa.text("1"), events.c.job_id)
        .having(last < end)
        .subquery("all_last_times")
    )


def last_rejections(events: sa.FromClause, start: datetime) -> sa.Subquery:
    """(job_id, at, reasons) of each job's last rejection, if it is not before `start`."""
    types = [type_.value for type_ in LAST_TIMES[Happening.REJECTED]]
    return (
        sa.select(events.c.job_id, events.c.at, events.c.data["reasons"].label("reasons"))
        .where(COUNTED_CHANGE, events.c.type.in_(types), events.c.at >= start)
        .distinct(events.c.job_id)
        .order_by(events.c.job_id, events.c.at.desc(), events.c.seq.desc())
        .subquery()
    )
