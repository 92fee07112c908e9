"""Exchange this program for a newer version: a backup first, then the program, its packages and the database, and a
check. Whatever fails is taken back. Your lab.toml, .env, storage/ and instance/ stay. Exit code 0: done, or nothing
newer; 1: taken back, or with --check a newer version; 2: could not run, nothing was changed."""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from printsys.commands import backup
from printsys.commands.common import is_running, print_result, read_settings
from printsys.commands.service import SERVICES, service
from printsys.config import ROOT, Settings, make_private_folder
from printsys.domain.words import counted
from printsys.errors import PrintSysError
from printsys.ops.upgrade_check import UpgradeCheck, forget_check, write_check
from printsys.upgrade.folder import unpack
from printsys.upgrade.git import LAB_TOML, Checkout
from printsys.upgrade.state import Plan, UpgradeFailed, Workplace, migrations, pins

NOTHING_NEWER, NEWER, PREPARED = 0, 1, 75
"""PREPARED tells manage.py to go on: what exchanges the program runs outside of .venv."""
ROOM_TO_SPARE = 200_000_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--check", action="store_true", help="only say whether there is a newer version")
    parser.add_argument(
        "--to", metavar="VERSION", help="a tag or branch (default: the branch that this checkout follows)"
    )
    parser.add_argument(
        "--from", dest="source", type=Path, metavar="PATH", help="a folder or zip file with the program"
    )
    backup_options = parser.add_mutually_exclusive_group()
    backup_options.add_argument("--backup", type=Path, metavar="DIR", help="where to back up (default: as `backup`)")
    backup_options.add_argument("--no-backup", action="store_true", help="you have one already")
    parser.add_argument("--with-findings", action="store_true", help="go on although `check` finds more than before")
    parser.add_argument("--json", action="store_true", help="with --check: for programs")
    parser.set_defaults(storage=None, refuse=parser.error)


def run(args: argparse.Namespace) -> int:
    if args.source and (args.check or args.to):
        args.refuse("--from goes neither with --check nor with --to")
    if args.json and not args.check:
        args.refuse("--json goes with --check")
    settings = read_settings(args)
    place = Workplace(ROOT)
    try:
        with place.only_one():
            if args.check:
                return _check(args, settings)
            return _prepare(args, settings, place)
    except UpgradeFailed as refusal:
        raise PrintSysError(str(refusal)) from refusal


def _check(args: argparse.Namespace, settings: Settings) -> int:
    checkout = _checkout()
    old, new = checkout.head(), checkout.newest(args.to)
    changes = checkout.count(old, new)
    found = UpgradeCheck(datetime.now(UTC), checkout.name(old), checkout.name(new), changes)
    make_private_folder(settings.instance)
    write_check(settings.instance, found)
    text = f"This is {found.current}, and nothing newer is there."
    if changes:
        text = f"{found.available} is there, {counted(changes, 'change')} after {found.current}, which is here."
    print_result(args, found.as_json(), text)
    return NEWER if changes else NOTHING_NEWER


def _checkout() -> Checkout:
    if not (ROOT / ".git").exists():
        raise UpgradeFailed(
            "This folder is no checkout of git: name a folder or zip file with the newer program by --from."
        )
    return Checkout(ROOT)


def _prepare(args: argparse.Namespace, settings: Settings, place: Workplace) -> int:
    was_running = _was_running(settings)
    place.clear()
    plan = _from_folder(args.source, place) if args.source else _from_git(args.to, place)
    if plan is None:
        print("Nothing newer is there.")
        return NOTHING_NEWER
    _require_room(place)
    if not args.no_backup:
        _back_up(args.backup)
    for path in (ROOT / "printsys" / "__init__.py", *(ROOT / "printsys" / "upgrade").glob("*.py")):
        target = place.engine / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    forget_check(settings.instance)
    place.write(plan.about(was_running, args.with_findings, pins(ROOT), migrations(ROOT)))
    return PREPARED


def _was_running(settings: Settings) -> bool:
    """As a service that an upgrade can stop and start. UpgradeFailed where it runs otherwise."""
    if not is_running(settings):
        return False
    if sys.platform in SERVICES and service().starts(ROOT):
        return True
    raise UpgradeFailed(
        "The system runs, and not as a service of this account. Stop it first: Ctrl-C in its window, or "
        "`sudo python manage.py service stop --system`."
    )


def _from_git(version: str | None, place: Workplace) -> Plan | None:
    checkout = _checkout()
    changed = checkout.changed_files()
    if own := [name for name in changed if name != LAB_TOML or not (ROOT / name).exists()]:
        raise UpgradeFailed(
            f"Somebody changed files of the program here: {_some(own)}. Commit them or put them back first."
        )
    old, new = checkout.head(), checkout.newest(version)
    if old == new:
        return None
    checkout.require_forward(old, new)
    if own := checkout.in_the_way(old, new):
        raise UpgradeFailed(f"{checkout.name(new)} has files where you have your own: {_some(own)}. Move them first.")
    if LAB_TOML in changed:
        shutil.copyfile(ROOT / LAB_TOML, place.lab_toml)
    return Plan(is_git=True, title=checkout.name(new), old=old, new=new)


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (" and more" if len(names) > 5 else "")


def _from_folder(source: Path, place: Workplace) -> Plan:
    if (ROOT / ".git").exists():
        raise UpgradeFailed("This folder is a checkout of git; call `upgrade` without --from, or use git.")
    return Plan(is_git=False, title=source.name, names=unpack(source.absolute(), place))


def _require_room(place: Workplace) -> None:
    """For another .venv beside this one."""
    venv = sum(path.lstat().st_size for path in (ROOT / ".venv").rglob("*"))
    if (free := shutil.disk_usage(ROOT).free) < venv + ROOM_TO_SPARE:
        place.clear()
        raise UpgradeFailed(
            f"An upgrade needs {(venv + ROOM_TO_SPARE) / 1e9:.1f} GB on this disk, and {free / 1e9:.1f} GB are free."
        )


def _back_up(folder: Path | None) -> None:
    """Into the place of all backups where nobody names another. UpgradeFailed where none was made: a crash ends with
    an exit code, too, that stands for a backup without some files, and prints no report."""
    command = [sys.executable, str(ROOT / "manage.py"), "backup", "--json", *([str(folder)] if folder else [])]
    done = subprocess.run(command, stdout=subprocess.PIPE, encoding="utf-8", errors="replace", check=False)
    report = _parsed(done.stdout)
    if done.returncode not in (backup.DONE, backup.SOME_LEFT_OUT) or report is None:
        raise UpgradeFailed(
            "There is no backup, so nothing was changed. Name a folder: --backup DIR, or go --no-backup."
        )
    print(f"Backup {report['name']}: {counted(report['jobs'], 'job')}, {counted(report['files'], 'file')}.", flush=True)


def _parsed(text: str) -> dict[str, Any] | None:
    try:
        document: dict[str, Any] = json.loads(text)
    except ValueError:
        return None
    return document
