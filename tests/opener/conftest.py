"""A storage with one job, and a desktop that notes what it would start and show."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from opener import config
from opener.dialogs import SlicerChoice
from opener.opening import Desktop
from opener.paths import OpenerPaths
from opener.slicer_search import HostSystem

JOB = "k7m29xq4"
FOLDER = f"JaneDoe_Filament_TrueRed_{JOB}"
STORAGE_ID = "0123456789abcdef"


def url(file: str = f"{FOLDER}.stl", job: str = JOB) -> str:
    return f"3dprint://open?job={job}&file={file}"


def make_job(
    storage: Path, status: str, folder: str = FOLDER, id_: str = JOB, method: str = "Filament", printer: str = ""
) -> Path:
    job = storage / status / folder
    (job / "original").mkdir(parents=True)
    (job / f"{folder}.stl").write_bytes(b"solid")
    (job / "original" / "bracket v2.stl").write_bytes(b"solid")
    record = {"id": id_, "request": {"method": method, "printer": printer}}
    (job / "metadata.json").write_text(json.dumps(record), "utf-8")
    return job


def make_storage(root: Path) -> Path:
    (root / ".printsys").mkdir(parents=True)
    (root / ".printsys" / "storage-id").write_text(STORAGE_ID + "\n", "utf-8")
    return root


@pytest.fixture
def storage(tmp_path: Path) -> Path:
    return make_storage(tmp_path / "storage")


@pytest.fixture
def job(storage: Path) -> Path:
    return make_job(storage, "Pending")


@dataclass
class FakeDialogs:
    """Instead of windows: notes the texts and the choices offered, and answers with `answer` and `press`."""

    texts: list[str] = field(default_factory=list)
    choices: list[list[str]] = field(default_factory=list)
    answer: SlicerChoice | None = None
    press: bool = False

    def tell(self, text: str) -> None:
        self.texts.append(text)

    def choose(self, question: str, names: Sequence[str]) -> SlicerChoice | None:
        self.texts.append(question)
        self.choices.append(list(names))
        return self.answer

    def offer(self, text: str, button: str) -> bool:
        self.texts.append(text)
        return self.press


@dataclass
class World:
    desktop: Desktop
    dialogs: FakeDialogs
    started: list[list[str]]
    bin: Path

    def add_program(self, *names: str) -> None:
        for name in names:
            (self.bin / name).write_text("#!/bin/sh\n", "utf-8")
            (self.bin / name).chmod(0o755)

    @property
    def log(self) -> str:
        return self.desktop.paths.log.read_text("utf-8")


@pytest.fixture
def world(tmp_path: Path, storage: Path) -> World:
    """Set up for `storage`, on a Linux computer that has PrusaSlicer."""
    started: list[list[str]] = []

    def start(command: Sequence[str]) -> str:
        started.append(list(command))
        return ""

    programs = tmp_path / "bin"
    programs.mkdir()
    system = HostSystem("linux", {"PATH": str(programs)}, home=tmp_path / "home", root=tmp_path / "root")
    dialogs = FakeDialogs()
    desktop = Desktop(OpenerPaths(tmp_path / "config"), system, dialogs, start, {}, pause=lambda _: None)
    config.set_storage(desktop.paths.config, str(storage), STORAGE_ID)
    world = World(desktop, dialogs, started, programs)
    world.add_program("prusa-slicer")
    return world
