"""storage-id: the proof that the folder at the storage path is the lab's storage, and not an empty mount point."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

from printsys import fs
from printsys.domain.status import Status
from printsys.errors import ConfigError, StorageFailure, StorageOffline
from printsys.jobstore.layout import SYSTEM, Layout
from printsys.jobstore.refusals import reason_of


def recognise(root: Path, remembered_at: Path) -> str:
    """The storage-id that this machine goes by; `remembered_at` is the file of instance/ that remembers it.

    The first start on an empty storage makes the id; a machine that starts later learns it from the storage. Once it
    is remembered it is never learned again: a storage without it is offline, not new.
    """
    remembered = fs.read_if_there(remembered_at)
    if remembered:
        return remembered.decode("ascii").strip()
    layout = Layout(root)
    storage_id = _read_or_make_id(layout)
    fs.replace(remembered_at, storage_id.encode() + b"\n")
    return storage_id


def require_online(layout: Layout, expected_id: str) -> None:
    """StorageOffline unless the storage folder carries the id that this machine remembers."""
    try:
        storage_id = fs.read(layout.storage_id).decode("ascii", "replace").strip()
    except OSError as error:
        raise StorageOffline(
            f"The storage folder {layout.root} is not there (or is not the lab's: {error.strerror}). "
            "Nothing is lost; everything goes on when it is back."
        ) from error
    if storage_id != expected_id:
        raise StorageOffline(
            f"{layout.root} is not the storage folder that this computer knows. "
            "Nothing was changed; please mount the right one."
        )


def require_storage(root: Path, remembered_at: Path) -> None:
    """StorageOffline where there is no storage yet: a command that reads or tidies must not set one up."""
    if not remembered_at.exists() and not Layout(root).storage_id.exists():
        raise StorageOffline(f"There is no storage in {root} yet.")


def _read_or_make_id(layout: Layout) -> str:
    try:
        existing = fs.read_if_there(layout.storage_id)
        if existing:
            return existing.decode("ascii", "replace").strip()
        # A folder full of other things is more likely a wrong path than a new storage.
        names = (
            {name for name in os.listdir(layout.root) if not name.startswith(".")} if layout.root.exists() else set()
        )
        if names and not names & {SYSTEM, *Status}:
            raise ConfigError(
                [f"PRINTSYS_STORAGE: {layout.root} holds other things ({min(names)} …) and is not a storage folder."]
            )
        layout.system.mkdir(parents=True, exist_ok=True)
        layout.make()
        storage_id = uuid.uuid4().hex
        try:
            fs.write_new(layout.storage_id, storage_id.encode() + b"\n")
        except FileExistsError:  # another computer was first
            return fs.read(layout.storage_id).decode("ascii").strip()
        fs.sync_folder(layout.system)
        return storage_id
    except OSError as error:
        raise StorageFailure(f"The storage folder {layout.root} cannot be set up: {reason_of(error)}.") from error
