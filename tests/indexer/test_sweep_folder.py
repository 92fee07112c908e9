"""A look at one folder: the job is found wherever it went, also when another process was faster (FAULTS R1, R8)."""

from __future__ import annotations

import errno
import os
import shutil
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from indexer import read_folder
from indexer.connection import reading
from indexer.index import Mirror
from indexer.queries import Queries
from indexer.rebuild import reindex
from indexer.reconcile import Reconciler
from indexer.schema import jobs
from indexer.service import LONGEST_PAUSE_S, QUIET_S, Service
from indexer.sweep import Sweeper
from printsys import fs
from printsys.domain.job import metadata_bytes
from printsys.domain.status import Status
from printsys.errors import MirrorDown
from printsys.jobstore import JobStore, trash
from printsys.jobstore.files import ListedFile
from printsys.jobstore.layout import METADATA
from printsys.jobstore.notes import missing_job_note, missing_jobs
from printsys.jobstore.refusals import reason_of
from printsys.jobstore.visits import PATIENT_VISITS
from tests.factories import act, context, make_job, make_store, make_sweeper, sync
from tests.mirrored import mirrored_job
from tests.present import present
from tests.refused import refuse_to_open
from tests.waiting import until


@pytest.fixture
def store(tmp_path: Path) -> JobStore:
    return make_store(tmp_path, clock=lambda: datetime.now(UTC))


def test_a_place_that_is_empty_is_looked_up_by_the_id_in_its_name(
    store: JobStore, engine: sa.Engine, queries: Queries
) -> None:
    """FAULTS R1: the worker wrote the job's new place into the mirror before the indexer saw the old one empty."""
    job = make_job(store)
    sweeper = make_sweeper(store, engine)
    sweeper.sweep()
    job.folder.rename(store.layout.status(Status.REJECTED) / job.folder.name)
    Mirror(engine).put(store.load(job.id))
    sweeper.sweep_folder(job.folder)
    assert store.load(job.id).job.status is Status.REJECTED
    assert present(mirrored_job(queries, job.id)).job.status is Status.REJECTED


def test_a_job_is_not_visited_at_its_old_place_where_its_new_one_is_visited_anyway(
    store: JobStore, engine: sa.Engine
) -> None:
    """A drag makes an event at both."""
    job = make_job(store)
    sweeper = make_sweeper(store, engine)
    sweeper.sweep()
    moved = job.folder.rename(store.layout.status(Status.REJECTED) / job.folder.name)
    assert not sweeper.sweep_folder(job.folder, awaited={moved, job.folder})
    assert store.load(job.id).job.status is Status.UPLOADED
    sweeper.sweep_folder(moved, awaited={moved, job.folder})
    assert store.load(job.id).job.status is Status.REJECTED


@pytest.mark.parametrize("mirrored_first", [False, True], ids=["alone", "after another process"])
def test_a_drag_is_in_the_mirror_with_one_message(
    mirrored_first: bool, store: JobStore, engine: sa.Engine, queries: Queries
) -> None:
    """On a busy computer each costs as long as all the work: a drag is to be on the pages at once."""
    job = make_job(store, status=Status.READY_TO_PRINT)
    sweeper = make_sweeper(store, engine)
    sweeper.sweep()
    moved = job.folder.rename(store.layout.status(Status.PRINTING) / job.folder.name)
    if mirrored_first:
        Mirror(engine).put(store.load(job.id))
    messages: list[str] = []
    sa.event.listen(engine, "before_cursor_execute", lambda *args: messages.append(args[2]))
    sweeper.sweep_folder(moved)
    about_the_job = [message for message in messages if " jobs" in message]
    assert sum("UPDATE jobs SET" in message for message in about_the_job) == 1
    assert not any("LEFT JOIN jobs" in message for message in about_the_job), "it asked what the mirror has"
    row = present(mirrored_job(queries, job.id))
    assert (row.job.status, row.folder) == (Status.PRINTING, f"Printing/{job.folder.name}")
    assert queries.counts()[Status.READY_TO_PRINT] == 0
    assert queries.counts()[Status.PRINTING] == 1


def test_a_drag_is_in_the_mirror_before_its_metadata_is_written(
    store: JobStore, engine: sa.Engine, queries: Queries, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log has it, and that is the record; the disk and PostgreSQL need as long as each other."""
    job = make_job(store, status=Status.READY_TO_PRINT)
    sweeper = make_sweeper(store, engine)
    sweeper.sweep()
    replace, seen = fs.replace, []

    def late(path: Path, data: bytes, *more: Any) -> bool:
        if path.name == METADATA:
            until(lambda: present(mirrored_job(queries, job.id)).job.status is Status.PRINTING)
            seen.append(path)
        return replace(path, data, *more)

    monkeypatch.setattr(fs, "replace", late)
    moved = job.folder.rename(store.layout.status(Status.PRINTING) / job.folder.name)
    sweeper.sweep_folder(moved)
    assert seen == [moved / METADATA]
    assert store.load(job.id).job.status is Status.PRINTING
    assert as_mirrored(engine, job.id) == as_mirrored_by_a_rebuild(store, engine, job.id)


def test_a_drag_whose_metadata_the_disk_refuses_is_in_the_mirror_as_it_lies(
    store: JobStore, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_job(store, status=Status.READY_TO_PRINT)
    sweeper = make_sweeper(store, engine)
    sweeper.sweep()
    replace = fs.replace

    def refuses(path: Path, *arguments: Any) -> Any:
        if path.name == METADATA:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return replace(path, *arguments)

    moved = job.folder.rename(store.layout.status(Status.PRINTING) / job.folder.name)
    with monkeypatch.context() as patches:
        patches.setattr(fs, "replace", refuses)
        sweeper.sweep_folder(moved)
        assert store.load(job.id).job.status is Status.PRINTING
    assert as_mirrored(engine, job.id) == as_mirrored_by_a_rebuild(store, engine, job.id)


def test_a_drag_is_mirrored_where_no_thread_can_be_had(
    store: JobStore, engine: sa.Engine, queries: Queries, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_job(store, status=Status.READY_TO_PRINT)
    sweeper = make_sweeper(store, engine)
    sweeper.sweep()
    moved = job.folder.rename(store.layout.status(Status.PRINTING) / job.folder.name)

    def refuse(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    sweeper.sweep_folder(moved)
    monkeypatch.undo()
    assert (moved / METADATA).read_bytes() == metadata_bytes(store.load(job.id).document)
    assert as_mirrored(engine, job.id) == as_mirrored_by_a_rebuild(store, engine, job.id)


def test_a_drag_that_the_mirror_could_not_be_told_of_is_mirrored_by_the_next_look(
    store: JobStore, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_job(store, status=Status.READY_TO_PRINT)
    sweeper = make_sweeper(store, engine)
    sweeper.sweep()
    moved = job.folder.rename(store.layout.status(Status.PRINTING) / job.folder.name)

    def refuse(*_: object) -> bool:
        raise MirrorDown("PostgreSQL does not answer.")

    monkeypatch.setattr(sweeper.mirror, "put_change", refuse)
    with pytest.raises(MirrorDown):
        sweeper.sweep_folder(moved)
    assert store.load(job.id).job.status is Status.PRINTING
    sweeper.sweep_folder(moved)
    assert as_mirrored(engine, job.id) == as_mirrored_by_a_rebuild(store, engine, job.id)


def as_mirrored(engine: sa.Engine, job_id: str) -> Any:
    names = [column for column in jobs.c if column.name not in ("change_no", "signature")]
    with reading(engine) as connection:
        return connection.execute(sa.select(*names).where(jobs.c.id == job_id)).one()


def as_mirrored_by_a_rebuild(store: JobStore, engine: sa.Engine, job_id: str) -> Any:
    reindex(store, engine)
    return as_mirrored(engine, job_id)


def test_a_job_whose_folder_is_gone_is_missing_after_the_settle_time(
    store: JobStore, engine: sa.Engine, queries: Queries
) -> None:
    """FAULTS R8: without a sweep."""
    job = make_job(store)
    sweeper = make_sweeper(store, engine)
    sweeper.sweep()
    fs.remove_tree(job.folder)
    assert sweeper.sweep_folder(job.folder), "it may come back in a moment"
    assert queries.attention() == []
    until(lambda: not sweeper.sweep_folder(job.folder))
    assert [(item.kind, item.job_id) for item in queries.attention()] == [("job-missing", job.id)]
    assert "is gone" in present(present(mirrored_job(queries, job.id)).problem)
    assert missing_jobs(store).keys() == {job.id}


def test_a_job_that_was_moved_and_cannot_be_read_is_told_as_such(
    store: JobStore, engine: sa.Engine, queries: Queries
) -> None:
    job = make_job(store)
    sweeper = make_sweeper(store, engine)
    sweeper.sweep()
    moved = job.folder.rename(store.layout.status(Status.REJECTED) / job.folder.name)
    refuse_to_open(moved / "events.jsonl")
    sweeper.sweep_folder(job.folder)
    assert [(item.kind, item.job_id) for item in queries.attention()] == [("not-followed", job.id)]
    assert missing_jobs(store) == {}


def test_a_folder_that_comes_back_within_the_settle_time_was_never_missing(
    store: JobStore, engine: sa.Engine, queries: Queries, tmp_path: Path
) -> None:
    job = make_job(store)
    sweeper = make_sweeper(store, engine)
    sweeper.sweep()
    job.folder.rename(tmp_path / "on its way")
    assert sweeper.sweep_folder(job.folder)
    (tmp_path / "on its way").rename(job.folder)
    until(lambda: not sweeper.sweep_folder(job.folder))
    assert queries.attention() == []
    assert missing_jobs(store) == {}


@pytest.mark.parametrize("count", [1, 12])
def test_however_many_jobs_are_missing_the_folders_are_listed_for_all_at_once(
    store: JobStore, engine: sa.Engine, queries: Queries, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    """FAULTS R8: somebody moved a whole status folder away."""
    gone = [make_job(store, status=Status.PENDING) for _ in range(count)]
    renamed = make_job(store, status=Status.PENDING)
    sweeper = make_sweeper(store, engine)
    sweeper.sweep()
    for job in gone:
        fs.remove_tree(job.folder)
    renamed.folder.rename(renamed.folder.with_name("Jane, urgent"))
    listed: list[str] = []
    scandir = os.scandir

    def counted(path: Path | str) -> object:
        listed.append(os.path.basename(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", counted)
    sweeper.sweep()
    assert listed.count("Archived") <= 8, "as often for one missing job as for twelve"
    assert {item.job_id for item in queries.attention()} == {job.id for job in gone}
    assert missing_jobs(store).keys() == {job.id for job in gone}


def test_a_deleted_job_that_the_mirror_still_has_is_not_missing(
    store: JobStore, engine: sa.Engine, queries: Queries
) -> None:
    job = make_job(store)
    sweeper = make_sweeper(store, engine)
    sweeper.sweep()
    act(store, job.id, "delete")
    until(lambda: not sweeper.sweep_folder(job.folder))
    assert (queries.attention(), mirrored_job(queries, job.id)) == ([], None)


def test_what_lies_among_the_notes_and_cannot_be_read_stops_no_sweep(
    store: JobStore, engine: sa.Engine, queries: Queries
) -> None:
    """FAULTS R8, R15: clutter is no note; of a job whose note is ruined the pages still say that it is missing."""
    missing = store.layout.missing
    for name in ("._k7m29xq4.json", "k7m29xq4 2.json", "notes.json", "aaaaaaaa.json"):
        (missing / name).write_bytes(b"\0\5\x16\7")
    (missing / "bbbbbbbb.json").write_bytes(b"")
    (missing / "cccccccc.json").mkdir()
    job = make_job(store)
    make_sweeper(store, engine).sweep()
    assert mirrored_job(queries, job.id) is not None
    assert {item.job_id for item in queries.attention()} == {"aaaaaaaa", "bbbbbbbb", "cccccccc"}
    assert missing_job_note(store, "k7m29xq4") is None


@pytest.mark.parametrize("put_away", [trash.discard, trash.quarantine])
def test_a_job_is_missing_although_a_copy_of_it_was_put_away(
    store: JobStore, engine: sa.Engine, queries: Queries, put_away: Callable[[JobStore, str], Path]
) -> None:
    """FAULTS R8: only what lies in the trash as a deleted job was deleted there."""
    job = make_job(store)
    copy = Path(shutil.copytree(job.folder, job.folder.with_name(f"Copy_{job.id}")))
    put_away(store, store.layout.relative(copy))
    sweeper = make_sweeper(store, engine)
    sweeper.sweep()
    fs.remove_tree(job.folder)
    sweeper.sweep()
    assert [(item.kind, item.job_id) for item in queries.attention()] == [("job-missing", job.id)]
    assert missing_jobs(store).keys() == {job.id}


def test_a_job_in_quarantine_that_the_mirror_still_has_is_not_missing(
    store: JobStore, engine: sa.Engine, queries: Queries
) -> None:
    job = make_job(store)
    sweeper = make_sweeper(store, engine)
    sweeper.sweep()
    (job.folder / "events.jsonl").write_bytes(b"")
    trash.quarantine(store, store.layout.relative(job.folder))
    sweeper.sweep()
    assert (queries.attention(), mirrored_job(queries, job.id)) == ([], None)


def test_a_place_where_no_job_was_ever_is_nothing(store: JobStore, engine: sa.Engine, queries: Queries) -> None:
    sweeper = make_sweeper(store, engine)
    sweeper.sweep()
    assert not sweeper.sweep_folder(store.layout.status(Status.UPLOADED) / "New folder")
    assert queries.attention() == []


def test_a_busy_job_is_visited_again_soon(store: JobStore, engine: sa.Engine) -> None:
    job = make_job(store)
    sweeper = make_sweeper(store, engine)
    sweeper.sweep()
    moved = job.folder.rename(store.layout.status(Status.REJECTED) / job.folder.name)
    store.lock_patience_s = 0.05
    other_process = JobStore(store.layout.root, store.expected_id)
    with other_process.locked(job.id):
        assert sweeper.sweep_folder(moved)
    until(lambda: not sweeper.sweep_folder(moved))
    assert store.load(job.id).job.status is Status.REJECTED


@pytest.mark.skipif(sys.platform == "win32", reason="Windows answers as if another process held the lock")
def test_what_the_disk_refuses_visit_after_visit_is_raised_and_tried_again(
    store: JobStore, engine: sa.Engine, queries: Queries
) -> None:
    """FAULTS R4: a folder where the job's lock should be is nothing that passes by itself."""
    job = make_job(store)
    sweeper = make_sweeper(store, engine)
    sweeper.sweep()
    lock = store.layout.lock(job.id)
    lock.unlink(missing_ok=True)
    lock.mkdir()
    moved = job.folder.rename(store.layout.status(Status.REJECTED) / job.folder.name)
    for _ in range(PATIENT_VISITS):
        assert sweeper.sweep_folder(moved)
        assert queries.attention() == [], "it may pass"
    for look in (lambda: sweeper.sweep_folder(moved), sweeper.sweep):
        look()
        (item,) = queries.attention()
        assert (item.kind, item.job_id, item.folder) == ("not-followed", job.id, f"Rejected/{moved.name}")
        assert reason_of(IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))) in item.sentence
        assert moved in sweeper.soon
    lock.rmdir()
    until(lambda: not sweeper.sweep_folder(moved))
    assert [item.kind for item in queries.attention()] == ["facts-missing"]
    assert store.load(job.id).job.status is Status.REJECTED
    assert present(mirrored_job(queries, job.id)).problem is None


def test_a_busy_job_is_recorded_later_without_the_database(store: JobStore, engine: sa.Engine) -> None:
    job = make_job(store)
    sweeper = make_sweeper(store, engine)
    job.folder.rename(store.layout.status(Status.PENDING) / job.folder.name)
    store.lock_patience_s = 0.05
    with JobStore(store.layout.root, store.expected_id).locked(job.id):
        assert sweeper.record_only() == []
    assert sweeper.record_only() == [job.id]


def test_a_busy_job_that_a_sweep_meets_is_visited_again_soon(store: JobStore, engine: sa.Engine) -> None:
    job = make_job(store)
    sweeper = make_sweeper(store, engine)
    sweeper.sweep()
    moved = job.folder.rename(store.layout.status(Status.REJECTED) / job.folder.name)
    store.lock_patience_s = 0.05
    with JobStore(store.layout.root, store.expected_id).locked(job.id):
        sweeper.sweep()
    assert moved in sweeper.soon


def test_the_pauses_between_visits_of_an_unsettled_folder_grow(
    store: JobStore, engine: sa.Engine, tmp_path: Path
) -> None:
    service = Service(store, engine, context=lambda: context(store))
    pauses = [service._pause_before(tmp_path) for _ in range(40)]
    assert pauses[:5] == [QUIET_S] * 5
    assert pauses == sorted(pauses)
    assert pauses[-1] == LONGEST_PAUSE_S


def test_a_look_at_a_job_that_rests_reads_no_longer_than_any_visit(store: JobStore, mirror: Mirror) -> None:
    job = make_job(store)
    sync(store, mirror)
    sweeper = Sweeper(store, mirror, Reconciler(store, lambda: context(store), settle_s=0, slice_s=0))
    sweeper.sweep(is_deep=True)
    assert sweeper.reading == {job.folder}
    sweeper.reconciler.slice_s = 60
    sweeper.sweep(is_deep=True)
    assert (sweeper.reading, sweeper.soon) == (set(), set())


def test_a_file_of_another_size_need_not_be_read_to_know_that_it_differs(store: JobStore) -> None:
    job = make_job(store)
    record = present(read_folder.read_proven(store.layout, job.folder))
    (job.folder / f"{job.folder.name}.stl").write_bytes(b"longer" * 1000)
    files_read: list[ListedFile] = []
    assert not read_folder.is_as_recorded(store.layout, record, files_read.append)
    assert files_read == []
