"""Migrate the database. `run` does it by itself at start."""

from __future__ import annotations

import argparse

from indexer import migrate
from printsys.commands.common import add_storage_argument, database, read_settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    steps = parser.add_subparsers(dest="step", required=True)
    steps.add_parser("upgrade", help="bring the schema up to date")
    revision = steps.add_parser("revision", help="write a new migration from the changed tables (for developers)")
    revision.add_argument("-m", "--message", required=True)
    add_storage_argument(parser)


def run(args: argparse.Namespace) -> int:
    with database(read_settings(args)) as settings:
        assert settings.database_url is not None
        if args.step == "upgrade":
            migrate.upgrade(settings.database_url)
        else:
            migrate.revision(settings.database_url, args.message)
    return 0
