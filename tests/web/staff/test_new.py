"""The page New job: staff write a request down for somebody at the counter."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import replace
from html import unescape
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from printsys.domain.request_fields import REQUEST_FIELDS
from printsys.domain.status import Status
from printsys.jobstore import Stored
from printsys.services import Services
from tests.factories import FORM, STL
from tests.web.conftest import PostAction, Traces, hidden_value, token_in

Fill = Callable[..., TestResponse]


@pytest.fixture
def services(services: Services, request: pytest.FixtureRequest) -> Services:
    """`email_at_counter` of lab.toml: required, or what a test has as its parameter."""
    rule = {"email_at_counter": getattr(request, "param", "required")}
    lab = services.lab.model_copy(update={"submission": services.lab.submission.model_copy(update=rule)})
    return replace(services, lab=lab, actions=replace(services.actions, lab=lab))


@pytest.fixture
def fill(staff: FlaskClient) -> Fill:
    """The form as staff fill it in, with what differs from `FORM`."""

    def send(files: dict[str, bytes] | None = None, submission: str | None = None, **changed: str) -> TestResponse:
        page = staff.get("/dashboard/new").get_data(as_text=True)
        values: dict[str, Any] = FORM | {"submission": submission or hidden_value(page, "submission")} | changed
        values["csrf_token"] = token_in(page)
        models = {"bracket v2.stl": STL} if files is None else files
        values["file"] = [(io.BytesIO(content), name) for name, content in models.items()]
        return staff.post("/dashboard/new", data=values)

    return send


def only_job(services: Services) -> Stored:
    ((job_id, _),) = services.store.ids()
    return services.store.load(job_id)


def test_it_makes_the_job_that_a_student_would_have_made_with_staff_as_its_actor(
    fill: Fill, staff: FlaskClient, services: Services
) -> None:
    answer = fill(copies="2", message="In a hurry.")
    stored = only_job(services)
    assert (answer.status_code, answer.location) == (303, f"/dashboard/jobs/{stored.id}")
    assert (stored.folder / "original" / "bracket v2.stl").read_bytes() == STL
    assert (stored.job.status, stored.job.student.name, stored.job.request.copies) == (Status.UPLOADED, "Jane Doe", 2)
    assert [(event.type, event.actor) for event in stored.events] == [("JobCreated", "staff"), ("EmailQueued", "staff")]
    assert "The job of Jane Doe is here." in staff.get(answer.location).get_data(as_text=True)


def test_it_asks_for_each_field_of_the_students_form(staff: FlaskClient, client: FlaskClient) -> None:
    theirs, ours = (page.get("/submit" if page is client else "/dashboard/new") for page in (client, staff))
    names = [set(re.findall(r' name="(\w+)"', page.get_data(as_text=True))) for page in (theirs, ours)]
    assert names[0] <= names[1] and {field.name for field in REQUEST_FIELDS} - {"own_material"} <= names[1]
    assert 'autocomplete="name"' not in ours.get_data(as_text=True), "the browser would fill in its own person"


def test_what_is_wrong_is_said_and_leaves_nothing_behind(fill: Fill, services: Services, traces: Traces) -> None:
    traces()
    answer = fill(files={"a.stl": b"no model"}, student_email="jane", color="Pink")
    text = unescape(answer.get_data(as_text=True))
    assert answer.status_code == 422
    for sentence in ("Please give an e-mail address", "Pink is not a color that we have", "a.stl"):
        assert sentence in text
    assert list(services.store.ids()) == []


@pytest.mark.parametrize("services", ["optional"], indirect=True)
def test_an_address_may_be_missing_where_the_lab_says_so(
    fill: Fill, services: Services, staff: FlaskClient, post: PostAction
) -> None:
    assert "Without one nobody gets e-mails" in staff.get("/dashboard/new").get_data(as_text=True)
    assert fill(student_email="").status_code == 303
    stored = only_job(services)
    assert stored.job.student.email is None and [event.type for event in stored.events] == ["JobCreated"]
    assert fill(student_email="no address").status_code == 422
    post(stored.id, "approve", print_file=f"{stored.folder.name}.stl", weight_g="40", time_h="3", material="PLA")
    assert services.store.load(stored.id).job.status is Status.PENDING
    post(stored.id, "confirm", reason="At the counter.")
    assert services.store.load(stored.id).job.status is Status.READY_TO_PRINT


def test_a_form_sent_twice_makes_one_job(fill: Fill, services: Services) -> None:
    first, second = (fill(submission="twice") for _ in range(2))
    assert first.location == second.location and only_job(services)


def test_a_stranger_who_sends_a_model_there_leaves_nothing(client: FlaskClient, services: Services) -> None:
    token = token_in(client.get("/login").get_data(as_text=True))
    data = FORM | {"csrf_token": token, "file": (io.BytesIO(STL), "bracket.stl")}
    answer = client.post("/dashboard/new", data=data, content_type="multipart/form-data")
    assert (answer.status_code, answer.location) == (302, "/login")
    assert list(services.store.ids()) == [] and list(services.store.layout.staging.iterdir()) == []


def test_a_page_that_was_open_for_long_keeps_what_was_typed(staff: FlaskClient) -> None:
    answer = staff.post("/dashboard/new", data=FORM | {"csrf_token": "old"})
    text = answer.get_data(as_text=True)
    assert answer.status_code == 400 and "This page was open for a long time." in text and "Jane Doe" in text


def test_the_head_of_each_staff_page_leads_there(staff: FlaskClient) -> None:
    assert re.search(r'href="/dashboard/new"[^>]*>\+ New job', staff.get("/dashboard/queue").get_data(as_text=True))
