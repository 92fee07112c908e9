"""Reports: a range of days in numbers, tables and charts; files for a spreadsheet; the month's statement."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, abort, render_template, request
from flask.typing import ResponseReturnValue

from indexer.happened import Happening
from indexer.report_queries import ReportQueries
from printsys.errors import FoldersNotRead, InvalidInput
from printsys.jobstore.pruned import year_logs
from printsys.reports import tables
from printsys.reports.figures import (
    FAULTS,
    NOT_RECORDED,
    Report,
    by_printer,
    faults,
    moments_of,
    money_by_month,
    outstanding,
    report,
)
from printsys.reports.periods import NAMES, STEPS, By, Range, before, chosen, month_of, named, parts, readable_step
from printsys.reports.plain_text import DIMENSION_NAMES, TOTAL_NAMES, figure
from printsys.web.auth import login_required
from printsys.web.services import services
from printsys.web.staff import charts

pages = Blueprint("reports", __name__, url_prefix="/dashboard/reports")
RANGE_WORDS = {
    "this-week": "This week",
    "last-week": "Last week",
    "this-month": "This month",
    "last-month": "Last month",
    "this-year": "This year",
    "last-year": "Last year",
}
LIST_FILTERS = {
    "printer": "printed_on",
    "material": "material",
    "color": "color",
    "discipline": "discipline",
    "class_number": "class",
    "method": "method",
}
"""Each dimension by the name of the list's filter in its address."""
HAPPENINGS = {"revenue": Happening.PAID.value, "whole": Happening.PRINTED.value}
"""What the jobs behind a number did, where it has another name than the number."""
LIMIT_S = 20.0
"""Of a page, a drawing or a file: a report of all years must not keep others waiting."""
NOT_READ = "The folders were not read yet, so these numbers lack jobs. Please reload this page in a moment."
SHOWN = 12
"""Rows of a table that lie open; the rest is one click away."""
KINDS = {
    "csv": ("text/csv; charset=utf-8", tables.as_csv),
    "xlsx": ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", tables.as_xlsx),
}


@dataclass(frozen=True)
class Query:
    """What the address asks for. `args` are those of an address of the same range."""

    days: Range
    by: By

    @property
    def args(self) -> dict[str, str]:
        return {"from": self.days.first.isoformat(), "to": self.days.last.isoformat(), "by": self.by}

    @property
    def parts(self) -> list[Range]:
        return parts(self.days, readable_step(self.days, self.by), services().lab.terms)

    @classmethod
    def from_args(cls, args: Mapping[str, str]) -> Query:
        """`range` (a name), or `from` and `to`; `by`. InvalidInput for a range that is none."""
        lab = services().lab
        by = args.get("by", "")
        step = by if by in STEPS else None
        if args.get("from") and args.get("to") and not args.get("range"):
            days = chosen(_day(args, "from"), _day(args, "to"), lab.terms)
        else:
            name = args.get("range") or "this-month"
            today = lab.today(datetime.now(UTC))
            named_days = named(name, today, lab.terms)
            if named_days is None:
                raise InvalidInput({"range": [f"There is no range called {name}."]})
            days = named_days
        return cls(days, step or _fitting_step(days))


def _day(args: Mapping[str, str], name: str) -> date:
    try:
        return date.fromisoformat(args[name])
    except ValueError as error:
        raise InvalidInput({name: ["Please give a date like 2026-03-31."]}) from error


def _fitting_step(days: Range) -> By:
    count = (days.last - days.first).days + 1
    return "day" if count <= 14 else "week" if count <= 100 else "month"


def _zone() -> ZoneInfo:
    return ZoneInfo(services().lab.about.timezone)


def _queries() -> ReportQueries:
    return ReportQueries(services().queries.engine, LIMIT_S)


def _complete_queries() -> ReportQueries:
    """For what has no place for a note. FoldersNotRead where pruned jobs are not in these tables yet."""
    queries = _queries()
    if not queries.has_read_folders() and year_logs(services().store):
        raise FoldersNotRead
    return queries


def _note() -> list[str]:
    return [] if _queries().has_read_folders() else [NOT_READ]


@pages.get("", strict_slashes=False)
@login_required
def show() -> ResponseReturnValue:
    query = Query.from_args(request.args)
    figures = report(_queries(), services().lab, query.days, query.by)
    return render_template(
        "staff/reports.html",
        report=figures,
        query=query,
        chosen_range=request.args.get("range") or ("this-month" if "from" not in request.args else ""),
        ranges=[(name, RANGE_WORDS[name]) for name in NAMES]
        + [(term.name, term.name) for term in services().lab.terms],
        steps=STEPS,
        totals=[(name, label, _changed(figures, name)) for name, label in TOTAL_NAMES.items()],
        figure=figure,
        dimensions=DIMENSION_NAMES,
        list_filters=LIST_FILTERS,
        happenings=HAPPENINGS,
        narrowed=narrowed,
        not_recorded=NOT_RECORDED,
        faults=FAULTS,
        shown=SHOWN,
        page_banners=_note(),
    )


def narrowed(name: str, value: str) -> dict[str, str]:
    """For an address of the list: its filter of this name or, without a value, that for what is not recorded."""
    return {name: value} if value else {"unrecorded": name}


def _changed(figures: Report, name: str) -> str:
    """`+12 %`, of the range before; empty where there was nothing, or more went back than came in."""
    now, then = getattr(figures.totals, name), getattr(figures.totals_before, name)
    return f"{(now - then) / then * 100:+.0f} %".replace("-", "−") if then > 0 else ""


@pages.get("/charts/<chart>.svg")
@login_required
def draw(chart: str) -> ResponseReturnValue:
    """`jobs`, `revenue`, `printers`, `faults`, of the range in the address."""
    drawing = CHARTS.get(chart)
    if drawing is None:
        abort(404)
    svg = drawing(Query.from_args(request.args))
    return Response(svg, content_type="image/svg+xml", headers={"Content-Security-Policy": charts.POLICY})


def _jobs_chart(query: Query) -> bytes:
    queries, listed = _complete_queries(), query.parts
    moments = moments_of(listed, _zone())
    series = []
    for name, happening in (("Printed", Happening.PRINTED), ("Submitted", Happening.SUBMITTED)):
        counts = queries.counts(happening, moments)
        series.append((name, [counts.get(part, 0) for part in range(1, len(moments))]))
    return charts.columns([part.short_title for part in listed], series, charts.count)


def _revenue_chart(query: Query) -> bytes:
    listed = query.parts
    revenue = [0.0] * len(listed)
    for row in _complete_queries().money(moments_of(listed, _zone())):
        revenue[row.part - 1] += float(row.amount)
    return charts.columns([part.short_title for part in listed], [("Revenue", revenue)], charts.dollars)


def _printers_chart(query: Query) -> bytes:
    lab, queries = services().lab, _complete_queries()
    used, used_before = (
        by_printer(queries, lab, days.moments(_zone())) for days in (query.days, before(query.days, lab.terms))
    )
    labels = {usage.value: usage.label for usage in (*used, *used_before)}  # two printers may have one name
    series = []
    for name, usages in (("Now", used), ("Before", used_before)):
        hours = {usage.value: float(usage.hours) for usage in usages}
        series.append((name, [hours.get(printer, 0.0) for printer in labels]))
    return charts.bars([*labels.values()], series, charts.hours)


def _faults_chart(query: Query) -> bytes:
    queries = _complete_queries()
    failures, failures_before = (
        queries.failures(days.moments(_zone())) for days in (query.days, before(query.days, services().lab.terms))
    )
    listed = faults(failures, failures_before)
    now, then = ([float(getattr(fault, name)) for fault in listed] for name in ("count", "count_before"))
    return charts.bars([fault.label for fault in listed], [("Now", now), ("Before", then)], charts.count)


CHARTS = {"jobs": _jobs_chart, "revenue": _revenue_chart, "printers": _printers_chart, "faults": _faults_chart}


@pages.get("/files/<table>.<extension>")
@login_required
def download(table: str, extension: str) -> ResponseReturnValue:
    """`jobs`, `payments`, `events` of the range in the address, or the `statement` of its months; `students=yes`."""
    query = Query.from_args(request.args)
    kind = KINDS.get(extension)
    if kind is None or (table != "statement" and table not in tables.TABLES):
        abort(404)
    content_type, written = kind
    if table == "statement":
        rows = tables.statement(money_by_month(_complete_queries(), services().lab, query.days))
    else:
        with_students = request.args.get("students") == "yes"
        rows = tables.TABLES[table](_complete_queries(), services().lab, query.days, with_students)
    name = f"{table}-{query.days.first}-{query.days.last}.{extension}"
    disposition = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(written(rows), content_type=content_type, headers=disposition)


@pages.get("/statement")
@login_required
def statement() -> ResponseReturnValue:
    """`month`, like 2026-03; else the last month."""
    lab, queries = services().lab, _queries()
    today = lab.today(datetime.now(UTC))
    days = month_of(request.args.get("month", ""), today)
    entries = queries.money_entries(*days.moments(_zone()))
    return render_template(
        "staff/statement.html",
        days=days,
        sums=tables.statement(money_by_month(queries, lab, days)).rows,
        entries=entries,
        outstanding=outstanding(queries),
        before=before(days, ()),
        after=month_of_next(days, today),
        page_banners=_note(),
        args={"from": days.first.isoformat(), "to": days.last.isoformat()},
    )


def month_of_next(days: Range, today: date) -> Range | None:
    """None for the month that is not over."""
    following = month_of(f"{days.first.year + days.first.month // 12}-{days.first.month % 12 + 1:02}", today)
    return following if following.first <= today else None
