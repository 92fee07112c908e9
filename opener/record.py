"""Reads from a job's metadata.json, however damaged, which job it is and for which printer."""

from __future__ import annotations

import json
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
        with open(folder / METADATA, "rb") as file:
            record = parse(file.read(SIZE_LIMIT))
    except OSError:
        record = RecordedJob()
    words = folder.name.split("_")
    if not record.method and len(words) >= 4 and names.job_id(words[-1]):
        return replace(record, method=words[-3])  # `Resin` of `JaneDoe_Resin_Clear_k7m29xq4`
    return record


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
