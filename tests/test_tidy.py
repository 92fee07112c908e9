"""`archive` and `prune`: what is old is put away or emptied, what is a job's is never touched."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from indexer.check import check_storage
from indexer.queries import Queries
from printsys.domain.job import Status
from printsys.errors import StorageOffline
from printsys.jobstore import JobStore, Stored
from printsys.retention import FINAL
from tests.commands import Manage
from tests.test_check import everything
from tests.worlds import Clock, make_job, make_store

MakeJob = Callable[..., Stored]


@pytest.fixture
def manage(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Manage:
    return Manage(tmp_path, database_url, monkeypatch, capsys)


def days_ago(place: Path, days: int) -> JobStore:
    """The storage in `place` as it was written to so many days ago."""
    return make_store(place, Clock(datetime.now(UTC) - timedelta(days=days)))


def test_only_picked_up_and_rejected_jobs_end() -> None:
    assert FINAL == (Status.PAID_PICKED_UP, Status.REJECTED)


def test_archive_moves_the_jobs_that_ended_before_the_retention_time(
    manage: Manage, tmp_path: Path, queries: Queries
) -> None:
    jobs = {(days, status): make_job(days_ago(tmp_path, days), status=status) for days in (89, 91) for status in Status}
    said = manage("archive", "--json")
    due = {jobs[91, Status.PAID_PICKED_UP].id, jobs[91, Status.REJECTED].id}
    assert said.code == 0 and set(said.json["archived"]) == due
    store = make_store(tmp_path)
    for (_, status), before in jobs.items():
        after = store.load(before.id)
        assert after.job.status is (Status.ARCHIVED if before.id in due else status)
        assert after.folder.parent.name == after.job.status
        if before.id in due:
            assert after.events[-1].type == "JobArchived" and after.events[-1].actor == "system"
            assert queries.job(before.id).status is Status.ARCHIVED
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
    said = manage("archive", "--dry-run")
    assert said.code == 0 and said.out == f"1 job would be archived:\n  {stored.id}\n"
    assert everything(tmp_path / "storage") == before


def test_a_damaged_job_stays_and_keeps_none_waiting(manage: Manage, tmp_path: Path) -> None:
    damaged, whole = (make_job(days_ago(tmp_path, 91), status=Status.REJECTED) for _ in range(2))
    (damaged.folder / "events.jsonl").write_bytes(b"{}\n")
    said = manage("archive", "--json")
    assert said.code == 1 and said.json["archived"] == [whole.id]
    assert [one["job"] for one in said.json["stay"]] == [damaged.id]


def test_archive_goes_on_without_a_database(manage: Manage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql+psycopg2://127.0.0.1:1/none")
    stored = make_job(days_ago(tmp_path, 91), status=Status.REJECTED)
    assert manage("archive", "--json").json["archived"] == [stored.id]


@pytest.mark.parametrize("command", ["archive"])
def test_a_storage_that_is_not_there_is_said_and_not_made(manage: Manage, tmp_path: Path, command: str) -> None:
    with pytest.raises(StorageOffline, match="There is no storage"):
        manage(command)
    assert not (tmp_path / "storage").exists()
