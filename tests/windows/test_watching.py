"""What ReadDirectoryChangesW reports and what it does not, shares, and paths in every form (issue 11, point 4)."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from indexer import observers
from indexer.polling import PollingWatcher
from indexer.service import Service
from indexer.watch_mode import is_on_network, mode_for
from indexer.watcher import NativeWatcher, make_watcher
from printsys import fs
from printsys.commands.doctor import long_paths_enabled, room_for_names
from printsys.domain.status import Status
from printsys.jobstore import JobStore
from printsys.jobstore.identity import recognise
from tests.factories import context, make_job, make_store
from tests.waiting import until


@pytest.fixture
def store(tmp_path: Path) -> JobStore:
    return make_store(tmp_path, clock=lambda: datetime.now(UTC))


@pytest.fixture
def share() -> Iterator[Path]:
    """A share's own root: wine finds shares in a folder of its prefix."""
    prefix = os.environ.get("WINEPREFIX")
    if prefix is None:
        pytest.skip("it needs a share; on a PC: set PRINTSYS_STORAGE to one and drag")
    folder = Path("Z:" + prefix.replace("/", "\\")) / "dosdevices" / "unc" / f"lab-{uuid.uuid4().hex[:8]}"
    (folder / "share").mkdir(parents=True)
    yield Path(rf"\\{folder.name}\share")
    fs.remove_tree(folder)


def reported(watcher: NativeWatcher, folder: Path) -> bool:
    """Whether `folder` is among those that are reported now."""
    folders = set()
    while not watcher.folders.empty():
        folders.add(watcher.folders.get_nowait())
    return folder in folders


@pytest.mark.parametrize("status", [Status.PRINTING, Status.REJECTED, Status.ARCHIVED])
def test_a_drag_into_any_status_is_reported(store: JobStore, status: Status) -> None:
    job = make_job(store)
    watcher = make_watcher(store.layout, "auto")
    assert isinstance(watcher, NativeWatcher)
    try:
        moved = job.folder.rename(store.layout.status(status) / job.folder.name)
        until(lambda: reported(watcher, moved))
        assert not watcher.has_missed_events()
    finally:
        watcher.stop()


def test_an_overflow_of_the_buffer_is_noticed(store: JobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows reports success and no change at all."""
    store.layout.make()
    monkeypatch.setattr(observers, "BUFFER_BYTES", 64)
    watcher = NativeWatcher(store.layout)
    watcher.start()
    try:
        assert not watcher.has_missed_events()
        (store.layout.status(Status.UPLOADED) / ("a long name " * 15)).mkdir()
        until(watcher.has_missed_events)
    finally:
        watcher.stop()


def test_probes_are_heard_in_every_status_folder(store: JobStore) -> None:
    store.layout.make()
    watcher = NativeWatcher(store.layout)
    watcher.start()
    try:
        watcher.probe()
        until(lambda: not watcher._unanswered)
        assert not watcher.has_missed_events()
    finally:
        watcher.stop()


def test_a_status_folder_that_was_moved_away_is_found_out(store: JobStore, tmp_path: Path) -> None:
    store.layout.make()
    watcher = NativeWatcher(store.layout)
    watcher.start()
    try:
        store.layout.status(Status.PRINTING).rename(tmp_path / "x")
        until(watcher.has_missed_events)
    finally:
        watcher.stop()


def test_a_storage_at_the_root_of_a_share_is_polled_and_a_drag_recorded(share: Path, tmp_path: Path) -> None:
    store = JobStore(share, recognise(share, tmp_path / "storage-id"), clock=lambda: datetime.now(UTC))
    assert is_on_network(store.layout.root)
    assert mode_for(store.layout.root, "auto") == "polling"
    job = make_job(store)
    watcher = make_watcher(store.layout, "auto")
    assert isinstance(watcher, PollingWatcher)
    moved = job.folder.rename(store.layout.status(Status.REJECTED) / job.folder.name)
    watcher.poll()
    assert moved in {watcher.folders.get_nowait() for _ in range(watcher.folders.qsize())}
    no_database = sa.create_engine("postgresql+psycopg2://nobody@127.0.0.1:1/nothing")
    service = Service(store, no_database, context=lambda: context(store))
    assert service.sweeper.record_only() == [job.id]
    assert store.load(job.id).job.status is Status.REJECTED


def test_native_events_at_the_root_of_a_drive_or_share_name_the_jobs_folder(share: Path, tmp_path: Path) -> None:
    """`\\\\server\\share\\` ends with the separator already, and so does `D:\\`."""
    store = JobStore(share, recognise(share, tmp_path / "storage-id"), clock=lambda: datetime.now(UTC))
    watcher = NativeWatcher(store.layout)
    watcher.start()
    try:
        new = store.layout.status(Status.UPLOADED) / "New folder"
        new.mkdir()
        until(lambda: reported(watcher, new))
    finally:
        watcher.stop()


def test_a_storage_in_windows_own_form_of_a_path_works(tmp_path: Path) -> None:
    store = make_store(Path(f"\\\\?\\{tmp_path}"), clock=lambda: datetime.now(UTC))
    assert not is_on_network(store.layout.root)
    job = make_job(store)
    watcher = make_watcher(store.layout, "auto")
    assert isinstance(watcher, NativeWatcher)
    try:
        moved = job.folder.rename(store.layout.status(Status.REJECTED) / job.folder.name)
        until(lambda: reported(watcher, moved))
    finally:
        watcher.stop()
    assert store.load(job.id).folder_status is Status.REJECTED


def test_the_room_for_file_names_is_what_windows_leaves(tmp_path: Path) -> None:
    assert room_for_names(Path("C:\\printlab\\storage")) == 259 - 19 - 12 - 60 - 3
    assert isinstance(long_paths_enabled(), bool)
