"""Run the task worker only: it sends what is owed (`run` does this for you)."""

from __future__ import annotations

import argparse

from printsys.commands.common import add_storage_argument, read_settings
from printsys.ops import logging_setup
from printsys.worker.tasks import run_worker


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_storage_argument(parser)


def run(args: argparse.Namespace) -> int:
    settings = read_settings(args)
    logging_setup.log_to_file(settings.instance, "work")
    run_worker(settings)
    return 0
