"""More happens at once than the kernel can report: the indexer still misses nothing."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest
import sqlalchemy as sa

from indexer.queries import Queries
from indexer.rebuild import SweepReport, reindex
from indexer.schema import create_engine, files
from printsys.domain.status import Status
from printsys.jobstore import JobStore
from tests.factories import make_job, make_store
from tests.many_jobs import make_many_jobs
from tests.mirrored import mirrored_events, mirrored_job
from tests.present import present
from tests.running_indexer import running_indexer
from tests.waiting import until

QUEUE = Path("/proc/sys/fs/inotify/max_queued_events")


def index(folder: Path, database_url: str, ready: Event, stop: Event) -> None:
    """The indexer as a process of its own."""
    store = make_store(folder, clock=lambda: datetime.now(UTC))
    with running_indexer(store, create_engine(database_url)):
        ready.set()
        stop.wait()


@contextmanager
def indexer_process(folder: Path, database_url: str) -> Iterator[BaseProcess]:
    spawn = multiprocessing.get_context("spawn")
    ready, stop = spawn.Event(), spawn.Event()
    process = spawn.Process(target=index, args=(folder, database_url, ready, stop))
    process.start()
    try:
        assert ready.wait(60)
        yield process
    finally:
        stop.set()
        process.join(60)
    assert process.exitcode == 0


@contextmanager
def stopped(process: BaseProcess) -> Iterator[None]:
    """As a machine does that is too busy to let it run."""
    assert process.pid is not None
    os.kill(process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process.pid, signal.SIGCONT)


def make_more_noise_than(events: int, folder: Path) -> None:
    """Each round makes three events: created, closed after writing, deleted."""
    noise = folder / "noise.tmp"
    for _ in range(events // 3 + 1000):
        noise.write_bytes(b"")
        noise.unlink()


@pytest.mark.skipif(sys.platform != "linux", reason="inotify is Linux's")
def test_what_is_lost_when_the_kernels_queue_really_overflows_is_swept_up(
    store: JobStore, queries: Queries, database_url: str, tmp_path: Path
) -> None:
    loud = make_job(store)
    with indexer_process(tmp_path, database_url) as process:
        until(lambda: mirrored_job(queries, loud.id) is not None)
        with stopped(process):
            make_more_noise_than(int(QUEUE.read_text("utf-8")), loud.folder)
            unheard = make_job(store, "Ada Byron", status=Status.READY_TO_PRINT)
            dragged = unheard.folder.rename(store.layout.status(Status.PRINTING) / unheard.folder.name)
            (dragged / "sliced.gcode").write_bytes(b"G28\n")  # too young to be believed finished by the sweep
        until(lambda: mirrored_job(queries, unheard.id) is not None, 60)
        until(lambda: present(mirrored_job(queries, unheard.id)).job.status is Status.PRINTING, 60)
        until(lambda: "FileAdded" in [event.type for event in mirrored_events(queries, unheard.id)], 60)


JOBS, LIVE_JOBS, FILES_EACH = 100_000, 20_000, 3


@pytest.mark.proof
def test_sixty_thousand_files_that_arrive_at_once_are_all_mirrored_within_one_sweep(
    store: JobStore, engine: sa.Engine, queries: Queries
) -> None:
    make_many_jobs(store, JOBS - LIVE_JOBS, Status.ARCHIVED)
    live = make_many_jobs(store, LIVE_JOBS, Status.UPLOADED)
    reindex(store, engine)
    sweeps: list[SweepReport] = []
    with running_indexer(store, engine, swept=sweeps.append):
        assert queries.count() == JOBS
        before = len(sweeps)
        for folder in live:
            for number in range(FILES_EACH):
                (folder / f"plate {number}.gcode").write_bytes(b"G28 ; %d\n" % number)
        until(lambda: _slicer_files(engine) == LIVE_JOBS * FILES_EACH, 3600)
    assert len(sweeps) - before <= 1


def _slicer_files(engine: sa.Engine) -> int:
    with engine.connect() as connection:
        return int(connection.execute(sa.select(sa.func.count()).where(files.c.role == "slicer")).scalar_one())
