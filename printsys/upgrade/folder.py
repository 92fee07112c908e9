"""A program that comes as a folder or a zip file: exchanged entry by entry, each by a rename."""

from __future__ import annotations

import os
import shutil
import zipfile
import zlib
from pathlib import Path

from printsys.upgrade.state import Plan, UpgradeFailed, Workplace

KEPT = frozenset({".git", ".venv", ".venv-setup", ".env", ".upgrade", "instance", "storage", "lab.toml"})
"""The lab's own, whatever the new folder has of it."""
UNREADABLE = (OSError, shutil.Error, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError)
"""A zip file that is broken, encrypted, or packed in a way that Python does not know."""


def unpack(source: Path, place: Workplace) -> list[str]:
    """Copies the program into `place.new`; its entries. UpgradeFailed where it is none."""
    shutil.rmtree(place.new, ignore_errors=True)
    try:
        if source.is_dir():
            shutil.copytree(_program_in(source), place.new, ignore=shutil.ignore_patterns(*KEPT, "__pycache__"))
        else:
            raw = place.folder / "unpacked"
            shutil.rmtree(raw, ignore_errors=True)
            with zipfile.ZipFile(source) as archive:
                archive.extractall(raw)
            os.rename(_program_in(raw), place.new)
            shutil.rmtree(raw, ignore_errors=True)
    except UNREADABLE as error:
        raise UpgradeFailed(f"{source} cannot be read as a folder or a zip file: {error}") from error
    return sorted(name for name in os.listdir(place.new) if name not in KEPT)


def _program_in(folder: Path) -> Path:
    """The folder itself, or the only one in it, as zip files from the web have it."""
    candidates = [folder, *(path for path in folder.iterdir() if path.is_dir())]
    for candidate in candidates:
        if (candidate / "manage.py").is_file() and (candidate / "printsys").is_dir():
            return candidate
    raise UpgradeFailed(f"{folder} holds no such program: there is no manage.py with a folder printsys.")


class Folder:
    def __init__(self, root: Path) -> None:
        self.root = root

    def switch(self, plan: Plan, place: Workplace) -> None:
        place.before.mkdir(exist_ok=True)
        for name in plan.names:
            if os.path.lexists(self.root / name):
                os.rename(self.root / name, place.before / name)
            os.rename(place.new / name, self.root / name)

    def restore(self, plan: Plan, place: Workplace) -> None:
        """From anywhere in the middle: an entry that is not in `new` any more stands in its place."""
        for name in plan.names:
            is_in_place = not os.path.lexists(place.new / name)
            if is_in_place and os.path.lexists(self.root / name):
                os.rename(self.root / name, place.new / name)
            if os.path.lexists(place.before / name):
                os.rename(place.before / name, self.root / name)
