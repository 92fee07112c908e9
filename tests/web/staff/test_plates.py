"""Plates on the pages: what is marked piece by piece, and when the job is done."""

from __future__ import annotations

import re
from html import unescape

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from printsys.domain.plates import plates
from printsys.domain.status import Status
from printsys.jobstore import Stored
from printsys.services import Services
from tests.factories import act
from tests.web.conftest import MakeJob, PostAction

X = Status.PRINTING


def words(page: TestResponse) -> str:
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.get_data(as_text=True))))


def keys(stored: Stored) -> list[str]:
    return [plate.key for plate in plates(stored.job)]


def test_each_copy_is_marked_on_the_jobs_page_and_the_last_one_completes_the_job(
    staff: FlaskClient, make: MakeJob, post: PostAction, services: Services
) -> None:
    job = make(X, copies=3)
    page = words(staff.get(f"/dashboard/jobs/{job.id}"))
    assert "0 of 3 printed" in page and "Copy 3 not printed yet" in page and "Printing is done" in page
    first, second, third = keys(job)
    post(job.id, "plates", plate=first, state="printed")
    post(job.id, "plates", plate=second, state="failed")
    page = words(staff.get(f"/dashboard/jobs/{job.id}"))
    assert "1 of 3 are printed." in page and "Copy 2 failed" in page
    assert "Printing is done" not in page, "not all of it is"
    assert 'value="reprint"' in staff.get(f"/dashboard/jobs/{job.id}").get_data(as_text=True)
    answer = post(job.id, "plates", plate=[second, third], state="printed")
    assert services.store.load(job.id).job.status is Status.COMPLETED
    page = words(staff.get(answer.location))
    assert "All 3 are printed." in page and "Jane Doe gets an e-mail." in page and "Undo" in page
    assert "Copy 2, Copy 3: printed" in page and "Printing is done" in page, "in the history"


def test_lists_say_how_much_is_printed_instead_of_offering_done(
    staff: FlaskClient, make: MakeJob, post: PostAction
) -> None:
    job = make(X, copies=2)
    for path in ("/dashboard/queue", "/dashboard?status=Printing"):
        assert f"/dashboard/jobs/{job.id}/complete" in staff.get(path).get_data(as_text=True), path
    post(job.id, "plates", plate=keys(job)[0], state="printed")
    for path in ("/dashboard/queue", "/dashboard?status=Printing"):
        page = staff.get(path)
        assert "1 of 2 printed" in words(page), path
        assert f"/dashboard/jobs/{job.id}/complete" not in page.get_data(as_text=True), path
    refused = post(job.id, "complete")
    assert refused.status_code == 409 and "1 of its 2 plates are not printed yet." in words(refused)


def test_a_job_of_one_piece_has_no_plates(staff: FlaskClient, make: MakeJob, post: PostAction) -> None:
    job = make(X)
    assert 'id="plates"' not in staff.get(f"/dashboard/jobs/{job.id}").get_data(as_text=True)
    answer = post(job.id, "plates", plate="1:", state="printed")
    assert answer.status_code == 422 and "among the choices" in words(answer)


def test_nothing_ticked_and_an_unknown_word_are_refused_with_a_sentence(
    make: MakeJob, post: PostAction, services: Services
) -> None:
    job = make(X, copies=2)
    assert "Please choose at least one." in words(post(job.id, "plates", state="printed"))
    assert post(job.id, "plates", plate=keys(job), state="eaten").status_code == 422
    assert services.store.load(job.id).job.revision == job.job.revision


def test_what_is_printed_of_a_print_that_failed_stays_marked(
    staff: FlaskClient, make: MakeJob, post: PostAction, services: Services
) -> None:
    job = make(X, copies=2)
    post(job.id, "plates", plate=keys(job)[0], state="printed")
    act(services.store, job.id, "fail")
    page = staff.get(f"/dashboard/jobs/{job.id}")
    assert "1 of 2 printed" in words(page) and 'name="plate"' not in page.get_data(as_text=True)
