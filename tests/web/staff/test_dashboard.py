"""What staff see at a glance, and that the lab goes on while the database or the storage is away."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from html import unescape
from io import BytesIO
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from indexer.index import Mirror
from indexer.queries import Queries
from indexer.schema import create_engine
from printsys.domain.events import EventDraft, EventType
from printsys.domain.status import LIVE, Status
from printsys.jobstore.notes import note_missing
from printsys.ops import disk_space
from printsys.services import NO_DATABASE, Services
from printsys.texts import STATUS_TEXTS
from printsys.web import create_app
from tests.factories import FORM, STL, act
from tests.mirrored import mirrored_job
from tests.present import present
from tests.web.conftest import (
    STAFF_PASSWORD,
    MakeJob,
    PostAction,
    Submit,
    confirm_token,
    form_token,
    hidden_value,
    json_of,
    token_in,
)


def text(response: TestResponse) -> str:
    html = re.sub(r"</?code[^>]*>", "", response.get_data(as_text=True))  # within a sentence
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html)))


def cards(response: TestResponse) -> list[str]:
    """The ids of the jobs shown, in order."""
    return re.findall(r'id="job-([0-9a-z]{8})"', response.get_data(as_text=True))


def card(response: TestResponse, job_id: str) -> str:
    """What one card says."""
    match = present(re.search(rf'id="job-{job_id}">(.*?)\n</li>', response.get_data(as_text=True), re.S))
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", match.group(1))))


def counts(response: TestResponse) -> dict[str, int]:
    page = response.get_data(as_text=True)
    tabs = re.findall(r'status=(\w+)"[^>]*>\s*[^<]*<span class="count">(\d+)</span>', page)
    return {status: int(n) for status, n in tabs}


# -- tabs and order ---------------------------------------------------------------------------------------------------


def test_every_status_has_a_tab_with_its_count(staff: FlaskClient, make: MakeJob) -> None:
    for status in (Status.UPLOADED, Status.UPLOADED, Status.PENDING, Status.COMPLETED, Status.ARCHIVED):
        make(status)
    page = staff.get("/dashboard")
    none = dict.fromkeys([status.value for status in Status], 0)
    assert counts(page) == none | {"Uploaded": 2, "Pending": 1, "Completed": 1, "Archived": 1}


@pytest.mark.parametrize("status", list(Status))
def test_a_tab_shows_the_jobs_of_its_status_and_no_others(staff: FlaskClient, make: MakeJob, status: Status) -> None:
    mine = make(status)
    make(Status.PRINTING if status is not Status.PRINTING else Status.PENDING)
    page = staff.get(f"/dashboard?status={status.value}")
    assert cards(page) == [mine.id]
    tab = re.search(r'<a class="tab active"[^>]*status=(\w+)"[^>]*aria-current="page"', page.get_data(as_text=True))
    assert tab is not None and tab.group(1) == status.value
    assert STATUS_TEXTS[status].name in text(page)


def test_the_first_status_in_which_something_waits_is_shown_first(staff: FlaskClient, make: MakeJob) -> None:
    job = make(Status.READY_TO_PRINT)
    make(Status.ARCHIVED)
    assert cards(staff.get("/dashboard")) == [job.id]


@pytest.mark.parametrize("status", ["Nonsense", "", "<script>"])
def test_a_status_that_there_is_not_is_as_none(staff: FlaskClient, make: MakeJob, status: str) -> None:
    job = make()
    page = staff.get("/dashboard", query_string={"status": status})
    assert page.status_code == 200 and cards(page) == [job.id]


@pytest.mark.parametrize("status", list(Status))
def test_who_waits_longest_comes_first_and_of_what_is_over_the_newest(
    staff: FlaskClient, make: MakeJob, status: Status
) -> None:
    days = [make(status, ago=timedelta(days=n)).id for n in (3, 1, 2)]
    oldest_first = [days[0], days[2], days[1]]
    assert cards(staff.get(f"/dashboard?status={status.value}")) == (
        oldest_first if status in LIVE else oldest_first[::-1]
    )


def test_more_than_a_page_of_jobs_is_shown_by_pages(staff: FlaskClient, make: MakeJob) -> None:
    ids = [make(ago=timedelta(days=100 - n)).id for n in range(53)]
    first, second = staff.get("/dashboard"), staff.get("/dashboard?status=Uploaded&page=2")
    assert cards(first) == ids[:50] and cards(second) == ids[50:]
    assert "Page 1 of 2" in text(first) and "Page 2 of 2" in text(second)
    onward = present(re.search(r'href="(/dashboard\?[^"]*page=2[^"]*)"', first.get_data(as_text=True))).group(1)
    assert cards(staff.get(unescape(onward))) == ids[50:]
    assert counts(first)["Uploaded"] == 53
    results = staff.get("/dashboard?q=Jane&page=2")
    assert len(cards(results)) == 3 and "53 jobs for “Jane”" in text(results)


@pytest.mark.parametrize("page", ["0", "-1", "x", "999", "99999999999999999999999"])
def test_a_page_that_there_is_not_is_harmless(staff: FlaskClient, make: MakeJob, page: str) -> None:
    make()
    assert staff.get(f"/dashboard?page={page}").status_code == 200


def make_with_id(make: MakeJob, job_id: str, status: Status = Status.UPLOADED) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("printsys.domain.naming.job_id", lambda random_bits: job_id)
        make(status)


# -- search -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("q", ["jane", "DOE", "Jane Doe", "arch 4000", "true red", "resi", "  jane  "])
def test_a_search_finds_jobs_of_every_status_by_what_is_known_of_them(
    staff: FlaskClient, make: MakeJob, q: str
) -> None:
    expected = [make(status).id for status in (Status.UPLOADED, Status.ARCHIVED)]
    if q == "resi":
        expected = [make(method="Resin", color="Gray", printer="formlabs-form3", name="Bob Roe").id]
    else:
        make(name="Bob Roe", class_number="ART 1", color="Blue", email="bob@example.edu")
    page = staff.get("/dashboard", query_string={"q": q})
    assert sorted(cards(page)) == sorted(expected)


@pytest.mark.parametrize("typed", ["k0m29x1q", " K0M29X1Q ", "kOm29xlq", "KoM29XIQ", "k0m29x1q&status=Pending"])
def test_an_exact_id_goes_straight_to_its_job_however_it_is_typed(
    staff: FlaskClient, make: MakeJob, typed: str
) -> None:
    make()
    make_with_id(make, "k0m29x1q", Status.ARCHIVED)
    page = staff.get(f"/dashboard?q={typed}")
    assert (page.status_code, page.location) == (302, "/dashboard/jobs/k0m29x1q")


def test_an_id_among_other_words_is_found_however_it_is_typed(staff: FlaskClient, make: MakeJob) -> None:
    make()
    make_with_id(make, "k0m29x1q")
    assert cards(staff.get("/dashboard?q=jane+KOM29XlQ")) == ["k0m29x1q"]


def test_an_id_that_no_job_has_is_searched_for_as_a_word(staff: FlaskClient, make: MakeJob) -> None:
    """`sheridan` reads as an id: sher1dan."""
    job = make(name="Ann Sheridan")
    page = staff.get("/dashboard?q=sheridan")
    assert page.status_code == 200 and cards(page) == [job.id]


@pytest.mark.parametrize(
    "q", ["zebra", "'; DROP TABLE jobs; --", "%", "_", "\\", "a & zebra | !c", "<b>zebra", ":*", "\x00"]
)
def test_a_search_that_finds_nothing_says_so_and_takes_any_text(staff: FlaskClient, make: MakeJob, q: str) -> None:
    make()
    page = staff.get("/dashboard", query_string={"q": q})
    assert page.status_code == 200 and cards(page) == [] and "No job matches" in text(page)
    assert "<b>" not in page.get_data(as_text=True)


def test_a_search_within_a_status_finds_only_there(staff: FlaskClient, make: MakeJob) -> None:
    make()
    job = make(Status.PENDING)
    assert cards(staff.get("/dashboard?q=jane&status=Pending")) == [job.id]


# -- cards ------------------------------------------------------------------------------------------------------------


def test_a_new_job_is_marked_until_somebody_has_looked_at_it(
    staff: FlaskClient, make: MakeJob, post: PostAction
) -> None:
    job = make()
    page = staff.get("/dashboard")
    assert "NEW" in card(page, job.id) and "is-new" in page.get_data(as_text=True)
    post(job.id, "review")
    assert "NEW" not in card(staff.get("/dashboard"), job.id)
    make(Status.PENDING)
    assert "NEW" not in text(staff.get("/dashboard?status=Pending"))


def test_a_card_shows_what_matters_at_a_glance(staff: FlaskClient, services: Services, make: MakeJob) -> None:
    job = make(Status.READY_TO_PRINT, copies=3, files=[("a.stl", STL), ("b.stl", STL)])
    services.mirror.put(act(services.store, job.id, "notes", notes="Call Jane first."))
    words = card(staff.get("/dashboard"), job.id)
    for fact in ("Jane Doe", "Filament", "True Red", "Prusa MK4S", "3 copies", "2 files", "ARCH 4000", job.id):
        assert fact in words
    for fact in ("Call Jane first.", "$4.27", "42.7 g", "3.5 h", "Start printing"):
        assert fact in words


def test_a_card_of_a_paid_job_shows_what_was_paid(staff: FlaskClient, make: MakeJob) -> None:
    job = make(Status.PAID_PICKED_UP)
    assert "$4.27 paid" in card(staff.get("/dashboard?status=PaidPickedUp"), job.id)


def test_one_click_on_a_card_does_the_next_thing(staff: FlaskClient, services: Services, make: MakeJob) -> None:
    job = make(Status.READY_TO_PRINT)
    page = staff.get("/dashboard").get_data(as_text=True)
    address = f"/dashboard/jobs/{job.id}/start?status=ReadyToPrint"
    assert f'action="{address}"' in page
    data = {"csrf_token": token_in(page), "revision": hidden_value(page, "revision"), "back": "dashboard"}
    assert staff.post(address, data=data).location == "/dashboard?status=ReadyToPrint"
    assert services.store.load(job.id).job.status is Status.PRINTING


def test_a_job_that_waits_for_its_student_says_so(staff: FlaskClient, make: MakeJob) -> None:
    job = make(Status.PENDING)
    assert "waits for the student" in card(staff.get("/dashboard"), job.id)


# -- nothing there ----------------------------------------------------------------------------------------------------


def test_an_empty_lab_says_where_students_submit(staff: FlaskClient) -> None:
    page = staff.get("/dashboard")
    assert page.status_code == 200 and "No jobs yet." in text(page) and "/submit" in page.get_data(as_text=True)


def test_an_empty_tab_says_so_and_not_that_there_are_no_jobs(staff: FlaskClient, make: MakeJob) -> None:
    make()
    words = text(staff.get("/dashboard?status=Printing"))
    assert "Printing" in words and "No jobs yet" not in words


# -- without the database ---------------------------------------------------------------------------------------------


@pytest.fixture
def dark(services: Services) -> Iterator[Services]:
    """The same services without their database."""
    engine = create_engine(NO_DATABASE)
    mirror = Mirror(engine)
    yield replace(services, mirror=mirror, queries=Queries(engine), actions=replace(services.actions, mirror=mirror))
    engine.dispose()


@pytest.fixture
def dark_staff(dark: Services) -> FlaskClient:
    client = create_app(dark).test_client()
    data = {"csrf_token": form_token(client, "/login"), "password": STAFF_PASSWORD}
    assert client.post("/login", data=data).status_code == 303
    return client


def test_without_the_database_the_dashboard_is_a_plain_list_with_a_banner(
    dark_staff: FlaskClient, make: MakeJob
) -> None:
    jobs = {status: make(status).id for status in Status}
    page = dark_staff.get("/dashboard")
    assert page.status_code == 200 and "The database is not available" in text(page)
    assert set(cards(page)) == {jobs[status] for status in LIVE}
    assert cards(dark_staff.get("/dashboard?status=Archived")) == [jobs[Status.ARCHIVED]]
    assert "Jane Doe" in text(page)


def test_without_the_database_a_search_looks_into_the_active_folders(dark_staff: FlaskClient, make: MakeJob) -> None:
    job = make(name="Bob Roe")
    make()
    assert cards(dark_staff.get("/dashboard?q=bob")) == [job.id]
    assert dark_staff.get(f"/dashboard?q={job.id}").location == f"/dashboard/jobs/{job.id}"


def test_without_the_database_a_search_finds_ended_jobs_by_the_names_of_their_folders_and_says_so(
    dark_staff: FlaskClient, make: MakeJob
) -> None:
    ended = make(Status.ARCHIVED, name="José Ñandú")
    make()
    for q in ("josé", "jose nandu", "filament josé", ended.id):
        page = dark_staff.get(f"/dashboard?q={q}", follow_redirects=True)
        assert ended.id in page.get_data(as_text=True), q
    page = dark_staff.get("/dashboard?q=josé")
    assert cards(page) == [ended.id]
    assert "the search reads active jobs, and of all others the names of their folders" in text(page)
    assert "the names of their folders" not in text(dark_staff.get("/dashboard"))


def test_without_the_database_the_list_has_pages(
    dark_staff: FlaskClient, make: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("printsys.web.staff.job_list.PAGE", 2)
    jobs = [make(ago=timedelta(minutes=minutes)).id for minutes in (50, 40, 30)]
    first, second = dark_staff.get("/dashboard?status=Uploaded"), dark_staff.get("/dashboard?status=Uploaded&page=2")
    assert (cards(first), cards(second)) == (jobs[:2], jobs[2:])
    assert "Page 1 of 2" in text(first) and "Page 2 of 2" in text(second)


def test_without_the_database_the_list_is_sorted_as_asked_and_names_what_it_lacks(
    dark_staff: FlaskClient, make: MakeJob
) -> None:
    hours = {"Zoe Adams": 3, "ann Brown": 2, "Max Clark": 1}
    zoe, ann, max_ = (make(name=name, ago=timedelta(hours=ago)).id for name, ago in hours.items())
    page = dark_staff.get("/dashboard?status=Uploaded&sort=student")
    assert cards(page) == [ann, max_, zoe]
    assert "the tabs count all jobs" in text(page) and "no Previous and Next" in text(page)
    assert cards(dark_staff.get("/dashboard?sort=newest")) == [max_, ann, zoe]
    assert cards(dark_staff.get("/dashboard?status=Uploaded")) == [zoe, ann, max_], "as usual"


def test_without_the_database_a_page_says_how_many_folders_it_left_out(
    dark_staff: FlaskClient, make: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("printsys.web.staff.folder_list.MOST_READ", 2)
    for _ in range(3):
        make(Status.ARCHIVED)
    page = dark_staff.get("/dashboard?status=Archived")
    assert len(cards(page)) == 2 and "1 more folder is not read for this list" in text(page)


def test_without_the_database_a_copied_folder_is_not_listed_twice(
    dark: Services, dark_staff: FlaskClient, make: MakeJob
) -> None:
    job = make(Status.PENDING)
    shutil.copytree(job.folder, job.folder.with_name("A copy"))
    shutil.copytree(job.folder, dark.store.layout.status(Status.UPLOADED) / job.folder.name)
    for address in ("/dashboard?status=Pending", f"/dashboard?q={job.job.student.name}"):
        assert cards(dark_staff.get(address)) == [job.id]
    uploaded = dark_staff.get("/dashboard?status=Uploaded")
    assert cards(uploaded) == [] and re.search(r"Uploaded\s+0\b", text(uploaded))
    page = text(dark_staff.get("/dashboard/attention"))
    assert f"Pending/A copy is a copy of job {job.id}, which lies in Pending/{job.folder.name}." in page
    assert f"Uploaded/{job.folder.name} is a copy of job {job.id}" in page


def test_without_the_database_attention_shows_what_the_folders_tell_and_mends_it(
    dark: Services, dark_staff: FlaskClient, make: MakeJob
) -> None:
    damaged, waiting, gone = make(name="Dee Damaged"), make(name="Wen Waiting"), make(name="Max Missing")
    with (damaged.folder / "events.jsonl").open("ab") as log:
        log.write(b"hello\n")
    (dark.store.layout.status(Status.PENDING) / waiting.folder.name).write_bytes(b"")
    act(dark.store, waiting.id, "approve")
    note_missing(dark.store, gone.id, {"student_name": "Max Missing", "folder": "Uploaded/Max"})
    (dark.store.layout.status(Status.PRINTING) / "loose.gcode").write_bytes(b"G28")
    page = dark_staff.get("/dashboard/attention")
    words = text(page)
    assert "This page shows what the folders of active jobs tell" in words
    for sentence in (
        f"events.jsonl of job {damaged.id} needs a person",
        f"a file named {waiting.folder.name} is in Pending",
        "The folder of Max Missing's job (Uploaded/Max) is gone",
        "The file Printing/loose.gcode belongs to no job",
    ):
        assert sentence in words
    assert "Wen Waiting bracket v2.stl" in words, "whose it is"
    place = f"Uploaded/{damaged.folder.name}"
    data = {"csrf_token": token_in(page.get_data(as_text=True)), "kind": "log-damaged", "folder": place}
    answer = dark_staff.post("/dashboard/attention", data=data | {"fix": "restore-record"}, follow_redirects=True)
    assert "The job can go on" in text(answer)
    assert dark.store.load(damaged.id).problem is None


def test_without_the_database_a_whole_life_goes_on(dark: Services, dark_staff: FlaskClient, make: MakeJob) -> None:
    page = dark_staff.get("/submit").get_data(as_text=True)
    data = FORM | {"csrf_token": token_in(page), "submission": hidden_value(page, "submission")}
    answer = dark_staff.post("/submit", data=data | {"file": (BytesIO(STL), "a.stl")})
    assert answer.status_code == 303
    job_id = answer.location.partition("job=")[2]
    steps = [
        ("approve", {"weight_g": "42.7", "time_h": "3.1", "material": "PLA"}, "Pending"),
        ("confirm", {"reason": "At the desk."}, "ReadyToPrint"),
        ("start", {}, "Printing"),
        ("complete", {}, "Completed"),
        ("pickup", {"amount": "4.27", "payment_method": "Card", "picked_up_by": "Jane"}, "PaidPickedUp"),
    ]
    for action, fields, folder in steps:
        job = dark.store.load(job_id).job
        fields |= {"csrf_token": form_token(dark_staff, "/logout"), "revision": str(job.revision)}
        if action == "approve":
            fields["print_file"] = next(file.name for file in job.files if file.role == "working")
        assert dark_staff.post(f"/dashboard/jobs/{job_id}/{action}", data=fields).status_code == 303, action
        assert dark.store.load(job_id).folder.parent.name == folder
        assert dark_staff.get(f"/dashboard/jobs/{job_id}").status_code == 200


def test_without_the_database_students_confirm_and_look(dark: Services, dark_staff: FlaskClient, make: MakeJob) -> None:
    job = make(Status.PENDING)
    link = f"/confirm/{confirm_token(dark, job)}"
    data = {"csrf_token": token_in(dark_staff.get(link).get_data(as_text=True)), "decision": "confirm"}
    answer = dark_staff.post(link, data=data)
    assert answer.status_code == 303 and dark_staff.get(answer.location).status_code == 200
    assert dark.store.load(job.id).job.status is Status.READY_TO_PRINT


def test_without_the_database_the_api_and_the_health_say_so(dark_staff: FlaskClient, make: MakeJob) -> None:
    job = make()
    assert dark_staff.get("/api/v1/jobs").status_code == 503
    assert dark_staff.get(f"/api/v1/jobs/{job.id}").status_code == 200
    assert "is unknown while the database is not available" in dark_staff.get("/dashboard").get_data(as_text=True)
    health = dark_staff.get("/healthz")
    assert health.status_code == 200 and json_of(health)["status"] == "degraded"
    assert json_of(health)["components"] == {
        "storage": "ok",
        "disk": "ok",
        "database": "down",
        "worker": "down",
        "indexer": "down",
        "watching": "down",
    }


# -- without the storage ----------------------------------------------------------------------------------------------


@pytest.fixture
def offline(services: Services, make: MakeJob) -> str:
    """The id of a job whose storage is gone: somebody unmounted the share."""
    job = make(Status.PENDING)
    services.store.layout.root.rename(services.store.layout.root.with_name("elsewhere"))
    return job.id


def test_without_the_storage_the_dashboard_shows_what_is_known_under_a_banner(
    staff: FlaskClient, services: Services, offline: str
) -> None:
    page = staff.get("/dashboard")
    assert page.status_code == 200 and cards(page) == [offline]
    banner = re.search(r'<div class="banner" role="status">(.*?)</div></div>', page.get_data(as_text=True), re.S)
    assert banner is not None and "Nothing is lost" in banner.group(1)


def test_without_the_storage_every_page_says_so_and_nothing_is_made(
    client: FlaskClient, staff: FlaskClient, services: Services, offline: str
) -> None:
    row = present(mirrored_job(services.queries, offline))
    root: Path = services.store.layout.root
    status = f"/status/{services.tokens.status(offline)}"
    confirm = f"/confirm/{services.tokens.confirm(offline, 'a nonce')}"
    data = {"csrf_token": form_token(client), "decision": "confirm"}
    action = {"csrf_token": form_token(staff, "/logout"), "revision": row.revision, "reason": "x"}
    answers = {
        "status": client.get(status),
        "confirm": client.get(confirm),
        "confirming": client.post(confirm, data=data),
        "resend": client.post(f"{confirm}/resend", data=data),
        "job": staff.get(f"/dashboard/jobs/{offline}"),
        "action": staff.post(f"/dashboard/jobs/{offline}/confirm", data=action),
        "download": staff.get(f"/dashboard/jobs/{offline}/files/original/bracket%20v2.stl"),
    }
    for name, answer in answers.items():
        assert answer.status_code == 503 and "storage is offline" in text(answer), name
        assert "Nothing is lost" in text(answer), name
        assert str(root) not in text(answer) or name in ("job", "action", "download"), name
    assert not root.exists() and mirrored_job(services.queries, offline) == row


def test_without_the_storage_a_submission_is_refused_and_keeps_what_was_typed(
    app: Flask, client: FlaskClient, submit: Submit, services: Services, offline: str
) -> None:
    answer = submit(message="typed for an hour")
    assert answer.status_code == 503 and not services.store.layout.root.exists()
    assert "typed for an hour" in answer.get_data(as_text=True)
    assert sum(services.queries.counts().values()) == 1


def test_another_storage_in_its_place_is_not_taken_for_it(
    staff: FlaskClient, submit: Submit, services: Services, offline: str
) -> None:
    root = services.store.layout.root
    root.mkdir()
    for status in Status:
        (root / status).mkdir()
    assert submit().status_code == 503
    assert [path for path in root.rglob("*") if path.is_file()] == []
    assert staff.get(f"/dashboard/jobs/{offline}").status_code == 503


def test_when_the_storage_is_back_everything_goes_on(
    staff: FlaskClient, services: Services, post: PostAction, offline: str
) -> None:
    assert staff.get(f"/dashboard/jobs/{offline}").status_code == 503
    health = staff.get("/healthz")
    assert health.status_code == 503 and json_of(health)["components"]["storage"] == "offline"
    root = services.store.layout.root
    root.with_name("elsewhere").rename(root)
    assert staff.get(f"/dashboard/jobs/{offline}").status_code == 200
    assert post(offline, "confirm", reason="At the desk.").status_code == 303
    assert json_of(staff.get("/healthz"))["components"]["storage"] == "ok"


def test_a_student_without_an_e_mail_is_confirmed_for_by_staff(
    staff: FlaskClient, services: Services, make: MakeJob, post: PostAction
) -> None:
    job = make(Status.UPLOADED)
    with services.store.edit(job.id) as change:
        change.record(EventDraft(EventType.DETAILS_EDITED, "staff", {}, {"student": {"email": None}}))
    act(services.store, job.id, "approve")
    services.mirror.put(services.store.load(job.id))
    page = staff.get("/dashboard?status=Pending").get_data(as_text=True)
    assert "The student gave no e-mail: ask in person, then confirm for them." in page
    assert f'href="/dashboard/jobs/{job.id}?status=Pending#confirm"' in page
    page = staff.get(f"/dashboard/jobs/{job.id}").get_data(as_text=True)
    assert "Confirm for the student" in page and "Send the e-mail again" not in page
    assert post(job.id, "confirm", reason="said yes at the counter").status_code == 303
    after = services.store.load(job.id)
    assert after.job.status is Status.READY_TO_PRINT
    assert after.events[-1].data["reason"] == "said yes at the counter"


def test_a_disk_that_fills_up_is_said_to_staff_before_uploads_fail(
    staff: FlaskClient, app: Flask, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "is nearly full" not in staff.get("/dashboard").get_data(as_text=True)
    monkeypatch.setattr(disk_space, "LOW_BYTES", 10**18)
    page = staff.get("/dashboard").get_data(as_text=True)
    assert page.count("is nearly full") == 1, "storage and instance/ are on one disk here"
    assert "is nearly full" not in app.test_client().get("/submit").get_data(as_text=True)
    health = staff.get("/healthz")
    assert (health.status_code, json_of(health)["status"], json_of(health)["components"]["disk"]) == (
        200,
        "degraded",
        "low",
    )
