"""The calendar by its secret link: what is in it, who gets it, and that any program can read it."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from icalendar import Calendar, Component
from werkzeug.test import TestResponse

from printsys.domain.status import Status
from printsys.jobstore.calendar_link import calendar_secret, renew_calendar_secret
from printsys.services import Services
from tests.factories import act, sync
from tests.web.conftest import STAFF_PASSWORD, MakeJob, form_token

Post = Callable[..., TestResponse]


@pytest.fixture
def path(services: Services) -> str:
    """Of a link that staff have made."""
    renew_calendar_secret(services.store)
    return path_now(services)


def path_now(services: Services) -> str:
    secret = calendar_secret(services.store)
    assert secret is not None
    return f"/calendar/{services.tokens.calendar(secret)}.ics"


@pytest.fixture
def post(staff: FlaskClient) -> Post:
    def send(**fields: str) -> TestResponse:
        values = {"csrf_token": form_token(staff, "/logout"), "password": STAFF_PASSWORD} | fields
        return staff.post("/dashboard/system/calendar", data=values)

    return send


def events(client: FlaskClient, path: str) -> dict[str, Component]:
    answer = client.get(path)
    assert answer.status_code == 200 and answer.mimetype == "text/calendar"
    feed = Calendar.from_ical(answer.data)
    assert feed["version"] == "2.0" and feed["prodid"]
    return {str(event["uid"]): event for event in feed.walk("VEVENT")}


def test_there_is_no_link_before_staff_make_one(client: FlaskClient, services: Services, staff: FlaskClient) -> None:
    assert calendar_secret(services.store) is None
    assert client.get(f"/calendar/{services.tokens.calendar('')}.ics").status_code == 404
    page = staff.get("/dashboard/system").get_data(as_text=True)
    assert "There is no link yet." in page and ".ics" not in page


def test_a_new_link_makes_the_old_one_useless_and_it_can_be_turned_off(
    client: FlaskClient, staff: FlaskClient, services: Services, post: Post
) -> None:
    paths = []
    for _ in range(2):
        assert post().status_code == 303
        paths.append(path_now(services))
        assert services.settings.base_url + paths[-1] in staff.get("/dashboard/system").get_data(as_text=True)
    assert [client.get(path).status_code for path in paths] == [404, 200]
    assert post(off="yes").status_code == 303
    assert client.get(paths[-1]).status_code == 404


def test_it_asks_for_the_password(services: Services, post: Post) -> None:
    assert post(password="wrong").status_code == 422
    assert calendar_secret(services.store) is None


def test_another_kind_of_link_opens_no_calendar(client: FlaskClient, services: Services, path: str) -> None:
    secret = calendar_secret(services.store) or ""
    for token in (services.tokens.status(secret), secret, "x"):
        assert client.get(f"/calendar/{token}.ics").status_code == 404
    assert client.get(path).status_code == 200


def test_a_due_day_is_a_whole_day(client: FlaskClient, path: str, services: Services, make: MakeJob) -> None:
    due, without = make(), make()
    act(services.store, due.id, "details", student_name="Jane Doe", due_date="2099-03-31")
    sync(services.store, services.mirror)
    (event,) = events(client, path).values()
    assert event["uid"] == f"{due.id}.due@example.edu"
    assert event.decoded("dtstart") == date(2099, 3, 31) and event.decoded("dtend") == date(2099, 4, 1)
    assert str(event["summary"]) == f"Due: bracket v2 ({due.id})"
    assert without.id not in str(events(client, path))


def test_the_last_day_of_all_stops_no_calendar(
    client: FlaskClient, path: str, services: Services, make: MakeJob
) -> None:
    """A student may type it into the form."""
    usual, last = make(), make()
    for job, day in ((usual, "2099-03-31"), (last, "9999-12-31")):
        act(services.store, job.id, "details", student_name="Jane Doe", due_date=day)
    sync(services.store, services.mirror)
    assert [*events(client, path)] == [f"{usual.id}.due@example.edu"]


def test_a_print_ends_when_it_should_be_done_and_one_in_line_is_tentative(
    client: FlaskClient, path: str, services: Services, make: MakeJob
) -> None:
    printing, waiting = make(status=Status.PRINTING), make(status=Status.READY_TO_PRINT)
    sync(services.store, services.mirror)
    found = events(client, path)
    now, later = found[f"{printing.id}.print@example.edu"], found[f"{waiting.id}.print@example.edu"]
    assert now.decoded("dtend") - now.decoded("dtstart") == timedelta(hours=3.5)
    assert now.decoded("dtstart") == services.store.load(printing.id).job.status_since
    assert (str(now["status"]), str(later["status"])) == ("CONFIRMED", "TENTATIVE")
    assert str(now["summary"]) == f"bracket v2 ({printing.id}) on Prusa MK4S"
    assert later.decoded("dtstart") >= now.decoded("dtend")
    assert isinstance(now.decoded("dtstamp"), datetime)


def test_it_names_no_student_and_survives_any_name_of_a_model(
    client: FlaskClient, path: str, services: Services, make: MakeJob
) -> None:
    title = 'a;b,c\\d"e\r\nATTENDEE:mailto:x@example.edu 漢字' * 3 + ".stl"
    stored = make(status=Status.PRINTING, files=[(title, b"solid part\nendsolid part\n")], message="For Zaphod")
    sync(services.store, services.mirror)
    answer = client.get(path)
    assert all(len(line) <= 75 for line in answer.data.split(b"\r\n"))
    text = answer.get_data(as_text=True)
    assert "\r\nATTENDEE" not in text and not re.search(r"(?<!\r)\n", text)
    for secret in ("Jane", "jane@", "ARCH 4000", "Architecture", "Zaphod", services.tokens.status(stored.id)):
        assert secret not in text
    (event,) = events(client, path).values()
    assert "a;b,c" in str(event["summary"]) and str(event["summary"]).endswith("on Prusa MK4S")


def test_without_the_database_it_comes_from_the_folders(
    app: Flask, client: FlaskClient, path: str, services: Services, make: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = make(status=Status.PRINTING)
    monkeypatch.setattr(type(services.queries), "jobs", _down)
    assert set(events(client, path)) == {f"{stored.id}.print@example.edu"}


def _down(*_arguments: object, **_options: object) -> None:
    from printsys.errors import MirrorDown

    raise MirrorDown("it is off")


def test_a_file_that_nobody_can_read_means_no_link(client: FlaskClient, path: str, services: Services) -> None:
    place: Path = services.store.layout.calendar
    place.write_bytes(b"{")
    assert client.get(path).status_code == 404
    renew_calendar_secret(services.store)
    assert client.get(path_now(services)).status_code == 200
