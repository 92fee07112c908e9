"""What happened in a range of days, counted and summed up beside the range before: see docs/reports.md."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, is_dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from indexer.happened import WAITS, Happening
from indexer.report_queries import (
    COUNTED,
    DIMENSIONS,
    AccuracyRow,
    FailureRow,
    HappeningCount,
    Moments,
    MoneySum,
    ReportQueries,
    WaitRow,
)
from printsys.config import Lab
from printsys.domain.job import DECLINED, WITHDRAWN, plain
from printsys.domain.payments import NOTHING, is_unpaid, ledger
from printsys.domain.status import Status
from printsys.reports.periods import By, Range, before, parts, readable_step

AT_ONCE = 2
"""Queries of one report: a third would wait for a core of the lab's PC."""
PLATE_FAILED = "Plates marked as failed"
NOT_RECORDED = "Not recorded"
NO_REASON = "Without a reason from the list"
NOT_KEPT = "Not kept of pruned jobs"
STUDENTS_REASONS = {DECLINED: "The student declined", WITHDRAWN: "The student withdrew the request"}
"""Where lab.toml has no words of its own for them."""
FAULTS = {"lab": "The lab", "model": "The model", "machine": "The machine", "": "Not known"}
STEP_NAMES = {
    "approval": "Until staff approved it",
    "answer": "Until the price was confirmed",
    "start": "Until printing started",
    "print": "Printing",
    "collection": "Until it was collected",
    "whole": "From the request to the finished print",
}


@dataclass(frozen=True)
class Totals:
    """Of one range. `failed` counts prints and plates, the others jobs; `revenue` is what the lab took in, refunds and
    payments taken back subtracted."""

    submitted: int = 0
    approved: int = 0
    rejected: int = 0
    started: int = 0
    printed: int = 0
    collected: int = 0
    failed: int = 0
    revenue: Decimal = NOTHING
    refunded: Decimal = NOTHING
    waived: Decimal = NOTHING


@dataclass(frozen=True)
class Part:
    days: Range
    totals: Totals

    @property
    def is_empty(self) -> bool:
        return self.totals == Totals()


@dataclass(frozen=True)
class Reason:
    """Why jobs were rejected; one with two reasons counts under both. `id` is empty for those without any."""

    id: str
    label: str
    count: int
    count_before: int


@dataclass(frozen=True)
class Fault:
    id: str
    label: str
    count: int
    count_before: int


@dataclass(frozen=True)
class Cause:
    """Failed prints with the same words, capitals and blanks aside."""

    cause: str
    fault: str
    count: int
    wasted_g: Decimal


@dataclass(frozen=True)
class Wait:
    """How long a step took, in hours, around the clock."""

    step: str
    label: str
    count: int
    median_h: float
    ninetieth_h: float
    median_before_h: float | None


@dataclass(frozen=True)
class Usage:
    """What was printed for one `value`: a printer, a material, …; empty where the record does not say."""

    value: str
    label: str
    jobs: int
    copies: int
    hours: Decimal
    grams: Decimal
    milliliters: Decimal


@dataclass(frozen=True)
class MethodMonth:
    """Money by one method in one month; `total` is the sum of the others, all but `payments` usually negative."""

    month: Range
    method: str
    payments: Decimal
    refunds: Decimal
    taken_back: Decimal
    corrections: Decimal

    @property
    def total(self) -> Decimal:
        return self.payments + self.refunds + self.taken_back + self.corrections


@dataclass(frozen=True)
class Outstanding:
    """Now, whatever the range: jobs that were handed out with something left to pay, and prints that wait for their
    students."""

    unpaid_jobs: int
    unpaid: Decimal
    waiting_jobs: int
    waiting: Decimal


@dataclass(frozen=True)
class Report:
    days: Range
    days_before: Range
    by: By
    totals: Totals
    totals_before: Totals
    parts: list[Part]
    rejections: list[Reason]
    faults: list[Fault]
    causes: list[Cause]
    waits: list[Wait]
    usage: dict[str, list[Usage]]
    money: list[MethodMonth]
    outstanding: Outstanding
    accuracy: list[AccuracyRow]


def report(queries: ReportQueries, lab: Lab, days: Range, by: By) -> Report:
    """MirrorDown where PostgreSQL is down."""
    zone = ZoneInfo(lab.about.timezone)
    earlier = before(days, lab.terms)
    now, then = days.moments(zone), earlier.moments(zone)
    step = readable_step(days, by)
    listed = parts(days, step, lab.terms)
    moments = moments_of(listed, zone)
    months = parts(days, "month", ())
    with ThreadPoolExecutor(AT_ONCE, "report") as pool:  # what takes longest goes first
        money = pool.submit(_in_each, queries.money, moments, then, moments_of(months, zone))
        happened = pool.submit(_in_each, queries.happenings, moments, then)
        waits = pool.submit(queries.waits, *now)
        waits_before = pool.submit(queries.waits, *then)
        still_due = pool.submit(outstanding, queries)
        rejections = pool.submit(queries.rejections, *now)
        rejections_before = pool.submit(queries.rejections, *then)
        usage = pool.submit(usage_by_dimension, queries, lab, now)
        accuracy = pool.submit(queries.accuracy, *now)
        failures = pool.submit(queries.failures, moments)
        failures_before = pool.submit(queries.failures, then)
    sums, sums_before, sums_of_months = money.result()
    counts, counts_before = happened.result()
    totals = _totals(len(listed), counts, failures.result(), sums)
    return Report(
        days,
        earlier,
        step,
        _added(totals),
        _totals(1, counts_before, failures_before.result(), sums_before)[0],
        [Part(of, totals_of_part) for of, totals_of_part in zip(listed, totals, strict=True)],
        _rejections(rejections.result(), rejections_before.result(), lab),
        faults(failures.result(), failures_before.result()),
        _causes(failures.result()),
        _waits(waits.result(), waits_before.result()),
        usage.result(),
        _by_month(months, sums_of_months),
        still_due.result(),
        accuracy.result(),
    )


def _added(totals: Sequence[Totals]) -> Totals:
    """Of all parts: each job and each entry is in one of them."""
    return Totals(**{name: sum(getattr(each, name) for each in totals) for name in Totals.__dataclass_fields__})


def moments_of(listed: Sequence[Range], zone: ZoneInfo) -> Moments:
    return [*(of.moments(zone)[0] for of in listed), listed[-1].moments(zone)[1]]


OfPart = TypeVar("OfPart", MoneySum, HappeningCount)


def _in_each(ask: Callable[[Moments], Sequence[OfPart]], *ranges: Moments) -> list[list[OfPart]]:
    """The rows of the parts of each range, asked once for all of them: it is the looking that takes long."""
    bounds = sorted({moment for moments in ranges for moment in moments})
    rows = [(bounds[row.part - 1], row) for row in ask(bounds)]
    return [
        [replace(row, part=bisect_right(moments, begin)) for begin, row in rows if moments[0] <= begin < moments[-1]]
        for moments in ranges
    ]


def _totals(
    count: int, counts: Sequence[HappeningCount], failures: Sequence[FailureRow], sums: Sequence[MoneySum]
) -> list[Totals]:
    """Of each of `count` parts."""
    jobs, failed = Counter[tuple[Happening, int]](), Counter[int]()
    for happened in counts:
        jobs[happened.happening, happened.part] += happened.jobs
    for row in failures:
        failed[row.part] += row.count
    revenue, refunded, waived = (defaultdict[int, Decimal](lambda: NOTHING) for _ in range(3))
    for of_kind in sums:
        revenue[of_kind.part] += of_kind.amount
        refunded[of_kind.part] -= of_kind.amount if of_kind.kind == "refund" else NOTHING
        waived[of_kind.part] += of_kind.waived
    return [
        Totals(
            **{happening.value: jobs[happening, n] for happening in COUNTED},
            failed=failed[n],
            revenue=revenue[n],
            refunded=refunded[n],
            waived=waived[n],
        )
        for n in range(1, count + 1)
    ]


def _rejections(rows: list[tuple[list[str], int]], rows_before: list[tuple[list[str], int]], lab: Lab) -> list[Reason]:
    counts, counts_before = _by_reason(rows), _by_reason(rows_before)
    labels = reason_labels(lab)
    return [
        Reason(reason, labels.get(reason, reason), counts[reason], counts_before[reason])
        for reason in sorted(counts | counts_before, key=lambda reason: (-counts[reason], reason))
    ]


def reason_labels(lab: Lab) -> dict[str, str]:
    return STUDENTS_REASONS | {reason.id: reason.label for reason in lab.rejection_reasons} | {"": NO_REASON}


def _by_reason(rows: list[tuple[list[str], int]]) -> Counter[str]:
    counts = Counter[str]()
    for reasons, count in rows:
        for reason in {*reasons} or {""}:
            counts[reason] += count
    return counts


def faults(rows: Sequence[FailureRow], rows_before: Sequence[FailureRow]) -> list[Fault]:
    counts, counts_before = _by_fault(rows), _by_fault(rows_before)
    return [Fault(fault, label, counts[fault], counts_before[fault]) for fault, label in FAULTS.items()]


def _by_fault(rows: Sequence[FailureRow]) -> Counter[str]:
    counts = Counter[str]()
    for row in rows:
        counts[row.fault if row.fault in FAULTS else ""] += row.count
    return counts


def _causes(rows: Sequence[FailureRow]) -> list[Cause]:
    words: dict[tuple[str, str], str] = {}
    counts, wasted = Counter[tuple[str, str]](), defaultdict[tuple[str, str], Decimal](Decimal)
    for row in rows:
        text = cause_words(row.reason, row.is_pruned)
        key = (cause_key(text), row.fault if row.fault in FAULTS else "")
        words[key] = min(words.get(key, text), text)
        counts[key] += row.count
        wasted[key] += row.wasted_g
    ordered = sorted(counts, key=lambda key: (-counts[key], key))
    return [Cause(words[key], key[1], counts[key], wasted[key]) for key in ordered]


def cause_words(reason: str | None, is_pruned: bool = False) -> str:
    """Of a failed print, as staff typed it; None: plates that they marked."""
    if reason is None:
        return PLATE_FAILED
    return NOT_KEPT if is_pruned else " ".join(reason.split()) or NO_REASON


def cause_key(words: str) -> str:
    """The same for words that count as one cause."""
    return words.casefold().rstrip(".")


def _waits(listed: Sequence[WaitRow], listed_before: Sequence[WaitRow]) -> list[Wait]:
    rows, rows_before = ({row.step: row for row in each} for each in (listed, listed_before))
    return [
        Wait(
            step,
            STEP_NAMES[step],
            rows[step].count,
            rows[step].median / 3600,
            rows[step].ninetieth / 3600,
            rows_before[step].median / 3600 if step in rows_before else None,
        )
        for step in (*WAITS, "whole")
        if step in rows
    ]


def by_printer(queries: ReportQueries, lab: Lab, moments: Moments) -> list[Usage]:
    return usage_by_dimension(queries, lab, moments)["printer"]


def usage_by_dimension(queries: ReportQueries, lab: Lab, moments: Moments) -> dict[str, list[Usage]]:
    names = {printer.id: printer.name for printer in lab.printers}
    usage: dict[str, list[Usage]] = {dimension: [] for dimension in DIMENSIONS}
    for row in queries.usage(*moments):
        value = row.value or ""
        label = names.get(value, value) if row.dimension == "printer" else value
        amounts = (row.jobs, row.copies, row.hours, row.grams, row.milliliters)
        usage[row.dimension].append(Usage(value, label or NOT_RECORDED, *amounts))
    return {
        dimension: sorted(rows, key=lambda row: (-row.hours, -row.jobs, row.value)) for dimension, rows in usage.items()
    }


def money_by_month(queries: ReportQueries, lab: Lab, days: Range) -> list[MethodMonth]:
    """Months without money are left out."""
    months = parts(days, "month", ())
    return _by_month(months, queries.money(moments_of(months, ZoneInfo(lab.about.timezone))))


def _by_month(months: Sequence[Range], sums: Sequence[MoneySum]) -> list[MethodMonth]:
    amounts: dict[tuple[int, str], dict[str, Decimal]] = {}
    for row in sums:
        if row.kind == "waiver" or not row.amount:
            continue
        kinds = amounts.setdefault((row.part, row.method or NOT_RECORDED), defaultdict(lambda: NOTHING))
        kinds[row.kind] += row.amount
    return [
        MethodMonth(months[part - 1], method, *(kinds.get(k, NOTHING) for k in MONEY_KINDS))
        for (part, method), kinds in sorted(amounts.items())
    ]


MONEY_KINDS = ("payment", "refund", "taken back", "correction")


def outstanding(queries: ReportQueries) -> Outstanding:
    unpaid, waiting = [], []
    for job in queries.owing():
        if is_unpaid(job):
            unpaid.append(ledger(job).due)
        elif job.status is Status.COMPLETED:
            waiting.append(ledger(job).due)
    counts, sums = {False: len(unpaid), True: len(waiting)}, {False: sum(unpaid, NOTHING), True: sum(waiting, NOTHING)}
    for row in queries.owed():
        counts[row.is_waiting] += row.jobs
        sums[row.is_waiting] += row.due
    return Outstanding(counts[False], sums[False], counts[True], sums[True])


def as_json(value: Any) -> Any:
    """Decimals as text, days as 2026-03-02, a range with its title."""
    if isinstance(value, Range):
        return {"first": value.first.isoformat(), "last": value.last.isoformat(), "title": value.title}
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, date):
        return value.isoformat()
    if is_dataclass(value):
        computed = {"total": value.total} if isinstance(value, MethodMonth) else {}
        names = [*value.__dataclass_fields__]
        return {name: as_json(getattr(value, name)) for name in names} | as_json(computed)
    if isinstance(value, Mapping):
        return {name: as_json(item) for name, item in value.items()}
    return [as_json(item) for item in value] if isinstance(value, list) else value
