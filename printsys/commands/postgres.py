"""Keep the embedded PostgreSQL running until this ends (`run` does this for you).

Under `run` this process stops the server when `run` itself was killed and cannot.
"""

from __future__ import annotations

import argparse
import logging
import time

from printsys.commands.common import add_storage_argument, read_settings
from printsys.ops import logging_setup
from printsys.ops.postgres import PostgresServer, embedded_postgres
from printsys.ops.shutdown import stop_event

CHECK_EVERY_S = 0.5
DYING_PATIENCE_S = 10.0
logger = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_storage_argument(parser)


def run(args: argparse.Namespace) -> int:
    stop = stop_event()
    instance = read_settings(args).instance
    logging_setup.log_to_file(instance, "postgres")
    with embedded_postgres(instance):
        logger.info("the embedded PostgreSQL is running")
        while not stop.wait(CHECK_EVERY_S):  # on Windows a wait without a time limit would not notice Ctrl-C
            pass
        if stop.is_orphan:
            _wait_for_dead_users(PostgresServer(instance))
    return 0


def _wait_for_dead_users(server: PostgresServer) -> None:
    """The operating system closes a killed process's pipes before it frees its locks."""
    deadline = time.monotonic() + DYING_PATIENCE_S
    while time.monotonic() < deadline:
        with server.locked():
            if server.count_uses() == 1:
                return
        time.sleep(0.02)
