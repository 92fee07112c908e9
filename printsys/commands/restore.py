"""Put a backup into an empty storage folder: verified first, then written, then the database is built from it. lab.toml
and e-mail templates come back too. Killed, the same call goes on. With --job, bring one job that is gone back into its
folder while the system runs. Exit code 0: done, 1: done but for damaged files, 2: could not run."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from indexer.rebuild import reindex
from printsys.backup import lab_files
from printsys.backup.create import refuse_overlap
from printsys.backup.restore import restore_outside_files, restore_storage, verify
from printsys.backup.restore_job import copy_elsewhere, find_copy, require_whole, restore_job
from printsys.backup.vault import BackupDamaged, BackupRefused, Snapshot, Vault
from printsys.commands.common import (
    add_storage_argument,
    existing_store,
    migrated_engine,
    only_process,
    print_result,
    read_settings,
)
from printsys.commands.progress import add_progress_argument, progress_bar
from printsys.config import Settings, load_lab
from printsys.domain import naming
from printsys.domain.events import STAFF
from printsys.domain.words import counted
from printsys.errors import PrintSysError
from printsys.jobstore import Layout
from printsys.ops.backup_record import backup_folder
from printsys.services import open_store, remembered_at

DONE, SOME_DAMAGED = 0, 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "dir", type=Path, nargs="?", metavar="DIR",
        help="the folder of the backups (default: PRINTSYS_BACKUP, or [backup] place of lab.toml)",
    )  # fmt: skip
    parser.add_argument("--backup", metavar="NAME", help="which one (default: the newest)")
    parser.add_argument("--job", metavar="ID", help="only this job, from the newest backup that has it")
    parser.add_argument("--to", type=Path, metavar="FOLDER", help="with --job: a copy there, and not into the storage")
    parser.add_argument("--list", action="store_true", help="only say which backups there are")
    parser.add_argument("--verify", action="store_true", help="only read the backup, and say whether it is whole")
    parser.add_argument("--with-secrets", action="store_true", help="put keys and password hashes back too")
    parser.add_argument("--without-damaged", action="store_true", help="restore all but files that are damaged")
    parser.add_argument("--json", action="store_true", help="print what was done as JSON")
    add_progress_argument(parser)
    add_storage_argument(parser)


def run(args: argparse.Namespace) -> int:
    vault = Vault(args.dir or _usual_folder(args))
    if args.to is not None and args.job is None:
        raise PrintSysError("--to goes with --job; --storage names another storage for a whole backup.")
    with vault.reading():
        return _restore_job(args, vault) if args.job else _run(args, vault)


def _usual_folder(args: argparse.Namespace) -> Path:
    settings = read_settings(args)
    folder = backup_folder(settings, load_lab(settings.lab_config))
    if folder is None:
        raise PrintSysError("Which backups? Name their folder, or set PRINTSYS_BACKUP or [backup] place of lab.toml.")
    return folder


def _restore_job(args: argparse.Namespace, vault: Vault) -> int:
    """Beside the living storage, whether the system runs or not."""
    job_id, settings = naming.parse_id(args.job), read_settings(args)
    if job_id is None:
        raise BackupRefused(f"{args.job} is no job's id, such as k7m29xq4.")
    copy = find_copy(vault, job_id, args.backup)
    if not args.without_damaged:
        require_whole(copy)
    if args.to is not None:
        folder = copy_elsewhere(copy, args.to, Layout(settings.storage))
        text = f"Job {job_id} of backup {copy.snapshot.name} was copied to {folder}."
    else:
        store = existing_store(settings)
        stored = restore_job(store, copy, STAFF)
        folder = stored.folder
        text = f"Job {job_id} of backup {copy.snapshot.name} is back: {store.layout.relative(folder)}."
    document = {"job": job_id, "backup": copy.snapshot.name, "folder": str(folder), "damaged": copy.damaged}
    print_result(args, document, text)
    for name in copy.damaged:
        print(f"{name} is damaged in the backup and was left out.", file=sys.stderr)
    return SOME_DAMAGED if copy.damaged else DONE


def _run(args: argparse.Namespace, vault: Vault) -> int:
    snapshot = vault.snapshot(args.backup)
    if args.list:
        print(json.dumps(vault.names()) if args.json else "\n".join(vault.names()))
        return DONE
    with progress_bar(args.progress, "Verifying", "files") as progress:
        damaged = verify(vault, snapshot, progress)
    if args.verify:
        lines = [f"Backup {snapshot.name} has {counted(len(damaged), 'damaged file')}:", *damaged]
        text = "\n".join(lines) if damaged else f"Backup {snapshot.name} is whole."
        print_result(args, {"name": snapshot.name, "made_at": snapshot.made_at, "damaged": damaged}, text)
        return SOME_DAMAGED if damaged else DONE
    if damaged and not args.without_damaged:
        raise BackupDamaged(
            f"Backup {snapshot.name} has {counted(len(damaged), 'damaged file')}, {damaged[0]} the first. "
            "Nothing was written. "
            "An older backup may be whole (--list, --backup NAME); --without-damaged restores all the others."
        )
    settings = read_settings(args)
    refuse_overlap(settings.storage, vault.root)
    # Not under a system that runs: it would still go by the storage that it knew.
    with only_process(settings, f"The system is running on {settings.instance}. Please stop it first."):
        return _restore(settings, args, vault, snapshot, damaged)


def _restore(settings: Settings, args: argparse.Namespace, vault: Vault, snapshot: Snapshot, damaged: list[str]) -> int:
    with progress_bar(args.progress, "Restoring", "files") as progress:
        report = restore_storage(vault, snapshot, settings.storage, remembered_at(settings), damaged, progress)
    targets = lab_files.targets(settings)
    names = [name for unit in snapshot.units if unit.kind == "lab" for name in unit.files]
    targets["lab"] |= lab_files.logo_targets(settings, names)
    outside_files: list[Path] = []
    for kind in ("lab", "secrets") if args.with_secrets else ("lab",):
        outside_files += restore_outside_files(vault, snapshot, kind, targets[kind], damaged)
    try:
        with migrated_engine(settings) as engine:
            reindex(open_store(settings), engine, forgets_logs=True)
    except PrintSysError as error:  # the folders are the record, and they are back
        print(f"The database is built when the system starts: {error}", file=sys.stderr)
    lines = [f"Backup {report.name} is restored: {counted(report.jobs, 'job')}, {counted(report.files, 'file')}."]
    lines += [f"{path} was written; what was there before, if anything, is kept beside it." for path in outside_files]
    document = asdict(report) | {"written": [str(path) for path in outside_files]}
    print_result(args, document, "\n".join(lines))
    for name in report.damaged:
        print(f"{name} is damaged in the backup and was left out.", file=sys.stderr)
    return SOME_DAMAGED if report.damaged else DONE
