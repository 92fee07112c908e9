"""Fill an empty storage with a dozen lively jobs. They are made up, and look like the real ones."""

from __future__ import annotations

import argparse
import logging

from printsys import demo
from printsys.commands.common import add_storage_argument, read_settings
from printsys.domain.words import counted
from printsys.services import build_services


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--only-if-empty", action="store_true", help="do nothing, quietly, where there are jobs already"
    )
    add_storage_argument(parser)


def run(args: argparse.Namespace) -> int:
    logging.getLogger("printsys.actions").setLevel(logging.ERROR)  # without a database `run` reads it all at its start
    services = build_services(read_settings(args), enqueue=lambda job_id: None)
    if args.only_if_empty and not demo.is_empty(services.store):
        return 0
    jobs = demo.fill(services)
    print(f"{counted(len(jobs), 'job is', 'jobs are')} in {services.settings.storage}.")
    return 0
