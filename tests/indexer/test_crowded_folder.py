"""Hundreds of files in one job cost that job little, and no other job anything. (FAULTS R5)"""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from indexer.check import check_storage
from indexer.index import Mirror
from indexer.queries import Queries
from indexer.reconcile import Reconciler
from indexer.sweep import Sweeper
from printsys import fs
from printsys.domain.crowded import MOST_FILES, followed
from printsys.domain.status import Status
from printsys.jobstore import JobStore, Stored
from printsys.jobstore.files import SLICE, PartialHash, sha256_of
from tests.factories import context, make_job
from tests.running_indexer import running_indexer
from tests.waiting import until

MEGABYTE = 1_000_000


def unpack(folder: Path, number: int, extension: str = ".png", begin: int = 0) -> None:
    for n in range(begin, begin + number):
        (folder / f"part {n:05d}{extension}").write_bytes(b"%d" % n)


def log_size(stored: Stored) -> int:
    return (stored.folder / "events.jsonl").stat().st_size


def slicer_files(store: JobStore, job_id: str) -> list[str]:
    return [file.name for file in store.load(job_id).job.files if file.role == "slicer"]


@pytest.mark.parametrize("extension", [".png", ".gcode"])
def test_ten_thousand_files_keep_nobody_waiting(
    store: JobStore, engine: sa.Engine, queries: Queries, extension: str
) -> None:
    crowded, usual = make_job(store), make_job(store, name="Usual One")
    with running_indexer(store, engine) as service:
        unpack(crowded.folder, 10_000, extension)
        fs.rename_folder(usual.folder, store.layout.status(Status.PENDING) / usual.folder.name)
        until(lambda: store.load(usual.id).job.status is Status.PENDING)
        until(lambda: service.is_quiet, 120)
    expected = 0 if extension == ".png" else MOST_FILES - 1  # beside the working copy
    assert len(slicer_files(store, crowded.id)) == expected
    assert log_size(crowded) < MEGABYTE
    (item,) = [item for item in queries.attention() if item.job_id == crowded.id]
    assert item.kind == "many-files" and "10,001 files" in item.sentence


def test_files_that_come_in_several_looks_make_a_small_log(store: JobStore, mirror: Mirror) -> None:
    stored = make_job(store)
    sweeper = Sweeper(store, mirror, Reconciler(store, lambda: context(store)))
    for look in range(10):
        unpack(stored.folder, 100, ".gcode", begin=look * 100)
        until(lambda: not (sweeper.sweep_folder(stored.folder)), 60)
    assert len(slicer_files(store, stored.id)) == MOST_FILES - 1
    assert log_size(stored) < MEGABYTE


def test_check_raises_what_a_crowded_folder_leaves_out(store: JobStore) -> None:
    stored = make_job(store)
    store.most_files = 10
    unpack(stored.folder, 9)
    assert "many-files" not in {item.kind for item in check_storage(store)}
    unpack(stored.folder, 1, begin=9)
    assert [item.kind for item in check_storage(store)] == ["many-files"]


def test_a_crowded_folder_that_is_tidied_is_followed_again(store: JobStore, mirror: Mirror) -> None:
    stored = make_job(store)
    store.most_files = 10
    sweeper = Sweeper(store, mirror, Reconciler(store, lambda: context(store)))
    unpack(stored.folder, 20)
    until(lambda: not sweeper.sweep_folder(stored.folder))
    assert slicer_files(store, stored.id) == []
    for number in range(15):
        (stored.folder / f"part {number:05d}.png").unlink()
    until(lambda: not sweeper.sweep_folder(stored.folder))
    assert len(slicer_files(store, stored.id)) == 5
    assert check_storage(store) == []


def test_a_large_file_is_read_in_slices(store: JobStore, tmp_path: Path) -> None:
    path = tmp_path / "large.gcode"
    path.write_bytes(bytes(range(256)) * (5 * SLICE // 256) + b"the end")
    hashing, slices = PartialHash(), 1
    while (digest := hashing.read_on(path, until=0.0)) is None:
        slices += 1
    assert slices == 7 and digest == sha256_of(path)


def test_a_visit_ends_in_time_and_the_next_one_goes_on(store: JobStore) -> None:
    stored = make_job(store)
    reconciler = Reconciler(store, lambda: context(store), settle_s=0.0, slice_s=0.002)
    (stored.folder / "large.gcode").write_bytes(bytes(100 * SLICE))
    visits = 1
    while (outcome := reconciler.reconcile(stored.id)).is_reading:
        assert outcome.unsettled
        visits += 1
    assert visits > 1
    assert slicer_files(store, stored.id) == ["large.gcode"]
    record = store.load(stored.id).job.file("large.gcode")
    assert record is not None and record.sha256 == sha256_of(stored.folder / "large.gcode")


names = st.sets(st.sampled_from([f"{n}{extension}" for n in range(8) for extension in (".png", ".stl", ".gcode")]))


@given(present=names, recorded=names, most=st.integers(1, 12))
def test_what_is_followed_stays_followed(present: set[str], recorded: set[str], most: int) -> None:
    chosen = followed(sorted(present), recorded, most)
    assert chosen <= present and recorded & present <= chosen
    assert len(chosen) <= max(most, len(recorded & present))
    assert followed(sorted(present), chosen, most) == chosen
    if len(present) <= most:
        assert chosen == present
