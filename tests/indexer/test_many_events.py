"""Much happens at once in the folders: the indexer's loop goes on, and tells that it lives (FAULTS R8)."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from indexer import service as service_module
from indexer.queries import Queries
from indexer.service import MOST_GONE, Service
from indexer.watcher import NativeWatcher
from printsys.jobstore import JobStore
from printsys.jobstore.notes import missing_jobs
from tests.factories import context, make_job, make_store
from tests.present import present
from tests.waiting import until


@pytest.fixture
def store(tmp_path: Path) -> JobStore:
    return make_store(tmp_path, clock=lambda: datetime.now(UTC))


@pytest.fixture
def watching(store: JobStore, engine: sa.Engine) -> Iterator[Service]:
    """The indexer, watching; a test takes the steps of its loop itself."""
    store.layout.make()
    service = Service(store, engine, context=lambda: context(store), watch_mode="native")
    service._keep_watching()
    yield service
    service._stop_watching()


def wait_for_events(service: Service, folders: set[Path]) -> None:
    """Until the watcher has told of all these folders."""
    watcher = present(service._watcher)
    assert isinstance(watcher, NativeWatcher)
    until(lambda: folders <= set(watcher.folders.queue))


def follow_until_quiet(service: Service) -> None:
    def is_quiet() -> bool:
        service._follow_events()
        return service.is_quiet

    until(is_quiet)


def test_of_many_new_folders_some_are_visited_before_the_loop_goes_on(
    store: JobStore, watching: Service, queries: Queries, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_module, "VISITS_S", 0.0)
    beats: list[str | None] = []
    watching.beat = lambda problem, _watch_problem: beats.append(problem)
    watching.tick()
    created = [make_job(store) for _ in range(5)]
    wait_for_events(watching, {job.folder for job in created})
    beats.clear()
    watching._follow_events()
    assert len(queries.jobs()) == 1
    assert beats == [None], "before each visit"
    follow_until_quiet(watching)
    assert {row.id for row in queries.jobs()} == {job.id for job in created}


def test_many_folders_that_are_deleted_are_looked_up_by_one_sweep(
    store: JobStore, watching: Service, queries: Queries, monkeypatch: pytest.MonkeyPatch
) -> None:
    deleted = [make_job(store) for _ in range(MOST_GONE + 1)]
    watching.tick()
    follow_until_quiet(watching)
    for job in deleted:
        shutil.rmtree(job.folder)
    wait_for_events(watching, {job.folder for job in deleted})
    listed: list[str] = []
    scandir = os.scandir

    def counted(path: Path | str) -> object:
        listed.append(os.path.basename(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", counted)
    follow_until_quiet(watching)
    assert listed.count("Archived") < MOST_GONE, "as often for many as for few"
    assert missing_jobs(store).keys() == {job.id for job in deleted}
    assert {item.job_id for item in queries.attention()} == {job.id for job in deleted}


def test_many_folders_that_come_back_in_a_moment_were_never_missing(
    store: JobStore, watching: Service, queries: Queries, tmp_path: Path
) -> None:
    moved = [make_job(store) for _ in range(MOST_GONE + 1)]
    watching.tick()
    follow_until_quiet(watching)
    (tmp_path / "on their way").mkdir()
    for job in moved:
        job.folder.rename(tmp_path / "on their way" / job.folder.name)
    wait_for_events(watching, {job.folder for job in moved})
    watching._follow_events()
    for job in moved:
        (tmp_path / "on their way" / job.folder.name).rename(job.folder)
    follow_until_quiet(watching)
    assert queries.attention() == []
    assert missing_jobs(store) == {}
