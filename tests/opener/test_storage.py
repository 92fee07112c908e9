"""Finds a job's file in a storage in which people and programs move folders."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from opener import storage as module
from opener.record import RecordedJob
from opener.refusals import Reason, Refused
from opener.storage import STATUS_FOLDERS, Storage
from opener.url import parse
from printsys.domain.status import Status
from tests.links import link
from tests.opener.conftest import FOLDER, JOB, STORAGE_ID, make_job, url
from tests.refused import modes_bind_root


def resolve(root: Path, link: str | None = None, pause: Callable[[float], None] = lambda _: None) -> Path:
    return Storage(root, STORAGE_ID, pause).resolve(parse(link or url()))[0]


def refusal(root: Path, link: str | None = None) -> Reason:
    with pytest.raises(Refused) as refused:
        resolve(root, link)
    return refused.value.reason


def test_every_status_folder_is_looked_in() -> None:
    assert set(STATUS_FOLDERS) == {status.value for status in Status}


@pytest.mark.parametrize("status", STATUS_FOLDERS)
def test_a_file_is_found_in_whichever_status_folder_its_job_is(storage: Path, status: str) -> None:
    job = make_job(storage, status)
    assert resolve(storage) == job / f"{FOLDER}.stl"
    assert resolve(storage, url("original/bracket%20v2.stl")) == job / "original" / "bracket v2.stl"


def test_what_the_record_says_of_the_printer_comes_with_the_file(storage: Path) -> None:
    make_job(storage, "Pending", method="Resin", printer="formlabs-form3")
    record = Storage(storage).resolve(parse(url()))[1]
    assert record == RecordedJob(JOB, "Resin", "formlabs-form3")


def test_a_renamed_job_folder_is_found_by_the_id_inside(storage: Path, job: Path) -> None:
    job.rename(job.with_name("Jane's bracket"))
    assert resolve(storage).parent.name == "Jane's bracket"


@pytest.mark.parametrize("text", [b"", b"{", b"\xff\xfe{", b"[" * 100_000, b"null", b'{"id": 7}', b"\0" * 99])
def test_a_damaged_record_keeps_no_file_from_opening(storage: Path, job: Path, text: bytes) -> None:
    (job / "metadata.json").write_bytes(text)
    path, record = Storage(storage).resolve(parse(url()))
    assert path == job / f"{FOLDER}.stl"
    assert record == RecordedJob(method="Filament"), "the folder's name says the method too"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_record_with_a_byte_order_mark_is_read(storage: Path, job: Path, encoding: str) -> None:
    (job / "metadata.json").write_text(f'{{"id": "{JOB.upper()}", "request": {{"printer": "xl"}}}}', encoding)
    assert Storage(storage).resolve(parse(url()))[1] == RecordedJob(JOB, "Filament", "xl")


def test_a_folder_that_is_being_moved_is_found_where_it_arrives(storage: Path, job: Path, tmp_path: Path) -> None:
    on_its_way = job.rename(tmp_path / "on its way")
    looks: list[None] = []

    def arrive_after_three_looks(_: float) -> None:
        looks.append(None)
        if len(looks) == 3:
            (storage / "ReadyToPrint").mkdir()
            on_its_way.rename(storage / "ReadyToPrint" / FOLDER)

    assert resolve(storage, pause=arrive_after_three_looks) == storage / "ReadyToPrint" / FOLDER / f"{FOLDER}.stl"


def test_a_folder_that_moves_during_the_look_is_not_taken_for_two(
    storage: Path, job: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (storage / "ReadyToPrint").mkdir()
    real_listdir = os.listdir

    def listdir(path: Any) -> list[str]:
        names = real_listdir(path)
        if Path(path) == storage / "Pending" and job.exists():
            job.rename(storage / "ReadyToPrint" / FOLDER)
        return names

    monkeypatch.setattr(os, "listdir", listdir)
    assert resolve(storage).parent == storage / "ReadyToPrint" / FOLDER


def test_an_id_with_two_folders_is_refused(storage: Path, job: Path) -> None:
    shutil.copytree(job, storage / "Completed" / FOLDER)
    assert refusal(storage) is Reason.TWO_JOBS


def test_two_renamed_folders_of_one_id_are_refused(storage: Path, job: Path) -> None:
    shutil.copytree(job, storage / "Completed" / "copy")
    job.rename(job.with_name("bracket"))
    assert refusal(storage) is Reason.TWO_JOBS


def test_a_copy_that_a_file_manager_named_does_not_hide_the_job(storage: Path, job: Path) -> None:
    shutil.copytree(job, job.with_name(f"{FOLDER} - Copy"))
    assert resolve(storage).parent == job


def test_a_folder_whose_record_says_another_job_is_not_this_one(storage: Path, job: Path) -> None:
    make_job(storage, "Completed", FOLDER, id_="00000000")
    assert resolve(storage).parent == job


def test_jobs_and_files_that_are_gone_have_their_own_sentences(storage: Path, job: Path) -> None:
    assert refusal(storage, url(job="00000000")) is Reason.NO_JOB
    assert refusal(storage, url("other.stl")) is Reason.NO_FILE
    assert refusal(storage, url(f"{FOLDER}.stl/a.stl")) is Reason.NO_FILE
    (job / "folder.stl").mkdir()
    assert refusal(storage, url("folder.stl")) is Reason.NOT_A_FILE


def test_a_job_in_the_trash_is_not_opened(storage: Path, job: Path) -> None:
    (storage / ".printsys" / "trash").mkdir()
    job.rename(storage / ".printsys" / "trash" / FOLDER)
    assert refusal(storage) is Reason.NO_JOB


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no such files")
def test_what_is_no_ordinary_file_is_refused(storage: Path, job: Path) -> None:
    os.mkfifo(job / "pipe.stl")
    assert refusal(storage, url("pipe.stl")) is Reason.NOT_A_FILE


def test_a_file_is_found_whatever_case_the_link_is_in(storage: Path, job: Path) -> None:
    assert resolve(storage, url("ORIGINAL/Bracket%20V2.STL")).samefile(job / "original" / "bracket v2.stl")


def test_a_name_is_found_in_either_unicode_form(storage: Path, job: Path) -> None:
    (job / "E\u0301cran.stl").write_bytes(b"solid")
    assert resolve(storage, url("%C3%89cran.stl")).name == "E\u0301cran.stl"


def test_names_that_only_differ_in_case_are_told_apart_or_refused(storage: Path, job: Path) -> None:
    (job / "a.stl").write_bytes(b"a")
    (job / "A.stl").write_bytes(b"A")
    if len(list(job.glob("[aA].stl"))) < 2:
        pytest.skip("this file system takes them for one")
    assert resolve(storage, url("A.stl")).read_bytes() == b"A"
    assert refusal(storage, url("A.STL")) is Reason.NO_FILE


@pytest.mark.parametrize("through", ["file", "folder", "job", "status"])
def test_a_link_that_leads_out_is_refused_wherever_it_stands(
    storage: Path, job: Path, tmp_path: Path, through: str
) -> None:
    outside = tmp_path / "outside"
    if through == "file":
        (tmp_path / "outside").write_bytes(b"secret")
        link(job / "bait.stl", outside)
        assert refusal(storage, url("bait.stl")) is Reason.LINK_OUT
        return
    linked = {"folder": job / "original", "job": job, "status": storage / "Pending"}[through]
    shutil.move(linked, outside)
    link(linked, outside)
    assert refusal(storage, url("original/bracket%20v2.stl")) is Reason.LINK_OUT


def test_a_loop_of_links_is_refused(storage: Path, job: Path) -> None:
    link(job / "loop.stl", job / "loop.stl")
    assert refusal(storage, url("loop.stl")) is Reason.LINK_OUT


@pytest.mark.parametrize(
    ("tag", "refused"),
    [(0xA0000003, True), (0xA000000C, True), (0x80000013, False), (0x9000001A, False), (0, False)],
    ids=["junction", "symlink", "deduplicated", "cloud", "plain"],
)
def test_on_windows_junctions_are_links_but_deduplicated_files_are_files(tag: int, refused: bool) -> None:
    """Windows' reparse tags, as os.lstat gives them in st_reparse_tag (ntifs.h)."""
    path: Any = SimpleNamespace(lstat=lambda: SimpleNamespace(st_mode=stat.S_IFDIR, st_reparse_tag=tag))
    if refused:
        with pytest.raises(Refused) as caught:
            module._refuse_link(path)
        assert caught.value.reason is Reason.LINK_OUT
    else:
        module._refuse_link(path)


def test_a_storage_that_is_not_mounted_is_reported(storage: Path, job: Path, tmp_path: Path) -> None:
    assert refusal(tmp_path / "nowhere") is Reason.OFFLINE
    (storage / ".printsys" / "storage-id").write_bytes(b"\n")
    assert refusal(storage) is Reason.OFFLINE
    shutil.rmtree(storage / ".printsys")
    assert refusal(storage) is Reason.OFFLINE


def test_another_storage_than_the_one_set_up_is_refused(storage: Path, job: Path) -> None:
    (storage / ".printsys" / "storage-id").write_text("another", "utf-8")
    assert refusal(storage) is Reason.OTHER_STORAGE


@pytest.mark.skipif(os.name == "nt", reason="Windows has no modes")
def test_a_folder_that_may_not_be_read_is_reported(storage: Path, job: Path) -> None:
    job.chmod(0)
    try:
        with modes_bind_root():
            assert refusal(storage) is Reason.UNREADABLE
    finally:
        job.chmod(0o755)


def test_a_share_that_fails_in_the_middle_is_reported_as_unreadable(
    storage: Path, job: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def listdir(path: Any) -> list[str]:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "listdir", listdir)
    assert refusal(storage) is Reason.UNREADABLE
