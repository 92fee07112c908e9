"""The one way in for JSON that people may have edited.

Accepts what editors do to a file (a byte-order mark, UTF-16, any line ends) and refuses what JSON parsers let through
but cannot be written back faithfully: NaN and infinities, doubled keys, lone surrogates, absurd depth and size. Every
refusal names its line and column.
"""

from __future__ import annotations

import codecs
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

MAX_BYTES = 8 * 1024 * 1024
MAX_DEPTH = 60

_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_LONE_HALF = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})|\\.", re.DOTALL
)
"""Passes over whole surrogate pairs and all other escapes; group 1 is a half without its other half."""
_TOKEN = re.compile(r'"(?:[^"\\]++|\\.)*+(?:"|\Z)|[{}\[\],:]|[^\s{}\[\],:"]+', re.DOTALL)
"""Possessive, and an open string ends with the text: nothing is read twice, however broken the text is."""


class JsonProblem(ValueError):
    """Text that is not the JSON we can keep. `line` and `column` count from 1."""

    def __init__(self, problem: str, line: int, column: int) -> None:
        self.problem, self.line, self.column = problem, line, column
        super().__init__(f"line {line}, column {column}: {problem}")


def decode(data: bytes) -> Any:
    """The value that `data` holds. Raises JsonProblem."""
    if len(data) > MAX_BYTES:
        raise JsonProblem(f"the file is larger than {MAX_BYTES // 1024 // 1024} MB", 1, 1)
    text = _text(data)
    _refuse_depth(text)
    try:
        value = json.loads(
            text, object_pairs_hook=_object, parse_constant=_refuse_constant, parse_float=_finite, parse_int=_integer
        )
    except json.JSONDecodeError as error:
        raise JsonProblem(error.msg[0].lower() + error.msg[1:], error.lineno, error.colno) from error
    except _Refused as refused:
        raise _with_position(text, refused) from None
    escaped = _LONE_HALF.finditer(text) if "\\u" in text else ()
    half = next((match for match in escaped if match.group(1)), None)
    if half is not None:
        raise JsonProblem(
            "a character is written with half of its code (a lone surrogate)", *_line_column(text, half.start())
        )
    return value


def decode_object(data: bytes) -> dict[str, Any]:
    """Like `decode`, for a file whose whole text is one object."""
    value = decode(data)
    if not isinstance(value, dict):
        raise JsonProblem("the text is not an object in { }", 1, 1)
    return value


@lru_cache(maxsize=8)
def decode_record(data: bytes) -> Mapping[str, Any]:
    """`decode_object` of a metadata.json, which a change reads several times: the same bytes are parsed once."""
    return decode_object(data)


def line_of_field(data: bytes, path: Sequence[str | int]) -> int:
    """The line (from 1) on which the value at `path` is, or that of its nearest parent that is written."""
    text = _text(data)
    nearest, line = -1, 1
    for key_path, offset, _doubled in _keys(text):
        depth = len(key_path)
        if depth > nearest and tuple(path[:depth]) == key_path:
            nearest, line = depth, _line_column(text, offset)[0]
    return line


class _Refused(Exception):
    """What the parser's hooks raise: they know the problem but not its place."""

    def __init__(self, problem: str, token: str | None = None) -> None:
        self.problem, self.token = problem, token


def _text(data: bytes) -> str:
    encoding = "utf-8"
    for mark, of in _BOMS:
        if data.startswith(mark):
            data, encoding = data[len(mark) :], of
            break
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line = before.count(b"\n") + 1
        raise JsonProblem(f"this is not {encoding.upper()} text", line, error.start - before.rfind(b"\n")) from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise _Refused("doubled")
    return value


def _refuse_constant(token: str) -> Any:
    raise _Refused(f"{token} is not a number that JSON has", token)


def _finite(token: str) -> float:
    number = float(token)
    if not math.isfinite(number):
        raise _Refused(f"{token} is too large a number", token)
    return number


def _integer(token: str) -> int:
    if len(token) > 40:
        raise _Refused("this number is too long", token)
    return int(token)


def _refuse_depth(text: str) -> None:
    if text.count("{") + text.count("[") <= MAX_DEPTH:
        return
    depth = 0
    for match in _TOKEN.finditer(text):
        depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(match.group(), 0)
        if depth > MAX_DEPTH:
            raise JsonProblem(f"brackets are nested more than {MAX_DEPTH} deep", *_line_column(text, match.start()))


def _with_position(text: str, refused: _Refused) -> JsonProblem:
    if refused.token is None:
        for path, offset, doubled in _keys(text):
            if doubled:
                return JsonProblem(f"the key {path[-1]!r} is there twice", *_line_column(text, offset))
    tokens = (match for match in _TOKEN.finditer(text) if match.group() == refused.token)
    first = next(tokens, None)
    return JsonProblem(refused.problem, *_line_column(text, first.start() if first else 0))


def _line_column(text: str, offset: int) -> tuple[int, int]:
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)


def _keys(text: str) -> Iterator[tuple[tuple[str | int, ...], int, bool]]:
    """(path, offset, whether the key stood in its object already) of every value in well-formed `text`."""
    stack: list[tuple[str, set[str]]] = []
    path: list[str | int] = []
    tokens = list(_TOKEN.finditer(text))
    for index, match in enumerate(tokens):
        token = match.group()
        following = tokens[index + 1].group() if index + 1 < len(tokens) else ""
        if token in ("}", "]"):
            stack.pop()
            path.pop()
        elif token == "," and stack[-1][0] == "[":
            path[-1] = int(path[-1]) + 1
        elif following == ":" and token.startswith('"'):
            key = json.loads(token)
            path[-1] = key
            yield tuple(path), match.start(), key in stack[-1][1]
            stack[-1][1].add(key)
        elif token not in (",", ":"):
            if stack and stack[-1][0] == "[":
                yield tuple(path), match.start(), False
            if token in ("{", "["):
                stack.append((token, set()))
                path.append(0 if token == "[" else "")
