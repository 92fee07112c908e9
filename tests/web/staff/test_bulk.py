"""One action for several ticked jobs: each says what was done with it, or why nothing was."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html import unescape

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from printsys.domain import workflow
from printsys.domain.lab_today import LabToday, Note
from printsys.domain.status import Status
from printsys.jobstore import Stored
from printsys.jobstore.lab_today import change_lab_today
from printsys.services import Services
from printsys.web.staff.bulk import ACTIONS, HAND_OUT, TICKET, bulk_buttons
from tests.factories import act
from tests.present import present
from tests.web.conftest import MakeJob, form_token, token_in
from tests.web.staff.test_dashboard import text


def ticks(*jobs: Stored) -> list[str]:
    return [f"{job.id}:{job.job.revision}" for job in jobs]


def bulk(staff: FlaskClient, action: str, *jobs: Stored, **fields: str) -> TestResponse:
    data = {"csrf_token": form_token(staff, "/logout"), "job": ticks(*jobs)} | fields
    return staff.post(f"/dashboard/bulk/{action}", data=data)


def statuses(services: Services, *jobs: Stored) -> list[Status]:
    return [services.store.load(job.id).job.status for job in jobs]


def test_all_ticked_jobs_are_started_and_each_says_so(staff: FlaskClient, services: Services, make: MakeJob) -> None:
    jobs = [make(Status.READY_TO_PRINT, name=name) for name in ("Ann Lee", "Bo Roe")]
    left = make(Status.READY_TO_PRINT)
    page = bulk(staff, "start", *jobs)
    assert page.status_code == 200 and "Start printing: 2 of 2 jobs" in text(page)
    assert "Ann Lee's job is now Printing." in text(page) and "Bo Roe's job is now Printing." in text(page)
    assert statuses(services, *jobs, left) == [Status.PRINTING, Status.PRINTING, Status.READY_TO_PRINT]


def test_no_ticked_job_is_started_on_a_printer_that_is_down(
    staff: FlaskClient, services: Services, make: MakeJob
) -> None:
    down, up = make(Status.READY_TO_PRINT), make(Status.READY_TO_PRINT, printer="prusa-xl")
    note = Note(since=datetime.now(UTC))
    change_lab_today(services.store, lambda today: LabToday(printers_down={"prusa-mk4s": note}))
    page = bulk(staff, "start", down, up)
    assert "Start printing: 1 of 2 jobs" in text(page) and "The Prusa MK4S is down." in text(page)
    assert statuses(services, down, up) == [Status.READY_TO_PRINT, Status.PRINTING]


@pytest.mark.parametrize("revision", ["", "x", "²", "9" * 5000])
def test_a_revision_that_is_no_number_has_a_sentence(staff: FlaskClient, make: MakeJob, revision: str) -> None:
    job = make(Status.READY_TO_PRINT)
    data = {"csrf_token": form_token(staff, "/logout"), "revision": revision, "job": f"{job.id}:{revision}"}
    for address in (f"/dashboard/jobs/{job.id}/start", "/dashboard/bulk/start"):
        page = staff.post(address, data=data)
        assert page.status_code == 422 and "Please reload it." in text(page)


def test_a_job_that_cannot_take_the_action_says_why_and_delays_no_other(
    staff: FlaskClient, services: Services, make: MakeJob
) -> None:
    ready, uploaded, changed = make(Status.READY_TO_PRINT), make(name="Up Loaded"), make(Status.READY_TO_PRINT)
    act(services.store, changed.id, "notes")
    gone = make(Status.READY_TO_PRINT)
    act(services.store, gone.id, "delete")
    page = bulk(staff, "start", changed, uploaded, gone, ready)
    assert "Start printing: 1 of 4 jobs" in text(page) and text(page).count("Not done.") == 3
    assert "needs a job that is “Ready to print”" in text(page)
    assert statuses(services, ready, uploaded, changed) == [
        Status.PRINTING, Status.UPLOADED, Status.READY_TO_PRINT
    ]  # fmt: skip
    assert "Undo all of it" not in text(page), "one click takes back all or nothing"


def test_one_click_takes_all_of_it_back(staff: FlaskClient, services: Services, make: MakeJob) -> None:
    jobs = [make(Status.READY_TO_PRINT) for _ in range(2)]
    page = bulk(staff, "start", *jobs).get_data(as_text=True)
    form = present(re.search(r'<form method="post" action="/dashboard/bulk/revert".*?</form>', page, re.S)).group()
    chosen = [unescape(value) for value in re.findall(r'name="job" value="([^"]+)"', form)]
    data = {"csrf_token": token_in(form), "job": chosen, "reason": "Undone right after the click."}
    undone = staff.post("/dashboard/bulk/revert", data=data)
    assert "Undo: 2 of 2 jobs" in text(undone) and "Undo all of it" not in text(undone)
    assert statuses(services, *jobs) == [Status.READY_TO_PRINT] * 2


@pytest.mark.parametrize(
    ("action", "status", "event"),
    [
        ("review", Status.UPLOADED, "Reviewed"),
        ("complete", Status.PRINTING, "EmailQueued"),
        ("archive", Status.REJECTED, "JobArchived"),
        ("resend-email", Status.COMPLETED, "EmailQueued"),
    ],
)
def test_each_action_of_the_list_is_recorded_in_each_job(
    staff: FlaskClient, services: Services, make: MakeJob, action: str, status: Status, event: str
) -> None:
    jobs = [make(status) for _ in range(2)]
    assert "2 of 2 jobs" in text(bulk(staff, action, *jobs))
    for job in jobs:
        after = services.store.load(job.id)
        assert after.events[-1].type == event and len(after.events) > len(job.events)


@pytest.mark.parametrize(
    "action", [*sorted({step.action for step in workflow.STEPS} - {*ACTIONS, HAND_OUT, "revert"}), "none"]
)
def test_what_asks_something_of_each_job_is_not_done_in_bulk(
    staff: FlaskClient, services: Services, make: MakeJob, action: str
) -> None:
    job = make()
    assert bulk(staff, action, job).status_code == 404
    assert services.store.load(job.id).events == job.events


def test_nothing_ticked_does_nothing_and_says_so(staff: FlaskClient) -> None:
    assert "No job was ticked" in text(bulk(staff, "start"))


@pytest.mark.parametrize("tick", ["", ":", "k7m29xq4", "k7m29xq4:x", "../../etc:1"])
def test_a_tick_that_no_page_of_ours_makes_changes_nothing(staff: FlaskClient, tick: str) -> None:
    data = {"csrf_token": form_token(staff, "/logout"), "job": [tick]}
    answer = staff.post("/dashboard/bulk/start", data=data)
    assert answer.status_code in (200, 422) and "is now Printing" not in text(answer)


def test_the_list_offers_what_its_status_allows_and_ticks_only_where_something_is(
    staff: FlaskClient, make: MakeJob
) -> None:
    offered = {status: [button.action for button in bulk_buttons(status)] for status in Status}
    assert offered[Status.UPLOADED] == ["review", "resend-email", TICKET]
    assert offered[Status.READY_TO_PRINT] == ["start", TICKET]
    assert offered[Status.PRINTING] == ["complete", TICKET]
    assert offered[Status.COMPLETED] == [HAND_OUT, "resend-email", TICKET]
    assert offered[Status.REJECTED] == ["archive", "resend-email"]
    assert offered[Status.ARCHIVED] == []
    assert [button.action for button in bulk_buttons(None)] == [HAND_OUT, *ACTIONS, TICKET]
    for status in (Status.READY_TO_PRINT, Status.ARCHIVED):
        job = make(status)
        page = staff.get(f"/dashboard?status={status}").get_data(as_text=True)
        assert (f'form="bulk" name="job" value="{job.id}:{job.job.revision}"' in page) is bool(offered[status])
        assert (f'formaction="/dashboard/bulk/start?status={status}"' in page) is (status is Status.READY_TO_PRINT)


def test_tickets_of_all_ticked_jobs_are_one_page(staff: FlaskClient, make: MakeJob) -> None:
    jobs = [make(), make(Status.PRINTING)]
    answer = bulk(staff, TICKET, *jobs)
    assert (answer.status_code, answer.location) == (303, f"/dashboard/tickets?job={jobs[0].id}&job={jobs[1].id}")
    assert "2 tickets" in text(staff.get(present(answer.location)))


def ticked_at_the_counter(page: TestResponse) -> dict[str, bool]:
    """The ids of the jobs on the counter's page, and whether they are ticked."""
    boxes = re.findall(
        r'type="checkbox" name="job" id="job-(\w+)" value="[^"]+"( checked)?', page.get_data(as_text=True)
    )
    return {job_id: bool(checked) for job_id, checked in boxes}


def test_handing_out_leads_to_the_counter_with_these_jobs_ticked_and_says_which_cannot_be(
    staff: FlaskClient, services: Services, make: MakeJob
) -> None:
    first, second, third = (make(Status.COMPLETED) for _ in range(3))
    printing = make(Status.PRINTING, name="Pat Print")
    answer = bulk(staff, HAND_OUT, first, third, printing)
    assert answer.status_code == 303
    page = staff.get(present(answer.location))
    assert ticked_at_the_counter(page) == {first.id: True, second.id: False, third.id: True}
    assert f"Pat Print's job {printing.id} cannot be handed out: " in text(page)
    assert "needs a job that is Completed; this one is Printing." in text(page)
    amount = re.search(r'id="amount" name="amount" value="([^"]*)"', page.get_data(as_text=True))
    assert present(amount).group(1) == "8.54", "of the ticked ones"
    assert statuses(services, first, third) == [Status.COMPLETED] * 2, "nothing is paid yet"


def test_jobs_of_several_students_are_handed_out_one_student_after_the_other(staff: FlaskClient, make: MakeJob) -> None:
    ann = [make(Status.COMPLETED, name="Ann Lee", email="ann@example.edu") for _ in range(2)]
    bo = make(Status.COMPLETED, name="Bo Roe", email="bo@example.edu")
    make(Status.COMPLETED, name="Cy Poe", email="cy@example.edu")
    page = staff.get(present(bulk(staff, HAND_OUT, ann[0], bo).location))
    assert "Ann Lee" in text(page) and "Bo Roe" in text(page) and "Cy Poe" not in text(page)
    links = [
        unescape(link) for link in re.findall(r'<li><a href="(/dashboard/counter[^"]+)"', page.get_data(as_text=True))
    ]
    of_ann = next(link for link in links if "ann" in link)
    assert ticked_at_the_counter(staff.get(of_ann)) == {ann[0].id: True, ann[1].id: False}


def test_nothing_that_can_be_handed_out_leads_nowhere(staff: FlaskClient, make: MakeJob) -> None:
    page = bulk(staff, HAND_OUT, make(name="Up Loaded"))
    assert page.status_code == 200 and "0 of 1 job" in text(page) and "Not done." in text(page)
