"""However often a stranger presses what sends an e-mail, a mailbox gets the one that is due."""

from __future__ import annotations

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
