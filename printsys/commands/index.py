"""Run the indexer only: it notices what happens in the folders and keeps the mirror what they say."""

from __future__ import annotations

import argparse
import logging
from functools import partial

from indexer.service import SWEEP_EVERY_S, Service
from printsys.commands.common import add_storage_argument, database_if_possible, read_settings
from printsys.config import Settings
from printsys.errors import PostgresFailed
from printsys.ops import logging_setup
from printsys.ops.heartbeat import IndexerBeat
from printsys.ops.postgres import PostgresServer
from printsys.ops.shutdown import stop_event
from printsys.services import build_services
from printsys.worker.queue import make_enqueue

logger = logging.getLogger(__name__)

LOCK_PATIENCE_S = 1.0
"""A busy job is visited again in a moment: the other jobs do not wait for it."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--sweep-every", type=float, default=SWEEP_EVERY_S, metavar="SECONDS", help="default: 300")
    add_storage_argument(parser)


def run(args: argparse.Namespace) -> int:
    stop = stop_event()
    settings = read_settings(args)
    logging_setup.log_to_file(settings.instance, "index")
    with database_if_possible(settings) as settings:
        services = build_services(settings, make_enqueue(settings))
        services.store.lock_patience_s = LOCK_PATIENCE_S
        engine = services.mirror.engine
        Service(
            services.store,
            engine,
            context=services.actions.drag_context,
            changed=services.actions.enqueue,
            sweep_every_s=args.sweep_every,
            watch_mode=settings.watch_mode,
            replace_database=partial(replace_database, settings),
            beat=IndexerBeat(settings),
        ).run(stop)
        engine.dispose()
    return 0


def replace_database(settings: Settings) -> None:
    """Put the embedded database aside, and start an empty one. The lab's own server is its administrator's to mend."""
    server = PostgresServer(settings.instance)
    if settings.database_url is None or settings.database_url != server.url_if_running():
        return
    try:
        with server.locked():
            server.set_aside()
            server.start()
    except PostgresFailed as error:
        logger.error("the embedded PostgreSQL cannot be replaced: %s", error.reason)
