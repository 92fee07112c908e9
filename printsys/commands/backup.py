"""Copy the whole storage, lab.toml and your own e-mail templates to a folder on another disk, while the system runs.
Only what changed is copied, and what is new is read back; earlier backups in that folder stay. Killed, the next call
goes on. Exit code 0: done, 1: done but for some files that could not be read, 2: could not run. With --rehearse 0: the
newest backup gives the lab back, 1: it does not."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path

from printsys.backup import lab_files
from printsys.backup.create import BackupReport, refuse_overlap
from printsys.backup.rehearsal import rehearse
from printsys.backup.runs import recorded, utc_now, verified_backup
from printsys.backup.vault import Damage, Vault
from printsys.commands.common import add_storage_argument, existing_store, print_result, read_settings
from printsys.commands.progress import add_progress_argument, progress_bar
from printsys.config import Settings, load_lab
from printsys.domain.words import counted
from printsys.errors import PrintSysError
from printsys.ops.backup_record import backup_folder

DONE, SOME_LEFT_OUT, NOT_WHOLE = 0, 1, 1


def at_least_one(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is no number of backups to keep")
    return int(text)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "dir", type=Path, nargs="?", metavar="DIR",
        help="an empty folder, or that of earlier backups (default: PRINTSYS_BACKUP, or [backup] place of lab.toml)",
    )  # fmt: skip
    parser.add_argument("--with-secrets", action="store_true", help="copy .env, keys and password hashes too")
    parser.add_argument("--verify", action="store_true", help="first read all that is in DIR; replace what is damaged")
    parser.add_argument("--keep", type=at_least_one, metavar="N", help="afterwards drop all but the N newest backups")
    parser.add_argument("--rehearse", action="store_true", help="no backup: restore the newest one on trial")
    parser.add_argument("--json", action="store_true", help="print what was done as JSON")
    add_progress_argument(parser)
    add_storage_argument(parser)


def run(args: argparse.Namespace) -> int:
    settings = read_settings(args)
    lab = load_lab(settings.lab_config)
    folder = args.dir or backup_folder(settings, lab)
    if folder is None:
        raise PrintSysError("Where to? Name a folder, or set PRINTSYS_BACKUP or [backup] place of lab.toml.")
    vault = Vault(folder)
    if args.rehearse:
        return _rehearse(settings, args, vault)
    store = existing_store(settings)
    refuse_overlap(settings.storage, folder)
    with recorded(settings, lab, vault, utc_now) as result, vault.open():
        damage = vault.read_all() if args.verify else Damage([], [])
        vault.drop(damage)
        files = lab_files.files(settings, args.with_secrets)
        with progress_bar(args.progress, "Copying", "jobs") as progress:
            result.report, dropped = verified_backup(store, vault, files, args.keep or 0, progress)
    _print(args, result.report, damage, dropped)
    return SOME_LEFT_OUT if result.report.left_out else DONE


def _print(args: argparse.Namespace, report: BackupReport, damage: Damage, dropped: list[str]) -> None:
    lines = [
        f"Backup {report.name}: {counted(report.jobs, 'job')}, {counted(report.files, 'file')}, "
        f"{report.bytes / 1e6:.1f} MB; {report.copied / 1e6:.1f} MB of it copied now, and read back."
    ]
    if damage:
        lines.append(
            f"{counted(len(damage), 'file in an earlier backup was', 'files in earlier backups were')} damaged; "
            "what storage still has is copied again."
        )
    if dropped:
        lines.append(f"{counted(len(dropped), 'older backup is', 'older backups are')} dropped.")
    print_result(
        args, asdict(report) | {"were_damaged": [*damage.contents, *damage.lists], "dropped": dropped}, "\n".join(lines)
    )
    for name, why in report.left_out.items():
        print(f"{name} is not in the backup: {why}", file=sys.stderr)


def _rehearse(settings: Settings, args: argparse.Namespace, vault: Vault) -> int:
    with progress_bar(args.progress, "Rehearsing") as progress:
        rehearsal = rehearse(settings, vault, utc_now, progress)
    text = rehearsal.error or (
        f"Backup {rehearsal.name} gives the lab back: {counted(rehearsal.jobs, 'job')}, "
        f"{counted(rehearsal.files, 'file')}, every record whole."
    )
    document = {"name": rehearsal.name, "jobs": rehearsal.jobs, "files": rehearsal.files, "error": rehearsal.error}
    print_result(args, document, text)
    return DONE if rehearsal.is_good else NOT_WHOLE
