"""A real SMTP server for tests, and the inbox that it delivers into, with ways to wait for what arrives."""

from __future__ import annotations

import asyncio
import email
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import default
from typing import Any, cast

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

PATIENCE_S = 60.0


@dataclass
class MailInbox:
    """What arrived. The next messages are answered with `answers` instead of 250, the next recipients with
    `rcpt_answers`.

    While `gate` is clear, a message waits for its answer. `tried` counts messages, `cut` those whose sender did not
    wait for the answer; `opened` and `closed` count connections.
    """

    answers: list[str] = field(default_factory=list)
    rcpt_answers: list[str] = field(default_factory=list)
    messages: list[EmailMessage] = field(default_factory=list)
    recipients: list[list[str]] = field(default_factory=list)
    tried: int = 0
    cut: int = 0
    opened: int = 0
    closed: int = 0
    news: threading.Condition = field(default_factory=threading.Condition)
    gate: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.gate.set()

    async def handle_RCPT(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: Any
    ) -> str:
        if self.rcpt_answers:
            return self.rcpt_answers.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        with self.news:
            self.tried += 1
            self.news.notify_all()
        try:
            await asyncio.get_running_loop().run_in_executor(None, self.gate.wait, PATIENCE_S)
        except asyncio.CancelledError:  # the client is gone
            with self.news:
                self.cut += 1
                self.news.notify_all()
            raise
        if self.answers:
            return self.answers.pop(0)
        with self.news:
            message = email.message_from_bytes(cast(bytes, envelope.content), policy=default)
            self.messages.append(message)
            self.recipients.append(envelope.rcpt_tos)
            self.news.notify_all()
        return "250 OK"

    def wait_for(self, condition: Callable[[], bool]) -> None:
        with self.news:
            assert self.news.wait_for(condition, PATIENCE_S), f"waited {PATIENCE_S} s in vain"

    def wait_for_messages(self, count: int) -> list[EmailMessage]:
        self.wait_for(lambda: len(self.messages) >= count)
        return self.messages

    def only_message(self) -> EmailMessage:
        [message] = self.messages
        return message


class Conversation(SMTP):
    """Counts its connections in the inbox."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self.transport is None:  # else the same connection goes on, encrypted
            self.event_handler.opened += 1
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        with self.event_handler.news:
            self.event_handler.closed += 1
            self.event_handler.news.notify_all()


class Server(Controller):
    """On a port that the system chose, unless it is given."""

    def factory(self) -> SMTP:
        return Conversation(self.handler, **self.SMTP_kwargs)

    def _trigger_server(self) -> None:
        self.port = port_of(self)
        super()._trigger_server()  # type: ignore[no-untyped-call]

    def stop(self, no_assert: bool = False) -> None:
        if not self.loop.is_closed():  # a test may have stopped it already
            super().stop(no_assert)


def port_of(server: Controller) -> int:
    listening = server.server
    assert isinstance(listening, asyncio.Server)
    return int(listening.sockets[0].getsockname()[1])


@contextmanager
def serving(inbox: MailInbox, server_class: type[Server] = Server, **options: Any) -> Iterator[Server]:
    """A server that delivers into `inbox` while the body runs; `options` are aiosmtpd's."""
    bound: dict[str, Any] = {"hostname": "127.0.0.1", "port": 0} | options
    server = server_class(inbox, **bound)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def text_of(message: EmailMessage) -> str:
    return _part(message, "plain")


def html_of(message: EmailMessage) -> str:
    return _part(message, "html")


def _part(message: EmailMessage, kind: str) -> str:
    body = message.get_body((kind,))
    assert body is not None
    return str(body.get_content()).replace("\r\n", "\n")


def link_in(text: str, page: str) -> str:
    """The token of the only link to `page` (`status`, `confirm`)."""
    [token] = set(re.findall(rf"https://lab\.example\.edu/{page}/([\w.-]+)", text))
    return str(token)
