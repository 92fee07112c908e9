"""The running system on Windows: a job's whole life over HTTP, beside programs that work in its folders."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from printsys.config import ROOT
from printsys.domain.status import Status
from printsys.jobstore import JobStore, Stored
from tests.factories import FORM, STL, make_store
from tests.running_system import System, system_of_its_own
from tests.visitor import Visitor
from tests.waiting import until
from tests.windows.programs import (
    SHARE_ALL,
    SHARE_DELETE,
    SHARE_NONE,
    SHARE_READ,
    SHARE_WRITE,
    held_open,
    virus_scanner,
)

PASSWORD = "correct horse"
PATIENCE_S = 120
REFUSALS_S = 10
"""Longest that reading a small file in a job's folder may keep a person from moving it."""
APPROVAL = {"weight_g": "42.7", "time_h": "3.4", "material": "PLA"}
NOTE_TAKER = """
import sys
from pathlib import Path
from tests.factories import act, make_store
for number in range(20):
    act(make_store(Path(sys.argv[1])), sys.argv[2], "notes", notes=f"{sys.argv[3]} {number}")
"""


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    with system_of_its_own(STAFF_PASSWORD=PASSWORD) as system:
        system.start()
        until(system.has_database, PATIENCE_S)
        yield system


@pytest.fixture(scope="module")
def staff(system: System) -> Visitor:
    visitor = Visitor(system.url)
    visitor.log_in(PASSWORD)
    return visitor


@pytest.fixture
def store(system: System) -> JobStore:
    """The same storage, from another process than the system's."""
    return make_store(system.root)


@pytest.fixture
def job(system: System, store: JobStore) -> Stored:
    """A job that the mirror has, and whose student has heard of it."""
    return store.load(submit(system))


def submit(system: System, name: str = "Jane Doe") -> str:
    return Visitor(system.url).submit(FORM | {"student_name": name}, "bracket v2.stl", STL)


def approve(staff: Visitor, job: Stored) -> None:
    staff.act(job.id, "approve", print_file=f"{job.folder.name}.stl", **APPROVAL)


def link_in_mail(system: System, kind: str, address: str) -> str:
    """The path of the link of this kind in an e-mail to `address`, as soon as it is in the outbox."""
    links: list[str] = []

    def is_there() -> bool:
        for mail in (system.instance / "outbox").glob("*.eml"):
            text = mail.read_text("utf-8").replace("=\n", "")
            if address in text and (match := re.search(rf"{system.url}(/{kind}/\S+)", text)):
                links.append(match[1])
        return bool(links)

    until(is_there, PATIENCE_S)
    return links[0]


def events_of(store: JobStore, job: Stored) -> list[str]:
    return [event.type for event in store.load(job.id).events]


def cmd(*words: object) -> None:
    """What a person types into Windows' own command line, and once more where Windows refuses it: the system may just
    read a file there, which keeps a folder from being renamed."""
    deadline = time.monotonic() + REFUSALS_S
    while (done := _typed(*words)).returncode != 0:
        assert time.monotonic() < deadline, done.stdout + done.stderr


def _typed(*words: object) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["cmd", "/c", *map(str, words)], stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE_S, check=False
    )


def delete(file: Path) -> None:
    """Windows' `del` calls it a success, too, when the file is in use and stays."""

    def is_gone() -> bool:
        cmd("del", file)
        return not file.exists()

    until(is_gone, REFUSALS_S)


def test_the_whole_life_of_a_job(system: System, staff: Visitor, store: JobStore) -> None:
    student = Visitor(system.url)
    form = FORM | {"student_name": "José Ñandú", "student_email": "jose@example.edu"}
    job = store.load(student.submit(form, "bracket v2.stl", STL))
    assert job.folder.name == f"JoseNandu_Filament_TrueRed_{job.id}"
    assert (job.folder / "original" / "bracket v2.stl").read_bytes() == STL
    approve(staff, job)
    link = link_in_mail(system, "confirm", "jose@example.edu")
    student.send(link, link, {"decision": "confirm"})
    for action in ("start", "complete"):
        staff.act(job.id, action)
    payment = {"amount": "4.27", "payment_method": "Card", "picked_up_by": "José Ñandú", "weight_g": "42.7"}
    staff.act(job.id, "pickup", **payment)
    staff.act(job.id, "archive")
    until(lambda: store.load(job.id).folder.parent.name == "Archived", PATIENCE_S)
    steps = ["JobCreated", "StaffApproved", "StudentConfirmed", "PrintingStarted", "JobCompleted", "PaymentRecorded"]
    assert [event for event in events_of(store, job) if event in steps] == steps
    assert store.load(job.id).job.status is Status.ARCHIVED
    until(lambda: [row["status"] for row in staff.json(f"/api/v1/jobs?q={job.id}")["jobs"]] == ["Archived"], PATIENCE_S)


def test_a_folder_that_is_moved_changes_the_status(system: System, store: JobStore, job: Stored) -> None:
    cmd("move", job.folder, system.storage / "Rejected")
    until(lambda: store.load(job.id).job.status is Status.REJECTED, PATIENCE_S)
    assert store.load(job.id).events[-1].actor == "filesystem"


def test_a_folder_under_another_name_is_the_same_job(store: JobStore, job: Stored) -> None:
    cmd("ren", job.folder, "Jane's bracket, urgent")
    until(lambda: "FolderRenamed" in events_of(store, job), PATIENCE_S)
    assert store.find(job.id).name == "Jane's bracket, urgent"


def test_a_copied_file_is_added_a_renamed_one_renamed_and_a_deleted_one_removed(
    store: JobStore, job: Stored, tmp_path: Path
) -> None:
    (tmp_path / "plate 1.gcode").write_bytes(b"G28\n" * 100)
    cmd("copy", tmp_path / "plate 1.gcode", job.folder)
    until(lambda: "FileAdded" in events_of(store, job), PATIENCE_S)
    cmd("ren", job.folder / "plate 1.gcode", "plate one.gcode")
    until(lambda: "FileRenamed" in events_of(store, job), PATIENCE_S)
    delete(job.folder / "plate one.gcode")
    until(lambda: "FileRemoved" in events_of(store, job), PATIENCE_S)


def test_a_file_that_is_saved_over_is_changed(store: JobStore, job: Stored, tmp_path: Path) -> None:
    (tmp_path / "scaled.stl").write_bytes(STL.replace(b"30", b"40"))
    cmd("copy", "/y", tmp_path / "scaled.stl", job.folder / f"{job.folder.name}.stl")
    until(lambda: "FileChanged" in events_of(store, job), PATIENCE_S)


def test_a_copied_folder_is_raised(staff: Visitor, system: System, job: Stored) -> None:
    cmd("xcopy", job.folder, system.storage / "Pending" / f"Copy_of_{job.folder.name}", "/e", "/i", "/y")
    until(lambda: job.id in [item["job_id"] for item in staff.json("/api/v1/attention")["attention"]], PATIENCE_S)
    assert system.storage.joinpath("Uploaded", job.folder.name).exists()


@pytest.mark.parametrize(
    "share", [SHARE_NONE, SHARE_READ, SHARE_READ | SHARE_WRITE, SHARE_READ | SHARE_DELETE, SHARE_ALL]
)
def test_with_a_file_open_in_its_folder_a_job_is_approved_and_moves_later(
    staff: Visitor, store: JobStore, job: Stored, share: int
) -> None:
    file = job.folder / "plate.gcode"
    file.write_bytes(b"G28\n" * 100)
    with held_open(file, share):
        approve(staff, job)
        assert store.load(job.id).job.status is Status.PENDING
        assert job.folder.exists()
        assert "plate.gcode" in staff.get(f"/dashboard/jobs/{job.id}")
    until(lambda: store.find(job.id).parent.name == "Pending", PATIENCE_S)
    until(lambda: "FileAdded" in events_of(store, job), PATIENCE_S)


def test_two_more_processes_write_into_one_job(system: System, store: JobStore, job: Stored) -> None:
    before = len(job.events)
    processes = [
        subprocess.Popen([sys.executable, "-c", NOTE_TAKER, str(system.root), job.id, writer], cwd=ROOT)
        for writer in ("first", "second")
    ]
    assert [process.wait(PATIENCE_S) for process in processes] == [0, 0]
    after = store.load(job.id)
    edits = [event for event in after.events[before:] if event.type == "NotesEdited"]
    assert len(edits) == 40
    assert [event.seq for event in after.events] == list(range(1, len(after.events) + 1))
    assert after.problem is None


def test_beside_a_virus_scanner_none_of_a_hundred_requests_fails(
    system: System, staff: Visitor, store: JobStore
) -> None:
    with virus_scanner(system.storage) as looked_at:
        jobs = [store.load(submit(system, f"Student {number}")) for number in range(34)]
        for job in jobs:
            approve(staff, job)
            staff.act(job.id, "notes", notes="sliced")
        assert looked_at
    for job in jobs:
        until(lambda job=job: store.find(job.id).parent.name == "Pending", PATIENCE_S)  # type: ignore[misc]
        assert store.load(job.id).job.notes == "sliced"
    assert list(store.layout.staging.iterdir()) == []


def test_a_backup_of_the_running_system_is_restored_elsewhere(system: System, store: JobStore, job: Stored) -> None:
    with tempfile.TemporaryDirectory(prefix="printsys-tests-") as folder:
        backups, other = Path(folder, "backups"), System(Path(folder))
        for done in (system.manage("backup", str(backups)), other.manage("restore", str(backups))):
            assert done.returncode == 0, done.stdout + done.stderr
        assert other.folder(job.id).name == job.folder.name
        copy = (other.folder(job.id) / "events.jsonl").read_bytes()
        assert (store.find(job.id) / "events.jsonl").read_bytes().startswith(copy)
        assert (other.folder(job.id) / "original" / "bracket v2.stl").read_bytes() == STL


def test_check_finds_nothing_wrong_with_the_record_of_a_job(system: System, job: Stored) -> None:
    """What other tests did in the folders is for a person."""
    done = system.manage("check", "--deep", "--json")
    report = json.loads(done.stdout)
    assert report["problem"] is None, done.stderr
    assert [finding for finding in report["findings"] if finding["job_id"] == job.id] == []


def test_doctor_finds_a_computer_that_works(system: System) -> None:
    results = {result["name"]: result for result in json.loads(system.manage("doctor", "--json").stdout)}
    for name in ("python", "storage", "disk", "password", "database", "worker", "queue", "mail"):
        assert results[name]["is_fine"], results[name]
