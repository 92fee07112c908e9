"""Build the mirror anew from the folders. Pages keep showing the old one until the new one is complete."""

from __future__ import annotations

import argparse
import json

from indexer import migrate
from indexer.rebuild import SweepReport, reindex
from indexer.schema import create_engine
from printsys.commands.common import add_storage_argument, database, read_settings
from printsys.commands.progress import add_progress_argument, progress_bar
from printsys.services import open_store


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="say what was done as JSON")
    add_progress_argument(parser)
    add_storage_argument(parser)


def run(args: argparse.Namespace) -> int:
    settings = read_settings(args)
    store = open_store(settings)
    with database(settings) as settings:
        assert settings.database_url is not None
        migrate.upgrade(settings.database_url)
        engine = create_engine(settings.database_url)
        with progress_bar(args.progress, "Reading") as progress:
            report = reindex(store, engine, progress)
        engine.dispose()
    print(json.dumps(report.as_json(), indent=2) if args.json else in_words(report))
    return 0


def in_words(report: SweepReport) -> str:
    told = [f"{report.jobs} jobs from {report.folders} folders."]
    if report.attention:
        told.append(f"{len(report.attention)} of the folders need a person:")
        told += [f"  {one.sentence}" for one in report.attention]
    return "\n".join(told)
