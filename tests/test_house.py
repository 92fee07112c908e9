"""The house stays in order: style, types, and arrows between its rooms that run one way."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("printsys", "indexer", "opener")
PURE = {"flask", "sqlalchemy", "huey", "trimesh"}

ALLOWED_IMPORTS = {
    "errors": "",
    "fs": "",
    "backoff": "",
    "opener": "",
    "domain": "errors",
    "formats": "errors",
    "config": "domain errors",
    "jobstore": "domain errors fs",
    "models3d": "domain.filetypes errors formats",
    "slicers": "domain.filetypes errors formats models3d.topology",
    "credentials": "config domain.naming errors fs",
    "ops": "config domain.naming errors fs backoff",
    "indexer": "domain errors fs jobstore",
    "assessment": "config domain errors jobstore models3d slicers",
    "actions": "config domain errors jobstore indexer.index",
    "reports": "domain errors jobstore indexer.queries",
    "services": "actions config credentials errors indexer jobstore",
    "backup": "config credentials domain errors fs jobstore",
    "web": (
        "actions assessment backoff config credentials domain errors formats fs indexer jobstore mail models3d "
        "ops reports services slicers texts"
    ),
    "mail": "assessment backoff config credentials domain errors fs jobstore ops.heartbeat services texts",
    "worker": "actions.reminders assessment backoff config domain errors jobstore mail models3d ops services slicers",
}
"""What each package may import besides itself. Packages without a row stand at the edge and may import any of these;
nothing with a row may import them."""


def full_name(package: str) -> str:
    return package if package.split(".")[0] in PACKAGES else f"printsys.{package}"


MAY_IMPORT = {full_name(row): {full_name(name) for name in names.split()} for row, names in ALLOWED_IMPORTS.items()}


def run(*command: str) -> None:
    done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_ruff_finds_nothing() -> None:
    run("ruff", "check", ".")


def test_the_code_is_formatted() -> None:
    run("ruff", "format", "--check", ".")


def test_mypy_finds_nothing() -> None:
    run("mypy")


def modules() -> Iterator[tuple[str, Path]]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            yield name.removesuffix(".__init__"), path


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room(module: str) -> str | None:
    """The row of `MAY_IMPORT` that a module belongs to."""
    return next((row for row in MAY_IMPORT if module == row or module.startswith(row + ".")), None)


def is_in(module: str, rooms: set[str]) -> bool:
    return any(module == r or module.startswith(r + ".") for r in rooms)


def test_arrows_between_the_rooms_run_one_way() -> None:
    wrong = []
    for module, path in modules():
        here = room(module)
        if here is None:
            continue
        for target in imports(path):
            if target.split(".")[0] not in PACKAGES or target in ("printsys", "indexer"):
                continue
            if not is_in(target, MAY_IMPORT[here] | {here}):
                wrong.append(f"{module} imports {target}")
    assert wrong == []


def test_the_domain_and_the_store_know_no_framework() -> None:
    wrong = [
        f"{module} imports {target}"
        for module, path in modules()
        if is_in(module, {"printsys.domain", "printsys.jobstore"})
        for target in imports(path)
        if target.split(".")[0] in PURE
    ]
    assert wrong == []


def test_the_opener_needs_nothing_but_python() -> None:
    for module, path in modules():
        if module.startswith("opener"):
            foreign = {t.split(".")[0] for t in imports(path)} - set(sys.stdlib_module_names) - {"opener"}
            assert foreign == set(), module


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_every_requirement_is_pinned(name: str) -> None:
    lines = [
        line for line in (ROOT / name).read_text("utf-8").splitlines() if line and not line.startswith(("#", "-r"))
    ]
    assert lines
    assert [line for line in lines if "==" not in line] == []
