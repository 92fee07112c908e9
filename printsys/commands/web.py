"""Serve the pages only (`run` does this for you)."""

from __future__ import annotations

import argparse
import logging
import threading

from printsys.commands.common import add_storage_argument, port_number, read_settings
from printsys.ops import logging_setup
from printsys.ops.shutdown import stop_event

THREADS = 24
"""Of which live pages may keep half (see printsys/web/live.py)."""
FINISH_S = 2
"""What is being answered when the end comes has this long."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (0.0.0.0: the whole network)")
    parser.add_argument("--port", type=port_number, default=5000)
    add_storage_argument(parser)


def run(args: argparse.Namespace) -> int:
    import waitress

    from printsys.services import build_services
    from printsys.web import create_app, live
    from printsys.web.student import upload_check
    from printsys.worker.queue import make_enqueue

    stop = stop_event()
    settings = read_settings(args)
    logging_setup.log_to_file(settings.instance, "web")
    app = create_app(build_services(settings, make_enqueue(settings)))
    # waitress reads a whole body before the app sees it: beyond twice our own limit it refuses by itself.
    limit = 2 * app.config["MAX_CONTENT_LENGTH"]
    server = waitress.create_server(
        app,
        host=args.host,
        port=args.port,
        threads=THREADS,
        max_request_body_size=limit,
        clear_untrusted_proxy_headers=settings.trusted_proxies == 0,
        ident="printsys",
    )
    serving = threading.Thread(target=server.run, daemon=True, name="serving")
    serving.start()
    logging.getLogger(__name__).info("serving on %s:%s", args.host, args.port)
    while serving.is_alive() and not stop.wait(0.5):
        pass
    app.extensions[live.EXTENSION].stop()
    app.extensions[upload_check.EXTENSION].stop()
    server.task_dispatcher.shutdown(timeout=FINISH_S)
    return 0 if stop.is_set() else 1
