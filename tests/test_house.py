"""The code stays in order: style, types, and imports between packages that run one way."""

from __future__ import annotations

import ast
import graphlib
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable

import pytest

from tests.source import PACKAGES, ROOT, VAGUE, imports, local_names, modules, parse, takes_systems_encoding

PURE = {"flask", "sqlalchemy", "huey", "trimesh"}

ALLOWED_IMPORTS = {
    "errors": "",
    "fs": "",
    "backoff": "",
    "opener": "",
    "upgrade": "",
    "domain": "errors",
    "formats": "errors",
    "config": "domain errors",
    "jobstore": "domain errors fs",
    "models3d": "domain.filetypes errors formats fs",
    "slicers": "domain.filetypes errors formats fs models3d.topology",
    "texts": "config domain",
    "credentials": "config domain.naming errors fs",
    "ops": "backoff config domain.naming domain.words errors fs texts",
    "indexer": "backoff domain errors fs jobstore",
    "assessment": "config domain errors jobstore models3d slicers",
    "actions": "config domain errors fs jobstore indexer.index",
    "tickets": "config domain texts",
    "reports": "config domain errors indexer jobstore texts",
    "services": "actions config credentials errors indexer jobstore",
    "backup": "config credentials domain errors fs indexer jobstore ops",
    "mail": "assessment backoff config credentials domain errors fs jobstore ops.backup_record ops.backup_trouble "
    "ops.heartbeat services texts",
    "worker": "actions assessment backoff backup config domain errors fs jobstore mail models3d ops services slicers "
    "tickets",
    "demo": "actions config domain errors jobstore models3d.samples services",
}
"""What each package may import besides itself."""
ALL_BUT = {
    "web": "backup commands demo worker",
    "commands": "",
}
"""Packages at the edge: they may import everything but these."""


def full_name(package: str) -> str:
    return package if package.split(".")[0] in PACKAGES else f"printsys.{package}"


def full_names(packages: Iterable[str]) -> set[str]:
    return {full_name(package) for package in packages}


MAY_IMPORT = {full_name(row): full_names(names.split()) for row, names in ALLOWED_IMPORTS.items()} | {
    full_name(row): full_names({*ALLOWED_IMPORTS, *ALL_BUT} - set(names.split())) for row, names in ALL_BUT.items()
}


def run(*command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, encoding="utf-8", check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_ruff_finds_nothing() -> None:
    run("ruff", "check", ".")


def test_the_code_is_formatted() -> None:
    run("ruff", "format", "--check", ".")


def test_mypy_finds_nothing() -> None:
    run("mypy")


def row_of(module: str) -> str | None:
    """The row of `MAY_IMPORT` that a module belongs to."""
    return next((row for row in MAY_IMPORT if is_in(module, {row})), None)


def is_in(module: str, packages: set[str]) -> bool:
    return any(module == package or module.startswith(package + ".") for package in packages)


def import_graph() -> dict[str, set[str]]:
    """The packages, each with those that it imports."""
    graph: dict[str, set[str]] = {row: set() for row in MAY_IMPORT}
    for module, path in modules():
        if row := row_of(module):
            graph[row] |= {target for name in imports(path) if (target := row_of(name)) and target != row}
    return graph


def test_every_package_has_a_row_of_what_it_may_import() -> None:
    rows = {module: row_of(module) for module, _ in modules() if module != "printsys"}
    assert [module for module, row in rows.items() if row is None] == []
    assert [row for row in MAY_IMPORT if row not in rows.values()] == [], "rows of packages that are gone"


def test_packages_import_only_what_their_row_allows() -> None:
    forbidden = [
        f"{module} imports {target}"
        for module, path in modules()
        if (row := row_of(module))
        for target in imports(path)
        if target.split(".")[0] in PACKAGES and target not in ("printsys", "indexer")
        if not is_in(target, MAY_IMPORT[row] | {row})
    ]
    assert forbidden == []


def test_packages_do_not_import_each_other_in_a_circle() -> None:
    try:
        graphlib.TopologicalSorter(import_graph()).prepare()
    except graphlib.CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))


def test_the_domain_and_the_store_know_no_framework() -> None:
    wrong = [
        f"{module} imports {target}"
        for module, path in modules()
        if is_in(module, {"printsys.domain", "printsys.jobstore"})
        for target in imports(path)
        if target.split(".")[0] in PURE
    ]
    assert wrong == []


@pytest.mark.parametrize("package", ["opener", "printsys.upgrade"])
def test_what_runs_outside_of_the_environment_needs_nothing_but_python(package: str) -> None:
    for module, path in modules():
        if is_in(module, {package}):
            foreign = {t for t in imports(path) if t.split(".")[0] not in sys.stdlib_module_names}
            assert {t for t in foreign if not is_in(t, {package})} <= {package.split(".")[0]}, module


def test_texts_are_utf_8_whatever_the_system_prefers() -> None:
    files = [*(path for _, path in modules()), *(ROOT / "tests").rglob("*.py")]
    calls = [(path, node) for path in files for node in ast.walk(parse(path)) if isinstance(node, ast.Call)]
    wrong = [f"{path.relative_to(ROOT)}:{call.lineno}" for path, call in calls if takes_systems_encoding(call)]
    assert wrong == []


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_every_requirement_is_pinned(name: str) -> None:
    lines = [
        line for line in (ROOT / name).read_text("utf-8").splitlines() if line and not line.startswith(("#", "-r"))
    ]
    assert lines
    assert [line for line in lines if "==" not in line] == []


def test_local_names_say_what_they_hold() -> None:
    bindings = [(path, name) for _, path in modules() for name in local_names(path)]
    vague = [(path, name) for path, name in bindings if name in VAGUE]
    assert len(vague) <= len(bindings) // 100, Counter(name for _, name in vague).most_common()
