"""Staff see what is owed, sent and failed, what stands in the way, and whether anybody works at it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from printsys.domain import emails
from printsys.domain.job import Status, format_time
from printsys.jobstore import JobStore, Stored
from printsys.ops import heartbeat
from printsys.ops.heartbeat import Pulse, Trouble
from printsys.services import House
from tests.web.conftest import form_token
from tests.worlds import act, sync

NOW = datetime.now(UTC)
ANSWER = "550 5.1.1 no such user here"


def fail(house: House, stored: Stored, answer: str = ANSWER) -> Stored:
    """The worker gives up every mail that the job owes."""
    return house.actions.record(
        stored.id, lambda now: [emails.failed(mail, answer) for mail in emails.owed(now.events, now.id)]
    )


def settle(house: House, stored: Stored) -> Stored:
    return house.actions.record(
        stored.id, lambda now: [emails.sent(mail, "<x@y>") for mail in emails.owed(now.events, now.id)]
    )


def text(client: FlaskClient, path: str) -> str:
    return " ".join(client.get(path).get_data(as_text=True).split())


def fix(staff: FlaskClient, house: House, name: str) -> TestResponse:
    [one] = house.queries.attention()
    said = {"csrf_token": form_token(staff, "/logout"), "kind": one.kind, "folder": one.folder, "fix": name}
    return staff.post("/dashboard/attention", data=said)


@pytest.fixture
def failed(house: House, make) -> Stored:
    stored = fail(house, make(Status.PENDING))
    sync(house.store, house.mirror)
    return stored


def queued(house: House, stored: Stored) -> list[tuple[str, str]]:
    events = house.store.load(stored.id).events
    return [(e.data["mail"], e.data["to"]) for e in events if e.type == "EmailQueued" and e.seq > stored.job.revision]


# -- failed -----------------------------------------------------------------------------------------------------------


def test_a_failed_e_mail_needs_a_person_and_says_what_the_server_said(staff: FlaskClient, failed: Stored) -> None:
    page = text(staff, "/dashboard/attention")
    assert ANSWER in page and "jane@example.edu" in page
    assert "Send it again" in page and f"/dashboard/jobs/{failed.id}/details" in page
    assert ANSWER in text(staff, f"/dashboard/jobs/{failed.id}"), "the job's history has it too"


def test_send_it_again_puts_it_in_line_and_settles_the_matter(staff: FlaskClient, house: House, failed: Stored) -> None:
    assert fix(staff, house, "resend-mail").status_code == 303
    assert sorted(queued(house, failed)) == [("approved", "jane@example.edu"), ("received", "jane@example.edu")]
    assert house.queries.attention() == []
    sync(house.store, house.mirror)
    assert house.queries.attention() == []


def test_after_a_new_address_it_goes_there(staff: FlaskClient, house: House, post, failed: Stored) -> None:
    assert post(failed.id, "details", student_email="jd@example.edu").status_code == 303
    sync(house.store, house.mirror)
    fix(staff, house, "resend-mail")
    assert {to for _, to in queued(house, failed)} == {"jd@example.edu"}


def test_failing_again_raises_it_again(staff: FlaskClient, house: House, failed: Stored) -> None:
    fix(staff, house, "resend-mail")
    fail(house, failed, "552 mailbox full")
    sync(house.store, house.mirror)
    assert any("552 mailbox full" in one.sentence for one in house.queries.attention())


def test_what_the_student_needs_no_more_needs_nobody(house: House, make) -> None:
    stored = fail(house, make(Status.COMPLETED))
    act(house.store, stored.id, "pickup")
    sync(house.store, house.mirror)
    assert not any("completed" in one.sentence for one in house.queries.attention())


def test_the_whole_list_of_e_mails_stands_in_the_history(staff: FlaskClient, house: House, make) -> None:
    stored = settle(house, make(Status.PENDING))
    page = text(staff, f"/dashboard/jobs/{stored.id}")
    assert "put in line: the price and the confirmation link" in page
    assert "E-mail sent to jane@example.edu: the price and the confirmation link" in page


# -- waiting ----------------------------------------------------------------------------------------------------------


def beat(house: House, **said: object) -> None:
    heartbeat.write(house.settings, Pulse(**({"at": datetime.now(UTC), "pid": 1, "queue": 0} | said)))


def test_a_queue_that_is_down_is_said(staff: FlaskClient, house: House) -> None:
    beat(house, queue=None)
    health = staff.get("/healthz").get_json()
    assert (health["status"], health["components"]["worker"]) == ("degraded", "queue down")
    assert "The task queue (the Redis of REDIS_URL, or queue.db in the instance) is down" in text(staff, "/dashboard")


def test_the_health_tells_of_worker_queue_and_the_oldest_owed_mail(client: FlaskClient, house: House, make) -> None:
    assert client.get("/healthz").json["components"]["worker"] == "down"
    stored = make(ago=timedelta(hours=3))
    error = Trouble(NOW, "451 (an address) not now", stored.id)
    beat(house, queue=7, error=error, trying=(error,), sent_at=NOW)
    health = client.get("/healthz").json
    assert health["status"] == "ok" and health["components"]["worker"] == "ok"
    asked = next(event.at for event in stored.events if event.type == "EmailQueued")
    assert health["mail"]["owed"] == 1 and health["mail"]["oldest_owed_at"] == format_time(asked)
    assert health["mail"]["queue"] == 7 and health["mail"]["last_error"]["words"] == "451 (an address) not now"
    settle(house, stored)
    health = client.get("/healthz").json
    assert health["mail"]["owed"] == 0 and health["mail"]["oldest_owed_at"] is None


def test_the_health_names_nobody(client: FlaskClient, house: House, make) -> None:
    stored = make(name="Ada Byron", email="ada@example.edu")
    beat(house, error=Trouble(NOW, "451 not now", stored.id))
    said = client.get("/healthz").get_data(as_text=True)
    assert "ada" not in said.lower() and stored.id not in said


@pytest.mark.parametrize(("age_s", "alive"), [(0, True), (50, True), (70, False), (86_400, False)])
def test_a_worker_is_alive_as_long_as_it_says_so(client: FlaskClient, house: House, age_s: int, alive: bool) -> None:
    beat(house, at=datetime.now(UTC) - timedelta(seconds=age_s))
    assert client.get("/healthz").json["components"]["worker"] == ("ok" if alive else "down")


@pytest.mark.parametrize("written", [b"", b"{", b'{"at": 5}', b"\xff\xfe"])
def test_a_sign_of_life_that_is_none_is_no_worker(client: FlaskClient, house: House, written: bytes) -> None:
    heartbeat.place(house.settings).write_bytes(written)
    assert client.get("/healthz").json["components"]["worker"] == "down"


def test_the_dashboard_says_when_nobody_works_and_when_mail_is_held_up(staff: FlaskClient, house: House, make) -> None:
    stored = make(ago=timedelta(hours=3, minutes=10))
    assert "The worker has not been seen" in text(staff, "/dashboard")
    beat(house)
    page = text(staff, "/dashboard")
    assert (
        "The worker is running, no task waits for it." in page
        and "1 e-mail waits to be sent, the oldest for 3 h." in page
    )
    assert "The oldest e-mail has been waiting for 3 h." in page
    beat(house, trying=(Trouble(NOW, "451 not now", stored.id),))
    assert "E-mail is held up and tried again. The last answer was: 451 not now" in text(staff, "/dashboard")
    assert "is tried again: 451 not now" in text(staff, f"/dashboard/jobs/{stored.id}")
    settle(house, stored)
    beat(house)
    page = text(staff, "/dashboard")
    assert "No e-mail waits." in page and "held up" not in page and 'class="alert' not in page


@pytest.mark.parametrize(("queue", "said"), [(1, "1 task waits"), (7, "7 tasks wait")])
def test_the_dashboard_says_what_the_worker_has_before_it_and_met_last(
    staff: FlaskClient, house: House, queue: int, said: str
) -> None:
    beat(house, queue=queue, error=Trouble(NOW, "550 no (an address)", "abc"))
    page = text(staff, "/dashboard")
    assert f"The worker is running, {said} for it. The last e-mail did not go out (" in page
    assert "): 550 no (an address)" in page and "not been seen" not in page


def test_without_a_mail_server_the_dashboard_says_where_e_mails_go(staff: FlaskClient, house: House) -> None:
    assert str(house.settings.instance / "outbox") in text(staff, "/dashboard")


# -- cool-down --------------------------------------------------------------------------------------------------------


def test_staff_too_wait_two_minutes_before_an_e_mail_goes_again(house: House, make, post) -> None:
    stored = make(Status.PENDING, ago=timedelta(seconds=90))
    answer = post(stored.id, "resend-email")
    assert answer.status_code == 409 and "give it two minutes" in answer.get_data(as_text=True)
    assert house.store.load(stored.id).job.revision == stored.job.revision
    later = make(Status.PENDING, ago=timedelta(minutes=3))
    assert post(later.id, "resend-email").status_code == 303


@pytest.mark.parametrize("why", ["it failed", "the address is another"])
def test_an_e_mail_that_did_not_reach_anybody_goes_again_at_once(house: House, make, post, why: str) -> None:
    stored = make(Status.PENDING, ago=timedelta(seconds=90))
    if why == "it failed":
        fail(house, stored)
    else:
        post(stored.id, "details", student_email="jd@example.edu")
    assert post(stored.id, "resend-email").status_code == 303


def test_a_student_without_mail_is_confirmed_at_the_desk(
    house: House, post, past_store: Callable[[timedelta], JobStore], make
) -> None:
    stored = make(Status.PENDING)
    assert post(stored.id, "confirm", reason="").status_code == 422
    assert post(stored.id, "confirm", reason="Said yes at the desk.").status_code == 303
    after = house.store.load(stored.id)
    assert after.job.status is Status.READY_TO_PRINT and after.job.confirmation.confirmed_by == "staff"
    assert any(e.data.get("reason") == "Said yes at the desk." for e in after.events)


def test_a_job_whose_files_were_given_up_is_said_and_can_be_tried_again(
    staff: FlaskClient, house: House, make: Callable[..., Stored]
) -> None:
    job, asked = make(), list[str]()
    object.__setattr__(house.actions, "look", asked.append)
    why = Trouble(NOW, "RecursionError: too deep", job.id)
    beat(house, sidelined=(why,))
    assert f'href="/dashboard/jobs/{job.id}">job {job.id}</a> are not looked into any more' in text(staff, "/dashboard")
    page = text(staff, f"/dashboard/jobs/{job.id}")
    assert "RecursionError: too deep" in page and "Try again" in page
    assert staff.get("/healthz").get_json()["mail"]["sidelined"] == 1
    token = form_token(staff, "/logout")
    answer = staff.post(f"/dashboard/jobs/{job.id}/look-again", data={"csrf_token": token})
    assert answer.status_code == 303 and asked == [job.id]
