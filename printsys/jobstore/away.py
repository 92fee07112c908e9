"""What happened in the folders while nobody was looking: which events of which jobs, until staff have read it.

Kept in storage, beside the jobs: it is true for every computer of the lab, and outlives the mirror.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from printsys import fs
from printsys.domain.job import format_time
from printsys.jobstore.jsontext import JsonProblem, decode_object

MOST = 500
"""So many lines can be read; the histories of the jobs have all of them."""
Line = tuple[str, int]
"""A job's id, and the number of an event of it."""


@dataclass(frozen=True)
class Away:
    """`since` is when the system last looked before, as far as it is known."""

    since: datetime | None
    lines: tuple[Line, ...]


def read(path: Path) -> Away:
    """Nothing, where there is nothing, or nothing that can be read: it is only a reminder."""
    data = fs.read_if_there(path)
    try:
        told = decode_object(data) if data is not None else {}
        since = told.get("since")
        lines = tuple((str(job_id), int(seq)) for job_id, seq in told.get("lines", []))
        return Away(datetime.fromisoformat(since) if since else None, lines)
    except (JsonProblem, ValueError, TypeError):
        return Away(None, ())


def note(path: Path, lines: Iterable[Line], since: datetime | None) -> None:
    """Add to what has not been read yet; what was noted first says since when."""
    known = read(path)
    every = tuple(dict.fromkeys([*known.lines, *lines]))[-MOST:]
    first = known.since if known.lines else since
    told = {"since": format_time(first) if first else None, "lines": every}
    fs.replace(path, json.dumps(told).encode())
