"""Remove for good what was deleted more than 30 days ago, and what interrupted work left behind. A job's files are
touched only with --archived: then jobs that have long been archived go, and leave an anonymous line each. On a terminal
it asks first. Exit code 0: done, 1: some could not be removed, 2: could not run."""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, datetime
from pathlib import Path

from printsys.assessment.upload_checker import SCRATCH
from printsys.commands import prune_archived
from printsys.commands.common import (
    add_list_arguments,
    add_storage_argument,
    existing_store,
    number_of_days,
    read_settings,
)
from printsys.commands.progress import Progress, add_progress_argument, counted, progress_bar
from printsys.domain.job import format_time
from printsys.errors import PrintSysError
from printsys.jobstore import JobStore
from printsys.jobstore.trash import Waste, find_scratch, find_waste, remove

DONE, SOME_STAY = 0, 1
NAMES = {
    "trash": "in the trash since",
    "staging": "left of a submission that was interrupted on",
    "scratch": "left of the inspection of a model on",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--archived", action="store_true", help="prune jobs that have long been archived instead")
    parser.add_argument(
        "--older-than", type=number_of_days, metavar="DAYS", help="days since they were archived (default: lab.toml's)"
    )
    parser.add_argument("--confirm", metavar="WORDS", help="what it would ask you to type, like “prune 12 jobs”")
    parser.add_argument("--dry-run", action="store_true", help="only list what would be removed")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--json", action="store_true", help="print what was done as JSON; does not ask")
    add_list_arguments(parser)
    add_progress_argument(parser)
    add_storage_argument(parser)


def run(args: argparse.Namespace) -> int:
    if args.archived:
        return prune_archived.run(args)
    if any(value is not None for value in (args.older_than, args.confirm, args.save_list, args.from_list)):
        refusal = "--older-than, --confirm, --save-list and --from-list are for --archived. Nothing was removed."
        raise PrintSysError(refusal)
    settings = read_settings(args)
    store = existing_store(settings)
    now = datetime.now(UTC)
    waste = [*find_waste(store, now), *find_scratch(settings.instance / SCRATCH, now)]
    if not args.json:
        print(_in_words(waste, store.layout.root))
    stay: dict[Path, str] = {}
    if waste and not args.dry_run and (args.yes or args.json or _is_confirmed()):
        with progress_bar(args.progress, "Removing") as progress:
            stay = _remove(store, waste, progress)
    if args.json:
        print(_as_json(waste, stay, store.layout.root, args.dry_run))
    for path, why in stay.items():
        print(f"{path.name} stays: {why}", file=sys.stderr)
    return SOME_STAY if stay else DONE


def _is_confirmed() -> bool:
    """Without a terminal nobody can be asked, and calling it is the answer."""
    if not sys.stdin.isatty():
        return True
    return input("Remove this for good? [y/N] ").strip().casefold() in ("y", "yes")


def _remove(store: JobStore, waste: list[Waste], progress: Progress | None) -> dict[Path, str]:
    """What could not be removed, with the reason."""
    stay = {}
    for item in counted(waste, progress):
        try:
            if not remove(store, item):
                stay[item.path] = "somebody is at it."
        except PrintSysError as error:
            stay[item.path] = str(error)
    return stay


def _in_words(waste: list[Waste], root: Path) -> str:
    if not waste:
        return "There is nothing to remove."
    total = sum(item.size for item in waste)
    lines = [f"  {_path_text(item, root)}, {NAMES[item.kind]} {item.since:%Y-%m-%d}" for item in waste]
    return "\n".join([f"To be removed ({total / 1e6:.1f} MB):", *lines])


def _as_json(waste: list[Waste], stay: dict[Path, str], root: Path, dry_run: bool) -> str:
    rows = [
        {
            "kind": item.kind,
            "path": _path_text(item, root),
            "since": format_time(item.since),
            "size": item.size,
            "removed": not dry_run and item.path not in stay,
            "why": stay.get(item.path),
        }
        for item in waste
    ]
    return json.dumps({"dry_run": dry_run, "found": rows}, indent=2)


def _path_text(waste: Waste, root: Path) -> str:
    """Relative to storage; whole for what lies in instance/."""
    return (waste.path.relative_to(root) if waste.path.is_relative_to(root) else waste.path).as_posix()
