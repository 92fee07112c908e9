"""What an upgrade is about and how far it is, in `.upgrade/` beside manage.py."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

FOLDER = ".upgrade"
STATE = "state.json"
"""There while an upgrade is under way. manage.py knows both names, too: a program that one upgrades from or to reads
what another version wrote."""
PINS = ("requirements.txt", "requirements-dev.txt")


class UpgradeFailed(Exception):
    """In a plain sentence."""


@dataclass(frozen=True)
class Plan:
    """`old` and `new`: commits, where `is_git`. `names`: what a folder brings, at its top. `title`: the new version's
    name. `was_running`: as a service. `findings`: of `check`, before. `pins`, `migrations`: of the old program.
    `has_migrated`: the database may be the new program's. `is_back`: the old program is here again."""

    is_git: bool
    title: str
    old: str = ""
    new: str = ""
    names: list[str] = field(default_factory=list)
    was_running: bool = False
    accepts_findings: bool = False
    findings: list[str] | None = None
    pins: str = ""
    migrations: list[str] = field(default_factory=list)
    has_migrated: bool = False
    is_back: bool = False
    stage: str = "prepared"

    def about(self, was_running: bool, accepts_findings: bool, pins: str, migrations: list[str]) -> Plan:
        """With what is here before."""
        return replace(
            self, was_running=was_running, accepts_findings=accepts_findings, pins=pins, migrations=migrations
        )


class Workplace:
    """`.upgrade/` of the program in `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / FOLDER
        self.state = self.folder / STATE
        self.old_venv = self.folder / "venv"
        self.useless_venv = self.folder / "venv-useless"
        self.before = self.folder / "before"
        self.new = self.folder / "new"
        self.lab_toml = self.folder / "lab.toml"
        self.engine = self.folder / "engine"
        self.log = self.folder / "upgrade.log"

    def read(self) -> Plan | None:
        try:
            return Plan(**json.loads(self.state.read_text("utf-8")))
        except FileNotFoundError:
            return None

    def write(self, plan: Plan) -> None:
        """Whole or not at all, and on the disk."""
        draft = self.state.with_suffix(".draft")
        with draft.open("w", encoding="utf-8") as file:
            json.dump(asdict(plan), file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, self.state)

    def at(self, plan: Plan, stage: str) -> Plan:
        plan = replace(plan, stage=stage)
        self.write(plan)
        return plan

    def clear(self) -> None:
        """The state goes first: what is left without it means nothing."""
        self.state.unlink(missing_ok=True)
        for folder in (self.old_venv, self.useless_venv, self.before, self.new, self.engine):
            shutil.rmtree(folder, ignore_errors=True)
        self.lab_toml.unlink(missing_ok=True)

    @contextlib.contextmanager
    def only_one(self) -> Iterator[int]:
        """Yields the lock's descriptor: a child that inherits it keeps others out even when somebody kills this
        process. UpgradeFailed where another upgrade runs."""
        self.folder.mkdir(exist_ok=True)
        descriptor = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o666)
        try:
            _lock(descriptor)
            yield descriptor
        finally:
            os.close(descriptor)


def pins(root: Path) -> str:
    """Changes with what `.venv` has to have."""
    contents = [(root / name).read_bytes() for name in PINS if (root / name).exists()]
    return hashlib.sha256(b"\0".join(contents)).hexdigest()


def migrations(root: Path) -> list[str]:
    return sorted(path.name for path in (root / "indexer" / "migrations" / "versions").glob("*.py"))


def _lock(descriptor: int) -> None:
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise UpgradeFailed("Another upgrade is running here. Wait until it has ended.") from error
