"""Reports in the browser: numbers that lead to their jobs, charts without scripts, files, the month's statement."""

from __future__ import annotations

import csv
import io
import json
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html import unescape
from types import SimpleNamespace
from typing import Any, cast
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from openpyxl import load_workbook

from indexer.report_queries import ReportQueries
from indexer.schema import create_engine
from printsys.config.lab import Term
from printsys.domain.events import STUDENT
from printsys.domain.job import format_time
from printsys.domain.status import Status
from printsys.errors import QueryTimeout
from printsys.jobstore import JobStore, Stored
from printsys.reports import tables
from printsys.reports.figures import MethodMonth, Report, Totals, by_printer
from printsys.reports.periods import Range, month_of
from printsys.services import Services
from printsys.web.staff import charts, reports
from printsys.web.staff.reports import _changed as changed
from tests.factories import act, sync
from tests.web.conftest import MakeJob
from tests.web.staff.test_dashboard import cards

CHICAGO = ZoneInfo("America/Chicago")
TODAY = datetime.now(UTC).astimezone(CHICAGO).date()
WEEK = f"from={TODAY - timedelta(days=6)}&to={TODAY + timedelta(days=1)}"
CHARTS = ("jobs", "revenue", "printers", "faults")


@pytest.fixture(autouse=True)
def first_sweep(services: Services) -> None:
    """Before it, files and charts are refused."""
    sync(services.store, services.mirror)


@pytest.fixture
def lab_week(make: MakeJob, services: Services) -> list[Stored]:
    """A job in each status, one printed on another printer than asked for, one print that failed."""
    made = [make(status) for status in Status]
    printed = make(Status.READY_TO_PRINT, color="Blue", class_number="=HYPERLINK(1)")
    act(services.store, printed.id, "start", printer="prusa-xl")
    made.append(act(services.store, printed.id, "complete"))
    failed = make(Status.PRINTING)
    made.append(act(services.store, failed.id, "fail"))
    for stored in made:
        services.mirror.put(services.store.load(stored.id))
    return made


def links(page: str) -> dict[str, str]:
    """What each link of the page reads → where it leads."""
    found = re.findall(r'<a href="(/dashboard\?[^"]+)">(.*?)</a>', page, re.DOTALL)
    return {" ".join(re.sub(r"<[^>]+>", " ", unescape(text)).split()): unescape(address) for address, text in found}


def test_each_number_leads_to_as_many_jobs(staff: FlaskClient, lab_week: list[Stored]) -> None:
    page = staff.get(f"/dashboard/reports?{WEEK}").get_data(as_text=True)
    numbers = {text: address for text, address in links(page).items() if text[0].isdigit() and "Failed" not in text}
    assert {"10 Submitted", "4 Printed", "1 printed: Prusa XL", "1 printed: Blue", "1 printed: =HYPERLINK(1)"} <= {
        *numbers
    }
    for text, address in numbers.items():
        assert len(cards(staff.get(address))) == int(text.split()[0]), text


def test_parts_with_nothing_to_count_are_left_out(staff: FlaskClient, lab_week: list[Stored]) -> None:
    page = staff.get("/dashboard/reports?range=this-year&by=month").get_data(as_text=True)
    assert re.findall(r'<tr><th scope="row">([A-Z][a-z]{2} \d{4})</th>', page) == [f"{TODAY:%b} {TODAY.year}"]
    assert "Any other month of this range has nothing to count." in page
    assert "Nothing happened in this range." in staff.get("/dashboard/reports?range=last-year").get_data(as_text=True)


def test_the_failed_prints_lead_to_their_job(staff: FlaskClient, lab_week: list[Stored]) -> None:
    page = staff.get(f"/dashboard/reports?{WEEK}").get_data(as_text=True)
    assert "It came off the bed." in page and "The machine" in page
    assert cards(staff.get(links(page)["All jobs with a failed print of this range"])) == [lab_week[-1].id]


def test_what_a_report_leads_to_is_of_all_statuses_and_says_what_it_is(
    staff: FlaskClient, lab_week: list[Stored]
) -> None:
    listed = staff.get(f"/dashboard?happened=collected&{WEEK}")
    assert (
        "Jobs of a report" in listed.get_data(as_text=True) and "picked up" not in listed.get_data(as_text=True)[:500]
    )
    assert {*cards(listed)} == {stored.id for stored in lab_week if stored.job.payment}
    assert "In the range: collected" in listed.get_data(as_text=True)
    for nonsense in ("happened=eaten&from=2026-01-01&to=2026-01-02", "happened=printed&from=x&to=2026-01-02"):
        assert staff.get(f"/dashboard?{nonsense}").status_code == 200


@pytest.mark.parametrize(
    "name", ["", "range=this-week", "range=last-year&by=week", "from=2026-01-01&to=2026-03-31&by=term"]
)
def test_any_range_has_its_page(staff: FlaskClient, services: Services, name: str) -> None:
    assert staff.get(f"/dashboard/reports?{name}").status_code == 200


def test_a_term_of_the_lab_is_one_click_away(staff: FlaskClient, services: Services) -> None:
    services.lab.__dict__["terms"] = [Term(name="Fall & Co", first=TODAY, last=TODAY)]
    page = staff.get("/dashboard/reports").get_data(as_text=True)
    (address,) = re.findall(r'href="([^"]+)"[^>]*>Fall &amp; Co<', page)
    assert '<p class="report-range mb-0">Fall &amp; Co</p>' in staff.get(unescape(address)).get_data(as_text=True)


@pytest.mark.parametrize(
    "query", ["range=tomorrow", "from=2026-03-02&to=2026-03-01", "from=1&to=2", "from=0001-01-01&to=2026-01-01"]
)
def test_a_range_that_is_none_is_refused(staff: FlaskClient, query: str) -> None:
    assert staff.get(f"/dashboard/reports?{query}").status_code == 422


@pytest.mark.parametrize("chart", CHARTS)
@pytest.mark.parametrize("query", [WEEK, "range=last-year"])
def test_a_chart_is_a_picture_with_its_style_and_nothing_else(
    staff: FlaskClient, lab_week: list[Stored], chart: str, query: str
) -> None:
    answer = staff.get(f"/dashboard/reports/charts/{chart}.svg?{query}")
    svg = answer.get_data(as_text=True)
    assert answer.status_code == 200 and answer.content_type == "image/svg+xml" and "</svg>" in svg
    assert "<script" not in svg and "prefers-color-scheme: dark" in svg.replace(":dark", ": dark")
    assert not re.findall(r"(?:href|src|url)\s*[=(]", svg)
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert staff.get("/dashboard/reports/charts/weather.svg").status_code == 404


def test_the_page_has_no_style_of_its_own(staff: FlaskClient, lab_week: list[Stored]) -> None:
    for path in (f"/dashboard/reports?{WEEK}", "/dashboard/reports/statement"):
        page = staff.get(path).get_data(as_text=True)
        assert " style=" not in page and "<style" not in page


def test_days_that_become_weeks_are_headed_as_such(staff: FlaskClient) -> None:
    page = staff.get("/dashboard/reports?range=this-year&by=day").get_data(as_text=True)
    assert '<h2 id="parts">By week</h2>' in page and '<option value="week" selected>' in page


def test_a_change_of_less_than_nothing_is_not_a_share() -> None:
    def figures(now: str, then: str) -> Report:
        totals, totals_before = Totals(revenue=Decimal(now)), Totals(revenue=Decimal(then))
        return cast("Report", SimpleNamespace(totals=totals, totals_before=totals_before))

    assert changed(figures("10", "-5"), "revenue") == changed(figures("10", "0"), "revenue") == ""
    assert changed(figures("10", "5"), "revenue") == "+100 %"
    assert changed(figures("-5", "10"), "revenue") == "−150 %"


def test_two_printers_of_one_name_keep_their_hours(
    staff: FlaskClient, lab_week: list[Stored], services: Services
) -> None:
    for printer in services.lab.printers:
        printer.__dict__["name"] = "Prusa"
    svg = staff.get(f"/dashboard/reports/charts/printers.svg?{WEEK}").get_data(as_text=True)
    hours = re.findall(r'<text[^>]*class="value"[^>]*>([\d.]+) h<', svg)
    days = (TODAY - timedelta(days=6), TODAY + timedelta(days=1))
    queries = ReportQueries(services.queries.engine)
    used = by_printer(queries, services.lab, Range(*days).moments(CHICAGO))
    assert len(used) == 2 and {usage.label for usage in used} == {"Prusa"}
    assert sorted(map(Decimal, hours)) == sorted(usage.hours for usage in used)


def test_what_students_ended_themselves_has_words_without_those_of_lab_toml(
    staff: FlaskClient, services: Services, make: MakeJob
) -> None:
    services.lab.__dict__["rejection_reasons"] = []
    withdrawn, declined = make(Status.PENDING), make(Status.PENDING)
    act(services.store, withdrawn.id, "withdraw", STUDENT)
    act(services.store, declined.id, "student_decline", STUDENT)
    for stored in (withdrawn, declined):
        services.mirror.put(services.store.load(stored.id))
    page = staff.get(f"/dashboard/reports?{WEEK}").get_data(as_text=True)
    assert "The student withdrew the request" in page and "The student declined" in page


def test_sums_of_money_lead_to_the_jobs_that_have_them(staff: FlaskClient, lab_week: list[Stored]) -> None:
    page = staff.get(f"/dashboard/reports?{WEEK}").get_data(as_text=True)
    paid = {stored.id for stored in lab_week if stored.job.payment}
    assert paid and {*cards(staff.get(links(page)["$8.54 of revenue: the jobs"]))} == paid


def test_a_chart_asks_only_for_what_it_draws(staff: FlaskClient, lab_week: list[Stored], services: Services) -> None:
    statements: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        statements.extend([statement] if "FROM" in statement else [])

    sa.event.listen(services.queries.engine, "before_cursor_execute", note)
    for chart, count in {"jobs": 2, "revenue": 1, "printers": 2, "faults": 2}.items():
        statements.clear()
        assert staff.get(f"/dashboard/reports/charts/{chart}.svg?{WEEK}").status_code == 200
        asked_of_jobs = [statement for statement in statements if "jobs" in statement or "events" in statement]
        assert len(asked_of_jobs) == count, (chart, asked_of_jobs)


# -- a database that is not there, or takes long ----------------------------------------------------------------------


ADDRESSES = ("", "/charts/jobs.svg", "/files/jobs.csv", "/files/statement.xlsx", "/statement")


@pytest.mark.parametrize("path", ADDRESSES)
def test_without_the_database_a_report_says_so(
    staff: FlaskClient, services: Services, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr(services.queries, "engine", create_engine("postgresql+psycopg2://127.0.0.1:1/none"))
    answer = staff.get(f"/dashboard/reports{path}?{WEEK}")
    assert answer.status_code == 503 and "The database is not available" in answer.get_data(as_text=True)


@pytest.mark.parametrize("path", ["", "/files/events.csv", "/files/jobs.xlsx"])
def test_a_report_that_takes_too_long_says_what_helps(
    path: str, staff: FlaskClient, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reports, "LIMIT_S", 0.5)
    engine = services.queries.engine
    with engine.begin() as connection:
        connection.execute(sa.text("LOCK TABLE events IN ACCESS EXCLUSIVE MODE"))
        answer = staff.get(f"/dashboard/reports{path}?{WEEK}")
    assert answer.status_code == 503 and "Please choose fewer days" in answer.get_data(as_text=True)
    monkeypatch.undo()
    assert staff.get("/dashboard/reports/charts/jobs.svg").status_code == 200, "one slow report is not a server down"


def test_the_limit_of_a_file_is_for_the_answers_of_the_database(
    services: Services, make: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(Status.PRINTING)
    monkeypatch.setattr("indexer.report_queries.AT_ONCE", 1)
    ago, always = 0.0, (datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))
    clock = time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: clock() + ago)
    queries = ReportQueries(services.queries.engine, limit_s=3600)
    rows = queries.events_between(*always, True)
    next(rows)
    ago = 3601  # a workbook of many rows takes its time
    assert len([*rows]) > 1
    queries = ReportQueries(services.queries.engine, limit_s=3600)
    rows = queries.events_between(*always, True)
    ago += 3601
    with pytest.raises(QueryTimeout, match="within 3600 seconds"):
        next(rows)


def test_a_page_says_that_the_folders_were_not_read_yet(staff: FlaskClient, services: Services, make: MakeJob) -> None:
    make(Status.UPLOADED)
    with services.queries.engine.begin() as connection:
        connection.execute(sa.text("TRUNCATE pruned_logs"))
    for path in ("", "/statement"):
        assert "The folders were not read yet" in staff.get(f"/dashboard/reports{path}").get_data(as_text=True)
    sync(services.store, services.mirror)
    for path in ("", "/statement"):
        assert "The folders were not read yet" not in staff.get(f"/dashboard/reports{path}").get_data(as_text=True)


# -- files ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def file(staff: FlaskClient) -> Callable[..., Any]:
    def get(table: str, extension: str, query: str = WEEK) -> list[dict[str, Any]]:
        answer = staff.get(f"/dashboard/reports/files/{table}.{extension}?{query}")
        assert answer.status_code == 200 and f'filename="{table}-' in answer.headers["Content-Disposition"]
        if extension == "csv":
            return list(csv.DictReader(io.StringIO(answer.get_data().decode("utf-8-sig"))))
        sheet = load_workbook(io.BytesIO(answer.get_data()))[table]
        assert all(cell.data_type != "f" for row in sheet for cell in row)
        head, *rows = sheet.iter_rows(values_only=True)
        return [dict(zip(map(str, head), row, strict=True)) for row in rows]

    return get


def test_the_jobs_file_has_the_rows_of_the_export(
    file: Callable[..., Any], lab_week: list[Stored], services: Services
) -> None:
    rows = file("jobs", "csv")
    assert {row["id"]: row["status"] for row in rows} == {stored.id: stored.job.status for stored in lab_week}
    assert "student_name" not in rows[0] and "Jane" not in str(rows)
    by_id = {row["id"]: row for row in file("jobs", "csv", f"{WEEK}&students=yes")}
    assert by_id[lab_week[-1].id]["prints_failed"] == "1" and by_id[lab_week[-1].id]["student_name"] == "Jane Doe"
    assert by_id[lab_week[-2].id]["class_number"] == "'=HYPERLINK(1)"
    assert by_id[lab_week[-2].id]["folder"] == services.store.load(lab_week[-2].id).folder.name


def test_a_workbook_has_numbers_as_numbers_and_texts_as_texts(file: Callable[..., Any], lab_week: list[Stored]) -> None:
    rows = {row["id"]: row for row in file("jobs", "xlsx", f"{WEEK}&students=yes")}
    printed = rows[lab_week[-2].id]
    assert (printed["weight_g"], printed["copies"], printed["class_number"]) == (42.7, 1, "=HYPERLINK(1)")
    assert [row["amount"] for row in file("payments", "xlsx")] == [4.27, 4.27]


def test_the_events_file_has_every_event_and_says_what_only_when_asked(
    file: Callable[..., Any], lab_week: list[Stored], services: Services
) -> None:
    lines = [
        (stored.id, line.seq, line.type, format_time(line.at))
        for stored in lab_week
        for line in services.store.load(stored.id).events
    ]
    rows = file("events", "csv")
    listed = [(row["job"], int(row["number"]), row["type"], row["at"]) for row in rows]
    assert sorted(listed) == sorted(lines) and [row[3] for row in listed] == sorted(row[3] for row in listed)
    assert "data" not in rows[0] and "data" in file("events", "xlsx", f"{WEEK}&students=yes")[0]


@pytest.mark.parametrize("path", ["weather.csv", "jobs.pdf", "statement.doc"])
def test_there_is_no_other_file(staff: FlaskClient, path: str) -> None:
    assert staff.get(f"/dashboard/reports/files/{path}?{WEEK}").status_code == 404


# -- the statement --------------------------------------------------------------------------------------------------


def raw_sums(store: JobStore, month: str) -> dict[str, Decimal]:
    """By method, of the month, from the lines of events.jsonl alone."""
    sums: dict[str, Decimal] = {}
    for path in store.layout.root.glob("[A-Z]*/*/events.jsonl"):
        for line in map(json.loads, path.read_text("utf-8").splitlines()):
            local = datetime.fromisoformat(line["at"]).astimezone(CHICAGO)
            if f"{local:%Y-%m}" != month:
                continue
            data, sign = line["data"], {"PaymentRecorded": 1, "PaymentRefunded": -1}.get(line["type"], 0)
            entries = [data] if sign else data.get("voided", [])
            for entry in entries:
                if entry.get("kind") != "waiver":
                    sums[entry["method"]] = sums.get(entry["method"], Decimal(0)) + (sign or -1) * Decimal(
                        entry["amount"]
                    )
    return sums


def test_the_months_statement_is_what_the_raw_events_add_up_to(
    staff: FlaskClient, services: Services, make: MakeJob, file: Callable[..., Any]
) -> None:
    store = services.store
    paid, reverted, waived, early = (
        make(Status.PAID_PICKED_UP),
        make(Status.PAID_PICKED_UP),
        make(Status.COMPLETED),
        make(Status.PENDING),
    )
    act(store, paid.id, "refund", amount="1.50")
    act(store, reverted.id, "revert")
    act(store, reverted.id, "pickup", amount="2.27", payment_method="Cash", transaction="=4711")
    act(store, waived.id, "waive", amount="1.25")
    act(store, waived.id, "pickup", amount="3.00", payment_method="Department account", waive_reason="")
    act(store, early.id, "pay", amount="2.00")
    for job_id in (paid.id, reverted.id, waived.id, early.id):
        services.mirror.put(store.load(job_id))
    month = f"{store.clock().astimezone(CHICAGO):%Y-%m}"
    expected = raw_sums(store, month)
    days = month_of(month, TODAY)
    query = f"from={days.first}&to={days.last}"
    assert sum(expected.values()) == sum(
        (
            job.payment.amount
            for job_id in (paid.id, reverted.id, waived.id, early.id)
            if (job := store.load(job_id).job).payment
        ),
        Decimal(0),
    )
    page = staff.get(f"/dashboard/reports/statement?month={month}").get_data(as_text=True)
    table = page.partition('id="by-method"')[2].partition("</table>")[0]
    totals = {
        row[0]: Decimal(row[-1].replace("$", "").replace("−", "-"))
        for body in re.findall(r"<tr><th scope=\"row\">(.*?)</tr>", table)
        if (row := [unescape(cell) for cell in re.sub(r"<[^>]+>", "|", body).strip("|").split("|") if cell])
    }
    assert totals == expected | {"All": sum(expected.values())}
    assert "taken back" in page and "=4711" in page and "Waived: $2.75" in page  # the refund need not be paid again
    assert "transaction" not in file("payments", "csv", query)[0]
    rows = file("payments", "csv", f"{query}&students=yes")
    assert sum(Decimal(row["amount"]) for row in rows) == sum(expected.values())
    assert "'=4711" in [row["transaction"] for row in rows]
    assert {row["method"]: Decimal(row["total"]) for row in file("statement", "csv", query)} == totals


def test_a_statement_of_no_month_is_that_of_the_last_one(staff: FlaskClient) -> None:
    last = TODAY.replace(day=1) - timedelta(days=1)
    for month in ("", "2026-13", "x", "9999-12", "0001-01"):
        page = staff.get(f"/dashboard/reports/statement?month={month}").get_data(as_text=True)
        assert f"Statement of {last:%b} {last.year}" in page and "No money came in or went out." in page


def test_a_statement_of_several_months_has_a_row_for_each_method() -> None:
    def month(number: int, method: str, amount: str) -> MethodMonth:
        return MethodMonth(month_of(f"2026-{number:02}", TODAY), method, Decimal(amount), *[Decimal(0)] * 3)

    table = tables.statement([month(1, "Card", "2.50"), month(1, "Cash", "1.00"), month(2, "Card", "4.00")])
    assert [(row["method"], row["total"]) for row in table.rows] == [
        ("Card", "6.50"),
        ("Cash", "1.00"),
        ("All", "7.50"),
    ]


# -- texts that no file can hold ------------------------------------------------------------------------------------


def test_a_workbook_leaves_out_what_it_cannot_hold() -> None:
    texts = ["a\x01b", "a\ufffeb\uffff", "\U0001f5a8" * 20_000, "line\nbreak"]
    table = tables.Table("jobs", ["notes"], [{"notes": text} for text in texts])
    _head, *cells = (row[0] for row in load_workbook(io.BytesIO(tables.as_xlsx(table)))["jobs"].values)
    assert cells == ["ab", "ab", "\U0001f5a8" * 16_383, "line\nbreak"]


@pytest.mark.parametrize("draw", [charts.bars, charts.columns])
def test_a_chart_leaves_out_what_it_cannot_hold(draw: Callable[..., bytes]) -> None:
    assert b"Prusa XL" in draw(["Prusa\x01 XL\uffff", "b"], [("Now", [1, 2])], charts.hours)


@pytest.mark.parametrize("draw", [charts.bars, charts.columns])
@pytest.mark.parametrize("most", [0, 1, 4, 9])
def test_an_axis_that_counts_names_no_number_twice(draw: Callable[..., bytes], most: int) -> None:
    svg = draw(["a", "b"], [("Now", [most, 0])], charts.count).decode()
    numbers = [number for kind, number in re.findall(r"<text([^>]*)>(\d+)</text>", svg) if "value" not in kind]
    assert "0" in numbers
    assert len(numbers) == len(set(numbers))
