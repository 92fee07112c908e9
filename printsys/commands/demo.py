"""Fill an empty storage with lively jobs. They are made up, and look like the real ones."""

from __future__ import annotations

import argparse
import importlib
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from printsys import demo
from printsys.commands.common import add_storage_argument, read_settings
from printsys.config import Lab
from printsys.demo.crowd import crowd
from printsys.domain.words import counted
from printsys.errors import PrintSysError
from printsys.services import build_services

MOST_JOBS = 10_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--only-if-empty", action="store_true", help="do nothing, quietly, where there are jobs already"
    )
    parser.add_argument("--jobs", type=job_count, metavar="N", help="a busy month of so many jobs, not the usual dozen")
    parser.add_argument(
        "--screenshots", type=Path, metavar="FOLDER", help="no jobs: pictures of the main pages of a system of its own"
    )
    parser.add_argument("--models", type=Path, metavar="FOLDER", help="with --jobs: the models that students send")
    add_storage_argument(parser)


def job_count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MOST_JOBS:
        raise argparse.ArgumentTypeError(f"a number from 1 to {MOST_JOBS}, please")
    return int(text)


def run(args: argparse.Namespace) -> int:
    if args.screenshots is not None:
        return take_screenshots(args.screenshots)
    with _without_warnings():
        return _fill(args)


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Each action's that there is no database: `run` reads it all at its start."""
    logger = logging.getLogger("printsys.actions")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


def _fill(args: argparse.Namespace) -> int:
    services = build_services(read_settings(args), enqueue=lambda job_id: None)
    if args.only_if_empty and not demo.is_empty(services.store):
        return 0
    if args.jobs is None:
        jobs = demo.fill(services)
    else:
        jobs = demo.fill(services, crowd(args.jobs, services.lab, models_in(args.models, services.lab)))
    print(f"{counted(len(jobs), 'job is', 'jobs are')} in {services.settings.storage}.")
    return 0


def take_screenshots(folder: Path) -> int:
    """As the tests look at pages, with Chromium and the packages that `manage.py test` installs."""
    try:
        screenshots = importlib.import_module("tests.screenshots")
    except ModuleNotFoundError as error:
        raise PrintSysError(
            f"Screenshots need what the tests need, and {error.name} is missing: "
            "`python manage.py test --version` installs it."
        ) from error
    for path in screenshots.take(folder):
        print(path, flush=True)
    return 0


def models_in(folder: Path | None, lab: Lab) -> Sequence[Path]:
    """The files under `folder` that the lab's form would take, by their names and sizes."""
    if folder is None:
        return ()
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in lab.submission.extensions)
    return [path for path in files if path.is_file() and path.stat().st_size <= lab.submission.max_file_bytes]
