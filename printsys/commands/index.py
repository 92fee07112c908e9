"""Run the indexer only: it keeps the mirror what the folders say (`run` does this for you)."""

from __future__ import annotations

import argparse

from indexer.schema import create_engine
from indexer.service import SWEEP_EVERY_S, Service
from printsys.commands.common import add_storage_argument, database, log_to_stderr, settings_from
from printsys.lifeline import stop_event
from printsys.wiring import open_store


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--sweep-every", type=float, default=SWEEP_EVERY_S, metavar="SECONDS", help="default: 300")
    add_storage_argument(parser)


def run(args: argparse.Namespace) -> int:
    log_to_stderr()
    stop = stop_event()
    settings = settings_from(args)
    store = open_store(settings)
    with database(settings) as settings:
        assert settings.database_url is not None
        engine = create_engine(settings.database_url)
        Service(store, engine, sweep_every_s=args.sweep_every).run(stop)
        engine.dispose()
    return 0
