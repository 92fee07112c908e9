"""Where in a TOML file a value stands: tomllib keeps no positions, and a mistake without its line is hard to find."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

Where = tuple[str | int, ...]
"""A path through tables and lists, as pydantic gives it: ("printers", 2, "build_volume")."""

_KEY = r"""(?:[\w-]+|"[^"]*"|'[^']*')"""
_DOTTED = rf"{_KEY}(?:\s*\.\s*{_KEY})*"
_HEADER = re.compile(rf"\s*(\[\[?)\s*({_DOTTED})\s*\]")
_ASSIGNMENT = re.compile(rf"\s*({_DOTTED})\s*=(.*)", re.DOTALL)
_STRING = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}' r"|'''.*?'{3,5}" r'|"(?:[^"\\\n]|\\.)*"' r"|'[^'\n]*'" r"|\#[^\n]*", re.DOTALL
)

_INNERMOST = re.compile(r"[\[{][^\[\]{}]*[\]}]")


class Position(NamedTuple):
    where: Where
    line: int


def line_of(text: str, where: Where) -> int:
    """The line (from 1) of the value at `where`, or of the nearest table or list around it."""
    around = [position for position in positions(text) if where[: len(position.where)] == position.where]
    return max(around, key=lambda position: len(position.where), default=Position((), 1)).line


def positions(text: str) -> Iterator[Position]:
    """Every table, key and list element of `text`, which must be TOML. Inline tables count as one value."""
    lists: dict[Where, int] = {}
    table: Where = ()
    for number, statement in _statements(text):
        if header := _HEADER.match(statement):
            names = _indexed(_split(header.group(2)), lists)
            if header.group(1) == "[[":
                lists[names] = lists.get(names, -1) + 1
                names = (*names, lists[names])
            table = names
            yield Position(table, number)
        elif assignment := _ASSIGNMENT.match(statement):
            key = (*table, *_split(assignment.group(1)))
            yield Position(key, number)
            for n, line in enumerate(_elements(assignment.group(2), number)):
                yield Position((*key, n), line)


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """Each header or assignment, however many lines it has, with the line where it begins."""
    first, statement, depth = 0, "", 0
    plain_text = _without_strings(text)
    for number, (line, plain) in enumerate(zip(text.split("\n"), plain_text.split("\n"), strict=True), 1):
        if not statement:
            first = number
        statement += line + "\n"
        depth += sum(plain.count(c) for c in "[{") - sum(plain.count(c) for c in "]}")
        if depth <= 0 and "\0" not in plain[-1:]:
            if statement.strip():
                yield first, statement
            statement, depth = "", 0


def _without_strings(text: str) -> str:
    """`text` with the same lines, strings as underscores, comments as blanks; NUL ends a line that ends in a string."""
    return _STRING.sub(_blank, text)


def _blank(match: re.Match[str]) -> str:
    if match.group().startswith("#"):
        return " " * len(match.group())
    return re.sub(r"[^\n]", "_", match.group()).replace("\n", "\0\n")


def _elements(value: str, line: int) -> Iterator[int]:
    """The lines on which the elements of a list begin, if `value` (which begins on `line`) is one."""
    plain = _without_strings(value)
    if not plain.lstrip(" \t").startswith("["):
        return
    flat = plain[plain.index("[") + 1 : plain.rindex("]")]
    while (flatter := _INNERMOST.sub(_blank, flat)) != flat:
        flat = flatter
    for element in flat.split(","):
        if begin := re.search(r"\S", element):
            yield line + element[: begin.start()].count("\n")
        line += element.count("\n")


def _split(dotted: str) -> tuple[str, ...]:
    return tuple(key.strip("\"'") for key in re.findall(_KEY, dotted))


def _indexed(names: tuple[str, ...], lists: dict[Where, int]) -> Where:
    """`prices.rates` below the second `[[prices]]` is ("prices", 1, "rates")."""
    where: Where = ()
    for name in names[:-1]:
        where = (*where, name)
        if where in lists:
            where = (*where, lists[where])
    return (*where, names[-1])
