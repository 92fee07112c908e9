"""The queue: a column a printer, in an order that staff may change, and the button that starts a print."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html import unescape

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from indexer.index import Mirror
from indexer.queries import Queries
from indexer.schema import create_engine
from printsys.domain.lab_today import LabToday, Note
from printsys.domain.status import Status
from printsys.jobstore.calendar_link import calendar_secret, renew_calendar_secret
from printsys.jobstore.lab_today import change_lab_today, lab_today
from printsys.services import NO_DATABASE, Services
from printsys.web import create_app
from printsys.web.filters import exact, local, soon, time_of_day
from printsys.web.staff.staff_queue import moved
from tests.factories import STL, sync
from tests.present import present
from tests.web.conftest import STAFF_PASSWORD, MakeJob, PostAction, form_token

READY, PRINTING = Status.READY_TO_PRINT, Status.PRINTING


def words(html: str) -> str:
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html)))


def column(client: FlaskClient, printer: str) -> str:
    page = client.get("/dashboard/queue").get_data(as_text=True)
    match = re.search(rf'<section class="queue-column" id="printer-{printer}".*?</section>', page, re.S)
    assert match, printer
    return match.group()


def waiting(client: FlaskClient, printer: str = "prusa-mk4s") -> list[str]:
    return re.findall(r'data-job="(\w+)"', column(client, printer))


@pytest.fixture
def reorder(staff: FlaskClient) -> Callable[..., TestResponse]:
    def send(**fields: str | list[str]) -> TestResponse:
        return staff.post("/dashboard/queue/order", data={"csrf_token": form_token(staff, "/logout")} | fields)

    return send


def test_each_printer_has_its_column_with_what_is_on_it_and_what_is_next(staff: FlaskClient, make: MakeJob) -> None:
    printing = make(PRINTING, name="Ann Now", ago=timedelta(hours=1))
    red = make(READY, name="Bo Red", ago=timedelta(hours=4))
    blue = make(READY, name="Cy Blue", color="Blue", ago=timedelta(hours=5))
    make(READY, name="Di Large", printer="prusa-xl")
    mk4s = words(column(staff, "prusa-mk4s"))
    assert "Ann Now" in mk4s and "done about" in mk4s and "Di Large" not in mk4s
    assert waiting(staff) == [red.id, blue.id], "red is loaded"
    assert "Load Blue, PLA" in mk4s and "Load True Red" not in mk4s
    assert "3.5 hours, 7 h in all" in mk4s
    assert "Free" in words(column(staff, "raise3d-pro2-plus")) and printing.id not in waiting(staff)


def test_a_print_that_should_be_done_and_a_second_one_on_the_machine_are_remarked(
    staff: FlaskClient, make: MakeJob
) -> None:
    make(PRINTING, ago=timedelta(hours=9))
    make(PRINTING, ago=timedelta(hours=1))
    mk4s = words(column(staff, "prusa-mk4s"))
    assert "should be done since" in mk4s and "2 jobs are recorded as printing here." in mk4s


def test_a_job_for_a_printer_that_was_sold_is_in_the_queue_all_the_same(staff: FlaskClient, make: MakeJob) -> None:
    make(READY, name="Eve Old", printer="sold")
    assert "Another printer" in words(column(staff, "other")) and "Eve Old" in words(column(staff, "other"))


@pytest.mark.parametrize("hours", ["99999999", "-99999999"])
def test_hours_that_a_hand_wrote_break_no_page(
    staff: FlaskClient, make: MakeJob, services: Services, hours: str
) -> None:
    jobs = [make(status, files=[(f"{status}.stl", STL)]) for status in (PRINTING, READY)]
    for job in jobs:
        path = job.folder / "metadata.json"
        path.write_text(path.read_text("utf-8").replace('"time_h": "3.5"', f'"time_h": "{hours}"'), "utf-8")
    sync(services.store, services.mirror)
    assert {present(row.job.estimate).time_h for row in services.queries.jobs()} == {Decimal(hours)}
    status_pages = [f"/status/{services.tokens.status(job.id)}" for job in jobs]
    renew_calendar_secret(services.store)
    calendar = f"/calendar/{services.tokens.calendar(calendar_secret(services.store) or '')}.ics"
    for page in ("/dashboard/queue", "/dashboard/today", "/dashboard/lab", "/submit", calendar, *status_pages):
        assert staff.get(page).status_code == 200, page


def test_staffs_own_order_is_kept_for_every_computer_until_the_usual_one_is_wanted(
    staff: FlaskClient, make: MakeJob, reorder: Callable[..., TestResponse], services: Services
) -> None:
    first, second, third = (make(READY, ago=timedelta(hours=hours)).id for hours in (9, 8, 7))
    assert waiting(staff) == [first, second, third]
    assert reorder(printer="prusa-mk4s", move=third, by="front").status_code == 303
    assert waiting(staff) == [third, first, second]
    reorder(printer="prusa-mk4s", move=second, by="up")
    assert waiting(staff) == [third, second, first]
    reorder(printer="prusa-mk4s", job=[first, "nosuchid", third])
    assert waiting(staff) == [first, third, second], "what the page did not know of stays"
    assert lab_today(services.store).order == {"prusa-mk4s": [first, third, second]}
    reorder(printer="prusa-mk4s", by="usual")
    assert waiting(staff) == [first, second, third] and lab_today(services.store).order == {}


def test_an_order_for_no_printer_of_the_lab_is_refused(reorder: Callable[..., TestResponse]) -> None:
    assert reorder(printer="sold", by="usual").status_code == 422


@pytest.mark.parametrize(
    ("job", "by", "ids"),
    [("c", "up", "acb"), ("a", "up", "abc"), ("c", "down", "abc"), ("a", "down", "bac"), ("c", "front", "cab"),
     ("x", "front", "abc"), ("b", "sideways", "abc")],
)  # fmt: skip
def test_a_job_moves_by_one_place(job: str, by: str, ids: str) -> None:
    assert moved(list("abc"), job, by) == list(ids)


def test_a_print_starts_on_another_printer_and_is_in_that_ones_column(
    staff: FlaskClient, make: MakeJob, post: PostAction, services: Services
) -> None:
    job = make(READY, name="Ann Now")
    answer = post(job.id, "start", printer="prusa-xl", back="queue")
    assert answer.status_code == 303 and answer.location == "/dashboard/queue"
    assert "Ann Now" in words(column(staff, "prusa-xl")) and "Ann Now" not in words(column(staff, "prusa-mk4s"))
    request = services.store.load(job.id).job.request
    assert (request.printer, request.printed_on) == ("prusa-mk4s", "prusa-xl")
    assert "Printing started on the Prusa XL" in staff.get(f"/dashboard/jobs/{job.id}").get_data(as_text=True)


def test_a_job_started_elsewhere_is_named_by_its_machine_on_every_page(
    staff: FlaskClient, make: MakeJob, post: PostAction
) -> None:
    job = make(READY)
    post(job.id, "start", printer="prusa-xl")
    row = staff.get("/dashboard?status=Printing&printer=prusa-xl").get_data(as_text=True)
    assert f'id="job-{job.id}"' in row and "<span>Prusa XL</span>" in row and "<span>Prusa MK4S</span>" not in row
    assert f'id="job-{job.id}"' not in staff.get("/dashboard?status=Printing&printer=prusa-mk4s").get_data(as_text=True)
    page = staff.get(f"/dashboard/jobs/{job.id}").get_data(as_text=True)
    assert "<span>Prusa XL</span>" in page and "Prusa XL (asked for: Prusa MK4S)" in page
    ticket = staff.get(f"/dashboard/jobs/{job.id}/ticket").get_data(as_text=True)
    assert "<dd>Prusa XL</dd>" in ticket and "Prusa MK4S" not in ticket


@pytest.mark.parametrize("printer", ["formlabs-form3", "sold"])
def test_no_print_starts_on_a_printer_of_another_method(
    make: MakeJob, post: PostAction, services: Services, printer: str
) -> None:
    job = make(READY)
    assert post(job.id, "start", printer=printer).status_code == 422
    assert services.store.load(job.id).job.status is READY


def test_the_button_elsewhere_starts_it_on_the_printer_that_was_asked_for(
    make: MakeJob, post: PostAction, services: Services
) -> None:
    job = make(READY)
    assert post(job.id, "start").status_code == 303
    assert services.store.load(job.id).job.request.printed_on is None


def test_without_the_database_the_queue_comes_from_the_folders(services: Services, make: MakeJob) -> None:
    engine = create_engine(NO_DATABASE)
    dark = create_app(replace(services, mirror=Mirror(engine), queries=Queries(engine))).test_client()
    dark.post("/login", data={"csrf_token": form_token(dark, "/login"), "password": STAFF_PASSWORD})
    job = make(READY)
    page = dark.get("/dashboard/queue").get_data(as_text=True)
    assert f'data-job="{job.id}"' in page and "The database is not available" in page
    engine.dispose()


@pytest.mark.parametrize("is_down", [True, False])
def test_start_asks_for_the_printer_where_the_one_asked_for_is_not_free_and_records_it(
    staff: FlaskClient, make: MakeJob, post: PostAction, services: Services, is_down: bool
) -> None:
    job = make(READY)
    if is_down:
        note = Note(since=datetime.now(UTC))
        change_lab_today(services.store, lambda today: LabToday(printers_down={"prusa-mk4s": note}))
    else:
        make(PRINTING)
    asked = post(job.id, "start")
    assert asked.status_code == 422 and "Which one is it on?" in words(asked.get_data(as_text=True))
    assert '<option value="prusa-xl">' in asked.get_data(as_text=True)
    assert services.store.load(job.id).job.status is READY
    assert post(job.id, "start", printer="prusa-xl").status_code == 303
    assert services.store.load(job.id).job.request.printed_on == "prusa-xl"
    other = make(READY)
    assert post(other.id, "start", printer="prusa-mk4s").status_code == 303, (
        "staff see the printer, the system does not"
    )


def test_when_a_print_is_done_is_said_in_few_words(app: Flask) -> None:
    now = datetime.now(UTC)
    with app.app_context():
        later = now + timedelta(days=3)
        few = {now: time_of_day(now), later: f"{local(later):%a} {time_of_day(later)}"}
        few |= {far: exact(far) for far in (now - timedelta(days=1), now + timedelta(days=9))}
        for moment, expected in few.items():
            assert f'title="{exact(moment)}">{expected}</time>' in soon(moment)
