"""A job on somebody's desk: its real folder, with the running indexer behind it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from indexer.queries import Queries
from indexer.service import Service
from printsys.domain.job import Document
from printsys.jobstore import JobStore, Stored
from tests.factories import make_job, make_store
from tests.mirrored import mirrored_events, mirrored_job
from tests.running_indexer import running_indexer
from tests.waiting import until

FULL_STOP = "full stop "


@dataclass
class Desk:
    """`new_job()` first; then do with `job.folder` what a program does; `told()` is what the record made of it."""

    store: JobStore
    service: Service
    queries: Queries

    def __post_init__(self) -> None:
        self.started = self.done = self.full_stops = 0
        honest = self.service.sweeper.look_at

        def counted(folder: Path) -> bool:
            self.started += 1
            unsettled = honest(folder)
            self.done = self.started
            return unsettled

        self.service.sweeper.look_at = counted  # type: ignore[method-assign]

    def new_job(self, *files: tuple[str, bytes]) -> Stored:
        self.job = make_job(self.store, files=files) if files else make_job(self.store)
        self.begin()
        return self.job

    def begin(self) -> None:
        """What is recorded from here on is told."""
        until(lambda: mirrored_job(self.queries, self.job.id) is not None)
        self.before = len(self.store.load(self.job.id).events)

    def told(self) -> list[tuple[str, Document]]:
        """Everything that the program's doings were taken for, once the indexer has no more to say.

        A last file is saved and waited for: what was done before it has been seen and settled by then.
        """
        self.full_stops += 1
        last = f"{FULL_STOP}{self.full_stops}.gcode"
        (self.store.find(self.job.id) / last).write_bytes(b"G28\n")
        until(lambda: last in [event.data.get("name") for event in mirrored_events(self.queries, self.job.id)])
        until(lambda: self.service.is_quiet)
        events = self.store.load(self.job.id).events[self.before :]
        assert {event.actor for event in events} == {"filesystem"}
        return [(event.type, event.data) for event in events if FULL_STOP not in str(event.data.get("name"))]

    def has_looked(self) -> None:
        """Wait for a look that begins after this and finds that something in the job's folder is not finished."""
        before = self.started
        until(lambda: self.done > before and self.job.id in self.service.sweeper.soon)

    def raised(self) -> list[str]:
        return sorted(one.kind for one in self.queries.attention())


@pytest.fixture
def store(tmp_path: Path) -> JobStore:
    return make_store(tmp_path, clock=lambda: datetime.now(UTC))


@pytest.fixture
def desk(store: JobStore, engine: sa.Engine, queries: Queries) -> Iterator[Desk]:
    with running_indexer(store, engine) as service:
        yield Desk(store, service, queries)
