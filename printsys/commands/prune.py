"""Remove for good what was deleted more than 30 days ago, and what interrupted work left behind. A job's files are
never touched. On a terminal it asks first. Exit code 0: done, 1: some could not be removed, 2: could not run."""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, datetime
from pathlib import Path

from printsys.assessment.upload_check import SCRATCH
from printsys.commands.common import add_storage_argument, read_settings
from printsys.commands.progress import Progress, add_progress_argument, counted, progress_bar
from printsys.config import Settings
from printsys.domain.job import format_time
from printsys.errors import PrintSysError
from printsys.jobstore import JobStore
from printsys.jobstore.identity import require_storage
from printsys.jobstore.trash import Waste, find_scratch, find_waste, remove
from printsys.services import open_store, remembered_at

DONE, SOME_STAY = 0, 1
NAMES = {
    "trash": "in the trash since",
    "staging": "left of a submission that was interrupted on",
    "scratch": "left of a look into a model on",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dry-run", action="store_true", help="only say what would be removed")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--json", action="store_true", help="say what was done as JSON; does not ask")
    add_progress_argument(parser)
    add_storage_argument(parser)


def run(args: argparse.Namespace) -> int:
    settings = read_settings(args)
    store = _store(settings)
    now = datetime.now(UTC)
    found = [*find_waste(store, now), *find_scratch(settings.instance / SCRATCH, now)]
    if not args.json:
        print(_in_words(found, store.layout.root))
    stay: dict[Path, str] = {}
    if found and not args.dry_run and (args.yes or args.json or _is_wanted()):
        with progress_bar(args.progress, "Removing") as progress:
            stay = _remove(store, found, progress)
    if args.json:
        print(_as_json(found, stay, store.layout.root, args.dry_run))
    for path, why in stay.items():
        print(f"{path.name} stays: {why}", file=sys.stderr)
    return SOME_STAY if stay else DONE


def _store(settings: Settings) -> JobStore:
    require_storage(settings.storage, remembered_at(settings))
    return open_store(settings)


def _is_wanted() -> bool:
    """Without a terminal nobody can be asked, and calling it is the answer."""
    if not sys.stdin.isatty():
        return True
    return input("Remove this for good? [y/N] ").strip().casefold() in ("y", "yes")


def _remove(store: JobStore, found: list[Waste], progress: Progress | None) -> dict[Path, str]:
    stay = {}
    for waste in counted(found, progress):
        try:
            if not remove(store, waste):
                stay[waste.path] = "somebody is at it."
        except PrintSysError as error:
            stay[waste.path] = str(error)
    return stay


def _in_words(found: list[Waste], root: Path) -> str:
    if not found:
        return "There is nothing to remove."
    total = sum(waste.size for waste in found)
    lines = [
        f"  {waste.path.relative_to(root).as_posix()}, {NAMES[waste.kind]} {waste.since:%Y-%m-%d}" for waste in found
    ]
    return "\n".join([f"To be removed ({total / 1e6:.1f} MB):", *lines])


def _as_json(found: list[Waste], stay: dict[Path, str], root: Path, dry_run: bool) -> str:
    told = [
        {
            "kind": waste.kind,
            "path": waste.path.relative_to(root).as_posix(),
            "since": format_time(waste.since),
            "size": waste.size,
            "removed": not dry_run and waste.path not in stay,
            "why": stay.get(waste.path),
        }
        for waste in found
    ]
    return json.dumps({"dry_run": dry_run, "found": told}, indent=2)
