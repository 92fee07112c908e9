"""Move jobs that ended long ago (picked up or rejected) to Archived/, files and all. Exit code 0: done, 1: some could
not be moved, 2: could not run. The system never does this by itself; to have it done every night, schedule this."""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import ExitStack
from datetime import UTC, datetime

from indexer import migrate
from printsys.actions.archiving import ArchiveResult, archive, ended_before, kept_long_enough
from printsys.commands.common import add_storage_argument, database, read_settings
from printsys.commands.progress import add_progress_argument, counted, progress_bar
from printsys.config import Settings, load_lab
from printsys.domain.events import SYSTEM
from printsys.errors import PrintSysError
from printsys.jobstore.identity import require_storage
from printsys.services import build_services, open_store, remembered_at
from printsys.worker.queue import make_enqueue

DONE, SOME_STAY = 0, 1


def days(text: str) -> int:
    if not text.isdecimal() or int(text) > 36_500:
        raise argparse.ArgumentTypeError(f"{text} is no number of days")
    return int(text)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--older-than", type=days, metavar="DAYS", help="days since the job ended (default: lab.toml's retention)"
    )
    parser.add_argument("--dry-run", action="store_true", help="only say which jobs these are")
    parser.add_argument("--json", action="store_true", help="say what was done as JSON")
    add_progress_argument(parser)
    add_storage_argument(parser)


def run(args: argparse.Namespace) -> int:
    settings = read_settings(args)
    require_storage(settings.storage, remembered_at(settings))
    result = _look(settings, args) if args.dry_run else _archive(settings, args)
    print(_as_json(result, args.dry_run) if args.json else _in_words(result, args.dry_run))
    return SOME_STAY if result.skipped else DONE


def _before(args: argparse.Namespace, retention_days: int) -> datetime:
    return ended_before(datetime.now(UTC), retention_days if args.older_than is None else args.older_than)


def _look(settings: Settings, args: argparse.Namespace) -> ArchiveResult:
    result = ArchiveResult()
    before = _before(args, load_lab(settings.lab_config).retention.days)
    result.archived = [job.id for job in kept_long_enough(open_store(settings), before, result.skipped)]
    return result


def _archive(settings: Settings, args: argparse.Namespace) -> ArchiveResult:
    with ExitStack() as stack:
        try:
            settings = stack.enter_context(database(settings))
            migrate.upgrade(settings.database_url or "")
        except PrintSysError as error:  # the folders are the record; the mirror follows by itself
            print(error, file=sys.stderr)
        services = build_services(settings, make_enqueue(settings))
        before = _before(args, services.lab.retention.days)
        unread: list[tuple[str, str]] = []
        candidates = [(job.id, job.revision) for job in kept_long_enough(services.store, before, unread)]
        with progress_bar(args.progress, "Archiving") as progress:
            result = archive(services.actions, counted(candidates, progress), before, SYSTEM)
        services.mirror.engine.dispose()
    result.skipped[:0] = unread
    return result


def _as_json(result: ArchiveResult, dry_run: bool) -> str:
    stay = [{"job": job_id, "why": why} for job_id, why in result.skipped]
    return json.dumps({"dry_run": dry_run, "archived": result.archived, "stay": stay}, indent=2)


def _in_words(result: ArchiveResult, dry_run: bool) -> str:
    n = len(result.archived)
    verb = "would be archived" if dry_run else "is archived" if n == 1 else "are archived"
    lines = [f"{n} {'job' if n == 1 else 'jobs'} {verb}{':' if dry_run and n else '.'}"]
    lines += [f"  {job_id}" for job_id in result.archived] if dry_run else []
    return "\n".join(lines + [f"{job_id} stays: {why}" for job_id, why in result.skipped])
