"""No text of a stranger makes a regular expression slow: the steps of each grow with the text, and no faster.

Every pattern of the system is found and tried; one that is put together at run time needs an example in `MADE_LATER`.
"""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from typing_extensions import TypeIs

from tests.regex_steps import Matcher, TooManySteps, hard_texts
from tests.source import modules, parse

FROM_THE_START = {"match", "fullmatch"}
FUNCTIONS = FROM_THE_START | {"compile", "search", "findall", "finditer", "sub", "subn", "split"}
LENGTH = 20
LINEAR = 2.7
"""For a text of twice the length: 2 steps for one, and 4 where they grow with the square."""
MADE_LATER = {
    "opener.tomltext": r"\s*storage\s*=",
    "printsys.assessment.slicer_readings": r"p[\W_]*r[\W_]*u[\W_]*s[\W_]*a",
    "printsys.slicers.numerals": r";|,\s|[;,]",
    "printsys.slicers.simplify3d": r"Build Time,(.{1,200})",
}
"""By module: what such a pattern looks like."""


class Use(NamedTuple):
    where: str
    pattern: re.Pattern[Any]
    is_search: bool


def uses() -> Iterator[Use]:
    methods = methods_called()
    for name, path in modules():
        tree = parse(path)
        if "re" in {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}:
            yield from uses_in_place(name, tree)
            module = importlib.import_module(name)
            for variable in sorted(assigned_at_the_top(tree)):
                for pattern in patterns_in(getattr(module, variable)):
                    yield Use(f"{name}.{variable}", pattern, not methods.get(variable, {"search"}) <= FROM_THE_START)


def uses_in_place(name: str, tree: ast.Module) -> Iterator[Use]:
    """`re.sub(r"\\s+", …)`, and what is put together there."""
    top = {id(node) for statement in tree.body if not has_body(statement) for node in ast.walk(statement)}
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and is_of_re(node.func)) or id(node) in top:
            continue
        method = node.func.attr
        if method == "compile" and isinstance(node.args[0], ast.Constant):
            method = "search"
        value = node.args[0]
        if isinstance(value, ast.Constant):
            flags = re.IGNORECASE if "IGNORECASE" in ast.unparse(node) else re.NOFLAG
            yield Use(f"{name}:{node.lineno}", re.compile(value.value, flags), method not in FROM_THE_START)
        elif not (isinstance(value, ast.Name) and value.id.isupper()):
            assert name in MADE_LATER, f"{name}:{node.lineno}: please give an example of this pattern"
            yield Use(f"{name}:{node.lineno}", re.compile(MADE_LATER[name]), method not in FROM_THE_START)


def is_of_re(function: ast.expr) -> TypeIs[ast.Attribute]:
    return (
        isinstance(function, ast.Attribute)
        and function.attr in FUNCTIONS
        and isinstance(function.value, ast.Name)
        and function.value.id == "re"
    )


def has_body(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)


def assigned_at_the_top(tree: ast.Module) -> set[str]:
    targets = [target for node in tree.body if isinstance(node, ast.Assign) for target in node.targets]
    targets += [node.target for node in tree.body if isinstance(node, ast.AnnAssign) and node.value is not None]
    return {target.id for target in targets if isinstance(target, ast.Name)}


def patterns_in(value: object) -> Iterator[re.Pattern[Any]]:
    if isinstance(value, re.Pattern):
        yield value
    elif isinstance(value, tuple | list | dict):
        for item in value.values() if isinstance(value, dict) else value:
            yield from patterns_in(item)


def methods_called() -> dict[str, set[str]]:
    """By the name of a pattern: `search` of `NAME.search(text)`."""
    called: dict[str, set[str]] = {}
    for _, path in modules():
        for node in ast.walk(parse(path)):
            if isinstance(node, ast.Attribute) and node.attr in FUNCTIONS:
                owner = node.value
                name = (
                    owner.id if isinstance(owner, ast.Name) else owner.attr if isinstance(owner, ast.Attribute) else ""
                )
                called.setdefault(name, set()).add(node.attr)
    return called


def slow_text(pattern: re.Pattern[Any], is_search: bool) -> str | None:
    """A text for which the steps grow faster than its length, if there is one among those tried."""
    for text, twice in zip(hard_texts(pattern, LENGTH), hard_texts(pattern, 2 * LENGTH), strict=True):
        try:
            steps, more = (Matcher(pattern, each).count(is_search) for each in (text, twice))
        except TooManySteps:
            return text
        if more > LINEAR * steps:
            return text
    return None


USES = list(uses())


@pytest.mark.parametrize("use", USES, ids=lambda use: use.where)
def test_the_steps_of_a_pattern_grow_no_faster_than_the_text(use: Use) -> None:
    assert slow_text(use.pattern, use.is_search) is None, use.pattern.pattern


def test_there_are_patterns_of_every_package_and_none_is_passed_over() -> None:
    calls = sum(
        isinstance(node, ast.Call) and is_of_re(node.func) for _, path in modules() for node in ast.walk(parse(path))
    )
    assert len(USES) >= calls - len(MADE_LATER) > 70
    assert {use.where.partition(".")[0] for use in USES} == {"printsys", "indexer", "opener"}


@pytest.mark.parametrize(
    ("pattern", "is_search"),
    [
        (r"(a+)+$", False), (r"(a|a)*b", False), (r"(a|ab|b)*c", False), (r"a*a*b", False), (r"(.+?)\d(.+)x", False),
        (r"\s+$", True), (r"[^@]+@x", True), (r"\(.*\)", True), (r"x*y", True),
    ],
)  # fmt: skip
def test_what_grows_faster_is_found_out(pattern: str, is_search: bool) -> None:
    assert slow_text(re.compile(pattern), is_search) is not None


@pytest.mark.parametrize("pattern", [r"(?:[^\\]|\\.)*+x", r"^\s+x", r"^a++a", r"[a-z]{1,250}@x", r"x\d+y", "(?<!a)a*b"])
def test_what_does_not_is_not(pattern: str) -> None:
    assert slow_text(re.compile(pattern), is_search=not pattern.startswith("(?:")) is None


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (r"a(b|c)+d", "xxabcbd"), (r"(?i)A\b", "b a"), (r"(?m)^b$", "a\nb\nc"), (r"(?<=a)b(?!c)", "abcab"),
        (r"a*?b", "aab"), (r"a*+b", "aab"), (r"[^a-c\d]", "1abz"), (r"\Aa\Z", "a"), (r"a{2,3}b", "aaab"), (r"x", "y"),
    ],
)  # fmt: skip
def test_the_counting_matcher_finds_what_pythons_does(pattern: str, text: str) -> None:
    matcher = Matcher(re.compile(pattern), text)
    matcher.count(is_search=True)
    assert matcher.is_match is (re.search(pattern, text) is not None)
