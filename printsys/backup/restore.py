"""Putting a backup back: everything is verified first, then written; the storage's id comes last.

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
from printsys.backup.vault import BackupDamaged, BackupRefused, Kept, Snapshot, Unit, Vault
from printsys.domain import naming
from printsys.errors import StorageFailure
from printsys.jobstore import Layout
from printsys.jobstore.layout import SYSTEM

OF_STORAGE = ("job", "storage")
FRESH = (".gitkeep", f"{SYSTEM}/storage-id")
"""What a storage may hold that is to be filled: no more than a first start makes."""
Progress = Callable[[int, int], None]


@dataclass
class Restored:
    """`damaged`: files that the backup does not have any more as they were; they are left out."""

    name: str
    made_at: str
    jobs: int = 0
    files: int = 0
    damaged: list[str] = field(default_factory=list)


def verify(vault: Vault, snapshot: Snapshot, progress: Progress | None = None) -> list[str]:
    """Read all that the backup needs; the names of the files that are damaged or gone."""
    contents = snapshot.contents()
    bad = set()
    for done, (sha256, size) in enumerate(contents.items(), 1):
        if not vault.is_whole(sha256, size):
            bad.add(sha256)
        if progress:
            progress(done, len(contents))
    return sorted(name for unit in snapshot.units for name, kept in unit.files.items() if kept.sha256 in bad)


def put_back(
    vault: Vault,
    snapshot: Snapshot,
    root: Path,
    remembered_at: Path,
    damaged: list[str],
    progress: Progress | None = None,
) -> Restored:
    """All of storage/, with times and rights. `remembered_at`: where this machine remembers which storage is the lab's.

    BackupRefused where there is anything in `root`; BackupDamaged; StorageFailure (the same call goes on later).
    """
    units = [unit for unit in snapshot.units if unit.kind in OF_STORAGE]
    places = dict(_places(units, set(damaged)))
    layout = Layout(root)
    _require_empty(layout, snapshot.name)
    own = places.pop(layout.relative(layout.storage_id), None)
    storage_id = fs.read(vault.path(own.sha256)) if own else uuid.uuid4().hex.encode() + b"\n"
    try:
        _begin(layout, snapshot.name)
        fs.replace(remembered_at, storage_id)
        for done, (name, kept) in enumerate(places.items(), 1):
            _write(vault, kept, root / name)
            if progress:
                progress(done, len(places))
        fs.replace(layout.storage_id, storage_id)
        _marker(layout).unlink()
    except OSError as error:
        raise StorageFailure(f"The storage refused ({error.strerror}). Please call this again: it goes on.") from error
    jobs = sum(unit.kind == "job" for unit in units)
    return Restored(snapshot.name, snapshot.made_at, jobs, len(places), damaged)


def _places(units: list[Unit], damaged: set[str]) -> Iterator[tuple[str, Kept]]:
    for unit in units:
        for name, kept in unit.files.items():
            parts = PurePosixPath(name).parts
            if PurePosixPath(name).is_absolute() or ".." in parts or ("\\" in name and os.name == "nt") or not parts:
                raise BackupDamaged(f"The backup names {name!r}, which is no place in a storage. Nothing was written.")
            if name not in damaged:
                yield name, kept


def _marker(layout: Layout) -> Path:
    return layout.system / "restoring.json"


def _require_empty(layout: Layout, name: str) -> None:
    """BackupRefused unless there is nothing to lose; what an earlier call of this restore wrote may be replaced."""
    begun = fs.read_if_there(_marker(layout))
    if begun is not None and json.loads(begun or b"{}").get("backup") == name:
        return
    locks = layout.relative(layout.locks) + "/"
    found = (path for path in layout.root.rglob("*") if path.is_symlink() or not path.is_dir())
    other = next((n for path in found if (n := layout.relative(path)) not in FRESH and not n.startswith(locks)), None)
    if other is not None:
        raise BackupRefused(
            f"{layout.root} is not empty: there is {other}. Nothing was written. "
            "Please restore into an empty folder (--storage names another)."
        )


def _begin(layout: Layout, name: str) -> None:
    layout.make()
    fs.replace(_marker(layout), json.dumps({"backup": name}).encode())
    layout.storage_id.unlink(missing_ok=True)
    fs.sync_folder(layout.system)


def _write(vault: Vault, kept: Kept, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if os.name == "nt" and target.exists():
        target.chmod(0o600)  # a read-only file is not removed there
    target.unlink(missing_ok=True)
    fs.copy(vault.path(kept.sha256), target)
    os.utime(target, ns=(kept.mtime_ns, kept.mtime_ns))
    target.chmod(kept.mode)


def put_beside(vault: Vault, snapshot: Snapshot, kind: str, targets: dict[str, Path], damaged: list[str]) -> list[Path]:
    """Put files outside of storage/ back, by their names; which were written. One that was there is kept beside it
    as `….before-restore`; one that is the same is left alone."""
    written = []
    files = {name: kept for unit in snapshot.units if unit.kind == kind for name, kept in unit.files.items()}
    for name, kept in files.items():
        target = targets.get(name) or _in_a_folder(name, targets)
        if target is None or name in damaged:
            continue
        data = fs.read(vault.path(kept.sha256))
        now = fs.read_if_there(target)
        if now == data:
            continue
        _replace(target, data, kept.mode)
        written.append(target)
    return written


def _replace(target: Path, data: bytes, mode: int) -> None:
    """A secret is never readable by others, not for a moment."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(target.name + ".restored")
    temporary.unlink(missing_ok=True)
    fs.write_new(temporary, data, mode)
    if target.exists():
        taken = {naming.comparable(entry.name) for entry in target.parent.iterdir()}
        shutil.copy2(target, target.with_name(naming.distinct(f"{target.name}.before-restore", taken)))
    os.replace(temporary, target)


def _in_a_folder(name: str, targets: dict[str, Path]) -> Path | None:
    """Of `mail-templates/approved.txt`, where `mail-templates/` is to be put."""
    folder, slash, rest = name.partition("/")
    into = targets.get(folder + slash)
    return into / rest if into is not None and slash and ".." not in PurePosixPath(rest).parts else None
