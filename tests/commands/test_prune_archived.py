"""`prune --archived`: a preview, typed words, an anonymous line each, and nobody who misses the jobs."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from indexer.index import Mirror
from indexer.queries import Queries
from printsys.actions.due_jobs import due_job, due_list, write_list
from printsys.actions.pruning import PruneResult, prune
from printsys.commands import prune_archived
from printsys.config import load_settings
from printsys.domain.status import Status
from printsys.errors import PrintSysError
from printsys.jobstore import JobStore, Stored
from printsys.jobstore.pruned import pruned_jobs
from printsys.ops.backup_record import BackupUnderWay, under_way, write_record
from tests.factories import Clock, act, actions_on, make_job, make_store, sync
from tests.indexer.test_check import everything
from tests.manage import Manage


def archived(folder: Path, days: int) -> Stored:
    clock = Clock(datetime.now(UTC) - timedelta(days=days))
    return make_job(make_store(folder, clock), status=Status.ARCHIVED)


def test_the_preview_says_how_many_how_large_and_which(manage: Manage, tmp_path: Path) -> None:
    old = archived(tmp_path, 400)
    archived(tmp_path, 300)
    make_job(make_store(tmp_path), status=Status.REJECTED)
    manage("prune", "--archived", "--older-than", "365", "--dry-run")
    before = everything(tmp_path / "storage")
    preview = manage("prune", "--archived", "--older-than", "365", "--dry-run")
    assert preview.code == 0 and preview.out.startswith("Archived more than 365 days ago: 1 job, 0.0 MB.\n")
    assert f"  {old.id}, archived " in preview.out
    (listed,) = manage("prune", "--archived", "--older-than", "365", "--dry-run", "--json").json["found"]
    assert listed["job"] == old.id and listed["size"] > 1000
    assert everything(tmp_path / "storage") == before


def test_it_wants_the_words_typed(manage: Manage, tmp_path: Path) -> None:
    old = archived(tmp_path, 400)
    for words in ((), ("--confirm", "prune 2 jobs"), ("--json",)):
        with pytest.raises(PrintSysError, match="Nothing was changed"):
            manage("prune", "--archived", "--older-than", "365", *words)
    assert make_store(tmp_path).load(old.id).job.status is Status.ARCHIVED
    done = manage("prune", "--archived", "--older-than", "365", "--confirm", "Prune  1 job")
    assert done.code == 0 and "1 job is pruned." in done.out
    assert [line.key for line in pruned_jobs(make_store(tmp_path))] != []


def test_without_a_time_in_lab_toml_or_on_the_command_line_nothing_is_pruned(manage: Manage, tmp_path: Path) -> None:
    archived(tmp_path, 4000)
    with pytest.raises(PrintSysError, match="prune_days"):
        manage("prune", "--archived", "--confirm", "prune 1 job")


def test_the_mirror_forgets_the_job_and_a_rebuild_keeps_the_line(
    manage: Manage, tmp_path: Path, queries: Queries, mirror: Mirror
) -> None:
    old, young = archived(tmp_path, 400), archived(tmp_path, 1)
    store = make_store(tmp_path)
    sync(store, mirror)
    manage("prune", "--archived", "--older-than", "365", "--confirm", "prune 1 job")
    assert queries.job(old.id) is None and queries.job(young.id) is not None
    lines = list(pruned_jobs(store))
    assert manage("reindex", "--json").code == 0
    assert list(pruned_jobs(store)) == lines and len(lines) == 1
    assert queries.attention() == [] and queries.job(old.id) is None


def test_a_mirror_that_was_down_meanwhile_does_not_miss_the_job(
    tmp_path: Path, queries: Queries, mirror: Mirror
) -> None:
    old = archived(tmp_path, 400)
    store = make_store(tmp_path)
    sync(store, mirror)
    assert prune(actions_on(store), [(old.id, old.job.revision)], "staff:Sam", "retention").skipped == []
    assert queries.job(old.id) is not None
    sync(store, mirror)
    assert queries.job(old.id) is None and queries.attention() == []
    assert list(store.layout.missing.iterdir()) == []


def test_the_ids_are_forgotten_after_a_while(tmp_path: Path) -> None:
    old = archived(tmp_path, 400)
    store = make_store(tmp_path, Clock(datetime.now(UTC)))
    prune(actions_on(store), [(old.id, old.job.revision)], "staff:Sam", "retention")
    assert store.layout.pruned_id(old.id).exists()
    later = make_store(tmp_path, Clock(datetime.now(UTC) + timedelta(days=31)))
    prune(actions_on(later), [], "staff:Sam", "retention")
    assert not store.layout.pruned_id(old.id).exists()


def test_a_backup_brings_the_lines_back(manage: Manage, tmp_path: Path) -> None:
    archived(tmp_path, 400)
    manage("prune", "--archived", "--older-than", "365", "--confirm", "prune 1 job")
    lines = [line.model_dump() for line in pruned_jobs(make_store(tmp_path))]
    assert manage("backup", str(tmp_path / "backup")).code == 0
    manage.use(tmp_path / "new")
    assert manage("restore", str(tmp_path / "backup")).code == 0
    restored: JobStore = make_store(tmp_path / "new")
    assert [line.model_dump() for line in pruned_jobs(restored)] == lines
    assert json.loads((restored.layout.pruned / f"{lines[0]['document']['created_at'][:4]}.jsonl").read_bytes())


def test_a_list_that_somebody_looked_at_is_pruned_and_no_other_job(manage: Manage, tmp_path: Path) -> None:
    old, changed = archived(tmp_path, 400), archived(tmp_path, 390)
    path = tmp_path / "list"
    preview = manage("prune", "--archived", "--older-than", "365", "--dry-run", "--save-list", str(path))
    assert preview.code == 0 and old.job.student.name not in path.read_text("utf-8")
    later = archived(tmp_path, 380)
    store = make_store(tmp_path)
    act(store, changed.id, "notes")
    with pytest.raises(PrintSysError, match="that is not “prune 2 jobs”"):
        manage("prune", "--archived", "--from-list", str(path), "--confirm", "prune 3 jobs")
    words = ("--confirm", "prune 2 jobs", "--actor", "staff:Sam", "--json")
    done = manage("prune", "--archived", "--from-list", str(path), *words)
    assert done.code == 1 and done.json["pruned"] == [old.id]
    assert [entry["job"] for entry in done.json["stay"]] == [changed.id]
    assert {job_id for job_id, _ in store.ids((Status.ARCHIVED,))} == {changed.id, later.id}


def test_a_list_prunes_only_what_was_archived_long_enough_before_it(manage: Manage, tmp_path: Path) -> None:
    """Also where it names a job as it is now: anybody may have written the file."""
    now = datetime.now(UTC)
    store = make_store(tmp_path, Clock(now - timedelta(days=400)))
    young = archived(tmp_path, 300)
    jobs = [make_job(store), make_job(store, status=Status.REJECTED), young]
    path = tmp_path / "list"
    write_list(path, due_list("prune", now, 365, [due_job(store, stored) for stored in jobs], []))
    done = manage("prune", "--archived", "--from-list", str(path), "--confirm", "prune 3 jobs", "--json")
    assert done.code == 1 and done.json["pruned"] == []
    assert {(stays["job"], stays["why"]) for stays in done.json["stay"]} == {
        (stored.id, f"Job {stored.id} was not archived long enough ago.") for stored in jobs
    }
    assert {job_id for job_id, _ in store.ids()} == {stored.id for stored in jobs}


def test_a_list_and_what_is_printed_name_no_student_where_there_is_a_copy(manage: Manage, tmp_path: Path) -> None:
    """Its folder has the name."""
    stored = archived(tmp_path, 400)
    copy = stored.folder.with_name(f"{stored.folder.name} (copy)")
    path = tmp_path / "list"
    words = ("--archived", "--older-than", "365", "--dry-run", "--save-list", str(path))
    assert manage("prune", *words).code == 0
    shutil.copytree(stored.folder, copy)
    carried_out = manage("prune", "--archived", "--from-list", str(path), "--confirm", "prune 1 job")
    listed = manage("prune", *words)
    for text in (carried_out.out, listed.out, path.read_text("utf-8")):
        assert "A copy of its folder lies in Archived/." in text and stored.folder.name not in text


def test_a_list_is_for_its_own_task_and_read_only_whole(manage: Manage, tmp_path: Path) -> None:
    make_job(make_store(tmp_path, Clock(datetime.now(UTC) - timedelta(days=400))), status=Status.REJECTED)
    archived(tmp_path, 400)
    path, other = tmp_path / "list", tmp_path / "other-list"
    manage("archive", "--dry-run", "--save-list", str(other))
    manage("prune", "--archived", "--older-than", "365", "--dry-run", "--save-list", str(path))
    with pytest.raises(PrintSysError, match="is no list of jobs to prune"):
        manage("prune", "--archived", "--from-list", str(other), "--confirm", "prune 1 job")
    with pytest.raises(PrintSysError, match="is no list of jobs to archive"):
        manage("archive", "--from-list", str(path))
    for words in (("--older-than", "3"), ("--dry-run",)):
        with pytest.raises(PrintSysError, match="--from-list takes"):
            manage("prune", "--archived", "--from-list", str(path), "--confirm", "prune 1 job", *words)
        with pytest.raises(PrintSysError, match="--from-list takes"):
            manage("archive", "--from-list", str(other), *words)
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    with pytest.raises(PrintSysError, match="is no list of jobs"):
        manage("prune", "--archived", "--from-list", str(path), "--confirm", "prune 1 job")
    with pytest.raises(PrintSysError, match="cannot be read"):
        manage("prune", "--archived", "--from-list", str(tmp_path / "none"), "--confirm", "prune 1 job")
    with pytest.raises(PrintSysError, match="is for --dry-run"):
        manage("prune", "--archived", "--older-than", "365", "--save-list", str(path), "--confirm", "prune 1 job")
    store = make_store(tmp_path)
    assert [len(list(store.ids((status,)))) for status in (Status.ARCHIVED, Status.REJECTED)] == [1, 1]


def test_it_waits_for_the_end_of_a_backup(manage: Manage, tmp_path: Path) -> None:
    old = archived(tmp_path, 400)
    settings = load_settings({"PRINTSYS_INSTANCE": str(tmp_path / "instance")}, tmp_path)
    with under_way(settings) as record:
        write_record(settings, record)
        with pytest.raises(PrintSysError, match="when that has ended"):
            manage("prune", "--archived", "--older-than", "365", "--confirm", "prune 1 job")
    assert make_store(tmp_path).load(old.id).job.status is Status.ARCHIVED


def test_no_backup_begins_while_jobs_are_pruned(
    manage: Manage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archived(tmp_path, 400)
    monkeypatch.setenv("PRINTSYS_BACKUP", str(tmp_path / "backups"))

    def prune_while_somebody_backs_up(*arguments: Any) -> PruneResult:
        with pytest.raises(BackupUnderWay):
            manage("backup")
        return prune(*arguments)

    monkeypatch.setattr(prune_archived, "prune", prune_while_somebody_backs_up)
    assert manage("prune", "--archived", "--older-than", "365", "--confirm", "prune 1 job").code == 0
    assert not (tmp_path / "backups").exists() and manage("backup").code == 0
