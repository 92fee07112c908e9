"""An error that nobody foresaw ends neither the indexer nor the other half of its work. (FAULTS R4)"""

from __future__ import annotations

import threading

import sqlalchemy as sa

from indexer.rebuild import SweepReport
from indexer.service import Service
from printsys.domain.status import Status
from printsys.jobstore import JobStore
from tests.factories import context, make_job
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
        stored.folder.rename(store.layout.status(Status.PENDING) / stored.folder.name)
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
