"""Calling the commands of `manage.py` inside the test's process, as its main does."""

from __future__ import annotations

import importlib
import json
from argparse import ArgumentParser
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest


@dataclass(frozen=True)
class Said:
    """What a command left: its exit code, and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Manage:
    """`manage("archive", "--dry-run")` on the storage in `place`, with a database that is there."""

    def __init__(self, place: Path, database_url: str, patch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[str]):
        self.place, self.patch, self.capture = place, patch, capture
        patch.setenv("DATABASE_URL", database_url)
        self.use(place)

    def use(self, place: Path) -> None:
        self.patch.setenv("PRINTSYS_STORAGE", str(place / "storage"))
        self.patch.setenv("PRINTSYS_INSTANCE", str(place / "instance"))

    def __call__(self, command: str, *arguments: str) -> Said:
        module = importlib.import_module(f"printsys.commands.{command}")
        parser = ArgumentParser()
        module.add_arguments(parser)
        self.capture.readouterr()
        code = module.run(parser.parse_args(arguments))
        said = self.capture.readouterr()
        return Said(code, said.out, said.err)
