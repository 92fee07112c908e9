"""Which jobs a list shows and in which order: as SQL for the mirror, as a check of one job while there is no mirror."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, Protocol, TypeVar

import sqlalchemy as sa

from indexer.happened import During
from indexer.reported import MIRRORED, PRUNED, Records
from indexer.schema import jobs
from indexer.search_text import search_query
from printsys.domain.job import Job, format_time
from printsys.domain.status import LIVE, Status

DUE_SOON = timedelta(days=2)
LATEST = "9999"
"""Sorts behind every date: a job without one is not urgent."""

RECORDED = ("printed_on", "material", "color", "discipline", "class_number", "method")
"""What a report counts printed jobs by, and of which a record may say nothing."""


class Due(StrEnum):
    """When a job is needed. `soon` has those that are late already, too."""

    LATE = "late"
    SOON = "soon"
    ANY = "any"


@dataclass(frozen=True)
class JobFilter:
    """A value of None asks for nothing. `q`: every word must be found in the job (see search_text.py); blank: all jobs.

    `printer`: on which it is printed, else the one asked for. `older_than`: submitted longer ago than that many hours
    before `now`. `today` is the lab's date. `among`: ids, for what the mirror itself cannot tell.
    """

    status: Status | None = None
    q: str = ""
    printer: str | None = None
    method: str | None = None
    color: str | None = None
    discipline: str | None = None
    due: Due | None = None
    older_than: int | None = None
    is_new: bool = False
    """Only jobs that nobody has looked at yet."""
    now: datetime | None = None
    today: date | None = None
    among: frozenset[str] | None = None
    material: str | None = None
    class_number: str | None = None
    printed_on: str | None = None
    """As `printer`, in a report's links."""
    unrecorded: str | None = None
    """A name of RECORDED: of this the record says nothing."""
    during: During | None = None
    """Only the mirror knows: without it, this leaves nothing out."""

    @property
    def narrows(self) -> bool:
        """Whether it leaves out jobs of its status."""
        is_among = self.among is not None
        others = (self.q.strip(), self.due, self.older_than, self.is_new, self.printed_on, self.unrecorded, self.during)
        return bool(is_among or any(others) or any(self._exact().values()))

    def conditions(self, of_status: bool = True) -> list[sa.ColumnElement[bool]]:
        conditions: list[sa.ColumnElement[bool]] = []
        if of_status and self.status is not None:
            conditions.append(jobs.c.status == self.status.value)
        if self.q.strip():
            query = search_query(self.q)
            matches = sa.text("CAST(:query AS tsquery)").bindparams(query=query)
            conditions.append(jobs.c.words.op("@@")(matches) if query else sa.false())
        if self.due is not None:
            conditions += [jobs.c.due_date.is_not(None), jobs.c.due_date < self._due_before()]
        if (moment := self._submitted_before()) is not None:
            conditions.append(jobs.c.created_at < moment)
        if self.is_new:
            conditions += [jobs.c.status == Status.UPLOADED.value, jobs.c.reviewed_at.is_(None)]
        return conditions + self._of_reports(MIRRORED)

    def conditions_of_pruned(self) -> list[sa.ColumnElement[bool]]:
        """Of jobs that a report counts, and that no list has any more."""
        is_of_lists = self.q.strip() or self.due is not None or self.older_than is not None or self.is_new
        if self.during is None or is_of_lists:
            return [sa.false()]
        of_status = [PRUNED.jobs.c.status == self.status.value] if self.status is not None else []
        return of_status + self._of_reports(PRUNED)

    def _of_reports(self, records: Records) -> list[sa.ColumnElement[bool]]:
        of = records.jobs
        conditions = [of.c[name] == value for name, value in self._exact().items() if value is not None]
        if self.printed_on is not None:
            conditions.append(of.c.printed_on.in_([self.printed_on]))
        if self.unrecorded is not None:
            conditions.append(sa.func.coalesce(of.c[self.unrecorded], "") == "")
        if self.during is not None:
            conditions.append(self.during.condition(records))
        if self.among is not None:
            conditions.append(of.c.id.in_(sorted(self.among)))
        return conditions

    def accepts(self, job: Job) -> bool:
        """The same of one job, without its status and its words."""
        values = {
            "printed_on": job.request.actual_printer,
            "method": job.request.method,
            "color": job.request.color,
            "discipline": job.student.discipline,
            "material": job.estimate.material if job.estimate else None,
            "class_number": job.student.class_number,
        }
        is_due = self.due is None or (job.request.due_date or LATEST) < self._due_before()
        moment = self._submitted_before()
        is_old = moment is None or format_time(job.created_at) < moment
        is_among = self.among is None or job.id in self.among
        is_on_printer = self.printed_on in (None, values["printed_on"])
        is_unrecorded = self.unrecorded is None or not values[self.unrecorded]
        return (
            is_due
            and is_old
            and is_among
            and (job.is_new or not self.is_new)
            and is_on_printer
            and is_unrecorded
            and all(value in (None, values[name]) for name, value in self._exact().items())
        )

    def _exact(self) -> dict[str, str | None]:
        """By the column that each is compared with."""
        return {
            "printed_on": self.printer,
            "method": self.method,
            "color": self.color,
            "discipline": self.discipline,
            "material": self.material,
            "class_number": self.class_number,
        }

    def _due_before(self) -> str:
        if self.today is None or self.due is Due.ANY:
            return LATEST
        limit = self.today + DUE_SOON if self.due is Due.SOON else self.today
        return limit.isoformat()

    def _submitted_before(self) -> str | None:
        if self.older_than is None or self.now is None:
            return None
        return format_time(self.now - timedelta(hours=self.older_than))


class HasJob(Protocol):
    @property
    def job(self) -> Job: ...


Row = TypeVar("Row", bound=HasJob)


@dataclass(frozen=True)
class Order:
    """`key` takes its value out of the table that it is given, `of_job` the same out of a job. Jobs of the same value
    follow by their ids, backwards where the values go forwards: so one index serves both directions."""

    key: Callable[[sa.FromClause], sa.ColumnElement[Any]]
    of_job: Callable[[Job], Any]
    descending: bool = False

    def sorted(self, rows: Iterable[Row]) -> list[Row]:
        """`forwards`, for the time without a mirror."""
        by_id = sorted(rows, key=lambda row: row.job.id, reverse=not self.descending)
        return sorted(by_id, key=lambda row: self.of_job(row.job), reverse=self.descending)

    def forwards(self) -> tuple[sa.ColumnElement[Any], ...]:
        return self._by(self.descending)

    def backwards(self) -> tuple[sa.ColumnElement[Any], ...]:
        return self._by(not self.descending)

    def behind(self, job_id: str, is_forwards: bool = True) -> sa.ColumnElement[bool]:
        """What comes after that job or, backwards, before it."""
        named = jobs.alias("named")
        value = sa.select(self.key(named)).where(named.c.id == job_id).scalar_subquery()
        key, id_ = self.key(jobs), jobs.c.id
        if self.descending is is_forwards:
            return sa.and_(key <= value, sa.or_(key < value, id_ > job_id))
        return sa.and_(key >= value, sa.or_(key > value, id_ < job_id))

    def _by(self, descending: bool) -> tuple[sa.ColumnElement[Any], ...]:
        key = self.key(jobs)
        return (key.desc(), jobs.c.id) if descending else (key, jobs.c.id.desc())


def _hours(job: Job) -> Decimal:
    return (job.estimate and job.estimate.time_h) or Decimal(0)


def _price(job: Job) -> Decimal:
    return (job.estimate and job.estimate.cost) or Decimal(0)


NEWEST_FIRST = Order(lambda table: table.c.status_since, lambda job: job.status_since, descending=True)
OLDEST_FIRST = Order(lambda table: table.c.status_since, lambda job: job.status_since)
ORDERS = {
    "due": Order(lambda table: sa.func.coalesce(table.c.due_date, LATEST), lambda job: job.request.due_date or LATEST),
    "submitted": Order(lambda table: table.c.created_at, lambda job: job.created_at),
    "newest": Order(lambda table: table.c.created_at, lambda job: job.created_at, descending=True),
    "hours": Order(lambda table: sa.func.coalesce(table.c.time_h, 0), _hours),
    "price": Order(lambda table: sa.func.coalesce(table.c.cost, 0), _price, descending=True),
    "student": Order(lambda table: sa.func.lower(table.c.student_name), lambda job: job.student.name.lower()),
}
"""What staff may sort by, each by its name in the address; without one `usual_order` holds."""


def usual_order(status: Status | None) -> Order:
    """Who waits longest comes first; of what has ended, and of all statuses together, the newest."""
    return OLDEST_FIRST if status in LIVE else NEWEST_FIRST
