"""Files that a student sent again, and that the disk keeps from the job's folder: nothing removes them."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import pytest

from printsys import fs
from printsys.domain.status import Status
from printsys.errors import JobBusy, StorageFailure
from printsys.jobstore import JobStore, Stored, moves
from printsys.jobstore.pruned import announce, finish_pruning
from printsys.jobstore.recovery import recover_all
from tests.factories import STL, act, make_job, resubmit

MENDED = STL.replace(b"part", b"mended")


def refuse(*_arguments: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@contextmanager
def full_disk() -> Iterator[None]:
    """No staged file comes into a job's folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(moves, "bring_files", refuse)
        yield


@pytest.fixture
def waiting(store: JobStore) -> Stored:
    """A job whose new files are recorded, and still in staging/."""
    job = make_job(store, status=Status.REJECTED)
    with full_disk():
        resubmitted = resubmit(store, job.id, [("mended.stl", MENDED)])
    assert resubmitted.move_pending is not None
    return resubmitted


def left_over(store: JobStore) -> list[Path]:
    """What is still in staging/, and announced."""
    return [*store.layout.staging.iterdir(), *store.layout.moves.iterdir()]


def require_new_files(stored: Stored) -> None:
    assert stored.move_pending is None
    for record in stored.job.current_files:
        assert (stored.folder / record.name).read_bytes() == MENDED


def test_they_wait_while_the_jobs_folder_is_away(store: JobStore, waiting: Stored, tmp_path: Path) -> None:
    away = shutil.move(waiting.folder, tmp_path / "away")
    for _ in range(2):
        assert recover_all(store) == [], "nothing was recovered"
    shutil.move(away, waiting.folder)
    require_new_files(store.load(waiting.id))
    assert left_over(store) == []


def test_they_come_with_a_folder_that_is_back_elsewhere(store: JobStore, waiting: Stored, tmp_path: Path) -> None:
    away = shutil.move(waiting.folder, tmp_path / "away")
    recover_all(store)
    shutil.move(away, store.layout.status(Status.PRINTING) / "Jane's bracket")
    assert recover_all(store) == [waiting.id]
    require_new_files(store.load(waiting.id))


def test_a_later_step_takes_them_along(store: JobStore, waiting: Stored) -> None:
    with full_disk():
        act(store, waiting.id, "override", status=Status.PRINTING)
    recover_all(store)
    stored = store.load(waiting.id)
    assert stored.folder.parent == store.layout.status(Status.PRINTING)
    require_new_files(stored)


def test_a_later_step_that_comes_to_nothing_leaves_them(
    store: JobStore, waiting: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    with full_disk(), monkeypatch.context() as patch:
        patch.setattr(fs, "append", refuse)
        with pytest.raises(StorageFailure):
            act(store, waiting.id, "override", status=Status.PRINTING)
    recover_all(store)
    stored = store.load(waiting.id)
    assert stored.folder.parent == store.layout.status(Status.UPLOADED)
    require_new_files(stored)


def test_others_are_refused_until_they_are_in_the_folder(store: JobStore, waiting: Stored) -> None:
    with full_disk():
        act(store, waiting.id, "reject")
        with pytest.raises(JobBusy):
            resubmit(store, waiting.id, [("again.stl", STL)])
    stored = store.load(waiting.id)
    assert stored.job.status == Status.REJECTED
    require_new_files(stored)
    assert left_over(store) == []


def test_a_deleted_job_takes_them_into_the_trash(store: JobStore, waiting: Stored) -> None:
    with full_disk():
        act(store, waiting.id, "delete")
        recover_all(store)
    assert len(left_over(store)) == 2
    recover_all(store)
    (folder,) = store.layout.trash.iterdir()
    assert MENDED in [path.read_bytes() for path in folder.glob("original/*")]
    assert left_over(store) == []


def test_they_go_with_a_job_that_was_pruned(store: JobStore, waiting: Stored) -> None:
    with full_disk(), store.edit(waiting.id) as change:
        announce(store, change, "staff:Sam", date(2026, 3, 2), "retention")
    recover_all(store)
    assert finish_pruning(store, waiting.id)
    assert left_over(store) == []


@pytest.mark.parametrize("end", ["deleted", "pruned"])
def test_nothing_waits_for_a_job_that_is_gone_for_good(
    store: JobStore, waiting: Stored, tmp_path: Path, end: str
) -> None:
    """As an earlier version left it, whose deletion passed over them."""
    intent = store.layout.intent(waiting.id)
    announcement = intent.read_bytes()
    shutil.copytree(store.layout.staging, staged := tmp_path / "staged")
    act(store, waiting.id, "delete")
    intent.write_bytes(announcement)
    shutil.copytree(staged, store.layout.staging, dirs_exist_ok=True)
    if end == "pruned":
        fs.remove_tree(store.layout.trash / waiting.folder.name)
        store.layout.pruned_id(waiting.id).parent.mkdir(parents=True)
        store.layout.pruned_id(waiting.id).touch()
    recover_all(store)
    assert left_over(store) == []


def test_a_copy_in_the_trash_does_not_end_the_wait(store: JobStore, waiting: Stored, tmp_path: Path) -> None:
    shutil.copytree(waiting.folder, store.layout.trash / waiting.folder.name)
    away = shutil.move(waiting.folder, tmp_path / "away")
    assert recover_all(store) == []
    shutil.move(away, waiting.folder)
    require_new_files(store.load(waiting.id))
