"""A storage with one job, and a desktop that notes what it would start and say."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from opener import config
from opener.dialogs import Choice
from opener.finding import Computer
from opener.opening import Desktop
from opener.places import Places

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


@pytest.fixture
def storage(tmp_path: Path) -> Path:
    root = tmp_path / "storage"
    (root / ".printsys").mkdir(parents=True)
    (root / ".printsys" / "storage-id").write_text(STORAGE_ID + "\n")
    return root


@pytest.fixture
def job(storage: Path) -> Path:
    return make_job(storage, "Pending")


@dataclass
class Noted:
    """Stands where the windows are: keeps what was said, answers as it was told to."""

    told: list[str] = field(default_factory=list)
    asked: list[list[str]] = field(default_factory=list)
    answer: Choice | None = None
    press: bool = False

    def tell(self, text: str) -> None:
        self.told.append(text)

    def choose(self, question: str, names: Sequence[str]) -> Choice | None:
        self.told.append(question)
        self.asked.append(list(names))
        return self.answer

    def offer(self, text: str, button: str) -> bool:
        self.told.append(text)
        return self.press


@dataclass
class World:
    desktop: Desktop
    dialogs: Noted
    started: list[list[str]]
    bin: Path

    def add_program(self, *names: str) -> None:
        for name in names:
            (self.bin / name).write_text("#!/bin/sh\n")
            (self.bin / name).chmod(0o755)

    @property
    def log(self) -> str:
        return self.desktop.places.log.read_text("utf-8")


@pytest.fixture
def world(tmp_path: Path, storage: Path) -> World:
    """Set up for `storage`, on a Linux computer that has PrusaSlicer."""
    started: list[list[str]] = []

    def start(command: Sequence[str]) -> str:
        started.append(list(command))
        return ""

    programs = tmp_path / "bin"
    programs.mkdir()
    computer = Computer("linux", {"PATH": str(programs)}, home=tmp_path / "home", root=tmp_path / "root")
    dialogs = Noted()
    desktop = Desktop(Places(tmp_path / "config"), computer, dialogs, start, {}, pause=lambda _: None)
    config.set_storage(desktop.places.config, str(storage), STORAGE_ID)
    world = World(desktop, dialogs, started, programs)
    world.add_program("prusa-slicer")
    return world
