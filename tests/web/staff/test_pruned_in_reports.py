"""Pruned jobs in the reports in the browser: they count, and nothing leads to a folder that is gone."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from indexer.pruned import mirror_pruned_jobs
from printsys.actions.pruning import prune
from printsys.domain.status import Status
from printsys.jobstore import Stored
from printsys.jobstore.pruned import pruned_jobs
from printsys.services import Services
from tests.factories import act, sync
from tests.web.conftest import MakeJob
from tests.web.staff.test_dashboard import cards
from tests.web.staff.test_reports import links

TODAY = datetime.now(UTC).astimezone(ZoneInfo("America/Chicago")).date()
WEEK = f"from={TODAY - timedelta(days=6)}&to={TODAY + timedelta(days=1)}"
MONTH = f"month={TODAY:%Y-%m}"


@pytest.fixture(autouse=True)
def first_sweep(services: Services) -> None:
    """Before it, files and charts are refused."""
    sync(services.store, services.mirror)


@pytest.fixture
def archived(make: MakeJob, services: Services) -> list[Stored]:
    """Two jobs with a failed print each, the second of which is pruned."""
    made = []
    for _ in range(2):
        stored = make(Status.PRINTING)
        for action in ("fail", "start", "complete", "pickup", "archive"):
            stored = act(services.store, stored.id, action)
        services.mirror.put(stored)
        made.append(stored)
    return made


@pytest.fixture
def key(archived: list[Stored], services: Services) -> str:
    """Of the line of the pruned job."""
    stored = archived[1]
    assert prune(services.actions, [(stored.id, stored.job.revision)], "staff:Sam", "retention").skipped == []
    (line,) = pruned_jobs(services.store)
    return line.key


def test_a_number_that_counts_pruned_jobs_leads_to_the_others_and_says_so(
    staff: FlaskClient, archived: list[Stored], key: str
) -> None:
    page = staff.get(f"/dashboard/reports?{WEEK}").get_data(as_text=True)
    addresses = links(page)
    assert "Not kept of pruned jobs" in page and "It came off the bed." in page
    for text in ("2 Submitted", "2 Printed", "2 Collected", "2 printed: Prusa MK4S", "2 printed: True Red"):
        listed = staff.get(addresses[text])
        assert cards(listed) == [archived[0].id], text
        assert "1 more job was pruned: reports count it, but its folder is gone." in listed.get_data(as_text=True), text
    listed = staff.get(next(address for text, address in addresses.items() if "failed: Not kept" in text))
    assert cards(listed) == [] and "1 more job was pruned" in listed.get_data(as_text=True)
    listed = staff.get(next(address for text, address in addresses.items() if "failed: It came" in text))
    assert cards(listed) == [archived[0].id] and "pruned:" not in listed.get_data(as_text=True)
    listed = staff.get(next(address for text, address in addresses.items() if "paid_by=Card" in address))
    assert cards(listed) == [archived[0].id] and "1 more job was pruned" in listed.get_data(as_text=True)


@pytest.mark.parametrize("address", ["/dashboard", "/dashboard?status=Archived", "/dashboard?q=Jane"])
def test_a_list_that_no_report_leads_to_says_nothing_of_pruned_jobs(staff: FlaskClient, key: str, address: str) -> None:
    assert "pruned:" not in staff.get(address).get_data(as_text=True)


def test_the_statement_has_its_entries_without_a_link(staff: FlaskClient, archived: list[Stored], key: str) -> None:
    page = staff.get(f"/dashboard/reports/statement?{MONTH}").get_data(as_text=True)
    assert f"{key} (pruned)" in page and f"/jobs/{key}" not in page
    assert len(re.findall(r'<td class="mono">', page)) == 2 and f"/jobs/{archived[0].id}" in page


@pytest.mark.parametrize("students", ["", "&students=yes"])
def test_the_jobs_file_has_a_row_of_it_without_its_student(
    staff: FlaskClient, archived: list[Stored], key: str, students: str
) -> None:
    text = staff.get(f"/dashboard/reports/files/jobs.csv?{WEEK}{students}").get_data(as_text=True)
    rows = {row["id"]: row for row in csv.DictReader(io.StringIO(text.removeprefix("\ufeff")))}
    job, pruned = rows[archived[0].id], rows[key]
    personal = {
        "student_name",
        "student_email",
        "class_number",
        "picked_up_by",
        "transaction",
        "message",
        "notes",
        "folder",
    }
    differing = {name for name, value in pruned.items() if value != job[name] and not name.endswith(("_at", "_since"))}
    assert differing <= personal | {"id", "files"} and pruned["files"] == "" and pruned["status"] == "Archived"
    assert not any(pruned.get(name) for name in personal)
    assert all(bool(value) == bool(job[name]) for name, value in pruned.items() if name.endswith(("_at", "_since")))


def test_with_a_damaged_log_the_page_says_so_and_lists_go_on(
    staff: FlaskClient, services: Services, archived: list[Stored], key: str
) -> None:
    (log,) = services.store.layout.pruned.glob("*.jsonl")
    log.write_bytes(b"{}\n" + log.read_bytes())
    mirror_pruned_jobs(services.store, services.queries.engine)
    for path in ("", "/statement", "/charts/jobs.svg", "/files/payments.csv"):
        answer = staff.get(f"/dashboard/reports{path}?{WEEK}")
        assert answer.status_code == 503, path
        assert f"{log.name} in .printsys/pruned/, line 1, is no pruned job." in answer.get_data(as_text=True), path
    stored = archived[0]
    for narrowed in ("happened=printed", "happened=paid&paid_by=Card", "happened=failed&cause=It came off the bed."):
        listed = staff.get(f"/dashboard?{narrowed}&{WEEK}")
        assert cards(listed) == [stored.id] and "is no pruned job" in listed.get_data(as_text=True), narrowed
        assert staff.get(f"/dashboard/jobs/{stored.id}?{narrowed}&{WEEK}").status_code == 200


@contextmanager
def kept_waiting(services: Services, table: str) -> Iterator[None]:
    """Each query of the table takes too long."""
    with services.queries.engine.begin() as connection:
        connection.execute(sa.text(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"))
        yield


@pytest.mark.parametrize(
    ("narrowed", "table"), [("happened=paid&paid_by=Card", "pruned_events"), ("happened=printed", "events")]
)
def test_a_list_of_a_report_that_takes_too_long_says_so(
    staff: FlaskClient, services: Services, archived: list[Stored], narrowed: str, table: str
) -> None:
    """It was every active job, and the sentence that there is no database."""
    with kept_waiting(services, table):
        listed = staff.get(f"/dashboard?{narrowed}&{WEEK}")
    assert listed.status_code == 503 and "That takes too long" in listed.get_data(as_text=True)


def test_a_job_out_of_a_list_that_takes_too_long_is_shown(
    staff: FlaskClient, services: Services, archived: list[Stored]
) -> None:
    with kept_waiting(services, "pruned_events"):
        assert staff.get(f"/dashboard/jobs/{archived[0].id}?happened=paid&paid_by=Card&{WEEK}").status_code == 200


@pytest.mark.parametrize("path", ["files/jobs.csv", "files/events.xlsx", "files/statement.csv", "charts/jobs.svg"])
def test_a_file_that_would_lack_pruned_jobs_is_refused(
    staff: FlaskClient, services: Services, key: str, path: str
) -> None:
    """Of a mirror that was migrated, and not swept since. A page has a note of it."""
    with services.queries.engine.begin() as connection:
        connection.execute(sa.text("TRUNCATE pruned_jobs, pruned_events, pruned_logs"))
    answer = staff.get(f"/dashboard/reports/{path}?{WEEK}")
    assert answer.status_code == 503
    assert "The folders were not read yet. Please run python manage.py reindex" in answer.get_data(as_text=True)
    assert staff.get(f"/dashboard/reports?{WEEK}").status_code == 200
