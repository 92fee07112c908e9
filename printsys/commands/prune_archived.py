"""`prune --archived`: archived jobs whose time is over leave an anonymous line each, and their folders go for good."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from printsys.actions.archiving import ended_before
from printsys.actions.pruning import Prunable, PruneResult, prunable, prune
from printsys.commands.common import existing_store, print_result, read_settings, with_services
from printsys.commands.progress import counted, progress_bar
from printsys.config import load_lab
from printsys.domain import words
from printsys.domain.events import SYSTEM
from printsys.domain.job import format_time
from printsys.errors import PrintSysError
from printsys.texts import date_text

DONE, SOME_STAY = 0, 1


def run(args: argparse.Namespace) -> int:
    settings = read_settings(args)
    store = existing_store(settings)
    days = args.older_than if args.older_than is not None else load_lab(settings.lab_config).retention.prune_days
    if days == 0 and args.older_than is None:
        raise PrintSysError("lab.toml has no prune_days in [retention]; --older-than DAYS says which jobs.")
    skipped: list[tuple[str, str]] = []
    jobs = list(prunable(store, ended_before(datetime.now(UTC), days), skipped))
    phrase = f"prune {words.counted(len(jobs), 'job')}"
    if not args.json:
        print("\n".join(_preview(jobs, days)))
    result = PruneResult()
    if jobs and not args.dry_run:
        require_typed(phrase, args.confirm)
        with progress_bar(args.progress, "Pruning") as progress, with_services(settings) as services:
            listed = counted([(job.id, job.revision) for job in jobs], progress)
            result = prune(services.actions, listed, SYSTEM, "retention")
    result.skipped[:0] = skipped
    document = {
        "dry_run": args.dry_run,
        "found": [{"job": job.id, "archived": format_time(job.archived), "size": job.size} for job in jobs],
        "size": sum(job.size for job in jobs),
        "confirm": phrase if jobs else None,
        "pruned": result.pruned,
        "stay": [{"job": job_id, "why": reason} for job_id, reason in result.skipped],
    }
    lines = [f"{words.counted(len(result.pruned), 'job is', 'jobs are')} pruned."]
    print_result(args, document, "\n".join(lines + [f"{job_id} stays: {reason}" for job_id, reason in result.skipped]))
    return SOME_STAY if result.skipped else DONE


def _preview(jobs: Sequence[Prunable], days: int) -> list[str]:
    total = sum(job.size for job in jobs)
    head = f"Archived more than {words.counted(days, 'day')} ago: {words.counted(len(jobs), 'job')}"
    return [
        f"{head}, {total / 1e6:.1f} MB.",
        *(f"  {job.id}, archived {date_text(job.archived)}, {job.size / 1e6:.1f} MB" for job in jobs),
    ]


def require_typed(phrase: str, typed: str | None) -> None:
    """PrintSysError unless a person has typed the phrase: on the command line or, on a terminal, when asked."""
    if typed is None and sys.stdin.isatty():
        typed = input(f"This cannot be undone. Type “{phrase}” to go on: ")
    if typed is None:
        raise PrintSysError(f'Nothing was changed. Add --confirm "{phrase}" if that is what you want.')
    if " ".join(typed.split()).casefold() != phrase.casefold():
        raise PrintSysError(f"Nothing was changed: that is not “{phrase}”.")
