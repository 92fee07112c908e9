"""Restores a backup: it verifies everything first, then writes it; the storage's id comes last.

Until the id is there the storage is offline for every computer, so nobody takes half of it for the whole. Killed
anywhere, the same call goes on.
"""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from printsys import fs
from printsys.backup.vault import BackupDamaged, BackupRefused, CopiedFile, Snapshot, Unit, Vault
from printsys.domain import naming
from printsys.errors import StorageFailure
from printsys.jobstore import Layout
from printsys.jobstore.layout import EVENTS, SYSTEM
from printsys.jobstore.log import trusted
from printsys.jobstore.newest import note_newest

STORAGE_KINDS = ("job", "storage")
FRESH = (".gitkeep", f"{SYSTEM}/storage-id")
"""What a storage may hold before a restore: no more than a first start makes."""
Progress = Callable[[int, int], None]


@dataclass
class RestoreReport:
    """`damaged`: files that the backup no longer has as they were; the restore leaves them out."""

    name: str
    made_at: str
    jobs: int = 0
    files: int = 0
    damaged: list[str] = field(default_factory=list)


def verify(vault: Vault, snapshot: Snapshot, progress: Progress | None = None) -> list[str]:
    """Read all that the backup needs; returns the names of the files that are damaged or gone."""
    contents = snapshot.contents()
    damaged = set()
    for done, (sha256, size) in enumerate(contents.items(), 1):
        if not vault.is_whole(sha256, size):
            damaged.add(sha256)
        if progress:
            progress(done, len(contents))
    return sorted(name for unit in snapshot.units for name, file in unit.files.items() if file.sha256 in damaged)


def restore_storage(
    vault: Vault,
    snapshot: Snapshot,
    root: Path,
    remembered_at: Path,
    damaged: list[str],
    progress: Progress | None = None,
) -> RestoreReport:
    """Write all of storage/, with times and rights. This machine remembers at `remembered_at` which storage is the
    lab's.

    BackupRefused where there is anything in `root`; BackupDamaged; StorageFailure (the same call goes on later).
    """
    units = [unit for unit in snapshot.units if unit.kind in STORAGE_KINDS]
    files = {name: file for name, file in checked_files(units) if name not in damaged}
    layout = Layout(root)
    _require_empty(layout, snapshot.name)
    id_file = files.pop(layout.relative(layout.storage_id), None)
    storage_id = fs.read(vault.path(id_file.sha256)) if id_file else uuid.uuid4().hex.encode() + b"\n"
    try:
        layout.system.mkdir(parents=True, exist_ok=True)
        layout.make()
        fs.replace(_marker(layout), json.dumps({"backup": snapshot.name}).encode())
        fs.unlink(layout.storage_id)
        fs.sync_folder(layout.system)
        fs.replace(remembered_at, storage_id)
        for done, (name, file) in enumerate(files.items(), 1):
            os.stat(_marker(layout))  # a share that is gone leaves a folder that takes everything
            write_file(vault, file, root, name)
            if progress:
                progress(done, len(files))
        for unit in units:
            if unit.kind == "job":
                _note_newest(layout, unit)
        fs.replace(layout.storage_id, storage_id)
        fs.unlink(_marker(layout))
    except OSError as error:
        raise StorageFailure(f"The storage refused ({error.strerror}). Please call this again: it goes on.") from error
    jobs = sum(unit.kind == "job" for unit in units)
    return RestoreReport(snapshot.name, snapshot.made_at, jobs, len(files), damaged)


def checked_files(units: list[Unit]) -> Iterator[tuple[str, CopiedFile]]:
    """Every file by its path relative to storage/. BackupDamaged where a path leads out of it."""
    for unit in units:
        for name, file in unit.files.items():
            path = PurePosixPath(name)
            if path.is_absolute() or ".." in path.parts or ("\\" in name and os.name == "nt") or not path.parts:
                raise BackupDamaged(f"The backup names {name!r}, which is no place in a storage. Nothing was written.")
            yield name, file


def _note_newest(layout: Layout, unit: Unit) -> None:
    """What is older than a database or another computer remembers is so by decision, and nothing to raise."""
    log = fs.read_if_there(layout.root / unit.relative_path / EVENTS)
    if log is not None and naming.parse_id(unit.id) == unit.id:  # the note is named by it
        note_newest(layout, unit.id, trusted(log))


def _marker(layout: Layout) -> Path:
    return layout.system / "restoring.json"


def _require_empty(layout: Layout, name: str) -> None:
    """BackupRefused unless there is nothing to lose; what an earlier call of this restore wrote may be replaced."""
    marker = fs.read_if_there(_marker(layout))
    if marker is not None and json.loads(marker or b"{}").get("backup") == name:
        return
    locks = layout.relative(layout.locks) + "/"
    names = (layout.relative(path) for path in layout.root.rglob("*") if path.is_symlink() or not path.is_dir())
    foreign = next((name for name in names if name not in FRESH and not name.startswith(locks)), None)
    if foreign is not None:
        raise BackupRefused(
            f"{layout.root} is not empty: there is {foreign}. Nothing was written. "
            "Please restore into an empty folder (--storage names another)."
        )


def write_file(vault: Vault, file: CopiedFile, folder: Path, name: str) -> None:
    """As `name` in `folder`, with its time and rights. OSError. Where `folder` is gone, it makes none: that may be the
    empty place of a share."""
    target = folder / name
    for parent in reversed([target.parent, *target.parent.parents]):
        if folder in parent.parents:
            parent.mkdir(exist_ok=True)
    fs.unlink(target)
    fs.copy(vault.path(file.sha256), target)
    os.utime(target, ns=(file.mtime_ns, file.mtime_ns))
    target.chmod(file.mode)


def restore_outside_files(
    vault: Vault, snapshot: Snapshot, kind: str, targets: dict[str, Path], damaged: list[str]
) -> list[Path]:
    """Write files outside of storage/ by their names; returns those that it wrote. What it replaces stays beside it as
    `….before-restore`; it leaves a file with the same bytes alone."""
    written = []
    files = {name: file for unit in snapshot.units if unit.kind == kind for name, file in unit.files.items()}
    for name, file in files.items():
        target = targets.get(name) or _in_a_folder(name, targets)
        if target is None or name in damaged:
            continue
        data = fs.read(vault.path(file.sha256))
        if fs.read_if_there(target) == data:
            continue
        _replace(target, data, file.mode)
        written.append(target)
    return written


def _replace(target: Path, data: bytes, mode: int) -> None:
    """A secret is never readable by others, not for a moment."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(target.name + ".restored")
    fs.unlink(temporary)
    fs.write_new(temporary, data, mode)
    if target.exists():
        taken_names = {naming.comparable(entry.name) for entry in target.parent.iterdir()}
        shutil.copy2(target, target.with_name(naming.distinct(f"{target.name}.before-restore", taken_names)))
    fs.rename_over(temporary, target)


def _in_a_folder(name: str, targets: dict[str, Path]) -> Path | None:
    """Where `mail-templates/approved.txt` belongs: in the target of `mail-templates/`."""
    first, slash, tail = name.partition("/")
    folder, path = targets.get(first + slash), PurePosixPath(tail)
    leads_out = path.is_absolute() or ".." in path.parts or "\\" in tail or ":" in tail
    return folder / tail if folder is not None and slash and not leads_out else None
