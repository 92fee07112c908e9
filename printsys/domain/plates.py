"""A job's plates: what has to come off a printer for it, piece by piece, and what came of each.

With one print file each copy is a piece; with several each file is one, as often as its copies need it. What staff
marked stands in metadata.json under `plates`, a key that is written only where something is marked.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from printsys.domain.job import PLATES, Document, Job

PlateState = Literal["printed", "failed", "reprint"]
PRINTED = "printed"
STATES: tuple[PlateState, ...] = ("printed", "failed", "reprint")
"""`failed` and `reprint` (it came out, and is not good enough) are both to be printed again."""
MOST_PLATES = 60
"""A job with more of them is not marked piece by piece."""


@dataclass(frozen=True)
class Plate:
    """The printing `number` of `file`, or the copy of that number. `file` is empty where no print file is chosen."""

    file: str
    number: int
    title: str
    state: PlateState | None = None

    @property
    def key(self) -> str:
        return f"{self.number}:{self.file}"


def plates(job: Job) -> list[Plate]:
    """Empty for a job of one piece, which needs no marks, and for one of too many."""
    files, copies = job.print_files or [""], job.request.copies
    held = (job.estimate.plate_copies if job.estimate else None) or copies
    count = copies if len(files) == 1 else math.ceil(copies / held)
    if not 1 < len(files) * count <= MOST_PLATES:
        return []
    states = {(mark["file"], mark["number"]): mark["state"] for mark in marks_of(job)}
    return [
        Plate(file, n, _title(file, n, count, len(files) == 1), states.get((file, n)))
        for file in files
        for n in range(1, count + 1)
    ]


def _title(file: str, number: int, count: int, is_copy: bool) -> str:
    if is_copy:
        return f"Copy {number}"
    return f"{file}, print {number} of {count}" if count > 1 else file


def open_plates(job: Job) -> list[Plate]:
    """What is still to be printed of a job whose plates staff mark; empty where they mark none."""
    pieces = plates(job)
    return [plate for plate in pieces if plate.state != PRINTED] if any(plate.state for plate in pieces) else []


def marks_of(job: Job) -> list[Document]:
    """As metadata.json has them; what a person may have written there besides is left out."""
    marks = (job.model_extra or {}).get(PLATES)
    return list(_good(marks)) if isinstance(marks, list) else []


def _good(marks: list[Any]) -> Iterator[Document]:
    for mark in marks:
        if isinstance(mark, dict) and mark.get("state") in STATES:
            file, number = mark.get("file"), mark.get("number")
            if isinstance(file, str) and isinstance(number, int):
                yield {"file": file, "number": number, "state": mark["state"]}


def marked(pieces: list[Plate]) -> list[Document]:
    """For metadata.json."""
    return [
        {"file": plate.file, "number": plate.number, "state": plate.state}
        for plate in pieces
        if plate.state is not None
    ]


def with_renamed_file(marks: list[Document], before: str, after: str) -> list[Document]:
    return [mark | {"file": after} if mark["file"] == before else mark for mark in marks]
