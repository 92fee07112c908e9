"""The server under the pages: waitress, with limits for a whole campus, some of it hostile.

waitress reads each request whole before a thread of the pages sees it, so slow senders cost no thread. That leaves two
things to bound: what is read, and how many connections are open. Both are decided here, before a body is read.
"""

from __future__ import annotations

import copy
import errno
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from flask import Flask
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.server import BaseWSGIServer, create_server
from waitress.utilities import Error
from werkzeug.http import parse_options_header

from printsys.web import services
from printsys.web.form_reader import FormReader, Writers
from printsys.web.uploads import TAKES_MODELS, parser_for

THREADS = 24
"""Of which live pages may keep half (see printsys/web/live.py)."""
SMALL_BODY = 1 << 20
"""Bytes. No form but those that take models needs more."""
MOST_HEADER = 64 << 10
"""Bytes of a request's first line and headers. Browsers send some thousand."""
MOST_HEADERS = 200
"""Headers of one request: waitress joins equal ones, which takes longer with each."""
MOST_IN_FLIGHT = 2 << 30
"""Bytes of all bodies that are being received at one moment: models lie in the storage already."""
MOST_OF_ONE_ADDRESS = MOST_IN_FLIGHT * 3 // 4
"""Of those: a whole campus may be one address, and the others have room for several of the largest forms."""
MOST_CONNECTIONS = 480 if sys.platform == "win32" else 1500
"""select() of Windows knows 512 sockets, the database's among them; elsewhere poll() knows any number."""
CROWDED = 0.8
"""Of those connections; from then on a new one takes the place of the one that has been idle for longest."""
SLOWEST = 1000
"""Bytes a second, on the average, once a body has been on its way for `IDLE_S`, and in each window after that."""
WINDOW_S = 120
"""A phone may lose its network for a while."""
LONGEST_S = 4 * 3600
"""For a body at one pace. The more has come, the more must go on coming: it keeps the others out for as long."""
IDLE_S = 30
"""A connection that neither asks nor is answered is closed after so long; browsers open another when they need one.
Headers that take longer to arrive are given up, too."""
LOOK_EVERY_S = 5
EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
EXHAUSTED_PAUSE_S = 0.2
RECEIVE_BYTES = 256 * 1024
"""Of one sender at a time."""
FINISH_S = 2
"""What is being answered when the end comes has this long."""


class Crowded(Error):
    """Too many bodies at once."""

    code = 503
    reason = "Service Unavailable"


class TooSlow(Error):
    """A request that would never end."""

    code = 408
    reason = "Request Timeout"


class PageServer:
    """Serves `app` on `host`:`port` from a thread of its own. OSError where it cannot listen."""

    def __init__(self, app: Flask, host: str, port: int, trusts_proxies: bool) -> None:
        raise_file_limit(2 * MOST_CONNECTIONS)
        sockets: dict[int, Any] = {}
        self._server = create_server(
            app,
            map=sockets,
            host=host,
            port=port,
            threads=THREADS,
            # waitress reads a whole body before the app sees it: beyond twice our own limit it refuses by itself.
            max_request_body_size=2 * app.config["MAX_CONTENT_LENGTH"],
            max_request_header_size=MOST_HEADER,
            connection_limit=MOST_CONNECTIONS,
            channel_timeout=IDLE_S,
            cleanup_interval=LOOK_EVERY_S,
            asyncore_use_poll=sys.platform != "win32",
            backlog=1024,
            clear_untrusted_proxy_headers=not trusts_proxies,
            recv_bytes=RECEIVE_BYTES,
            ident="printsys",
        )
        self._writers = Writers()
        proxies = app.extensions[services.EXTENSION].settings.trusted_proxies if trusts_proxies else 0
        self._listeners = [
            each for each in sockets.values() if isinstance(each, BaseWSGIServer)
        ]  # one for each address
        for listener in self._listeners:
            listener.channel_class = Connection
            listener.proxies = proxies
            listener.accept = partial(_accept_or_pause, listener.accept)
            listener.read_form = partial(self._read_form, app, listener.pull_trigger)
        self._thread = threading.Thread(target=self._server.run, daemon=True, name="serving")

    def start(self) -> None:
        self._thread.start()

    def is_serving(self) -> bool:
        return self._thread.is_alive()

    def stop(self) -> None:
        self._server.task_dispatcher.shutdown(timeout=FINISH_S)
        for listener in self._listeners:
            for connection in [*listener.active_channels.values()]:
                connection.drop_request()
        self._writers.stop(FINISH_S)

    def _read_form(self, app: Flask, wake: Callable[[], None], path: str, boundary: bytes) -> FormReader:
        return FormReader(parser_for(app, path, boundary), self._writers, wake)


def _accept_or_pause(accept: Callable[[], Any]) -> Any:
    """Where the process may open no more files, the new connection waits in the system's queue, which wakes the loop at
    once and for ever: so this pauses."""
    try:
        return accept()
    except OSError as error:
        if error.errno in EXHAUSTED:
            time.sleep(EXHAUSTED_PAUSE_S)
        raise


class Connection(HTTPChannel):
    """One browser's. Makes room for itself where many lie idle."""

    def __init__(self, server: Any, *rest: Any, **options: Any) -> None:
        super().__init__(server, *rest, **options)
        others = [connection for connection in server.active_channels.values() if connection is not self]
        if len(others) > CROWDED * MOST_CONNECTIONS:
            idle = [other for other in others if other.is_idle()]
            if idle:
                min(idle, key=lambda other: float(other.last_activity)).will_close = True

    def parser_class(self, adjustments: Any) -> Request:
        return Request(adjustments, self)

    def readable(self) -> bool:
        """Not while its body comes faster than the disk takes it."""
        return bool(super().readable()) and not (self.request is not None and self.request.is_backlogged())

    def handle_close(self) -> None:
        self.drop_request()
        super().handle_close()

    def drop_request(self) -> None:
        """What was received of a body that never ended is removed."""
        if self.request is not None:
            self.request.close()

    def is_idle(self) -> bool:
        """Nothing is received, answered, or waits to be sent."""
        is_receiving = self.request is not None and self.request.headers_finished
        return not (self.requests or is_receiving or self.total_outbufs_len)

    def bytes_in_flight(self, address: str | None = None) -> int:
        """`address`: only of what comes from there."""
        requests = [*self.requests, *([self.request] if self.request is not None else [])]
        return sum(request.body_bytes_received for request in requests if address in (None, request.address))


class Request(HTTPRequestParser):
    """Knows after the header how much body its page may bring."""

    def __init__(self, adjustments: Any, connection: Connection) -> None:
        super().__init__(adjustments)
        self.adj: Any = adjustments
        self.address = str(connection.addr[0])
        self._server = connection.server
        self._began = self._window_began = time.monotonic()
        self._window_start = 0
        self._form: FormReader | None = None

    def is_backlogged(self) -> bool:
        return self._form is not None and self._form.is_backlogged()

    def parse_header(self, header: bytes) -> None:
        if header.count(b"\r\n") > MOST_HEADERS:
            raise ParsingError("Too many headers")
        super().parse_header(header)
        if problem := framing_problem(header, self.version):
            raise ParsingError(problem)
        self.address = sender(self.address, self.headers.get("X_FORWARDED_FOR", ""), self._server.proxies)
        if not TAKES_MODELS.search(self.path):
            self.adj = copy.copy(self.adj)
            self.adj.max_request_body_size = SMALL_BODY
        elif self.command == "POST" and self.body_rcv is not None:
            mimetype, options = parse_options_header(self.headers.get("CONTENT_TYPE"))
            boundary = options.get("boundary", "")
            if mimetype == "multipart/form-data" and boundary and boundary.isascii():
                self._form = self.body_rcv.buf = self._server.read_form(self.path, boundary.encode())
        self._began = self._window_began = time.monotonic()

    def received(self, data: bytes) -> int:
        counted = self.body_bytes_received // SMALL_BODY
        consumed = int(super().received(data))
        if not self.completed:
            self._refuse_what_lasts(counted)
        return consumed

    def _refuse_what_lasts(self, counted: int) -> None:
        """`counted`: the megabytes of body that were weighed before."""
        waited_s = time.monotonic() - self._began
        if not self.headers_finished:
            if waited_s > IDLE_S:
                super().parse_header(b"GET / HTTP/1.0\r\n")  # as waitress does where the header is none
                self._refuse(TooSlow("This came too slowly. Please try again."))
        elif self.body_bytes_received:
            if self.body_bytes_received // SMALL_BODY > counted and (crowd := self._crowd()):
                self._refuse(Crowded(f"{crowd} at this moment. Please try again in a minute."))
            if self._is_slow(waited_s):
                self._refuse(TooSlow("This came too slowly. Please try again."))

    def _crowd(self) -> str | None:
        """By what has arrived: anybody can announce any size."""
        connections = self._server.active_channels.values()
        if sum(connection.bytes_in_flight() for connection in connections) > MOST_IN_FLIGHT:
            return "Many people are sending models"
        if sum(connection.bytes_in_flight(self.address) for connection in connections) > MOST_OF_ONE_ADDRESS:
            return "Many models are on their way from your network"
        return None

    def _is_slow(self, waited_s: float) -> bool:
        """From the start, or since the last window began: what began fast may go on by drops."""
        if waited_s > IDLE_S and self.body_bytes_received < SLOWEST * waited_s:
            return True
        window_s = time.monotonic() - self._window_began
        if window_s <= WINDOW_S:
            return False
        progress, least = self.body_bytes_received - self._window_start, least_progress(self._window_start, window_s)
        self._window_began, self._window_start = time.monotonic(), self.body_bytes_received
        return bool(progress < least)

    def _refuse(self, error: Error) -> None:
        self.error, self.completed = error, True


def least_progress(received: int, window_s: float) -> float:
    """Bytes that must follow within `window_s`, where `received` have come."""
    return max(SLOWEST, received / LONGEST_S) * window_s


def sender(address: str, forwarded_for: str, proxies: int) -> str:
    """Whose connection it is, where the nearest `proxies` are the lab's own: what the others say, anybody can say."""
    hops = [hop.strip() for hop in forwarded_for.split(",")]
    return hops[-proxies] if forwarded_for and 0 < proxies <= len(hops) else address


def framing_problem(header: bytes, version: str) -> str | None:
    """Why a proxy could see another request here than waitress does (RFC 9112, 3.2, 5.2 and 6.3): then the rest of its
    body would be a request that the proxy never judged."""
    lines = [line for line in header.split(b"\r\n")[1:] if line]
    if any(line[:1] in (b" ", b"\t") for line in lines):
        return "A header goes on in the next line"
    fields = [(name.lower(), value.strip(b" \t")) for name, _, value in (line.partition(b":") for line in lines)]
    lengths, encodings, hosts = (
        [value for name, value in fields if name == wanted]
        for wanted in (b"content-length", b"transfer-encoding", b"host")
    )
    if len(lengths) + len(encodings) > 1:
        return "The length of the body is stated twice"
    if encodings and (version != "1.1" or encodings[0].lower() != b"chunked"):
        return "The body is encoded in an unusual way"
    if len(hosts) > 1 or (version == "1.1" and not hosts):
        return "One Host header is needed"
    return None


def raise_file_limit(files: int) -> None:
    """Let this process open so many files, as far as the system lets a user."""
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = files if hard == resource.RLIM_INFINITY else min(files, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
