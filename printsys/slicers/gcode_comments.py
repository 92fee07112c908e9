"""The comments of a G-code file: of its beginning and its end, never of the whole.

Prusa's statistics stand before 20 to 60 KB of configuration at the end, ideaMaker's in the last lines, Bambu's and
Cura's at the beginning, where embedded pictures may take some hundred kilobytes.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import io
import os
import re
from collections.abc import Iterator
from functools import cached_property
from typing import IO, BinaryIO, NamedTuple

HEAD = 256 << 10
TAIL = 192 << 10
MOST_HEAD = 4 << 20
"""How far we follow pictures at the beginning."""
MOST_LINE = 2000
MOST_PICTURES = 32
BEGIN = re.compile(rb"^; ?thumbnail(?:_(\w{1,8}))? begin (\d{1,5})[ x](\d{1,5}) (\d{1,8})[^\r\n]*", re.MULTILINE)
BODY = re.compile(rb"(?:[\r\n]+;[ \t]?[A-Za-z0-9+/=]{1,256}[ \t]*(?=[\r\n]|\Z))*")
"""The picture goes on as long as lines look like base64: a file may lack the line that ends it."""
COMMENT = re.compile(rb"\n;+[ \t]*([^\r\n]{1,%d})" % MOST_LINE)
"""Begins with fixed bytes, so that the search passes quickly over lines of moves."""


UTF_16 = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
"""As Windows programs save text: by the mark at its beginning."""


class Picture(NamedTuple):
    """`data` as in the file, in base64."""

    format: str
    width: int
    height: int
    data: bytes

    def unpacked(self) -> bytes:
        """b"" for data that are not base64."""
        try:
            return base64.b64decode(re.sub(rb"[^A-Za-z0-9+/=]", b"", self.data))
        except binascii.Error:
            return b""


class GcodeComments:
    """Comment lines without their semicolons, in the order of the file, without the pictures among them."""

    def __init__(self, head: bytes, tail: bytes = b"") -> None:
        self.head, self.tail = head.removeprefix(codecs.BOM_UTF8), tail
        self.pictures: list[Picture] = []
        self.lines = [*self._comments(self.head), *self._comments(tail)]

    def _comments(self, text: bytes) -> Iterator[str]:
        for piece in self._without_pictures(text):
            yield from (m.group(1).decode("utf-8", "replace").rstrip() for m in COMMENT.finditer(b"\n" + piece))

    def _without_pictures(self, text: bytes) -> Iterator[bytes]:
        at = 0
        while (begin := _search_picture(text, text.find(b"thumbnail", at))) and len(self.pictures) < MOST_PICTURES:
            yield text[at : begin.start()]
            body = BODY.match(text, begin.end())
            at = body.end() if body else begin.end()
            kind, width, height, _size = begin.groups()
            data = text[begin.end() : at]
            self.pictures.append(Picture((kind or b"PNG").decode().upper(), int(width), int(height), data))
        yield text[at:]

    @cached_property
    def equals(self) -> dict[str, list[str]]:
        """`key = value`: every value of a key, in order. Slic3r states one key twice, Prusa at both ends."""
        return self._values(" = ", " =")

    @cached_property
    def colons(self) -> dict[str, list[str]]:
        """`key: value`, `key : value` and `KEY:value`."""
        return self._values(":", ":")

    def _values(self, sign: str, last: str) -> dict[str, list[str]]:
        values: dict[str, list[str]] = {}
        for line in self.lines:
            key, separator, value = line.partition(sign)
            if separator or line.endswith(last):
                values.setdefault(key.removesuffix(last).strip(), []).append(_unquoted(value.strip()))
        return values

    def setting(self, key: str) -> str | None:
        """The value of `key = value`; of several, the last that is not empty."""
        return next((value for value in reversed(self.equals.get(key, [])) if value), None)

    def header(self, key: str) -> str | None:
        """The value of `key: value`; of several, the first that is not empty."""
        return next((value for value in self.colons.get(key, []) if value), None)

    def search(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """The first line that matches from its start."""
        return next((match for line in self.lines if (match := pattern.match(line))), None)


def _unquoted(value: str) -> str:
    """`""` is how PrusaSlicer 3 writes that nothing is set. A list keeps the quotes of its members."""
    return value[1:-1] if value.startswith('"') and value.find('"', 1) == len(value) - 1 else value


def of_file(stream: BinaryIO, start: int = 0) -> GcodeComments:
    """Of the G-code that begins at byte `start`. Reads at most HEAD and TAIL, and pictures that began in the head to
    their end. Leaves out lines that this cuts in two."""
    size = stream.seek(0, os.SEEK_END)
    stream.seek(start)
    head = head_of(stream)
    if (encoding := UTF_16.get(head[:2])) is not None:
        return of_file(io.BytesIO(_from_utf_16(stream, start, size, encoding)))
    if size - start - len(head) <= TAIL:
        return GcodeComments(head + stream.read(TAIL))
    stream.seek(size - TAIL)
    tail = stream.read(TAIL)
    return GcodeComments(_whole_lines(head), tail[tail.find(b"\n") + 1 :])


def of_start(stream: IO[bytes]) -> GcodeComments:
    """Of the beginning alone: a part of a zip package opens only there."""
    head = head_of(stream)
    if (encoding := UTF_16.get(head[:2])) is not None:
        head = head_of(io.BytesIO((head[2:] + stream.read(HEAD)).decode(encoding, "replace").encode()))
    return GcodeComments(_whole_lines(head) if len(head) >= HEAD else head)


def _from_utf_16(stream: BinaryIO, start: int, size: int, encoding: str) -> bytes:
    """Without the mark. Of a long file the beginning, as far as we would follow pictures in it, and the end."""
    stream.seek(start + 2)
    text = stream.read(MOST_HEAD)
    left_out = size - stream.tell() - 2 * TAIL
    if left_out <= 0:
        return (text + stream.read(2 * TAIL)).decode(encoding, "replace").encode()
    stream.seek(left_out // 2 * 2, os.SEEK_CUR)
    head, tail = (part.decode(encoding, "replace").encode() for part in (text, stream.read(2 * TAIL + 2)))
    return _whole_lines(head) + tail[tail.find(b"\n") + 1 :]


def _whole_lines(head: bytes) -> bytes:
    return head[: head.rfind(b"\n") + 1]


def head_of(stream: IO[bytes]) -> bytes:
    head = stream.read(HEAD)
    while len(head) < MOST_HEAD:
        begin = _search_picture(head, head.rfind(b"thumbnail"))
        ends_in_a_picture = begin is not None and begin.end() + int(begin.group(4)) > len(head)
        if not ends_in_a_picture or not (chunk := stream.read(HEAD)):
            break
        head += chunk
    return head


def _search_picture(text: bytes, at: int) -> re.Match[bytes] | None:
    """The first beginning of a picture at or after the word `thumbnail` at `at`; -1: there is no such word."""
    return BEGIN.search(text, max(0, at - 2)) if at >= 0 else None
