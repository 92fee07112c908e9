"""Tells open pages to refresh, by server-sent events that say nothing else.

A browser that gets none (too many are open, a proxy holds them back) polls instead, see static/js/live.js.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

from flask import Blueprint, Response, current_app
from flask.typing import ResponseReturnValue

from indexer.notifications import ChangeListener
from printsys.web.auth import login_required

pages = Blueprint("live", __name__)
EXTENSION = "live"
MOST_STREAMS = 12
"""Each open stream keeps a thread of the server (see printsys/web/server.py: THREADS)."""
STREAM_S = 300.0
PING_S = 15.0


class LiveUpdates:
    """How many streams are free, and what the open ones listen to."""

    def __init__(self, changes: ChangeListener) -> None:
        self.changes = changes
        self.free_streams = threading.BoundedSemaphore(MOST_STREAMS)

    def stop(self) -> None:
        self.changes.stop()


@pages.get("/dashboard/live")
@login_required
def live() -> ResponseReturnValue:
    """`changed` events; 204 (the browser then does not come back) where too many are open."""
    updates: LiveUpdates = current_app.extensions[EXTENSION]
    if not updates.free_streams.acquire(blocking=False):
        return Response(status=204)
    stream = Response(_events(updates.changes), mimetype="text/event-stream")
    stream.headers["X-Accel-Buffering"] = "no"
    stream.call_on_close(updates.free_streams.release)
    return stream


def _events(changes: ChangeListener) -> Iterator[bytes]:
    until = time.monotonic() + STREAM_S
    sent_number = changes.number()
    yield b"retry: 2000\n\n"
    pinged = time.monotonic()
    while time.monotonic() < until and not changes.stopped:
        number = changes.wait(sent_number, 1.0)
        if number > sent_number:
            sent_number = number
            yield f"event: changed\ndata: {number}\n\n".encode()
        elif time.monotonic() - pinged > PING_S:
            pinged = time.monotonic()
            yield b": still here\n\n"
