"""The restore.py that lies beside the backups restores them as the system does, and needs nothing of it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from printsys.backup.vault import RESTORER, RESTORER_SOURCE, Unit, Vault
from printsys.jobstore import JobStore, Stored
from tests.backup.conftest import kept_files
from tests.factories import act
from tests.indexer.test_check import everything
from tests.manage import Manage
from tests.openness.reader import foreign_imports, run_alone, verify

Restore = Callable[..., "subprocess.CompletedProcess[bytes]"]


@pytest.fixture
def backup(manage: Manage, vault: Vault, jobs: list[Stored]) -> str:
    """The name of a backup of `jobs`."""
    name: str = manage("backup", str(vault.root), "--json").json["name"]
    return name


@pytest.fixture
def restore(vault: Vault) -> Restore:
    """The copy in the vault, in an empty folder, without this system."""
    return lambda *arguments: run_alone(vault.root / RESTORER, *arguments)


def damage(vault: Vault, size: int = 5000) -> Path:
    """Other bytes, of the same length, in a content of `size` bytes."""
    victim = next(path for path in vault.content.glob("??/*") if path.stat().st_size == size)
    victim.chmod(0o600)
    victim.write_bytes(b"x" * size)
    return victim


def test_it_imports_nothing_but_the_standard_library() -> None:
    assert foreign_imports(RESTORER_SOURCE) == set()


def test_each_backup_keeps_it_up_to_date(backup: str, manage: Manage, vault: Vault) -> None:
    restorer = vault.root / RESTORER
    assert restorer.read_bytes() == RESTORER_SOURCE.read_bytes()
    os.utime(restorer, (0, 0))
    manage("backup", str(vault.root))
    assert restorer.stat().st_mtime == 0, "what is as it should be is left alone"
    restorer.write_text("print('of an older version')", "utf-8")
    manage("backup", str(vault.root))
    assert restorer.read_bytes() == RESTORER_SOURCE.read_bytes()
    assert manage("restore", str(vault.root), "--verify").code == 0


# -- as `manage.py restore` does it ---------------------------------------------------------------------------------


def test_it_restores_the_very_bytes_times_and_rights_that_the_system_restores(
    backup: str, manage: Manage, vault: Vault, restore: Restore, tmp_path: Path, store: JobStore
) -> None:
    done = restore("--to", tmp_path / "alone")
    assert done.returncode == 0, done.stderr
    manage.use(tmp_path / "by the system")
    assert manage("restore", str(vault.root)).code == 0
    alone, by_the_system = tmp_path / "alone" / "storage", tmp_path / "by the system" / "storage"
    assert kept_files(alone) == kept_files(by_the_system) == kept_files(store.layout.root)
    storage_id = Path(".printsys") / "storage-id"
    assert (alone / storage_id).read_bytes() == (by_the_system / storage_id).read_bytes()
    assert (tmp_path / "alone" / "lab" / "lab.toml").read_bytes() == (tmp_path / "lab.toml").read_bytes()
    assert verify(alone).code == 0


def test_an_earlier_backup_can_be_restored(
    backup: str, jobs: list[Stored], store: JobStore, manage: Manage, vault: Vault, restore: Restore, tmp_path: Path
) -> None:
    before = kept_files(store.layout.root)
    act(store, jobs[0].id, "approve")
    later = manage("backup", str(vault.root), "--json").json["name"]
    lines = restore("--list").stdout.decode().splitlines()
    assert [line.split()[0] for line in lines] == [backup, later]
    assert restore("--at", backup, "--to", tmp_path / "then").returncode == 0
    assert kept_files(tmp_path / "then" / "storage") == before
    assert restore("--to", tmp_path / "now").returncode == 0
    assert kept_files(tmp_path / "now" / "storage") == kept_files(store.layout.root)


def test_one_job_is_restored_alone(backup: str, jobs: list[Stored], restore: Restore, tmp_path: Path) -> None:
    job = jobs[3]
    assert restore("--job", job.id.upper(), "--to", tmp_path / "alone").returncode == 0
    assert os.listdir(tmp_path / "alone") == [job.folder.name]
    assert everything(tmp_path / "alone" / job.folder.name).keys() == everything(job.folder).keys()
    assert kept_files(tmp_path / "alone" / job.folder.name) == kept_files(job.folder)
    assert restore("--job", jobs[4].id, "--to", tmp_path / "alone").returncode == 0, "another one beside it"


def test_a_deleted_job_is_restored_from_the_trash(
    backup: str, store: JobStore, restore: Restore, tmp_path: Path
) -> None:
    (folder,) = store.layout.trash.iterdir()
    assert restore("--job", folder.name[-8:], "--to", tmp_path / "alone").returncode == 0
    assert kept_files(tmp_path / "alone" / folder.name) == kept_files(folder)


def test_secrets_are_restored_only_when_asked_for(
    jobs: list[Stored], manage: Manage, vault: Vault, restore: Restore, tmp_path: Path
) -> None:
    manage("backup", str(vault.root), "--with-secrets")
    assert restore("--to", tmp_path / "without").returncode == 0
    assert not (tmp_path / "without" / "secrets").exists()
    assert restore("--to", tmp_path / "with", "--with-secrets").returncode == 0
    key = tmp_path / "with" / "secrets" / "secret-key"
    assert key.read_bytes() == (manage.folder / "instance" / "secret-key").read_bytes()
    assert key.stat().st_mode & 0o077 == 0


# -- what it refuses ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["all", "a job"])
def test_it_writes_over_nothing(
    what: str, backup: str, jobs: list[Stored], store: JobStore, restore: Restore, tmp_path: Path
) -> None:
    to, arguments = (tmp_path, []) if what == "all" else (jobs[0].folder.parent, ["--job", jobs[0].id])
    before = everything(store.layout.root)
    done = restore("--to", to, *arguments)
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"is there already" in done.stderr
    assert everything(store.layout.root) == before


def test_damaged_files_are_left_out_and_named(
    backup: str, vault: Vault, store: JobStore, restore: Restore, tmp_path: Path
) -> None:
    damage(vault)
    assert restore("--verify").returncode == 1
    done = restore("--to", tmp_path / "alone")
    assert done.returncode == 1
    names = [line.split(" is damaged")[0] for line in done.stdout.decode().splitlines() if "is damaged in" in line]
    assert len(names) == 2, "the original and the working copy of one job"
    all_files, restored = kept_files(store.layout.root), kept_files(tmp_path / "alone" / "storage")
    assert {f"storage/{name}" for name in all_files.keys() - restored.keys()} == set(names)
    assert restored.items() <= all_files.items()
    kinds = verify(tmp_path / "alone" / "storage").kinds
    assert {"original-missing"} <= set(kinds) <= {"original-missing", "file-missing", "print-file-missing"}


@pytest.mark.skipif(os.name == "nt", reason="no such files there")
@pytest.mark.parametrize(
    "replace", [lambda path: path.unlink(), lambda path: os.truncate(path, 10), lambda path: replace_by_fifo(path)]
)
def test_a_content_that_is_gone_or_cut_or_strange_is_damage(
    replace: Callable[[Path], object], backup: str, vault: Vault, restore: Restore, tmp_path: Path
) -> None:
    replace(damage(vault))
    assert restore("--verify").returncode == 1
    assert restore("--to", tmp_path / "alone").returncode == 1


def replace_by_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize(
    "ruin",
    [lambda data: data[:-2], lambda data: data.replace(b"Uploaded", b"x"), lambda data: b"", lambda data: b"[]"],
)
def test_a_list_that_was_changed_is_not_believed(
    ruin: Callable[[bytes], bytes], backup: str, vault: Vault, restore: Restore, tmp_path: Path
) -> None:
    path = vault.snapshots / f"{backup}.jsonl"
    path.write_bytes(ruin(path.read_bytes()))
    done = restore("--to", tmp_path / "alone")
    assert (done.returncode, (tmp_path / "alone").exists()) == (2, False)
    assert b"is damaged" in done.stderr
    assert restore("--list").returncode == 0


@pytest.mark.parametrize("name", ["../outside.txt", "/tmp/outside.txt", "Uploaded/../../outside.txt", "a\0b", ""])
def test_a_forged_backup_writes_nothing_outside(
    name: str, backup: str, store: JobStore, vault: Vault, restore: Restore, tmp_path: Path
) -> None:
    unit = next(unit for unit in vault.snapshot().units if unit.kind == "job")
    forged = Unit("job", unit.id, unit.relative_path, {name: next(iter(unit.files.values()))})
    forged_name = vault.publish([forged.to_line()], store.clock())
    done = restore("--at", forged_name, "--to", tmp_path / "alone")
    assert (done.returncode, (tmp_path / "alone").exists()) == (2, False)
    assert b"Nothing was written" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--to", "x", "--job", "00000000"], b"There is no job 00000000"),
        (["--to", "x", "--at", "yesterday"], b"There is no backup yesterday"),
        (["--to", "x", "--from", "/nowhere"], b"There is no backup in /nowhere"),
        ([], b"please say"),
    ],
)
def test_what_is_not_there_is_refused(arguments: list[str], sentence: bytes, backup: str, restore: Restore) -> None:
    done = restore(*arguments)
    assert done.returncode == 2 and sentence in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="a process cannot be given a small disk there")
def test_a_full_disk_leaves_no_half_file(backup: str, vault: Vault, tmp_path: Path) -> None:
    import resource

    done = subprocess.run(
        [sys.executable, "-I", "-S", vault.root / RESTORER, "--to", tmp_path / "alone"],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000)),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 2 and b"cannot be written" in done.stderr
    assert all(path.stat().st_size <= 4000 for path in (tmp_path / "alone").rglob("*") if path.is_file())
    assert not (tmp_path / "alone" / "storage" / ".printsys" / "storage-id").exists(), "it does not pass for whole"
