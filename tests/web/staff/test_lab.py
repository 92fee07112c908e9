"""The lab today: what staff note in one click, and who follows it at once."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from printsys.domain.status import Status
from printsys.jobstore.lab_today import lab_today
from printsys.services import Services
from tests.web.conftest import MakeJob, Submit, form_token


@pytest.fixture
def note(staff: FlaskClient) -> Callable[..., TestResponse]:
    """One click on the page."""

    def click(part: str, **fields: str) -> TestResponse:
        return staff.post(f"/dashboard/lab/{part}", data={"csrf_token": form_token(staff, "/logout")} | fields)

    return click


def words(response: TestResponse) -> str:
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.get_data(as_text=True))))


def option(page: TestResponse, value: str) -> str:
    match = re.search(rf'<option[^>]*value="{value}"[^>]*>[^<]*', page.get_data(as_text=True))
    assert match, value
    return match.group()


def test_a_printer_that_is_down_is_followed_by_form_queue_and_today(
    client: FlaskClient, staff: FlaskClient, submit: Submit, make: MakeJob, note: Callable[..., TestResponse]
) -> None:
    make(Status.READY_TO_PRINT)
    answer = note("printer", printer="prusa-mk4s", is_down="yes", note="the <belt>")
    assert answer.status_code == 303
    assert "The Prusa MK4S is marked as down." in words(staff.get(answer.location))
    assert "disabled" in option(client.get("/submit"), "prusa-mk4s") and "down at the moment" in option(
        client.get("/submit"), "prusa-mk4s"
    )
    refused = submit(printer="prusa-mk4s")
    assert refused.status_code == 422 and "The Prusa MK4S is down at the moment." in words(refused)
    assert submit(printer="prusa-xl").status_code == 303
    for path in ("/dashboard/queue", "/dashboard/today"):
        assert "the <belt>" in words(staff.get(path)), path
    assert "belt" not in words(client.get("/submit")), "why it is down is for staff"
    note("printer", printer="prusa-mk4s", is_down="no")
    assert submit(printer="prusa-mk4s").status_code == 303


def test_the_only_printer_of_a_method_may_be_asked_for_while_it_is_down(
    client: FlaskClient, submit: Submit, note: Callable[..., TestResponse]
) -> None:
    note("printer", printer="formlabs-form3", is_down="yes")
    shown = option(client.get("/submit"), "formlabs-form3")
    assert "down at the moment" in shown and "disabled" not in shown
    assert submit(print_method="Resin", color="Black", printer="formlabs-form3").status_code == 303


def test_a_color_that_is_out_cannot_be_chosen(
    client: FlaskClient, staff: FlaskClient, submit: Submit, note: Callable[..., TestResponse], services: Services
) -> None:
    note("color", method="Filament", color="True Red", is_out="yes")
    assert "disabled" in option(client.get("/submit"), "True Red")
    refused = submit()
    assert refused.status_code == 422 and "True Red is out at the moment. Please choose another color." in words(
        refused
    )
    assert 'aria-pressed="true"' in staff.get("/dashboard/lab").get_data(as_text=True)
    note("color", method="Filament", color="True Red", is_out="no")
    assert submit().status_code == 303
    assert lab_today(services.store).colors_out == {"Filament": {}}


def test_a_message_is_read_where_students_look_until_it_is_taken_away(
    client: FlaskClient, make: MakeJob, note: Callable[..., TestResponse], services: Services
) -> None:
    job = make()
    paths = ("/submit", f"/status/{services.tokens.status(job.id)}")
    note("message", text=" We open late.\r\n<Sorry!> ")
    assert all("From the lab: We open late. <Sorry!>" in words(client.get(path)) for path in paths)
    note("message", text="We open late.", remove="yes")
    assert not any("From the lab" in words(client.get(path)) for path in paths)


def test_a_closed_day_moves_what_students_expect(
    client: FlaskClient, make: MakeJob, note: Callable[..., TestResponse], services: Services
) -> None:
    job = make(Status.READY_TO_PRINT)
    path = f"/status/{services.tokens.status(job.id)}"
    before = words(client.get(path))
    today = services.lab.today(datetime.now(UTC))
    for days in range(14):
        note("closed", day=(today + timedelta(days=days)).isoformat(), is_closed="yes")
    after = words(client.get(path))
    assert "We expect it to be done by" in before and "We expect it to be done by" in after
    assert re.findall("done by ([^.]*)", before) != re.findall("done by ([^.]*)", after)
    assert "The lab is closed on" in after and "The lab is closed on" in words(client.get("/submit"))
    note("closed", day=today.isoformat(), is_closed="no")
    assert today not in lab_today(services.store).closed_days


@pytest.mark.parametrize(
    ("part", "fields"),
    [
        ("printer", {"printer": "sold", "is_down": "yes"}),
        ("color", {"method": "Filament", "color": "Beige", "is_out": "yes"}),
        ("color", {"method": "Weaving", "color": "True Red", "is_out": "yes"}),
        ("closed", {"day": "someday", "is_closed": "yes"}),
        ("closed", {"day": "2020-01-01", "is_closed": "yes"}),
        ("message", {"text": "x" * 501}),
    ],
)
def test_what_the_lab_does_not_have_changes_nothing(
    note: Callable[..., TestResponse], services: Services, part: str, fields: dict[str, str]
) -> None:
    assert note(part, **fields).status_code == 422
    assert not services.store.layout.lab_today.exists()


def test_how_busy_the_lab_is_follows_the_hours_in_the_queue(client: FlaskClient, make: MakeJob) -> None:
    def days() -> int:
        match = re.search(r"Resin: (?:quiet|typical|busy) , usually about (\d+) days?", words(client.get("/submit")))
        assert match
        return int(match.group(1))

    before = days()
    for _ in range(12):
        make(Status.READY_TO_PRINT, method="Resin", color="Black", printer="formlabs-form3")
    assert days() >= before + 3 and "Resin: quiet" not in words(client.get("/submit"))
