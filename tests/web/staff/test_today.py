"""Where staff land: six groups of what needs them, each with its number and its first three."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html import escape, unescape

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from indexer.index import Mirror
from indexer.queries import Queries
from indexer.schema import create_engine
from printsys.domain.inputs import OptionalReasonInput, ReplyInput
from printsys.domain.status import Status
from printsys.services import NO_DATABASE, Services
from printsys.texts import date_text
from printsys.web import create_app
from printsys.web.staff.attention import FROM_FOLDERS
from printsys.web.staff.today import HERE
from tests.web.conftest import STAFF_PASSWORD, MakeJob, PostAction, form_token


def words(html: str) -> str:
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html)))


def group(page: TestResponse, slug: str) -> str:
    match = re.search(rf'<section class="today-group" id="{slug}".*?</section>', page.get_data(as_text=True), re.S)
    assert match, slug
    return match.group()


def number(page: TestResponse, slug: str) -> int:
    match = re.search(r'class="count">(\d+)<', group(page, slug))
    assert match, slug
    return int(match.group(1))


def jobs(page: TestResponse, slug: str) -> list[str]:
    return re.findall(r'href="/dashboard/jobs/(\w+)"', group(page, slug))


@pytest.fixture
def dark_staff(services: Services) -> Iterator[FlaskClient]:
    """Of the same services without their database."""
    engine = create_engine(NO_DATABASE)
    client = create_app(replace(services, mirror=Mirror(engine), queries=Queries(engine))).test_client()
    client.post("/login", data={"csrf_token": form_token(client, "/login"), "password": STAFF_PASSWORD})
    yield client
    engine.dispose()


@pytest.mark.parametrize("has_database", [True, False])
def test_each_job_is_in_the_group_of_what_it_needs(
    staff: FlaskClient, dark_staff: FlaskClient, make: MakeJob, services: Services, has_database: bool
) -> None:
    new = [make(ago=timedelta(hours=hours)).id for hours in (5, 4, 3, 2)]
    ready = make(Status.READY_TO_PRINT).id
    late = make(Status.PRINTING, ago=timedelta(hours=9)).id
    make(Status.PRINTING, ago=timedelta(hours=1))
    done = make(Status.COMPLETED).id
    asking = make(Status.PENDING)
    services.actions.student_does(asking.id, "reply", ReplyInput(message="Is <Friday> possible?"))
    page = (staff if has_database else dark_staff).get("/dashboard/today")
    assert page.status_code == 200
    assert (number(page, "new"), jobs(page, "new")) == (4, new[:3]), "the longest waiting first"
    assert jobs(page, "ready") == [ready] and jobs(page, "late") == [late] and jobs(page, "done") == [done]
    assert jobs(page, "answers") == [asking.id] and "“Is <Friday> possible?”" in words(group(page, "answers"))
    assert "/dashboard?status=Uploaded" in group(page, "new") and "All 4" in words(group(page, "new"))
    assert ("The database is not available" in page.get_data(as_text=True)) != has_database


def test_without_the_database_nothing_is_denied_that_cannot_be_seen(
    dark_staff: FlaskClient, make: MakeJob, services: Services
) -> None:
    declined = make()
    services.actions.student_does(declined.id, "withdraw", OptionalReasonInput())
    dark_staff.set_cookie(HERE, f"{int(time.time()) - 7200}_{int(time.time()) - 3600}")
    page = dark_staff.get("/dashboard/today")
    assert jobs(page, "answers") == [declined.id]
    assert "cannot be seen while the database is not available" in page.get_data(as_text=True)
    assert "Nothing happened meanwhile" not in page.get_data(as_text=True)
    assert escape(FROM_FOLDERS) in page.get_data(as_text=True)


def test_an_answer_waits_until_staff_have_done_something_about_it(
    staff: FlaskClient, make: MakeJob, post: PostAction, services: Services
) -> None:
    declined, withdrawn, asking = make(Status.PENDING), make(), make(Status.PRINTING)
    services.actions.student_decides(declined.id, _nonce(services, declined.id), False, "Too <dear>")
    services.actions.student_does(withdrawn.id, "withdraw", OptionalReasonInput())
    services.actions.student_does(asking.id, "reply", ReplyInput(message="Done?"))
    page = staff.get("/dashboard/today")
    assert number(page, "answers") == 3 and "declined: “Too <dear>”" in words(group(page, "answers"))
    assert post(withdrawn.id, "review", back="today").location == "/dashboard/today"
    post(asking.id, "complete")
    assert jobs(staff.get("/dashboard/today"), "answers") == [declined.id]


def _nonce(services: Services, job_id: str) -> str:
    confirmation = services.store.load(job_id).job.confirmation
    assert confirmation is not None and confirmation.nonce is not None
    return confirmation.nonce


def test_all_answers_of_students_can_be_seen(staff: FlaskClient, make: MakeJob, services: Services) -> None:
    for _ in range(4):
        services.actions.student_does(make().id, "reply", ReplyInput(message="Done?"))
    page = staff.get("/dashboard/today")
    assert len(jobs(page, "answers")) == 3 and "/dashboard/today?all=answers" in group(page, "answers")
    assert len(jobs(staff.get("/dashboard/today?all=answers"), "answers")) == 4


def test_a_message_about_a_new_job_cannot_be_seen_instead_of_the_job(
    staff: FlaskClient, make: MakeJob, post: PostAction, services: Services
) -> None:
    new, known = make(), make()
    post(known.id, "review")
    for job in (new, known):
        services.actions.student_does(job.id, "reply", ReplyInput(message="Please blue."))
    page = staff.get("/dashboard/today")
    assert jobs(page, "new") == [new.id] and set(jobs(page, "answers")) == {new.id, known.id}
    answers = group(page, "answers")
    assert f'href="/dashboard/jobs/{new.id}#job">Look at it' in answers
    assert f"/{new.id}/review" not in answers and f"/{known.id}/review" in answers


@pytest.mark.parametrize("has_database", [True, False])
def test_all_new_jobs_are_as_many_as_the_link_says(
    staff: FlaskClient, dark_staff: FlaskClient, make: MakeJob, post: PostAction, has_database: bool
) -> None:
    new, reviewed = [make(ago=timedelta(hours=hours)).id for hours in (5, 4, 3, 2)], make()
    post(reviewed.id, "review")
    client = staff if has_database else dark_staff
    match = re.search(r'href="([^"]+)">All 4', group(client.get("/dashboard/today"), "new"))
    assert match
    listed = client.get(unescape(match.group(1))).get_data(as_text=True)
    assert re.findall(r'id="job-(\w+)"', listed) == new


def test_what_needs_a_person_is_there_with_its_sentence(staff: FlaskClient, make: MakeJob, services: Services) -> None:
    assert "Nothing needs a person." in words(group(staff.get("/dashboard/today"), "attention"))


def test_a_print_that_is_done_is_one_click(
    staff: FlaskClient, make: MakeJob, post: PostAction, services: Services
) -> None:
    late = make(Status.PRINTING, ago=timedelta(hours=9))
    assert f"/dashboard/jobs/{late.id}/complete" in group(staff.get("/dashboard/today"), "late")
    assert post(late.id, "complete", back="today").location == "/dashboard/today"
    assert services.store.load(late.id).job.status is Status.COMPLETED


def happened(client: FlaskClient) -> list[str]:
    page = client.get("/dashboard/today").get_data(as_text=True)
    return re.findall(r'<ul class="today-entries happenings">(.*?)</ul>', page, re.S)


def test_what_happened_since_this_browser_was_last_here_is_told_once_it_comes_back(
    staff: FlaskClient, make: MakeJob, services: Services
) -> None:
    make(name="Ann Early", ago=timedelta(hours=5))
    assert happened(staff) == [], "the first visit"
    ago = int((datetime.now(UTC) - timedelta(hours=2)).timestamp())
    staff.set_cookie(HERE, f"_{ago}")
    make(name="Bo Late", ago=timedelta(minutes=5))
    (lines,) = happened(staff)
    assert re.search(r'title="[A-Z][a-z]{2}, [^"<]+ [ap]m"', lines), "the exact time"
    assert "Bo Late" in lines and "Submitted: bracket v2.stl" in lines and "Ann Early" not in lines
    assert happened(staff), "a second look is of the same visit"


def test_a_page_that_refreshes_itself_is_no_visit(staff: FlaskClient, make: MakeJob) -> None:
    now = int(time.time())
    staff.set_cookie(HERE, f"{now - 5 * 3600}_{now - 3600}")
    make(name="Ann Early", ago=timedelta(hours=2))
    make(name="Bo Late", ago=timedelta(minutes=5))
    refreshed = staff.get("/dashboard/today", headers={"X-Refresh": "1"})
    assert not [cookie for cookie in refreshed.headers.getlist("Set-Cookie") if cookie.startswith(HERE)]
    assert "Ann Early" in refreshed.get_data(as_text=True).partition("Since you were last here")[2]
    (lines,) = happened(staff)
    assert "Bo Late" in lines and "Ann Early" not in lines, "this look is a visit"


@pytest.mark.parametrize("cookie", ["", "x_y", "_99999999999999", "_-5", "9_9_9", "_٣", "_" + "9" * 400])
def test_any_cookie_is_taken(staff: FlaskClient, cookie: str) -> None:
    staff.set_cookie(HERE, cookie)
    assert staff.get("/dashboard/today").status_code == 200


def test_the_printers_say_what_is_on_them(staff: FlaskClient, make: MakeJob) -> None:
    make(Status.PRINTING, name="Ann Now", ago=timedelta(minutes=30))
    make(Status.READY_TO_PRINT, name="Bo Next")
    page = words(staff.get("/dashboard/today").get_data(as_text=True))
    assert re.search(r"Prusa MK4S Ann Now, done about [^;]* next: Bo Next", page) and "Prusa XL free" in page


def test_staff_land_there(client: FlaskClient) -> None:
    data = {"csrf_token": form_token(client, "/login"), "password": STAFF_PASSWORD}
    assert client.post("/login", data=data).location == "/dashboard/today"
    assert 'href="/dashboard/today"' in client.get("/dashboard").get_data(as_text=True)


@pytest.mark.parametrize("path", ["/dashboard/today", "/dashboard/queue", "/dashboard?status=ReadyToPrint"])
def test_a_due_date_is_relative_with_the_exact_one_as_its_title(
    staff: FlaskClient, make: MakeJob, post: PostAction, services: Services, path: str
) -> None:
    job, tomorrow = make(Status.READY_TO_PRINT), services.lab.today(datetime.now(UTC)) + timedelta(days=1)
    post(job.id, "details", due_date=tomorrow.isoformat())
    page = staff.get(path).get_data(as_text=True)
    assert f'title="needed by {date_text(tomorrow)}">due tomorrow</span>' in page
