"""PostgreSQL is down, and people go on working in the folders: all of it is recorded, and mirrored once it is back."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator

import pytest

from indexer.index import Mirror
from indexer.queries import Queries
from indexer.schema import create_engine
from indexer.service import Service
from printsys import fs
from printsys.domain.status import Status
from printsys.jobstore import JobStore
from printsys.services import NO_DATABASE
from tests.factories import context, make_job, sync
from tests.mirrored import mirrored_job
from tests.waiting import until


@pytest.fixture
def looked_after(store: JobStore) -> Iterator[list[str]]:
    """The indexer runs, without a server to talk to. Yields the ids of the jobs that it says it changed."""
    changed: list[str] = []
    engine = create_engine(NO_DATABASE)
    stop = threading.Event()
    service = Service(store, engine, lambda: context(store), changed=changed.append, tick_s=0.1)
    runner = threading.Thread(target=service.run, args=(stop,))
    runner.start()
    try:
        yield changed
    finally:
        stop.set()
        runner.join()
        engine.dispose()


@pytest.mark.parametrize("status", [Status.REJECTED, Status.PAID_PICKED_UP, Status.ARCHIVED])
def test_a_folder_dragged_to_where_jobs_end_is_recorded_without_postgresql(
    store: JobStore, looked_after: list[str], status: Status
) -> None:
    for name in ("First", "Second"):
        job = make_job(store, name)
        fs.rename_folder(job.folder, store.layout.status(status) / job.folder.name)
        until(lambda job=job: store.load(job.id).job.status is status)  # type: ignore[misc]


def test_what_people_do_in_the_folders_is_recorded_while_postgresql_is_down(
    store: JobStore, looked_after: list[str], mirror: Mirror, queries: Queries
) -> None:
    dragged = make_job(store, "Dragged", status=Status.PRINTING)
    sliced = make_job(store, "Sliced", status=Status.READY_TO_PRINT)
    edited = make_job(store, "Edited")
    fs.rename_folder(dragged.folder, store.layout.status(Status.COMPLETED) / dragged.folder.name)
    gcode = sliced.folder / "part.gcode"
    gcode.write_bytes(b"; sliced")
    os.utime(gcode, (time.time() - 60,) * 2)
    metadata = edited.folder / "metadata.json"
    metadata.write_text(metadata.read_text("utf-8").replace('"copies": 1', '"copies": 4'), "utf-8")
    until(lambda: store.load(dragged.id).job.status is Status.COMPLETED)
    until(lambda: store.load(sliced.id).job.file("part.gcode") is not None)
    until(lambda: store.load(edited.id).job.request.copies == 4)
    until(lambda: {dragged.id, sliced.id} <= set(looked_after))
    before = {job_id: store.load(job_id).job.revision for job_id in (dragged.id, sliced.id, edited.id)}
    sync(store, mirror)
    assert {job_id: store.load(job_id).job.revision for job_id in before} == before, "nothing is recorded twice"
    rows = {job_id: mirrored_job(queries, job_id) for job_id in before}
    assert {job_id: row.revision for job_id, row in rows.items() if row} == before
