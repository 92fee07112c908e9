"""Copy the whole storage, lab.toml and your own e-mail templates to a folder on another disk, while the system runs.
Only what changed is copied; earlier backups in that folder stay. Killed, the next call goes on. Exit code 0: done,
1: done but for some files that could not be read, 2: could not run."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path

from printsys.backup import lab_files
from printsys.backup.create import back_up, refuse_overlap
from printsys.backup.vault import Vault
from printsys.commands.common import add_storage_argument, existing_store, print_result, read_settings
from printsys.commands.progress import add_progress_argument, progress_bar
from printsys.domain.words import counted

DONE, SOME_LEFT_OUT = 0, 1


def at_least_one(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is no number of backups to keep")
    return int(text)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dir", type=Path, metavar="DIR", help="an empty folder, or that of earlier backups")
    parser.add_argument("--with-secrets", action="store_true", help="copy .env, keys and password hashes too")
    parser.add_argument("--verify", action="store_true", help="first read all that is in DIR; replace what is damaged")
    parser.add_argument("--keep", type=at_least_one, metavar="N", help="afterwards drop all but the N newest backups")
    parser.add_argument("--json", action="store_true", help="print what was done as JSON")
    add_progress_argument(parser)
    add_storage_argument(parser)


def run(args: argparse.Namespace) -> int:
    settings = read_settings(args)
    store = existing_store(settings)
    refuse_overlap(settings.storage, args.dir)
    vault = Vault(args.dir)
    with vault.open():
        damaged = vault.forget_damaged() if args.verify else []
        with progress_bar(args.progress, "Copying", "jobs") as progress:
            report = back_up(store, vault, lab_files.files(settings, args.with_secrets), progress)
        dropped = vault.forget_all_but(args.keep) if args.keep else []
    lines = [
        f"Backup {report.name}: {counted(report.jobs, 'job')}, {counted(report.files, 'file')}, "
        f"{report.bytes / 1e6:.1f} MB; {report.copied / 1e6:.1f} MB of it copied now."
    ]
    if damaged:
        lines.append(
            f"{counted(len(damaged), 'file in an earlier backup was', 'files in earlier backups were')} damaged; "
            "what storage still has is copied again."
        )
    if dropped:
        lines.append(f"{counted(len(dropped), 'older backup is', 'older backups are')} dropped.")
    print_result(args, asdict(report) | {"were_damaged": damaged, "dropped": dropped}, "\n".join(lines))
    for name, why in report.left_out.items():
        print(f"{name} is not in the backup: {why}", file=sys.stderr)
    return SOME_LEFT_OUT if report.left_out else DONE
