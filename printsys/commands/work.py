"""Run the task worker only: it sends what is owed (`run` does this for you)."""

from __future__ import annotations

import argparse

from printsys.commands.common import add_storage_argument, log_to_stderr, settings_from
from printsys.tasks import run_worker


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_storage_argument(parser)


def run(args: argparse.Namespace) -> int:
    log_to_stderr()
    run_worker(settings_from(args))
    return 0
