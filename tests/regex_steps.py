"""How many steps a backtracking matcher takes, counted and not timed: by the tree that Python's own parser makes.

Python's matcher skips some of these steps, so what is linear here is linear there.
"""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

_parser: Any = importlib.import_module("re._parser")
_op: Any = importlib.import_module("re._constants")
MOST_STEPS = 20_000
SMALL = 4
"""A repetition with an end counts as one of so many: it makes a constant factor and no growth. (What multiplies such
factors by each other is not found out.)"""
REPEATS = (_op.MAX_REPEAT, _op.MIN_REPEAT, _op.POSSESSIVE_REPEAT)
CATEGORIES: dict[Any, Callable[[str], bool]] = {
    _op.CATEGORY_DIGIT: str.isdigit,
    _op.CATEGORY_NOT_DIGIT: lambda c: not c.isdigit(),
    _op.CATEGORY_SPACE: str.isspace,
    _op.CATEGORY_NOT_SPACE: lambda c: not c.isspace(),
    _op.CATEGORY_WORD: lambda c: c.isalnum() or c == "_",
    _op.CATEGORY_NOT_WORD: lambda c: not (c.isalnum() or c == "_"),
}
After = Callable[[int], bool]
"""What comes after: whether the rest matches from that place on."""


class TooManySteps(Exception):
    """Far beyond anything that grows with the text alone."""


def parsed(pattern: re.Pattern[Any]) -> Any:
    return _parser.parse(
        pattern.pattern, pattern.flags & ~re.UNICODE if isinstance(pattern.pattern, bytes) else pattern.flags
    )


@dataclass
class Matcher:
    pattern: re.Pattern[Any]
    text: str
    steps: int = 0
    is_match: bool = False
    tree: Any = field(init=False)

    def __post_init__(self) -> None:
        self.tree = parsed(self.pattern)

    def count(self, is_search: bool) -> int:
        """The steps of `search`, or of `match`."""
        sys.setrecursionlimit(100_000)
        for start in range(len(self.text) + 1 if is_search else 1):
            if self._match(self.tree, 0, start, lambda _: True):
                self.is_match = True
                break
        return self.steps

    def _match(self, nodes: Any, number: int, at: int, after: After) -> bool:
        while number < len(nodes):
            self.steps += 1
            if self.steps > MOST_STEPS:
                raise TooManySteps
            op, value = nodes[number]
            if op in (_op.LITERAL, _op.NOT_LITERAL, _op.ANY, _op.IN):
                if at >= len(self.text) or not self._fits(op, value, self.text[at]):
                    return False
                at += 1
            elif op is _op.AT:
                if not self._is_at(value, at):
                    return False
            elif op in (_op.ASSERT, _op.ASSERT_NOT):
                if self._looks(value, at) is (op is _op.ASSERT_NOT):
                    return False
            else:
                return self._branches(op, value, at, partial(self._rest, nodes, number + 1, after))
            number += 1
        return after(at)

    def _rest(self, nodes: Any, number: int, after: After, at: int) -> bool:
        return self._match(nodes, number, at, after)

    def _branches(self, op: Any, value: Any, at: int, after: After) -> bool:
        if op is _op.SUBPATTERN:
            return self._match(value[-1], 0, at, after)
        if op is _op.BRANCH:
            return any(self._match(branch, 0, at, after) for branch in value[1])
        if op is _op.ATOMIC_GROUP:
            return self._at_once(value, at, after)
        if op in REPEATS:
            least, most, body = value
            is_endless = most is _op.MAXREPEAT
            bounds = (min(least, SMALL), None if is_endless else min(most, SMALL))
            if op is _op.POSSESSIVE_REPEAT:
                return self._at_once([(_op.MAX_REPEAT, value)], at, after)
            return self._repeat(body, bounds, op is _op.MAX_REPEAT, 0, at, after)
        raise NotImplementedError(f"{op}: please teach it to tests/regex_steps.py")

    def _repeat(
        self, body: Any, bounds: tuple[int, int | None], is_greedy: bool, count: int, at: int, after: After
    ) -> bool:
        least, most = bounds

        def once_more() -> bool:
            if most is not None and count >= most:
                return False
            return self._match(
                body,
                0,
                at,
                lambda place: (
                    (place > at or count < least) and self._repeat(body, bounds, is_greedy, count + 1, place, after)
                ),
            )

        self.steps += 1
        if self.steps > MOST_STEPS:
            raise TooManySteps
        if count < least:
            return once_more()
        return (once_more() or after(at)) if is_greedy else (after(at) or once_more())

    def _at_once(self, body: Any, at: int, after: After) -> bool:
        """The first way in which the body matches, and no other."""
        ends: list[int] = []
        return self._match(body, 0, at, lambda place: not ends.append(place)) and after(ends[0])  # type: ignore[func-returns-value]

    def _looks(self, value: tuple[int, Any], at: int) -> bool:
        direction, body = value
        start = at if direction > 0 else at - body.getwidth()[0]
        return start >= 0 and self._match(body, 0, start, lambda _: True)

    def _fits(self, op: Any, value: Any, letter: str) -> bool:
        flags = self.tree.state.flags
        if op is _op.ANY:
            return bool(flags & re.DOTALL) or letter != "\n"
        return fits(op, value, letter, bool(flags & re.IGNORECASE))

    def _is_at(self, value: Any, at: int) -> bool:
        before, behind = self.text[at - 1 : at] if at else "", self.text[at : at + 1]
        is_multiline = self.tree.state.flags & re.MULTILINE
        if value in (_op.AT_BEGINNING, _op.AT_BEGINNING_STRING):
            return not before or (bool(is_multiline) and value is _op.AT_BEGINNING and before == "\n")
        if value is _op.AT_END_STRING:
            return not behind
        if value is _op.AT_END:
            return not behind or (behind == "\n" and (bool(is_multiline) or at + 1 == len(self.text)))
        is_edge = bool(before and CATEGORIES[_op.CATEGORY_WORD](before)) != bool(
            behind and CATEGORIES[_op.CATEGORY_WORD](behind)
        )
        return is_edge == (value is _op.AT_BOUNDARY)


def fits(op: Any, value: Any, letter: str, ignores_case: bool) -> bool:
    spellings = {letter, letter.lower(), letter.upper()} if ignores_case else {letter}
    if op is _op.LITERAL:
        return chr(value) in spellings
    if op is _op.NOT_LITERAL:
        return chr(value) not in spellings
    is_negated = bool(value[0][0] is _op.NEGATE)
    return is_negated != any(_is_in(item, each) for item in value for each in spellings if item[0] is not _op.NEGATE)


def _is_in(item: tuple[Any, Any], letter: str) -> bool:
    op, value = item
    if op is _op.LITERAL:
        return chr(value) == letter
    if op is _op.RANGE:
        return bool(value[0] <= ord(letter) <= value[1])
    return CATEGORIES[value](letter)


# -- texts that a pattern finds hard ----------------------------------------------------------------------------------

USUAL = "a0 \t\n_.,-/\\"
NEVER = "\x01"


def hard_texts(pattern: re.Pattern[Any], length: int) -> Iterator[str]:
    """What leads to each repetition, then something that it takes again and again, then what hardly anything takes."""
    tree = parsed(pattern)
    letters = _unlike_letters(tree)
    for prefix, body in _repetitions(tree, "", letters):
        samples = [_sample(each, letters) for each in (body, *_branches(body))]
        for pump in sorted({*letters, *samples} - {""}):
            yield prefix + pump * length + NEVER


def _unlike_letters(tree: Any) -> list[str]:
    """One of each kind of letters between which the pattern makes no difference."""
    leaves = list(_leaves(tree))
    candidates = sorted({*USUAL, *(chr(value) for op, value in leaves if op is not _op.IN)})
    candidates += sorted(
        {chr(each) for op, value in leaves if op is _op.IN for kind, each in value if kind is _op.LITERAL}
    )
    kinds = {tuple(fits(op, value, letter, False) for op, value in leaves): letter for letter in reversed(candidates)}
    return sorted(set(kinds.values()))


def _leaves(nodes: Any) -> Iterator[tuple[Any, Any]]:
    for op, value in nodes:
        if op in (_op.LITERAL, _op.NOT_LITERAL, _op.IN):
            yield op, value
        else:
            for inner in _inner(op, value):
                yield from _leaves(inner)


def _branches(nodes: Any) -> Iterator[Any]:
    for op, value in nodes:
        inner_nodes = _inner(op, value)
        if op is _op.BRANCH:
            yield from inner_nodes
        for inner in inner_nodes:
            yield from _branches(inner)


def _inner(op: Any, value: Any) -> list[Any]:
    if op in (*REPEATS, _op.SUBPATTERN, _op.ASSERT, _op.ASSERT_NOT):
        return [value[-1]]
    if op is _op.BRANCH:
        return list(value[1])
    return [value] if op is _op.ATOMIC_GROUP else []


def _repetitions(nodes: Any, prefix: str, letters: list[str]) -> Iterator[tuple[str, Any]]:
    """(what matches before it, its body) of every repetition without an end."""
    for op, value in nodes:
        if op in REPEATS and value[1] is _op.MAXREPEAT:
            yield prefix, value[2]
        for inner in _inner(op, value):
            yield from _repetitions(inner, prefix, letters)
        prefix += _sample([(op, value)], letters)


def _sample(nodes: Any, letters: list[str]) -> str:
    """A short text that the nodes match, as far as that is easy to say."""
    text = ""
    for op, value in nodes:
        if op is _op.LITERAL:
            text += chr(value)
        elif op in (_op.NOT_LITERAL, _op.IN):
            text += next((letter for letter in [*letters, "Z"] if fits(op, value, letter, False)), "")
        elif op is _op.ANY:
            text += "a"
        elif op in REPEATS:
            text += _sample(value[2], letters) * min(value[0], 8)
        elif op is _op.BRANCH:
            text += _sample(value[1][0], letters)
        elif op in (_op.SUBPATTERN, _op.ATOMIC_GROUP):
            text += _sample(value[-1] if op is _op.SUBPATTERN else value, letters)
    return text
