"""What Explorer, Finder and a plain copy do to folders besides what the person meant."""

from __future__ import annotations

import shutil
from pathlib import Path

from printsys import fs
from tests.habits.conftest import WatchedJob
from tests.waiting import until

LEFTOVERS = ("Thumbs.db", "desktop.ini", ".DS_Store", "._bracket.stl", ".directory", "~$bracket.xlsx")


def test_what_a_desktop_leaves_behind_is_nobodys_file_and_needs_nobody(watched: WatchedJob) -> None:
    job = watched.new_job()
    for folder in (job.folder, job.folder / "original", job.folder.parent, watched.store.layout.root):
        for name in LEFTOVERS:
            (folder / name).write_bytes(b"\0" * 6148)
    assert watched.events() == []
    watched.service.wake.set()
    until(lambda: not watched.service.wake.is_set())
    assert watched.attention() == []


def test_explorers_new_folder_is_raised_until_it_is_something_or_gone(watched: WatchedJob, tmp_path: Path) -> None:
    watched.new_job()
    new = watched.job.folder.parent / "New folder"
    new.mkdir()
    until(lambda: watched.attention() == ["not-a-job"])
    named = new.rename(new.with_name("For Prof. Smith"))
    until(lambda: [item.folder for item in watched.queries.attention()] == ["Uploaded/For Prof. Smith"])
    named.rmdir()
    until(lambda: watched.attention() == [])
    assert watched.events() == []


def test_a_loose_model_in_a_status_folder_is_raised_at_once_and_until_it_is_gone(watched: WatchedJob) -> None:
    watched.new_job()
    loose = watched.job.folder.parent / "hook.stl"
    loose.write_bytes(b"solid x\nendsolid x\n")
    until(lambda: watched.attention() == ["loose-file"])
    loose.unlink()
    until(lambda: watched.attention() == [])


def test_what_is_in_a_new_folder_inside_a_job_belongs_to_the_job(watched: WatchedJob) -> None:
    job = watched.new_job()
    new = job.folder / "New folder"
    new.mkdir()
    (new.rename(job.folder / "photos") / "failed print.jpg").write_bytes(b"\xff\xd8")
    assert [(kind, data["name"]) for kind, data in watched.events()] == [("FileAdded", "photos/failed print.jpg")]
    assert watched.attention() == []


def test_a_copied_file_is_recorded_once_when_all_of_it_is_there(watched: WatchedJob) -> None:
    job = watched.new_job()
    piece = b"G1 X1 Y1\n" * 10_000
    with (job.folder / "copied.gcode").open("wb") as copying:
        for _ in range(4):
            copying.write(piece)
            copying.flush()
            watched.wait_for_a_look()
    added = [(data["name"], data["size"]) for kind, data in watched.events() if kind == "FileAdded"]
    assert added == [("copied.gcode", 4 * len(piece))]


def test_a_whole_job_that_was_taken_out_arrives_again_with_what_was_put_into_it(
    watched: WatchedJob, tmp_path: Path
) -> None:
    job = watched.new_job()
    away = tmp_path / "USB stick" / job.folder.name
    away.parent.mkdir()
    fs.rename_folder(job.folder, away)  # the indexer may have a file of it open, which Windows waits for
    watched.service.wake.set()
    until(lambda: watched.attention() == ["job-missing"])
    (away / "sliced at home.gcode").write_bytes(b"G28\n")
    shutil.copytree(away, job.folder)
    until(lambda: watched.attention() == [])
    assert [(kind, data["name"]) for kind, data in watched.events() if "name" in data] == [
        ("FileAdded", "sliced at home.gcode")
    ]


def test_a_missing_job_stays_raised_when_its_place_is_heard_of_again(watched: WatchedJob) -> None:
    job = watched.new_job()
    fs.remove_tree(job.folder)
    watched.service.wake.set()
    until(lambda: watched.attention() == ["job-missing"])
    watched.service.sweeper.sweep_folder(job.folder)
    assert watched.attention() == ["job-missing"]


def test_a_folder_that_arrives_with_its_files_is_raised_as_a_job_to_make(watched: WatchedJob, tmp_path: Path) -> None:
    watched.new_job()
    outside = tmp_path / "Walk-in Tuesday"
    (outside / "parts").mkdir(parents=True)
    for name in ("hinge.stl", "parts/pin.stl"):
        (outside / name).write_bytes(b"solid x\nendsolid x\n")
    shutil.copytree(outside, watched.job.folder.parent / outside.name)
    until(lambda: [item.folder for item in watched.queries.attention()] == ["Uploaded/Walk-in Tuesday"])
    assert watched.attention() == ["not-a-job"]


def test_a_folder_copied_in_the_file_manager_is_raised_and_the_first_stays_the_job(watched: WatchedJob) -> None:
    job = watched.new_job()
    copy = job.folder.with_name(f"{job.folder.name} - Copy")
    shutil.copytree(job.folder, copy)
    until(lambda: watched.attention() == ["duplicate"])
    assert watched.store.find(job.id) == job.folder
    fs.remove_tree(copy)
    until(lambda: watched.attention() == [])
    assert watched.events() == []
