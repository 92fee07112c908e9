"""Reads from a job's metadata.json, however damaged, which job it is and for which printer."""

from __future__ import annotations

import errno
import json
import os
import stat
from dataclasses import dataclass, replace
from pathlib import Path

from opener import names

METADATA = "metadata.json"
SIZE_LIMIT = 4 * 1024 * 1024
"""Bytes; a job's record is a few kB."""


@dataclass(frozen=True)
class RecordedJob:
    """A field is empty where metadata.json does not say, or cannot be read."""

    id: str = ""
    method: str = ""
    printer: str = ""


def read(folder: Path) -> RecordedJob:
    """Never raises for what the file holds, nor for a missing file."""
    try:
        record = parse(read_regular(folder / METADATA, SIZE_LIMIT))
    except OSError:
        record = RecordedJob()
    words = folder.name.split("_")
    if not record.method and len(words) >= 4 and names.job_id(words[-1]):
        return replace(record, method=words[-3])  # `Resin` of `JaneDoe_Resin_Clear_k7m29xq4`
    return record


def read_regular(path: Path, limit: int) -> bytes:
    """The first `limit` bytes of an ordinary file. OSError for all else: the opening of a pipe could wait for ever."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is no ordinary file", str(path))
        return file.read(limit)


def parse(raw: bytes) -> RecordedJob:
    try:
        document = json.loads(raw)  # takes a byte-order mark of UTF-16 by itself
    except (ValueError, RecursionError):
        try:
            document = json.loads(raw.decode("utf-8-sig"))
        except (ValueError, RecursionError):
            return RecordedJob()
    if not isinstance(document, dict):
        return RecordedJob()
    request = document.get("request")
    request = request if isinstance(request, dict) else {}
    id_ = names.job_id(_text(document.get("id")))
    return RecordedJob(id_ or "", _text(request.get("method")).strip(), _text(request.get("printer")).strip())


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
