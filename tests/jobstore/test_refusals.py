"""What the disk refuses is said with its own reason. FAULTS R17."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import pytest

from printsys import fs
from printsys.domain.status import Status
from printsys.errors import StorageFailure
from printsys.jobstore import JobStore, Stored
from printsys.jobstore.refusals import reason_of, why_not_moved
from tests.jobstore.conftest import approve
from tests.present import present
from tests.refused import modes_bind_root


def test_a_file_in_the_way_is_called_a_file_and_a_folder_a_folder(store: JobStore, job: Stored) -> None:
    in_the_way = store.layout.status(Status.PENDING) / job.folder.name
    in_the_way.write_bytes(b"")
    pending = approve(store, job)
    assert present(pending.move_pending).startswith(f"a file named {job.folder.name} is in Pending")
    in_the_way.unlink()
    in_the_way.mkdir()
    assert present(store.load(job.id).move_pending).startswith(f"another folder named {job.folder.name} is in Pending")
    in_the_way.rmdir()
    assert store.load(job.id).move_pending is None


def test_a_status_folder_that_is_a_file_is_said_to_be_one(store: JobStore, job: Stored) -> None:
    place = store.layout.status(Status.PENDING)
    place.rmdir()
    place.write_bytes(b"")
    waiting = present(approve(store, job).move_pending)
    assert (
        waiting
        == "the folder cannot be moved to Pending: a file lies where a folder should be; it moves when that is over"
    )


@pytest.mark.skipif(
    os.name == "nt" or not Path("/dev/shm").is_dir(), reason="there is no second disk, or no link to one"
)
def test_a_status_folder_on_another_disk_is_said_to_be_there(store: JobStore, job: Stored, tmp_path: Path) -> None:
    elsewhere = Path("/dev/shm") / f"printsys-{os.getpid()}"
    elsewhere.mkdir()
    try:
        if elsewhere.stat().st_dev == tmp_path.stat().st_dev:
            pytest.skip("the tests run on it")
        store.layout.status(Status.PENDING).rmdir()
        store.layout.status(Status.PENDING).symlink_to(elsewhere)
        assert "the two folders lie on different disks" in present(approve(store, job).move_pending)
    finally:
        shutil.rmtree(elsewhere)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no modes")
def test_a_folder_without_permission_is_not_said_to_be_open_in_a_program(store: JobStore, job: Stored) -> None:
    place = store.layout.status(Status.PENDING)
    place.chmod(0o500)
    try:
        with modes_bind_root():
            assert "this computer has no permission to do that" in present(approve(store, job).move_pending)
    finally:
        place.chmod(0o700)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.EACCES, "no permission"),
        (errno.EPERM, "no permission"),
        (errno.EROFS, "can only be read"),
        (errno.ENOSPC, "is full"),
        (errno.ENAMETOOLONG, "name is too long"),
        (errno.EIO, "reports an error"),
        (errno.EMFILE, "too many files open"),
    ],
)
def test_each_refusal_has_its_own_sentence(store: JobStore, job: Stored, code: int, words: str) -> None:
    error = OSError(code, os.strerror(code))
    target = store.layout.status(Status.PENDING) / job.folder.name
    sentence = why_not_moved(job.folder, target, error)
    assert words in sentence and "open in" not in sentence and "no program" not in sentence
    with pytest.raises(StorageFailure, match=words), store.disk_errors():
        raise error


@pytest.mark.skipif(os.name == "nt", reason="Windows' C library calls it a file that is not there")
def test_a_name_that_is_too_long_is_refused_by_the_disk_in_words(tmp_path: Path) -> None:
    with pytest.raises(OSError) as refused:
        fs.write_new(tmp_path / ("x" * 300), b"")
    assert reason_of(refused.value) == "the name is too long"
