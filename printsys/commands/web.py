"""Serve the pages only (`run` does this for you)."""

from __future__ import annotations

import argparse
import logging

from printsys.commands.common import add_storage_argument, log_to_stderr, settings_from
from printsys.lifeline import on_end

THREADS = 8


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (0.0.0.0: the whole network)")
    parser.add_argument("--port", type=int, default=5000)
    add_storage_argument(parser)


def run(args: argparse.Namespace) -> int:
    import waitress

    from printsys.web import create_app_from_environment

    log_to_stderr()
    app = create_app_from_environment(settings_from(args))
    # waitress reads a whole body before the app sees it: beyond twice our own limit it refuses by itself.
    limit = 2 * app.config["MAX_CONTENT_LENGTH"]
    server = waitress.create_server(
        app, host=args.host, port=args.port, threads=THREADS, max_request_body_size=limit, ident="printsys"
    )
    on_end(server.close)
    logging.getLogger(__name__).info("serving on %s:%s", args.host, args.port)
    try:
        server.run()
    except OSError as error:
        if error.errno != 9:  # closing from another thread ends the loop with a bad descriptor
            raise
    return 0
