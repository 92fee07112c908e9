"""FAULTS R15: clutter raises nothing and is recorded nowhere; a second version of a record is raised."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from indexer.index import Mirror
from indexer.queries import Queries
from printsys.domain.events import EventDraft, EventType
from printsys.domain.status import Status
from printsys.jobstore import JobStore
from printsys.jobstore.files import list_recorded
from printsys.jobstore.restore import put_copy_aside
from tests.domain.test_clutter import CLUTTER, UNFINISHED
from tests.factories import make_job, make_store, sync
from tests.mirrored import mirrored_job
from tests.running_indexer import running_indexer
from tests.waiting import until


@pytest.fixture
def store(tmp_path: Path) -> JobStore:
    return make_store(tmp_path, clock=lambda: datetime.now(UTC))


def litter(folder: Path) -> None:
    for name in UNFINISHED:
        (folder / name).write_bytes(b"half")
    for name in CLUTTER:
        (folder / name).mkdir()
        (folder / name / "part.gcode").write_bytes(b"; a thumbnail")


def test_clutter_in_status_folders_and_jobs_means_nothing(store: JobStore, mirror: Mirror, queries: Queries) -> None:
    job = make_job(store)
    sync(store, mirror)
    for folder in (job.folder, *(store.layout.status(status) for status in Status)):
        litter(folder)
    report = sync(store, mirror)
    assert (report.folders, report.news) == (1, [])
    assert queries.attention() == []
    assert store.load(job.id).job == job.job


@pytest.mark.parametrize("mode", ["native", "polling"])
def test_the_running_indexer_passes_over_it(store: JobStore, engine: sa.Engine, queries: Queries, mode: str) -> None:
    with running_indexer(store, engine, "native" if mode == "native" else "polling") as service:
        litter(store.layout.status(Status.UPLOADED))
        job = make_job(store)
        until(lambda: mirrored_job(queries, job.id) is not None)
        until(lambda: service.is_quiet)
    assert queries.attention() == []


def test_a_file_that_an_older_version_recorded_is_followed_whatever_it_is_called(
    store: JobStore, mirror: Mirror
) -> None:
    job = make_job(store)
    path = job.folder / "part.gcode"
    path.write_bytes(b"; sliced")
    sync(store, mirror)
    with store.edit(job.id) as edit:
        files = [
            file | {"name": file["name"].replace("part.gcode", "part.temp")} for file in edit.before.document["files"]
        ]
        edit.record(_renamed(files))
    path.rename(job.folder / "part.temp")
    before = store.load(job.id).job
    sync(store, mirror)
    assert store.load(job.id).job == before
    (job.folder / "part.temp").unlink()
    sync(store, mirror)
    assert store.load(job.id).job.file("part.temp") is None


def _renamed(files: list[dict[str, object]]) -> EventDraft:
    return EventDraft(EventType.FILE_RENAMED, "filesystem", {}, {"files": files})


def test_a_recorded_name_leads_to_no_file_outside_of_the_folder(store: JobStore) -> None:
    folder = make_job(store).folder
    (folder.parent / "secret").write_bytes(b"")
    names = ["../secret", "/etc/hostname", "original/../../secret", "..", "", "a\0b"]
    assert list(list_recorded(folder, names)) == []


COPIES = [
    "metadata.sync-conflict-20260101-101010-ABC.json",
    "metadata (conflicted copy 2026-01-01 101010).json",
    "metadata (Jane's conflicted copy 2026-01-01).json",
    "metadata_conf(PC2).json",
    "metadata-PC2.json",
]


@pytest.mark.parametrize("name", COPIES)
def test_a_second_version_of_metadata_is_raised_and_put_aside(
    store: JobStore, mirror: Mirror, queries: Queries, name: str
) -> None:
    job = make_job(store)
    document = json.loads((job.folder / "metadata.json").read_bytes())
    (job.folder / name).write_text(json.dumps(document | {"notes": "Two walls.", "revision": 1}), "utf-8")
    sync(store, mirror)
    (item,) = queries.attention()
    assert (item.kind, item.file, item.fixes) == ("record-conflict", name, ("put-aside",))
    assert "differ in notes" in item.sentence and "metadata.json" in item.sentence
    assert store.load(job.id).job == job.job
    put_copy_aside(store, job.id, name)
    sync(store, mirror)
    assert queries.attention() == []
    assert json.loads((job.folder / "aside" / name).read_bytes())["notes"] == "Two walls."


def test_each_copy_of_one_name_that_is_put_aside_stays_there(store: JobStore) -> None:
    """A sync program makes metadata-PC2.json again, with other words in it."""
    job = make_job(store)
    copies = [b'{"notes": "Two walls."}', b'{"notes": "Three walls."}', b'{"notes": "Four walls."}']
    for data in [*copies, copies[1]]:
        (job.folder / "metadata-PC2.json").write_bytes(data)
        put_copy_aside(store, job.id, "metadata-PC2.json")
    assert sorted(path.read_bytes() for path in (job.folder / "aside").iterdir()) == sorted(copies)


def test_a_second_version_of_the_log_says_where_they_part(
    store: JobStore, mirror: Mirror, queries: Queries, engine: sa.Engine
) -> None:
    job = make_job(store, status=Status.PAID_PICKED_UP)
    lines = (job.folder / "events.jsonl").read_bytes().splitlines(keepends=True)
    (job.folder / "events.sync-conflict-20260101-101010-ABC.jsonl").write_bytes(b"".join(lines[:2]) + b"{}\n")
    for _ in range(2):
        sync(store, mirror)
        (item,) = queries.attention()
        assert f"Ours has {len(lines)} events, the copy 3; the first 2 are the same." in item.sentence
        with engine.begin() as connection:
            connection.execute(sa.text("TRUNCATE jobs, events, files, attention"))


def test_a_conflict_copy_of_another_file_is_a_file_like_others(store: JobStore, mirror: Mirror) -> None:
    job = make_job(store)
    name = "part.sync-conflict-20260101-101010-ABCDEFG.gcode"
    (job.folder / name).write_bytes(b"; sliced")
    sync(store, mirror)
    assert store.load(job.id).job.file(name) is not None
