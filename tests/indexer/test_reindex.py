"""The mirror from the folders: built anew or compared; complete, tolerant, and never losing a row that counts."""

from __future__ import annotations

import json
import shutil
import threading
from argparse import ArgumentParser
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from indexer import bulk, sweep
from indexer.check_mirror import check_mirror
from indexer.index import Mirror
from indexer.queries import Queries
from indexer.rebuild import reindex
from indexer.reconcile import Reconciler
from indexer.rows import JobRecord
from indexer.service import Service
from indexer.sweep import Sweeper
from printsys import fs
from printsys.commands import reindex as command
from printsys.domain.events import sha256
from printsys.domain.status import Status
from printsys.errors import StorageOffline
from printsys.jobstore import JobStore, Stored, files
from printsys.jobstore.notes import missing_jobs
from tests.factories import act, context, make_job, sync
from tests.indexer.test_mirror import Background, snapshot
from tests.mirrored import mirrored_events, mirrored_job
from tests.present import present


@pytest.fixture
def jobs(store: JobStore) -> list[Stored]:
    return [make_job(store, name=f"Jane {status}", status=status) for status in Status]


def test_a_rebuild_gives_what_every_change_on_its_own_gave(
    jobs: list[Stored], store: JobStore, mirror: Mirror, queries: Queries, engine: sa.Engine
) -> None:
    for stored in jobs:
        mirror.put(stored)
    before = snapshot(queries)
    report = reindex(store, engine)
    assert (report.folders, report.jobs, report.attention) == (len(jobs), len(jobs), [])
    assert snapshot(queries) == before
    assert check_mirror(store, engine, deep=True) == []


@pytest.mark.parametrize("spelling", [{}, {"indent": None, "separators": (", ", ":\t")}, {"sort_keys": True}])
def test_a_log_may_be_spelled_as_another_version_spells_it(
    store: JobStore, mirror: Mirror, queries: Queries, engine: sa.Engine, spelling: dict[str, Any]
) -> None:
    """A rebuild copies the text of our own lines as it is; any other is parsed and written anew."""
    stored = make_job(store, name='José "Pepe" Ñandú', message="a tab\t, a \\ and\nanother line", status=Status.PENDING)
    path, lines = stored.folder / "events.jsonl", list[bytes]()
    for line in path.read_bytes().splitlines():
        event = json.loads(line) | {"prev": sha256(lines[-1]) if lines else None}
        lines.append(json.dumps(event, **spelling).encode())
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    store.layout.newest_event(stored.id).unlink()
    mirror.put(store.load(stored.id))
    before = snapshot(queries)
    assert reindex(store, engine).attention == []
    assert snapshot(queries) == before
    assert check_mirror(store, engine, deep=True) == []


def test_a_rebuild_twice_and_a_sync_after_it_change_nothing(
    jobs: list[Stored], store: JobStore, mirror: Mirror, queries: Queries, engine: sa.Engine
) -> None:
    reindex(store, engine)
    before = snapshot(queries)
    reindex(store, engine)
    changes = queries.changes()
    report = sync(store, mirror, queries)
    assert (report.changed, report.removed) == (0, 0)
    assert snapshot(queries) == before
    assert queries.changes() == changes + 1  # the sync's own note
    assert queries.synced_at() is not None


def test_the_sweep_after_a_rebuild_looks_only_into_folders_that_differ_from_their_record(
    jobs: list[Stored], store: JobStore, mirror: Mirror, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise each of 100,000 jobs would be read once more, one by one."""
    sync(store, mirror)
    differ = {
        "a new file": jobs[0].folder / "part.gcode",
        "saved over": jobs[1].folder / f"{jobs[1].folder.name}.stl",
        "edited": jobs[2].folder / "metadata.json",
    }
    for path in differ.values():
        path.write_bytes((path.read_bytes() if path.exists() else b"") + b"\n")
    fs.unlink(jobs[3].folder / "original" / "bracket v2.stl")
    jobs[4].folder.rename(store.layout.status(Status.PAID_PICKED_UP) / jobs[4].folder.name)
    visits, hashed = observed(monkeypatch)
    reindex(store, engine)
    sync(store, mirror)
    assert set(visits) == {job.id for job in jobs[:5]}
    assert {path.parent for path in hashed} <= {store.load(job.id).folder for job in jobs[:5]} | {
        store.load(job.id).folder / "original" for job in jobs[:5]
    }


def test_a_mirror_that_was_lost_has_every_file_read_once(
    jobs: list[Stored], store: JobStore, mirror: Mirror, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync(store, mirror)
    with engine.begin() as connection:
        connection.execute(sa.text("TRUNCATE jobs, events, files, attention"))
    visits, hashed = observed(monkeypatch)
    reindex(store, engine)
    sync(store, mirror)
    assert sorted(hashed) == sorted(path for job in jobs for path in files_of(job))
    # What may be open in a job is decided by a whole look; the others have nothing to record.
    assert len(visits) < len(jobs)
    hashed.clear()
    sync(store, mirror)
    assert hashed == []


def files_of(job: Stored) -> list[Path]:
    return [job.folder / file.name for file in job.job.files]


def observed(monkeypatch: pytest.MonkeyPatch) -> tuple[list[str], list[Path]]:
    """The jobs that are reconciled, and the files that are read for it, from here on."""
    visits: list[str] = []
    hashed: list[Path] = []
    reconcile, read_on = Reconciler.reconcile, files.PartialHash.read_on

    def noted(self: Reconciler, job_id: str, is_quiet: bool = False) -> object:
        visits.append(job_id)
        return reconcile(self, job_id, is_quiet)

    def noted_file(self: files.PartialHash, path: Path, until: float) -> str | None:
        hashed.append(path)
        return read_on(self, path, until)

    monkeypatch.setattr(Reconciler, "reconcile", noted)
    monkeypatch.setattr(files.PartialHash, "read_on", noted_file)
    return visits, hashed


def test_a_sweep_that_takes_long_goes_on_in_slices(
    jobs: list[Stored], store: JobStore, mirror: Mirror, queries: Queries, engine: sa.Engine
) -> None:
    """The indexer follows events between the slices: after a restore, terabytes may have to be read."""
    dragged = jobs[0].folder.rename(store.layout.status(Status.REJECTED) / jobs[0].folder.name)
    reindex(store, engine)
    dragged = dragged.rename(store.layout.status(Status.ARCHIVED) / dragged.name)
    sweeper = Sweeper(store, mirror, Reconciler(store, lambda: context(store), settle_s=0))
    report = sweeper.sweep(patience_s=0)
    assert report.attention == []
    order = [path.partition("/")[0] for path in sweeper.waiting]
    assert len(order) == len(jobs)
    assert order[0] == "Archived", "a folder that the mirror does not know comes first"
    assert set(order[-2:]) <= {"PaidPickedUp", "Rejected", "Archived"}, "jobs that have ended come last"
    while sweeper.waiting:
        sweeper.continue_sweep(patience_s=0)  # on a slow disk the time is over before the first folder
    assert present(mirrored_job(queries, jobs[0].id)).job.status is Status.ARCHIVED
    assert check_mirror(store, engine, deep=True) == []


def test_sync_and_rebuild_agree_on_what_people_did_in_the_folders(
    jobs: list[Stored], store: JobStore, mirror: Mirror, queries: Queries, engine: sa.Engine
) -> None:
    sync(store, mirror, queries)
    dragged, edited, copied, renamed, deleted, noted, torn, _ = jobs
    dragged.folder.rename(store.layout.status(Status.COMPLETED) / dragged.folder.name)
    metadata = edited.folder / "metadata.json"
    metadata.write_text(metadata.read_text("utf-8").replace('"notes": ""', '"notes": "by hand"'), "utf-8")
    shutil.copytree(copied.folder, store.layout.status(Status.ARCHIVED) / "A copy")
    renamed.folder.rename(renamed.folder.with_name("Janes thing"))
    fs.remove_tree(deleted.folder)
    act(store, noted.id, "notes")
    with (torn.folder / "events.jsonl").open("ab") as log:
        log.write(b'{"seq":%d,"torn' % (torn.job.revision + 1))

    report = sync(store, mirror, queries)
    kinds = sorted(item.kind for item in report.attention)
    assert kinds == ["duplicate", "facts-missing", "job-missing"]
    assert present(mirrored_job(queries, dragged.id)).job.status is Status.COMPLETED
    assert present(mirrored_job(queries, edited.id)).job.notes == "by hand"
    assert present(mirrored_job(queries, copied.id)).folder == store.layout.relative(copied.folder)
    assert present(mirrored_job(queries, renamed.id)).folder == "Printing/Janes thing"
    assert "is gone" in present(present(mirrored_job(queries, deleted.id)).problem)
    assert present(mirrored_job(queries, noted.id)).job.notes == "Call Jane."
    after = snapshot(queries)
    assert sync(store, mirror, queries).changed == 0
    assert [item.kind for item in reindex(store, engine).attention] == ["duplicate", "job-missing"]
    assert snapshot(queries) == after
    assert sync(store, mirror, queries).changed == 0
    assert sorted(item.kind for item in queries.attention()) == kinds


# -- while others work --------------------------------------------------------------------------------------------


def test_readers_never_see_a_mirror_that_is_half_built(
    jobs: list[Stored], store: JobStore, mirror: Mirror, queries: Queries, engine: sa.Engine
) -> None:
    reindex(store, engine)
    expected = snapshot(queries)
    enough = threading.Event()
    looks: list[object] = []

    def look() -> None:
        while not enough.is_set():
            looks.append(snapshot(queries))

    reader = Background(look)
    reader.start()
    for _ in range(8):
        reindex(store, engine)
    enough.set()
    reader.answer()
    assert looks
    assert all(shown == expected for shown in looks)


def test_changes_made_during_a_rebuild_are_not_lost(
    jobs: list[Stored], store: JobStore, mirror: Mirror, queries: Queries, engine: sa.Engine
) -> None:
    reindex(store, engine)
    noted, deleted = jobs[0], jobs[1]
    new: list[Stored] = []

    def meanwhile(done: int, total: int) -> None:
        """Called when all folders are read and copied, before the exchange."""
        mirror.put(act(store, noted.id, "notes", notes="while it was built"))
        mirror.put(act(store, deleted.id, "delete"))
        new.append(make_job(store, name="Newcomer"))
        mirror.put(new[0])

    reindex(store, engine, meanwhile)
    assert present(mirrored_job(queries, noted.id)).job.notes == "while it was built"
    assert mirrored_job(queries, deleted.id) is None
    assert mirrored_job(queries, new[0].id) is not None
    assert queries.count() == len(jobs)
    assert check_mirror(store, engine) == []


def test_two_rebuilds_at_once_are_done_one_after_the_other(
    jobs: list[Stored], store: JobStore, queries: Queries, engine: sa.Engine
) -> None:
    builds = [Background(lambda: reindex(store, engine)) for _ in range(3)]
    for build in builds:
        build.start()
    assert [build.answer().jobs for build in builds] == [len(jobs)] * 3
    assert queries.count() == len(jobs)


def test_an_empty_mirror_of_many_folders_is_filled_by_copy(
    jobs: list[Stored], store: JobStore, mirror: Mirror, queries: Queries, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep, "WORTH_A_REBUILD", len(jobs))
    copied: list[int] = []
    copy = bulk.copy

    def counted(connection: sa.Connection, lines: list[bulk.CopyLines]) -> object:
        copied.append(len(lines))
        return copy(connection, lines)

    monkeypatch.setattr(bulk, "copy", counted)
    assert sync(store, mirror, queries).jobs == len(jobs)
    assert copied == [len(jobs)]
    assert queries.count() == len(jobs)


# -- damage -------------------------------------------------------------------------------------------------------


def ruin(folder: Path) -> None:
    (folder / "metadata.json").write_bytes(b"{ oh no")
    (folder / "events.jsonl").write_bytes(b"neither\nof\nthese\n")


@pytest.mark.parametrize("way", ["sync", "reindex"])
def test_a_ruined_job_keeps_its_last_row_and_says_so(
    way: str, jobs: list[Stored], store: JobStore, mirror: Mirror, queries: Queries, engine: sa.Engine
) -> None:
    sync(store, mirror, queries)
    ruined = jobs[2]
    events = mirrored_events(queries, ruined.id)
    ruin(ruined.folder)
    for _ in range(2):
        report = sync(store, mirror, queries) if way == "sync" else reindex(store, engine)
        (finding,) = report.attention
        assert (finding.kind, finding.job_id) == ("unreadable", ruined.id)
        row = mirrored_job(queries, ruined.id)
        assert row is not None
        assert row.problem == finding.sentence
        assert row.job.student.name == "Jane ReadyToPrint"
        assert mirrored_events(queries, ruined.id) == events
        assert queries.count() == len(jobs)
        assert queries.attention() == [finding]


def test_what_is_no_job_is_told_and_stops_nothing(
    jobs: list[Stored], store: JobStore, queries: Queries, engine: sa.Engine
) -> None:
    uploaded = store.layout.status(Status.UPLOADED)
    (uploaded / "New folder").mkdir()
    (uploaded / "Odd" / "metadata.json").mkdir(parents=True)
    shutil.copytree(jobs[0].folder, uploaded / "Ruined")
    ruin(uploaded / "Ruined")
    (uploaded / ".hidden").mkdir()
    report = reindex(store, engine)
    assert report.jobs == len(jobs)
    assert {(item.kind, item.folder) for item in report.attention} == {
        ("not-a-job", "Uploaded/New folder"),
        ("unreadable", "Uploaded/Odd"),
        ("unreadable", "Uploaded/Ruined"),
    }


def test_a_damaged_log_is_served_from_metadata_with_its_problem(
    jobs: list[Stored], store: JobStore, mirror: Mirror, queries: Queries, engine: sa.Engine
) -> None:
    log = jobs[4].folder / "events.jsonl"
    log.write_bytes(log.read_bytes().replace(b"staff:Sam", b"staff:Eve"))
    reindex(store, engine)
    row = mirrored_job(queries, jobs[4].id)
    assert row is not None
    assert "breaks the record" in (row.problem or "")
    assert row.job.status is Status.COMPLETED
    assert sync(store, mirror, queries).changed == 0


def test_a_sweep_that_mirrors_a_job_has_what_it_owes_seen_to_at_once(store: JobStore, mirror: Mirror) -> None:
    owing = make_job(store)
    changed_ids: list[str] = []
    sweeper = sweep.Sweeper(store, mirror, Reconciler(store, lambda: context(store)), changed_ids.append)
    sweeper.sweep()
    assert changed_ids == [owing.id]
    sweeper.sweep()
    assert changed_ids == [owing.id], "what the mirror has, the worker finds there"


def test_a_fresh_mirror_is_used_by_its_indexes_at_once(store: JobStore, mirror: Mirror) -> None:
    make_job(store)
    reindex(store, mirror.engine)
    with mirror.engine.connect() as connection:
        row_count = connection.execute(sa.text("SELECT reltuples FROM pg_class WHERE oid = 'jobs'::regclass")).scalar()
    assert row_count == 1, "-1: nobody counted them yet"


@pytest.mark.parametrize("defect", [('{"schema_version"', "{schema_version"), ('"status":', '"no status":')])
def test_one_record_that_postgres_refuses_keeps_no_other_out(
    defect: tuple[str, str],
    jobs: list[Stored],
    store: JobStore,
    queries: Queries,
    engine: sa.Engine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    copy_lines = bulk.copy_lines

    def with_one_bad(record: JobRecord) -> bulk.CopyLines:
        lines = copy_lines(record)
        return replace(lines, jobs=lines.jobs.replace(*defect)) if record.id == jobs[5].id else lines

    monkeypatch.setattr(bulk, "copy_lines", with_one_bad)
    report = reindex(store, engine)
    assert report.jobs == len(jobs) - 1
    assert [item.job_id for item in report.attention] == [jobs[5].id]


# -- storage that is not there ------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["renamed", "emptied"])
def test_no_row_goes_while_storage_is_away(
    way: str, jobs: list[Stored], store: JobStore, mirror: Mirror, queries: Queries, engine: sa.Engine
) -> None:
    sync(store, mirror, queries)
    before = snapshot(queries)
    away = store.layout.root.with_name("away")
    store.layout.root.rename(away)
    if way == "emptied":
        store.layout.root.mkdir()
    with pytest.raises(StorageOffline):
        sync(store, mirror, queries)
    with pytest.raises(StorageOffline):
        reindex(store, engine)
    Service(store, engine, context=lambda: context(store)).tick()
    assert snapshot(queries) == before
    if way == "emptied":
        store.layout.root.rmdir()
    away.rename(store.layout.root)
    assert sync(store, mirror, queries).changed == 0
    assert snapshot(queries) == before


@pytest.mark.parametrize("way", ["sync", "reindex"])
def test_no_row_goes_when_storage_vanishes_during_the_walk(
    way: str, jobs: list[Stored], store: JobStore, mirror: Mirror, queries: Queries, engine: sa.Engine
) -> None:
    sync(store, mirror, queries)
    before = snapshot(queries)
    jobs[3].folder.rename(jobs[3].folder.with_name("Renamed"))  # so that there is one to look into

    def vanish(done: int, total: int) -> None:
        if store.layout.root.exists():
            store.layout.root.rename(store.layout.root.with_name("away"))

    walk = {"sync": lambda: sync(store, mirror, queries, vanish), "reindex": lambda: reindex(store, engine, vanish)}
    with pytest.raises(StorageOffline):
        walk[way]()
    assert len(snapshot(queries)[0]) == len(before[0])


def test_a_job_whose_folder_is_nowhere_is_shown_as_missing_until_it_is_back(
    jobs: list[Stored], store: JobStore, mirror: Mirror, queries: Queries, engine: sa.Engine, tmp_path: Path
) -> None:
    sync(store, mirror, queries)
    gone = jobs[6]
    shutil.move(gone.folder, tmp_path / "elsewhere")
    for walk in ("sync", "sync", "reindex"):
        report = reindex(store, engine) if walk == "reindex" else sync(store, mirror)
        assert [item.kind for item in report.attention if item.job_id == gone.id] == ["job-missing"]
        assert "is gone" in (present(mirrored_job(queries, gone.id)).problem or "")
    shutil.move(tmp_path / "elsewhere", gone.folder)
    assert [item.kind for item in sync(store, mirror).attention if item.job_id == gone.id] == []
    assert present(mirrored_job(queries, gone.id)).problem is None
    assert missing_jobs(store) == {}


# -- the command --------------------------------------------------------------------------------------------------


def test_the_command_says_what_it_did(
    jobs: list[Stored],
    store: JobStore,
    queries: Queries,
    database_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (store.layout.status(Status.UPLOADED) / "New folder").mkdir()
    monkeypatch.setenv("PRINTSYS_STORAGE", str(store.layout.root))
    monkeypatch.setenv("PRINTSYS_INSTANCE", str(tmp_path / "instance"))
    monkeypatch.setenv("DATABASE_URL", database_url)
    parser = ArgumentParser()
    command.add_arguments(parser)
    assert command.run(parser.parse_args(["--json", "--progress"])) == 0
    captured = capsys.readouterr()
    report = json.loads(captured.out)
    assert (report["jobs"], report["folders"]) == (len(jobs), len(jobs) + 1)
    assert [item["kind"] for item in report["attention"]] == ["not-a-job"]
    assert "9/9" in captured.err
    assert command.run(parser.parse_args([])) == 0
    assert capsys.readouterr().out.startswith("8 jobs from 9 folders.\n")
    assert queries.count() == len(jobs)
