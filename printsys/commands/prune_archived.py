"""`prune --archived`: archived jobs whose time is over leave an anonymous line each, and their folders go for good."""

from __future__ import annotations

import argparse
import sys

from printsys.actions.due_jobs import DueList, read_list
from printsys.actions.pruning import PruneResult, prunable, prune, prune_phrase
from printsys.commands.common import (
    existing_store,
    make_list,
    print_result,
    read_settings,
    require_one_use,
    with_services,
)
from printsys.commands.progress import counted, progress_bar
from printsys.config import Settings, load_lab
from printsys.domain import words
from printsys.domain.job import format_time
from printsys.errors import PrintSysError
from printsys.jobstore import JobStore
from printsys.ops.backup_record import under_way
from printsys.texts import date_text

DONE, SOME_STAY = 0, 1


def run(args: argparse.Namespace) -> int:
    require_one_use(args)
    settings = read_settings(args)
    store = existing_store(settings)
    listed = read_list(args.from_list, "prune") if args.from_list is not None else _list(args, settings, store)
    jobs, phrase = listed.jobs, prune_phrase(len(listed.jobs))
    if not args.json and args.from_list is None:
        print("\n".join(_preview(listed)))
    result = PruneResult()
    if jobs and not args.dry_run:
        require_typed(phrase, args.confirm)
        with (
            under_way(settings),
            progress_bar(args.progress, "Pruning") as progress,
            with_services(settings) as services,
        ):
            revisions = counted([(job.id, job.revision) for job in jobs], progress)
            result = prune(services.actions, revisions, args.actor, "retention", listed.summary.before)
    if args.from_list is None:
        result.skipped[:0] = [(job.id, job.why) for job in listed.stay]
    document = {
        "dry_run": args.dry_run,
        "found": [{"job": job.id, "archived": format_time(job.since), "size": job.size} for job in jobs],
        "size": listed.summary.size,
        "confirm": phrase if jobs else None,
        "pruned": result.pruned,
        "stay": [{"job": job_id, "why": reason} for job_id, reason in result.skipped],
    }
    lines = [f"{words.counted(len(result.pruned), 'job is', 'jobs are')} pruned."]
    print_result(args, document, "\n".join(lines + [f"{job_id} stays: {reason}" for job_id, reason in result.skipped]))
    return SOME_STAY if result.skipped else DONE


def _list(args: argparse.Namespace, settings: Settings, store: JobStore) -> DueList:
    days = args.older_than if args.older_than is not None else load_lab(settings.lab_config).retention.prune_days
    if days == 0 and args.older_than is None:
        raise PrintSysError("lab.toml has no prune_days in [retention]; --older-than DAYS says which jobs.")
    return make_list(args, "prune", store, days, prunable)


def _preview(listed: DueList) -> list[str]:
    summary = listed.summary
    head = f"Archived more than {words.counted(summary.days, 'day')} ago: {words.counted(summary.jobs, 'job')}"
    return [
        f"{head}, {summary.size / 1e6:.1f} MB.",
        *(f"  {job.id}, archived {date_text(job.since)}, {job.size / 1e6:.1f} MB" for job in listed.jobs),
    ]


def require_typed(phrase: str, typed: str | None) -> None:
    """PrintSysError unless a person has typed the phrase: on the command line or, on a terminal, when asked."""
    if typed is None and sys.stdin.isatty():
        typed = input(f"This cannot be undone. Type “{phrase}” to go on: ")
    if typed is None:
        raise PrintSysError(f'Nothing was changed. Add --confirm "{phrase}" if that is what you want.')
    if not words.is_typed(phrase, typed):
        raise PrintSysError(f"Nothing was changed: that is not “{phrase}”.")
