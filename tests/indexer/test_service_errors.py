"""An error that nobody foresaw ends neither the indexer nor the other half of its work. (FAULTS R4)"""

from __future__ import annotations

import errno
import os
import shutil
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa

from indexer.rebuild import SweepReport
from indexer.service import Service
from printsys import fs
from printsys.domain.status import Status
from printsys.jobstore import JobStore, moves
from printsys.jobstore.incoming import StagedFiles
from printsys.jobstore.look_requests import request_look
from printsys.jobstore.moves import write_intent
from printsys.jobstore.notes import missing_jobs
from tests.factories import STL, act, context, make_job, resubmit
from tests.refused import refuse_to_open
from tests.waiting import until


def test_folders_are_followed_although_every_sweep_ends_in_an_error(store: JobStore, engine: sa.Engine) -> None:
    def fail(_report: SweepReport) -> None:
        raise ArithmeticError("unforeseen")

    beats: list[str | None] = []
    stored = make_job(store)
    service = Service(store, engine, lambda: context(store), synced=fail, watch_mode="native")
    service.beat = lambda problem, _watch_problem: beats.append(problem)
    stop = threading.Event()
    thread = threading.Thread(target=service.run, args=(stop,))
    thread.start()
    try:
        until(lambda: "ArithmeticError: unforeseen" in beats)
        fs.rename_folder(stored.folder, store.layout.status(Status.PENDING) / stored.folder.name)
        until(lambda: store.load(stored.id).job.status is Status.PENDING)
        service.synced = lambda report: None
        service.wake.set()
        until(lambda: beats[-1] is None)
    finally:
        stop.set()
        thread.join(30)
    assert not thread.is_alive()


def test_a_job_whose_follow_up_fails_stops_no_other(store: JobStore, engine: sa.Engine) -> None:
    poison, usual = make_job(store), make_job(store, name="Usual One")

    def enqueue(job_id: str) -> None:
        if job_id == poison.id:
            raise ArithmeticError("unforeseen")

    service = Service(store, engine, lambda: context(store), changed=enqueue)
    service.tick()
    assert [item.kind for item in service.queries.attention()] == ["not-followed"]
    assert {row.id for row in service.queries.jobs()} == {poison.id, usual.id}


def test_a_job_that_cannot_be_read_is_visited_when_another_process_asks(store: JobStore, engine: sa.Engine) -> None:
    stored = make_job(store)
    service = Service(store, engine, lambda: context(store))
    service.tick()
    moved = stored.folder.rename(store.layout.status(Status.REJECTED) / stored.folder.name)
    refuse_to_open(moved / "events.jsonl")
    request_look(store.layout, stored.id)
    service.tick()
    assert moved in service._next_visits


def test_a_missing_job_whose_new_files_wait_is_looked_for_by_sweeps_only(
    store: JobStore, engine: sa.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be away for long, and to look for it everywhere reads every folder."""
    stored = make_job(store, status=Status.REJECTED)
    service = Service(store, engine, lambda: context(store))
    service.tick()
    staged = StagedFiles(store.layout.staging / f"{stored.id}.00000000")
    staged.folder.mkdir()
    (staged.folder / "mended.stl").write_bytes(STL)
    write_intent(store.layout, stored.folder, stored.folder.parent, stored.log.seq, stored.id, staged)
    away = shutil.move(stored.folder, tmp_path / "away")
    searches: list[str] = []
    find = JobStore.find

    def counting(self: JobStore, job_id: str, near: Path | None = None, everywhere: bool = True) -> Path:
        searches.append(job_id)
        return find(self, job_id, near, everywhere)

    monkeypatch.setattr(JobStore, "find", counting)
    service.tick()
    assert stored.id in searches
    searches.clear()
    service.tick()
    assert searches == []
    shutil.move(away, stored.folder)
    service.wake.set()
    service.tick()
    assert (stored.folder / "mended.stl").read_bytes() == STL
    assert [*store.layout.moves.iterdir()] == []


def test_a_deleted_job_whose_new_files_waited_goes_as_soon_as_the_disk_is_well(
    store: JobStore, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not with the next sweep only: its folder is there."""
    stored = make_job(store, status=Status.REJECTED)
    service = Service(store, engine, lambda: context(store))
    service.tick()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as refusing:
        refusing.setattr(moves, "bring_files", full)
        resubmit(store, stored.id, [("mended.stl", STL)])
        act(store, stored.id, "delete")
        service._finish_moves()
    assert stored.folder.exists()
    service._finish_moves()
    assert not stored.folder.exists()


def test_a_folder_whose_visit_fails_is_visited_again(store: JobStore, engine: sa.Engine) -> None:
    """The disk refuses what is to be noted of a folder that is gone."""
    gone = make_job(store)
    service = Service(store, engine, lambda: context(store), watch_mode="native")
    service._keep_watching()
    service.tick()
    store.layout.missing.rmdir()
    shutil.rmtree(gone.folder)

    def follows() -> bool:
        service._follow_events()
        return service._unsettled_visits[gone.folder] >= 5

    until(follows)
    store.layout.missing.mkdir()

    def is_noted() -> bool:
        service._follow_events()
        return missing_jobs(store).keys() == {gone.id}

    until(is_noted)
    service._stop_watching()
