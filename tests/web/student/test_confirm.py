"""The links that students get by e-mail: what they show, what they do once, and what they say when they are over."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from html import unescape

import pytest
from flask import Flask
from flask.testing import FlaskClient
from itsdangerous import URLSafeSerializer
from werkzeug.test import TestResponse

from printsys.domain.status import Status
from printsys.jobstore import Stored
from printsys.services import Services
from printsys.texts import STATUS_TEXTS
from tests.factories import act, make_job
from tests.mirrored import mirrored_job
from tests.present import present
from tests.web.conftest import MakeJob, PastStore, PostAction, confirm_token, form_token, tree

AGES_AGO = timedelta(days=30)


@pytest.fixture
def link(services: Services) -> Callable[[str], str]:
    """The confirmation link that the newest e-mail of a job has."""

    def made(job_id: str) -> str:
        return f"/confirm/{confirm_token(services, services.store.load(job_id))}"

    return made


@pytest.fixture
def answer(client: FlaskClient) -> Callable[..., TestResponse]:
    def send(path: str, **fields: str) -> TestResponse:
        return client.post(path, data={"csrf_token": form_token(client)} | fields)

    return send


def text(response: TestResponse) -> str:
    """The words of a page."""
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.get_data(as_text=True))))


def types(stored: Stored) -> list[str]:
    return [event.type for event in stored.events]


# -- the status page --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", list(Status))
def test_the_status_page_says_where_a_job_is_in_the_students_words(
    client: FlaskClient, services: Services, make: MakeJob, status: Status
) -> None:
    stored = make(status)
    page = client.get(f"/status/{services.tokens.status(stored.id)}")
    assert page.status_code == 200
    words = text(page)
    assert STATUS_TEXTS[status].title in words and STATUS_TEXTS[status].explanation in words and stored.id in words
    assert "bracket v2.stl" in words and "Filament" in words and "True Red" in words
    assert "staff:" not in words and "Sam" not in words
    assert ("$4.27" in words) == (status not in (Status.UPLOADED, Status.REJECTED))
    if status is Status.REJECTED:
        assert present(services.lab.reason("too-thin")).text in words and "The walls are too thin." in words
    if status is Status.COMPLETED:
        assert services.lab.about.place in words and services.lab.about.hours in words
    if status is Status.PENDING:
        assert "link in our e-mail is good until" in words


def test_the_status_page_does_not_show_the_staffs_notes_or_the_confirmation_link(
    client: FlaskClient, services: Services, make: MakeJob, past_store: PastStore
) -> None:
    stored = make(Status.PENDING)
    act(past_store(timedelta(minutes=5)), stored.id, "notes", notes="A difficult customer")
    page = client.get(f"/status/{services.tokens.status(stored.id)}").get_data(as_text=True)
    assert "difficult" not in page and "/confirm/" not in page


def test_the_status_page_works_from_the_folder_alone(
    client: FlaskClient, services: Services, past_store: PastStore
) -> None:
    stored = make_job(past_store(timedelta(minutes=1)))  # the mirror never heard of it
    assert client.get(f"/status/{services.tokens.status(stored.id)}").status_code == 200


def test_the_status_link_of_a_deleted_job_explains_itself(
    client: FlaskClient, services: Services, make: MakeJob, past_store: PastStore
) -> None:
    stored = make()
    act(past_store(timedelta(minutes=1)), stored.id, "delete")
    page = client.get(f"/status/{services.tokens.status(stored.id)}")
    assert page.status_code == 404 and "There is no such job" in text(page)


# -- confirming and declining -----------------------------------------------------------------------------------------


def test_the_confirmation_page_shows_the_details_and_the_cost_and_changes_nothing(
    client: FlaskClient, services: Services, make: MakeJob, link: Callable[[str], str]
) -> None:
    stored = make(Status.PENDING)
    before = tree(stored.folder)
    for _ in range(2):  # mail programs look at links before people do
        page = client.get(link(stored.id))
        assert page.status_code == 200
        words = text(page)
        assert "Jane Doe" in words and "$4.27" in words and "42.7 g PLA" in words and "about 3.5 hours" in words
        assert services.lab.about.place in words and "Please decide by" in words
        assert "42.7 g at $0.10 a gram" in words and "Prusa MK4S" in words and "True Red" in words
        assert "After your yes it is in line for printing; now that takes about" in words
    assert tree(stored.folder) == before


def test_a_price_that_is_the_minimum_says_so(
    client: FlaskClient, services: Services, make: MakeJob, link: Callable[[str], str]
) -> None:
    stored = make()
    services.mirror.put(act(services.store, stored.id, "approve", weight_g="2"))
    words = text(client.get(link(stored.id)))
    assert "$3.00" in words and "That is our minimum charge: by its material it would cost less." in words


def test_the_labs_note_stands_beside_the_price(
    client: FlaskClient, services: Services, make: MakeJob, link: Callable[[str], str]
) -> None:
    stored = make()
    services.mirror.put(act(services.store, stored.id, "approve", note="We print it <flat>."))
    words = text(client.get(link(stored.id)))
    assert "From the lab: We print it <flat>." in words


def test_confirming_moves_the_folder_records_the_student_and_leads_to_the_status_page(
    client: FlaskClient,
    services: Services,
    make: MakeJob,
    link: Callable[[str], str],
    answer: Callable[..., TestResponse],
) -> None:
    stored = make(Status.PENDING)
    response = answer(link(stored.id), decision="confirm")
    assert response.status_code == 303
    assert STATUS_TEXTS[Status.READY_TO_PRINT].title in text(client.get(response.location))
    after = services.store.load(stored.id)
    assert after.folder == services.store.layout.status(Status.READY_TO_PRINT) / stored.folder.name
    assert not stored.folder.exists()
    assert after.events[-1].type == "StudentConfirmed" and after.events[-1].actor == "student"
    assert present(after.job.confirmation).confirmed_by == "student"
    assert present(mirrored_job(services.queries, stored.id)).job.status is Status.READY_TO_PRINT


@pytest.mark.parametrize("reason", ["", "Too dear for me."])
def test_declining_rejects_the_job_with_the_students_reason(
    services: Services, make: MakeJob, link: Callable[[str], str], answer: Callable[..., TestResponse], reason: str
) -> None:
    stored = make(Status.PENDING)
    assert answer(link(stored.id), decision="decline", reason=reason).status_code == 303
    after = services.store.load(stored.id)
    assert after.folder.parent.name == "Rejected" and "StudentDeclined" in types(after)
    assert present(after.job.rejection).reasons == ["declined"] and present(after.job.rejection).comment == reason
    assert present(after.job.rejection).by == "student"
    assert present(mirrored_job(services.queries, stored.id)).job.status is Status.REJECTED


@pytest.mark.parametrize("decision", ["", "maybe", "CONFIRM"])
def test_an_answer_that_is_none_is_asked_for_again(
    services: Services, make: MakeJob, link: Callable[[str], str], answer: Callable[..., TestResponse], decision: str
) -> None:
    stored = make(Status.PENDING)
    response = answer(link(stored.id), decision=decision)
    assert response.status_code == 422 and "Please choose whether we should print it" in text(response)
    assert services.store.load(stored.id).job.revision == stored.job.revision


@pytest.mark.parametrize("first", ["confirm", "decline"])
@pytest.mark.parametrize("second", ["confirm", "decline"])
def test_a_link_works_once_and_says_so_the_second_time(
    client: FlaskClient,
    services: Services,
    make: MakeJob,
    link: Callable[[str], str],
    answer: Callable[..., TestResponse],
    first: str,
    second: str,
) -> None:
    stored = make(Status.PENDING)
    used = link(stored.id)
    assert answer(used, decision=first).status_code == 303
    after = services.store.load(stored.id)
    for response in (client.get(used), answer(used, decision=second)):
        assert response.status_code == 410
        assert ("You confirmed this already" if first == "confirm" else "This link is no longer needed") in text(
            response
        )
        assert f"/status/{services.tokens.status(stored.id)}" in response.get_data(as_text=True)
    assert services.store.load(stored.id).job.revision == after.job.revision


@pytest.mark.parametrize("status", [Status.PRINTING, Status.COMPLETED, Status.PAID_PICKED_UP])
def test_a_link_of_a_job_that_has_moved_on_says_so(
    client: FlaskClient, make: MakeJob, link: Callable[[str], str], status: Status
) -> None:
    stored = make(status)
    page = client.get(link(stored.id))
    assert page.status_code == 410 and "You confirmed this already" in text(page)


def test_a_link_of_an_approval_that_was_taken_back_is_over(
    client: FlaskClient,
    services: Services,
    make: MakeJob,
    link: Callable[[str], str],
    answer: Callable[..., TestResponse],
    past_store: PastStore,
) -> None:
    stored = make(Status.PENDING)
    old = link(stored.id)
    act(past_store(timedelta(minutes=1)), stored.id, "revert")
    for response in (client.get(old), answer(old, decision="confirm"), answer(f"{old}/resend")):
        assert response.status_code == 410 and "took the approval back" in text(response)
    assert services.store.load(stored.id).folder.parent.name == "Uploaded"


def test_a_link_that_a_newer_one_replaced_is_over_and_the_newer_works(
    client: FlaskClient,
    services: Services,
    make: MakeJob,
    link: Callable[[str], str],
    answer: Callable[..., TestResponse],
    post: PostAction,
) -> None:
    stored = make(Status.PENDING)
    old = link(stored.id)
    assert post(stored.id, "resend-email").status_code == 303
    new = link(stored.id)
    assert new != old
    for response in (client.get(old), answer(old, decision="confirm"), answer(f"{old}/resend")):
        assert response.status_code == 410 and "replaced by a newer one" in text(response)
    assert services.store.load(stored.id).job.status is Status.PENDING
    assert answer(new, decision="confirm").status_code == 303


# -- links whose time is over -----------------------------------------------------------------------------------------


def test_an_expired_link_explains_itself_and_confirms_nothing(
    client: FlaskClient,
    services: Services,
    make: MakeJob,
    link: Callable[[str], str],
    answer: Callable[..., TestResponse],
) -> None:
    stored = make(Status.PENDING, ago=AGES_AGO)
    before = tree(stored.folder)
    old = link(stored.id)
    for response in (client.get(old), answer(old, decision="confirm"), answer(old, decision="decline")):
        assert response.status_code == 410
        assert "This link has expired" in text(response) and "Send me a new link" in text(response)
        assert f'action="{old}/resend"' in response.get_data(as_text=True)
    assert tree(stored.folder) == before


def test_an_expired_link_without_a_decision_is_explained_too(
    make: MakeJob, link: Callable[[str], str], answer: Callable[..., TestResponse]
) -> None:
    stored = make(Status.PENDING, ago=AGES_AGO)
    response = answer(link(stored.id))
    assert response.status_code == 410 and "This link has expired" in text(response)


def test_a_student_can_have_a_new_link_and_only_that_one_works(
    client: FlaskClient,
    services: Services,
    make: MakeJob,
    link: Callable[[str], str],
    answer: Callable[..., TestResponse],
) -> None:
    stored = make(Status.PENDING, ago=AGES_AGO)
    old = link(stored.id)
    response = answer(f"{old}/resend")
    assert response.status_code == 200 and "A new link is on its way" in text(response)
    after = services.store.load(stored.id)
    assert after.events[-1].type == "EmailQueued" and after.events[-1].data["mail"] == "approved"
    assert after.events[-1].actor == "student" and after.job.status is Status.PENDING
    new = link(stored.id)
    assert new not in response.get_data(as_text=True), "only the e-mail's owner may have it"
    assert client.get(old).status_code == 410 and client.get(new).status_code == 200
    assert answer(f"{old}/resend").status_code == 410
    assert answer(new, decision="confirm").status_code == 303


def test_new_links_are_not_sent_more_often_than_every_two_minutes(
    services: Services, make: MakeJob, link: Callable[[str], str], answer: Callable[..., TestResponse]
) -> None:
    stored = make(Status.PENDING, ago=timedelta(seconds=90))
    response = answer(f"{link(stored.id)}/resend")
    assert response.status_code == 409 and "give it two minutes" in text(response)
    assert services.store.load(stored.id).job.revision == stored.job.revision


def test_two_minutes_later_a_new_link_is_sent(
    make: MakeJob, link: Callable[[str], str], answer: Callable[..., TestResponse]
) -> None:
    stored = make(Status.PENDING, ago=timedelta(minutes=3))
    assert answer(f"{link(stored.id)}/resend").status_code == 200


@pytest.mark.parametrize("status", [Status.READY_TO_PRINT, Status.COMPLETED])
def test_no_new_link_is_sent_for_a_job_that_is_confirmed(
    services: Services, make: MakeJob, link: Callable[[str], str], answer: Callable[..., TestResponse], status: Status
) -> None:
    stored = make(status, ago=AGES_AGO)
    assert answer(f"{link(stored.id)}/resend").status_code == 410
    assert services.store.load(stored.id).job.revision == stored.job.revision


# -- links that this lab did not make ---------------------------------------------------------------------------------


def forgeries(services: Services, stored: Stored) -> dict[str, str]:
    nonce = present(present(stored.job.confirmation).nonce)
    good, status = services.tokens.confirm(stored.id, nonce), services.tokens.status(stored.id)
    payload, _, signature = good.rpartition(".")
    foreign = URLSafeSerializer("another key altogether", salt="confirm-link").dumps([stored.id, nonce])
    return {
        "truncated": good[:-1],
        "lengthened": good + "A",
        "without its signature": payload,
        "with an empty signature": payload + ".",
        "with another payload": f"{'A' + payload[1:]}.{signature}",
        "a status link": status,
        "another key": str(foreign),
        "the id alone": stored.id,
        "nonsense": "abc",
        "not ASCII": "ü.ü",
        "NUL": "a%00b.c",
        "very long": "a" * 5000,
    }


@pytest.mark.parametrize(
    "kind",
    [
        "truncated", "lengthened", "without its signature", "with an empty signature", "with another payload",
        "a status link", "another key", "the id alone", "nonsense", "not ASCII", "NUL", "very long",
    ],
)  # fmt: skip
def test_a_forged_confirmation_link_is_no_link_and_changes_nothing(
    client: FlaskClient, services: Services, make: MakeJob, answer: Callable[..., TestResponse], kind: str
) -> None:
    stored = make(Status.PENDING)
    before = tree(stored.folder)
    path = f"/confirm/{forgeries(services, stored)[kind]}"
    for response in (client.get(path), answer(path, decision="confirm"), answer(f"{path}/resend")):
        assert response.status_code == 404
        assert "This link does not work" in text(response)
    assert tree(stored.folder) == before


def test_a_confirmation_link_opens_no_status_page_and_a_forged_one_neither(
    client: FlaskClient, services: Services, make: MakeJob
) -> None:
    stored = make(Status.PENDING)
    confirm = confirm_token(services, stored)
    for token in (confirm, stored.id, services.tokens.status(stored.id)[:-2], "x.y"):
        assert client.get(f"/status/{token}").status_code == 404


def test_a_confirmation_without_its_csrf_token_changes_nothing(
    client: FlaskClient, services: Services, make: MakeJob, link: Callable[[str], str]
) -> None:
    stored = make(Status.PENDING)
    response = client.post(link(stored.id), data={"decision": "confirm"})
    assert response.status_code == 400 and "open for too long" in text(response)
    assert services.store.load(stored.id).job.status is Status.PENDING


def test_the_links_work_in_a_browser_that_never_saw_the_form(
    app: Flask, make: MakeJob, link: Callable[[str], str]
) -> None:
    stored = make(Status.PENDING)
    fresh = app.test_client()
    page = fresh.get(link(stored.id)).get_data(as_text=True)
    token = present(re.search(r'name="csrf_token" value="([^"]+)"', page)).group(1)
    assert fresh.post(link(stored.id), data={"csrf_token": token, "decision": "confirm"}).status_code == 303
