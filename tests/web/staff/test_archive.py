"""One line names the jobs that ended long ago; only staff archive them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from printsys.domain.status import Status
from printsys.jobstore import Stored
from printsys.services import Services
from tests.factories import act
from tests.web.conftest import MakeJob, PastStore, form_token

LONG_AGO, LATELY = timedelta(days=91), timedelta(days=89)


def page(staff: FlaskClient, path: str) -> str:
    return staff.get(path).get_data(as_text=True)


def archive(staff: FlaskClient, *jobs: Stored) -> TestResponse:
    chosen = [f"{job.id}:{job.job.revision}" for job in jobs]
    return staff.post("/dashboard/ended", data={"csrf_token": form_token(staff, "/logout"), "job": chosen})


def status(services: Services, stored: Stored) -> Status:
    return services.store.load(stored.id).job.status


def test_the_dashboard_counts_only_jobs_that_ended_before_the_retention_time(staff: FlaskClient, make: MakeJob) -> None:
    for each in Status:
        make(each, ago=LATELY)
    assert 'id="retention"' not in page(staff, "/dashboard")
    for each in Status:
        make(each, ago=LONG_AGO)
    assert "2 jobs ended more than 90 days ago." in page(staff, "/dashboard")


def test_staff_archive_the_jobs_that_they_chose(staff: FlaskClient, make: MakeJob, services: Services) -> None:
    paid, rejected = make(Status.PAID_PICKED_UP, ago=LONG_AGO), make(Status.REJECTED, ago=LONG_AGO)
    html = page(staff, "/dashboard/ended")
    assert f"{paid.id}:{paid.job.revision}" in html and f"{rejected.id}:{rejected.job.revision}" in html
    assert archive(staff, paid).location == "/dashboard/ended"
    assert (status(services, paid), status(services, rejected)) == (Status.ARCHIVED, Status.REJECTED)
    after = services.store.load(paid.id)
    assert after.events[-1].type == "JobArchived" and after.events[-1].actor == "staff"
    assert after.folder == services.store.layout.status(Status.ARCHIVED) / paid.folder.name
    assert "1 job ended" in page(staff, "/dashboard")
    assert archive(staff, rejected).location == "/dashboard"
    assert 'id="retention"' not in page(staff, "/dashboard")


def test_a_job_that_changed_since_it_was_shown_stays(
    staff: FlaskClient, make: MakeJob, services: Services, past_store: PastStore
) -> None:
    listed = make(Status.REJECTED, ago=LONG_AGO)
    act(past_store(LONG_AGO), listed.id, "notes")
    archive(staff, listed)
    assert status(services, listed) is Status.REJECTED
    assert "was changed meanwhile" in page(staff, "/dashboard/ended")


def test_a_job_that_ended_lately_is_not_archived_even_when_asked_for(
    staff: FlaskClient, make: MakeJob, services: Services
) -> None:
    lately = make(Status.PAID_PICKED_UP, ago=LATELY)
    archive(staff, lately)
    assert status(services, lately) is Status.PAID_PICKED_UP


def test_what_is_no_job_of_the_page_is_refused_in_words(staff: FlaskClient) -> None:
    answer = staff.post("/dashboard/ended", data={"csrf_token": form_token(staff, "/logout"), "job": "k7m29xq4"})
    assert answer.status_code == 422 and "Please reload it" in answer.get_data(as_text=True)


def test_more_than_can_be_counted_for_a_page_are_said_to_be_more(
    staff: FlaskClient, make: MakeJob, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("printsys.web.staff.archive.COUNTED", 1)
    make(Status.REJECTED, ago=LONG_AGO)
    assert "1 job ended" in page(staff, "/dashboard")
    make(Status.REJECTED, ago=LONG_AGO)
    assert "More than 1 job ended" in page(staff, "/dashboard")


def test_strangers_may_not_archive(client: FlaskClient, make: MakeJob, services: Services) -> None:
    stored = make(Status.REJECTED, ago=LONG_AGO)
    assert archive(client, stored).status_code in (302, 303)
    assert status(services, stored) is Status.REJECTED
