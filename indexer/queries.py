"""Reads the mirror for pages, tasks and scripts. Every query raises MirrorDown where PostgreSQL is down."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from typing import Any

import sqlalchemy as sa

from indexer import earlier_prints
from indexer.attention import AttentionItem
from indexer.connection import reading
from indexer.earlier_prints import Shape
from indexer.job_filter import NEWEST_FIRST, OLDEST_FIRST, JobFilter, Order
from indexer.schema import (
    BOOKKEEPING,
    PAID_IN_PART,
    VERSION_TABLE,
    attention,
    events,
    files,
    job_counts,
    jobs,
    mirror_state,
    pruned_jobs,
)
from printsys.domain.emails import CLOSING
from printsys.domain.events import STAFF, Event, EventType
from printsys.domain.job import Document, Job, format_time, parse
from printsys.domain.print_queue import QueuedJob, due_day
from printsys.domain.status import FILES_READ, FINAL, LIVE, Status, in_words


@dataclass(frozen=True)
class JobRow:
    """A job as the mirror has it: its document, and what the system knows besides. `folder` is relative to storage/."""

    id: str
    revision: int
    folder: str
    folder_status: Status | None
    move_pending: str | None
    problem: str | None
    asked_in_file: Status | None
    mail_owed: int
    next_mail_at: datetime | None
    document: Document

    @cached_property
    def job(self) -> Job:
        return parse(self.document)

    @property
    def asked_by_hand(self) -> Status | None:
        """As Stored.asked_by_hand."""
        if self.move_pending is None and self.folder_status not in (None, self.job.status):
            return self.folder_status
        return self.asked_in_file


@dataclass(frozen=True)
class EarlierPrint:
    """A job that printed the same part. `failures`: how often that failed; `failure`: why, the last time."""

    row: JobRow
    is_same_file: bool
    failures: int
    failure: str | None


@dataclass(frozen=True)
class StudentsNews:
    """The newest answer of a student that nobody has acted on: an event's time, type and data."""

    row: JobRow
    at: datetime
    type: str
    data: Document


@dataclass(frozen=True)
class RecentEvent:
    """An event, and whose job it is of."""

    job_id: str
    student: str | None
    event: Event


@dataclass(frozen=True)
class OpenItem:
    """What needs a person, `since` when, and the job that it is about; None where it is about no job of the mirror."""

    item: AttentionItem
    since: datetime
    row: JobRow | None


STUDENTS_ANSWERS = frozenset({EventType.STUDENT_WROTE, EventType.STUDENT_DECLINED, EventType.JOB_WITHDRAWN})
_COLUMNS = [jobs.c[name] for name in JobRow.__dataclass_fields__]
_OLDEST_ITEM_FIRST = (attention.c.since, attention.c.kind, attention.c.folder, attention.c.file)


class Queries:
    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine

    def counts(self, wanted: JobFilter | None = None) -> dict[Status, int]:
        """How many jobs there are in each status, those with none included; of `wanted` in whatever status."""
        if wanted is not None and wanted.narrows:
            some = sa.select(jobs.c.status, sa.func.count().label("n")).where(*wanted.conditions(of_status=False))
            rows = self._all(some.group_by(jobs.c.status))
        else:
            rows = self._all(sa.select(job_counts.c.status, job_counts.c.n))
        counted = {row.status: row.n for row in rows}
        return {status: counted.get(status.value, 0) for status in Status}

    def count_pruned(self, wanted: JobFilter) -> int:
        """How many jobs of `wanted` a report counts besides, of which no list has more than their number."""
        pruned = sa.select(sa.func.count()).select_from(pruned_jobs)
        return int(self._all(pruned.where(*wanted.conditions_of_pruned()))[0][0])

    def jobs(
        self, status: Status | None = None, q: str = "", limit: int = 50, offset: int = 0, oldest_first: bool = False
    ) -> list[JobRow]:
        """Newest in their status first, or those that wait longest."""
        order = OLDEST_FIRST if oldest_first else NEWEST_FIRST
        return self.listed(JobFilter(status, q), order, limit, offset)

    def listed(self, wanted: JobFilter, order: Order, limit: int, offset: int = 0) -> list[JobRow]:
        matching = sa.select(*_COLUMNS).where(*wanted.conditions()).order_by(*order.forwards())
        return [_job(row) for row in self._all(matching.limit(limit).offset(offset))]

    def active(self, wanted: JobFilter) -> list[JobRow]:
        """All active jobs of `wanted`, in whatever status."""
        in_work = jobs.c.status.in_([status.value for status in LIVE])
        return [
            _job(row) for row in self._all(sa.select(*_COLUMNS).where(in_work, *wanted.conditions(of_status=False)))
        ]

    def neighbors(self, job_id: str, wanted: JobFilter, order: Order) -> tuple[str | None, str | None]:
        """The jobs before and after that one in a list, whether it is in the list itself or not."""
        ids = sa.select(jobs.c.id).where(*wanted.conditions(), jobs.c.id != job_id)
        before = ids.where(order.behind(job_id, is_forwards=False)).order_by(*order.backwards())
        after = ids.where(order.behind(job_id)).order_by(*order.forwards())
        first, second = self._all(before.limit(1)), self._all(after.limit(1))
        return (first[0].id if first else None), (second[0].id if second else None)

    def job(self, job_id: str) -> JobRow | None:
        rows = self._all(sa.select(*_COLUMNS).where(jobs.c.id == job_id))
        return _job(rows[0]) if rows else None

    def values(self, status: Status | None = None, q: str = "", limit: int = 50, offset: int = 0) -> list[Document]:
        """As `jobs`, as one flat object a job for scripts: the generated columns too. Times in UTC, those of the
        document as text."""
        columns = [column for column in jobs.c if column.name not in BOOKKEEPING]
        matching = sa.select(*columns).where(*JobFilter(status, q).conditions()).order_by(*NEWEST_FIRST.forwards())
        return [dict(row._mapping) for row in self._all(matching.limit(limit).offset(offset))]

    def count(self, status: Status | None = None, q: str = "") -> int:
        """How many jobs `jobs` would give without its limit."""
        if not q.strip():
            counts = self.counts()
            return counts[status] if status is not None else sum(counts.values())
        return int(
            self._all(sa.select(sa.func.count()).select_from(jobs).where(*JobFilter(status, q).conditions()))[0][0]
        )

    def queue(self, statuses: Sequence[Status]) -> list[QueuedJob]:
        """Of every job in one of `statuses`, what decides its turn."""
        printed_on = jobs.c.document.op("#>>")(sa.text("'{request,printed_on}'")).label("printed_on")
        names = ("id", "status", "status_since", "method", "printer", "material", "color", "time_h", "due_date")
        queued = sa.select(*(jobs.c[name] for name in names), printed_on)
        rows = self._all(queued.where(jobs.c.status.in_([status.value for status in statuses])))
        return [
            QueuedJob(
                row.id, Status(row.status), datetime.fromisoformat(row.status_since), row.method,
                row.printed_on or row.printer, row.material, row.color, row.time_h, due_day(row.due_date),
            )
            for row in rows
        ]  # fmt: skip

    def unreviewed(self, limit: int) -> tuple[int, list[JobRow]]:
        """How many new jobs nobody has looked at yet, and those that wait longest."""
        is_new = JobFilter(is_new=True).conditions()
        count = int(self._all(sa.select(sa.func.count()).select_from(jobs).where(*is_new))[0][0])
        oldest = sa.select(*_COLUMNS).where(*is_new).order_by(jobs.c.status_since, jobs.c.id).limit(limit)
        return count, [_job(row) for row in self._all(oldest)]

    def students_news(self, since: datetime) -> list[StudentsNews]:
        """What students wrote, declined or withdrew and staff have not acted on since; the oldest first. `since`: for
        jobs that have ended, of which there may be many."""
        later = events.alias("later")
        is_answered = sa.exists().where(
            later.c.job_id == events.c.job_id, later.c.seq > events.c.seq, later.c.actor.like(f"{STAFF}%")
        )
        is_open = sa.or_(
            jobs.c.status.in_([status.value for status in LIVE]),
            sa.and_(jobs.c.status.in_([s.value for s in FINAL]), jobs.c.updated_at >= format_time(since)),
        )
        news = (
            sa.select(*_COLUMNS, events.c.at, events.c.type, events.c.data, events.c.seq)
            .join_from(jobs, events, jobs.c.id == events.c.job_id)
            .where(is_open, events.c.type.in_(sorted(STUDENTS_ANSWERS)), ~is_answered)
            .order_by(events.c.at, events.c.job_id, events.c.seq)
        )
        newest = {row.id: StudentsNews(_job(row), row.at, row.type, row.data) for row in self._all(news)}
        return list(newest.values())

    def happened(self, since: datetime, types: Collection[EventType], limit: int) -> list[RecentEvent]:
        """What happened after `since`, the newest first."""
        recent = (
            sa.select(jobs.c.id, jobs.c.student_name, events)
            .join_from(jobs, events, jobs.c.id == events.c.job_id)
            .where(jobs.c.updated_at >= format_time(since), events.c.at > since, events.c.type.in_(sorted(types)))
            .order_by(events.c.at.desc(), events.c.job_id, events.c.seq.desc())
            .limit(limit)
        )
        return [
            RecentEvent(
                row.id,
                row.student_name,
                Event(seq=row.seq, at=row.at, type=row.type, actor=row.actor, data=row.data, patch=row.patch),
            )
            for row in self._all(recent)
        ]

    def count_happened(self, since: datetime, types: Collection[EventType]) -> dict[EventType, int]:
        """How often each of `types` happened after `since`, as far as the jobs are still there."""
        recent = (
            sa.select(events.c.type, sa.func.count().label("n"))
            .join_from(jobs, events, jobs.c.id == events.c.job_id)
            .where(jobs.c.updated_at >= format_time(since), events.c.at > since, events.c.type.in_(sorted(types)))
        )
        rows = self._all(recent.group_by(events.c.type))
        counted = {row.type: row.n for row in rows}
        return {kind: counted.get(kind.value, 0) for kind in types}

    def owed(self, now: datetime) -> list[str]:
        """Ids of the jobs that owe an e-mail which may go out by `now`, the longest waiting first."""
        due = sa.select(jobs.c.id).where(jobs.c.mail_owed > 0, jobs.c.next_mail_at <= now)
        return [row.id for row in self._all(due.order_by(jobs.c.next_mail_at, jobs.c.id))]

    def server_version(self) -> str:
        """MirrorDown."""
        with reading(self.engine) as connection:
            return str(connection.execute(sa.text("SHOW server_version")).scalar())

    def schema_version(self) -> str:
        """MirrorDown."""
        with reading(self.engine) as connection:
            return str(connection.execute(sa.text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar())

    def bytes_by_day(self, since: datetime) -> dict[date, int]:
        """The size of all recorded files of the jobs that were created on a day (in UTC), of those with any."""
        day = sa.func.left(jobs.c.created_at, 10).label("day")
        sizes = (
            sa.select(day, sa.func.sum(files.c.size).label("size"))
            .join_from(jobs, files, jobs.c.id == files.c.job_id)
            .where(jobs.c.created_at >= format_time(since), jobs.c.created_at.op("~")("^[0-9]{4}-[0-9]{2}-[0-9]{2}T"))
            .group_by(day)
        )
        return {date.fromisoformat(row.day): int(row.size) for row in self._all(sizes)}

    def mail_waiting(self) -> tuple[int, datetime | None]:
        """How many e-mails are owed, and since when the oldest of them is."""
        owed, closed = events.alias("owed"), events.alias("closed")
        closing = sa.exists().where(
            closed.c.job_id == owed.c.job_id,
            closed.c.type.in_(sorted(CLOSING)),
            closed.c.data["queued_seq"].astext == sa.cast(owed.c.seq, sa.Text),
        )
        waiting = (
            sa.select(sa.func.count().label("owed"), sa.func.min(owed.c.at).label("oldest"))
            .join_from(owed, jobs, jobs.c.id == owed.c.job_id)
            .where(jobs.c.mail_owed > 0, owed.c.type == EventType.EMAIL_QUEUED.value, ~closing)
        )
        (row,) = self._all(waiting)
        return row.owed, row.oldest

    def ended(self, statuses: Sequence[Status], before: datetime, limit: int) -> list[JobRow]:
        """Jobs that have been in one of `statuses` since a moment before `before`, the longest first."""
        ended = sa.select(*_COLUMNS).where(*_ended(statuses, before))
        return [_job(row) for row in self._all(ended.order_by(*OLDEST_FIRST.forwards()).limit(limit))]

    def count_ended(self, statuses: Sequence[Status], before: datetime, most: int) -> int:
        """How many these are; `most` where there are more, so that no page counts 100,000."""
        some = sa.select(jobs.c.id).where(*_ended(statuses, before)).limit(most).subquery()
        return int(self._all(sa.select(sa.func.count()).select_from(some))[0][0])

    def students(self, job_ids: Collection[str]) -> dict[str, str]:
        """The students' names of these jobs, of those that the mirror has."""
        rows = self._all(sa.select(jobs.c.id, jobs.c.student_name).where(jobs.c.id.in_(sorted(job_ids))))
        return {row.id: row.student_name for row in rows if row.student_name}

    def with_transaction(self, number: str, limit: int = 5) -> list[JobRow]:
        """Jobs with a payment under that transaction number, the newest first. Capitals do not count.

        Reads all documents: asked once a payment, it is not worth an index that every write would keep.
        """
        recorded = sa.text(
            "EXISTS (SELECT 1 FROM jsonb_path_query(document, '$.payment.transaction') AS one(number)"
            " WHERE lower(one.number #>> '{}') = lower(:transaction))"
            " OR EXISTS (SELECT 1 FROM jsonb_path_query(document, '$.payment.lines[*].transaction') AS one(number)"
            " WHERE lower(one.number #>> '{}') = lower(:transaction))"
        ).bindparams(transaction=number)
        matching = sa.select(*_COLUMNS).where(recorded).order_by(*NEWEST_FIRST.forwards())
        return [_job(row) for row in self._all(matching.limit(limit))]

    def perhaps_unpaid(self, q: str = "", limit: int = 500) -> list[JobRow]:
        """Jobs that were handed out for less than their price, the newest first; what was waived is among them.

        Archived ones, too: a folder that was dragged to the archive still has its debt.
        """
        handed_out = jobs.c.document[("payment", "picked_up_by")].astext.is_not(None)
        matching = sa.select(*_COLUMNS).where(
            jobs.c.status.in_([Status.PAID_PICKED_UP.value, Status.ARCHIVED.value]),
            *JobFilter(q=q).conditions(),
            PAID_IN_PART,
            sa.or_(jobs.c.status == Status.PAID_PICKED_UP.value, handed_out),
        )
        return [_job(row) for row in self._all(matching.order_by(*NEWEST_FIRST.forwards()).limit(limit))]

    def live(self) -> list[tuple[str, Document]]:
        """(folder, metadata.json) of every job whose files the worker reads."""
        live = sa.select(jobs.c.folder, jobs.c.document)
        rows = self._all(live.where(jobs.c.status.in_([status.value for status in FILES_READ])))
        return [(row.folder, row.document) for row in rows]

    def earlier_prints(
        self, job_id: str, hashes: Collection[str], shapes: Sequence[Shape], limit: int = 5
    ) -> list[EarlierPrint]:
        """Other jobs that printed a file with one of `hashes`, or a model of one of `shapes`, the newest first."""
        rows = self._all(earlier_prints.matching(job_id, hashes, shapes, _COLUMNS, limit))
        return [EarlierPrint(_job(row), row.is_same_file, row.failures, row.failure) for row in rows]

    def events_from(self, job_id: str, seq: int) -> list[Event]:
        """The job's events from that number on, as far as the mirror has them; without what chains their lines."""
        columns = [events.c[name] for name in ("seq", "at", "type", "actor", "data", "patch")]
        later = sa.select(*columns).where(events.c.job_id == job_id, events.c.seq >= seq).order_by(events.c.seq)
        return [Event.model_validate(dict(row._mapping)) for row in self._all(later)]

    def attention(self) -> list[AttentionItem]:
        """What the last sync found that needs a person, the oldest first."""
        rows = self._all(sa.select(*attention.c).order_by(*_OLDEST_ITEM_FIRST))
        return [_item({column.name: row._mapping[column.name] for column in attention.c}) for row in rows]

    def open_items(self) -> list[OpenItem]:
        """The same with the jobs that the items are about."""
        items = [column.label(f"item_{column.name}") for column in attention.c]
        joined = sa.select(*_COLUMNS, *items).select_from(attention.outerjoin(jobs, jobs.c.id == attention.c.job_id))
        rows = self._all(joined.order_by(*_OLDEST_ITEM_FIRST))
        return [
            OpenItem(
                _item({column.name: row._mapping[f"item_{column.name}"] for column in attention.c}),
                row.item_since,
                _job(row) if row.id is not None else None,
            )
            for row in rows
        ]

    def changes(self) -> int:
        """A number that grows with every change of the mirror: for those who missed a notification."""
        return int(self._all(sa.select(sa.func.coalesce(sa.func.max(mirror_state.c.changes), 0)))[0][0])

    def synced_at(self) -> datetime | None:
        """When the whole of storage/ was last compared with the mirror."""
        moment: datetime | None = self._all(sa.select(sa.func.max(mirror_state.c.synced_at)))[0][0]
        return moment

    def server_started_at(self) -> datetime:
        """Another answer than last time means that the server was away, and may have lost its last commits."""
        started: datetime = self._all(sa.select(sa.func.pg_postmaster_start_time()))[0][0]
        return started

    def _all(self, statement: sa.Select[*tuple[Any, ...]]) -> Sequence[sa.Row[Any]]:
        with reading(self.engine) as connection:
            return connection.execute(statement).all()


def _item(values: Mapping[str, Any]) -> AttentionItem:
    """Of a row of the table of attention items. An earlier version, which named a status as its folder is named, may
    have written it."""
    fixes, file = tuple(values["fixes"]), values["file"] or None
    return AttentionItem(values["kind"], values["job_id"], values["folder"], in_words(values["sentence"]), fixes, file)


def _ended(statuses: Sequence[Status], before: datetime) -> list[sa.ColumnElement[bool]]:
    return [jobs.c.status.in_([status.value for status in statuses]), jobs.c.status_since < format_time(before)]


def _job(row: sa.Row[Any]) -> JobRow:
    values = {name: row._mapping[name] for name in JobRow.__dataclass_fields__}
    for name in ("folder_status", "asked_in_file"):
        values[name] = Status(values[name]) if values[name] is not None else None
    return JobRow(**values)
