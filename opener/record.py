"""What the opener wants to know of a job's metadata.json, however damaged that is: which job, which printer."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

from opener import names

METADATA = "metadata.json"
SIZE_LIMIT = 4 * 1024 * 1024
"""Bytes; a job's record is a few kB."""


@dataclass(frozen=True)
class RequestLog:
    """Empty where metadata.json does not say, or cannot be read."""

    id: str = ""
    method: str = ""
    printer: str = ""


def read(folder: Path) -> RequestLog:
    """Never raises for what the file holds, nor for a file that is not there."""
    try:
        with open(folder / METADATA, "rb") as file:
            found = parse(file.read(SIZE_LIMIT))
    except OSError:
        found = RequestLog()
    return found if found.method else replace(found, method=_method_in_name(folder.name))


def _method_in_name(folder_name: str) -> str:
    """`Resin` of `JaneDoe_Resin_Clear_k7m29xq4`; empty where a person named the folder otherwise."""
    words = folder_name.split("_")
    return words[-3] if len(words) >= 4 and names.job_id(words[-1]) else ""


def parse(raw: bytes) -> RequestLog:
    try:
        document = json.loads(raw)  # takes a byte-order mark of UTF-16 by itself
    except (ValueError, RecursionError):
        try:
            document = json.loads(raw.decode("utf-8-sig"))
        except (ValueError, RecursionError):
            return RequestLog()
    if not isinstance(document, dict):
        return RequestLog()
    request = document.get("request")
    request = request if isinstance(request, dict) else {}
    id_ = names.job_id(_text(document.get("id")))
    return RequestLog(id_ or "", _text(request.get("method")).strip(), _text(request.get("printer")).strip())


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
