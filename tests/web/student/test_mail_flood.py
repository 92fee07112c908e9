"""However often a stranger presses what sends an e-mail, a mailbox gets the one that is due."""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient

from printsys.domain.events import EventType
from printsys.domain.links import resubmission_key
from printsys.domain.status import Status
from printsys.jobstore import Stored
from printsys.services import Services
from printsys.web.student.receipt_limit import EXTENSION, ReceiptLimit
from tests.factories import FORM, change_lab
from tests.present import present
from tests.web.conftest import MakeJob, Submit, confirm_token, form_token

PRESSES = 12


def queued(services: Services, job: Stored) -> int:
    return sum(event.type == EventType.EMAIL_QUEUED for event in services.store.load(job.id).events)


def press(app: Flask, path: str, fields: dict[str, str]) -> list[int]:
    """From as many browsers at once; the answers' codes."""
    clients = [app.test_client() for _ in range(PRESSES)]
    tokens = [form_token(client) for client in clients]

    def send(client: FlaskClient, token: str) -> int:
        return client.post(path, data=fields | {"csrf_token": token}).status_code

    with ThreadPoolExecutor(4) as threads:
        return list(threads.map(send, clients, tokens))


def resend(services: Services, job: Stored) -> str:
    return f"/confirm/{confirm_token(services, job)}/resend"


def resubmit(services: Services, job: Stored) -> str:
    return f"/resubmit/{services.tokens.resubmit(job.id, present(resubmission_key(job.job)))}"


@pytest.mark.parametrize(
    ("status", "link", "fields"),
    [(Status.PENDING, resend, {}), (Status.REJECTED, resubmit, FORM | {"color": "Blue"})],
    ids=["resend", "resubmit"],
)
def test_a_link_that_sends_a_mail_sends_one(
    app: Flask,
    services: Services,
    make: MakeJob,
    status: Status,
    link: Callable[[Services, Stored], str],
    fields: dict[str, str],
) -> None:
    """The next link is in that mail, so nobody but its owner has it."""
    job = make(status, ago=timedelta(days=30))
    before, path = queued(services, job), link(services, job)
    codes = press(app, path, fields) + press(app, path, fields)
    assert queued(services, job) == before + 1
    assert sorted({code for code in codes if code < 400}) in ([200], [303]) and max(codes) < 504
    assert sum(code < 400 for code in codes) == 1


@pytest.mark.parametrize(
    "address", ["Victim@example.edu", "victim+1@example.edu", "victim+print+lab@EXAMPLE.edu", "VICTIM+@example.edu"]
)
def test_other_spellings_of_an_address_are_the_same_mailbox(
    app: Flask, services: Services, submit: Submit, address: str
) -> None:
    change_lab(services.lab, "mail", most_receipts_an_hour=2)
    object.__setattr__(services.settings, "submit_limit", 200)
    app.extensions[EXTENSION] = ReceiptLimit(services)
    for email in ("victim@example.edu", "victim@example.edu", address):
        assert submit(student_email=email).status_code in (303, 422)
    jobs = [services.store.load(job_id) for job_id, _ in services.store.ids()]
    assert sum(queued(services, job) for job in jobs) == 2


# -- the same limit for whatever a student causes ---------------------------------------------------------------------


def status_page(action: str) -> Callable[[Services, Stored], str]:
    return lambda services, job: f"/status/{services.tokens.status(job.id)}/{action}"


@pytest.mark.parametrize(
    ("status", "path", "fields", "code", "is_to_lab"),
    [
        (Status.UPLOADED, status_page("resend"), {}, 409, False),
        (Status.PENDING, status_page("resend"), {}, 409, False),
        (Status.PENDING, resend, {}, 409, False),
        (Status.UPLOADED, status_page("withdraw"), {}, 303, False),
        (Status.REJECTED, resubmit, FORM | {"color": "Blue"}, 303, False),
        (Status.PRINTING, status_page("reply"), {"message": "Is it done?"}, 303, True),
    ],
    ids=["resend receipt", "resend link", "new link", "withdraw", "resubmit", "reply"],
)
def test_an_address_that_got_too_many_gets_none_of_it(
    app: Flask,
    services: Services,
    client: FlaskClient,
    make: MakeJob,
    status: Status,
    path: Callable[[Services, Stored], str],
    fields: dict[str, str],
    code: int,
    is_to_lab: bool,
) -> None:
    """What the student does is recorded all the same, where it is more than the e-mail."""
    job = make(status, ago=timedelta(days=1))
    address = services.lab.about.contact_email if is_to_lab else present(job.job.student.email)
    limit = full_for(app, services, address)
    before = queued(services, job)
    answer = client.post(path(services, job), data=fields | {"csrf_token": form_token(client)})
    assert answer.status_code == code and queued(services, job) == before
    has_step = services.store.load(job.id).job.revision > job.job.revision
    assert has_step == (code == 303)
    is_offered = code == 409 and status is Status.PENDING
    assert ("got so many e-mails from us within the hour" in answer.get_data(as_text=True)) == is_offered
    assert limit.may_send("somebody.else@example.edu")


def full_for(app: Flask, services: Services, address: str) -> ReceiptLimit:
    change_lab(services.lab, "mail", most_receipts_an_hour=1)
    object.__setattr__(services.settings, "submit_limit", 200)
    limit = app.extensions[EXTENSION] = ReceiptLimit(services)
    assert limit.may_send(address) and not limit.may_send(address)
    return limit


def test_messages_about_many_jobs_do_not_fill_the_labs_mailbox(
    app: Flask, services: Services, client: FlaskClient, make: MakeJob
) -> None:
    jobs = [make() for _ in range(4)]
    before = sum(queued(services, job) for job in jobs)
    change_lab(services.lab, "mail", most_receipts_an_hour=3)
    object.__setattr__(services.settings, "submit_limit", 200)
    app.extensions[EXTENSION] = ReceiptLimit(services)
    values = {"csrf_token": form_token(client), "message": "Is it done?"}
    answers = [client.post(status_page("reply")(services, job), data=values) for job in jobs]
    assert [answer.status_code for answer in answers] == [303] * 4
    assert sum(queued(services, job) for job in jobs) == before + 3
    assert "Is it done?" in client.get(answers[-1].location).get_data(as_text=True)


def test_who_corrects_an_address_reads_how_long_to_wait(
    app: Flask, services: Services, client: FlaskClient, submit: Submit
) -> None:
    job_id = submit(student_email="jane@example.edu").location.rpartition("=")[2]
    full_for(app, services, "victim@example.edu")
    values = {"csrf_token": form_token(client), "job": job_id, "student_email": "victim@example.edu"}
    refused = client.post("/submit/address", data=values)
    minutes = math.ceil(int(refused.headers["Retry-After"]) / 60)
    assert refused.status_code == 429 and minutes > 30
    assert f"Please wait {minutes} minutes and try again." in refused.get_data(as_text=True)
