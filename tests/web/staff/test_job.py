"""What staff see of a job beside its actions: its files, its history, what it lacks, and its problems."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from indexer.queries import Queries
from indexer.schema import create_engine
from printsys.domain.events import Event, EventDraft, EventType
from printsys.domain.folder_moves import drag
from printsys.domain.inputs import ReplyInput
from printsys.domain.status import Status
from printsys.services import NO_DATABASE, Services
from printsys.web import create_app
from printsys.web.staff.history import SENTENCES, sentence
from tests.factories import act, context
from tests.links import link
from tests.present import present
from tests.web.conftest import STAFF_PASSWORD, MakeJob, PostAction, form_token

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{7*7}}"


def words_of(page: str) -> str:
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page)))


# -- files ------------------------------------------------------------------------------------------------------------


def test_the_page_lists_every_file_with_its_hash_and_says_which_is_gone(staff: FlaskClient, make: MakeJob) -> None:
    job = make()
    (job.folder / "plate #1 ü.gcode").write_bytes(b"G28\n")
    (job.folder / "photo.jpg").write_bytes(b"jpeg")
    working = next(record for record in job.job.files if record.role == "working")
    page = staff.get(f"/dashboard/jobs/{job.id}").get_data(as_text=True)
    assert "plate #1 ü.gcode" in page and "photo.jpg" in page and working.sha256[:8] in page
    assert page.index("plate #1 ü.gcode") < page.index(f">{working.name}</span>"), "slicer output comes first"
    (job.folder / working.name).unlink()
    page = staff.get(f"/dashboard/jobs/{job.id}").get_data(as_text=True)
    assert f"{working.name} is no longer in the folder" in words_of(page)


@pytest.mark.parametrize("name", ["plate #1.gcode", "100% ready.gcode", "ü 李明.gcode", "a+b&c.gcode"])
def test_a_download_keeps_its_name_and_is_never_shown_by_the_browser(
    staff: FlaskClient, make: MakeJob, name: str
) -> None:
    job = make()
    (job.folder / name).write_bytes(b"G28\n" * 100)
    page = staff.get(f"/dashboard/jobs/{job.id}").get_data(as_text=True)
    links = [unescape(link) for link in re.findall(r'href="(/dashboard/jobs/\w+/files/[^"]+)"', page)]
    answers = [staff.get(link) for link in links]
    assert all(answer.status_code == 200 for answer in answers)
    (answer,) = [answer for answer in answers if answer.data == b"G28\n" * 100]
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert answer.headers["X-Content-Type-Options"] == "nosniff" and answer.mimetype == "application/octet-stream"
    part = staff.get(links[answers.index(answer)], headers={"Range": "bytes=0-3"})
    assert (part.status_code, part.data) == (206, b"G28\n")


def test_what_the_student_sent_comes_back_under_the_students_own_name(staff: FlaskClient, make: MakeJob) -> None:
    job = make(files=[("Türgriff <2>.stl", b"solid a\nendsolid a\n")])
    original = next(record for record in job.job.files if record.role == "original")
    answer = staff.get(f"/dashboard/jobs/{job.id}/files/{original.name}")
    assert answer.status_code == 200 and answer.data == b"solid a\nendsolid a\n"
    assert "T%C3%BCrgriff%20%3C2%3E.stl" in answer.headers["Content-Disposition"]


def test_a_name_that_would_end_the_header_does_not(staff: FlaskClient, make: MakeJob) -> None:
    job = make(files=[("a\r\nSet-Cookie: x=1\r\n.stl", b"solid a\nendsolid a\n")])
    original = next(record for record in job.job.files if record.role == "original")
    answer = staff.get(f"/dashboard/jobs/{job.id}/files/{original.name}")
    assert answer.status_code == 200 and "\n" not in answer.headers["Content-Disposition"]
    assert not any("x=1" in cookie for cookie in answer.headers.getlist("Set-Cookie"))


@pytest.mark.parametrize(
    "name",
    [
        "../../../etc/passwd", "..%2f..%2f.printsys/storage-id", "%2e%2e/%2e%2e/.printsys/storage-id", "/etc/passwd",
        "original/../../secret", "original", "C:/Windows/win.ini", "metadata.json::$DATA", "nothing.stl", "a%00.stl",
        "..\\..\\.printsys\\storage-id", "link.stl",
    ],
)  # fmt: skip
def test_nothing_outside_the_folder_can_be_downloaded(
    staff: FlaskClient, services: Services, make: MakeJob, name: str
) -> None:
    job = make()
    if name.startswith("link"):
        link(job.folder / "link.stl", services.store.layout.storage_id)
    answer = staff.get(f"/dashboard/jobs/{job.id}/files/{name}")
    assert answer.status_code in (301, 308, 404)
    assert services.store.expected_id.encode() not in answer.data


def test_files_are_for_staff_alone(client: FlaskClient, make: MakeJob) -> None:
    answer = client.get(f"/dashboard/jobs/{make().id}/files/metadata.json")
    assert answer.status_code == 302 and answer.location.startswith("/login?next=")


# -- only what is offered ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "action", "changed", "field"),
    [
        (Status.UPLOADED, "details", {"color": "Pink"}, "color"),
        (Status.PENDING, "details", {"printer": "formlabs-form3"}, "printer"),
        (Status.UPLOADED, "details", {"discipline": "Astrology"}, "discipline"),
        (Status.UPLOADED, "reject", {"reasons": ["no-such-reason"]}, "reasons"),
        (Status.COMPLETED, "pickup", {"amount": "3", "payment_method": "Gold", "picked_up_by": "x"}, "payment_method"),
    ],
)
def test_what_the_form_does_not_offer_is_refused(
    make: MakeJob, post: PostAction, status: Status, action: str, changed: dict[str, Any], field: str
) -> None:
    job = make(status)
    answer = post(job.id, action, **changed)
    assert answer.status_code == 422
    assert re.search(rf'id="{field}-error">[^<]*is not among', answer.get_data(as_text=True))


def test_what_the_lab_has_dropped_since_may_stay(
    staff: FlaskClient, services: Services, make: MakeJob, post: PostAction
) -> None:
    job = make(color="Ultraviolet")
    assert "Ultraviolet" in staff.get(f"/dashboard/jobs/{job.id}/details").get_data(as_text=True)
    assert post(job.id, "details", color="Ultraviolet", class_number="ART 2").status_code == 303
    now = services.store.load(job.id).job
    assert (now.request.color, now.student.class_number) == ("Ultraviolet", "ART 2")


# -- what a job lacks or waits for ------------------------------------------------------------------------------------


def test_what_a_drag_skipped_is_asked_for_and_nothing_else(
    staff: FlaskClient, services: Services, make: MakeJob, post: PostAction
) -> None:
    job = make(Status.COMPLETED)
    with services.store.edit(job.id) as change:
        change.record(*drag(change.job, Status.PAID_PICKED_UP, context(services.store)))
    page = staff.get(f"/dashboard/jobs/{job.id}/supply").get_data(as_text=True)
    assert 'name="amount"' in page and 'name="weight_g"' not in page and 'name="reasons"' not in page
    answer = post(job.id, "supply", amount="4.27", payment_method="Cash", picked_up_by="Joe")
    assert answer.status_code == 303
    paid = present(services.store.load(job.id).job.payment)
    assert (str(paid.amount), paid.method, paid.picked_up_by) == ("4.27", "Cash", "Joe")
    assert 'href="/dashboard/jobs/' + job.id + '/supply"' not in staff.get(answer.location).get_data(as_text=True)


def test_a_link_that_ran_out_is_said_and_sending_it_again_is_the_next_thing(
    staff: FlaskClient, make: MakeJob, post: PostAction
) -> None:
    job = make(Status.PENDING, ago=timedelta(days=30))
    card = staff.get("/dashboard?status=Pending").get_data(as_text=True)
    assert "the link expired on" in card and "Send the e-mail again" in card and "waits for the student" not in card
    assert "the link expired on" in words_of(staff.get(f"/dashboard/jobs/{job.id}").get_data(as_text=True))
    answer = post(job.id, "resend-email")
    assert "Jane Doe gets the e-mail again" in words_of(staff.get(answer.location).get_data(as_text=True))
    assert "waits for the student" in staff.get("/dashboard?status=Pending").get_data(as_text=True)


def test_one_button_is_filled_the_next_thing_to_do(staff: FlaskClient, make: MakeJob) -> None:
    filled = {
        Status.UPLOADED: ["Approve and e-mail Jane"], Status.PENDING: [], Status.READY_TO_PRINT: ["Start printing"],
        Status.PRINTING: ["Printing is done"], Status.COMPLETED: ["Take payment and hand out, e-mail the receipt"],
        Status.PAID_PICKED_UP: [], Status.REJECTED: [], Status.ARCHIVED: [],
    }  # fmt: skip
    for status, labels in filled.items():
        page = staff.get(f"/dashboard/jobs/{make(status).id}").get_data(as_text=True)
        outside = re.sub(r"<dialog.*?</dialog>", "", page, flags=re.S)
        assert re.findall(r'class="btn btn-primary"[^>]*>([^<]+)<', outside) == labels


def test_a_job_without_an_address_can_still_be_corrected(
    staff: FlaskClient, services: Services, make: MakeJob, post: PostAction
) -> None:
    job = make()
    with services.store.edit(job.id) as change:
        patch = {"student": {"email": None, "class_number": None}}
        change.record(EventDraft(EventType.DETAILS_EDITED, "staff", {}, patch))
    assert post(job.id, "details", student_name="Walk In", student_email="", class_number="").status_code == 303
    assert services.store.load(job.id).job.student.name == "Walk In"
    answer = post(job.id, "reject", comment="No.")
    assert "There is no address to e-mail" in words_of(staff.get(answer.location).get_data(as_text=True))


# -- history ----------------------------------------------------------------------------------------------------------


def test_every_kind_of_event_has_a_sentence(app: Flask) -> None:
    assert set(SENTENCES) == set(EventType)


@pytest.mark.parametrize("data", [{}, {"to": "Nowhere", "cost": "lots", "changed": 3, "files": None, "reasons": 7}])
def test_an_event_of_a_newer_version_is_named_and_harms_nobody(app: Flask, data: dict[str, Any]) -> None:
    with app.test_request_context():
        for kind in [*EventType, "InventedLater"]:
            event = Event(seq=1, at=datetime.now(UTC), type=str(kind), actor="staff:Sam", data=data)
            assert sentence(event)


def test_the_history_tells_what_each_event_changed(staff: FlaskClient, make: MakeJob) -> None:
    job = make(Status.PENDING)
    page = words_of(staff.get(f"/dashboard/jobs/{job.id}").get_data(as_text=True))
    assert "Approved at $4.27 Sam, " in page and "estimate.cost 4.27" in page
    assert present(present(job.job.confirmation).nonce) not in page


# -- odd things -------------------------------------------------------------------------------------------------------


def test_a_conflict_shows_the_notes_that_the_other_wrote_and_keeps_mine(
    services: Services, make: MakeJob, post: PostAction
) -> None:
    job = make()
    act(services.store, job.id, "notes", notes="Theirs, from the other desk.")
    answer = post(job.id, "notes", notes="Mine.", revision=job.job.revision)
    page = answer.get_data(as_text=True)
    assert answer.status_code == 409
    assert "Theirs, from the other desk." in words_of(page) and re.search(r"<textarea[^>]*>\s*Mine\.</textarea>", page)


def test_what_is_not_possible_leads_back_to_the_job(make: MakeJob, post: PostAction) -> None:
    job = make(Status.PRINTING)
    answer = post(job.id, "approve")
    assert answer.status_code == 409 and f'href="/dashboard/jobs/{job.id}"' in answer.get_data(as_text=True)


def test_a_folder_that_cannot_be_read_is_named_while_the_database_is_away(services: Services, make: MakeJob) -> None:
    good, bad = make(), make(name="Bad Record")
    (bad.folder / "metadata.json").unlink()
    first = (bad.folder / "events.jsonl").read_bytes().splitlines(keepends=True)[0]
    (bad.folder / "events.jsonl").write_bytes(first + b"half a li\n" + first)
    nobody = create_engine(NO_DATABASE)
    client = create_app(replace(services, queries=Queries(nobody))).test_client()
    data = {"csrf_token": form_token(client, "/login"), "password": STAFF_PASSWORD}
    assert client.post("/login", data=data).status_code == 303
    page = client.get("/dashboard").get_data(as_text=True)
    assert (
        "The database is not available" in page and f'id="job-{good.id}"' in page and f'id="job-{bad.id}"' not in page
    )
    assert "These folders need a person" in page and bad.folder.name in page
    assert re.search(r'Uploaded <span class="count">2<', re.sub(r"\s+", " ", page)), "folders are counted"


def test_what_the_student_wrote_later_stands_under_the_first_message(
    staff: FlaskClient, services: Services, make: MakeJob
) -> None:
    job = make(message="In red, please.")
    for message in ("Please blue instead.", f"And {HOSTILE}"):
        services.actions.student_does(job.id, "reply", ReplyInput(message=message))
    page = staff.get(f"/dashboard/jobs/{job.id}").get_data(as_text=True)
    quotes = re.findall(r'<blockquote class="message">(.*?)</blockquote>', page, re.S)
    assert len(quotes) == 3 and quotes[0] == "In red, please." and "<script>alert" not in page
    later = [words_of(quote) for quote in quotes[1:]]
    assert later[0].startswith("Please blue instead. written later, ") and later[1].startswith(f"And {HOSTILE} ")


def test_nothing_that_people_type_becomes_markup(
    staff: FlaskClient, services: Services, make: MakeJob, post: PostAction
) -> None:
    job = make(name=HOSTILE[:60], message=HOSTILE, class_number=HOSTILE[:50], color=HOSTILE[:60], printer=HOSTILE[:60])
    if sys.platform != "win32":  # which has no such names
        (job.folder / "<img src=x onerror=alert(3)>.gcode").write_bytes(b"G28")
    assert post(job.id, "notes", notes=HOSTILE).status_code == 303
    pages = [f"/dashboard/jobs/{job.id}", "/dashboard", "/dashboard?q=script"]
    pages += [f"/dashboard/jobs/{job.id}/{action}" for action in ("approve", "reject", "details", "delete", "override")]
    for path in pages:
        page = staff.get(path).get_data(as_text=True)
        assert (
            "<script>alert" not in page
            and "<img src=x" not in page
            and "49" not in re.findall(r"alert\(2\)>(\d+)", page)
        )
    assert post(job.id, "reject", comment=HOSTILE).status_code == 303
    assert "<script>alert" not in staff.get(f"/dashboard/jobs/{job.id}").get_data(as_text=True)
