"""A rejected request, fixed and sent again: the same job, its earlier files kept."""

from __future__ import annotations

import io

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from indexer.check import check_storage
from printsys.actions.intake import reprint
from printsys.domain.links import resubmission_key
from printsys.domain.status import Status
from printsys.jobstore import Stored
from printsys.services import Services
from tests.factories import FORM, STL, act, sync
from tests.web.conftest import MakeJob, PastStore, Traces, form_token, token_in

FIXED = STL.replace(b"30", b"45")


@pytest.fixture
def rejected(make: MakeJob) -> Stored:
    return make(Status.REJECTED)


def link(services: Services, job_id: str) -> str:
    key = resubmission_key(services.store.load(job_id).job)
    assert key is not None
    return f"/resubmit/{services.tokens.resubmit(job_id, key)}"


def send(client: FlaskClient, path: str, files: dict[str, bytes] | None = None, **fields: str) -> TestResponse:
    sent = {"bracket v2.stl": FIXED} if files is None else files
    values = FORM | {"csrf_token": form_token(client)} | fields
    return client.post(path, data=values | {"file": [(io.BytesIO(data), name) for name, data in sent.items()]})


def test_the_link_reopens_the_request_as_it_was_sent(client: FlaskClient, services: Services, make: MakeJob) -> None:
    stored = make(Status.REJECTED, name="Ada Byron", color="Blue", copies=3, message="For a bridge.")
    page = client.get(link(services, stored.id)).get_data(as_text=True)
    for fragment in ('value="Ada Byron"', 'selected value="Blue"', 'value="3"', "For a bridge.", "bracket v2.stl"):
        assert fragment in page
    assert "The walls are too thin." in page, "why it was rejected stands above"
    assert token_in(page)


def test_sent_again_it_is_the_same_job_with_its_old_files_kept(
    client: FlaskClient, services: Services, rejected: Stored
) -> None:
    before = rejected.job
    answer = send(client, link(services, rejected.id), color="Blue")
    assert answer.status_code == 303 and "/status/" in answer.location
    after = services.store.load(rejected.id)
    assert after.folder.parent.name == "Uploaded" and after.folder.name == rejected.folder.name
    assert after.job.request.color == "Blue" and after.job.rejection is None and after.job.reviewed_at is None
    assert (after.folder / "original/bracket v2.stl").read_bytes() != FIXED
    [new] = after.job.sent_files
    assert new.name == "original/bracket v2 2.stl" and new.uploaded_as == "bracket v2.stl"
    assert (after.folder / new.name).read_bytes() == FIXED
    [copy] = after.job.print_files
    assert copy == f"{after.folder.name}_v2.stl" and (after.folder / copy).read_bytes() == FIXED
    for old in before.files:
        now = after.job.file(old.name)
        assert now is not None and now.is_superseded and (after.folder / old.name).is_file()
    resent = next(event for event in after.events if event.type == "Resubmitted")
    assert resent.actor == "student" and resent.data["changed"] == ["color"]
    assert after.events[-1].type == "EmailQueued" and after.events[-1].data["mail"] == "received"
    assert list(check_storage(services.store)) == []
    assert not any(services.store.layout.staging.iterdir())


def test_what_is_approved_next_is_the_fixed_model(
    client: FlaskClient, staff: FlaskClient, services: Services, rejected: Stored
) -> None:
    (rejected.folder / "aaa sliced.gcode").write_bytes(b"; the old model\n")
    send(client, link(services, rejected.id))
    page = staff.get(f"/dashboard/jobs/{rejected.id}/approve").get_data(as_text=True)
    chosen = page[page.index('value="' + services.store.load(rejected.id).job.print_files[0]) :][:400]
    assert "checked" in chosen.partition(">")[0]
    assert page.count(" checked") == 1 and "of an earlier version" in page


def test_a_reprint_is_of_the_fixed_model_alone(client: FlaskClient, services: Services, rejected: Stored) -> None:
    (rejected.folder / "old.gcode").write_bytes(b"; the old model\n")
    sync(services.store, services.mirror)
    send(client, link(services, rejected.id))
    new_job = reprint(services.actions, rejected.id, "staff").job
    assert [record.uploaded_as for record in new_job.sent_files] == ["bracket v2 2.stl"]
    assert {record.role for record in new_job.files} == {"original", "working"}


def test_a_second_rejection_and_a_second_try(
    client: FlaskClient, services: Services, rejected: Stored, past_store: PastStore
) -> None:
    send(client, link(services, rejected.id))
    act(services.store, rejected.id, "reject")
    assert send(client, link(services, rejected.id), {"lid.stl": STL}).status_code == 303
    job = services.store.load(rejected.id).job
    assert job.print_files == [f"{rejected.folder.name}_v3.stl"]
    assert [record.name for record in job.sent_files] == ["original/lid.stl"]


def test_without_a_new_file_the_model_stays(client: FlaskClient, services: Services, rejected: Stored) -> None:
    path = link(services, rejected.id)
    assert send(client, path, {}, color="Blue").status_code == 303
    job = services.store.load(rejected.id).job
    assert job.status is Status.UPLOADED and job.files == rejected.job.files


def test_nothing_new_is_not_sent(client: FlaskClient, services: Services, rejected: Stored) -> None:
    answer = send(client, link(services, rejected.id), {})
    assert answer.status_code == 422 and "Nothing is different yet" in answer.get_data(as_text=True)
    assert services.store.load(rejected.id).job.revision == rejected.job.revision


def test_what_is_wrong_is_said_and_nothing_is_kept(
    client: FlaskClient, services: Services, rejected: Stored, traces: Traces
) -> None:
    before = traces()
    answer = send(client, link(services, rejected.id), {"a.stl": b""}, student_email="nope", color="Nowhere Blue")
    page = answer.get_data(as_text=True)
    assert answer.status_code == 422
    for fragment in ("jane@example.edu", "a.stl", 'value="nope"'):
        assert fragment in page
    assert traces() == before


def test_a_link_works_once_and_says_so(client: FlaskClient, services: Services, rejected: Stored) -> None:
    path = link(services, rejected.id)
    send(client, path)
    revision = services.store.load(rejected.id).job.revision
    for answer in (client.get(path), send(client, path)):
        assert answer.status_code == 410 and "with us again" in answer.get_data(as_text=True)
    assert services.store.load(rejected.id).job.revision == revision


def test_a_link_of_a_filed_job_asks_for_a_new_request(
    client: FlaskClient, services: Services, rejected: Stored
) -> None:
    path = link(services, rejected.id)
    act(services.store, rejected.id, "archive")
    answer = client.get(path)
    assert answer.status_code == 410 and "a new request" in answer.get_data(as_text=True)


@pytest.mark.parametrize("kind", ["status", "cut", "confirm"])
def test_only_our_own_link_opens_it(client: FlaskClient, services: Services, rejected: Stored, kind: str) -> None:
    token = {
        "status": services.tokens.status(rejected.id),
        "cut": link(services, rejected.id).rpartition("/")[2][:-1],
        "confirm": services.tokens.confirm(rejected.id, "n"),
    }[kind]
    assert client.get(f"/resubmit/{token}").status_code == 404
    assert send(client, f"/resubmit/{token}").status_code == 404


def test_the_status_page_offers_it(client: FlaskClient, services: Services, rejected: Stored) -> None:
    page = client.get(f"/status/{services.tokens.status(rejected.id)}").get_data(as_text=True)
    assert link(services, rejected.id) in page


def test_a_form_that_lay_open_for_long_comes_back_as_it_was_typed(
    client: FlaskClient, services: Services, rejected: Stored
) -> None:
    answer = send(client, link(services, rejected.id), message="Now thicker.", csrf_token="stale")
    assert answer.status_code == 400 and "Now thicker." in answer.get_data(as_text=True)
    assert services.store.load(rejected.id).job.status is Status.REJECTED
