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
    elif not sys.stdin.isatty():
        raise PrintSysError("There is no terminal to ask at; with --stdin the password is read from standard input.")
    else:
        try:
            chosen, repeated = getpass.getpass("New staff password: "), getpass.getpass("Once more: ")
        except EOFError as error:
            raise PrintSysError("No password was typed; nothing was changed.") from error
    if chosen != repeated:
        raise PrintSysError("The two were not the same; nothing was changed.")
    if len(chosen) < staff_password.MIN_LENGTH:
        raise PrintSysError(f"Please use at least {staff_password.MIN_LENGTH} characters; nothing was changed.")
    staff_password.choose(settings, chosen)
    if settings.staff_password_hash:
        print("Kept, but STAFF_PASSWORD_HASH or STAFF_PASSWORD is set and wins.")
    else:
        print("The staff password is changed.")
    return 0
