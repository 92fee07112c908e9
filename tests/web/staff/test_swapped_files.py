"""What is put into a file's place between the look at it and its opening leads nobody out of the job."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from printsys.errors import JobNotFound
from printsys.jobstore import Stored, layout
from printsys.services import Services
from tests.factories import STL
from tests.links import link
from tests.web.conftest import MakeJob

PICTURE = "previews/0123456789abcdef.png"
NAME = "original/bracket v2.stl"
SECRET = STL.replace(b"solid", b"solid secret", 1)
Swap = Callable[[Stored, Path], None]


def swap_the_file(job: Stored, outside: Path) -> None:
    for name in (NAME, PICTURE):
        (job.folder / name).unlink()
        link(job.folder / name, outside / name)


def swap_its_folder(job: Stored, outside: Path) -> None:
    for name in ("original", "previews"):
        shutil.rmtree(job.folder / name)
        link(job.folder / name, outside / name)


def swap_the_job(job: Stored, outside: Path) -> None:
    job.folder.rename(job.folder.with_name("elsewhere"))
    link(job.folder, outside)


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder like the job's, with something else in it."""
    for name in (NAME, PICTURE):
        path = tmp_path / "outside" / name
        path.parent.mkdir(parents=True)
        path.write_bytes(SECRET)
    return tmp_path / "outside"


@pytest.fixture
def job(make: MakeJob) -> Stored:
    made = make(files=[("bracket v2.stl", STL)])
    (made.folder / "previews").mkdir(exist_ok=True)
    (made.folder / PICTURE).write_bytes(b"\x89PNG of the job")
    return made


def swap_after_the_look(monkeypatch: pytest.MonkeyPatch, swap: Callable[[], None]) -> None:
    look, waiting = layout.file_inside, [swap]

    def looked(folder: Path, name: str, job_id: str) -> Path:
        path = look(folder, name, job_id)
        if waiting:
            waiting.pop()()
        return path

    monkeypatch.setattr(layout, "file_inside", looked)


@pytest.mark.parametrize("path", [f"files/{NAME}", f"frame/{NAME}", PICTURE])
@pytest.mark.parametrize("swap", [swap_the_file, swap_its_folder, swap_the_job])
def test_a_link_that_comes_after_the_look_is_not_followed(
    staff: FlaskClient, job: Stored, outside: Path, monkeypatch: pytest.MonkeyPatch, swap: Swap, path: str
) -> None:
    swap_after_the_look(monkeypatch, lambda: swap(job, outside))
    answer = staff.get(f"/dashboard/jobs/{job.id}/{path}")
    assert answer.status_code == (302 if path == PICTURE else 404)
    assert b"secret" not in answer.data and SECRET not in answer.data


def test_a_students_page_shows_no_picture_of_another_place(
    services: Services, job: Stored, outside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with services.store.open(job, PICTURE) as picture:
        assert picture.read() == b"\x89PNG of the job"
    swap_after_the_look(monkeypatch, lambda: swap_its_folder(job, outside))
    with pytest.raises(JobNotFound):
        services.store.open(job, PICTURE)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes in folders")
def test_a_pipe_in_a_files_place_holds_nobody_up(
    services: Services, job: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    def put_a_pipe() -> None:
        (job.folder / NAME).unlink()
        os.mkfifo(job.folder / NAME)

    swap_after_the_look(monkeypatch, put_a_pipe)
    with pytest.raises(JobNotFound):
        services.store.open(job, NAME)


def test_a_part_of_a_download_can_be_asked_for(staff: FlaskClient, job: Stored) -> None:
    path = f"/dashboard/jobs/{job.id}/files/{NAME}"
    part = staff.get(path, headers={"Range": "bytes=5-9"})
    assert (part.status_code, part.data) == (206, STL[5:10])
    assert part.headers["Content-Range"] == f"bytes 5-9/{len(STL)}"
    assert staff.get(path, headers={"Range": f"bytes={len(STL)}-"}).status_code == 416
    whole = staff.get(path)
    assert whole.data == STL and whole.content_length == len(STL)
    assert staff.get(path, headers={"If-None-Match": whole.headers["ETag"]}).status_code == 304
