"""Calls the commands of `manage.py` inside the test's process, as its main does."""

from __future__ import annotations

import importlib
import json
from argparse import ArgumentParser
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest


@dataclass(frozen=True)
class Output:
    """Of a command: its exit code, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Manage:
    """`manage("archive", "--dry-run")` on the storage in `folder`, with a database that runs."""

    def __init__(self, folder: Path, database_url: str, patch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[str]):
        self.folder, self.patch, self.capture = folder, patch, capture
        patch.setenv("DATABASE_URL", database_url)
        self.use(folder)

    def use(self, folder: Path) -> None:
        self.patch.setenv("PRINTSYS_STORAGE", str(folder / "storage"))
        self.patch.setenv("PRINTSYS_INSTANCE", str(folder / "instance"))

    def __call__(self, command: str, *arguments: str) -> Output:
        module = importlib.import_module(f"printsys.commands.{command}")
        parser = ArgumentParser()
        module.add_arguments(parser)
        self.capture.readouterr()
        code = module.run(parser.parse_args(arguments))
        printed = self.capture.readouterr()
        return Output(code, printed.out, printed.err)
