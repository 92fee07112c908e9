"""Keep the embedded PostgreSQL running until this ends (`run` does this for you).

Under `run` this is who stops the server when `run` itself was killed and cannot.
"""

from __future__ import annotations

import argparse
import logging
import os
import time

from printsys.commands.common import add_storage_argument, settings_from
from printsys.errors import PrintSysError
from printsys.ops import logging_setup
from printsys.ops.postgres import PostgresFailed, embedded_postgres, is_living
from printsys.ops.shutdown import is_orphan, stop_event

LOOK_EVERY_S = 0.5
DYING_PATIENCE_S = 10.0
logger = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_storage_argument(parser)


def run(args: argparse.Namespace) -> int:
    stop, supervisor = stop_event(), os.getppid()
    instance = settings_from(args).instance
    logging_setup.keep(instance, "postgres")
    try:
        with embedded_postgres(instance):
            logger.info("the embedded PostgreSQL is running")
            while not stop.wait(LOOK_EVERY_S):  # on Windows a wait without a time limit would not notice Ctrl-C
                pass
            if is_orphan():
                _wait_until_gone(supervisor)
    except PostgresFailed as error:
        raise PrintSysError(f"There is no database: {error}") from error
    return 0


def _wait_until_gone(pid: int) -> None:
    """A killed process closes its pipes before it is gone; until then its share in the server would count."""
    deadline = time.monotonic() + DYING_PATIENCE_S
    while is_living(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
