"""Run the indexer only: it notices what happens in the folders and keeps the mirror what they say."""

from __future__ import annotations

import argparse
from dataclasses import replace
from datetime import timedelta

from indexer.service import SWEEP_EVERY_S, Service
from printsys.commands.common import add_storage_argument, database, log_to_stderr, settings_from
from printsys.domain.workflow import Terms
from printsys.lifeline import stop_event
from printsys.tasks import make_look
from printsys.wiring import House, build


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--sweep-every", type=float, default=SWEEP_EVERY_S, metavar="SECONDS", help="default: 300")
    add_storage_argument(parser)


def run(args: argparse.Namespace) -> int:
    log_to_stderr()
    stop = stop_event()
    settings = settings_from(args)
    with database(settings) as settings:
        house = build(settings, make_look(settings))
        engine = house.mirror.engine
        Service(
            house.store,
            engine,
            terms=lambda: terms_of_a_drag(house),
            changed=house.actions.look,
            sweep_every_s=args.sweep_every,
            watch_mode=settings.watch_mode,
        ).run(stop)
        engine.dispose()
    return 0


def terms_of_a_drag(house: House) -> Terms:
    """As for a button, but e-mails wait for the grace in which dragging back undoes all."""
    terms = house.actions.terms()
    return replace(terms, mail_not_before=terms.now + timedelta(seconds=house.settings.drag_grace_s))
