"""What the lab has of one student, by the e-mail address: give it to the student, or erase it. Exit code 0: done,
1: some of it stays, 2: could not run."""

from __future__ import annotations

import argparse
import email
import email.policy
from email.utils import getaddresses
from pathlib import Path
from typing import Any

from printsys import fs
from printsys.actions.student_data import EraseResult, StudentData, erase, export, find_data
from printsys.commands.common import add_storage_argument, existing_store, print_result, read_settings, with_services
from printsys.commands.prune_archived import require_typed
from printsys.config import Settings
from printsys.domain.events import SYSTEM
from printsys.domain.words import counted
from printsys.errors import PrintSysError
from printsys.ops.backup_record import under_way

DONE, SOME_STAY = 0, 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    exporting = actions.add_parser("export", help="write all files of the student's jobs into a zip")
    exporting.add_argument("--to", type=Path, required=True, metavar="DIR", help="the folder for the zip")
    exporting.set_defaults(act=_export)
    erasing = actions.add_parser("erase", help="remove the ended jobs for good; an anonymous line of each stays")
    erasing.add_argument("--confirm", metavar="WORDS", help="what it would ask you to type, like “erase 3 jobs”")
    erasing.add_argument("--dry-run", action="store_true", help="only say what there is")
    erasing.set_defaults(act=_erase)
    for action in (exporting, erasing):
        action.add_argument("address", help="the student's e-mail address")
        action.add_argument("--json", action="store_true", help="print what was done as JSON")
        add_storage_argument(action)


def run(args: argparse.Namespace) -> int:
    code: int = args.act(args)
    return code


def _export(args: argparse.Namespace) -> int:
    store = existing_store(read_settings(args))
    data = find_data(store, args.address)
    if not data.jobs and not data.deleted:
        raise PrintSysError(f"There is no job with the address {args.address}.")
    path = export(store, data, args.address, args.to)
    document = {"file": str(path), "jobs": [each.id for each in data.jobs], "deleted": len(data.deleted)}
    lines = [f"{counted(len(data.jobs) + len(data.deleted), 'job is', 'jobs are')} in {path}.", *_unreadable(data)]
    print_result(args, document | _not_read(data), "\n".join(lines))
    return SOME_STAY if data.unreadable else DONE


def _erase(args: argparse.Namespace) -> int:
    settings = read_settings(args)
    data = find_data(existing_store(settings), args.address)
    mails = _mails_in_outbox(settings, args.address)
    total = len(data.ended) + len(data.deleted)
    phrase = f"erase {counted(total, 'job')}"
    if not args.json:
        print("\n".join(_preview(data, mails)))
    result = EraseResult()
    if (total or mails) and not args.dry_run:
        require_typed(phrase, args.confirm)
        with under_way(settings), with_services(settings) as services:
            result = erase(services.actions, data, SYSTEM)
        for path in mails:
            fs.unlink(path)
    document = {
        "dry_run": args.dry_run,
        "found": [each.id for each in data.ended],
        "deleted": len(data.deleted),
        "mails": len(mails),
        "open": [{"job": stored.id, "why": reason} for stored, reason in data.open],
        "confirm": phrase,
        "erased": result.erased,
        "stay": [{"job": job_id, "why": reason} for job_id, reason in result.skipped],
    }
    lines = [] if args.dry_run else [f"{counted(len(result.erased), 'job is', 'jobs are')} erased."]
    lines += [f"{job_id} stays: {reason}" for job_id, reason in result.skipped]
    print_result(args, document | _not_read(data), "\n".join([*lines, *_unreadable(data), BACKUPS]))
    return SOME_STAY if data.open or data.unreadable or result.skipped else DONE


BACKUPS = "Backups still have what they had; they go as you drop them."


def _preview(data: StudentData, mails: list[Path]) -> list[str]:
    return [
        f"{counted(len(data.ended), 'ended job')}, {counted(len(data.deleted), 'folder')} in the trash"
        f"{', ' + counted(len(mails), 'e-mail') + ' in the outbox' if mails else ''}.",
        *(f"  {stored.id}, {stored.job.status}" for stored in data.ended),
        *(f"  {stored.id} stays: {reason}" for stored, reason in data.open),
    ]


def _unreadable(data: StudentData) -> list[str]:
    return [f"{job_id} could not be read, so nobody knows whose it is: {reason}" for job_id, reason in data.unreadable]


def _not_read(data: StudentData) -> dict[str, Any]:
    return {"unreadable": [{"job": job_id, "why": reason} for job_id, reason in data.unreadable]}


def _mails_in_outbox(settings: Settings, address: str) -> list[Path]:
    """What was written to the student while the lab had no mail server."""
    outbox = settings.instance / "outbox"
    return [path for path in sorted(outbox.glob("*.eml")) if address.casefold() in _recipients(path)]


def _recipients(path: Path) -> set[str]:
    message = email.message_from_bytes(fs.read(path), policy=email.policy.default)
    return {address.casefold() for _, address in getaddresses([str(to) for to in message.get_all("To", [])])}
