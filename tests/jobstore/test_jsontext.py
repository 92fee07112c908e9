"""JSON as people leave it: what editors do to it is accepted, what cannot be kept is refused with line and column."""

from __future__ import annotations

import codecs
import json
import math
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from printsys.jobstore.jsontext import MAX_BYTES, MAX_DEPTH, JsonProblem, decode, decode_object, line_of_field

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(10**38), 10**38)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=12)


def refusal(text: str | bytes) -> JsonProblem:
    with pytest.raises(JsonProblem) as refused:
        decode(text.encode() if isinstance(text, str) else text)
    return refused.value


def outcome(data: bytes) -> tuple[Any, JsonProblem | None]:
    try:
        return decode(data), None
    except JsonProblem as problem:
        return None, problem


# -- what is taken --------------------------------------------------------------------------------------------------


@given(value=values, ascii_only=st.booleans(), indent=st.sampled_from([None, 2, "\t"]))
def test_what_json_writes_is_read_back(value: Any, ascii_only: bool, indent: int | str | None) -> None:
    assert decode(json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode()) == value


@settings(max_examples=40, deadline=None)
@given(value=values, newline=st.sampled_from(["\n", "\r\n", "\r"]))
@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        (b"", "utf-8"),
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
    ],
)
def test_byte_order_marks_and_any_line_ends_are_taken(mark: bytes, encoding: str, value: Any, newline: str) -> None:
    text = json.dumps(value, indent=2).replace("\n", newline)
    assert decode(mark + text.encode(encoding)) == value


def test_nesting_up_to_the_limit_is_taken() -> None:
    text = "[" * MAX_DEPTH + "]" * MAX_DEPTH
    assert json.dumps(decode(text.encode())) == text
    wide = [[n] for n in range(1000)]
    assert decode(json.dumps(wide).encode()) == wide
    brackets_in_text = {"notes": "[" * 100_000}
    assert decode(json.dumps(brackets_in_text).encode()) == brackets_in_text


def test_a_number_of_thirty_digits_stays_whole() -> None:
    assert decode(b"123456789012345678901234567890") == 123456789012345678901234567890


# -- what is refused, and where -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words", "where"),
    [
        ('{\n  "a": NaN\n}', "NaN is not a number", (2, 8)),
        ('{"a": Infinity}', "Infinity is not a number", (1, 7)),
        ('{"a": -Infinity}', "-Infinity is not a number", (1, 7)),
        ('{"a": "NaN", "b": [1,\n NaN]}', "NaN is not a number", (2, 2)),
        ('{"a": "1e999",\n   "b": 1e999}', "1e999 is too large", (2, 9)),
        ("[-1e999]", "-1e999 is too large", (1, 2)),
        ("[0.5, " + "9" * 5000 + "]", "too long", (1, 7)),
        ("[\n-" + "9" * 5000 + "]", "too long", (2, 1)),
        ('{\n  "a": 1,\n  "b": {"a": 2},\n  "a": 3\n}', "the key 'a' is there twice", (4, 3)),
        ('{"a": {"b": 1,\n       "c": [{"d": 1, "d": 1}]}}', "the key 'd' is there twice", (2, 23)),
        ('{"a": 1, "\\u0061": 2}', "the key 'a' is there twice", (1, 10)),
        ('{"a": {"b": 1, "b": 2}, ]', "the key 'b' is there twice", (1, 16)),
        ('["\\ud83d\\ude00",\n "\\ud800"]', "half of its code", (2, 3)),
        ('["\\\\ud800",\n "a", "\\uDC00"]', "half of its code", (2, 8)),
        ('{"\\udfff": 1}', "half of its code", (1, 3)),
        ('["a",\n "\\\\ud83d\\ude00"]', "half of its code", (2, 10)),
        ("", "expecting value", (1, 1)),
        ('{"a": 1', "expecting", (1, 8)),
        ('{"a": 1,\n}', "expecting", None),
        ('{"a" 1}', "expecting ':'", (1, 6)),
        ("{} {}", "extra data", (1, 4)),
        ('{"a": "new\nline"}', "invalid control character", (1, 11)),
        ("\ufeff\ufeff{}", "", None),
    ],
)
def test_what_cannot_be_kept_is_refused_with_its_place(text: str, words: str, where: tuple[int, int] | None) -> None:
    problem = refusal(text)
    assert words in problem.problem
    assert where is None or (problem.line, problem.column) == where
    assert str(problem) == f"line {problem.line}, column {problem.column}: {problem.problem}"


@pytest.mark.parametrize("bracket", ["[", '{"a":', '[{"a":'])
def test_a_hundred_thousand_levels_are_refused_where_they_become_too_deep(bracket: str) -> None:
    problem = refusal("\n" + bracket * 100_000)
    levels = bracket.count("[") + bracket.count("{")
    assert problem.line == 2
    assert f"more than {MAX_DEPTH} deep" in problem.problem
    assert problem.column == MAX_DEPTH // levels * len(bracket) + 1


def test_a_file_that_is_too_large_is_refused_unread() -> None:
    assert "larger than 8 MB" in refusal(b'"' + b"a" * MAX_BYTES + b'"').problem


@pytest.mark.parametrize(
    ("data", "words", "where"),
    [
        (b'{"a":\n "M\xfcller"}', "not UTF-8 text", (2, 4)),
        (codecs.BOM_UTF16_LE + b'"\x00a', "not UTF-16-LE text", None),
        (codecs.BOM_UTF16_LE + '"'.encode("utf-16-le") + b"\x00\xd8" + '"'.encode("utf-16-le"), "not UTF-16-LE", None),
        (b"\x00\x00\xfe\xff", "not UTF-8 text", None),
        ("{}".encode("utf-16-le"), "", None),
    ],
)
def test_text_in_another_encoding_is_refused(data: bytes, words: str, where: tuple[int, int] | None) -> None:
    problem = refusal(data)
    assert words in problem.problem
    assert where is None or (problem.line, problem.column) == where


@given(data=st.binary())
@example(b"\xff\xfe")
@example(b"\xef\xbb\xbf")
@example(b'{"a":1,"a"')
@example(b'{"a":{"a":1,"a":1}"')
def test_any_bytes_are_read_or_refused_and_nothing_else(data: bytes) -> None:
    _, problem = outcome(data)
    assert problem is None or (problem.line >= 1 and problem.column >= 1)


tokens = st.sampled_from(
    ["{", "}", "[", "]", ",", ":", '"a"', '"b"', '"\\ud800"', '"', "\\", "1", "-1e999", "NaN", "null", "\n", " ", "é"]
)


@given(text=st.lists(tokens, max_size=40).map("".join))
def test_any_broken_json_is_read_or_refused_and_nothing_else(text: str) -> None:
    value, problem = outcome(text.encode())
    if problem is None:
        assert is_finite(value)
    else:
        lines = text.split("\n")
        assert 1 <= problem.line <= len(lines)
        assert 1 <= problem.column <= len(lines[problem.line - 1]) + 1


def is_finite(value: Any) -> bool:
    if isinstance(value, dict):
        return all(is_finite(item) for item in value.values())
    if isinstance(value, list):
        return all(is_finite(item) for item in value)
    return not isinstance(value, float) or math.isfinite(value)


@pytest.mark.parametrize("value", [[], "text", 1, None])
def test_a_file_must_hold_one_object(value: Any) -> None:
    with pytest.raises(JsonProblem, match="not an object"):
        decode_object(json.dumps(value).encode())


# -- where a field is -----------------------------------------------------------------------------------------------

TEXT = b"""{
  "status": "Pending",
  "student": {"name": "Jane",
              "email": "jane@example.edu"},
  "files": [
    {"name": "a.stl", "size": 1},
    {
      "name": "[{b, \\"name\\": c.stl",
      "size": "large"
    }
  ],
  "print_files": ["a",
    "b"],
  "notes": ""
}
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (["status"], 2),
        (["student"], 3),
        (["student", "name"], 3),
        (["student", "email"], 4),
        (["files"], 5),
        (["files", 0, "size"], 6),
        (["files", 1], 7),
        (["files", 1, "name"], 8),
        (["files", 1, "size"], 9),
        (["files", 1, "sha256"], 7),
        (["files", 2, "name"], 5),
        (["print_files", 1], 13),
        (["notes"], 14),
        (["payment", "amount"], 1),
        ([], 1),
    ],
)
def test_the_line_of_a_field_or_of_its_nearest_parent_is_found(path: list[str | int], line: int) -> None:
    assert line_of_field(TEXT, path) == line
    windows = codecs.BOM_UTF8 + TEXT.replace(b"\n", b"\r\n")
    assert line_of_field(windows, path) == line


@settings(max_examples=40, deadline=None)
@given(value=values)
def test_every_written_field_has_its_line(value: Any) -> None:
    text = json.dumps({"first": 1, "it": value}, indent=0)
    assert line_of_field(text.encode(), ["it"]) == 3


def test_an_unfinished_text_full_of_quotes_is_refused_as_fast_as_it_is_read() -> None:
    text = "[" + "[]," * (MAX_DEPTH + 1) + '"' + '\\"' * 30_000
    assert "unterminated string" in refusal(text).problem
