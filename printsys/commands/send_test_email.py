"""Try the mail settings: send one e-mail and say what the server answered. Exit code 0: it is on its way."""

from __future__ import annotations

import argparse
import sys

from printsys.config import load_lab, load_settings
from printsys.credentials.signed_links import Tokens
from printsys.mail.trial import send_test_email


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("address", help="where to send it")


def run(args: argparse.Namespace) -> int:
    settings = load_settings()
    tokens = Tokens(settings.secret_key)
    is_sent, sentence = send_test_email(settings, load_lab(settings.lab_config), tokens, args.address)
    print(sentence, file=sys.stdout if is_sent else sys.stderr)
    return 0 if is_sent else 1
