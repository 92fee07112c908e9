"""How an e-mail leaves, and what the server's answers mean."""

from __future__ import annotations

import argparse
import asyncio
import email
import socket
import ssl
import subprocess
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from printsys.commands import send_test_email
from printsys.config import MailServer, Settings, load_lab
from printsys.credentials.signed_links import Tokens
from printsys.errors import ConfigError
from printsys.mail import smtp
from printsys.mail.messages import MailComposer, make_composer
from printsys.mail.smtp import PermanentFailure, Sent, TemporaryFailure, deliver
from tests.mail.smtp_server import PATIENCE_S, MailInbox, Server, port_of, serving


@pytest.fixture
def composer(settings: Settings) -> MailComposer:
    return make_composer(settings, load_lab(settings.lab_config), Tokens(settings.secret_key))


@pytest.fixture
def message(composer: MailComposer) -> EmailMessage:
    return composer.test_message("jane@example.edu")


@pytest.fixture
def certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """The server's side; the client trusts it because its authority file is this one."""
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(cert)],
        check=True, capture_output=True,
    )  # fmt: skip
    monkeypatch.setenv("SSL_CERT_FILE", str(cert))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(cert, key)
    return context


def using(settings: Settings, **server: Any) -> Settings:
    return settings.model_copy(
        update={"mail": MailServer.model_validate({"host": "127.0.0.1", "use_tls": False} | server)}
    )


@pytest.mark.needs("openssl")
def test_the_conversation_is_encrypted_before_the_login(
    settings: Settings, message: EmailMessage, inbox: MailInbox, certificate: ssl.SSLContext
) -> None:
    logins = []

    def check(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        logins.append((session.ssl is not None, data.login, data.password))
        return AuthResult(success=data.password == b"right", handled=False)

    login: dict[str, Any] = {"authenticator": check, "auth_required": True}
    with serving(inbox, tls_context=certificate, require_starttls=True, **login) as server:
        right_password = using(settings, port=server.port, use_tls=True, username="lab", password="right")
        assert isinstance(deliver(message, right_password), Sent)
        outcome = deliver(message, using(settings, port=server.port, use_tls=True, username="lab", password="wrong"))
        assert isinstance(outcome, TemporaryFailure) and outcome.for_all, "no student's mail is given up for it"
        assert outcome.words.startswith("535") and "MAIL_PASSWORD" in outcome.words
    assert logins[0] == (True, b"lab", b"right")
    assert len(inbox.messages) == 1


@pytest.mark.needs("openssl")
def test_a_port_that_speaks_tls_at_once_is_spoken_to_so(
    settings: Settings, message: EmailMessage, inbox: MailInbox, certificate: ssl.SSLContext,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    with serving(inbox, TlsServer, ssl_context=certificate) as server:
        monkeypatch.setattr(smtp, "IMPLICIT_TLS_PORT", server.port)
        assert isinstance(deliver(message, using(settings, port=server.port, use_tls=True)), Sent)
    assert len(inbox.messages) == 1


class TlsServer(Server):
    def _trigger_server(self) -> None:
        self.port = port_of(self)
        trusting = ssl.create_default_context()
        with socket.create_connection(("127.0.0.1", self.port)) as raw:
            with trusting.wrap_socket(raw, server_hostname="127.0.0.1") as secured:
                secured.recv(1024)


@pytest.mark.needs("openssl")
def test_a_server_with_a_stranger_s_certificate_gets_nothing(
    settings: Settings, message: EmailMessage, inbox: MailInbox, certificate: ssl.SSLContext,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.delenv("SSL_CERT_FILE")
    with serving(inbox, tls_context=certificate) as server:
        outcome = deliver(message, using(settings, port=server.port, use_tls=True))
    assert isinstance(outcome, TemporaryFailure) and "not one that this computer trusts" in outcome.words
    assert inbox.tried == 0


def test_a_server_without_encryption_is_named_as_such_and_learns_no_password(
    settings: Settings, message: EmailMessage, inbox: MailInbox
) -> None:
    logins = []

    def check(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        logins.append(data.password)
        return AuthResult(success=True)

    with serving(inbox, authenticator=check, auth_require_tls=False) as server:
        outcome = deliver(message, using(settings, port=server.port, use_tls=True, username="lab", password="right"))
    assert isinstance(outcome, TemporaryFailure) and "MAIL_USE_TLS" in outcome.words
    assert inbox.tried == 0 and logins == []


@pytest.mark.parametrize("goodbye", ["none", "cut off"])
def test_a_message_that_the_server_accepted_is_sent_however_the_goodbye_goes(
    settings: Settings, message: EmailMessage, monkeypatch: pytest.MonkeyPatch, goodbye: str
) -> None:
    monkeypatch.setattr(smtp, "GOODBYE_TIMEOUT_S", 0.1)
    inbox = RudeInbox(cuts_off=goodbye == "cut off")
    with serving(inbox) as server:
        assert isinstance(deliver(message, using(settings, port=server.port)), Sent)
    assert len(inbox.messages) == 1


@dataclass
class RudeInbox(MailInbox):
    """Answers QUIT with silence, or cuts the connection off instead."""

    cuts_off: bool = False

    async def handle_QUIT(self, server: SMTP, _session: Session, _envelope: Envelope) -> str:
        if self.cuts_off:
            assert isinstance(server.transport, asyncio.Transport)
            server.transport.abort()
        await asyncio.sleep(PATIENCE_S)
        return "221 Bye"


def test_a_message_that_is_too_large_for_the_server_is_given_up(
    settings: Settings, composer: MailComposer, inbox: MailInbox
) -> None:
    with serving(inbox, data_size_limit=100) as small:
        outcome = deliver(composer.test_message("jane@example.edu"), using(settings, port=small.port))
    assert isinstance(outcome, PermanentFailure) and outcome.words.startswith("552")


def test_a_server_that_never_speaks_is_not_waited_for_for_ever(
    settings: Settings, message: EmailMessage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smtp, "TIMEOUT_S", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        outcome = deliver(message, using(settings, host="127.0.0.1", port=silent.getsockname()[1]))
    assert isinstance(outcome, TemporaryFailure) and outcome.for_all
    assert "timed out" in outcome.words and "firewall" in outcome.words


@pytest.mark.parametrize(
    ("host", "advice"),
    [
        ("127.0.0.1", "Nobody listens there"),
        ("no-such-server.invalid", "no server of that name"),
    ],
)
def test_a_server_that_is_not_there_is_reported_in_plain_words(
    settings: Settings, message: EmailMessage, host: str, advice: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    outcome = deliver(message, using(settings, host=host, port=port))
    assert isinstance(outcome, TemporaryFailure) and outcome.for_all and advice in outcome.words


def test_a_port_that_speaks_no_tls_is_reported_in_plain_words(
    settings: Settings, message: EmailMessage, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smtp, "IMPLICIT_TLS_PORT", server.port)
    outcome = deliver(message, using(settings, port=server.port, use_tls=True))
    assert isinstance(outcome, TemporaryFailure) and "port 465" in outcome.words


def test_an_address_that_the_server_cannot_carry_is_given_up(settings: Settings, composer: MailComposer) -> None:
    with serving(MailInbox(), enable_SMTPUTF8=False) as server:
        outcome = deliver(
            composer.test_message("józef@example.edu"), using(settings, host="127.0.0.1", port=server.port)
        )
    assert isinstance(outcome, PermanentFailure)


def test_the_outbox_holds_each_message_once_and_readable(settings: Settings, composer: MailComposer) -> None:
    outbox = settings.model_copy(update={"mail": None})
    for address in ("jane@example.edu", "józef@example.edu"):
        message = composer.test_message(address)
        for _ in range(2):
            assert isinstance(deliver(message, outbox), Sent)
    files = sorted((settings.instance / "outbox").iterdir())
    assert len(files) == 2
    assert any(b"jane@example.edu" in path.read_bytes() for path in files)
    assert any("józef@example.edu".encode() in path.read_bytes() for path in files)
    for path in files:
        assert "can send e-mail" in email.message_from_bytes(path.read_bytes(), policy=default).get_content()


def test_an_outbox_that_cannot_be_written_keeps_the_mail_owed(settings: Settings, message: EmailMessage) -> None:
    settings.instance.mkdir(parents=True)
    (settings.instance / "outbox").write_text("in the way", "utf-8")
    outcome = deliver(message, settings.model_copy(update={"mail": None}))
    assert isinstance(outcome, TemporaryFailure) and outcome.for_all


def test_a_sender_that_is_no_address_is_found_at_start(settings: Settings) -> None:
    bad_sender = using(settings, port=25, sender="The Lab")
    with pytest.raises(ConfigError, match="MAIL_DEFAULT_SENDER"):
        make_composer(bad_sender, load_lab(settings.lab_config), Tokens("x" * 16))


def test_a_sender_of_the_lab_s_choice_is_used(settings: Settings) -> None:
    chosen = using(settings, port=25, sender="Prints <prints@example.edu>")
    message = make_composer(chosen, load_lab(settings.lab_config), Tokens("x" * 16)).test_message("jane@example.edu")
    assert message["From"] == "Prints <prints@example.edu>"
    assert message["Reply-To"].addresses[0].addr_spec == "printlab@example.edu"


def test_the_command_sends_a_test_message_and_says_what_went_wrong(
    settings: Settings, server: Server, inbox: MailInbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    for name, value in {
        "PRINTSYS_INSTANCE": str(settings.instance),
        "MAIL_SERVER": "127.0.0.1",
        "MAIL_PORT": str(server.port),
        "MAIL_USE_TLS": "false",
    }.items():
        monkeypatch.setenv(name, value)
    arguments = argparse.Namespace(address="jane@example.edu")
    assert send_test_email.run(arguments) == 0
    assert inbox.only_message()["Subject"] == "Test e-mail from Makerspace Print Lab"
    inbox.rcpt_answers = ["550 nobody of that name"]
    assert send_test_email.run(arguments) == 1
    assert "550 nobody of that name" in capsys.readouterr().err
