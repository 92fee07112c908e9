"""The address is the only thread to a student: it is shown, a slip is asked about, and the student can correct it."""

from __future__ import annotations

from html import unescape

import pytest
from flask import Flask
from flask.testing import FlaskClient

from printsys.domain import emails
from printsys.domain.email_hints import likely_address
from printsys.services import Services
from printsys.web.student.receipt_limit import EXTENSION, ReceiptLimit
from tests.factories import change_lab
from tests.web.conftest import PostAction, Submit, form_token

EXPECTED = ["example.edu", "gmail.com", "outlook.com"]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("jane@gmial.com", "jane@gmail.com"),
        ("jane@gmail.co", "jane@gmail.com"),
        ("Jane.Doe@exmaple.edu", "Jane.Doe@example.edu"),
        ("jane@OUTLOK.com", "jane@outlook.com"),
        ("jane@gmail.com", None),
        ("jane@Example.EDU", None),
        ("jane@university.org", None),
        ("jane@bücher.example", None),
        ("", None),
    ],
)
def test_a_slip_of_the_finger_is_asked_about(typed: str, meant: str | None) -> None:
    """FAULTS S10."""
    assert likely_address(typed, EXPECTED) == meant


def success_page(client: FlaskClient, submit: Submit, email: str) -> tuple[str, str]:
    location = submit(student_email=email).location
    return location.rpartition("=")[2], unescape(client.get(location).get_data(as_text=True))


def test_the_address_is_shown_and_a_likely_one_proposed(client: FlaskClient, submit: Submit) -> None:
    _, page = success_page(client, submit, "jane@gmial.com")
    assert '<strong class="address">jane@gmial.com</strong>' in page
    assert "Did you mean <strong>jane@gmail.com</strong>?" in page and 'value="jane@gmail.com"' in page
    _, page = success_page(client, submit, "joe@example.edu")
    assert "Did you mean" not in page and "Wrong address? Correct it" in page


def test_a_corrected_address_gets_the_receipt(client: FlaskClient, submit: Submit, services: Services) -> None:
    job_id, _ = success_page(client, submit, "jane@gmial.com")
    values = {"csrf_token": form_token(client), "job": job_id, "student_email": "jane@gmail.com"}
    answer = client.post("/submit/address", data=values)
    assert answer.status_code == 303 and answer.location == f"/submit/success?job={job_id}"
    stored = services.store.load(job_id)
    assert stored.job.student.email == "jane@gmail.com"
    assert [(event.type, event.actor) for event in stored.events[-2:]] == [
        ("DetailsEdited", "student"),
        ("EmailQueued", "student"),
    ]
    assert stored.events[-1].data == {"mail": "received", "to": "jane@gmail.com"}
    again = client.post("/submit/address", data=values)
    assert again.status_code == 303 and services.store.load(job_id).job.revision == stored.job.revision


def test_what_is_no_address_keeps_the_old_one(client: FlaskClient, submit: Submit, services: Services) -> None:
    job_id, _ = success_page(client, submit, "jane@example.edu")
    values = {"csrf_token": form_token(client), "job": job_id, "student_email": "jane"}
    answer = client.post("/submit/address", data=values)
    assert answer.status_code == 422 and "like jane@example.edu" in answer.get_data(as_text=True)
    assert services.store.load(job_id).job.student.email == "jane@example.edu"


def test_only_the_browser_that_submitted_corrects_and_only_until_staff_answered(
    app: Flask, client: FlaskClient, submit: Submit, services: Services, post: PostAction
) -> None:
    job_id, _ = success_page(client, submit, "jane@example.edu")
    stranger = app.test_client()
    values = {"job": job_id, "student_email": "mallory@example.edu"}
    answer = stranger.post("/submit/address", data=values | {"csrf_token": form_token(stranger)})
    assert answer.status_code == 404
    post(job_id, "reject", comment="Too thin.")
    late = client.post("/submit/address", data=values | {"csrf_token": form_token(client)})
    assert late.status_code == 409 and "We have answered already" in late.get_data(as_text=True)
    assert services.store.load(job_id).job.student.email == "jane@example.edu"


def test_nobodys_mailbox_is_filled_with_receipts(
    app: Flask, client: FlaskClient, submit: Submit, services: Services
) -> None:
    """FAULTS S7: a prankster submits with somebody else's address. The request is taken, whoever sent it."""
    change_lab(services.lab, "mail", most_receipts_an_hour=3)
    object.__setattr__(services.settings, "submit_limit", 200)
    app.extensions[EXTENSION] = ReceiptLimit(services)
    pages = [
        success_page(client, submit, email)[1] for email in ["victim@example.edu"] * 3 + ["Victim@Example.edu"] * 2
    ]
    pages.append(success_page(client, submit, "jane@example.edu")[1])
    owed = [
        mail.to
        for job_id, _ in services.store.ids()
        for mail in emails.owed(services.store.load(job_id).events, job_id)
    ]
    assert sorted(address.casefold() for address in owed) == ["jane@example.edu"] + ["victim@example.edu"] * 3
    assert ["Please note it down" in page for page in pages] == [False] * 3 + [True] * 2 + [False]
    job_id, _ = success_page(client, submit, "joe@example.edu")
    values = {"csrf_token": form_token(client), "job": job_id, "student_email": "victim@example.edu"}
    assert client.post("/submit/address", data=values).status_code == 429, "nor by correcting an address"
