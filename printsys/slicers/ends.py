"""The comments of a G-code file: of its beginning and its end, never of the whole.

Prusa's statistics stand before 20 to 60 KB of configuration at the end, ideaMaker's in the last lines, Bambu's and
Cura's at the beginning, where embedded pictures may take some hundred kilobytes.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
from collections.abc import Iterator
from functools import cached_property
from typing import IO, BinaryIO, NamedTuple

HEAD = 256 << 10
TAIL = 192 << 10
MOST_HEAD = 4 << 20
"""How far pictures at the beginning are followed."""
MOST_LINE = 2000
MOST_PICTURES = 32
BEGIN = re.compile(rb"^; ?thumbnail(?:_(\w{1,8}))? begin (\d{1,5})[ x](\d{1,5}) (\d{1,8})[^\r\n]*", re.MULTILINE)
BODY = re.compile(rb"(?:[\r\n]+;[ \t]?[A-Za-z0-9+/=]{1,256}[ \t]*(?=[\r\n]|\Z))*")
"""What follows is the picture as long as it looks like base64: a file may lack the line that ends it."""
COMMENT = re.compile(rb"\n;+[ \t]*([^\r\n]{1,%d})" % MOST_LINE)
"""Begins with bytes that are fixed, so that lines of moves are passed over quickly."""


class Picture(NamedTuple):
    """`data` is what stands in the file, still in base64."""

    format: str
    width: int
    height: int
    data: bytes

    def unpacked(self) -> bytes:
        """b"" where it is no base64."""
        try:
            return base64.b64decode(re.sub(rb"[^A-Za-z0-9+/=]", b"", self.data))
        except binascii.Error:
            return b""


class Ends:
    """Comment lines without their semicolons, in the order of the file, pictures taken out."""

    def __init__(self, head: bytes, tail: bytes = b"") -> None:
        self.head, self.tail = head, tail
        self.pictures: list[Picture] = []
        self.lines = [*self._comments(head), *self._comments(tail)]

    def _comments(self, text: bytes) -> Iterator[str]:
        for piece in self._without_pictures(text):
            yield from (m.group(1).decode("utf-8", "replace").rstrip() for m in COMMENT.finditer(b"\n" + piece))

    def _without_pictures(self, text: bytes) -> Iterator[bytes]:
        at = 0
        while (begin := _next_picture(text, at)) and len(self.pictures) < MOST_PICTURES:
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
        return self._parted(" = ", " =")

    @cached_property
    def colons(self) -> dict[str, list[str]]:
        """`key: value`, `key : value` and `KEY:value`."""
        return self._parted(":", ":")

    def _parted(self, sign: str, last: str) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for line in self.lines:
            key, parted, value = line.partition(sign)
            if parted or line.endswith(last):
                found.setdefault(key.removesuffix(last).strip(), []).append(value.strip())
        return found

    def setting(self, key: str) -> str | None:
        """The value of `key = value`; of several, the last that is not empty."""
        return next((value for value in reversed(self.equals.get(key, [])) if value), None)

    def header(self, key: str) -> str | None:
        """The value of `key: value`; of several, the first that is not empty."""
        return next((value for value in self.colons.get(key, []) if value), None)

    def search(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """The first line that matches from its start."""
        return next((match for line in self.lines if (match := pattern.match(line))), None)


def of_file(stream: BinaryIO, start: int = 0) -> Ends:
    """Of the G-code that begins at byte `start`. Reads at most HEAD and TAIL, and pictures that began in the head to
    their end. Lines cut in two count as none."""
    size = stream.seek(0, os.SEEK_END)
    stream.seek(start)
    head = head_of(stream)
    if size - start - len(head) <= TAIL:
        return Ends(head + stream.read(TAIL))
    stream.seek(size - TAIL)
    tail = stream.read(TAIL)
    return Ends(_whole_lines(head), tail[tail.find(b"\n") + 1 :])


def of_start(stream: IO[bytes]) -> Ends:
    """The beginning alone, of what can only be read from there."""
    head = head_of(stream)
    return Ends(_whole_lines(head) if len(head) >= HEAD else head)


def _whole_lines(head: bytes) -> bytes:
    return head[: head.rfind(b"\n") + 1]


def head_of(stream: IO[bytes]) -> bytes:
    head = stream.read(HEAD)
    while len(head) < MOST_HEAD and _in_a_picture(head):
        more = stream.read(HEAD)
        if not more:
            break
        head += more
    return head


def _next_picture(text: bytes, at: int = 0) -> re.Match[bytes] | None:
    word = text.find(b"thumbnail", at)
    return BEGIN.search(text, max(at, word - 2)) if word >= 0 else None


def _in_a_picture(text: bytes) -> bool:
    begin = BEGIN.search(text, max(0, text.rfind(b"thumbnail") - 2))
    return begin is not None and begin.end() + int(begin.group(4)) > len(text)
