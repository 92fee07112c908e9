"""Build the mirror again from the folders. Pages show the old one until the new one is complete."""

from __future__ import annotations

import argparse

from indexer.rebuild import reindex
from printsys.commands.common import add_storage_argument, migrated_engine, print_result, read_settings
from printsys.commands.progress import add_progress_argument, progress_bar
from printsys.domain.words import counted
from printsys.services import open_store


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print what was done as JSON")
    add_progress_argument(parser)
    add_storage_argument(parser)


def run(args: argparse.Namespace) -> int:
    settings = read_settings(args)
    store = open_store(settings)
    with migrated_engine(settings) as engine, progress_bar(args.progress, "Reading") as progress:
        report = reindex(store, engine, progress, forgets_logs=True)
    lines = [f"{counted(report.jobs, 'job')} from {counted(report.folders, 'folder')}."]
    if report.attention:
        lines.append(f"{counted(len(report.attention), 'of the folders needs', 'of the folders need')} a person:")
        lines += [f"  {item.sentence}" for item in report.attention]
    print_result(args, report.as_json(), "\n".join(lines))
    return 0
