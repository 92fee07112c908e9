"""Prove that storage and mirror are whole. Exit code 0: clean, 1: findings, 2: could not run. Without --repair nothing
is changed. Trouble with the backups is a remark: it says nothing against the folders."""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime

from indexer import migrate
from indexer.attention import AttentionItem
from indexer.check import check_storage
from indexer.check_mirror import check_mirror
from indexer.reconcile import Reconciler
from indexer.schema import create_engine
from indexer.sweep import Sweeper
from printsys.commands.common import add_storage_argument, database, existing_store, print_result, read_settings
from printsys.commands.progress import add_progress_argument, progress_bar
from printsys.config import Settings, load_lab
from printsys.errors import ConfigError, PrintSysError
from printsys.jobstore import JobStore
from printsys.jobstore.recovery import recover_all
from printsys.ops.backup_record import record_if_any
from printsys.ops.backup_trouble import backup_trouble
from printsys.services import build_services
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
    store = existing_store(settings)
    if args.repair:
        _repair(settings, args.deep)
    with progress_bar(args.progress, "Checking") as progress:
        findings = check_storage(store, args.deep, progress)
    problem = None
    try:
        findings += _check_mirror(settings, store, args.deep)
    except PrintSysError as error:  # what is wrong in the folders is worth knowing all the same
        problem = f"The mirror could not be checked: {error}"
    lines = [f"{finding.kind}: {finding.sentence}" for finding in findings]
    text = "\n".join(lines) or ("The folders are whole." if problem else "Storage and mirror are whole.")
    remarks = _remarks(settings)
    text = "\n".join([text, *(f"Remark: {remark}" for remark in remarks)])
    document = {"findings": [finding.as_json() for finding in findings], "problem": problem, "remarks": remarks}
    print_result(args, document, text)
    if problem:
        print(problem, file=sys.stderr)
        return COULD_NOT_RUN
    return FINDINGS if findings else CLEAN


def _remarks(settings: Settings) -> list[str]:
    try:
        lab = load_lab(settings.lab_config)
    except ConfigError as error:  # the folders can be checked all the same
        return [f"Nobody knows whether backups are made: {error}"]
    trouble = backup_trouble(lab, record_if_any(settings, lab), datetime.now(UTC))
    return [f"{trouble.sentence} {trouble.advice}"] if trouble is not None else []


def _repair(settings: Settings, is_deep: bool) -> None:
    """As at a start of the system: finishes interrupted changes, rebuilds lost metadata.json, records files, edits and
    moves by hand, updates the mirror. Leaves what a person has to decide."""
    with database(settings) as settings:
        services = build_services(settings, make_enqueue(settings))
        migrate.upgrade(settings.database_url or "")
        recover_all(services.store)
        reconciler = Reconciler(services.store, services.actions.drag_context)
        Sweeper(services.store, services.mirror, reconciler).sweep(is_deep=is_deep, looks_twice=True)
        services.mirror.engine.dispose()


def _check_mirror(settings: Settings, store: JobStore, deep: bool) -> list[AttentionItem]:
    with database(settings) as settings:
        engine = create_engine(settings.database_url or "")
        try:
            return check_mirror(store, engine, deep)
        finally:
            engine.dispose()
