"""Keeps the embedded PostgreSQL of `run` alive: starts it again when it dies, later each time that this fails."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path

from printsys.backoff import BackOff
from printsys.errors import PostgresFailed
from printsys.ops.postgres import PostgresServer

PROBE_EVERY_S = 1.0
PAUSES_S = (1, 2, 5, 10, 30, 60)
SERVER = "the embedded PostgreSQL"
logger = logging.getLogger(__name__)


def keep(instance: Path, url: str | None, on_move: Callable[[str], None], stop: threading.Event) -> None:
    """Until `stop`. Calls `on_move` with the server's new URL when that is no longer `url` (None: it never started)."""
    server, backoff = PostgresServer(instance), BackOff(PAUSES_S)
    while not stop.wait(PROBE_EVERY_S):
        if backoff.wait_s(SERVER) > 0:
            continue
        try:
            running_url = server.url_if_running()
            if running_url is None and not server.is_listening():
                logger.error("%s does not run; it is started", SERVER)
                backoff.failed(SERVER)  # one that dies at once each time is not started ten times a minute
                with server.locked():
                    running_url = server.start()
        except PostgresFailed as error:
            logger.error("%s does not start: %s", SERVER, error.reason)
            continue
        except OSError as error:  # no more files may be opened, say
            logger.error("whether %s runs cannot be seen: %s", SERVER, error.strerror)
            backoff.failed(SERVER)
            continue
        if running_url is not None and running_url != url:  # started here, or replaced by another process
            url = running_url
            on_move(url)
