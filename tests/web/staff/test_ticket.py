"""Tickets: what they say, in which sizes, for one job and for several."""

from __future__ import annotations

import re

import pytest
from flask.testing import FlaskClient

from printsys.domain.status import Status
from tests.web.conftest import MakeJob


@pytest.mark.parametrize("size", ["a6", "62mm"])
def test_a_ticket_says_whose_print_it_is_and_bears_its_code(staff: FlaskClient, make: MakeJob, size: str) -> None:
    job = make(Status.PRINTING, class_number="ARCH 4000")
    page = staff.get(f"/dashboard/jobs/{job.id}/ticket?size={size}").get_data(as_text=True)
    for words in (job.id, "Jane Doe", "bracket v2.stl", "Filament, True Red, PLA", "Prusa MK4S", "42.7 g", "$4.27"):
        assert words in page
    assert f"ticket-{size}.css" in page and "<svg " in page and "ARCH 4000" in page


def test_a_size_that_there_is_not_is_a6(staff: FlaskClient, make: MakeJob) -> None:
    page = staff.get(f"/dashboard/jobs/{make().id}/ticket?size=../x").get_data(as_text=True)
    assert "css/ticket-a6.css" in page and "../x" not in page


def test_the_tickets_of_several_jobs_are_one_page_and_a_job_that_is_gone_is_named(
    staff: FlaskClient, make: MakeJob
) -> None:
    jobs = [make(name="Ada Byron"), make(name="Ben Carter")]
    query = {"job": [jobs[1].id, jobs[0].id, "zzzzzzzz"], "size": "62mm"}
    page = staff.get("/dashboard/tickets", query_string=query).get_data(as_text=True)
    assert re.findall(r'class="ticket-id">(\w+)<', page) == [jobs[1].id, jobs[0].id]
    assert "zzzzzzzz" in page and "2 tickets" in page
    assert f"job={jobs[1].id}" in page, "the other size is of the same jobs"


def test_the_jobs_page_leads_to_its_ticket(staff: FlaskClient, make: MakeJob) -> None:
    job = make()
    assert f'href="/dashboard/jobs/{job.id}/ticket"' in staff.get(f"/dashboard/jobs/{job.id}").get_data(as_text=True)
