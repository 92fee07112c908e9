"""`.printsys/lab.json`: what is otherwise at the lab today, for every computer of the lab."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from pydantic import ValidationError

from printsys import fs
from printsys.domain.lab_today import LabToday
from printsys.jobstore.jsontext import JsonProblem, decode_object
from printsys.jobstore.store import JobStore

logger = logging.getLogger(__name__)


def lab_today(store: JobStore) -> LabToday:
    """As usual, where there is nothing, or nothing that can be read: pages go on."""
    try:
        data = fs.read_if_there(store.layout.lab_today)
        return LabToday.model_validate(decode_object(data)) if data is not None else LabToday()
    except (JsonProblem, ValidationError, OSError) as error:
        logger.warning("%s cannot be read: %s", store.layout.lab_today, error)
        return LabToday()


def unreadable(path: Path) -> Path:
    """Where a file that nobody can read is kept for the hand that wrote it."""
    return path.with_name(f"{path.stem}.unreadable{path.suffix}")


def change_lab_today(store: JobStore, change: Callable[[LabToday], LabToday]) -> LabToday:
    """JobBusy, StorageFailure, StorageOffline."""
    with store.locked("lab"), store.disk_errors():
        path = store.layout.lab_today
        data = fs.read_if_there(path)
        try:
            today = LabToday.model_validate(decode_object(data)) if data is not None else LabToday()
        except (JsonProblem, ValidationError):
            logger.warning("%s cannot be read; it is kept as %s", path, unreadable(path).name)
            fs.rename_over(path, unreadable(path))
            today = LabToday()
        changed = change(today)
        fs.replace(store.layout.lab_today, changed.model_dump_json(indent=2, exclude_none=True).encode() + b"\n")
    return changed
