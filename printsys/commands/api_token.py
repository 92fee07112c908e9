"""Make, list or revoke a token with which a script may read /api/v1."""

from __future__ import annotations

import argparse
import json

from printsys.config import load_settings
from printsys.credentials import api_tokens


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", help="what the token is for; without a name the tokens are listed")
    parser.add_argument("--revoke", action="store_true", help="make the token of this name worthless")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    settings = load_settings()
    if args.name is None:
        names = api_tokens.names(settings)
        print(json.dumps(names) if args.json else "\n".join(names) or "There are no tokens.")
    elif args.revoke:
        api_tokens.revoke(settings, args.name)
        print(json.dumps({"revoked": args.name}) if args.json else f"The token {args.name} is worth nothing any more.")
    else:
        token = api_tokens.make(settings, args.name)
        print(json.dumps({"name": args.name, "token": token}) if args.json else f"{token}\nIt is shown only now.")
    return 0
