"""Serve the pages only (`run` does this for you)."""

from __future__ import annotations

import argparse
import logging

from printsys.commands.common import add_storage_argument, port_number, read_settings
from printsys.ops import logging_setup
from printsys.ops.shutdown import stop_event


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (0.0.0.0: the whole network)")
    parser.add_argument("--port", type=port_number, default=5000)
    add_storage_argument(parser)


def run(args: argparse.Namespace) -> int:
    from printsys.services import build_services
    from printsys.web import create_app, live, uploads
    from printsys.web.server import PageServer
    from printsys.web.staff import system
    from printsys.worker.queue import make_enqueue

    stop = stop_event()
    settings = read_settings(args)
    logging_setup.log_to_file(settings.instance, "web")
    app = create_app(build_services(settings, make_enqueue(settings)))
    server = PageServer(app, args.host, args.port, trusts_proxies=settings.trusted_proxies > 0)
    server.start()
    logging.getLogger(__name__).info("serving on %s:%s", args.host, args.port)
    while server.is_serving() and not stop.wait(0.5):
        pass
    app.extensions[live.EXTENSION].stop()
    app.extensions[uploads.UPLOAD_CHECKER].stop()
    app.extensions[system.EXTENSION].stop()
    server.stop()
    return 0 if stop.is_set() else 1
