"""A browser of bench/burst.py: plain HTTP over one connection, and how long each answer took."""

from __future__ import annotations

import http.client
import io
import re
import time
import urllib.parse
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from html import unescape

from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.test import encode_multipart

PATIENCE_S = 120
STALE_S = 5
"""A browser's connection that lay idle for longer is opened again: the server may have closed it."""
PIECE = 64 * 1024
ASSET = re.compile(r'(?:href|src)="(/(?:static|bootstrap)/[^"]+)"')
Fields = Mapping[str, str]


@dataclass(frozen=True)
class Event:
    """`seconds` of a page, or of a submission beyond its transfer; for an error `note` says what happened."""

    kind: str
    seconds: float = 0.0
    note: str = ""


@dataclass
class Page:
    status: int
    url: str
    text: str


class Unexpected(Exception):
    """An answer that a person would call an error."""


@dataclass
class Browser:
    """One browser with one connection, its cookies, and what it measured. `rate`: bytes a second that it can send."""

    port: int
    rate: float = 8e6
    events: list[Event] = field(default_factory=list)
    patience_s: float = PATIENCE_S
    _cookies: dict[str, str] = field(default_factory=dict)
    _connection: http.client.HTTPConnection | None = None
    _used_at: float = 0.0
    _sent_at: float = 0.0
    _blocked_s: float = 0.0
    """How long the server did not take what this browser could have sent."""

    def get(self, path: str, kind: str = "page", expected: Sequence[int] = (200,)) -> Page:
        with self._measured(kind):
            page = self._exchange("GET", path, None, {})
        return require(page, *expected)

    def load(self, path: str) -> Page:
        """A page with what belongs to it, as a first visit does."""
        page = self.get(path)
        for asset in dict.fromkeys(ASSET.findall(page.text)):
            self.get(unescape(asset), "asset")
        return page

    def post(self, path: str, fields: Fields, kind: str, expected: Sequence[int] = (302, 303)) -> Page:
        body = urllib.parse.urlencode(fields).encode()
        with self._measured(kind):
            page = self._exchange("POST", path, body, {"Content-Type": "application/x-www-form-urlencoded"})
        return require(page, *expected)

    def send_file(self, path: str, fields: Fields, name: str, model: bytes, kind: str, share: float = 1.0) -> Page:
        """A form with a file; only its first `share`, then the line breaks.

        Counted is what comes on top of a transfer at `rate`: how long the server kept this browser from sending, as far
        as that made it late, and how long the answer took after the last byte.
        """
        boundary, body = encode_multipart(MultiDict({**fields, "file": FileStorage(io.BytesIO(model), name)}))
        headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        if share < 1:
            self._send("POST", path, body, headers, body[: int(share * len(body))])
            self.close()
            return Page(0, path, "")
        begin = time.monotonic()
        page = self._exchange("POST", path, body, headers)
        sent_s = self._sent_at - begin
        late_s = min(self._blocked_s, max(0.0, sent_s - len(body) / self.rate))
        self.events.append(Event(kind, late_s + time.monotonic() - self._sent_at))
        return page

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _exchange(self, method: str, path: str, body: bytes | None, headers: Fields) -> Page:
        with suppress(ConnectionError):  # the server answers before all is sent where it refuses
            self._send(method, path, body, headers, body or b"")
        assert self._connection is not None
        answer = self._connection.getresponse()
        text = answer.read().decode("utf-8", "replace")
        for cookie in answer.headers.get_all("Set-Cookie", []):
            name, _, value = cookie.partition(";")[0].partition("=")
            self._cookies[name] = value
        if answer.headers.get("Connection", "").lower() == "close":
            self.close()
        self._used_at = time.monotonic()
        return Page(answer.status, answer.headers.get("Location", path), text)

    def _send(self, method: str, path: str, body: bytes | None, headers: Fields, sent_body: bytes) -> None:
        if self._connection is None or time.monotonic() - self._used_at > STALE_S:
            self.close()
            self._connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=self.patience_s)
        self._connection.putrequest(method, path)
        length = {"Content-Length": str(len(body))} if body is not None else {}
        cookies = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        for name, value in {"Cookie": cookies, **headers, **length}.items():
            self._connection.putheader(name, value)
        self._connection.endheaders()
        begin, self._blocked_s = time.monotonic(), 0.0
        for start in range(0, len(sent_body), PIECE):
            before = time.monotonic()
            self._connection.send(memoryview(sent_body)[start : start + PIECE])
            self._sent_at = time.monotonic()
            self._blocked_s += self._sent_at - before
            time.sleep(max(0.0, begin + (start + PIECE) / self.rate - time.monotonic()))

    @contextmanager
    def _measured(self, kind: str) -> Iterator[None]:
        begin = time.monotonic()
        yield
        self.events.append(Event(kind, time.monotonic() - begin))


def require(page: Page, *expected: int) -> Page:
    if page.status not in expected:
        raise Unexpected(f"{page.status} from {page.url}")
    return page


def hidden(page: Page, name: str) -> str:
    match = re.search(rf'name="{name}"[^>]*value="([^"]*)"', page.text)
    if match is None:
        raise Unexpected(f"no field {name} on {page.url}: {page.status}")
    return unescape(match.group(1))


def watched(events: list[Event], who: str, act: Callable[[], None]) -> None:
    """Whatever a person meets is written down, and the others go on."""
    try:
        act()
    except (OSError, http.client.HTTPException, Unexpected) as error:
        events.append(Event("error", note=f"{who}: {type(error).__name__}: {error}"))
