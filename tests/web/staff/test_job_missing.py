"""The page of a job whose folder somebody deleted or moved away (FAULTS R8)."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from indexer.sweep import Sweeper
from printsys import fs
from printsys.domain.status import Status
from printsys.jobstore import Stored
from printsys.services import Services
from tests.factories import make_job, make_sweeper
from tests.web.conftest import json_of, token_in


@pytest.fixture
def sweeper(services: Services) -> Sweeper:
    return make_sweeper(services.store, services.mirror.engine)


@pytest.fixture
def job(services: Services, sweeper: Sweeper) -> Stored:
    """Mirrored; then its folder is deleted."""
    job = make_job(services.store, status=Status.PAID_PICKED_UP)
    sweeper.sweep()
    fs.remove_tree(job.folder)
    return job


def test_the_page_of_a_missing_job_has_its_last_known_facts(staff: FlaskClient, job: Stored) -> None:
    answer = staff.get(f"/dashboard/jobs/{job.id}")
    page = answer.get_data(as_text=True)
    assert answer.status_code == 404
    assert "folder is not there at the moment" in page
    assert f"PaidPickedUp/{job.folder.name}" in page
    for fact in ("jane@example.edu", "True Red", "$4.27", "Paid"):
        assert fact in page
    assert "was not done" not in page


def test_an_action_on_a_missing_job_says_that_it_was_not_done(staff: FlaskClient, job: Stored) -> None:
    token = token_in(staff.get("/dashboard").get_data(as_text=True))
    answer = staff.post(f"/dashboard/jobs/{job.id}/archive", data={"csrf_token": token, "revision": "9"})
    page = answer.get_data(as_text=True)
    assert answer.status_code == 404
    assert "folder is not there at the moment" in page and "was not done" in page


def test_a_missing_job_is_known_without_the_database(
    staff: FlaskClient, services: Services, sweeper: Sweeper, job: Stored
) -> None:
    sweeper.sweep()
    services.mirror.remove([job.id])
    page = staff.get(f"/dashboard/jobs/{job.id}").get_data(as_text=True)
    assert "folder is not there at the moment" in page and job.folder.name in page


def test_attention_links_to_the_page_of_the_missing_job(staff: FlaskClient, sweeper: Sweeper, job: Stored) -> None:
    sweeper.sweep()
    assert f'href="/dashboard/jobs/{job.id}"' in staff.get("/dashboard/attention").get_data(as_text=True)


def test_scripts_learn_it_too(staff: FlaskClient, job: Stored) -> None:
    answer = staff.get(f"/api/v1/jobs/{job.id}")
    assert answer.status_code == 404
    assert "is gone" in json_of(answer)["message"]


def test_a_student_whose_folder_is_missing_learns_no_path(client: FlaskClient, services: Services, job: Stored) -> None:
    answer = client.get(f"/status/{services.tokens.status(job.id)}")
    page = answer.get_data(as_text=True)
    assert answer.status_code == 404
    assert "We cannot show your request at the moment" in page
    assert job.folder.name not in page


@pytest.mark.parametrize("job_id", ["00000000", "..", "no such job"])
def test_an_id_that_nobody_knows_is_no_job(staff: FlaskClient, job: Stored, job_id: str) -> None:
    page = staff.get(f"/dashboard/jobs/{job_id}").get_data(as_text=True)
    assert "There is no such job" in page or "There is nothing here" in page


def test_a_file_that_a_job_lacks_does_not_make_the_job_missing(
    staff: FlaskClient, services: Services, sweeper: Sweeper
) -> None:
    job = make_job(services.store)
    sweeper.sweep()
    page = staff.get(f"/dashboard/jobs/{job.id}/files/nothing.stl").get_data(as_text=True)
    assert "There is no such job" in page
