"""The jobs, payments and events of a range as tables, for a spreadsheet: as CSV and as an Excel workbook."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from zoneinfo import ZoneInfo

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell

from indexer.report_queries import ReportQueries
from printsys.config import Lab
from printsys.domain.events import EventType
from printsys.domain.job import format_time, plain
from printsys.domain.payments import NOTHING
from printsys.reports import export
from printsys.reports.figures import MethodMonth
from printsys.reports.periods import Range
from printsys.texts import xml_text

Row = export.Row
PAYMENTS = ("at", "job", "kind", "method", "amount", "waived", "by")
EVENTS = ("at", "job", "number", "type", "by")
SUMS = ("payments", "refunds", "taken_back", "corrections", "total")
STATEMENT = ("method", *SUMS)
LONGEST_TEXT = 32_767
"""Of a cell, in UTF-16's units."""
NUMERIC = frozenset({*export.SUMS, *export.BALANCES, *SUMS, "copies", "files", "paid", "prints_failed"}) | {
    "amount", "discount", "number",
}  # fmt: skip
"""Columns whose texts are decimals, which a workbook gets as numbers."""
COUNTED = (*(type_ for types in export.MOMENTS.values() for type_ in types), EventType.PRINT_FAILED)


@dataclass(frozen=True)
class Table:
    name: str
    columns: Sequence[str]
    rows: Iterable[Row]


def jobs(queries: ReportQueries, lab: Lab, days: Range, with_students: bool) -> Table:
    """Those that were submitted in the range, as docs/export.md has them."""
    return Table("jobs", export.columns(with_students), _job_rows(queries, lab, days, with_students))


def _job_rows(queries: ReportQueries, lab: Lab, days: Range, with_students: bool) -> Iterator[Row]:
    for each in queries.submitted(*days.moments(_zone(lab)), COUNTED):
        if each.folder is None:
            yield export.pruned_row(each.job, each.events)
        else:
            folder = each.folder.rpartition("/")[2]
            yield export.job_row(each.job, each.events, folder if with_students else None)


def payments(queries: ReportQueries, lab: Lab, days: Range, with_students: bool) -> Table:
    """Each entry of the ledgers. With students also its transaction, which may tell who it was."""
    entries = queries.money_entries(*days.moments(_zone(lab)))
    columns = (*PAYMENTS, "transaction") if with_students else PAYMENTS
    rows: list[Row] = []
    for entry in entries:
        values: Row = {
            "at": format_time(entry.at),
            "job": entry.job_id,
            "kind": entry.kind,
            "method": entry.method,
            "amount": plain(entry.amount),
            "waived": plain(entry.waived),
            "by": entry.actor,
            "transaction": entry.transaction,
        }
        rows.append({column: values[column] for column in columns})
    return Table("payments", columns, rows)


def events(queries: ReportQueries, lab: Lab, days: Range, with_students: bool) -> Table:
    """With students also what each event says, which may be their words."""
    rows: Iterator[Row] = (
        {"at": format_time(row.at), "job": row.job_id, "number": row.seq, "type": row.type, "by": row.actor}
        | ({"data": json.dumps(row.data, ensure_ascii=False)} if with_students else {})
        for row in queries.events_between(*days.moments(_zone(lab)), with_students)
    )
    return Table("events", (*EVENTS, "data") if with_students else EVENTS, rows)


TABLES: dict[str, Callable[[ReportQueries, Lab, Range, bool], Table]] = {
    "jobs": jobs,
    "payments": payments,
    "events": events,
}


def statement(money: Sequence[MethodMonth]) -> Table:
    """One row for each method, whatever the month, and their sum."""
    methods = sorted({row.method for row in money})
    of_methods = [(method, [row for row in money if row.method == method]) for method in methods]
    rows: list[Row] = [
        {"method": name, **{column: plain(sum((getattr(row, column) for row in of_one), NOTHING)) for column in SUMS}}
        for name, of_one in [*of_methods, ("All", money)]
    ]
    return Table("statement", STATEMENT, rows)


def as_csv(table: Table) -> bytes:
    """UTF-8 with its mark, as spreadsheets like it."""
    text = io.StringIO(newline="")
    export.write_csv(table.rows, list(table.columns), text, "\r\n")
    return text.getvalue().encode("utf-8-sig")


def as_xlsx(table: Table) -> bytes:
    """Every text is a text, whatever it begins with: no cell is a formula."""
    book = Workbook(write_only=True)
    sheet = book.create_sheet(table.name)
    sheet.freeze_panes = "A2"
    sheet.append([_text_cell(sheet, name) for name in table.columns])
    for row in table.rows:
        sheet.append([_cell(sheet, name, row.get(name)) for name in table.columns])
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def _cell(sheet: object, column: str, value: export.Value) -> object:
    if value is None or isinstance(value, int):
        return value
    if column in NUMERIC and export.NUMBER.fullmatch(value):
        return Decimal(value)
    return _text_cell(sheet, value)


def _text_cell(sheet: object, text: str) -> object:
    units = xml_text(text).encode("utf-16-le")[: 2 * LONGEST_TEXT]
    cell = WriteOnlyCell(sheet, units.decode("utf-16-le", "ignore"))
    cell.data_type = "s"
    return cell


def _zone(lab: Lab) -> ZoneInfo:
    return ZoneInfo(lab.about.timezone)
