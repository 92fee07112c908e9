"""A job's real folder, and the running indexer that watches it."""

from __future__ import annotations

from collections.abc import Container, Iterator
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
from tests.mirrored import mirrored_job
from tests.present import present
from tests.running_indexer import running_indexer
from tests.waiting import until

FULL_STOP = "full stop "


@dataclass
class WatchedJob:
    """`new_job()` first; then do with `job.folder` what a program does; `events()` is what the record has of it."""

    store: JobStore
    service: Service
    queries: Queries

    def __post_init__(self) -> None:
        self.started = self.ended = self.full_stops = 0
        sweep_folder = self.service.sweeper.sweep_folder

        def counted(folder: Path, awaited: Container[Path] = ()) -> bool:
            self.started += 1
            unsettled = sweep_folder(folder, awaited)
            self.ended = self.started
            return unsettled

        self.service.sweeper.sweep_folder = counted  # type: ignore[method-assign]

    def new_job(self, *files: tuple[str, bytes]) -> Stored:
        self.job = make_job(self.store, files=files) if files else make_job(self.store)
        self.start_recording()
        return self.job

    def start_recording(self) -> None:
        """`events()` begins with what is recorded from here on."""
        until(lambda: mirrored_job(self.queries, self.job.id) is not None)
        self.before = len(self.store.load(self.job.id).events)

    def events(self) -> list[tuple[str, Document]]:
        """Everything that the indexer made of the program's doings, once it is quiet.

        It saves a last file and waits for it: the indexer has seen all that was done before.
        """
        self.full_stops += 1
        last = f"{FULL_STOP}{self.full_stops}.gcode"
        (self.store.find(self.job.id) / last).write_bytes(b"G28\n")
        until(lambda: present(mirrored_job(self.queries, self.job.id)).job.file(last) is not None)
        until(lambda: self.service.is_quiet)
        events = self.store.load(self.job.id).events[self.before :]
        assert {event.actor for event in events} == {"filesystem"}
        recorded = [(event.type, event.data) for event in events if event.type != "FilesAdded"]
        several = [event.data["files"] for event in events if event.type == "FilesAdded"]
        recorded += [("FileAdded", file) for files in several for file in files]
        return [(kind, data) for kind, data in recorded if FULL_STOP not in str(data.get("name"))]

    def wait_for_a_look(self) -> None:
        """Wait for a look that begins after this and finds that something in the job's folder is not finished."""
        before = self.started
        until(lambda: self.ended > before and self.job.folder in self.service.sweeper.soon)

    def attention(self) -> list[str]:
        return sorted(item.kind for item in self.queries.attention())


@pytest.fixture
def store(tmp_path: Path) -> JobStore:
    return make_store(tmp_path, clock=lambda: datetime.now(UTC))


@pytest.fixture
def watched(store: JobStore, engine: sa.Engine, queries: Queries) -> Iterator[WatchedJob]:
    with running_indexer(store, engine) as service:
        yield WatchedJob(store, service, queries)
