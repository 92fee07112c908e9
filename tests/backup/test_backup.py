"""A backup is whole whatever happens while it is taken, and a restore gives the lab back as it was."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa
from filelock import FileLock, Timeout

from indexer.check import check_storage
from indexer.check_mirror import check_mirror
from indexer.index import Mirror
from printsys.backup import create, lab_files
from printsys.backup.restore import _in_a_folder
from printsys.backup.vault import BackupDamaged, BackupFailed, BackupRefused, Unit, Vault
from printsys.config import Settings
from printsys.domain.status import Status
from printsys.errors import PrintSysError, StorageOffline
from printsys.jobstore import JobStore, Stored, trash
from tests.backup.conftest import age, kept_files
from tests.factories import act, make_job, make_store, sync
from tests.indexer.test_check import everything
from tests.links import link
from tests.manage import Manage
from tests.waiting import until

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def elsewhere(tmp_path: Path, manage: Manage) -> Callable[..., JobStore]:
    """A new computer: restores the backup there (by the command), and gives its storage."""

    def restored(name: str = "new", *options: str) -> JobStore:
        root = tmp_path / name
        manage.use(root)
        assert manage("restore", str(tmp_path / "backup"), *options).code == 0
        manage.use(tmp_path)
        return make_store(root)

    return restored


def test_a_restored_storage_is_the_same_byte_for_byte_with_times_and_rights(
    jobs: list[Stored], store: JobStore, manage: Manage, elsewhere: Callable[..., JobStore], engine: sa.Engine
) -> None:
    (store.layout.root / "Uploaded" / "loose.stl").write_bytes(b"solid")
    (store.layout.root / "Printing" / "no record").mkdir()
    (store.layout.root / "Printing" / "no record" / "Grüße.gcode").write_bytes(b"G28")
    shutil.copytree(jobs[2].folder, jobs[2].folder.with_name("a copy"))
    before = kept_files(store.layout.root)
    backup = manage("backup", str(manage.folder / "backup"), "--json")
    assert backup.code == 0 and backup.json["jobs"] == len(jobs) and backup.json["files"] == len(before) + 2, (
        "with the id and lab.toml"
    )
    assert kept_files(store.layout.root) == before, "a backup changes nothing"
    new = elsewhere()
    assert kept_files(new.layout.root) == before
    assert new.expected_id == store.expected_id, "other computers know it again"
    shutil.rmtree(new.layout.root / "Printing" / "no record")
    trash.discard(new, "ReadyToPrint/a copy")
    trash.discard(new, "Uploaded/loose.stl")
    assert check_storage(new, deep=True) == []
    assert len(list(new.ids())) == len(jobs)


def test_a_restored_lab_goes_on(
    jobs: list[Stored], manage: Manage, elsewhere: Callable[..., JobStore], engine: sa.Engine
) -> None:
    manage("backup", str(manage.folder / "backup"))
    new = elsewhere()
    assert check_mirror(new, engine, deep=True) == []
    assert act(new, jobs[0].id, "approve").job.status is Status.PENDING


def test_a_restored_job_is_no_older_copy_though_the_database_remembers_more(
    jobs: list[Stored], store: JobStore, mirror: Mirror, manage: Manage, elsewhere: Callable[..., JobStore]
) -> None:
    """FAULTS R9: what is restored is older by decision."""
    manage("backup", str(manage.folder / "backup"))
    for job in jobs[:3]:
        act(store, job.id, "notes", notes="Newer than the backup.")
    new = elsewhere()
    sync(store, mirror)  # as if the database could not be built anew after the restore
    assert sync(new, mirror).news == []
    assert check_storage(new) == []
    assert [new.load(job.id).problem for job in jobs] == [None] * len(jobs)


def test_only_what_changed_is_copied_again(jobs: list[Stored], store: JobStore, manage: Manage) -> None:
    folder = str(manage.folder / "backup")
    manage("backup", folder)
    second = manage("backup", folder, "--json").json
    assert second["copied"] == 0 and second["jobs"] == len(jobs)
    act(store, jobs[0].id, "approve")  # it moves, and its record changes
    moved = manage("backup", folder, "--json").json
    record = store.load(jobs[0].id).folder
    assert moved["copied"] == sum((record / name).stat().st_size for name in ("metadata.json", "events.jsonl"))


def test_a_change_that_kept_size_and_time_within_a_tick_is_not_missed(
    store: JobStore, vault: Vault, tmp_path: Path
) -> None:
    path = make_job(store).folder / "part.gcode"
    path.write_bytes(b"G28 one")
    status = path.stat()
    with vault.open():
        create.back_up(store, vault, {})
        path.write_bytes(b"G28 two")
        os.utime(path, ns=(status.st_mtime_ns, status.st_mtime_ns))
        create.back_up(store, vault, {})
    files = next(unit.files for unit in vault.snapshot().units if unit.kind == "job")
    digest = next(file.sha256 for name, file in files.items() if name.endswith("part.gcode"))
    assert vault.path(digest).read_bytes() == b"G28 two"


def test_another_file_of_the_same_size_and_time_is_not_taken_for_the_one_before(
    store: JobStore, vault: Vault, tmp_path: Path
) -> None:
    """FAULTS R2, in a backup: as a file manager puts a file in the place of another, with the time that it had."""
    path, other = make_job(store).folder / "part.gcode", tmp_path / "other.gcode"
    for file, data in ((path, b"G28 one"), (other, b"G28 two")):
        file.write_bytes(data)
        os.utime(file, (1e9, 1e9))
    with vault.open():
        create.back_up(store, vault, {})
        other.replace(path)
        create.back_up(store, vault, {})
    files = next(unit.files for unit in vault.snapshot().units if unit.kind == "job")
    digest = next(file.sha256 for name, file in files.items() if name.endswith("part.gcode"))
    assert vault.path(digest).read_bytes() == b"G28 two"


def test_an_earlier_backup_can_be_restored(
    jobs: list[Stored], store: JobStore, manage: Manage, elsewhere: Callable[..., JobStore]
) -> None:
    folder = str(manage.folder / "backup")
    first = manage("backup", folder, "--json").json["name"]
    act(store, jobs[0].id, "delete")
    manage("backup", folder)
    assert manage("restore", folder, "--list").out.splitlines()[0] == first
    assert elsewhere("then", "--backup", first).load(jobs[0].id).job.status is Status.UPLOADED


def test_older_backups_are_dropped_with_what_only_they_have(
    jobs: list[Stored], store: JobStore, manage: Manage, vault: Vault, elsewhere: Callable[..., JobStore]
) -> None:
    manage("backup", str(vault.root))
    act(store, jobs[0].id, "approve")
    assert len(manage("backup", str(vault.root), "--keep", "1", "--json").json["dropped"]) == 1
    needed = set(vault.snapshot().contents())
    assert {path.name for path in vault.content.glob("??/*")} == needed
    assert elsewhere().load(jobs[0].id).job.status is Status.PENDING


# -- while others work ------------------------------------------------------------------------------------------------


class Lab:
    """A process that works in the storage all the time."""

    def __init__(self, folder: Path) -> None:
        self.output = (folder / "writer.txt").open("w+", encoding="utf-8")
        command = [sys.executable, "-m", "tests.backup.writer", str(folder), "7"]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=self.output, stderr=subprocess.STDOUT)
        self.path = folder / "writer.txt"

    def made(self) -> set[str]:
        assert self.process.poll() is None, self.path.read_text("utf-8")
        return {line.strip() for line in self.path.read_text("utf-8").splitlines(keepends=True) if line.endswith("\n")}

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        self.output.close()


@pytest.fixture
def lab(tmp_path: Path, store: JobStore) -> Iterator[Lab]:
    lab = Lab(tmp_path)
    until(lambda: len(lab.made()) > 25)
    yield lab
    lab.end()


def in_trash(store: JobStore) -> set[str]:
    return {path.name[-8:] for path in store.layout.trash.iterdir()}


def test_a_backup_of_a_lab_at_work_is_whole(
    lab: Lab, store: JobStore, manage: Manage, vault: Vault, elsewhere: Callable[..., JobStore], engine: sa.Engine
) -> None:
    for n in range(3):
        before = lab.made()
        assert manage("backup", str(vault.root)).code == 0
        assert lab.made() > before, "others went on working"
        new = elsewhere(f"new {n}")
        assert check_storage(new, deep=True) == []
        assert check_mirror(new, engine, deep=True) == []
        ids = [job_id for job_id, _ in new.ids()]
        assert len(ids) == len(set(ids))
        assert before <= set(ids) | in_trash(new)
        assert not set(ids) & in_trash(new)


class Watched(Vault):
    """Tells, of each content that is copied and each unit that is noted, whether the job's lock is held; `meanwhile`
    is called once, after the first content."""

    def __init__(self, root: Path, lock: Path, meanwhile: Callable[[], object] = lambda: None) -> None:
        super().__init__(root)
        self.lock, self.meanwhile = lock, iter([meanwhile])
        self.copied: list[bool] = []
        self.noted: list[bool] = []

    def is_locked(self) -> bool:
        try:
            with FileLock(self.lock, timeout=0):
                return False
        except Timeout:
            return True

    def put(self, chunks: Iterable[bytes]) -> tuple[str, int]:
        self.copied.append(self.is_locked())
        copied = super().put(chunks)
        next(self.meanwhile, lambda: None)()
        return copied

    def add_to_journal(self, line: bytes) -> None:
        if b'"job"' in line:
            self.noted.append(self.is_locked())
        super().add_to_journal(line)


def test_a_job_is_read_under_its_lock_and_nobody_waits_for_its_files(store: JobStore, vault: Vault) -> None:
    stored = make_job(store)
    age(store.layout.root)
    watched = Watched(vault.root, store.layout.lock(stored.id))
    with watched.open():
        create.back_up(store, watched, {})
    assert watched.noted == [True]
    assert len(watched.copied) >= 3 and not any(watched.copied)


def test_a_job_that_moves_while_its_files_are_copied_is_in_the_backup_as_it_became(
    store: JobStore, vault: Vault, elsewhere: Callable[..., JobStore]
) -> None:
    stored = make_job(store)
    age(store.layout.root)
    watched = Watched(vault.root, store.layout.lock(stored.id), lambda: act(store, stored.id, "approve"))
    with watched.open():
        assert create.back_up(store, watched, {}).jobs == 1
    assert watched.noted == [True]
    assert [job_id for job_id, _ in elsewhere().ids()] == [stored.id]
    new = make_store(vault.root.parent / "new")
    assert check_storage(new, deep=True) == []
    assert new.load(stored.id).folder.parent.name == "Pending"


def test_a_move_that_waits_for_a_program_is_not_taken_for_a_drag_after_a_restore(
    store: JobStore, vault: Vault, elsewhere: Callable[..., JobStore]
) -> None:
    """On Windows a folder cannot move while a slicer has a file of it open; here something has its name."""
    stored = make_job(store)
    in_the_way = store.layout.status(Status.PENDING) / stored.folder.name
    in_the_way.mkdir()
    (in_the_way / "something").touch()
    assert act(store, stored.id, "approve").move_pending
    with vault.open():
        create.back_up(store, vault, {})
    new = elsewhere()
    restored = new.load(stored.id)
    assert restored.move_pending and restored.asked_by_hand is None
    shutil.rmtree(new.layout.status(Status.PENDING) / stored.folder.name)
    assert new.load(stored.id).folder.parent.name == "Pending"


def start(command: str, folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    environment = {"PRINTSYS_STORAGE": str(folder / "storage"), "PRINTSYS_INSTANCE": str(folder / "instance")}
    code = (
        "import sys, argparse, importlib; m = importlib.import_module('printsys.commands.' + sys.argv[1]);"
        "p = argparse.ArgumentParser(); m.add_arguments(p); sys.exit(m.run(p.parse_args(sys.argv[2:])))"
    )
    return subprocess.Popen([sys.executable, "-c", code, command, *arguments], cwd=ROOT, env=os.environ | environment)


def kill_when(process: subprocess.Popen[bytes], condition: Callable[[], bool]) -> None:
    until(lambda: condition() or process.poll() is not None)
    assert process.poll() is None, "it was to be killed in the middle"
    process.kill()
    process.wait()


@pytest.fixture
def many(store: JobStore) -> list[Stored]:
    return [make_job(store, files=[("a.stl", os.urandom(400_000))]) for _ in range(60)]


def has_grown(vault: Vault, count: int) -> bool:
    return contents(vault) >= count


def contents(vault: Vault) -> int:
    return sum(1 for _ in vault.content.glob("??/*"))


def test_a_backup_that_is_killed_goes_on_and_spoils_no_earlier_one(
    many: list[Stored], store: JobStore, manage: Manage, vault: Vault, elsewhere: Callable[..., JobStore]
) -> None:
    first = manage("backup", str(vault.root), "--json").json["name"]
    for stored in many:
        act(store, stored.id, "approve")
    age(store.layout.root)
    count_before = contents(vault)
    for count in (20, 40):
        process = start("backup", manage.folder, str(vault.root))
        kill_when(process, partial(has_grown, vault, count_before + count))
        assert vault.names() == [first] and vault.journal.exists()
        assert manage("restore", str(vault.root), "--verify").out == f"Backup {first} is whole.\n"
    before = contents(vault)
    assert manage("backup", str(vault.root), "--json").json["jobs"] == len(many)
    assert contents(vault) - before <= 2 * len(many) - 40, "what the killed ones had copied is not copied again"
    assert list(vault.content.glob("*.new")) == [] and not vault.journal.exists()
    new = elsewhere()
    assert check_storage(new, deep=True) == []
    assert {new.load(stored.id).job.status for stored in many} == {Status.PENDING}


def test_a_restore_that_is_killed_goes_on_and_is_offline_until_it_is_done(
    many: list[Stored], manage: Manage, vault: Vault, elsewhere: Callable[..., JobStore]
) -> None:
    manage("backup", str(vault.root))
    folder = manage.folder / "new"
    root = folder / "storage"
    process = start("restore", folder, str(vault.root))
    kill_when(process, lambda: (root / "Uploaded").is_dir() and len(os.listdir(root / "Uploaded")) > 20)
    with pytest.raises(StorageOffline):
        list(make_store(folder).load(many[0].id).events)
    new = elsewhere()
    assert check_storage(new, deep=True) == []
    assert {job_id for job_id, _ in new.ids()} == {stored.id for stored in many}
    assert not (root / ".printsys" / "restoring.json").exists()


# -- what cannot be -----------------------------------------------------------------------------------------------


def test_a_restore_writes_over_nothing(jobs: list[Stored], store: JobStore, manage: Manage, vault: Vault) -> None:
    manage("backup", str(vault.root))
    before = everything(store.layout.root)
    with pytest.raises(BackupRefused, match="is not empty"):
        manage("restore", str(vault.root))
    assert everything(store.layout.root) == before


def test_a_storage_that_was_only_started_may_be_filled(
    jobs: list[Stored], manage: Manage, vault: Vault, elsewhere: Callable[..., JobStore]
) -> None:
    manage("backup", str(vault.root))
    make_store(manage.folder / "new")
    (manage.folder / "new" / "storage" / ".gitkeep").touch()
    assert len(list(elsewhere().ids())) == len(jobs)


def test_a_damaged_backup_is_found_out_before_anything_is_written(
    jobs: list[Stored], manage: Manage, vault: Vault, store: JobStore, elsewhere: Callable[..., JobStore]
) -> None:
    manage("backup", str(vault.root))
    victim = next(path for path in vault.content.glob("??/*") if path.stat().st_size == 5000)
    victim.chmod(0o600)
    victim.write_bytes(b"x" * 5000)
    assert manage("restore", str(vault.root), "--verify").code == 1
    manage.use(manage.folder / "new")
    with pytest.raises(BackupDamaged, match="Nothing was written"):
        manage("restore", str(vault.root))
    assert not (manage.folder / "new" / "storage").exists()
    restore = manage("restore", str(vault.root), "--without-damaged", "--json")
    assert restore.code == 1 and len(restore.json["damaged"]) == 2, "the original and the working copy of one job"
    manage.use(manage.folder)
    assert len(manage("backup", str(vault.root), "--verify", "--json").json["were_damaged"]) == 1
    assert manage("restore", str(vault.root), "--verify").code == 0


@pytest.mark.parametrize(
    "ruin", [lambda data: data[:-2], lambda data: data.replace(b"Uploaded", b"uploaded"), lambda d: b""]
)
def test_a_list_that_was_changed_is_not_believed(
    jobs: list[Stored], manage: Manage, vault: Vault, ruin: Callable[[bytes], bytes]
) -> None:
    name = manage("backup", str(vault.root), "--json").json["name"]
    path = vault.snapshots / f"{name}.jsonl"
    path.write_bytes(ruin(path.read_bytes()))
    with pytest.raises(BackupDamaged, match="is damaged"):
        manage("restore", str(vault.root), "--verify")


@pytest.mark.parametrize("name", ["../outside.txt", "/tmp/outside.txt", "Uploaded/../../outside.txt"])
def test_a_forged_backup_writes_nothing_outside_of_storage(
    jobs: list[Stored], store: JobStore, manage: Manage, vault: Vault, name: str
) -> None:
    manage("backup", str(vault.root))
    unit = next(unit for unit in vault.snapshot().units if unit.kind == "job")
    forged = Unit("job", unit.id, unit.relative_path, {name: next(iter(unit.files.values()))})
    vault.publish([forged.to_line()], store.clock())
    forged_name = next(name for name in vault.names() if len(vault.snapshot(name).units) == 1)
    manage.use(manage.folder / "new")
    with pytest.raises(BackupDamaged, match="no place in a storage"):
        manage("restore", str(vault.root), "--backup", forged_name)
    assert not (manage.folder / "new" / "storage").exists()


def test_a_folder_with_other_things_is_no_backup(jobs: list[Stored], manage: Manage, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").touch()
    for command in ("backup", "restore"):
        with pytest.raises(BackupRefused):
            manage(command, str(tmp_path / "photos"))
    assert os.listdir(tmp_path / "photos") == ["cat.jpg"]


@pytest.mark.parametrize("relative_path", ["storage/backup", "storage", "."])
def test_a_backup_does_not_lie_in_what_it_is_a_backup_of(
    jobs: list[Stored], manage: Manage, relative_path: str
) -> None:
    with pytest.raises(BackupRefused, match="lie in each other"):
        manage("backup", str(manage.folder / relative_path))


def test_the_labs_disk_that_is_unplugged_is_no_empty_folder(
    jobs: list[Stored], manage: Manage, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRINTSYS_BACKUP", str(vault.root))
    manage("backup")
    vault.root.rename(vault.root.with_name("unplugged"))
    vault.root.mkdir()
    with pytest.raises(BackupFailed, match="Is its disk connected"):
        manage("backup")
    assert list(vault.root.iterdir()) == []
    assert b"Is its disk connected?" in (manage.folder / "instance" / "backups.json").read_bytes(), "and it is in there"


def test_two_backups_at_once_are_refused(jobs: list[Stored], manage: Manage, vault: Vault) -> None:
    manage("backup", str(vault.root))
    with FileLock(vault.root / "lock"), pytest.raises(BackupRefused, match="under way"):
        manage("backup", str(vault.root))


def test_a_restore_under_a_running_system_is_refused(jobs: list[Stored], manage: Manage, vault: Vault) -> None:
    manage("backup", str(vault.root))
    manage.use(manage.folder / "new")
    (manage.folder / "new" / "instance").mkdir(parents=True)
    with FileLock(manage.folder / "new" / "instance" / "run.lock"), pytest.raises(PrintSysError, match="is running"):
        manage("restore", str(vault.root))


def test_a_full_backup_disk_is_said_and_the_next_backup_goes_on(
    jobs: list[Stored], manage: Manage, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as full:
        sync, calls = os.fsync, iter(range(100))

        def refuse(descriptor: int) -> None:
            if next(calls) > 12:
                raise OSError(28, "No space left on device")
            sync(descriptor)

        full.setattr("printsys.backup.vault.os.fsync", refuse)
        with pytest.raises(BackupFailed, match="No space left"):
            manage("backup", str(vault.root))
    assert vault.names() == [] and list(vault.content.glob("*.new")) == []
    assert manage("backup", str(vault.root)).code == 0
    assert manage("restore", str(vault.root), "--verify").code == 0


def test_a_storage_that_can_only_be_read_can_still_be_saved(
    jobs: list[Stored], store: JobStore, manage: Manage, elsewhere: Callable[..., JobStore]
) -> None:
    shutil.rmtree(store.layout.locks)
    store.layout.locks.touch()  # every lock is refused
    assert manage("backup", str(manage.folder / "backup"), "--json").json["jobs"] == len(jobs)
    assert check_storage(elsewhere(), deep=True) == []


def test_links_are_not_followed(jobs: list[Stored], manage: Manage, vault: Vault, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"a secret of this machine")
    link(jobs[0].folder / "link.stl", tmp_path / "secret")
    manage("backup", str(vault.root))
    assert b"a secret of this machine" not in {path.read_bytes() for path in vault.content.glob("??/*")}


# -- what lies beside storage -------------------------------------------------------------------------------------


def test_the_labs_own_words_come_back_and_nothing_of_this_machine_is_lost(
    jobs: list[Stored], manage: Manage, elsewhere: Callable[..., JobStore], tmp_path: Path
) -> None:
    (tmp_path / "mail-templates").mkdir()
    (tmp_path / "mail-templates" / "approved.txt").write_text("Dear student", "utf-8")
    lab_toml = (tmp_path / "lab.toml").read_bytes().replace(b'logo = ""', b'logo = "printlab.png"')
    (tmp_path / "lab.toml").write_bytes(lab_toml)
    (tmp_path / "printlab.png").write_bytes(b"a picture")
    manage("backup", str(tmp_path / "backup"))
    shutil.rmtree(tmp_path / "mail-templates")
    (tmp_path / "printlab.png").unlink()
    (tmp_path / "lab.toml").write_bytes(lab_toml + b"# newer\n")
    elsewhere()
    assert (tmp_path / "lab.toml").read_bytes() == lab_toml
    assert (tmp_path / "lab.toml.before-restore").read_bytes() == lab_toml + b"# newer\n"
    assert (tmp_path / "mail-templates" / "approved.txt").read_text("utf-8") == "Dear student"
    assert (tmp_path / "printlab.png").read_bytes() == b"a picture"


@pytest.mark.parametrize("tail", ["../x", "/etc/x", "a/../../x", "..\\x", "C:x", "C:/x"])
def test_a_template_in_a_backup_leads_out_of_no_folder(tail: str, tmp_path: Path) -> None:
    assert _in_a_folder(f"mail-templates/{tail}", {"mail-templates/": tmp_path}) is None
    assert _in_a_folder("mail-templates/de/approved.txt", {"mail-templates/": tmp_path}) == tmp_path / "de/approved.txt"


def test_nothing_but_a_picture_is_written_beside_lab_toml(tmp_path: Path) -> None:
    """Somebody may be able to write into the backup, and the program lies there, too."""
    settings = Settings(
        storage=tmp_path / "storage",
        instance=tmp_path / "instance",
        lab_config=tmp_path / "lab.toml",
        secret_key="x" * 32,
    )
    names = ["lab.toml", "logo/a.PNG", "logo/manage.py", "logo/../a.png", "logo/x/a.png", "logo/C:a.png", "logo/.png"]
    assert lab_files.logo_targets(settings, names) == {"logo/a.PNG": tmp_path / "a.PNG"}


def test_secrets_are_copied_only_when_asked_for(
    jobs: list[Stored], manage: Manage, vault: Vault, elsewhere: Callable[..., JobStore]
) -> None:
    manage("backup", str(vault.root))
    key = (manage.folder / "instance" / "secret-key").read_bytes()
    assert key not in {path.read_bytes() for path in vault.content.glob("??/*")}
    manage("backup", str(vault.root), "--with-secrets")
    elsewhere("without")
    assert (manage.folder / "without" / "instance" / "secret-key").read_bytes() != key
    elsewhere("with", "--with-secrets")
    assert (manage.folder / "with" / "instance" / "secret-key").read_bytes() == key
    assert (manage.folder / "with" / "instance" / "secret-key").stat().st_mode & 0o077 == 0
    assert all(folder.stat().st_mode & 0o077 == 0 for folder in (vault.root, vault.content, vault.snapshots))


def test_the_restore_says_what_it_did(jobs: list[Stored], manage: Manage, vault: Vault) -> None:
    name = manage("backup", str(vault.root), "--json").json["name"]
    manage.use(manage.folder / "new")
    restore = manage("restore", str(vault.root), "--json")
    assert (restore.json["name"], restore.json["jobs"], restore.json["damaged"]) == (name, len(jobs), [])
    assert json.loads(restore.out)["written"] == []
