"""Everything that needs a person in one place, each fix tried on the real folders."""

from __future__ import annotations

import html
import re
import shutil
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from indexer.reconcile import Reconciler
from indexer.sweep import Sweeper
from printsys import fs
from printsys.domain.emails import owed
from printsys.domain.status import Status
from printsys.errors import JobNotFound
from printsys.jobstore import Stored, trash
from printsys.services import Services
from printsys.web.staff.attention_groups import TASKS
from printsys.web.staff.fixes import FIXES
from tests.factories import act, make_job
from tests.mirrored import mirrored_job
from tests.present import present
from tests.web.conftest import json_of, token_in, tree


@pytest.fixture
def sweep(services: Services) -> Sweeper:
    reconciler = Reconciler(services.store, services.actions.drag_context, settle_s=0)
    return Sweeper(services.store, services.mirror, reconciler)


def kinds(services: Services) -> list[str]:
    return [item.kind for item in services.queries.attention()]


def press(staff: FlaskClient, services: Services, fix: str) -> str:
    """Press the button of the one item that has this fix, and return the page that follows."""
    (item,) = [candidate for candidate in services.queries.attention() if fix in candidate.fixes]
    page = staff.get("/dashboard/attention").get_data(as_text=True)
    words = html.unescape(re.sub(r"<[^>]+>", "", page))
    assert item.sentence in words
    values = {
        "csrf_token": token_in(page),
        "kind": item.kind,
        "folder": item.folder,
        "file": item.file or "",
        "fix": fix,
    }
    return staff.post("/dashboard/attention", data=values, follow_redirects=True).get_data(as_text=True)


def drag(services: Services, job: Stored, to: Status) -> Path:
    target = services.store.layout.status(to) / job.folder.name
    job.folder.rename(target)
    return target


def attention_page(staff: FlaskClient) -> str:
    return staff.get("/dashboard/attention").get_data(as_text=True)


def test_the_page_has_the_name_that_the_menu_has(staff: FlaskClient) -> None:
    page = attention_page(staff)
    assert "<h1>Attention</h1>" in page and "<title>Attention" in page and ">Attention</a>" in page


def test_items_are_grouped_by_what_to_do_each_with_whose_it_is_and_since_when(
    staff: FlaskClient, services: Services, sweep: Sweeper
) -> None:
    moved = make_job(services.store, name="Ann Lee", status=Status.COMPLETED)
    drag(services, moved, Status.PAID_PICKED_UP)
    copied = make_job(services.store, name="Bo Roe")
    shutil.copytree(copied.folder, copied.folder.with_name(copied.folder.name + " - Copy"))
    (services.store.layout.status(Status.UPLOADED) / "wing.stl").write_bytes(b"solid w\nendsolid w\n")
    sweep.sweep()
    page = attention_page(staff)
    tasks = re.findall(r'<h2 id="task-\d+">([^<]+) <span class="count">(\d)</span>', page)
    assert tasks == [("Fill in what is missing", "1"), ("Make a job of it, or put it away", "2")]
    cards = re.findall(r'<li class="job-card attention-card">.*?</li>', page, re.S)
    assert f'<a href="/dashboard/jobs/{moved.id}">Ann Lee</a><span class="job-file">bracket v2.stl</span>' in cards[0]
    assert "since <time" in cards[0]
    paths = [re.findall('<code class="path">([^<]+)</code>', card) for card in cards]
    assert all(len(each) == 1 for each in paths), "the path, small and once"
    assert {path for each in paths for path in each} == {item.folder for item in services.queries.attention()}
    assert all(card.count("btn-primary") == 1 for card in cards)
    assert ">Fill in what is missing" in present(re.search(r'btn-primary".*', cards[0])).group()


def test_what_is_seldom_right_is_never_the_filled_button(
    staff: FlaskClient, services: Services, sweep: Sweeper
) -> None:
    job = make_job(services.store)
    sweep.sweep()
    fs.remove_tree(job.folder)
    sweep.sweep()
    page = attention_page(staff)
    assert "Forget this job" in page and "btn-primary" not in page
    assert "Jane Doe</a>" in page, "the mirror still knows whose it is"


def test_every_fix_belongs_to_one_task() -> None:
    slugs = sorted(slug for task in TASKS.values() for slug in task)
    assert slugs == sorted(FIXES)


def test_nothing_to_do_says_so(staff: FlaskClient) -> None:
    assert "Nothing needs you here." in staff.get("/dashboard/attention").get_data(as_text=True)


def test_a_move_that_skipped_facts_is_undone_and_the_folder_goes_back(
    staff: FlaskClient, services: Services, sweep: Sweeper
) -> None:
    job = make_job(services.store, status=Status.COMPLETED)
    drag(services, job, Status.PAID_PICKED_UP)
    sweep.sweep()
    assert kinds(services) == ["facts-missing"]
    assert "back where it was" in press(staff, services, "undo-move")
    back = services.store.load(job.id)
    assert (back.folder, back.job.status, back.asked_by_hand) == (job.folder, Status.COMPLETED, None)
    sweep.sweep()
    assert kinds(services) == []


def test_the_missing_facts_are_filled_in(staff: FlaskClient, services: Services, sweep: Sweeper) -> None:
    job = make_job(services.store, status=Status.COMPLETED)
    drag(services, job, Status.PAID_PICKED_UP)
    sweep.sweep()
    page = staff.get(f"/dashboard/jobs/{job.id}/supply")
    assert page.status_code == 200
    revision = services.store.load(job.id).job.revision
    answer = staff.post(
        f"/dashboard/jobs/{job.id}/supply",
        data={
            "csrf_token": token_in(page.get_data(as_text=True)),
            "revision": revision,
            "amount": "4.27",
            "payment_method": "Card",
            "picked_up_by": "Jane Doe",
        },
    )
    assert answer.status_code == 303, answer.get_data(as_text=True)
    payment = services.store.load(job.id).job.payment
    assert payment is not None
    assert str(payment.amount) == "4.27"
    sweep.sweep()
    assert kinds(services) == []


def test_a_ruined_metadata_json_is_restored_and_the_persons_text_kept(
    staff: FlaskClient, services: Services, sweep: Sweeper
) -> None:
    job = make_job(services.store)
    path = job.folder / "metadata.json"
    path.write_text("{ half an edit", "utf-8")
    sweep.sweep()
    assert "metadata-unreadable" in kinds(services)
    press(staff, services, "restore-metadata")
    restored = services.store.load(job.id)
    assert (restored.problem, restored.job.student) == (None, job.job.student)
    assert [p.read_text("utf-8") for p in (job.folder / "aside").iterdir()] == ["{ half an edit"]
    sweep.sweep()
    assert kinds(services) == []


@pytest.mark.parametrize("how", ["altered", "gone"])
def test_an_original_is_restored_from_a_file_with_the_same_bytes(
    staff: FlaskClient, services: Services, sweep: Sweeper, how: str
) -> None:
    job = make_job(services.store)
    original = job.folder / "original" / "bracket v2.stl"
    data = original.read_bytes()
    if how == "gone":
        fs.unlink(original)
    else:
        original.chmod(0o644)
        original.write_bytes(b"something else")
    sweep.sweep()
    assert kinds(services) == ["original-missing" if how == "gone" else "original-altered"]
    press(staff, services, "restore-original")
    assert original.read_bytes() == data
    set_aside = [p.read_bytes() for p in (job.folder / "aside").glob("*")] if (job.folder / "aside").exists() else []
    assert set_aside == ([] if how == "gone" else [b"something else"])
    assert services.store.load(job.id).events[-1].type == "OriginalRestored"
    sweep.sweep()
    assert kinds(services) == []


def test_a_copied_folder_goes_to_the_trash_and_the_job_stays(
    staff: FlaskClient, services: Services, sweep: Sweeper
) -> None:
    job = make_job(services.store)
    copy = job.folder.with_name(job.folder.name + " - Copy")
    shutil.copytree(job.folder, copy)
    sweep.sweep()
    assert kinds(services) == ["duplicate"]
    press(staff, services, "remove-copy")
    assert not copy.exists()
    assert (services.store.layout.trash / copy.name / "metadata.json").exists()
    assert services.store.load(job.id).folder == job.folder
    sweep.sweep()
    assert kinds(services) == []


def test_a_missing_job_is_forgotten_only_when_somebody_says_so(
    staff: FlaskClient, services: Services, sweep: Sweeper
) -> None:
    job = make_job(services.store)
    sweep.sweep()
    fs.remove_tree(job.folder)
    for _ in range(2):
        sweep.sweep()
        assert kinds(services) == ["job-missing"]
        assert mirrored_job(services.queries, job.id) is not None
    press(staff, services, "forget-job")
    sweep.sweep()
    assert (kinds(services), mirrored_job(services.queries, job.id)) == ([], None)


def test_the_job_itself_is_never_discarded(services: Services) -> None:
    job = make_job(services.store)
    for relative_path in (
        services.store.layout.relative(job.folder),
        "../elsewhere",
        ".printsys/locks",
        "Uploaded",
        "",
    ):
        with pytest.raises(JobNotFound):
            trash.discard(services.store, relative_path)
    assert job.folder.exists()


def test_scripts_and_every_page_are_told_how_much_is_open(
    staff: FlaskClient, services: Services, sweep: Sweeper
) -> None:
    job = make_job(services.store)
    (job.folder / "metadata.json").write_text("{", "utf-8")
    sweep.sweep()
    items = json_of(staff.get("/api/v1/attention"))["attention"]
    assert [item["job_id"] for item in items] == [job.id]
    assert "1<span" in staff.get("/dashboard").get_data(as_text=True)


def test_a_move_by_hand_is_shown_with_its_grace_and_undone_from_the_jobs_page(
    staff: FlaskClient, services: Services, sweep: Sweeper
) -> None:
    job = make_job(services.store, status=Status.PRINTING)
    drag(services, job, Status.COMPLETED)
    sweep.sweep()
    done = services.store.load(job.id)
    assert done.events[-1].type == "EmailQueued"
    page = staff.get(f"/dashboard/jobs/{job.id}").get_data(as_text=True)
    assert "Its e-mail goes out" in page
    without = {"csrf_token": token_in(page)}  # FAULTS S9: which move, if not the one that the page showed?
    assert staff.post(f"/dashboard/jobs/{job.id}/undo-move", data=without).status_code in (409, 422)
    assert services.store.load(job.id).job == done.job
    values = {"csrf_token": token_in(page), "revision": done.job.revision}
    assert staff.post(f"/dashboard/jobs/{job.id}/undo-move", data=values).status_code == 303
    back = services.store.load(job.id)
    assert (back.folder, back.job.status) == (job.folder, Status.PRINTING)
    assert [event.type for event in back.events[-2:]] == ["EmailDropped", "StatusReverted"]
    assert staff.post(f"/dashboard/jobs/{job.id}/undo-move", data=values).status_code == 409


def test_a_step_by_a_button_has_no_move_to_undo(staff: FlaskClient, services: Services) -> None:
    job = make_job(services.store, status=Status.PRINTING)
    page = staff.get(f"/dashboard/jobs/{job.id}").get_data(as_text=True)
    assert "Undo the move" not in page
    values = {"csrf_token": token_in(page), "revision": job.job.revision}
    assert staff.post(f"/dashboard/jobs/{job.id}/undo-move", data=values).status_code == 409
    assert services.store.load(job.id).job == job.job


def test_two_originals_of_one_job_are_restored_one_by_one(
    staff: FlaskClient, services: Services, sweep: Sweeper
) -> None:
    job = make_job(services.store, files=(("a.stl", b"solid a\nendsolid a\n"), ("b.stl", b"solid b\nendsolid b\n")))
    for name in ("a.stl", "b.stl"):
        fs.unlink(job.folder / "original" / name)
    sweep.sweep()
    assert [(item.kind, item.file) for item in services.queries.attention()] == [
        ("original-missing", "original/a.stl"),
        ("original-missing", "original/b.stl"),
    ]
    page = staff.get("/dashboard/attention").get_data(as_text=True)
    values = {
        "csrf_token": token_in(page),
        "kind": "original-missing",
        "folder": services.store.layout.relative(job.folder),
    }
    staff.post("/dashboard/attention", data=values | {"file": "original/b.stl", "fix": "restore-original"})
    assert sorted(path.name for path in (job.folder / "original").iterdir()) == ["b.stl"]
    assert [item.file for item in services.queries.attention()] == ["original/a.stl"]


def test_a_move_that_skipped_facts_may_be_left_as_it_is(staff: FlaskClient, services: Services, sweep: Sweeper) -> None:
    job = make_job(services.store, status=Status.COMPLETED)
    moved = drag(services, job, Status.PAID_PICKED_UP)
    sweep.sweep()
    press(staff, services, "accept-move")
    after = services.store.load(job.id)
    assert (after.folder, after.events[-1].type, after.events[-1].actor) == (moved, "MoveAccepted", "staff")
    sweep.sweep()
    assert kinds(services) == []


def test_a_folder_that_a_program_holds_is_moved_when_it_is_asked_again(
    staff: FlaskClient, services: Services, sweep: Sweeper
) -> None:
    job = make_job(services.store, status=Status.PRINTING)
    in_the_way = services.store.layout.status(Status.COMPLETED) / job.folder.name
    in_the_way.mkdir()
    (in_the_way / "note.txt").write_text("somebody's", "utf-8")
    act(services.store, job.id, "complete")
    sweep.sweep()
    assert "move-pending" in kinds(services)
    assert "Not yet" in press(staff, services, "retry-move")
    (in_the_way / "note.txt").unlink()
    in_the_way.rmdir()
    assert "where it belongs" in press(staff, services, "retry-move")
    assert services.store.load(job.id).folder == in_the_way


@pytest.mark.parametrize("harm", ["a line edited", "a line removed", "cut", "gone", "unreadable"])
def test_a_new_record_replaces_a_damaged_one_and_the_job_goes_on(
    staff: FlaskClient, services: Services, sweep: Sweeper, harm: str
) -> None:
    job = make_job(services.store, status=Status.PENDING)
    sweep.sweep()
    log = job.folder / "events.jsonl"
    before = log.read_bytes()
    lines = before.splitlines(keepends=True)
    ruined = {
        "a line edited": before.replace(b"Jane Doe", b"June Doe", 1),
        "a line removed": b"".join(lines[:1] + lines[2:]),
        "cut": b"".join(lines[:2]),
        "gone": b"",
        "unreadable": b"\x00" * 100,
    }[harm]
    log.write_bytes(ruined)
    if harm == "gone":
        log.unlink()
    sweep.sweep()
    press(staff, services, "restore-record")
    after = services.store.load(job.id)
    assert (after.problem, after.job.status, after.job.student) == (None, Status.PENDING, job.job.student)
    assert after.job.confirmation == job.job.confirmation
    assert after.job.revision > job.job.revision, "no number is ever given twice"
    assert after.events[-1].type == "RecordRestored"
    set_aside = [path.read_bytes() for path in (job.folder / "aside").glob("events-*")]
    assert set_aside == ([] if harm == "gone" else [ruined])
    assert not owed(after.events, job.id), "whether it had gone out is not known: it is not sent twice"
    sweep.sweep()
    assert kinds(services) == []
    row = mirrored_job(services.queries, job.id)
    assert row is not None and row.revision == after.job.revision
    assert act(services.store, job.id, "confirm").job.status is Status.READY_TO_PRINT


@pytest.mark.parametrize(
    ("fix", "status", "sentence"),
    [
        ("go-on", Status.UPLOADED, "The job goes on from the older record."),
        ("put-newer-back", Status.PENDING, "The newer record is back"),
    ],
)
def test_an_older_copy_laid_over_the_folder_waits_for_staff_to_decide(
    staff: FlaskClient, services: Services, sweep: Sweeper, tmp_path: Path, fix: str, status: Status, sentence: str
) -> None:
    """FAULTS R9."""
    job = make_job(services.store)
    shutil.copytree(job.folder, tmp_path / "older")
    approved = act(services.store, job.id, "approve")
    sweep.sweep()
    shutil.copytree(tmp_path / "older", approved.folder, dirs_exist_ok=True)
    sweep.sweep()
    page = staff.get(f"/dashboard/jobs/{job.id}")
    assert "it is an older copy" in page.get_data(as_text=True)
    values = {"csrf_token": token_in(page.get_data(as_text=True)), "revision": job.job.revision, "notes": "x"}
    refused = staff.post(f"/dashboard/jobs/{job.id}/notes", data=values)
    assert refused.status_code == 409 and "it is an older copy" in refused.get_data(as_text=True)
    assert f"/dashboard/jobs/{job.id}/reject" not in page.get_data(as_text=True), "no button that would be refused"
    listed = staff.get("/dashboard?status=Pending").get_data(as_text=True)
    assert "it is an older copy" in listed and "See what to do" in listed and "See what to do" in page.get_data(True)
    assert sentence in press(staff, services, fix)
    after = services.store.load(job.id)
    assert (after.problem, after.job.status, after.folder.parent.name) == (None, status, status)
    row = mirrored_job(services.queries, job.id)
    assert row is not None and (row.revision, row.problem) == (after.job.revision, None)
    sweep.sweep()
    assert kinds(services) == []


def test_a_folder_whose_record_is_lost_altogether_goes_into_quarantine_with_every_byte(
    staff: FlaskClient, services: Services, sweep: Sweeper
) -> None:
    job = make_job(services.store)
    sweep.sweep()
    (job.folder / "events.jsonl").write_bytes(b"nonsense")
    (job.folder / "metadata.json").write_bytes(b"{ nonsense")
    before = tree(job.folder)
    sweep.sweep()
    press(staff, services, "quarantine")
    assert not job.folder.exists()
    assert tree(services.store.layout.quarantine / job.folder.name) == before
    sweep.sweep()
    assert kinds(services) == []


def test_a_job_that_is_whole_cannot_be_put_in_quarantine(services: Services) -> None:
    job = make_job(services.store)
    with pytest.raises(JobNotFound):
        trash.quarantine(services.store, services.store.layout.relative(job.folder))
    assert job.folder.exists()


@pytest.mark.parametrize(("fix", "stays"), [("keep", True), ("delete", False)])
def test_a_deleted_job_that_somebody_took_out_of_the_trash_is_kept_or_put_back(
    staff: FlaskClient, services: Services, sweep: Sweeper, fix: str, stays: bool
) -> None:
    job = make_job(services.store)
    gone = act(services.store, job.id, "delete")
    gone.folder.rename(job.folder)
    sweep.sweep()
    assert kinds(services) == ["deleted-here"]
    press(staff, services, fix)
    assert job.folder.exists() is stays
    sweep.sweep()
    assert kinds(services) == []
    assert (mirrored_job(services.queries, job.id) is not None) is stays


def test_both_versions_of_a_record_can_be_looked_at_and_the_copy_put_aside(
    staff: FlaskClient, services: Services, sweep: Sweeper
) -> None:
    """FAULTS R15."""
    job = make_job(services.store)
    name = "metadata (Jane's conflicted copy 2026-01-01).json"
    shutil.copy2(job.folder / "metadata.json", job.folder / name)
    sweep.sweep()
    page = staff.get("/dashboard/attention").get_data(as_text=True)
    links = re.findall(rf'href="(/dashboard/jobs/{job.id}/files/[^"]*)"', page)
    assert [staff.get(html.unescape(link)).status_code for link in links] == [200, 200]
    assert "The copy is in “aside”." in press(staff, services, "put-aside")
    assert not (job.folder / name).exists() and (job.folder / "aside" / name).exists()


def test_a_job_in_another_jobs_folder_is_moved_out_by_a_button(
    staff: FlaskClient, services: Services, sweep: Sweeper
) -> None:
    """FAULTS R16."""
    outer, inner = make_job(services.store, "Outer Job"), make_job(services.store, "Inner Job")
    inner.folder.rename(outer.folder / inner.folder.name)
    sweep.sweep()
    assert "It lies where its record says" in press(staff, services, "move-out")
    assert services.store.find(inner.id) == inner.folder
    sweep.sweep()
    assert kinds(services) == []
