"""Staff see which e-mails wait, went out and failed, why, and whether the worker runs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from printsys.domain import emails
from printsys.domain.job import format_time
from printsys.domain.status import Status
from printsys.jobstore import JobStore, Stored
from printsys.ops import heartbeat
from printsys.ops.heartbeat import Heartbeat, IndexerHeartbeat, Problem
from printsys.services import Services
from tests.factories import act, sync
from tests.present import present
from tests.web.conftest import MakeJob, PostAction, form_token, json_of

NOW = datetime.now(UTC)
ANSWER = "550 5.1.1 no such user here"


def fail(services: Services, stored: Stored, answer: str = ANSWER) -> Stored:
    """The worker gives up every mail that the job owes."""
    return services.actions.record(
        stored.id, lambda now: [emails.failed(mail, answer) for mail in emails.owed(now.events, now.id)]
    )


def settle(services: Services, stored: Stored) -> Stored:
    return services.actions.record(
        stored.id, lambda now: [emails.sent(mail, "<x@y>") for mail in emails.owed(now.events, now.id)]
    )


def text(client: FlaskClient, path: str) -> str:
    return " ".join(client.get(path).get_data(as_text=True).split())


def fix(staff: FlaskClient, services: Services, name: str) -> TestResponse:
    [item] = services.queries.attention()
    fields = {"csrf_token": form_token(staff, "/logout"), "kind": item.kind, "folder": item.folder, "fix": name}
    return staff.post("/dashboard/attention", data=fields)


@pytest.fixture
def failed(services: Services, make: MakeJob) -> Stored:
    stored = fail(services, make(Status.PENDING))
    sync(services.store, services.mirror)
    return stored


def queued(services: Services, stored: Stored) -> list[tuple[str, str]]:
    events = services.store.load(stored.id).events
    return [(e.data["mail"], e.data["to"]) for e in events if e.type == "EmailQueued" and e.seq > stored.job.revision]


# -- failed -----------------------------------------------------------------------------------------------------------


def test_a_failed_e_mail_needs_a_person_and_says_what_the_server_said(staff: FlaskClient, failed: Stored) -> None:
    page = text(staff, "/dashboard/attention")
    assert ANSWER in page and "jane@example.edu" in page
    assert "Send it again" in page and f"/dashboard/jobs/{failed.id}/details" in page
    assert ANSWER in text(staff, f"/dashboard/jobs/{failed.id}"), "the job's history has it too"


def test_send_it_again_puts_it_in_line_and_settles_the_matter(
    staff: FlaskClient, services: Services, failed: Stored
) -> None:
    assert fix(staff, services, "resend-mail").status_code == 303
    assert sorted(queued(services, failed)) == [("approved", "jane@example.edu"), ("received", "jane@example.edu")]
    assert services.queries.attention() == []
    sync(services.store, services.mirror)
    assert services.queries.attention() == []


def test_after_a_new_address_it_goes_there(
    staff: FlaskClient, services: Services, post: PostAction, failed: Stored
) -> None:
    assert post(failed.id, "details", student_email="jd@example.edu").status_code == 303
    sync(services.store, services.mirror)
    fix(staff, services, "resend-mail")
    assert {to for _, to in queued(services, failed)} == {"jd@example.edu"}


def test_failing_again_raises_it_again(staff: FlaskClient, services: Services, failed: Stored) -> None:
    fix(staff, services, "resend-mail")
    fail(services, failed, "552 mailbox full")
    sync(services.store, services.mirror)
    assert any("552 mailbox full" in item.sentence for item in services.queries.attention())


def test_what_the_student_needs_no_more_needs_nobody(services: Services, make: MakeJob) -> None:
    stored = fail(services, make(Status.COMPLETED))
    act(services.store, stored.id, "pickup")
    sync(services.store, services.mirror)
    assert not any("completed" in item.sentence for item in services.queries.attention())


def test_the_whole_list_of_e_mails_stands_in_the_history(staff: FlaskClient, services: Services, make: MakeJob) -> None:
    stored = settle(services, make(Status.PENDING))
    page = text(staff, f"/dashboard/jobs/{stored.id}")
    assert "queued: Price and confirmation link" in page
    assert "E-mail sent to jane@example.edu: Price and confirmation link" in page


# -- waiting ----------------------------------------------------------------------------------------------------------


def beat(services: Services, at: datetime | None = None, queue: int | None = 0, **fields: Any) -> None:
    heartbeat.write(services.settings, Heartbeat(at or datetime.now(UTC), 1, queue, **fields))


def test_a_queue_that_is_down_is_said(staff: FlaskClient, services: Services) -> None:
    beat(services, queue=None)
    health = json_of(staff.get("/healthz"))
    assert (health["status"], health["components"]["worker"]) == ("degraded", "queue down")
    assert "The task queue (the Redis of REDIS_URL, or queue.db in the instance) is down" in text(staff, "/dashboard")


def test_the_health_tells_of_worker_queue_and_the_oldest_owed_mail(
    client: FlaskClient, services: Services, make: MakeJob
) -> None:
    assert json_of(client.get("/healthz"))["components"]["worker"] == "down"
    stored = make(ago=timedelta(hours=3))
    error = Problem(NOW, "451 (an address) not now", stored.id)
    beat(services, queue=7, error=error, trying=(error,), sent_at=NOW)
    heartbeat.write_indexer(services.settings, IndexerHeartbeat(datetime.now(UTC), 1))
    health = json_of(client.get("/healthz"))
    assert health["status"] == "ok" and health["components"]["worker"] == "ok"
    queued_at = next(event.at for event in stored.events if event.type == "EmailQueued")
    assert health["mail"]["owed"] == 1 and health["mail"]["oldest_owed_at"] == format_time(queued_at)
    assert health["mail"]["queue"] == 7 and health["mail"]["last_error"]["words"] == "451 (an address) not now"
    settle(services, stored)
    health = json_of(client.get("/healthz"))
    assert health["mail"]["owed"] == 0 and health["mail"]["oldest_owed_at"] is None


def test_the_health_names_nobody(client: FlaskClient, services: Services, make: MakeJob) -> None:
    stored = make(name="Ada Byron", email="ada@example.edu")
    beat(services, error=Problem(NOW, "451 not now", stored.id))
    body = client.get("/healthz").get_data(as_text=True)
    assert "ada" not in body.lower() and stored.id not in body


@pytest.mark.parametrize(("age_s", "alive"), [(0, True), (50, True), (70, False), (86_400, False)])
def test_a_worker_is_alive_as_long_as_it_says_so(
    client: FlaskClient, services: Services, age_s: int, alive: bool
) -> None:
    beat(services, at=datetime.now(UTC) - timedelta(seconds=age_s))
    assert json_of(client.get("/healthz"))["components"]["worker"] == ("ok" if alive else "down")


@pytest.mark.parametrize("written", [b"", b"{", b'{"at": 5}', b"\xff\xfe"])
def test_a_sign_of_life_that_is_none_is_no_worker(client: FlaskClient, services: Services, written: bytes) -> None:
    heartbeat.path(services.settings).write_bytes(written)
    assert json_of(client.get("/healthz"))["components"]["worker"] == "down"


def test_the_dashboard_says_when_nobody_works_and_when_mail_is_held_up(
    staff: FlaskClient, services: Services, make: MakeJob
) -> None:
    stored = make(ago=timedelta(hours=3, minutes=10))
    assert "The worker has not been seen" in text(staff, "/dashboard")
    beat(services)
    page = text(staff, "/dashboard")
    assert (
        "The worker is running, no task waits for it." in page
        and "1 e-mail waits to be sent, the oldest for 3 h." in page
    )
    assert "The oldest e-mail has been waiting for 3 h." in page
    beat(services, trying=(Problem(NOW, "451 not now", stored.id),))
    assert "E-mail is delayed; the worker tries again. The last answer was: 451 not now" in text(staff, "/dashboard")
    assert "the worker tries again: 451 not now" in text(staff, f"/dashboard/jobs/{stored.id}")
    settle(services, stored)
    beat(services)
    heartbeat.write_indexer(services.settings, IndexerHeartbeat(datetime.now(UTC), 1))
    page = text(staff, "/dashboard")
    assert "No e-mail waits." in page and "delayed" not in page and 'class="alert' not in page


@pytest.mark.parametrize(("queue", "waiting"), [(1, "1 task waits"), (7, "7 tasks wait")])
def test_the_dashboard_says_what_the_worker_has_before_it_and_met_last(
    staff: FlaskClient, services: Services, queue: int, waiting: str
) -> None:
    beat(services, queue=queue, error=Problem(NOW, "550 no (an address)", "abc"))
    page = text(staff, "/dashboard")
    assert f"The worker is running, {waiting} for it. The last e-mail did not go out (" in page
    assert "): 550 no (an address)" in page and "not been seen" not in page


def test_without_a_mail_server_the_dashboard_says_where_e_mails_go(staff: FlaskClient, services: Services) -> None:
    assert str(services.settings.instance / "outbox") in text(staff, "/dashboard")


# -- cool-down --------------------------------------------------------------------------------------------------------


def test_staff_too_wait_two_minutes_before_an_e_mail_goes_again(
    services: Services, make: MakeJob, post: PostAction
) -> None:
    stored = make(Status.PENDING, ago=timedelta(seconds=90))
    answer = post(stored.id, "resend-email")
    assert answer.status_code == 409 and "give it two minutes" in answer.get_data(as_text=True)
    assert services.store.load(stored.id).job.revision == stored.job.revision
    later = make(Status.PENDING, ago=timedelta(minutes=3))
    assert post(later.id, "resend-email").status_code == 303


@pytest.mark.parametrize("why", ["it failed", "the address is another"])
def test_an_e_mail_that_did_not_reach_anybody_goes_again_at_once(
    services: Services, make: MakeJob, post: PostAction, why: str
) -> None:
    stored = make(Status.PENDING, ago=timedelta(seconds=90))
    if why == "it failed":
        fail(services, stored)
    else:
        post(stored.id, "details", student_email="jd@example.edu")
    assert post(stored.id, "resend-email").status_code == 303


def test_a_student_without_mail_is_confirmed_at_the_desk(
    services: Services, post: PostAction, past_store: Callable[[timedelta], JobStore], make: MakeJob
) -> None:
    stored = make(Status.PENDING)
    assert post(stored.id, "confirm", reason="").status_code == 422
    assert post(stored.id, "confirm", reason="Said yes at the desk.").status_code == 303
    after = services.store.load(stored.id)
    assert after.job.status is Status.READY_TO_PRINT and present(after.job.confirmation).confirmed_by == "staff"
    assert any(e.data.get("reason") == "Said yes at the desk." for e in after.events)


def test_a_job_whose_files_were_given_up_is_said_and_can_be_tried_again(
    staff: FlaskClient, services: Services, make: Callable[..., Stored]
) -> None:
    job, enqueued = make(), list[str]()
    object.__setattr__(services.actions, "enqueue", enqueued.append)
    why = Problem(NOW, "RecursionError: too deep", job.id)
    beat(services, sidelined=(why,))
    assert f'the files of <a href="/dashboard/jobs/{job.id}">job {job.id}</a>' in text(staff, "/dashboard")
    page = text(staff, f"/dashboard/jobs/{job.id}")
    assert "RecursionError: too deep" in page and "Try again" in page
    assert json_of(staff.get("/healthz"))["mail"]["sidelined"] == 1
    token = form_token(staff, "/logout")
    answer = staff.post(f"/dashboard/jobs/{job.id}/look-again", data={"csrf_token": token})
    assert answer.status_code == 303 and enqueued == [job.id]
