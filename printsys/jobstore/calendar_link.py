"""`.printsys/calendar.json`: the secret of the calendar's link, the same on every computer of the lab.

Without it there is no such link. A new secret makes the old link useless.
"""

from __future__ import annotations

import json
import logging
import secrets

from printsys import fs
from printsys.domain.job import format_time
from printsys.jobstore.jsontext import JsonProblem, decode_object
from printsys.jobstore.store import JobStore

logger = logging.getLogger(__name__)


def calendar_secret(store: JobStore) -> str | None:
    """None, too, for a file that nobody can read: then the link leads nowhere until staff make a new one."""
    try:
        data = fs.read_if_there(store.layout.calendar)
        secret = decode_object(data).get("secret") if data is not None else None
    except (JsonProblem, OSError) as error:
        logger.warning("%s cannot be read: %s", store.layout.calendar, error)
        return None
    return secret if isinstance(secret, str) and secret else None


def renew_calendar_secret(store: JobStore) -> None:
    """JobBusy, StorageFailure, StorageOffline."""
    with store.locked("calendar"), store.disk_errors():
        note = {"secret": secrets.token_urlsafe(18), "since": format_time(store.clock())}
        fs.replace(store.layout.calendar, json.dumps(note).encode() + b"\n")


def drop_calendar_secret(store: JobStore) -> None:
    """The same errors."""
    with store.locked("calendar"), store.disk_errors():
        fs.unlink(store.layout.calendar)
