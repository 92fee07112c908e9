"""Files that a browser sends become originals where they lie: each byte is written once, and once more for the copy."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest
from filelock import FileLock

from indexer.check import check_storage
from printsys.config import ROOT
from printsys.errors import StorageFailure, StorageOffline
from printsys.jobstore import JobStore
from printsys.jobstore.arriving import ArrivalFolder, ArrivingFile, arrivals_in_staging
from printsys.jobstore.locks import staging_lock_name
from printsys.jobstore.recovery import recover_all
from tests.factories import STL, make_job, make_store

LIMIT = 1 << 20


@pytest.fixture
def store(tmp_path: Path) -> JobStore:
    return make_store(tmp_path)


@pytest.fixture
def file(store: JobStore) -> Iterator[ArrivingFile]:
    with closing(ArrivingFile(arrivals_in_staging(store), LIMIT)) as file:
        yield file


def arriving_path(store: JobStore) -> Path:
    return next(path for path in store.layout.staging.rglob("*") if path.is_file())


def staged_names(store: JobStore) -> list[str]:
    return sorted(path.name for path in store.layout.staging.iterdir())


def test_the_file_that_arrived_is_the_original(store: JobStore, file: ArrivingFile) -> None:
    # FAULTS S5
    for piece in (STL[:100], STL[100:]):
        file.write(piece)
    arrived = arriving_path(store).stat()
    stored = make_job(store, files=[("bracket v2.stl", file)])
    original = stored.folder / "original" / "bracket v2.stl"
    record = stored.job.sent_files[0]
    assert original.read_bytes() == STL and not original.stat().st_mode & 0o222
    assert (original.stat().st_dev, original.stat().st_ino) == (arrived.st_dev, arrived.st_ino)
    assert (record.size, record.sha256) == (len(STL), hashlib.sha256(STL).hexdigest())
    assert (stored.folder / f"{stored.folder.name}.stl").read_bytes() == STL
    assert staged_names(store) == [] and check_storage(store, deep=True) == []


def test_a_file_that_has_come_is_not_open_until_somebody_reads_it(store: JobStore, file: ArrivingFile) -> None:
    file.write(STL)
    file.end()
    path = arriving_path(store)
    assert str(path) not in {each.path for each in psutil.Process().open_files()}
    assert file.read(5) == STL[:5] and file.tell() == 5
    file.seek(0)
    assert file.read() == STL
    target = store.layout.staging / "there"
    file.move_to(target)
    assert target.read_bytes() == STL


def test_an_empty_file_ends_as_one(store: JobStore, file: ArrivingFile) -> None:
    file.end()
    assert file.read() == b""
    target = store.layout.staging / "there"
    store.layout.make()
    file.move_to(target)
    assert target.read_bytes() == b""


def test_the_folder_for_arrivals_is_there_only_while_something_arrives(store: JobStore) -> None:
    arrivals = arrivals_in_staging(store)
    first, second, empty = (ArrivingFile(arrivals, LIMIT) for _ in range(3))
    first.write(b"solid")
    second.write(b"solid")
    empty.close()
    first.close()
    assert len(staged_names(store)) == 1
    second.close()
    second.close()
    assert staged_names(store) == []
    locks = [path.name for path in store.layout.locks.iterdir()]
    assert locks == [], "its lock is gone, too"


def test_of_a_file_beyond_the_limit_nothing_stays(store: JobStore, file: ArrivingFile) -> None:
    file.write(b"x" * LIMIT)
    assert not file.is_too_large and arriving_path(store).stat().st_size == LIMIT
    file.write(b"x")
    file.write(b"x")
    assert file.is_too_large and staged_names(store) == []
    file.seek(0)
    assert file.read() == b""


def test_a_disk_that_refuses_is_heard_of_when_the_file_is_stored(store: JobStore, file: ArrivingFile) -> None:
    store.layout.make()
    store.layout.staging.rmdir()
    store.layout.staging.write_bytes(b"a file in its place")
    for _ in range(2):
        file.write(STL)
    store.layout.staging.unlink()
    with pytest.raises(StorageFailure):
        make_job(store, files=[("a.stl", file)])
    assert staged_names(store) == [] and list(store.ids()) == []


def test_while_the_storage_is_offline_nothing_is_made_in_its_empty_place(store: JobStore, file: ArrivingFile) -> None:
    store.layout.make()
    store.layout.root.rename(store.layout.root.with_name("unmounted"))
    store.layout.root.mkdir()
    file.write(STL)
    assert isinstance(file.error, StorageOffline)
    assert list(store.layout.root.iterdir()) == []


def test_who_cleans_up_passes_over_what_arrives(store: JobStore, file: ArrivingFile) -> None:
    """Another computer that starts, or that checks the storage."""
    file.write(STL)
    recover_all(store)
    assert check_storage(store) == []
    assert make_job(store, files=[("a.stl", file)]).job.sent_files[0].size == len(STL)


KILLED = """
import os, sys
from pathlib import Path
from printsys.jobstore.arriving import ArrivingFile, arrivals_in_staging
from tests.factories import make_store
file = ArrivingFile(arrivals_in_staging(make_store(Path(sys.argv[1]))), 1 << 20)
file.write(b"solid")
os._exit(9)
"""


def test_a_file_arrives_while_somebody_looks_whether_its_folder_was_left(store: JobStore) -> None:
    arrivals = arrivals_in_staging(store)
    with closing(ArrivingFile(arrivals, LIMIT)) as first:
        first.write(STL)
        (name,) = staged_names(store)
    cleaner = FileLock(store.layout.lock(staging_lock_name(name.partition(".")[0])), thread_local=False)
    cleaner.acquire()
    threading.Timer(0.2, cleaner.release).start()
    with closing(ArrivingFile(arrivals, LIMIT)) as second:
        second.write(STL)
        assert second.error is None and staged_names(store) == [name]


def test_what_a_killed_process_was_sent_is_removed_at_the_next_start(store: JobStore, tmp_path: Path) -> None:
    assert subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], cwd=ROOT, check=False).returncode == 9
    assert [item.kind for item in check_storage(store)] == ["staging-left"]
    recover_all(store)
    assert staged_names(store) == [] and check_storage(store) == []


def test_an_arriving_file_moves_within_any_folder_of_its_disk(tmp_path: Path) -> None:
    with closing(ArrivingFile(ArrivalFolder(tmp_path / "scratch"), LIMIT)) as file:
        file.write(STL)
        (tmp_path / "taken.stl").touch()
        with pytest.raises(FileExistsError):
            file.move_to(tmp_path / "taken.stl")
    with closing(ArrivingFile(ArrivalFolder(tmp_path / "scratch"), LIMIT)) as file:
        file.write(STL)
        file.move_to(tmp_path / "model.stl", is_synced=False)
    assert (tmp_path / "model.stl").read_bytes() == STL
    assert not (tmp_path / "scratch").exists()
