"""Keeps the embedded PostgreSQL of `run` alive: a server that dies is started again, later each time that it fails."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path

from printsys.backoff import BackOff
from printsys.ops.postgres import PostgresFailed, runs, start_again

LOOK_EVERY_S = 1.0
PAUSES_S = (1, 2, 5, 10, 30, 60)
SERVER = "the embedded PostgreSQL"
logger = logging.getLogger(__name__)


def keep(instance: Path, stop: threading.Event, moved: Callable[[str], None], url: str) -> None:
    """Until `stop`. `moved(url)` is told where the server listens when that is no longer `url`."""
    backoff = BackOff(PAUSES_S)
    while not stop.wait(LOOK_EVERY_S):
        if runs(instance) or backoff.wait_s(SERVER) > 0:
            continue
        logger.error("%s has died; it is started again", SERVER)
        backoff.failed(SERVER)  # one that dies at once each time is not started ten times a minute
        try:
            now = start_again(instance)
        except (PostgresFailed, OSError) as error:
            logger.error("%s does not start: %s", SERVER, error)
            continue
        if now != url:
            url = now
            moved(url)
