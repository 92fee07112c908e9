"""Move jobs that ended long ago (picked up or rejected) to Archived/, files and all. Exit code 0: done, 1: some could
not be moved, 2: could not run. The system never does this by itself; to have it done every night, schedule this."""

from __future__ import annotations

import argparse

from printsys.actions.archiving import ArchiveResult, archive, kept_long_enough
from printsys.actions.due_jobs import DueList, read_list
from printsys.commands.common import (
    add_list_arguments,
    add_storage_argument,
    existing_store,
    make_list,
    number_of_days,
    print_result,
    read_settings,
    require_one_use,
    with_services,
)
from printsys.commands.progress import add_progress_argument, counted, progress_bar
from printsys.config import Settings, load_lab
from printsys.domain import words
from printsys.jobstore import JobStore

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
    add_list_arguments(parser)
    add_progress_argument(parser)
    add_storage_argument(parser)


def run(args: argparse.Namespace) -> int:
    require_one_use(args)
    settings = read_settings(args)
    store = existing_store(settings)
    listed = read_list(args.from_list, "archive") if args.from_list is not None else _list(args, settings, store)
    jobs = [(job.id, job.revision) for job in listed.jobs]
    stay = [] if args.from_list is not None else [(job.id, job.why) for job in listed.stay]
    if args.dry_run:
        result = ArchiveResult([job_id for job_id, _ in jobs], stay)
    else:
        with progress_bar(args.progress, "Archiving") as progress, with_services(settings) as services:
            result = archive(services.actions, counted(jobs, progress), listed.summary.before, args.actor)
        result.skipped[:0] = stay
    document = {
        "dry_run": args.dry_run,
        "archived": result.archived,
        "size": listed.summary.size,
        "stay": [{"job": job_id, "why": why} for job_id, why in result.skipped],
    }
    n = len(result.archived)
    verbs = ("job would be", "jobs would be") if args.dry_run else ("job is", "jobs are")
    lines = [f"{words.counted(n, *verbs)} archived{':' if args.dry_run and n else '.'}"]
    lines += [f"  {job_id}" for job_id in result.archived] if args.dry_run else []
    lines += [f"{job_id} stays: {why}" for job_id, why in result.skipped]
    print_result(args, document, "\n".join(lines))
    return SOME_STAY if result.skipped else DONE


def _list(args: argparse.Namespace, settings: Settings, store: JobStore) -> DueList:
    days = load_lab(settings.lab_config).retention.days if args.older_than is None else args.older_than
    return make_list(args, "archive", store, days, kept_long_enough)
