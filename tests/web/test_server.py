"""The server under the pages: what hostile or many connections cost the others. Real sockets, no test client."""

from __future__ import annotations

import contextlib
import http.client
import io
import socket
from collections.abc import Callable, Iterator

import pytest
from flask import Flask
from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.test import encode_multipart

from printsys.web import server as page_server
from printsys.web.server import PageServer
from tests.factories import FORM, STL
from tests.running_system import free_port
from tests.web.conftest import hidden_value, token_in

Connect = Callable[[], socket.socket]


@pytest.fixture
def port(app: Flask) -> Iterator[int]:
    port = free_port()
    server = PageServer(app, "127.0.0.1", port, trusts_proxies=False)
    server.start()
    yield port
    server.stop()


@pytest.fixture
def connect(port: int) -> Iterator[Connect]:
    with contextlib.ExitStack() as stack:

        def opened() -> socket.socket:
            return stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=30))

        yield opened


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def head(path: str, length: int) -> bytes:
    return f"POST {path} HTTP/1.1\r\nHost: lab\r\nContent-Length: {length}\r\n\r\n".encode()


def is_served(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/submit")
    return connection.getresponse().status == 200


@pytest.mark.parametrize(
    "path", ["/healthz", "/login", "/dashboard/jobs/k7m29xq4/approve", "/status/submit/x", "/nowhere"]
)
def test_a_large_body_is_refused_before_it_is_read(connect: Connect, path: str) -> None:
    """FAULTS S8: of 250 MB announced, nothing is waited for."""
    connection = connect()
    connection.sendall(head(path, 250 << 20))
    assert status_of(connection.recv(100)) == 413


def test_a_large_body_without_a_length_is_cut_off(connect: Connect) -> None:
    connection = connect()
    connection.sendall(b"POST /login HTTP/1.1\r\nHost: lab\r\nTransfer-Encoding: chunked\r\n\r\n")
    chunk = b"%x\r\n" % (256 << 10) + b"x" * (256 << 10) + b"\r\n"
    with contextlib.suppress(ConnectionError):  # it may hang up before all is sent
        for _ in range(8):
            connection.sendall(chunk)
    assert status_of(connection.recv(100)) == 413


def test_a_submission_may_be_large(port: int) -> None:
    page = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    page.request("GET", "/submit")
    answer = page.getresponse()
    html, cookie = answer.read().decode(), answer.headers["Set-Cookie"].partition(";")[0]
    model = STL + b"\n" * (5 << 20)
    values = FORM | {"csrf_token": token_in(html), "submission": hidden_value(html, "submission")}
    boundary, body = encode_multipart(MultiDict(values | {"file": FileStorage(io.BytesIO(model), "large.stl")}))
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}", "Cookie": cookie}
    page.request("POST", "/submit", body, headers)
    answer = page.getresponse()
    assert answer.status == 303 and "/submit/success" in answer.headers["Location"]


def test_five_hundred_idle_connections_hold_nobody_up(port: int, connect: Connect) -> None:
    """FAULTS S3: browsers keep connections open; so does somebody for fun."""
    page_server.raise_file_limit(3000)
    for _ in range(400 if page_server.MOST_CONNECTIONS < 500 else 500):
        connect()
    for _ in range(20):
        slow = connect()
        slow.sendall(b"POST /submit HTTP/1.1\r\nHost: lab\r\nContent-Length: 1000\r\n\r\nslow")
    assert is_served(port)


def test_where_it_is_crowded_the_longest_idle_make_room(
    port: int, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_server, "MOST_CONNECTIONS", 20)
    sending = connect()
    sending.sendall(head("/submit", 1000) + b"x")
    idle = [connect() for _ in range(40)]
    assert is_served(port)
    assert idle[0].recv(1) == b"", "the server hung up"
    sending.sendall(b"x" * 999)
    assert status_of(sending.recv(100)) == 400, "a body on its way was read to its end"


@pytest.mark.parametrize("is_chunked", [False, True])
def test_the_bodies_on_their_way_are_bounded_together(
    port: int, connect: Connect, monkeypatch: pytest.MonkeyPatch, is_chunked: bool
) -> None:
    """By what has arrived: a size that is only announced keeps nobody out."""
    monkeypatch.setattr(page_server, "MOST_IN_FLIGHT", 5 << 20)
    for _ in range(3):
        connect().sendall(head("/submit", 100 << 20) + b"x")
    first = connect()
    first.sendall(head("/submit", 10 << 20) + b"x" * (4 << 20))
    second = connect()
    if is_chunked:
        begin = b"POST /submit HTTP/1.1\r\nHost: lab\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n" % (9 << 20)
    else:
        begin = head("/submit", 9 << 20)
    with contextlib.suppress(ConnectionError):  # it may hang up before all is sent
        second.sendall(begin + b"x" * (4 << 20))
    assert status_of(second.recv(100)) == 503
    assert is_served(port)
    first.close()
    third = connect()
    third.sendall(head("/submit", 2 << 20) + b"x" * (2 << 20))
    assert status_of(third.recv(100)) == 400, "there is room again: this one was read to its end"


def test_a_body_that_would_never_end_is_given_up(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_server, "IDLE_S", 0)
    connection = connect()
    connection.sendall(head("/submit", 1000) + b"x")
    connection.settimeout(0.05)
    answer = b""
    while not answer:
        with contextlib.suppress(TimeoutError):
            answer = connection.recv(100)
            assert answer, "it hung up without a word"
        with contextlib.suppress(OSError):
            connection.sendall(b"x")
    assert status_of(answer) == 408
