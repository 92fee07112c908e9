"""Say what is wrong on this computer and what to do. Exit code 0: all is well, 1: findings, 2: could not run."""

from __future__ import annotations

import argparse
import json

from printsys.commands.common import add_storage_argument, settings_from
from printsys.config import load_lab
from printsys.doctor import Check, examine

FINE, FINDINGS = 0, 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print what was found as JSON")
    add_storage_argument(parser)


def run(args: argparse.Namespace) -> int:
    settings = settings_from(args)
    found = []
    for check in examine(settings, load_lab(settings.lab_config)):
        found.append(check)
        if not args.json:
            print(_in_words(check), flush=True)
    if args.json:
        print(json.dumps([check.as_json() for check in found], indent=2))
    return FINE if all(check.is_fine for check in found) else FINDINGS


def _in_words(check: Check) -> str:
    line = f"{'ok   ' if check.is_fine else 'WRONG'} {check.name}: {check.said}"
    return f"{line}\n      {check.advice}" if check.advice else line
