"""`archive` and `prune`: what is old is put away or emptied, what is a job's is never touched."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from filelock import FileLock

from indexer.check import check_storage
from indexer.queries import Queries
from printsys.assessment.upload_checker import SCRATCH
from printsys.domain.status import Status
from printsys.errors import StorageOffline
from printsys.jobstore import JobStore, Stored, trash
from printsys.jobstore.trash import TRASH_KEEPS, find_scratch, find_waste, remove
from tests.factories import Clock, act, make_job, make_store
from tests.indexer.test_check import everything
from tests.links import link
from tests.manage import Manage
from tests.mirrored import mirrored_job
from tests.present import present

MakeJob = Callable[..., Stored]


def days_ago(folder: Path, days: int) -> JobStore:
    """The storage in `folder` as a process wrote to it so many days ago."""
    return make_store(folder, Clock(datetime.now(UTC) - timedelta(days=days)))


def test_archive_moves_the_jobs_that_ended_before_the_retention_time(
    manage: Manage, tmp_path: Path, queries: Queries
) -> None:
    jobs = {(days, status): make_job(days_ago(tmp_path, days), status=status) for days in (89, 91) for status in Status}
    archive = manage("archive", "--json")
    due = {jobs[91, Status.PAID_PICKED_UP].id, jobs[91, Status.REJECTED].id}
    assert archive.code == 0 and set(archive.json["archived"]) == due
    store = make_store(tmp_path)
    for (_, status), before in jobs.items():
        after = store.load(before.id)
        assert after.job.status is (Status.ARCHIVED if before.id in due else status)
        assert after.folder.parent.name == after.job.status
        if before.id in due:
            assert after.events[-1].type == "JobArchived" and after.events[-1].actor == "system"
            assert present(mirrored_job(queries, before.id)).job.status is Status.ARCHIVED
        else:
            assert after.job == before.job
    assert check_storage(store, deep=True) == []
    assert manage("archive").out == "0 jobs are archived.\n"


def test_archive_takes_another_time_from_the_command_line(manage: Manage, tmp_path: Path) -> None:
    stored = make_job(days_ago(tmp_path, 10), status=Status.REJECTED)
    assert manage("archive", "--older-than", "11", "--json").json["archived"] == []
    assert manage("archive", "--older-than", "9", "--json").json["archived"] == [stored.id]


def test_a_dry_run_says_what_it_would_archive_and_changes_nothing(manage: Manage, tmp_path: Path) -> None:
    stored = make_job(days_ago(tmp_path, 91), status=Status.REJECTED)
    manage("archive", "--dry-run")  # reading makes the job's lock
    before = everything(tmp_path / "storage")
    archive = manage("archive", "--dry-run")
    assert archive.code == 0 and archive.out == f"1 job would be archived:\n  {stored.id}\n"
    assert everything(tmp_path / "storage") == before


def test_a_list_that_somebody_looked_at_is_archived_and_no_other_job(manage: Manage, tmp_path: Path) -> None:
    listed, changed = (make_job(days_ago(tmp_path, 91), status=Status.REJECTED) for _ in range(2))
    path = tmp_path / "list"
    preview = manage("archive", "--dry-run", "--save-list", str(path), "--json")
    assert set(preview.json["archived"]) == {listed.id, changed.id} and preview.json["size"] > 2000
    later = make_job(days_ago(tmp_path, 91), status=Status.REJECTED)
    act(make_store(tmp_path), changed.id, "notes")
    archive = manage("archive", "--from-list", str(path), "--actor", "staff:Sam", "--json")
    assert archive.code == 1 and archive.json["archived"] == [listed.id]
    assert [entry["job"] for entry in archive.json["stay"]] == [changed.id]
    store = make_store(tmp_path)
    assert store.load(listed.id).events[-1].actor == "staff:Sam"
    assert store.load(later.id).job.status is Status.REJECTED


def test_a_list_that_was_carried_out_before_is_passed_over(manage: Manage, tmp_path: Path) -> None:
    jobs = [make_job(days_ago(tmp_path, 91), status=Status.REJECTED) for _ in range(2)]
    path = tmp_path / "list"
    manage("archive", "--dry-run", "--save-list", str(path))
    act(make_store(tmp_path), jobs[0].id, "archive")
    assert manage("archive", "--from-list", str(path), "--json").json["archived"] == [jobs[1].id]
    again = manage("archive", "--from-list", str(path))
    assert again.code == 0 and again.out == "0 jobs are archived.\n"


def test_a_job_with_a_copy_of_its_folder_is_listed_once(manage: Manage, tmp_path: Path) -> None:
    stored = make_job(days_ago(tmp_path, 91), status=Status.REJECTED)
    shutil.copytree(stored.folder, stored.folder.with_name(f"{stored.folder.name} (copy)"))
    assert manage("archive", "--dry-run", "--json").json["archived"] == [stored.id]


@pytest.mark.parametrize("name", ["staff:", "student", "Sam", ""])
def test_nobody_acts_in_the_name_of_somebody_who_is_not_staff(manage: Manage, tmp_path: Path, name: str) -> None:
    make_store(tmp_path)
    with pytest.raises(SystemExit):
        manage("archive", "--actor", name)


def test_a_damaged_job_stays_and_keeps_none_waiting(manage: Manage, tmp_path: Path) -> None:
    damaged, whole = (make_job(days_ago(tmp_path, 91), status=Status.REJECTED) for _ in range(2))
    (damaged.folder / "events.jsonl").write_bytes(b"{}\n")
    archive = manage("archive", "--json")
    assert archive.code == 1 and archive.json["archived"] == [whole.id]
    assert [entry["job"] for entry in archive.json["stay"]] == [damaged.id]


def test_archive_goes_on_without_a_database(manage: Manage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql+psycopg2://127.0.0.1:1/none")
    stored = make_job(days_ago(tmp_path, 91), status=Status.REJECTED)
    assert manage("archive", "--json").json["archived"] == [stored.id]


@pytest.mark.parametrize("command", ["archive", "prune"])
def test_a_storage_that_is_not_there_is_said_and_not_made(manage: Manage, tmp_path: Path, command: str) -> None:
    with pytest.raises(StorageOffline, match="There is no storage"):
        manage(command)
    assert not (tmp_path / "storage").exists()


# -- prune ------------------------------------------------------------------------------------------------------------

MONTH_LATER = TRASH_KEEPS + timedelta(hours=1)


def in_the_trash(store: JobStore) -> set[str]:
    return {path.name for path in store.layout.trash.iterdir()}


@pytest.fixture
def rubbish(tmp_path: Path) -> JobStore:
    """One of each: a deleted job, a copy that was discarded, a loose file, and a submission that was cut off."""
    store = make_store(tmp_path, Clock(datetime.now(UTC)))
    for status in Status:
        make_job(store, status=status)
    act(store, make_job(store, name="Gone Girl").id, "delete")
    job = make_job(store)
    shutil.copytree(job.folder, job.folder.with_name("a copy"))
    trash.discard(store, "Uploaded/a copy")
    (store.layout.status(Status.UPLOADED) / "loose.stl").write_bytes(b"solid")
    trash.discard(store, "Uploaded/loose.stl")
    (store.layout.staging / "k7m29xq4").mkdir()
    (store.layout.staging / "k7m29xq4" / "half.stl").write_bytes(b"sol")
    return store


def test_the_trash_is_emptied_after_thirty_days_and_not_before(rubbish: JobStore) -> None:
    jobs = {path for status in Status for path in rubbish.layout.status(status).rglob("*")}
    thrown = in_the_trash(rubbish)
    assert len(thrown) == 3
    assert list(find_waste(rubbish, datetime.now(UTC))) == []
    not_yet = find_waste(rubbish, datetime.now(UTC) + TRASH_KEEPS - timedelta(hours=1))
    assert [item.kind for item in not_yet] == ["staging"]
    waste = list(find_waste(rubbish, datetime.now(UTC) + MONTH_LATER))
    assert {item.path.name for item in waste if item.kind == "trash"} == thrown
    assert all(remove(rubbish, item) for item in waste)
    assert in_the_trash(rubbish) == set() and list(rubbish.layout.staging.iterdir()) == []
    assert {path for status in Status for path in rubbish.layout.status(status).rglob("*")} == jobs
    assert check_storage(rubbish, deep=True) == []


def test_a_file_that_was_old_when_it_was_thrown_away_keeps_its_thirty_days(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    old = store.layout.status(Status.UPLOADED) / "old.stl"
    store.layout.make()
    old.write_bytes(b"solid")
    os.utime(old, (0, 0))
    trash.discard(store, "Uploaded/old.stl")
    assert (store.layout.trash / "old.stl").stat().st_mtime > time.time() - 3600
    assert list(find_waste(store, datetime.now(UTC))) == []


def test_a_removal_that_was_killed_is_ended_by_the_next_prune(rubbish: JobStore) -> None:
    half = rubbish.layout.trash / f"{trash.EMPTYING}Half_Job"
    half.mkdir()
    waste = list(find_waste(rubbish, datetime.now(UTC)))
    assert [item.path for item in waste] == [half]
    assert remove(rubbish, waste[0]) and not half.exists()


def test_a_link_in_the_trash_is_removed_and_what_it_points_to_stays(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    treasure = make_job(store).folder
    bait = store.layout.trash / "link"
    link(bait, treasure)
    assert all(remove(store, waste) for waste in find_waste(store, datetime.now(UTC) + MONTH_LATER))
    assert not os.path.lexists(bait) and (treasure / "metadata.json").exists()


def test_a_submission_that_is_being_written_is_left_alone(rubbish: JobStore) -> None:
    waste = next(w for w in find_waste(rubbish, datetime.now(UTC) + MONTH_LATER) if w.kind == "staging")
    with FileLock(rubbish.layout.lock(waste.path.name)):
        assert not remove(rubbish, waste)
    assert waste.path.exists()


def test_a_job_that_was_taken_out_of_the_trash_by_hand_is_not_removed(rubbish: JobStore) -> None:
    waste = next(w for w in find_waste(rubbish, datetime.now(UTC) + MONTH_LATER) if "GoneGirl" in w.path.name)
    back = rubbish.layout.status(Status.UPLOADED) / waste.path.name
    waste.path.rename(back)
    assert not remove(rubbish, waste)
    assert (back / "metadata.json").exists()


@pytest.fixture
def a_month_later(rubbish: JobStore, monkeypatch: pytest.MonkeyPatch) -> JobStore:
    """For the command the trash is a month old."""
    monkeypatch.setattr("printsys.commands.prune.find_waste", lambda store, now: find_waste(store, now + MONTH_LATER))
    return rubbish


def test_the_command_says_what_it_would_remove(manage: Manage, a_month_later: JobStore) -> None:
    before = everything(a_month_later.layout.root)
    prune = manage("prune", "--dry-run")
    assert prune.code == 0 and ".printsys/trash/loose.stl, in the trash since" in prune.out
    assert [entry["removed"] for entry in manage("prune", "--dry-run", "--json").json["found"]] == [False] * 4
    assert everything(a_month_later.layout.root) == before


@pytest.mark.parametrize(("answer", "remaining"), [("", 3), ("n", 3), ("y", 0)])
def test_on_a_terminal_it_asks(
    manage: Manage, a_month_later: JobStore, monkeypatch: pytest.MonkeyPatch, answer: str, remaining: int
) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("builtins.input", lambda question: answer)
    assert manage("prune").code == 0
    assert len(in_the_trash(a_month_later)) == remaining


def test_a_script_is_told_what_was_removed(manage: Manage, a_month_later: JobStore) -> None:
    entries = manage("prune", "--json").json["found"]
    assert sorted(entry["kind"] for entry in entries if entry["removed"]) == ["staging", "trash", "trash", "trash"]
    assert in_the_trash(a_month_later) == set()


def test_what_a_killed_look_into_a_model_left_is_removed_after_a_day(manage: Manage, tmp_path: Path) -> None:
    make_store(tmp_path)
    scratch = tmp_path / "instance" / SCRATCH / "tmp123"
    scratch.mkdir(parents=True)
    (scratch / "model.stl").write_bytes(b"solid")
    assert manage("prune", "--json").json["found"] == []
    waste = list(find_scratch(scratch.parent, datetime.now(UTC) + timedelta(days=1, minutes=1)))
    assert [item.path for item in waste] == [scratch] and remove(make_store(tmp_path), waste[0])
    assert not scratch.exists()
