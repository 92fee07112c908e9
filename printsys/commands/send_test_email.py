"""Try the mail settings: send one e-mail and say what the server answered. Exit code 0: it is on its way."""

from __future__ import annotations

import argparse
import sys

from printsys.config import load_lab, load_settings
from printsys.credentials.signed_links import Tokens
from printsys.mail.messages import make_composer
from printsys.mail.smtp import Sent, deliver


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("address", help="where to send it")


def run(args: argparse.Namespace) -> int:
    settings = load_settings()
    composer = make_composer(settings, load_lab(settings.lab_config), Tokens(settings.secret_key))
    outcome = deliver(composer.test_message(args.address), settings)
    if isinstance(outcome, Sent):
        print(f"The test e-mail was {outcome.where}.")
        return 0
    print(f"The test e-mail was not sent. {outcome.words}", file=sys.stderr)
    return 1
