"""The list in the address: what it leaves out, its chips, its counts, and the way from one of its jobs to the next."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from indexer.job_filter import ORDERS
from printsys.domain.events import SYSTEM, EventDraft, EventType
from printsys.domain.job import dump
from printsys.domain.status import Status
from printsys.jobstore import Stored
from printsys.services import Services
from printsys.web.filters import due, local
from printsys.web.staff.list_query import SORTS
from tests.factories import usual_input
from tests.present import present
from tests.web.conftest import MakeJob, PostAction, form_token, hidden_value, token_in
from tests.web.staff.test_dashboard import cards, text


def counts(response: TestResponse) -> dict[str, int]:
    """What the tabs count, whatever else their addresses keep."""
    tabs = r'status=(\w+)[^"]*"[^>]*>\s*[^<]*<span class="count">(\d+)</span>'
    return {status: int(n) for status, n in re.findall(tabs, response.get_data(as_text=True))}


def chips(page: str) -> list[str]:
    """Where each chip leads."""
    return [unescape(address) for address in re.findall(r'class="chip" href="([^"]+)"', page)]


def test_filters_and_words_leave_what_fits_both_and_the_counts_follow(staff: FlaskClient, make: MakeJob) -> None:
    blue, red = make(color="Blue", name="Ann Lee"), make(color="True Red", name="Ann Lee")
    make(Status.PENDING, color="Blue", name="Bo Lee")
    page = staff.get("/dashboard?color=Blue")
    assert cards(page) == [blue.id] and counts(page)["Uploaded"] == 1 and counts(page)["Pending"] == 1
    page = staff.get("/dashboard?color=Blue&q=ann")
    assert cards(page) == [blue.id] and counts(page)["Pending"] == 0
    assert "1 job for “ann”" in text(page)
    assert sorted(cards(staff.get("/dashboard?q=ann"))) == sorted([blue.id, red.id])


def test_a_chip_takes_its_filter_out_and_keeps_the_others(staff: FlaskClient, make: MakeJob) -> None:
    make(color="Blue")
    page = staff.get("/dashboard?status=Uploaded&color=Blue&printer=prusa-mk4s&sort=due").get_data(as_text=True)
    assert chips(page) == [
        "/dashboard?status=Uploaded&color=Blue&sort=due",
        "/dashboard?status=Uploaded&printer=prusa-mk4s&sort=due",
        "/dashboard?status=Uploaded&printer=prusa-mk4s&color=Blue",
    ]
    assert "Printer: Prusa MK4S" in page and "needed first" in page
    # A tab keeps the filters; the words of the search go into every status.
    assert "/dashboard?status=Pending&amp;printer=prusa-mk4s&amp;color=Blue&amp;sort=due" in page
    search = present(re.search(r'<form class="search".*?</form>', page, re.S)).group()
    assert 'name="color" value="Blue"' in search and 'name="status"' not in search


def test_a_filter_that_leaves_nothing_says_so_and_leads_back(staff: FlaskClient, make: MakeJob) -> None:
    make(color="Blue")
    page = staff.get("/dashboard?status=Uploaded&color=Clear")
    assert cards(page) == [] and "No job of this status fits the filter." in text(page)
    assert 'href="/dashboard?status=Uploaded"' in page.get_data(as_text=True)


def with_a_finding(services: Services, job: Stored) -> None:
    """As the worker records it of a model that is not watertight."""
    holes = {"format": "binary STL", "triangles": 12, "size_mm": [30, 30, 30], "open_edges": 3, "bodies": 1}
    with services.store.edit(job.id) as change:
        files = [dump(file) | {"model": holes if file.role == "original" else None} for file in change.job.files]
        change.record(EventDraft(EventType.MODEL_INSPECTED, SYSTEM, {"name": files[0]["name"]}, {"files": files}))
    services.mirror.put(services.store.load(job.id))


def test_jobs_whose_models_have_findings_are_a_filter_with_a_chip(
    staff: FlaskClient, services: Services, make: MakeJob
) -> None:
    first, second, sound = make(ago=timedelta(hours=3)), make(ago=timedelta(hours=2)), make()
    pending = make(Status.PENDING, color="Blue")
    for job in (first, second, pending):
        with_a_finding(services, job)
    page = staff.get("/dashboard?status=Uploaded&findings=yes")
    assert cards(page) == [first.id, second.id] and sound.id not in cards(page)
    assert counts(page)["Uploaded"] == 2 and counts(page)["Pending"] == 1 and counts(page)["Printing"] == 0
    assert "Model: has findings" in text(page)
    assert chips(page.get_data(as_text=True)) == ["/dashboard?status=Uploaded"]
    assert cards(staff.get("/dashboard?status=Pending&findings=yes&color=Blue")) == [pending.id]
    assert cards(staff.get("/dashboard?status=Pending&findings=yes&color=Clear")) == []
    beside_it = staff.get(f"/dashboard/jobs/{first.id}?status=Uploaded&findings=yes").get_data(as_text=True)
    assert f'rel="next" data-beside href="/dashboard/jobs/{second.id}?' in beside_it


@pytest.mark.parametrize(
    "query",
    [
        "findings=x",
        "due=never",
        "age=7",
        "age=x",
        "sort=beauty",
        "page=-4",
        "printer=%00",
        "color=",
        "method=a%0Ab",
        "discipline=%ff",
    ],
)
def test_what_makes_no_sense_in_an_address_is_as_if_it_were_not_there(
    staff: FlaskClient, make: MakeJob, query: str
) -> None:
    job = make()
    page = staff.get(f"/dashboard?status=Uploaded&{query}")
    assert page.status_code == 200
    assert cards(page) == ([] if query == "discipline=%ff" else [job.id])


def test_every_order_has_its_words_and_an_id_typed_so_far_leads_nowhere(staff: FlaskClient, make: MakeJob) -> None:
    assert SORTS.keys() == ORDERS.keys()
    job = make()
    assert staff.get(f"/dashboard?q={job.id}").status_code == 302
    assert cards(staff.get(f"/dashboard?q={job.id}&typing=1")) == [job.id]


def test_a_due_date_is_said_as_people_say_it(app: Flask) -> None:
    with app.test_request_context():
        today = local(datetime.now(UTC)).date()
        said = {days: due((today + timedelta(days=days)).isoformat()) for days in (-2, -1, 0, 1, 5)}
    assert said == {-2: "2 days late", -1: "1 day late", 0: "today", 1: "tomorrow", 5: "in 5 days"}
    assert due("soon") == "soon" and due(None) == ""


@pytest.mark.parametrize(("hours", "word"), [(1, "fresh"), (30, "waiting"), (50, "slow"), (80, "late")])
def test_a_row_says_how_long_the_student_has_waited(staff: FlaskClient, make: MakeJob, hours: int, word: str) -> None:
    make(ago=timedelta(hours=hours))
    page = staff.get("/dashboard").get_data(as_text=True)
    assert f"age-{word}" in page and f"<small>{word}</small>" in page


# -- from one job to the next ---------------------------------------------------------------------------------------


@pytest.fixture
def three(make: MakeJob) -> list[str]:
    """The ids of three uploaded jobs, the one that waits longest first."""
    return [make(ago=timedelta(days=days)).id for days in (3, 2, 1)]


def beside(page: str) -> dict[str, str]:
    links = re.findall(r'<a rel="(prev|next)" data-beside href="/dashboard/jobs/(\w+)\?status=Uploaded"', page)
    return dict(links)


def test_a_job_opened_from_a_list_has_its_neighbors(staff: FlaskClient, three: list[str]) -> None:
    first, middle, last = (
        staff.get(f"/dashboard/jobs/{job_id}?status=Uploaded").get_data(as_text=True) for job_id in three
    )
    assert beside(first) == {"next": three[1]}
    assert beside(middle) == {"prev": three[0], "next": three[2]}
    assert beside(last) == {"prev": three[1]}
    assert beside(staff.get(f"/dashboard/jobs/{three[0]}").get_data(as_text=True)) == {}


def step(staff: FlaskClient, services: Services, job_id: str, action: str, query: str = "?status=Uploaded") -> str:
    """Do it as the page does that was opened from the list; where the answer leads."""
    job = services.store.load(job_id).job
    data = usual_input(action, job) | {"csrf_token": form_token(staff, "/logout"), "revision": job.revision}
    answer = staff.post(f"/dashboard/jobs/{job_id}/{action}{query}", data=data)
    assert answer.status_code == 303
    return str(answer.location)


def test_after_a_step_the_next_job_of_the_list_opens(staff: FlaskClient, services: Services, three: list[str]) -> None:
    assert step(staff, services, three[1], "approve") == f"/dashboard/jobs/{three[2]}?status=Uploaded"
    assert step(staff, services, three[2], "reject") == f"/dashboard/jobs/{three[0]}?status=Uploaded"
    assert step(staff, services, three[0], "approve") == "/dashboard?status=Uploaded"
    assert cards(staff.get("/dashboard?status=Uploaded")) == []


def test_what_moves_no_job_leads_back_to_it(staff: FlaskClient, services: Services, three: list[str]) -> None:
    for action in ("review", "notes"):
        assert step(staff, services, three[0], action) == f"/dashboard/jobs/{three[0]}?status=Uploaded"
    assert step(staff, services, three[0], "approve", query="") == f"/dashboard/jobs/{three[0]}"


def test_a_form_with_a_mistake_keeps_the_list(staff: FlaskClient, services: Services, three: list[str]) -> None:
    job = services.store.load(three[0]).job
    data = {"csrf_token": form_token(staff, "/logout"), "revision": job.revision}
    refused = staff.post(f"/dashboard/jobs/{job.id}/reject?status=Uploaded", data=data)
    assert refused.status_code == 422
    assert f'action="/dashboard/jobs/{job.id}/reject?status=Uploaded"' in refused.get_data(as_text=True)


def test_one_click_takes_the_last_step_back_and_opens_the_job_again(
    staff: FlaskClient, services: Services, three: list[str]
) -> None:
    page = staff.get(step(staff, services, three[0], "approve")).get_data(as_text=True)
    form = present(
        re.search(rf'<form method="post" action="(/dashboard/jobs/{three[0]}/revert[^"]*)".*?</form>', page, re.S)
    )
    assert "Undo</button>" in form.group()
    data = {name: hidden_value(form.group(), name) for name in ("revision", "back", "reason")}
    answer = staff.post(unescape(form.group(1)), data=data | {"csrf_token": token_in(page)})
    assert answer.location == f"/dashboard/jobs/{three[0]}?status=Uploaded"
    job = services.store.load(three[0])
    assert job.job.status is Status.UPLOADED and job.events[-1].type == "StatusReverted"


@pytest.mark.parametrize("action", ["notes", "review", "override", "fail"])
def test_no_undo_is_offered_where_no_click_takes_it_back(
    staff: FlaskClient, services: Services, make: MakeJob, post: PostAction, action: str
) -> None:
    job = make(Status.PRINTING if action == "fail" else Status.UPLOADED)
    answer = post(job.id, action, **usual_input(action, job.job))
    page = staff.get(str(answer.location)).get_data(as_text=True)
    assert "flash" in page and "Undone right after the click." not in page
