"""*Open in slicer*: who asked is recorded, and the link is one that the opener takes."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from opener.url import parse
from printsys.domain.status import Status
from printsys.services import Services
from printsys.web.staff.files import opener_address
from tests.web.conftest import MakeJob, PostAction, token_in


def test_the_links_are_what_the_opener_understands() -> None:
    asked = parse(opener_address("k7m29xq4", "original/bracket v2 & ü+%.stl"))
    assert (asked.job, asked.name) == ("k7m29xq4", "original/bracket v2 & ü+%.stl")


def test_each_opening_is_an_event_with_who_and_makes_no_page_stale(
    staff: FlaskClient, services: Services, make: MakeJob, post: PostAction
) -> None:
    job = make()
    page = staff.get(f"/dashboard/jobs/{job.id}").get_data(as_text=True)
    name = f"{job.folder.name}.stl"
    place = f"/dashboard/jobs/{job.id}/open/{name}"
    assert place in page and "Copy path" in page
    asked = {"csrf_token": token_in(page)}
    answer = staff.post(place, data=asked, headers={"Accept": "application/json"})
    assert answer.get_json() == {"address": opener_address(job.id, name)}
    event = services.store.load(job.id).events[-1]
    assert (event.type, event.actor, event.data) == ("FileOpened", "staff", {"name": name})
    assert post(job.id, "review", revision=job.job.revision).status_code == 303


def test_without_a_script_a_page_has_the_link_and_what_to_do_if_nothing_opens(
    staff: FlaskClient, make: MakeJob
) -> None:
    job = make()
    name = f"{job.folder.name}.stl"
    page = staff.get(f"/dashboard/jobs/{job.id}").get_data(as_text=True)
    answer = staff.post(
        f"/dashboard/jobs/{job.id}/open/{name}", data={"csrf_token": token_in(page)}, follow_redirects=True
    )
    shown = answer.get_data(as_text=True)
    assert f'href="printsys://open?job={job.id}&amp;file={name}"' in shown
    assert "/dashboard/opener" in shown and staff.get("/dashboard/opener").status_code == 200


def test_the_dashboard_opens_the_print_file_or_else_the_working_copy(staff: FlaskClient, make: MakeJob) -> None:
    uploaded, done = make(), make(Status.PAID_PICKED_UP)
    assert f"/open/{uploaded.folder.name}.stl" in staff.get("/dashboard?status=Uploaded").get_data(as_text=True)
    assert f"/dashboard/jobs/{done.id}/open/" not in staff.get("/dashboard?status=PaidPickedUp").get_data(as_text=True)


@pytest.mark.parametrize("name", ["../../secret", "gone.stl", "metadata.json/../x"])
def test_only_files_of_the_job_are_opened(staff: FlaskClient, services: Services, make: MakeJob, name: str) -> None:
    job = make()
    token = token_in(staff.get("/logout").get_data(as_text=True))
    assert staff.post(f"/dashboard/jobs/{job.id}/open/{name}", data={"csrf_token": token}).status_code in (
        404,
        405,
        308,
    )
    assert services.store.load(job.id).job.revision == job.job.revision


def test_nobody_else_may_ask(client: FlaskClient, make: MakeJob) -> None:
    job = make()
    token = token_in(client.get("/login").get_data(as_text=True))
    answer = client.post(f"/dashboard/jobs/{job.id}/open/x.stl", data={"csrf_token": token})
    assert answer.status_code == 302 and "/login" in answer.location
