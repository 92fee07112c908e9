"""Move jobs that ended long ago (picked up or rejected) to Archived/, files and all. Exit code 0: done, 1: some could
not be moved, 2: could not run. The system never does this by itself; to have it done every night, schedule this."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from datetime import UTC, datetime

from printsys.actions.archiving import ArchiveResult, archive, ended_before, kept_long_enough
from printsys.commands.common import (
    add_storage_argument,
    existing_store,
    number_of_days,
    print_result,
    read_settings,
    with_services,
)
from printsys.commands.progress import add_progress_argument, counted, progress_bar
from printsys.config import Settings, load_lab
from printsys.domain import words
from printsys.domain.events import SYSTEM

DONE, SOME_STAY = 0, 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--older-than",
        type=number_of_days,
        metavar="DAYS",
        help="days since the job ended (default: lab.toml's retention)",
    )
    parser.add_argument("--dry-run", action="store_true", help="only list the jobs")
    parser.add_argument("--json", action="store_true", help="print what was done as JSON")
    add_progress_argument(parser)
    add_storage_argument(parser)


def run(args: argparse.Namespace) -> int:
    settings = read_settings(args)
    store = existing_store(settings)
    days = load_lab(settings.lab_config).retention.days if args.older_than is None else args.older_than
    before = ended_before(datetime.now(UTC), days)
    skipped: list[tuple[str, str]] = []
    jobs = [(job.id, job.revision) for job in kept_long_enough(store, before, skipped)]
    if args.dry_run:
        result = ArchiveResult([job_id for job_id, _ in jobs], skipped)
    else:
        with progress_bar(args.progress, "Archiving") as progress:
            result = _archive(settings, counted(jobs, progress), before)
        result.skipped[:0] = skipped
    document = {
        "dry_run": args.dry_run,
        "archived": result.archived,
        "stay": [{"job": job_id, "why": why} for job_id, why in result.skipped],
    }
    n = len(result.archived)
    verbs = ("job would be", "jobs would be") if args.dry_run else ("job is", "jobs are")
    lines = [f"{words.counted(n, *verbs)} archived{':' if args.dry_run and n else '.'}"]
    lines += [f"  {job_id}" for job_id in result.archived] if args.dry_run else []
    lines += [f"{job_id} stays: {why}" for job_id, why in result.skipped]
    print_result(args, document, "\n".join(lines))
    return SOME_STAY if result.skipped else DONE


def _archive(settings: Settings, jobs: Iterable[tuple[str, int]], before: datetime) -> ArchiveResult:
    with with_services(settings) as services:
        return archive(services.actions, jobs, before, SYSTEM)
