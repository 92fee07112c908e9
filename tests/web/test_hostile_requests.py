"""Requests that no browser sends, byte by byte, to the real server: two in one, headers and bodies without an end.

What nginx makes of the same bytes: test_behind_nginx.py.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask, request, request_started

from printsys.jobstore.arriving import ArrivalFolder
from printsys.services import Services
from printsys.web import server as page_server
from tests.waiting import until
from tests.web.test_server import answer_to_drops, is_served, port, server, status_of

__all__ = ["port", "server"]  # fixtures
HIDDEN = b"GET /smuggled HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n"
"""What must never be taken for a request of its own."""
CHUNKED = b"0\r\n\r\n" + HIDDEN
LENGTH = b"Content-Length: %d" % len(CHUNKED)


def two_in_one(*headers: bytes, body: bytes, version: bytes = b"1.1") -> bytes:
    return b"\r\n".join([b"POST /login HTTP/" + version, b"Host: lab", *headers, b"", body])


AMBIGUOUS = {
    "a length and chunks": two_in_one(LENGTH, b"Transfer-Encoding: chunked", body=CHUNKED),
    "chunks and a length": two_in_one(b"Transfer-Encoding: chunked", b"Content-Length: 5", body=CHUNKED),
    "a length of nothing and chunks": two_in_one(b"Content-Length: 0", b"Transfer-Encoding: chunked", body=CHUNKED),
    "two lengths": two_in_one(b"Content-Length: 0", b"Content-Length: %d" % len(HIDDEN), body=HIDDEN),
    "two lengths that agree": two_in_one(b"Content-Length: 0", b"Content-Length: 0", body=HIDDEN),
    "two lengths in one": two_in_one(b"Content-Length: 0, %d" % len(HIDDEN), body=HIDDEN),
    "a length with a sign": two_in_one(b"Content-Length: +0", body=HIDDEN),
    "a negative length": two_in_one(b"Content-Length: -1", body=HIDDEN),
    "a length in hex": two_in_one(b"Content-Length: 0x0", body=HIDDEN),
    "a length of words": two_in_one(b"Content-Length: none", body=HIDDEN),
    "a length with an underscore": two_in_one(b"Content-Length: 1_0", body=HIDDEN),
    "a name with a space": two_in_one(b"Content-Length : 0", body=HIDDEN),
    "a folded header": two_in_one(b"X: y\r\n Content-Length: 0", body=HIDDEN),
    "a folded encoding": two_in_one(b"Transfer-Encoding:\r\n chunked", body=CHUNKED),
    "chunked twice": two_in_one(b"Transfer-Encoding: chunked, chunked", body=CHUNKED),
    "two encodings": two_in_one(b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity", body=CHUNKED),
    "two encodings that agree": two_in_one(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked", body=CHUNKED),
    "an unknown encoding": two_in_one(b"Transfer-Encoding: xchunked", body=CHUNKED),
    "an encoding in odd white space": two_in_one(b"Transfer-Encoding: \x0bchunked", body=CHUNKED),
    "an encoding of the old protocol": two_in_one(
        b"Connection: keep-alive", b"Transfer-Encoding: chunked", body=CHUNKED, version=b"1.0"
    ),
    "a lone line feed": two_in_one(b"X: y\nContent-Length: 0", body=HIDDEN),
    "a lone return": two_in_one(b"X: y\rContent-Length: 0", body=HIDDEN),
    "a zero in a header": two_in_one(b"X: y\0z", b"Content-Length: 0", body=HIDDEN),
    "two hosts": two_in_one(b"Host: evil.example", b"Content-Length: 0", body=HIDDEN),
    "a chunk of no number": two_in_one(b"Transfer-Encoding: chunked", body=b"zz\r\nx\r\n" + CHUNKED),
    "a chunk with a sign": two_in_one(b"Transfer-Encoding: chunked", body=b"-1\r\nx\r\n" + CHUNKED),
    "a chunk in hex with a prefix": two_in_one(b"Transfer-Encoding: chunked", body=b"0x0\r\n\r\n" + HIDDEN),
    "a chunk longer than it says": two_in_one(b"Transfer-Encoding: chunked", body=b"1\r\nxyz\r\n" + CHUNKED),
    "a chunk that ends with a lone line feed": two_in_one(
        b"Transfer-Encoding: chunked", body=b"1\r\nx\n0\r\n\r\n" + HIDDEN
    ),
}
"""Each has a length in it that one program may read so, and another otherwise."""
NO_REQUEST = {
    "no host": b"GET /submit HTTP/1.1\r\n\r\n",
    "no version that there is": b"GET /submit HTTP/x.y\r\nHost: lab\r\n\r\n",
    "no words": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "a space in the address": b"GET /submit /x HTTP/1.1\r\nHost: lab\r\n\r\n",
    "headers beyond all size": b"GET /submit HTTP/1.1\r\nHost: lab\r\nX: " + b"x" * (1 << 20) + b"\r\n\r\n",
    "an address beyond all size": b"GET /" + b"x" * (1 << 20) + b" HTTP/1.1\r\nHost: lab\r\n\r\n",
    "headers beyond all number": b"GET /submit HTTP/1.1\r\nHost: lab\r\n" + b"a:\r\n" * 15_000 + b"\r\n",
}


def everything_from(connection: socket.socket) -> bytes:
    """Until the server hangs up, which it must: what follows on this connection could be anybody's."""
    received = b""
    with contextlib.suppress(ConnectionError):
        while part := connection.recv(1 << 16):
            received += part
    return received


@pytest.fixture
def reached() -> Iterator[list[str]]:
    """The paths of the requests that the pages see."""
    paths: list[str] = []

    def note(_app: Flask, **_: object) -> None:
        paths.append(request.path)

    with request_started.connected_to(note):
        yield paths


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_nothing_hides_in_the_body_of_another_request(port: int, reached: list[str], name: str) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(AMBIGUOUS[name])
        answer = everything_from(connection)
    assert status_of(answer) in (400, 501) and answer.count(b"HTTP/1.") == 1
    assert reached == [] and is_served(port)


@pytest.mark.parametrize("name", NO_REQUEST)
def test_what_is_no_request_is_refused_and_hung_up_on(port: int, reached: list[str], name: str) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        with contextlib.suppress(ConnectionError):  # it may hang up before all is sent
            connection.sendall(NO_REQUEST[name])
        answer = everything_from(connection)
    assert not answer or status_of(answer) in (400, 431), answer[:100]
    assert reached == [] and is_served(port)


def test_an_honest_chunked_body_is_read(port: int, reached: list[str]) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        body = b"3\r\na=1\r\n0\r\n\r\n"
        connection.sendall(two_in_one(b"Transfer-Encoding: chunked", b"Connection: close", body=body))
        assert status_of(everything_from(connection)) == 400, "it has no CSRF token"
    assert reached == ["/login"]


def test_headers_that_would_never_end_are_given_up(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_server, "IDLE_S", 0)
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"GET /submit HTTP/1.1\r\nHost: lab\r\n")
        assert status_of(answer_to_drops(connection, b"X: y\r\n")) == 408


# -- bodies -----------------------------------------------------------------------------------------------------------

BOUNDARY = b"--b\r\n"
FIELD = BOUNDARY + b'Content-Disposition: form-data; name="a"\r\n\r\nx\r\n'
FILE = BOUNDARY + b'Content-Disposition: form-data; name="file"; filename="a.stl"\r\n\r\nx\r\n'
BODIES = {
    "100,000 files": FILE * 100_000 + b"--b--",
    "100,000 files without a name": FILE.replace(b"a.stl", b"") * 100_000 + b"--b--",
    "100,000 fields": FIELD * 100_000 + b"--b--",
    "headers of a part without end": BOUNDARY + b"X: " + b"x" * (8 << 20),
    "100,000 headers of a part": BOUNDARY + b"X: y\r\n" * 100_000 + b"\r\nx\r\n--b--",
    "no boundary": b"x" * (8 << 20),
    "returns": FILE[:-3] + b"\r" * (8 << 20),
    "almost boundaries": FILE[:-3] + b"\r\n--" * (2 << 20),
    "a field of megabytes": FIELD[:-3] + b"x" * (8 << 20) + b"\r\n--b--",
    "nothing": b"",
}


@pytest.fixture
def files_made(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """What arrives, as it is put on the disk."""
    made: list[Path] = []
    add_file = ArrivalFolder.add_file

    def noted(folder: ArrivalFolder) -> Path:
        made.append(add_file(folder))
        return made[-1]

    monkeypatch.setattr(ArrivalFolder, "add_file", noted)
    return made


def post_form(port: int, path: str, kind: str, body: bytes) -> bytes:
    headers = f"POST {path} HTTP/1.1\r\nHost: lab\r\nContent-Length: {len(body)}\r\nContent-Type: {kind}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(headers.encode() + body)
        return connection.recv(100)


@pytest.mark.parametrize("path", ["/submit", "/submit/check", "/resubmit/x"])
@pytest.mark.parametrize("name", BODIES)
def test_a_body_of_absurd_parts_costs_one_refusal(
    port: int, services: Services, files_made: list[Path], name: str, path: str
) -> None:
    answer = post_form(port, path, "multipart/form-data; boundary=b", BODIES[name])
    assert status_of(answer) in (400, 413)
    assert len(files_made) <= services.lab.submission.max_files
    assert is_served(port)
    until(lambda: not any(path.exists() for path in files_made))


@pytest.mark.parametrize("sign", [b"&", b"a&", b"a=1&", b"%"])
def test_a_form_of_absurdly_many_fields_is_refused(port: int, sign: bytes) -> None:
    body = sign * (900_000 // len(sign))
    assert status_of(post_form(port, "/login", "application/x-www-form-urlencoded", body)) in (400, 413)
    assert is_served(port)
