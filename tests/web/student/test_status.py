"""The page of a job, by the student's link: how it is doing, and what the student may do about it."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from html import unescape

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from printsys.domain.events import EventDraft, EventType
from printsys.domain.job import Document, Job
from printsys.domain.lab_today import LabToday, Note
from printsys.domain.status import Status
from printsys.jobstore import Stored
from printsys.jobstore.lab_today import change_lab_today
from printsys.services import Services
from tests.factories import act
from tests.present import present
from tests.web.conftest import MakeJob, PostAction, form_token

WITHDRAWABLE = (Status.UPLOADED, Status.PENDING, Status.READY_TO_PRINT)


@pytest.fixture
def send(client: FlaskClient, services: Services) -> Callable[..., TestResponse]:
    """A form of a job's page."""

    def sent(job_id: str, action: str, **fields: str) -> TestResponse:
        path = f"/status/{services.tokens.status(job_id)}/{action}"
        return client.post(path, data={"csrf_token": form_token(client)} | fields)

    return sent


def words(response: TestResponse) -> str:
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.get_data(as_text=True))))


def page_of(client: FlaskClient, services: Services, job_id: str) -> TestResponse:
    return client.get(f"/status/{services.tokens.status(job_id)}")


def types(stored: Stored) -> list[str]:
    return [event.type for event in stored.events]


# -- what it says -----------------------------------------------------------------------------------------------------


def test_each_step_that_is_done_has_its_time(client: FlaskClient, services: Services, make: MakeJob) -> None:
    page = page_of(client, services, make(Status.PRINTING).id).get_data(as_text=True)
    steps = re.findall(r'<li class="(done|now|ahead)".*?</li>', page, re.S)
    assert steps == ["done", "done", "done", "now", "ahead", "ahead"]
    assert len(re.findall(r'<li class="(?:done|now)".*?\d:\d\d [ap]m.*?</li>', page, re.S)) == 4
    assert re.findall(r"<span>(You [^<]+|We [^<]+)</span>", page) == [
        "You sent it", "We approved it", "You agreed to the price",
    ], "what is done is said so"  # fmt: skip


def test_the_place_in_line_and_the_day_follow_the_queue(client: FlaskClient, services: Services, make: MakeJob) -> None:
    first = make(Status.READY_TO_PRINT, ago=timedelta(hours=3))
    second = make(Status.READY_TO_PRINT, ago=timedelta(hours=2))
    elsewhere = make(Status.READY_TO_PRINT, printer="prusa-xl")
    assert "You are next for the Prusa MK4S" in words(page_of(client, services, first.id))
    assert "You are number 2 in line for the Prusa MK4S" in words(page_of(client, services, second.id))
    assert "You are next for the Prusa XL" in words(page_of(client, services, elsewhere.id))
    change_lab_today(services.store, lambda today: today.model_copy(update={"order": {"prusa-mk4s": [second.id]}}))
    assert "You are next for" in words(page_of(client, services, second.id)), "staff's own order counts"


def test_a_print_that_became_the_labs_says_so_and_not_to_collect_it(
    client: FlaskClient, staff: FlaskClient, services: Services, make: MakeJob
) -> None:
    job_id = make(Status.COMPLETED).id
    assert "Collect it at" in words(page_of(client, services, job_id))
    with services.store.edit(job_id) as change:
        change.record(EventDraft(EventType.BECAME_THE_LABS, "system"))
    page = words(page_of(client, services, job_id))
    assert "it is the lab's now" in page and "Collect it at" not in page
    assert "it has been the lab's since" in words(staff.get(f"/dashboard/jobs/{job_id}"))
    act(services.store, job_id, "revert")
    act(services.store, job_id, "complete")
    assert "Collect it at" in words(page_of(client, services, job_id))


def test_a_printer_that_is_down_promises_no_day(client: FlaskClient, services: Services, make: MakeJob) -> None:
    job = make(Status.READY_TO_PRINT)
    down = LabToday(
        printers_down={"prusa-mk4s": Note(since=job.job.created_at)},
        message=Note(since=job.job.created_at, text="<Spring> break"),
    )
    change_lab_today(services.store, lambda today: down)
    page = words(page_of(client, services, job.id))
    assert "The Prusa MK4S is down at the moment, so we cannot say when." in page and "done by" not in page
    assert "From the lab: <Spring> break" in page


@pytest.mark.parametrize("status", list(Status))
def test_there_is_one_filled_button_at_most_and_only_where_the_student_must_act(
    client: FlaskClient, services: Services, make: MakeJob, status: Status
) -> None:
    page = page_of(client, services, make(status).id).get_data(as_text=True)
    filled = re.findall(r'class="btn btn-primary[^>]*>([^<]+)', page)
    assert filled == {Status.PENDING: ["Send me the link again"], Status.REJECTED: ["Send a new version"]}.get(
        status, []
    )


def inspected(job: Job, model: Document) -> Document:
    return {
        "files": [
            record.model_dump(mode="json") | ({"model": model} if record.role == "original" else {})
            for record in job.files
        ]
    }


def test_a_rejection_shows_where_it_is_wrong_and_how_much_too_large(
    client: FlaskClient, services: Services, make: MakeJob
) -> None:
    job = make(Status.REJECTED)
    png = job.folder / "previews" / ("0" * 16 + ".png")
    png.parent.mkdir(exist_ok=True)
    png.write_bytes(b"\x89PNG")
    wall = {"mm": 0.3, "at": [1, 2, 3], "on_picture": [0.25, 0.5]}
    model = {
        "format": "binary STL",
        "triangles": 12,
        "size_mm": [300, 20, 20],
        "volume_cm3": 9,
        "wall": wall,
        "preview": f"previews/{png.name}",
        "finite": True,
    }
    services.actions.record(
        job.id, lambda stored: [EventDraft(EventType.MODEL_INSPECTED, "system", {}, inspected(stored.job, model))]
    )
    page = page_of(client, services, job.id)
    html = page.get_data(as_text=True)
    assert 'cx="25.00" cy="50.00"' in html, "a ring marks the thin wall"
    assert "beside-volume" in html and "the Prusa MK4S prints 250 mm wide" in html
    assert html.index("beside-volume") < html.index("<aside"), "it stands beside the reasons, on a phone, too"
    assert "A wall is only 0.3 mm thick" in words(page) and "11.81 × 0.79 × 0.79 in" in words(page)
    token = services.tokens.status(job.id)
    assert client.get(f"/status/{token}/picture/0").data == png.read_bytes()
    assert client.get(f"/status/{token}/picture/1").status_code == 404


# -- what the student may do ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", list(Status))
def test_a_request_is_withdrawn_until_its_print_starts(
    client: FlaskClient, services: Services, make: MakeJob, send: Callable[..., TestResponse], status: Status
) -> None:
    job = make(status)
    may = "Withdraw it" in words(page_of(client, services, job.id))
    assert may == (status in WITHDRAWABLE)
    answer = send(job.id, "withdraw", reason="I found a mistake.")
    after = services.store.load(job.id)
    if not may:
        assert answer.status_code == 409 and "It is too late to withdraw it here" in words(answer)
        assert after.job.status is status
        return
    assert answer.status_code == 303
    assert after.job.status is Status.REJECTED and present(after.job.rejection).reasons == ["withdrawn"]
    assert present(after.job.rejection).comment == "I found a mistake." and after.folder.parent.name == "Rejected"
    assert "JobWithdrawn" in types(after)
    page = words(client.get(answer.location))
    assert "Your request is withdrawn. You pay nothing for it." in page and "Send a new version" not in page


def test_a_message_lands_on_the_job_and_in_its_history(
    client: FlaskClient, staff: FlaskClient, services: Services, make: MakeJob, send: Callable[..., TestResponse]
) -> None:
    job = make(Status.PRINTING)
    answer = send(job.id, "reply", message="  Is <it> done?\r\nI am here. ")
    assert answer.status_code == 303
    page = words(client.get(answer.location))
    assert "Your message is with the lab." in page and "Is <it> done? I am here." in page
    assert "The student wrote: Is <it> done? I am here." in words(staff.get(f"/dashboard/jobs/{job.id}"))
    assert types(services.store.load(job.id))[-2:] == ["StudentWrote", "EmailQueued"]


def test_an_empty_message_and_a_sixth_one_within_the_hour_are_refused_in_words(
    services: Services, make: MakeJob, send: Callable[..., TestResponse]
) -> None:
    job = make()
    empty = send(job.id, "reply", message="  ")
    assert empty.status_code == 422 and "Please fill this in." in words(empty)
    assert [send(job.id, "reply", message=str(number)).status_code for number in range(6)] == [303] * 5 + [409]
    refused = send(job.id, "reply", message="7")
    assert "Please wait for our answer." in words(refused)
    assert types(services.store.load(job.id)).count("StudentWrote") == 5


def test_a_closed_job_takes_no_message(make: MakeJob, send: Callable[..., TestResponse]) -> None:
    answer = send(make(Status.ARCHIVED).id, "reply", message="Hello?")
    assert answer.status_code == 409 and "this one is Archived" in words(answer)
    assert "“Ready to print”" in words(answer) and "PaidPickedUp" not in words(answer)


def test_the_link_that_confirms_is_sent_again_by_e_mail_alone(
    services: Services, make: MakeJob, send: Callable[..., TestResponse], client: FlaskClient
) -> None:
    job = make(Status.PENDING)
    answer = send(job.id, "resend")
    after = services.store.load(job.id)
    nonce = present(present(after.job.confirmation).nonce)
    assert answer.status_code == 303 and nonce != present(job.job.confirmation).nonce
    assert after.events[-1].data == {"mail": "approved", "to": "jane@example.edu"}
    assert services.tokens.confirm(job.id, nonce) not in client.get(answer.location).get_data(as_text=True)
    again = send(job.id, "resend")
    assert again.status_code == 409 and "Please give it two minutes." in words(again)


def test_a_forged_link_does_nothing(client: FlaskClient) -> None:
    for action in ("withdraw", "reply", "resend"):
        assert client.post(f"/status/forged/{action}", data={"csrf_token": form_token(client)}).status_code == 404
    assert client.get("/status/forged/picture/0").status_code == 404


def test_after_a_withdrawal_staff_may_take_it_back(
    services: Services, make: MakeJob, send: Callable[..., TestResponse], post: PostAction
) -> None:
    job = make(Status.READY_TO_PRINT)
    send(job.id, "withdraw")
    assert post(job.id, "revert", reason="Clicked by mistake.").status_code == 303
    assert services.store.load(job.id).job.status is Status.UPLOADED
    act(services.store, job.id, "approve")
