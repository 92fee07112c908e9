"""A list of jobs that one call of `archive` or `prune --archived` makes, and another one carries out."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from printsys.actions.due_jobs import DueJob, DueList, Task, due_before, due_list, write_list
from printsys.domain.events import STAFF, SYSTEM, actor_kind
from printsys.errors import PrintSysError
from printsys.jobstore import JobStore

Find = Callable[[JobStore, datetime, list[tuple[str, str]]], Iterator[DueJob]]


def add_list_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--save-list", type=Path, metavar="FILE", help="with --dry-run: keep the list in a file")
    parser.add_argument("--from-list", type=Path, metavar="FILE", help="the jobs of such a list and no others")
    parser.add_argument(
        "--actor",
        type=actor,
        default=SYSTEM,
        help="whose doing it is for the jobs' logs: system, staff or staff:NAME (default: system)",
    )


def actor(text: str) -> str:
    if text not in (SYSTEM, STAFF) and not (actor_kind(text) == STAFF and text.partition(":")[2].strip()):
        raise argparse.ArgumentTypeError(f"{text} is nobody; it is system, staff or staff:NAME")
    return text


def require_one_use(args: argparse.Namespace) -> None:
    """PrintSysError where it is to make a list and not only to list, or to look at other jobs than those of a list."""
    if args.save_list is not None and not args.dry_run:
        raise PrintSysError("--save-list is for --dry-run. Nothing was changed.")
    if args.from_list is not None and (args.dry_run or args.older_than is not None):
        raise PrintSysError("--from-list takes the jobs that were listed, so no --older-than and no --dry-run.")


def make_list(args: argparse.Namespace, task: Task, store: JobStore, days: int, find: Find) -> DueList:
    """Of what is due now, kept in a file where --save-list asks for it."""
    now = datetime.now(UTC)
    skipped: list[tuple[str, str]] = []
    jobs = list(find(store, due_before(now, days), skipped))
    listed = due_list(task, now, days, jobs, skipped)
    if args.save_list is not None:
        try:
            write_list(args.save_list, listed)
        except OSError as error:
            raise PrintSysError(f"The list cannot be written to {args.save_list} ({error.strerror}).") from error
    return listed
