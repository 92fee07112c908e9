"""Hands an e-mail to the lab's mail server, or, without one, writes it as a file into instance/outbox/.

The outcome says what to do next. A failure that is about this e-mail or its address, and that the server calls final
(5xx), is permanent. Everything else is temporary: no connection, 4xx, and what only the lab can put right, such as a
wrong password, since no e-mail should be given up for it.
"""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email.message import EmailMessage

from printsys import fs
from printsys.config import MailServer, Settings
from printsys.mail.headers import MailNotSendable, wire_bytes, wire_policy

TIMEOUT_S = 20.0
GOODBYE_TIMEOUT_S = 2.0
"""Shorter: a message that the server has accepted is recorded as sent only after the goodbye."""
IMPLICIT_TLS_PORT = 465
"""RFC 8314: there the conversation is encrypted from its first byte; elsewhere by STARTTLS."""
TOO_LARGE = 552
"""RFC 1870: an answer to the sender's address, meant for the message."""
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
    """Hand `message` over to its one recipient; never raises for what servers, networks and disks do."""
    try:
        data = wire_bytes(message)
    except MailNotSendable as error:
        return PermanentFailure(str(error))
    if settings.mail is None:
        return _to_outbox(message, data, settings)
    try:
        with connected(settings.mail) as connection:
            _send(connection, message, data)
    except smtplib.SMTPRecipientsRefused as error:
        return _refusal(*next(iter(error.recipients.values())))
    except smtplib.SMTPDataError as error:
        return _refusal(error.smtp_code, error.smtp_error)
    except smtplib.SMTPNotSupportedError as error:  # an address in a script that this server cannot carry
        return PermanentFailure(_words(str(error)))
    except smtplib.SMTPResponseException as error:
        if error.smtp_code == TOO_LARGE:
            return _refusal(error.smtp_code, error.smtp_error)
        return _failed_conversation(error, settings.mail)
    except (smtplib.SMTPException, OSError) as error:
        return _failed_conversation(error, settings.mail)
    return Sent(f"accepted by {settings.mail.host}")


def check_connection(server: MailServer) -> Outcome:
    """Connect and log in as for an e-mail, but send none; raises as little as `deliver`."""
    try:
        with connected(server):
            return Sent(f"a greeting, accepted by {server.host}")
    except (smtplib.SMTPException, OSError) as error:
        return _failed_conversation(error, server)


@contextmanager
def connected(server: MailServer) -> Iterator[smtplib.SMTP]:
    """A connection, encrypted and logged in as the settings say. After an error in the body nothing more is sent."""
    if server.port == IMPLICIT_TLS_PORT:
        context = ssl.create_default_context()
        connection: smtplib.SMTP = smtplib.SMTP_SSL(server.host, server.port, timeout=TIMEOUT_S, context=context)
    else:
        connection = smtplib.SMTP(server.host, server.port, timeout=TIMEOUT_S)
    try:
        if server.use_tls and server.port != IMPLICIT_TLS_PORT:
            with _required("it does not offer STARTTLS; MAIL_USE_TLS=false sends without"):
                connection.starttls(context=ssl.create_default_context())
        if server.username:
            with _required("it does not offer a login; leave out MAIL_USERNAME"):
                connection.login(server.username, server.password or "")
        yield connection
        with suppress(smtplib.SMTPException, OSError):  # the message is handed over, however the goodbye goes
            if connection.sock is not None:
                connection.sock.settimeout(GOODBYE_TIMEOUT_S)
            connection.quit()
    finally:
        connection.close()


def _send(connection: smtplib.SMTP, message: EmailMessage, data: bytes) -> None:
    """`data` as it is: `send_message` would write the message a second time, by rules of its own."""
    options: tuple[str, ...] = ()
    if wire_policy(message).utf8:
        connection.ehlo_or_helo_if_needed()
        if not connection.has_extn("smtputf8"):
            raise smtplib.SMTPNotSupportedError("It cannot carry an address in this script (SMTPUTF8).")
        options = ("SMTPUTF8", "BODY=8BITMIME")
    [sender], [recipient] = (message[header].addresses for header in ("From", "To"))
    connection.sendmail(sender.addr_spec, [recipient.addr_spec], data, options)


@contextmanager
def _required(advice: str) -> Iterator[None]:
    """The settings ask for what the body does: a server that lacks it fails every e-mail, not just this one."""
    try:
        yield
    except smtplib.SMTPNotSupportedError as error:
        raise smtplib.SMTPException(advice) from error


def _refusal(code: int, answer: bytes | str) -> Outcome:
    """What the server's `answer` about this e-mail means."""
    words = _words(answer, code)
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


def _failed_conversation(error: smtplib.SMTPException | OSError, server: MailServer) -> TemporaryFailure:
    """Any other e-mail would have met the same."""
    if isinstance(error, smtplib.SMTPResponseException):
        words = _words(error.smtp_error, error.smtp_code)
    else:
        words = f"{server.host} port {server.port}: {_words(str(error)) or type(error).__name__}"
    advice = next((sentence for kind, sentence in ADVICE if isinstance(error, kind)), None)
    if advice is not None:
        words = f"{words}{'' if words.endswith('.') else '.'} {advice}"
    return TemporaryFailure(words, for_all=True)


def _words(answer: bytes | str, code: int | None = None) -> str:
    text = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer
    text = "".join(c if c.isprintable() else " " for c in text)
    return " ".join([*([str(code)] if code else []), *text.split()])[:WORDS_LIMIT]


def _to_outbox(message: EmailMessage, data: bytes, settings: Settings) -> Outcome:
    """The same e-mail is always the same file, so that writing it twice leaves one."""
    outbox = settings.instance / "outbox"
    unique_part, _, _ = str(message["Message-ID"]).strip("<>").rpartition("@")
    path = outbox / (re.sub(r"[^A-Za-z0-9._-]", "_", unique_part) + ".eml")
    try:
        outbox.mkdir(mode=0o700, parents=True, exist_ok=True)
        fs.replace(path, data)
    except OSError as error:
        return TemporaryFailure(f"{path} cannot be written: {error.strerror}", for_all=True)
    return Sent(f"written to {path}")
