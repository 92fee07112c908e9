"""A real SMTP server for tests, and a letter box that can be waited for."""

from __future__ import annotations

import asyncio
import email
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import default
from typing import Any, cast

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

PATIENCE_S = 20.0


@dataclass
class PostOffice:
    """What arrived. `answers` are given to the next messages instead of 250, `rcpt_answers` to the next recipients.

    While `gate` is clear, a message that was sent waits for its answer. `cut`: those that did not wait.
    `opened`, `closed`: connections.
    """

    answers: list[str] = field(default_factory=list)
    rcpt_answers: list[str] = field(default_factory=list)
    letters: list[EmailMessage] = field(default_factory=list)
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
        except asyncio.CancelledError:  # the other end is gone
            with self.news:
                self.cut += 1
                self.news.notify_all()
            raise
        if self.answers:
            return self.answers.pop(0)
        with self.news:
            letter = email.message_from_bytes(cast(bytes, envelope.content), policy=default)
            self.letters.append(letter)
            self.recipients.append(envelope.rcpt_tos)
            self.news.notify_all()
        return "250 OK"

    def wait_for(self, condition: Callable[[], bool]) -> None:
        with self.news:
            assert self.news.wait_for(condition, PATIENCE_S), f"waited {PATIENCE_S} s in vain"

    def wait_for_letters(self, count: int) -> list[EmailMessage]:
        self.wait_for(lambda: len(self.letters) >= count)
        return self.letters

    def only_letter(self) -> EmailMessage:
        """The only one that came."""
        [letter] = self.letters
        return letter


class Conversation(SMTP):
    """Counts itself in its office."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self.transport is None:  # else the same conversation goes on, encrypted
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


def text_of(letter: EmailMessage) -> str:
    return _part(letter, "plain")


def html_of(letter: EmailMessage) -> str:
    return _part(letter, "html")


def _part(letter: EmailMessage, kind: str) -> str:
    body = letter.get_body((kind,))
    assert body is not None
    return str(body.get_content()).replace("\r\n", "\n")


def link_in(text: str, page: str) -> str:
    """The token of the only link to `page` (`status`, `confirm`)."""
    [token] = set(re.findall(rf"https://lab\.example\.edu/{page}/([\w.-]+)", text))
    return str(token)
