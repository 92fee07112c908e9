"""One job out of a backup, beside the living storage: it comes back whole, and nothing is ever written over."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from indexer.attention import AttentionItem
from indexer.check import check_storage
from indexer.check_mirror import check_mirror
from indexer.index import Mirror
from printsys import fs
from printsys.actions.pruning import prune
from printsys.actions.student_data import StudentData, erase, find_data
from printsys.backup.restore import write_file
from printsys.backup.vault import Vault
from printsys.domain.emails import owed
from printsys.domain.events import EventType
from printsys.domain.status import Status
from printsys.errors import StorageOffline
from printsys.jobstore import JobStore, Stored, recovery
from printsys.jobstore.newest import forget_newest
from tests.backup.conftest import age
from tests.factories import act, actions_on, make_job, sync
from tests.indexer.test_check import everything
from tests.manage import Manage
from tests.openness.reader import verify
from tests.source import ROOT
from tests.waiting import until


@pytest.fixture
def backed_up(jobs: list[Stored], manage: Manage, vault: Vault) -> list[Stored]:
    manage("backup", str(vault.root))
    return jobs


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def findings(store: JobStore) -> list[AttentionItem]:
    return check_storage(store, deep=True)


@pytest.mark.parametrize("status", [Status.UPLOADED, Status.PRINTING, Status.ARCHIVED])
def test_a_job_whose_folder_is_gone_comes_back_whole_into_its_folder(
    backed_up: list[Stored], store: JobStore, manage: Manage, vault: Vault, status: Status, mirror: Mirror
) -> None:
    job = next(job for job in backed_up if job.job.status is status)
    before = files_of(job.folder)
    sync(store, mirror)
    fs.remove_tree(job.folder)
    sync(store, mirror)
    output = manage("restore", str(vault.root), "--job", job.id.upper(), "--json")
    assert output.code == 0 and output.json["folder"] == str(job.folder)
    after = files_of(job.folder)
    record = {"metadata.json", "events.jsonl"}
    assert {name: after[name] for name in after.keys() - record} == {
        name: before[name] for name in before.keys() - record
    }
    assert after["events.jsonl"].startswith(before["events.jsonl"])
    restored = store.load(job.id)
    event = restored.events[-1]
    assert (event.type, event.actor, event.data["missing"]) == (EventType.JOB_RESTORED, "staff", 0)
    assert event.data["backup"] == output.json["backup"]
    assert sync(store, mirror).news == [] and findings(store) == []
    assert check_mirror(store, mirror.engine, deep=True) == []


def test_what_happened_after_the_backup_is_lost_by_number_and_no_second_mail_goes_out(
    backed_up: list[Stored], store: JobStore, manage: Manage, vault: Vault, mirror: Mirror
) -> None:
    job = next(job for job in backed_up if job.job.status is Status.UPLOADED)
    newer = act(store, act(store, job.id, "approve").id, "confirm")
    assert newer.job.status is Status.READY_TO_PRINT and owed(job.events, job.id)
    sync(store, mirror)
    fs.remove_tree(newer.folder)
    sync(store, mirror)
    assert manage("restore", str(vault.root), "--job", job.id).code == 0
    restored = store.load(job.id)
    assert restored.folder == job.folder and restored.job.status is Status.UPLOADED and restored.problem is None
    lost = [event.seq for event in restored.events if event.type == EventType.EVENT_LOST]
    assert lost == list(range(job.log.seq + 1, newer.log.seq + 1))
    assert restored.events[-1].data["missing"] == len(lost) and owed(restored.events, job.id) == []
    sync(store, mirror)
    assert findings(store) == [] and check_mirror(store, mirror.engine, deep=True) == []
    assert verify(store.layout.root).kinds == [], "nor does a reader of the format find anything"
    assert act(store, job.id, "approve").job.status is Status.PENDING


def test_a_job_that_is_there_is_not_written_over(
    backed_up: list[Stored], store: JobStore, manage: Manage, vault: Vault, tmp_path: Path
) -> None:
    job = act(store, backed_up[0].id, "approve")
    before = everything(store.layout.root)
    with pytest.raises(Exception, match=f"Job {job.id} is there: Pending/.*Nothing was written over it.*--to DIR"):
        manage("restore", str(vault.root), "--job", job.id)
    after = everything(store.layout.root)
    assert {name for name in before.keys() ^ after.keys() if "/locks/" not in name} == set()
    assert all(after[name] == before[name] for name in before if "/locks" not in name and name in after)
    target = tmp_path / "copies"
    output = manage("restore", str(vault.root), "--job", job.id, "--to", str(target))
    assert output.code == 0 and (target / backed_up[0].folder.name / "metadata.json").is_file()
    assert b'"Uploaded"' in (target / backed_up[0].folder.name / "metadata.json").read_bytes()
    assert store.load(job.id).events == job.events, "a copy elsewhere is no event of the job"
    with pytest.raises(Exception, match="is there already"):
        manage("restore", str(vault.root), "--job", job.id, "--to", str(target))
    with pytest.raises(Exception, match="lies in the storage"):
        manage("restore", str(vault.root), "--job", job.id, "--to", str(store.layout.root / "Uploaded"))


def test_a_deleted_job_comes_from_the_newest_backup_that_has_it(
    backed_up: list[Stored], store: JobStore, manage: Manage, vault: Vault, mirror: Mirror
) -> None:
    job = backed_up[0]
    sync(store, mirror)
    act(store, job.id, "delete")
    sync(store, mirror)
    manage("backup", str(vault.root))
    first, second = vault.names()
    output = manage("restore", str(vault.root), "--job", job.id, "--json")
    assert output.json["backup"] == first and store.load(job.id).job.status is Status.UPLOADED
    sync(store, mirror)
    assert findings(store) == [] and mirror.engine is not None
    with pytest.raises(Exception, match=f"no job {job.id} in backup"):
        manage("restore", str(vault.root), "--job", job.id, "--backup", second, "--to", str(vault.root.parent / "x"))
    with pytest.raises(Exception, match="no job 00000000 in any backup"):
        manage("restore", str(vault.root), "--job", "00000000")
    with pytest.raises(Exception, match="no job's id"):
        manage("restore", str(vault.root), "--job", "nonsense?")


def test_a_storage_without_its_notes_takes_it_as_it_is(
    backed_up: list[Stored], store: JobStore, manage: Manage, vault: Vault
) -> None:
    """Nobody knows what happened since: the e-mails that its record owes may have gone out."""
    job = next(job for job in backed_up if owed(job.events, job.id))
    fs.remove_tree(job.folder)
    forget_newest(store.layout, job.id)
    assert manage("restore", str(vault.root), "--job", job.id).code == 0
    restored = store.load(job.id)
    assert restored.problem is None and findings(store) == [] and owed(restored.events, job.id) == []


def test_damage_is_refused_and_may_be_left_out_but_never_a_broken_record(
    backed_up: list[Stored], store: JobStore, manage: Manage, vault: Vault
) -> None:
    job = next(job for job in backed_up if job.job.status is Status.PENDING)
    original = next(file for file in job.job.files if file.role == "original")
    record = (job.folder / "events.jsonl").read_bytes()
    fs.remove_tree(job.folder)
    path = vault.path(original.sha256)
    path.chmod(0o600)
    path.write_bytes(b"rot")
    with pytest.raises(Exception, match=r"damaged file.*Nothing was written"):
        manage("restore", str(vault.root), "--job", job.id)
    assert not job.folder.exists()
    output = manage("restore", str(vault.root), "--job", job.id, "--without-damaged")
    assert output.code == 1 and original.name in output.err
    assert {item.kind for item in findings(store)} <= {"original-missing", "print-file-missing", "file-missing"}
    fs.remove_tree(job.folder)
    log = next(path for path in vault.content.glob("??/*") if path.read_bytes() == record)
    log.write_bytes(b"{}")
    with pytest.raises(Exception, match=r"events\.jsonl"):
        manage("restore", str(vault.root), "--job", job.id, "--without-damaged")
    assert not job.folder.exists() and list(store.layout.staging.iterdir()) == []


def test_a_pruned_job_stays_pruned(backed_up: list[Stored], store: JobStore, manage: Manage, vault: Vault) -> None:
    job = next(job for job in backed_up if job.job.status is Status.ARCHIVED)
    now = store.load(job.id)
    assert prune(actions_on(store), [(job.id, now.job.revision)], "staff:Sam", "retention").pruned == [job.id]
    with pytest.raises(Exception, match="was pruned on purpose"):
        manage("restore", str(vault.root), "--job", job.id)
    assert not job.folder.exists() and list(store.layout.staging.iterdir()) == []


def test_a_deleted_job_that_was_erased_out_of_the_trash_stays_erased(
    backed_up: list[Stored], store: JobStore, manage: Manage, vault: Vault
) -> None:
    job = next(job for job in backed_up if job.job.status is Status.UPLOADED)
    email = job.job.student.email
    assert email is not None
    act(store, job.id, "delete")
    actions = actions_on(store)
    assert job.id not in erase(actions, find_data(store, email), "staff:Sam").erased
    assert list(store.layout.trash.iterdir()) == []
    with pytest.raises(Exception, match="was pruned on purpose"):
        manage("restore", str(vault.root), "--job", job.id)
    assert not job.folder.exists()


def test_a_copy_in_the_trash_that_was_erased_keeps_no_living_job_from_coming_back(
    backed_up: list[Stored], store: JobStore, manage: Manage, vault: Vault
) -> None:
    job = next(job for job in backed_up if job.job.status is Status.UPLOADED)
    shutil.copytree(job.folder, store.layout.trash / job.folder.name)
    data = find_data(store, job.job.student.email or "")
    assert store.layout.trash / job.folder.name in data.deleted
    erase(actions_on(store), StudentData(deleted=data.deleted), "staff:Sam")
    fs.remove_tree(job.folder)
    assert manage("restore", str(vault.root), "--job", job.id).code == 0


def test_a_move_that_was_under_way_when_it_was_lost_moves_nothing(
    backed_up: list[Stored], store: JobStore, manage: Manage, vault: Vault
) -> None:
    job = backed_up[0]
    in_the_way = store.layout.status(Status.PENDING) / job.folder.name
    in_the_way.mkdir()
    (in_the_way / "something").touch()
    assert act(store, job.id, "approve").move_pending
    fs.remove_tree(job.folder)
    fs.remove_tree(in_the_way)
    assert manage("restore", str(vault.root), "--job", job.id).code == 0
    assert recovery.recover_all(store) == []
    restored = store.load(job.id)
    assert restored.folder == job.folder and restored.move_pending is None and restored.asked_by_hand is None


@pytest.mark.skipif(sys.platform == "win32", reason="Windows renames no folder with an open lock in it")
def test_a_share_that_goes_while_files_are_copied_gets_nothing_in_its_place(
    backed_up: list[Stored], store: JobStore, manage: Manage, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = backed_up[0]
    fs.remove_tree(job.folder)
    root = store.layout.root

    def write_and_unmount(*arguments: Any) -> None:
        write_file(*arguments)
        if not (elsewhere := root.with_name("unmounted")).exists():
            root.rename(elsewhere)
            root.mkdir()

    monkeypatch.setattr("printsys.backup.restore_job.write_file", write_and_unmount)
    with pytest.raises(StorageOffline):
        manage("restore", str(vault.root), "--job", job.id)
    assert list(root.iterdir()) == []


def test_each_folder_of_the_job_is_synced_before_the_job_appears(
    backed_up: list[Stored], store: JobStore, manage: Manage, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = backed_up[0]
    fs.remove_tree(job.folder)
    synced: list[Path] = []
    monkeypatch.setattr(fs, "sync_folder", synced.append)
    assert manage("restore", str(vault.root), "--job", job.id).code == 0
    staging = store.layout.staging / job.id
    assert {staging, staging / "original"} <= set(synced)


def test_a_folder_that_a_person_renamed_keeps_that_name(
    store: JobStore, manage: Manage, vault: Vault, mirror: Mirror
) -> None:
    job = make_job(store)
    renamed = job.folder.rename(job.folder.with_name("Jane's bracket"))
    sync(store, mirror)
    age(store.layout.root)
    manage("backup", str(vault.root))
    fs.remove_tree(renamed)
    sync(store, mirror)
    assert manage("restore", str(vault.root), "--job", job.id).code == 0
    assert store.load(job.id).folder == renamed


def test_killed_in_the_middle_it_leaves_no_half_job_and_the_next_call_brings_it_back(
    store: JobStore, manage: Manage, vault: Vault
) -> None:
    job = make_job(store, files=[(f"part {n}.stl", os.urandom(2_000_000)) for n in range(5)])
    for n in range(60):
        (job.folder / f"plate {n}.gcode").write_bytes(os.urandom(1_000_000))
    age(store.layout.root)
    manage("backup", str(vault.root))
    fs.remove_tree(job.folder)
    code = (
        "import sys, argparse; from printsys.commands import restore as m;"
        "p = argparse.ArgumentParser(); m.add_arguments(p); sys.exit(m.run(p.parse_args(sys.argv[1:])))"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(vault.root), "--job", job.id], cwd=ROOT)
    staging = store.layout.staging / job.id
    until(lambda: (staging.is_dir() and len(list(staging.iterdir())) > 5) or process.poll() is not None)
    assert process.poll() is None, "it was to be killed in the middle"
    process.kill()
    process.wait()
    assert not job.folder.exists() and staging.exists()
    shutil.copytree(staging, store.layout.root.parent / "left behind")
    assert manage("restore", str(vault.root), "--job", job.id).code == 0
    assert not staging.exists() and len(list(job.folder.glob("plate *.gcode"))) == 60
    assert store.load(job.id).problem is None
