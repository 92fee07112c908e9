"""Pictures of models, what was found about them, and the page to turn one on."""

from __future__ import annotations

import shutil

import pytest
from flask.testing import FlaskClient

from printsys.domain.events import EventType
from printsys.jobstore import Stored
from printsys.services import Services
from printsys.worker.file_inspector import FileInspector
from tests.factories import STL, act
from tests.web.conftest import MakeJob

HOLES = STL.replace(STL.split(b"facet normal")[1], b"", 1).replace(b"facet normalfacet", b"facet", 1)


def attended(services: Services, job: Stored) -> Stored:
    workshop = FileInspector(services)
    for job_id in list(workshop.owing()):
        workshop.attend(job_id)
    return services.store.load(job.id)


def test_a_model_is_inspected_and_pictured_once(staff: FlaskClient, services: Services, make: MakeJob) -> None:
    job = make(files=[("bracket v2.stl", STL)])
    after = attended(services, job)
    assert [event.type for event in after.events[-2:]] == [EventType.MODEL_INSPECTED, EventType.THUMBNAIL_MADE]
    assert list(FileInspector(services).owing()) == []
    (picture,) = (after.folder / "previews").iterdir()
    page = staff.get(f"/dashboard/jobs/{job.id}").get_data(as_text=True)
    src = f"/dashboard/jobs/{job.id}/previews/{picture.name}"
    assert src in page and "30 × 30 × 30 mm" in page
    assert src in staff.get("/dashboard").get_data(as_text=True)
    answer = staff.get(src)
    assert answer.data == picture.read_bytes() and answer.mimetype == "image/png"


def test_a_click_on_a_page_of_before_the_inspection_is_not_turned_away(
    staff: FlaskClient, services: Services, make: MakeJob
) -> None:
    job = make(files=[("a.stl", STL)])
    after = attended(services, job)
    assert after.job.revision > job.job.revision
    assert act(services.store, job.id, "notes", expected_revision=job.job.revision, notes="typed").job.notes == "typed"


def test_what_was_found_is_on_the_card_and_the_jobs_page(staff: FlaskClient, services: Services, make: MakeJob) -> None:
    job = make(files=[("holes.stl", HOLES)])
    attended(services, job)
    for page in ("/dashboard", f"/dashboard/jobs/{job.id}"):
        assert "The surface has holes" in staff.get(page).get_data(as_text=True)


def test_pictures_that_somebody_deleted_come_back_without_a_word_in_the_history(
    services: Services, make: MakeJob
) -> None:
    job = attended(services, make(files=[("a.stl", STL)]))
    shutil.rmtree(job.folder / "previews")
    again = attended(services, job)
    assert again.job.revision == job.job.revision
    assert len(list((job.folder / "previews").iterdir())) == 1


def test_a_model_of_which_no_picture_can_be_made_says_why(
    staff: FlaskClient, services: Services, make: MakeJob
) -> None:
    job = make(files=[("a.stl", b"solid nothing\nendsolid nothing\n")])
    after = attended(services, job)
    record = after.job.files[0]
    assert record.model is not None and "trouble" in record.model
    page = staff.get(f"/dashboard/jobs/{job.id}").get_data(as_text=True)
    assert "No picture: a.stl is an STL file without any surface in it." in page
    assert list(FileInspector(services).owing()) == []


@pytest.mark.parametrize("name", ["0123456789abcdef.png", "..%2Fmetadata.json", "x.png"])
def test_a_picture_that_is_not_there_is_a_drawn_box(staff: FlaskClient, make: MakeJob, name: str) -> None:
    answer = staff.get(f"/dashboard/jobs/{make().id}/previews/{name}", follow_redirects=True)
    assert (
        answer.status_code == 404 if "%2F" in name else (answer.status_code, answer.mimetype) == (200, "image/svg+xml")
    )


def test_the_viewer_runs_apart_from_the_site(staff: FlaskClient, make: MakeJob) -> None:
    job = make(files=[("a.stl", STL)])
    name = "original/a.stl"
    page = staff.get(f"/dashboard/jobs/{job.id}/view/{name}")
    assert 'sandbox="allow-scripts"' in page.get_data(as_text=True)
    frame = staff.get(f"/dashboard/jobs/{job.id}/frame/{name}")
    assert frame.headers["Content-Security-Policy"].startswith("sandbox allow-scripts;")
    assert "default-src 'none'" in frame.headers["Content-Security-Policy"]
    assert len(frame.data) > 100_000, "the viewer is in it"
    assert staff.get(f"/dashboard/jobs/{job.id}/frame/metadata.json").status_code == 404


def test_a_model_that_cannot_be_shown_says_why_in_its_frame(staff: FlaskClient, make: MakeJob) -> None:
    job = make(files=[("a.stl", b"solid nothing\nendsolid nothing\n")])
    assert "without any surface" in staff.get(f"/dashboard/jobs/{job.id}/frame/original/a.stl").get_data(as_text=True)
