"""Prove that storage and mirror are whole. Exit code 0: clean, 1: findings, 2: could not run. Without --repair nothing
is changed."""

from __future__ import annotations

import argparse
import json
import sys

from indexer.attention import AttentionItem
from indexer.check import check_storage
from indexer.check_mirror import check_mirror
from indexer.migrate import upgrade
from indexer.reconcile import Reconciler
from indexer.schema import create_engine
from indexer.sweep import Sweeper
from printsys.commands.common import add_storage_argument, database, read_settings
from printsys.commands.progress import add_progress_argument, progress_bar
from printsys.config import Settings
from printsys.errors import PrintSysError
from printsys.jobstore import JobStore
from printsys.jobstore.identity import require_storage
from printsys.jobstore.recovery import recover_all
from printsys.services import build_services, open_store, remembered_at
from printsys.worker.queue import make_enqueue

CLEAN, FINDINGS, COULD_NOT_RUN = 0, 1, 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--deep", action="store_true", help="read every file and compare its hash")
    parser.add_argument("--repair", action="store_true", help="first carry out what is safe to do without asking")
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
    add_progress_argument(parser)
    add_storage_argument(parser)


def run(args: argparse.Namespace) -> int:
    settings = read_settings(args)
    store = _store(settings)
    if args.repair:
        _repair(settings)
    with progress_bar(args.progress, "Checking") as progress:
        findings = check_storage(store, args.deep, progress)
    problem = None
    try:
        findings += _of_the_mirror(settings, store, args.deep)
    except PrintSysError as error:  # what is wrong in the folders is worth knowing all the same
        problem = f"The mirror could not be checked: {error}"
    print(_as_json(findings, problem) if args.json else _in_words(findings, problem))
    if problem:
        print(problem, file=sys.stderr)
        return COULD_NOT_RUN
    return FINDINGS if findings else CLEAN


def _store(settings: Settings) -> JobStore:
    """Opening a storage for the first time sets it up; a check must not."""
    require_storage(settings.storage, remembered_at(settings))
    return open_store(settings)


def _repair(settings: Settings) -> None:
    """What a start of the system does: interrupted changes are finished, lost metadata.json are rebuilt, edits and
    moves by hand recorded, the mirror brought up to date. What needs a decision is left and told."""
    with database(settings) as settings:
        services = build_services(settings, make_enqueue(settings))
        assert settings.database_url is not None
        upgrade(settings.database_url)
        recover_all(services.store)
        Sweeper(services.store, services.mirror, Reconciler(services.store, services.actions.drag_context)).sweep()
        services.mirror.engine.dispose()


def _of_the_mirror(settings: Settings, store: JobStore, deep: bool) -> list[AttentionItem]:
    with database(settings) as settings:
        assert settings.database_url is not None
        engine = create_engine(settings.database_url)
        try:
            return check_mirror(store, engine, deep)
        finally:
            engine.dispose()


def _as_json(findings: list[AttentionItem], problem: str | None) -> str:
    return json.dumps({"findings": [one.as_json() for one in findings], "problem": problem}, indent=2)


def _in_words(findings: list[AttentionItem], problem: str | None) -> str:
    if not findings:
        return "The folders are whole." if problem else "Storage and mirror are whole."
    return "\n".join(f"{one.kind}: {one.sentence}" for one in findings)
