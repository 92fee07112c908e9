"""How an e-mail leaves: to the lab's mail server, or, without one, as a file in instance/outbox/.

The answer says what to do next. A failure that is about this e-mail or its address, and that the server calls final
(5xx), is permanent. Everything else is temporary: no connection, 4xx, and what only the lab can put right, such as a
wrong password, since no e-mail should be given up for it.
"""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP

from printsys import fs
from printsys.config import MailServer, Settings

TIMEOUT_S = 20.0
IMPLICIT_TLS_PORT = 465
"""RFC 8314: there the conversation is encrypted from its first byte; elsewhere by STARTTLS."""
IDLE_S = 30.0
MOST_PER_CONNECTION = 50
"""Servers cut off whoever sends more over one connection; a hundred is a usual limit."""
FINE = 250
TOO_LARGE = 552
"""RFC 1870: said of the sender, meant of the message."""
WORDS_LIMIT = 500


@dataclass(frozen=True)
class Sent:
    """`where` it went, in words."""

    where: str


@dataclass(frozen=True)
class TemporaryFailure:
    """Worth another try. `for_all`: any other e-mail would have met the same."""

    words: str
    for_all: bool = False


@dataclass(frozen=True)
class PermanentFailure:
    words: str


Outcome = Sent | TemporaryFailure | PermanentFailure


def deliver(message: EmailMessage, settings: Settings) -> Outcome:
    """Hand one `message` over by a connection of its own; never raises for what servers, networks and disks do."""
    carrier = SmtpClient()
    try:
        return carrier.deliver(message, settings)
    finally:
        carrier.close()


def knock(server: MailServer) -> Outcome:
    """Connect and log in as for an e-mail, send none, and say how that went; raises as little as `deliver`."""
    try:
        _say_goodbye(_ready(server))
    except (smtplib.SMTPException, OSError) as error:
        return _in_vain(error, server)
    return Sent(f"a greeting, accepted by {server.host}")


class SmtpClient:
    """Hands messages over, one recipient each, and keeps connections for those that follow within `IDLE_S`.

    Several threads may deliver at once: each takes a connection that nobody uses, or opens one.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._guard = threading.Lock()
        self._idle: list[_Kept] = []

    def deliver(self, message: EmailMessage, settings: Settings) -> Outcome:
        """As `deliver` above."""
        if settings.mail is None:
            return _to_outbox(message, settings)
        try:
            return self._to_server(message, settings.mail)
        except smtplib.SMTPRecipientsRefused as error:
            return _answer(*next(iter(error.recipients.values())))
        except smtplib.SMTPDataError as error:
            return _answer(error.smtp_code, error.smtp_error)
        except smtplib.SMTPNotSupportedError as error:  # an address in a script that this server cannot carry
            return PermanentFailure(_words(str(error)))
        except smtplib.SMTPResponseException as error:
            if error.smtp_code == TOO_LARGE:
                return _answer(error.smtp_code, error.smtp_error)
            return _in_vain(error, settings.mail)
        except (smtplib.SMTPException, OSError) as error:
            return _in_vain(error, settings.mail)

    def close(self, idle_s: float = 0.0) -> None:
        """Say goodbye on every connection that nobody has used for `idle_s` seconds."""
        with self._guard:
            over = [kept for kept in self._idle if self._monotonic() - kept.since >= idle_s]
            self._idle = [kept for kept in self._idle if kept not in over]
        for kept in over:
            _say_goodbye(kept.connection)

    def _to_server(self, message: EmailMessage, server: MailServer) -> Sent:
        kept = self._taken(server) or _Kept(_ready(server), server)
        try:
            kept.connection.send_message(message)
        except BaseException:  # whatever state the conversation is in: nothing else is said in it
            kept.connection.close()
            raise
        kept.carried += 1
        self._put_back(kept)
        return Sent(f"accepted by {server.host}")

    def _taken(self, server: MailServer) -> _Kept | None:
        """A connection that is still alive, or None."""
        while True:
            with self._guard:
                kept = self._idle.pop() if self._idle else None
            if kept is None:
                return None
            if kept.server == server and self._monotonic() - kept.since < IDLE_S and _is_alive(kept.connection):
                return kept
            _say_goodbye(kept.connection)

    def _put_back(self, kept: _Kept) -> None:
        if kept.carried >= MOST_PER_CONNECTION:
            _say_goodbye(kept.connection)
            return
        kept.since = self._monotonic()
        with self._guard:
            self._idle.append(kept)


@dataclass(eq=False)
class _Kept:
    """An open connection, since when nobody uses it, and how many messages it carried."""

    connection: smtplib.SMTP
    server: MailServer
    since: float = 0.0
    carried: int = 0


def _is_alive(connection: smtplib.SMTP) -> bool:
    try:
        return connection.noop()[0] == FINE
    except (smtplib.SMTPException, OSError):
        return False


def _ready(server: MailServer) -> smtplib.SMTP:
    """A new connection, encrypted and logged in as the settings say."""
    connection = _connect(server)
    try:
        if server.use_tls and server.port != IMPLICIT_TLS_PORT:
            _start_tls(connection)
        if server.username:
            _log_in(connection, server.username, server.password or "")
    except BaseException:
        connection.close()
        raise
    return connection


def _connect(server: MailServer) -> smtplib.SMTP:
    if server.port == IMPLICIT_TLS_PORT:
        return smtplib.SMTP_SSL(server.host, server.port, timeout=TIMEOUT_S, context=ssl.create_default_context())
    return smtplib.SMTP(server.host, server.port, timeout=TIMEOUT_S)


def _start_tls(connection: smtplib.SMTP) -> None:
    try:
        connection.starttls(context=ssl.create_default_context())
    except smtplib.SMTPNotSupportedError as error:
        raise smtplib.SMTPException("it does not offer STARTTLS; MAIL_USE_TLS=false sends without") from error


def _log_in(connection: smtplib.SMTP, username: str, password: str) -> None:
    try:
        connection.login(username, password)
    except smtplib.SMTPNotSupportedError as error:
        raise smtplib.SMTPException("it does not offer a login; leave out MAIL_USERNAME") from error


def _say_goodbye(connection: smtplib.SMTP) -> None:
    """Nothing is under way: a connection that breaks now changes nothing."""
    try:
        connection.quit()
    except (smtplib.SMTPException, OSError):
        connection.close()


def _answer(code: int, said: bytes | str) -> Outcome:
    """What the server said about this e-mail."""
    words = _words(said, code)
    return PermanentFailure(words) if 500 <= code < 600 else TemporaryFailure(words)


ADVICE: tuple[tuple[type[Exception], str], ...] = (
    (smtplib.SMTPAuthenticationError, "The login was refused: look at MAIL_USERNAME and MAIL_PASSWORD."),
    (smtplib.SMTPSenderRefused, "It does not let us send from this address: look at MAIL_DEFAULT_SENDER."),
    (
        smtplib.SMTPServerDisconnected,
        "It fell silent: port 465 speaks TLS at once, port 587 after a greeting; or a firewall is in the way.",
    ),
    (ssl.SSLCertVerificationError, "Its certificate is not one that this computer trusts; nothing was said to it."),
    (ssl.SSLError, "It does not speak TLS as expected: port 465 does at once, port 587 after a greeting."),
    (socket.gaierror, "There is no server of that name: look at MAIL_SERVER, and whether this computer is online."),
    (ConnectionRefusedError, "Nobody listens there: look at MAIL_SERVER and MAIL_PORT."),
    (TimeoutError, "It does not answer: a firewall may be in the way, or the port is another one."),
)
"""What each failure of the conversation itself usually means."""


def _in_vain(error: smtplib.SMTPException | OSError, server: MailServer) -> TemporaryFailure:
    """The conversation itself failed: any other e-mail would have met the same."""
    if isinstance(error, smtplib.SMTPResponseException):
        said = _words(error.smtp_error, error.smtp_code)
    else:
        said = f"{server.host} port {server.port}: {_words(str(error)) or type(error).__name__}"
    return TemporaryFailure(_advised(said, error), for_all=True)


def _advised(said: str, error: Exception) -> str:
    advice = next((sentence for kind, sentence in ADVICE if isinstance(error, kind)), "")
    return f"{said}{'' if said.endswith('.') else '.'} {advice}".strip() if advice else said


def _words(said: bytes | str, code: int | None = None) -> str:
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    text = "".join(c if c.isprintable() else " " for c in text)
    return " ".join([*([str(code)] if code else []), *text.split()])[:WORDS_LIMIT]


def _to_outbox(message: EmailMessage, settings: Settings) -> Outcome:
    """The same e-mail is always the same file, so that writing it twice leaves one."""
    outbox = settings.instance / "outbox"
    left, _, _ = str(message["Message-ID"]).strip("<>").rpartition("@")
    path = outbox / (re.sub(r"[^A-Za-z0-9._-]", "_", left) + ".eml")
    try:
        outbox.mkdir(mode=0o700, parents=True, exist_ok=True)
        fs.replace(path, message.as_bytes(policy=SMTP.clone(utf8=not _addresses_are_ascii(message))))
    except OSError as error:
        return TemporaryFailure(f"{path} cannot be written: {error.strerror}", for_all=True)
    return Sent(f"written to {path}")


def _addresses_are_ascii(message: EmailMessage) -> bool:
    """Names can be encoded, an address can not: with another script in it, the headers are UTF-8 (RFC 6532)."""
    return all(
        address.addr_spec.isascii() for name in ("To", "From", "Reply-To") for address in message[name].addresses
    )
