"""`.printsys/digest.json`: the lab's last morning e-mail, the same for every computer of the lab."""

from __future__ import annotations

import logging
from datetime import date

from pydantic import BaseModel, ConfigDict, ValidationError

from printsys import fs
from printsys.domain.job import Time
from printsys.jobstore.store import JobStore

logger = logging.getLogger(__name__)


class LastDigest(BaseModel):
    """`since`: from when on it told what came in. `done`: the recipients who got it, or never will (5xx)."""

    model_config = ConfigDict(extra="allow", frozen=True)

    day: date
    at: Time
    since: Time
    done: tuple[str, ...] = ()


def last_digest(store: JobStore) -> LastDigest | None:
    """None where there was none, or where nobody understands the note of it: then one goes out.

    StorageFailure, StorageOffline: what cannot be read just now may say that everybody has it.
    """
    with store.disk_errors():
        data = fs.read_if_there(store.layout.digest)
    try:
        return LastDigest.model_validate_json(data) if data is not None else None
    except ValidationError as error:
        logger.warning("%s cannot be understood: %s", store.layout.digest, error)
        return None


def note_digest(store: JobStore, note: LastDigest) -> None:
    """Under the lock `digest`. StorageFailure, StorageOffline."""
    with store.disk_errors():
        fs.replace(store.layout.digest, note.model_dump_json(indent=2).encode() + b"\n")
