"""Choose the staff password. Only its hash is stored."""

from __future__ import annotations

import argparse
import getpass
import sys

from printsys.config import load_settings
from printsys.credentials import staff_password
from printsys.errors import PrintSysError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--stdin", action="store_true", help="read the password from standard input instead of asking")


def run(args: argparse.Namespace) -> int:
    settings = load_settings()
    if args.stdin:
        chosen = repeated = sys.stdin.readline().rstrip("\n")
    else:
        try:
            chosen, repeated = _ask("New staff password: "), _ask("Once more: ")
        except EOFError as error:
            raise PrintSysError("No password was given; nothing was changed. --stdin reads one line.") from error
    staff_password.change(settings, chosen, repeated)
    if settings.staff_password_hash:
        print("Kept, but STAFF_PASSWORD_HASH or STAFF_PASSWORD is set and wins.")
    else:
        print("The staff password is changed.")
    return 0


def _ask(prompt: str) -> str:
    """EOFError where nothing comes."""
    if sys.stdin.isatty():
        return getpass.getpass(prompt)
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    return line.rstrip("\n")
