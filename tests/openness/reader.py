"""Runs docs/verify_storage.py as a stranger does: without this system, in an empty folder."""

from __future__ import annotations

import ast
import importlib.util
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from tests.source import ROOT

SCRIPT = ROOT / "docs" / "verify_storage.py"


class Verdict(NamedTuple):
    """`report` is the JSON that the script prints; None where it could not run."""

    code: int
    report: Any

    @property
    def kinds(self) -> list[str]:
        return [finding["kind"] for finding in self.report["findings"]]

    @property
    def remarks(self) -> list[str]:
        return [remark["kind"] for remark in self.report["remarks"]]


def run_alone(script: Path, *arguments: str | Path, timeout_s: float = 120) -> subprocess.CompletedProcess[bytes]:
    """With nothing to import but the standard library."""
    command: Sequence[str | Path] = (sys.executable, "-I", "-S", script, *arguments)
    with tempfile.TemporaryDirectory() as empty:
        return subprocess.run(command, cwd=empty, capture_output=True, check=False, timeout=timeout_s)


def verify(storage: Path, *options: str) -> Verdict:
    done = run_alone(SCRIPT, storage, "--json", *options)
    assert done.returncode in (0, 1), done.stderr.decode()
    return Verdict(done.returncode, json.loads(done.stdout))


def foreign_imports(script: Path) -> set[str]:
    """What it imports besides the standard library. SyntaxError where Python 3.9 cannot read it."""
    tree = ast.parse(script.read_text("utf-8"), feature_version=(3, 9))
    imports = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    imports += [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    return {name.partition(".")[0] for name in imports} - sys.stdlib_module_names


def as_module(script: Path) -> ModuleType:
    specification = importlib.util.spec_from_file_location(script.stem, script)
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module
