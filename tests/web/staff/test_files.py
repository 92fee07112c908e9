"""A job's files: pictures and findings, the 3D view, and *Open in slicer*."""

from __future__ import annotations

import io
import os
import re
import shutil
import time
from urllib.parse import quote as url_quote

import pytest
from flask.testing import FlaskClient
from PIL import Image

from indexer.check import check_storage
from indexer.reconcile import Reconciler
from opener.url import parse
from printsys.domain.events import EventType
from printsys.domain.status import Status
from printsys.jobstore import Stored
from printsys.models3d import bounded
from printsys.services import Services
from printsys.web.staff.files import opener_address
from printsys.worker.file_inspector import FileInspector
from tests.factories import STL, act
from tests.waiting import until
from tests.web.conftest import MakeJob, PostAction, token_in

HOLES = STL.replace(STL.split(b"facet normal")[1], b"", 1).replace(b"facet normalfacet", b"facet", 1)


def inspected(services: Services, job: Stored) -> Stored:
    inspector = FileInspector(services)
    for job_id in list(inspector.owing()):
        inspector.attend(job_id)
    return services.store.load(job.id)


def test_a_model_is_inspected_and_pictured_once(staff: FlaskClient, services: Services, make: MakeJob) -> None:
    job = make(files=[("bracket v2.stl", STL)])
    after = inspected(services, job)
    assert [event.type for event in after.events[-2:]] == [EventType.MODEL_INSPECTED, EventType.THUMBNAIL_MADE]
    assert list(FileInspector(services).owing()) == []
    (picture,) = (after.folder / "previews").iterdir()
    page = staff.get(f"/dashboard/jobs/{job.id}").get_data(as_text=True)
    src = f"/dashboard/jobs/{job.id}/previews/{picture.name}"
    assert src in page and "30 × 30 × 30 mm" in page
    links = re.findall(rf'<a [^>]*href="(?:{src}|[^"]*/view/[^"]*)"[^>]*>', page)
    assert len(links) >= 3, "the job's picture, the file's own, and the view in 3D"
    assert all('target="_blank" rel="noopener"' in link for link in links), "what was typed on the job's page stays"
    assert src in staff.get("/dashboard").get_data(as_text=True)
    answer = staff.get(src)
    assert answer.data == picture.read_bytes() and answer.mimetype == "image/png"


def test_a_click_on_a_page_of_before_the_inspection_is_not_turned_away(
    staff: FlaskClient, services: Services, make: MakeJob
) -> None:
    job = make(files=[("a.stl", STL)])
    after = inspected(services, job)
    assert after.job.revision > job.job.revision
    assert act(services.store, job.id, "notes", expected_revision=job.job.revision, notes="typed").job.notes == "typed"


def test_what_was_found_is_on_the_card_and_the_jobs_page(staff: FlaskClient, services: Services, make: MakeJob) -> None:
    job = make(files=[("holes.stl", HOLES)])
    inspected(services, job)
    for page in ("/dashboard", f"/dashboard/jobs/{job.id}"):
        assert "The surface has holes" in staff.get(page).get_data(as_text=True)
    assert "volume unclear" in staff.get(f"/dashboard/jobs/{job.id}").get_data(as_text=True)


def test_pictures_that_somebody_deleted_come_back_without_a_word_in_the_history(
    services: Services, make: MakeJob
) -> None:
    job = inspected(services, make(files=[("a.stl", STL)]))
    shutil.rmtree(job.folder / "previews")
    restored = inspected(services, job)
    assert restored.job.revision == job.job.revision
    assert len(list((job.folder / "previews").iterdir())) == 1


OLD = io.BytesIO()
Image.new("RGBA", (512, 512), (40, 80, 200, 255)).save(OLD, "PNG")
"""As an earlier version drew them: without a mark of its style."""


def picture_of(job: Stored) -> bytes:
    (picture,) = (job.folder / "previews").iterdir()
    return picture.read_bytes()


def test_pictures_of_an_older_style_or_another_color_are_drawn_again(services: Services, make: MakeJob) -> None:
    # FAULTS M13
    job = inspected(services, make(files=[("a.stl", STL)]))
    red = picture_of(job)
    (picture,) = (job.folder / "previews").iterdir()
    picture.write_bytes(OLD.getvalue())
    restored = inspected(services, job)
    assert picture_of(job) == red and restored.job.revision == job.job.revision
    act(services.store, job.id, "details", color="Blue")
    inspector = FileInspector(services)
    assert inspector.owes(job.id)
    inspector.attend(job.id)
    assert picture_of(job) != red and not inspector.owes(job.id)


def test_an_old_picture_that_cannot_be_drawn_again_stays(
    services: Services, make: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = inspected(services, make(files=[("a.stl", STL)]))
    (picture,) = (job.folder / "previews").iterdir()
    picture.write_bytes(OLD.getvalue())
    monkeypatch.setattr(bounded.draw, "__defaults__", (bounded.Limits(seconds=0), None))
    inspected(services, job)
    with Image.open(io.BytesIO(picture_of(job))) as image:
        assert image.convert("RGBA").getpixel((9, 9)) == (40, 80, 200, 255)
    assert list(FileInspector(services).owing()) == [], "nobody tries for ever"


def test_a_model_of_which_no_picture_can_be_made_says_why(
    staff: FlaskClient, services: Services, make: MakeJob
) -> None:
    job = make(files=[("a.stl", b"solid nothing\nendsolid nothing\n")])
    after = inspected(services, job)
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


def test_every_file_has_its_download_and_only_what_the_lab_prints_is_for_the_slicer(
    staff: FlaskClient, make: MakeJob
) -> None:
    job = make(files=[("a.stl", STL)])
    (job.folder / "plate.gcode").write_bytes(b"G28\n")
    page = staff.get(f"/dashboard/jobs/{job.id}").get_data(as_text=True)
    names = [f"{job.folder.name}.stl", "plate.gcode", "original/a.stl"]
    for name in names:
        assert re.search(rf'href="/dashboard/jobs/{job.id}/files/{re.escape(name)}">Download', page), name
    files = page[page.index('<ul class="files">') :]
    assert re.findall(rf'action="/dashboard/jobs/{job.id}/open/([^"]+)"', files[: files.index("</section>")]) == [
        "plate.gcode",
        f"{job.folder.name}.stl",
    ]


# -- open in slicer ---------------------------------------------------------------------------------------------------


def test_the_links_are_what_the_opener_understands() -> None:
    link = parse(opener_address("k7m29xq4", "original/bracket v2 & ü+%.stl"))
    assert (link.job, link.name) == ("k7m29xq4", "original/bracket v2 & ü+%.stl")


def test_each_opening_is_an_event_with_who_and_makes_no_page_stale(
    staff: FlaskClient, services: Services, make: MakeJob, post: PostAction
) -> None:
    job = make()
    page = staff.get(f"/dashboard/jobs/{job.id}").get_data(as_text=True)
    name = f"{job.folder.name}.stl"
    url = f"/dashboard/jobs/{job.id}/open/{name}"
    assert url in page and "Copy path" in page
    data = {"csrf_token": token_in(page)}
    answer = staff.post(url, data=data, headers={"Accept": "application/json"})
    assert answer.get_json() == {"address": opener_address(job.id, name)}
    event = services.store.load(job.id).events[-1]
    assert (event.type, event.actor, event.data) == ("FileOpened", "staff", {"name": name})
    assert post(job.id, "review", revision=job.job.revision).status_code == 303


def test_a_file_in_a_folder_of_the_job_is_offered_opened_and_downloaded(
    staff: FlaskClient, services: Services, make: MakeJob
) -> None:
    """FAULTS R16."""
    job = make()
    name = "plates/plate 1.gcode"
    (job.folder / "plates").mkdir()
    (job.folder / name).write_bytes(b"; sliced")
    page = staff.get(f"/dashboard/jobs/{job.id}").get_data(as_text=True)
    assert f"/dashboard/jobs/{job.id}/open/plates/plate%201.gcode" in page
    assert f'value="{name}"' in staff.get(f"/dashboard/jobs/{job.id}/approve").get_data(as_text=True)
    assert staff.get(f"/dashboard/jobs/{job.id}/files/{name}").data == b"; sliced"
    answer = staff.post(
        f"/dashboard/jobs/{job.id}/open/{name}",
        data={"csrf_token": token_in(page)},
        headers={"Accept": "application/json"},
    )
    assert parse(answer.get_json()["address"]).name == name


def test_without_a_script_a_page_has_the_link_and_what_to_do_if_nothing_opens(
    staff: FlaskClient, make: MakeJob
) -> None:
    job = make()
    name = f"{job.folder.name}.stl"
    page = staff.get(f"/dashboard/jobs/{job.id}").get_data(as_text=True)
    answer = staff.post(
        f"/dashboard/jobs/{job.id}/open/{name}", data={"csrf_token": token_in(page)}, follow_redirects=True
    )
    html = answer.get_data(as_text=True)
    assert f'href="printsys://open?job={job.id}&amp;file={name}"' in html
    assert "/dashboard/opener" in html and staff.get("/dashboard/opener").status_code == 200


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


@pytest.mark.skipif(os.name == "nt", reason="no such names there")
@pytest.mark.parametrize("name", ["a:b.gcode", 'a "b".gcode', "<x>|y?.gcode", "star*.gcode", "a\\b.gcode", "aux.gcode"])
def test_a_name_that_windows_does_not_know_is_shown_and_downloaded_and_never_called_gone(
    staff: FlaskClient, services: Services, make: MakeJob, name: str
) -> None:
    """FAULTS R10."""
    job = make()
    path = job.folder / name
    path.write_bytes(b"G28")
    os.utime(path, (time.time() - 60,) * 2)
    reconciler = Reconciler(services.store, services.actions.drag_context)
    until(lambda: reconciler.reconcile(job.id).stored.job.file(name) is not None)
    assert check_storage(services.store) == []
    page = staff.get(f"/dashboard/jobs/{job.id}").get_data(as_text=True)
    assert "no longer in the folder" not in page and "Windows cannot open a file of this name" in page
    address = url_quote(name, safe="")
    assert staff.get(f"/dashboard/jobs/{job.id}/files/{address}").data == b"G28"
    token = token_in(page)
    refused = staff.post(f"/dashboard/jobs/{job.id}/open/{address}", data={"csrf_token": token})
    assert refused.status_code == 409 and "please rename it" in refused.get_data(as_text=True)
    assert act(services.store, job.id, "approve", print_file=[name]).job.print_files == [name]
    assert check_storage(services.store) == []
    assert f"/open/{name}" not in staff.get("/dashboard?status=Pending").get_data(as_text=True)


def test_strangers_open_nothing(client: FlaskClient, make: MakeJob) -> None:
    job = make()
    token = token_in(client.get("/login").get_data(as_text=True))
    answer = client.post(f"/dashboard/jobs/{job.id}/open/x.stl", data={"csrf_token": token})
    assert answer.status_code == 302 and "/login" in answer.location
