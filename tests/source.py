"""Reads the source code: modules, imports, names. For the tests of its order and for bench/code_figures.py."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("printsys", "indexer", "opener")
Function = ast.FunctionDef | ast.AsyncFunctionDef

VAGUE = {
    "said", "told", "found", "made", "known", "seen", "kept", "asked", "wrong", "left", "taken", "looked", "heard",
    "wanted", "given", "came", "there", "one", "it", "here", "was", "other", "more", "inside", "again",
}  # fmt: skip
"""Names that do not say what a value is."""


def modules(root: Path = ROOT) -> Iterator[tuple[str, Path]]:
    """Dotted name and file of each module that the system is made of."""
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            name = ".".join(path.relative_to(root).with_suffix("").parts)
            yield name.removesuffix(".__init__"), path


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def imports(path: Path) -> Iterator[str]:
    """What a module imports, in functions too. `from a import b` counts as `a` and as `a.b`."""
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module and not node.level, f"{path}: a relative import"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def functions(tree: ast.AST) -> Iterator[Function]:
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def local_names(path: Path) -> Iterator[str]:
    """The names that each function of a module binds, once a function: its arguments and what it assigns."""
    for function in functions(parse(path)):
        nested = {id(node) for inner in functions(function) if inner is not function for node in ast.walk(inner)}
        own = [node for node in ast.walk(function) if id(node) not in nested]
        names = {node.arg for node in own if isinstance(node, ast.arg)}
        names |= {node.id for node in own if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
        yield from sorted(names - {"self", "cls"})


def takes_systems_encoding(call: ast.Call) -> bool:
    """Whether it reads or writes a text in the encoding that the system prefers, which on Windows is not UTF-8."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    if any(keyword.arg == "encoding" for keyword in call.keywords):
        return False
    asks_for_text = any(keyword.arg == "text" and is_true(keyword.value) for keyword in call.keywords)
    return asks_for_text or (name, len(call.args)) in {("read_text", 0), ("write_text", 1)}


def is_true(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is True


def uses(tree: ast.AST) -> Counter[str]:
    """How often each name is read, as a variable or as an attribute."""
    return Counter(
        node.attr if isinstance(node, ast.Attribute) else node.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) or (isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load))
    )
