"""Counts and sums over the mirror, for reports. Every query raises MirrorDown where PostgreSQL is down."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONPATH, aggregate_order_by

from indexer.connection import reading
from indexer.happened import (
    LAST_TIMES,
    WAITS,
    During,
    Happening,
    all_last_times,
    last_rejections,
    last_times,
    plate_failed,
    print_failed,
)
from indexer.reported import MIRRORED, REPORTED
from indexer.schema import (
    COUNTED_CHANGE,
    GOING,
    PAID_IN_PART,
    PAYMENT_CHANGE,
    STATUS_CHANGE,
    mirror_state,
    pruned_logs,
)
from printsys.domain.events import EventType
from printsys.domain.job import Document, Job, parse
from printsys.domain.status import Status
from printsys.errors import QueryTimeout, StorageFailure

jobs, events = REPORTED.jobs, REPORTED.events
Moments = Sequence[datetime]
"""Where the parts of a range begin, and where the last of them ends."""
NUMBER = r"^[ \t\n\r\f\v]*[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]{1,2})?[ \t\n\r\f\v]*$"
"""What a record takes as an amount, underscores aside: an event has it as a person wrote it. Counted repeats would
cost ten times as much."""
LONGEST_NUMBER = 60
FOR_LONG_QUERIES = "SET LOCAL work_mem = '64MB'; SET LOCAL jit = off; SET LOCAL cursor_tuple_fraction = 1"
"""Sorts stay in memory; to compile such a query takes longer than to run it; who reads in batches reads to the end."""
AT_ONCE = 500
UNREAD = ["files", "print_files", "confirmation", "notes"]
"""Keys of a document that say nothing of what is to be paid."""
REFUSAL = (
    "Reports count nothing until it can be read again: run python manage.py check, and take the file from a backup."
)
COUNTED = (Happening.SUBMITTED, *LAST_TIMES)
DIMENSIONS = ("printer", "material", "color", "discipline", "class_number", "method")


@dataclass(frozen=True)
class FailureRow:
    """Failed prints of one part of the range (from 1), with one reason and fault; None for plates that staff marked.
    Of pruned jobs nobody knows the reason any more."""

    part: int
    reason: str | None
    fault: str | None
    is_pruned: bool
    count: int
    wasted_g: Decimal


@dataclass(frozen=True)
class UsageRow:
    """What was printed for one `value` of a dimension; None: the record does not say."""

    dimension: str
    value: str | None
    jobs: int
    copies: int
    hours: Decimal
    grams: Decimal
    milliliters: Decimal


@dataclass(frozen=True)
class WaitRow:
    """Seconds that a step took."""

    step: str
    count: int
    median: float
    ninetieth: float


@dataclass(frozen=True)
class AccuracyRow:
    """Of the printed jobs of one method: how many have both figures, the estimate's sum and the actual one's."""

    method: str
    timed: int
    hours_estimated: Decimal
    hours_actual: Decimal
    weighed: int
    grams_estimated: Decimal
    grams_actual: Decimal
    charged: int
    price_estimated: Decimal
    price_actual: Decimal


@dataclass(frozen=True)
class HappeningCount:
    """Jobs to which it happened for the last time in one part of the range (from 1)."""

    part: int
    happening: Happening
    jobs: int


@dataclass(frozen=True)
class MoneySum:
    """Of the entries of one part of the range (from 1), with one kind and method."""

    part: int
    kind: str
    method: str | None
    amount: Decimal
    waived: Decimal


@dataclass(frozen=True)
class MoneyEntry:
    """One event that changed what the lab has of a job. `amount`: by how much, negative where money went back;
    `waived`: what need not be paid since."""

    at: datetime
    job_id: str
    seq: int
    kind: str
    method: str | None
    amount: Decimal
    waived: Decimal
    actor: str
    transaction: str | None
    is_pruned: bool
    """Then `job_id` is the key of a line, and leads to no job."""


@dataclass(frozen=True)
class OwedRow:
    """Prints that wait to be collected, or were handed out, and what is to be paid for them."""

    is_waiting: bool
    jobs: int
    due: Decimal


@dataclass(frozen=True)
class DatedEvent:
    at: datetime
    type: str


@dataclass(frozen=True)
class SubmittedJob:
    """`folder` is relative to storage/; None for a job that was pruned."""

    job: Job
    folder: str | None
    events: list[DatedEvent]


class ReportQueries:
    """`limit_s`: what all queries together may take from now on; without it, as long as they need. QueryTimeout.

    `refuses`: every query raises StorageFailure where a log of pruned jobs cannot be read, as pruned jobs may be
    missing from what it counts.
    """

    def __init__(self, engine: sa.Engine, limit_s: float | None = None, *, refuses: bool = True) -> None:
        self.engine, self._limit_s, self._start, self._refuses = engine, limit_s, time.monotonic(), refuses

    def refusal(self) -> str | None:
        """The sentence of the log that cannot be read, if there is one."""
        with reading(self.engine) as connection:
            return _refusal(connection)

    def has_read_folders(self) -> bool:
        """Whether the folders, and the logs of pruned jobs, were ever read into these tables."""
        is_swept = sa.exists().where(mirror_state.c.synced_at.is_not(None))
        with reading(self.engine) as connection:
            return bool(
                connection.execute(
                    sa.select(sa.and_(is_swept, sa.exists().where(pruned_logs.c.name == GOING)))
                ).scalar()
            )

    def counts(self, happening: Happening, moments: Moments) -> dict[int, int]:
        """Jobs in each part of the range, the parts numbered from 1."""
        if happening is Happening.SUBMITTED:
            created = sa.cast(jobs.c.created_at, sa.DateTime(timezone=True))
            submitted = During(happening, moments[0], moments[-1]).condition(REPORTED)
            counted = sa.select(_part(created, moments), sa.func.count()).where(submitted)
        else:
            last = last_times(events, LAST_TIMES[happening], moments[0], moments[-1])
            counted = sa.select(_part(last.c.at, moments), sa.func.count()).select_from(last)
        return {row[0]: row[1] for row in self._all(counted.group_by(sa.text("1")))}

    def happenings(self, moments: Moments) -> list[HappeningCount]:
        """The counts of all of `COUNTED`, by one look at the events; parts without any are left out."""
        last = all_last_times(events, moments[0], moments[-1])
        counted = sa.select(_part(last.c.at, moments), last.c.happening, sa.func.count()).group_by(sa.text("1, 2"))
        submitted = self.counts(Happening.SUBMITTED, moments)
        rows = [HappeningCount(part, Happening.SUBMITTED, count) for part, count in submitted.items()]
        return rows + [HappeningCount(part, Happening(name), count) for part, name, count in self._all(counted)]

    def rejections(self, start: datetime, end: datetime) -> list[tuple[list[str], int]]:
        """The reasons of rejections, and how many have exactly these: of each job's last one."""
        last = last_rejections(events, start)
        rows = self._all(sa.select(last.c.reasons, sa.func.count()).where(last.c.at < end).group_by(last.c.reasons))
        return [([str(reason) for reason in row[0]] if isinstance(row[0], list) else [], row[1]) for row in rows]

    def failures(self, moments: Moments) -> list[FailureRow]:
        is_print, is_plate = print_failed(events), plate_failed(events)
        plates = events.c.data["plates"]
        is_list = sa.func.jsonb_typeof(plates) == "array"
        failed = sa.case((is_print, 1), (is_list, sa.func.jsonb_array_length(plates)), else_=0)
        rows = self._all(
            sa.select(
                _part(events.c.at, moments),
                sa.case((is_print, sa.func.coalesce(events.c.data["reason"].astext, ""))),
                events.c.data["fault"].astext,
                events.c.is_pruned,
                sa.func.sum(failed),
                sa.func.coalesce(sa.func.sum(_number(events.c.data["wasted_g"].astext)), 0),
            )
            .where(COUNTED_CHANGE, sa.or_(is_print, is_plate), events.c.at >= moments[0], events.c.at < moments[-1])
            .group_by(sa.text("1, 2, 3, 4"))
        )
        return [FailureRow(row[0], row[1], row[2], row[3], int(row[4]), row[5]) for row in rows]

    def usage(self, start: datetime, end: datetime) -> list[UsageRow]:
        """Of the jobs that were printed."""
        printed = last_times(events, LAST_TIMES[Happening.PRINTED], start, end)
        values = {name: jobs.c[name] for name in DIMENSIONS} | {"printer": jobs.c.printed_on}
        of_jobs = (
            sa.select(
                *(sa.func.nullif(value, "").label(name) for name, value in values.items()),
                sa.func.greatest(jobs.c.copies, 1).label("copies"),  # as domain.job has it
                *(jobs.c[name] for name in ("time_h", "weight_g", "volume_ml")),
            )
            .join_from(printed, jobs, printed.c.job_id == jobs.c.id)
            .subquery()
        )
        dimensions = [of_jobs.c[name] for name in DIMENSIONS]
        sums = [
            sa.func.coalesce(sa.func.sum(of_jobs.c[name]), 0) for name in ("copies", "time_h", "weight_g", "volume_ml")
        ]
        sets = sa.func.grouping_sets(*(sa.tuple_(column) for column in dimensions))
        rows = self._all(sa.select(sa.func.grouping(*dimensions), *dimensions, sa.func.count(), *sums).group_by(sets))
        return [_usage(row) for row in rows]

    def waits(self, start: datetime, end: datetime) -> list[WaitRow]:
        """How long the steps took that ended between the moments."""
        types = [type_.value for step in WAITS.values() for type_ in step]
        between = (events.c.at >= start, events.c.at < end)
        touched = sa.select(events.c.job_id).where(COUNTED_CHANGE, events.c.type.in_(types), *between)
        steps = _status_changes(touched)
        seconds = sa.func.date_part("epoch", steps.c.at - steps.c.since)
        name = sa.case(*((steps.c.type.in_([type_.value for type_ in step]), name) for name, step in WAITS.items()))
        in_range = (steps.c.type.in_(types), steps.c.at >= start, steps.c.at < end, steps.c.since.is_not(None))
        rows = self._all(
            sa.select(name, sa.func.count(), _percentiles(seconds)).where(*in_range).group_by(sa.text("1"))
        )
        printed = last_times(events, LAST_TIMES[Happening.PRINTED], start, end)
        whole = sa.func.date_part("epoch", printed.c.at - sa.cast(jobs.c.created_at, sa.DateTime(timezone=True)))
        in_all = sa.select(sa.literal("whole"), sa.func.count(), _percentiles(whole))
        rows = [*rows, *self._all(in_all.join_from(printed, jobs, printed.c.job_id == jobs.c.id))]
        return [WaitRow(row[0], row[1], *row[2]) for row in rows if row[1]]

    def accuracy(self, start: datetime, end: datetime) -> list[AccuracyRow]:
        completed = EventType.JOB_COMPLETED.value
        touched = sa.select(events.c.job_id).where(
            COUNTED_CHANGE, events.c.type == completed, events.c.at >= start, events.c.at < end
        )
        steps = _status_changes(touched)
        hours = sa.extract("epoch", steps.c.at - steps.c.since) / 3600
        is_timed = steps.c.type_before == EventType.PRINTING_STARTED.value
        last = (
            sa.select(steps.c.job_id, steps.c.at, sa.case((is_timed, hours)).label("hours"))
            .where(steps.c.type == completed)
            .distinct(steps.c.job_id)
            .order_by(steps.c.job_id, steps.c.at.desc())
            .subquery()
        )
        pairs = (
            (jobs.c.time_h, last.c.hours),
            (jobs.c.weight_g, jobs.c.weighed_g),
            (jobs.c.cost, sa.case((jobs.c.paid.is_not(None), jobs.c.charged_price))),
        )
        rows = self._all(
            sa.select(jobs.c.method, *(column for pair in pairs for column in _sums_of_both(*pair)))
            .join_from(last, jobs, last.c.job_id == jobs.c.id)
            .where(last.c.at >= start, last.c.at < end)
            .group_by(jobs.c.method)
            .order_by(jobs.c.method)
        )
        return [AccuracyRow(*row) for row in rows]

    def money(self, moments: Moments) -> list[MoneySum]:
        entries = _money_entries(moments[0], moments[-1])
        amount, waived = sa.func.sum(entries.c.amount), sa.func.sum(entries.c.waived)
        rows = self._all(
            sa.select(_part(entries.c.at, moments), entries.c.kind, entries.c.method, amount, waived).group_by(
                sa.text("1, 2, 3")
            )
        )
        return [MoneySum(*row) for row in rows]

    def money_entries(self, start: datetime, end: datetime) -> list[MoneyEntry]:
        """Each by itself, in the order in which they happened."""
        entries = _money_entries(start, end)
        columns = [entries.c[name] for name in MoneyEntry.__dataclass_fields__]
        ordered = sa.select(*columns).order_by(entries.c.at, entries.c.job_id, entries.c.seq)
        return [MoneyEntry(*row) for row in self._all(ordered)]

    def submitted(self, start: datetime, end: datetime, types: Sequence[EventType]) -> Iterator[SubmittedJob]:
        """In the order of submission, each with its events of these types."""
        chosen = During(Happening.SUBMITTED, start, end).condition(REPORTED)
        # One statement: between two, a job that is pruned would lose its events.
        listed = (
            sa.select(
                events.c.job_id,
                sa.func.array_agg(aggregate_order_by(events.c.at, events.c.seq)).label("moments"),
                sa.func.array_agg(aggregate_order_by(events.c.type, events.c.seq)).label("types"),
            )
            .where(
                events.c.job_id.in_(sa.select(jobs.c.id).where(chosen)),
                events.c.type.in_([type_.value for type_ in types]),
            )
            .group_by(events.c.job_id)
            .subquery()
        )
        documents = sa.select(jobs.c.folder, jobs.c.document, listed.c.moments, listed.c.types).where(chosen)
        with_events = documents.join_from(jobs, listed, listed.c.job_id == jobs.c.id, isouter=True)
        for row in self._stream(with_events.order_by(jobs.c.created_at, jobs.c.id)):
            dated = map(DatedEvent, row.moments or (), row.types or ())
            yield SubmittedJob(parse(row.document), row.folder, [*dated])

    def events_between(self, start: datetime, end: datetime, with_data: bool) -> Iterator[Any]:
        """(at, job_id, seq, type, actor, data) of every event, in the order in which they happened."""
        names = ("at", "job_id", "seq", "type", "actor", *(["data"] if with_data else []))
        columns = [events.c[name] for name in names]
        between = sa.select(*columns).where(events.c.at >= start, events.c.at < end)
        return self._stream(between.order_by(events.c.at, events.c.job_id, events.c.seq))

    def owed(self) -> list[OwedRow]:
        """Of the prints that wait and those that were handed out, as far as the mirror knows what is due; `owing` has
        the others."""
        mirrored = MIRRORED.jobs
        is_waiting = (mirrored.c.status == Status.COMPLETED.value).label("is_waiting")
        due = sa.select(is_waiting, sa.func.count(), sa.func.sum(mirrored.c.due))
        handed_out = sa.and_(_IS_HANDED_OUT, mirrored.c.paid.is_not(None), mirrored.c.due > 0)
        rows = self._all(due.where(mirrored.c.due.is_not(None), sa.or_(is_waiting, handed_out)).group_by(is_waiting))
        return [OwedRow(*row) for row in rows]

    def owing(self) -> Iterator[Job]:
        """Jobs of which only their lines tell whether something is to be paid now: of what is printed, and of what was
        handed out for less than its price. One that was pruned never does."""
        mirrored = MIRRORED.jobs
        waived = _sum_at(mirrored.c.document, '$.payment.lines[*] ? (@.kind == "waiver").amount')
        in_part = sa.and_(_IS_HANDED_OUT, PAID_IN_PART, mirrored.c.paid + waived < mirrored.c.charged_price)
        is_printed = mirrored.c.status == Status.COMPLETED.value
        small = mirrored.c.document.op("-")(sa.literal(UNREAD, sa.ARRAY(sa.Text))).label("small")
        for row in self._all(sa.select(small).where(mirrored.c.due.is_(None), sa.or_(is_printed, in_part))):
            yield parse(row.small)

    def _all(self, statement: sa.Select[*tuple[Any, ...]]) -> Sequence[Any]:
        with self._connection() as connection:
            return connection.execute(statement).all()

    def _stream(self, statement: sa.Select[*tuple[Any, ...]]) -> Iterator[Any]:
        """As many rows at once as take little memory. The limit is that of all answers; what is done with the rows
        meanwhile does not count."""
        with self._connection() as connection:
            result = connection.execute(statement, execution_options={"yield_per": AT_ONCE})
            for rows in result.partitions():
                if self._rest_ms() < 0:
                    raise QueryTimeout
                given = time.monotonic()
                yield from rows
                self._start += time.monotonic() - given

    @contextmanager
    def _connection(self) -> Iterator[sa.Connection]:
        """StorageFailure, QueryTimeout."""
        is_patient = self._limit_s is None
        try:
            with reading(self.engine, patient=is_patient) as connection:
                if self._refuses and (sentence := _refusal(connection)) is not None:
                    raise StorageFailure(sentence)
                limit = "" if is_patient else f"; SET LOCAL statement_timeout = {max(self._rest_ms(), 1)}"
                connection.execute(sa.text(FOR_LONG_QUERIES + limit))
                yield connection
        except QueryTimeout as error:
            raise QueryTimeout(
                f"The database did not finish within {self._limit_s or 0:.0f} seconds. Please choose fewer days, or "
                "run python manage.py report, which waits as long as it takes."
            ) from error

    def _rest_ms(self) -> int:
        return int((self._start + self._limit_s - time.monotonic()) * 1000) if self._limit_s is not None else 0


def _refusal(connection: sa.Connection) -> str | None:
    problem = sa.select(pruned_logs.c.problem).where(pruned_logs.c.problem.is_not(None)).order_by(pruned_logs.c.name)
    sentence = connection.execute(problem.limit(1)).scalar()
    return f"{sentence} {REFUSAL}" if sentence is not None else None


_IS_HANDED_OUT = sa.or_(
    MIRRORED.jobs.c.status == Status.PAID_PICKED_UP.value,
    sa.and_(
        MIRRORED.jobs.c.status == Status.ARCHIVED.value,
        MIRRORED.jobs.c.document[("payment", "picked_up_by")].astext.is_not(None),
    ),
)
"""As `domain.payments.is_unpaid` has it."""


def _part(moment: sa.ColumnElement[Any], moments: Moments) -> sa.ColumnElement[int]:
    bounds = sa.cast(
        sa.literal(list(moments[:-1]), sa.ARRAY(sa.DateTime(timezone=True))), sa.ARRAY(sa.DateTime(timezone=True))
    )
    return sa.func.width_bucket(moment, bounds).label("part")


def _number(text: sa.ColumnElement[str]) -> sa.ColumnElement[Decimal]:
    """NULL where a person wrote something else."""
    digits = sa.func.replace(text, "_", "")
    is_number = sa.and_(sa.func.char_length(digits) <= LONGEST_NUMBER, digits.op("~")(NUMBER))
    return sa.case((is_number, sa.cast(digits, sa.Numeric)))


def _percentiles(seconds: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """The median and the ninetieth, of one sort."""
    return sa.func.percentile_cont(sa.literal_column("ARRAY[0.5, 0.9]")).within_group(seconds)


def _status_changes(job_ids: sa.Select[Any]) -> sa.Subquery:
    """Of these jobs every change of status, with the time and the type of the one before."""
    window: dict[str, Any] = {"partition_by": events.c.job_id, "order_by": events.c.seq}
    return (
        sa.select(
            events.c.job_id,
            events.c.at,
            events.c.type,
            sa.func.lag(events.c.at).over(**window).label("since"),
            sa.func.lag(events.c.type).over(**window).label("type_before"),
        )
        .where(STATUS_CHANGE, events.c.job_id.in_(job_ids))
        .subquery()
    )


def _sums_of_both(estimated: sa.ColumnElement[Any], actual: sa.ColumnElement[Any]) -> list[sa.ColumnElement[Any]]:
    has_both = sa.and_(estimated.is_not(None), actual.is_not(None))
    sums = [sa.func.coalesce(sa.func.sum(column).filter(has_both), 0) for column in (estimated, actual)]
    return [sa.func.count().filter(has_both), *sums]


def _usage(row: Sequence[Any]) -> UsageRow:
    # GROUPING sets a bit for each column that the row is not grouped by, the last column's being the lowest.
    place = next(n for n in range(len(DIMENSIONS)) if not row[0] >> (len(DIMENSIONS) - 1 - n) & 1)
    return UsageRow(DIMENSIONS[place], row[1 + place], *row[1 + len(DIMENSIONS) :])


# -- money ------------------------------------------------------------------------------------------------------------


def _money_entries(start: datetime, end: datetime) -> sa.Subquery:
    """The events that changed what the lab has of a job, or what is waived.

    What an event changes is the difference of `payment.amount` before and after it, whatever its type: so all entries
    of a job add up to what its record says.
    """
    payment = events.c.patch["payment"]
    amount = sa.case(
        (sa.func.jsonb_typeof(payment) == "null", sa.literal(0, sa.Numeric)),
        else_=_number(payment["amount"].astext),
    )
    touched = sa.select(events.c.job_id).where(PAYMENT_CHANGE, events.c.at >= start, events.c.at < end)
    # Each figure is taken out of its event once, and nothing else of the event goes along.
    changes = (
        sa.select(
            *(events.c[name] for name in ("at", "job_id", "seq", "type", "actor", "is_pruned")),
            amount.label("has"),
            payment["method"].astext.label("method_after"),
            _method().label("own_method"),
            _waived().label("waived"),
            events.c.data["transaction"].astext.label("transaction"),
        )
        .where(PAYMENT_CHANGE, events.c.job_id.in_(touched))
        .cte("payment_changes")
        .prefix_with("MATERIALIZED")
    )
    states = sa.select(changes).where(changes.c.has.is_not(None)).subquery()
    window: dict[str, Any] = {"partition_by": states.c.job_id, "order_by": states.c.seq}
    has_before = sa.func.coalesce(sa.func.lag(states.c.has).over(**window), 0)
    method_before = sa.func.lag(states.c.method_after).over(**window)
    is_taken_back = states.c.type == EventType.STATUS_REVERTED.value
    method = sa.func.coalesce(
        states.c.own_method, sa.case((sa.not_(is_taken_back), states.c.method_after)), method_before
    )
    entries = sa.select(
        *(states.c[name] for name in ("at", "job_id", "seq", "type", "actor", "is_pruned", "waived", "transaction")),
        (states.c.has - has_before).label("amount"),
        sa.case((states.c.type != EventType.PAYMENT_WAIVED.value, method)).label("method"),
    ).subquery()
    is_change = sa.or_(entries.c.amount != 0, entries.c.waived != 0)
    return (
        sa.select(entries, _kind(entries).label("kind"))
        .where(entries.c.at >= start, entries.c.at < end, is_change)
        .subquery("money_entries")
    )


def _kind(entries: sa.Subquery) -> sa.ColumnElement[str]:
    return sa.case(
        (entries.c.type == EventType.STATUS_REVERTED.value, "taken back"),
        (entries.c.amount == 0, "waiver"),
        (entries.c.type == EventType.PAYMENT_REFUNDED.value, "refund"),
        (entries.c.type.in_([EventType.PAYMENT_RECORDED.value, EventType.FACTS_SUPPLIED.value]), "payment"),
        else_="correction",
    )


def _method() -> sa.ColumnElement[str]:
    """What the event says itself: of what is taken back, the payment's."""
    voided = sa.func.jsonb_path_query_first(
        events.c.data, sa.cast('$.voided[*] ? (@.kind == "payment").method', JSONPATH)
    ).op("#>>")(sa.text("'{}'"))
    return sa.case((events.c.type == EventType.STATUS_REVERTED.value, voided), else_=events.c.data["method"].astext)


def _waived() -> sa.ColumnElement[Decimal]:
    """By an event: a waiver, one among the facts that staff supplied, or those that went with an undone hand-out.

    Earlier versions waived without an event what a payment left open; such a line has no time.
    """

    return sa.case(
        (
            events.c.type == EventType.PAYMENT_WAIVED.value,
            sa.func.coalesce(_number(events.c.data["amount"].astext), 0),
        ),
        (
            events.c.type == EventType.FACTS_SUPPLIED.value,
            _sum_at(events.c.data, '$.lines[*] ? (@.kind == "waiver").amount'),
        ),
        (
            events.c.type == EventType.STATUS_REVERTED.value,
            -_sum_at(events.c.data, '$.voided[*] ? (@.kind == "waiver" && exists(@.at)).amount'),
        ),
        else_=0,
    )


def _sum_at(document: sa.ColumnElement[Document], path: str) -> sa.ColumnElement[Decimal]:
    """Of the decimals at a path of SQL's own language; 0 where there are none."""
    amount = sa.func.jsonb_path_query(document, sa.cast(path, JSONPATH)).column_valued("amount")
    text = amount.op("#>>")(sa.text("'{}'"))
    return sa.select(sa.func.coalesce(sa.func.sum(_number(text)), 0)).scalar_subquery()
