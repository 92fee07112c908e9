"""A student's data: exported whole, erased but for what goes on, and recorded without saying whose it was."""

from __future__ import annotations

import errno
import json
import os
import shutil
import stat
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from indexer.index import Mirror
from indexer.queries import Queries
from printsys import fs
from printsys.actions import student_data
from printsys.config import load_settings
from printsys.domain.status import Status
from printsys.errors import PrintSysError
from printsys.jobstore.pruned import pruned_jobs
from printsys.ops.backup_record import BackupUnderWay, under_way
from tests.factories import act, make_job, make_store, sync
from tests.manage import Manage
from tests.openness.reader import verify

ANN = "Ann.Lee@example.edu"


def test_export_has_every_file_of_the_students_jobs_and_of_no_other(manage: Manage, tmp_path: Path) -> None:
    store = make_store(tmp_path)
    mine = [make_job(store, "Ann Lee", ANN, status) for status in (Status.UPLOADED, Status.ARCHIVED)]
    deleted = act(store, make_job(store, "Ann Lee", ANN.lower()).id, "delete")
    make_job(store, "Jane Doe", "jane@example.edu")
    exported = manage("student", "export", ANN.upper(), "--to", str(tmp_path / "out"), "--json")
    assert exported.code == 0 and set(exported.json["jobs"]) == {job.id for job in mine}
    with zipfile.ZipFile(exported.json["file"]) as archive:
        names = set(archive.namelist())
        expected = {"README.txt"}
        for top, folder in [*(("jobs", job.folder) for job in mine), ("deleted", deleted.folder)]:
            for path in (path for path in folder.rglob("*") if path.is_file()):
                name = f"{top}/{folder.name}/{path.relative_to(folder).as_posix()}"
                expected.add(name)
                assert archive.read(name) == path.read_bytes()
        assert names == expected and not any("JaneDoe" in name for name in names)
    assert [request["what"] for request in requests(tmp_path)] == ["exported"]


def test_odd_times_and_names_keep_nobody_from_their_data(manage: Manage, tmp_path: Path) -> None:
    """A zip knows no time before 1980, and no name that is not UTF-8."""
    folder = make_job(make_store(tmp_path), "Ann Lee", ANN).folder
    (folder / "old.txt").write_bytes(b"1970")
    os.utime(folder / "old.txt", (0, 0))
    names = {"old.txt"}
    if sys.platform == "linux":
        Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.txt")).write_bytes(b"coffee")
        names.add(r"caf\xe9.txt")
    exported = manage("student", "export", ANN, "--to", str(tmp_path / "out"), "--json")
    with zipfile.ZipFile(exported.json["file"]) as archive:
        assert names <= {Path(name).name for name in archive.namelist()}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has access lists")
def test_the_zip_is_private_from_its_first_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = make_store(tmp_path)
    make_job(store, "Ann Lee", ANN)
    modes = []

    def note_mode(archive: zipfile.ZipFile, *_: object) -> None:
        modes.append(stat.S_IMODE(os.stat(archive.filename or "").st_mode))

    monkeypatch.setattr(student_data, "_add", note_mode)
    student_data.export(store, student_data.find_data(store, ANN), ANN, tmp_path / "out")
    assert modes == [0o600]


def test_what_cannot_be_read_leaves_no_part_of_a_zip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither without a word nor as half of the data."""
    store = make_store(tmp_path)
    make_job(store, "Ann Lee", ANN)
    data, scandir = student_data.find_data(store, ANN), os.scandir

    def refuse(path: Any) -> Any:
        if str(path).endswith("original"):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(PrintSysError, match="no permission"):
        student_data.export(store, data, ANN, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_the_zip_does_not_go_into_the_storage(manage: Manage, tmp_path: Path) -> None:
    make_job(store := make_store(tmp_path), "Ann Lee", ANN)
    with pytest.raises(PrintSysError, match="lies in the storage"):
        manage("student", "export", ANN, "--to", str(store.layout.root / "Uploaded"))


def requests(folder: Path) -> list[dict[str, object]]:
    path = make_store(folder).layout.pruned / "requests.jsonl"
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_an_address_without_jobs_is_no_empty_zip(manage: Manage, tmp_path: Path) -> None:
    make_job(make_store(tmp_path))
    with pytest.raises(PrintSysError, match="There is no job"):
        manage("student", "export", ANN, "--to", str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_erase_leaves_anonymous_lines_and_names_what_goes_on(
    manage: Manage, tmp_path: Path, queries: Queries, mirror: Mirror
) -> None:
    store = make_store(tmp_path)
    ended = [make_job(store, "Ann Lee", ANN, s) for s in (Status.REJECTED, Status.PAID_PICKED_UP, Status.ARCHIVED)]
    going_on = make_job(store, "Ann Lee", ANN, Status.PRINTING)
    act(store, make_job(store, "Ann Lee", ANN).id, "delete")
    other = make_job(store, "Jane Doe", "jane@example.edu", Status.ARCHIVED)
    sync(store, mirror)
    with pytest.raises(PrintSysError, match="erase 4 jobs"):
        manage("student", "erase", ANN)
    erased = manage("student", "erase", ANN, "--confirm", "erase 4 jobs", "--json")
    assert erased.code == 1  # one goes on
    assert set(erased.json["erased"]) == {job.id for job in ended} and erased.json["deleted"] == 1
    assert [entry["job"] for entry in erased.json["open"]] == [going_on.id]
    assert sorted(line.job.status for line in pruned_jobs(store)) == ["Archived", "PaidPickedUp", "Rejected"]
    assert {line.because for line in pruned_jobs(store)} == {"erased"}
    assert {job_id for job_id, _ in store.ids()} == {going_on.id, other.id}
    assert list(store.layout.trash.iterdir()) == []
    assert all(queries.job(job.id) is None for job in ended)
    (request,) = requests(tmp_path)
    assert (request["what"], request["jobs"], request["deleted"], request["stay"]) == ("erased", 3, 1, 1)
    act(store, going_on.id, "complete")
    act(store, going_on.id, "pickup")
    assert manage("student", "erase", ANN, "--confirm", "erase 1 job").code == 0
    texts = [path for path in store.layout.root.rglob("*") if path.is_file() and b"Ann" in path.read_bytes()]
    assert texts == [] and verify(store.layout.root).kinds == []


def test_an_erase_that_is_only_tried_changes_nothing(manage: Manage, tmp_path: Path) -> None:
    stored = make_job(make_store(tmp_path), "Ann Lee", ANN, Status.ARCHIVED)
    tried = manage("student", "erase", ANN, "--dry-run")
    assert tried.code == 0 and f"  {stored.id}, Archived" in tried.out
    assert make_store(tmp_path).load(stored.id).job == stored.job


def test_nothing_is_erased_while_a_backup_is_made(manage: Manage, tmp_path: Path) -> None:
    """The backup could have the job and its line."""
    stored = make_job(make_store(tmp_path), "Ann Lee", ANN, Status.ARCHIVED)
    settings = load_settings({"PRINTSYS_INSTANCE": str(tmp_path / "instance")}, tmp_path)
    with under_way(settings), pytest.raises(BackupUnderWay):
        manage("student", "erase", ANN, "--confirm", "erase 1 job")
    assert make_store(tmp_path).load(stored.id).job == stored.job


def test_a_job_with_money_to_be_paid_stays(manage: Manage, tmp_path: Path) -> None:
    store = make_store(tmp_path)
    stored = make_job(store, "Ann Lee", ANN, Status.COMPLETED)
    act(store, stored.id, "pickup", amount="1.00")
    result = manage("student", "erase", ANN, "--dry-run", "--json")
    assert result.code == 1 and "still to be paid" in result.json["open"][0]["why"]


@pytest.mark.parametrize("name", ["{0}", "{0} - Copy", "Copy of Ann's"])
def test_a_job_with_a_copy_of_its_folder_stays_and_is_exported_with_it(
    manage: Manage, tmp_path: Path, name: str
) -> None:
    """The copy would be the job once the folder is gone, with name and address."""
    store = make_store(tmp_path)
    stored = make_job(store, "Ann Lee", ANN, Status.ARCHIVED)
    copy = store.layout.status(Status.COMPLETED) / name.format(stored.folder.name)
    shutil.copytree(stored.folder, copy)
    preview = manage("student", "erase", ANN, "--dry-run", "--json")
    place = store.layout.relative(copy)
    assert preview.code == 1 and preview.json["found"] == []
    assert preview.json["open"] == [{"job": stored.id, "why": f"a copy of its folder lies in {place}"}]
    exported = manage("student", "export", ANN, "--to", str(tmp_path / "out"), "--json")
    with zipfile.ZipFile(exported.json["file"]) as archive:
        assert f"copies/{place}/metadata.json" in archive.namelist()
    fs.remove_tree(copy)
    assert manage("student", "erase", ANN, "--confirm", "erase 1 job").code == 0
    assert len(list(pruned_jobs(store))) == 1 and list(store.ids()) == []


def test_e_mails_in_the_outbox_go_too(manage: Manage, tmp_path: Path) -> None:
    make_job(make_store(tmp_path), "Ann Lee", ANN, Status.ARCHIVED)
    outbox = tmp_path / "instance" / "outbox"
    outbox.mkdir(parents=True)
    for name, to in (("a", f"Ann Lee <{ANN}>"), ("b", "Jane Doe <jane@example.edu>")):
        (outbox / f"{name}.eml").write_bytes(f"To: {to}\r\n\r\nHello\r\n".encode())
    assert manage("student", "erase", ANN, "--confirm", "erase 1 job").code == 0
    assert [path.name for path in outbox.iterdir()] == ["b.eml"]


def test_what_lies_oddly_in_the_trash_is_named_and_keeps_nobody_from_their_data(manage: Manage, tmp_path: Path) -> None:
    store = make_store(tmp_path)
    make_job(store, "Ann Lee", ANN, Status.ARCHIVED)
    no_log, odd, gone = (act(store, make_job(store, "Ann Lee", ANN).id, "delete").folder for _ in range(3))
    (no_log / "events.jsonl").unlink()
    for folder in (odd, gone):
        (folder / "events.jsonl").unlink()
    (odd / "events.jsonl").mkdir()
    (gone / "metadata.json").unlink()
    (store.layout.trash / "no job").mkdir()
    (store.layout.trash / "a file.txt").write_bytes(b"no job either")
    result = manage("student", "erase", ANN, "--dry-run", "--json").json
    assert {entry["job"] for entry in result["unreadable"]} == {odd.name, gone.name}
    assert (len(result["found"]), result["deleted"]) == (1, 1)
    erased = manage("student", "erase", ANN, "--confirm", "erase 2 jobs")
    assert erased.code == 1 and odd.name in erased.out and not no_log.exists()
    assert odd.exists() and gone.exists()


def test_a_job_that_nobody_can_read_is_named(manage: Manage, tmp_path: Path) -> None:
    store = make_store(tmp_path)
    make_job(store, "Ann Lee", ANN, Status.ARCHIVED)
    damaged = make_job(store, "Jane Doe", "jane@example.edu")
    (damaged.folder / "events.jsonl").write_bytes(b"{}\n")
    (damaged.folder / "metadata.json").write_bytes(json.dumps({"id": damaged.id}).encode())
    erased = manage("student", "erase", ANN, "--confirm", "erase 1 job", "--json")
    assert erased.code == 1 and [entry["job"] for entry in erased.json["unreadable"]] == [damaged.id]
