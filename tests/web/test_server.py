"""The server under the pages: what hostile or many connections cost the others. Real sockets, no test client."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import io
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask
from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.test import encode_multipart

from printsys.jobstore.arriving import ArrivingFile
from printsys.services import Services
from printsys.web import server as page_server
from printsys.web.server import Connection, PageServer
from tests.factories import FORM, STL
from tests.running_system import free_port
from tests.waiting import until
from tests.web.conftest import hidden_value, token_in

Connect = Callable[..., socket.socket]


@pytest.fixture
def server(app: Flask) -> Iterator[PageServer]:
    server = PageServer(app, "127.0.0.1", free_port(), trusts_proxies=False)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def port(server: PageServer) -> int:
    return int(server._server.effective_port)


@pytest.fixture
def connect(port: int) -> Iterator[Connect]:
    with contextlib.ExitStack() as stack:

        def opened(source: str = "127.0.0.1") -> socket.socket:
            return stack.enter_context(socket.create_connection(("127.0.0.1", port), 30, (source, 0)))

        yield opened


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def all_of(connection: socket.socket) -> bytes:
    """What comes until the other end hangs up: header and body may come apart."""
    answer = b""
    with contextlib.suppress(ConnectionError):
        while part := connection.recv(1000):
            answer += part
    return answer


def answer_to_drops(connection: socket.socket, drop: bytes) -> bytes:
    """What the server says to a sender who goes on and on."""
    connection.settimeout(0.05)
    answer = b""
    while not answer:
        with contextlib.suppress(TimeoutError):
            answer = connection.recv(100)
            assert answer, "it hung up without a word"
        with contextlib.suppress(OSError):
            connection.sendall(drop)
    return answer


def head(path: str, length: int) -> bytes:
    return f"POST {path} HTTP/1.1\r\nHost: lab\r\nContent-Length: {length}\r\n\r\n".encode()


def open_to(server: PageServer) -> list[Connection]:
    return [*server._server.active_channels.values()]


def bytes_in_flight(server: PageServer) -> int:
    return sum(connection.bytes_in_flight() for connection in open_to(server))


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


class Student:
    """One who sends models over a connection of their own."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.page = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self.page.request("GET", "/submit")
        answer = self.page.getresponse()
        self._html, self._cookie = answer.read().decode(), answer.headers["Set-Cookie"].partition(";")[0]

    def form(self, model: bytes) -> tuple[dict[str, str], bytes]:
        """The headers and the body of a submission."""
        values = FORM | {"csrf_token": token_in(self._html), "submission": hidden_value(self._html, "submission")}
        boundary, body = encode_multipart(MultiDict(values | {"file": FileStorage(io.BytesIO(model), "large.stl")}))
        return {"Content-Type": f"multipart/form-data; boundary={boundary}", "Cookie": self._cookie}, body

    def submit(self, model: bytes, is_chunked: bool = False) -> http.client.HTTPResponse:
        headers, body = self.form(model)
        pieces = (body[start : start + 100_000] for start in range(0, len(body), 100_000))
        self.page.request("POST", "/submit", pieces if is_chunked else body, headers, encode_chunked=is_chunked)
        return self.page.getresponse()

    def begin(self, connection: socket.socket, model: bytes, most: int) -> None:
        """The first `most` bytes of the body alone."""
        headers, body = self.form(model)
        lines = [f"{name}: {value}" for name, value in (headers | {"Content-Length": str(len(body))}).items()]
        connection.sendall("\r\n".join(["POST /submit HTTP/1.1", "Host: lab", *lines, "", ""]).encode())
        connection.sendall(body[:most])


def staged_files(services: Services) -> list[Path]:
    return [path for path in services.store.layout.staging.rglob("*") if path.is_file()]


@pytest.mark.parametrize("is_chunked", [False, True])
def test_a_submission_may_be_large(port: int, services: Services, is_chunked: bool) -> None:
    model = STL + b"\n" * (5 << 20)
    answer = Student(port).submit(model, is_chunked)
    assert answer.status == 303 and "/submit/success" in answer.headers["Location"]
    ((job_id, folder),) = services.store.ids()
    assert (folder / "original" / "large.stl").read_bytes() == model
    assert services.store.load(job_id).job.sent_files[0].sha256 == hashlib.sha256(model).hexdigest()
    assert not any(services.store.layout.staging.iterdir())


@pytest.mark.skipif(sys.platform != "linux", reason="counts the bytes that this process writes by /proc")
def test_each_byte_of_a_model_is_written_twice_at_most(port: int) -> None:
    # FAULTS S5
    student, model = Student(port), STL + b"\n" * (20 << 20)
    before = bytes_written()
    assert student.submit(model).status == 303
    assert bytes_written() - before < 2 * len(model) + (1 << 20)


def bytes_written() -> int:
    """To files; what goes through sockets is not in it."""
    counters = Path("/proc/self/io").read_text("ascii").splitlines()
    return next(int(line.split()[1]) for line in counters if line.startswith("wchar:"))


def test_a_model_whose_sender_hangs_up_leaves_nothing(port: int, connect: Connect, services: Services) -> None:
    connection = connect()
    Student(port).begin(connection, STL + b"\n" * (1 << 20), most=1 << 20)
    until(lambda: staged_files(services) != [])
    connection.close()
    until(lambda: not any(services.store.layout.staging.iterdir()))
    assert list(services.store.ids()) == []


def test_a_server_that_stops_leaves_nothing_of_what_was_on_its_way(
    server: PageServer, port: int, connect: Connect, services: Services
) -> None:
    Student(port).begin(connect(), STL + b"\n" * (1 << 20), most=1 << 20)
    until(lambda: staged_files(services) != [])
    server.stop()
    assert not any(services.store.layout.staging.iterdir())


def test_a_disk_that_hangs_holds_up_its_senders_alone(
    server: PageServer, port: int, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And no memory is filled with what it does not take."""
    goes_on, is_reached = threading.Event(), threading.Event()
    write = ArrivingFile.write

    def hang(file: ArrivingFile, data: bytes) -> int:
        is_reached.set()
        goes_on.wait(60)
        return write(file, data)

    monkeypatch.setattr(ArrivingFile, "write", hang)
    student, answers = Student(port), list[int]()
    model = STL + b"\n" * (20 << 20)
    sending = threading.Thread(target=lambda: answers.append(student.submit(model).status))
    sending.start()
    try:
        assert is_reached.wait(30)
        assert is_served(port)
        until(lambda: any(connection.request and connection.request.is_backlogged() for connection in open_to(server)))
        assert is_served(port)
        assert bytes_in_flight(server) < 2 << 20
    finally:
        goes_on.set()
        sending.join()
    assert answers == [303]


def test_a_storage_that_refuses_a_model_says_so_and_keeps_what_was_typed(port: int, services: Services) -> None:
    staging = services.store.layout.staging
    staging.rmdir()
    staging.write_bytes(b"a file in its place")
    answer = Student(port).submit(STL + b"\n" * (1 << 20))
    assert answer.status == 503
    assert "What you typed is still here" in " ".join(answer.read().decode().split())
    staging.unlink()
    assert Student(port).submit(STL).status == 303


@pytest.mark.parametrize(("cut", "status"), [(1, 303), (50, 400)])
def test_a_form_that_breaks_off_in_its_middle_is_no_form(port: int, services: Services, cut: int, status: int) -> None:
    student = Student(port)
    headers, body = student.form(STL)
    student.page.request("POST", "/submit", body[:-cut], headers)
    assert student.page.getresponse().status == status
    until(lambda: not any(services.store.layout.staging.iterdir()))


def test_the_fields_of_a_form_are_bounded_together(port: int) -> None:
    """They wait in memory for the end of the form."""
    part = b'--b\r\nContent-Disposition: form-data; name="message"\r\n\r\n' + b"x" * 400_000 + b"\r\n"
    for count, status in ((2, 400), (3, 413)):  # 400: it has no token
        student = Student(port)
        headers = student.form(STL)[0] | {"Content-Type": "multipart/form-data; boundary=b"}
        student.page.request("POST", "/submit", part * count + b"--b--\r\n", headers)
        assert student.page.getresponse().status == status


def test_a_form_of_very_many_parts_is_refused(port: int, services: Services) -> None:
    part = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.stl"\r\n\r\nsolid\r\n'
    student = Student(port)
    headers, _ = student.form(STL)
    student.page.request(
        "POST", "/submit", part * 100_000 + b"--b--\r\n", headers | {"Content-Type": "multipart/form-data; boundary=b"}
    )
    assert student.page.getresponse().status == 413
    until(lambda: not any(services.store.layout.staging.iterdir()))


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
    server: PageServer, port: int, connect: Connect, monkeypatch: pytest.MonkeyPatch, is_chunked: bool
) -> None:
    """By what has arrived: a size that is only announced keeps nobody out."""
    monkeypatch.setattr(page_server, "MOST_IN_FLIGHT", 5 << 20)
    for _ in range(3):
        connect().sendall(head("/submit", 100 << 20) + b"x")
    first = connect()
    first.sendall(head("/submit", 10 << 20) + b"x" * (4 << 20))
    until(lambda: bytes_in_flight(server) > 4 << 20)
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


@pytest.mark.skipif(sys.platform == "darwin", reason="has one loopback address only")
def test_one_address_leaves_room_for_the_others(
    server: PageServer, port: int, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_server, "MOST_OF_ONE_ADDRESS", 5 << 20)
    connect().sendall(head("/submit", 10 << 20) + b"x" * (4 << 20))
    until(lambda: bytes_in_flight(server) == 4 << 20)
    neighbor, stranger = connect(), connect("127.0.0.2")
    with contextlib.suppress(ConnectionError):  # it may hang up before all is sent
        neighbor.sendall(head("/dashboard/new", 9 << 20) + b"x" * (4 << 20))
    answer = all_of(neighbor)
    assert status_of(answer) == 503 and b"from your network" in answer
    assert is_served(port)
    stranger.sendall(head("/submit", 4 << 20) + b"x" * (4 << 20))
    assert status_of(stranger.recv(100)) == 400, "this one was read to its end"


@pytest.mark.parametrize(
    ("forwarded_for", "proxies", "expected"),
    [
        ("", 1, "10.0.0.1"),
        ("192.0.2.7", 0, "10.0.0.1"),
        ("192.0.2.7", 1, "192.0.2.7"),
        ("made up, 192.0.2.7", 1, "192.0.2.7"),
        ("made up, 192.0.2.7, 10.0.0.2", 2, "192.0.2.7"),
        ("192.0.2.7", 2, "10.0.0.1"),
    ],
)
def test_whose_body_it_is_the_nearest_proxy_says(forwarded_for: str, proxies: int, expected: str) -> None:
    assert page_server.sender("10.0.0.1", forwarded_for, proxies) == expected


def test_a_body_that_would_never_end_is_given_up(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_server, "IDLE_S", 0)
    connection = connect()
    connection.sendall(head("/submit", 1000) + b"x")
    assert status_of(answer_to_drops(connection, b"x")) == 408


def test_a_body_that_comes_fast_and_then_by_drops_is_given_up(
    server: PageServer, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = connect()
    connection.sendall(head("/submit", 100 << 20) + b"x" * (4 << 20))
    until(lambda: bytes_in_flight(server) == 4 << 20)
    monkeypatch.setattr(page_server, "WINDOW_S", 0)
    assert status_of(answer_to_drops(connection, b"x")) == 408


@pytest.mark.parametrize(
    ("received", "bytes_per_s", "is_enough"),
    [
        (0, 1_200, True),
        (0, 800, False),
        (50 << 20, 5_000, True),  # a phone with one bar
        (50 << 20, 1_200, False),
        (430 << 20, 50_000, True),
        (430 << 20, 5_000, False),
    ],
)
def test_the_more_has_come_the_more_must_follow(received: int, bytes_per_s: int, is_enough: bool) -> None:
    assert (bytes_per_s * 120 >= page_server.least_progress(received, 120)) is is_enough
