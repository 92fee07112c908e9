"""A lab with real folders, a real mail server and no PostgreSQL: mail does not need it."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from printsys.config import ROOT, MailServer, Settings
from printsys.domain.inputs import SubmitInput, validate
from printsys.jobstore import IncomingFile, Stored
from printsys.mail.sender import MailSender
from printsys.services import Services, build_services
from tests.factories import FORM, STL, perform
from tests.mail.smtp_server import MailInbox, Server, serving


@pytest.fixture
def inbox() -> MailInbox:
    return MailInbox()


@pytest.fixture
def server(inbox: MailInbox) -> Iterator[Server]:
    with serving(inbox) as server:
        yield server
        inbox.gate.set()


@pytest.fixture
def settings(tmp_path: Path, server: Server) -> Settings:
    return Settings(
        storage=tmp_path / "storage",
        instance=tmp_path / "instance",
        lab_config=ROOT / "lab.toml",
        secret_key="a secret for these tests",
        base_url="https://lab.example.edu",
        mail=MailServer(host="127.0.0.1", port=server.port, use_tls=False),
    )


@pytest.fixture
def services(settings: Settings) -> Services:
    return build_services(settings, enqueue=lambda job_id: None)


@pytest.fixture
def mail_sender(services: Services) -> MailSender:
    """Tries again at once."""
    return sender_without_pauses(services)


def sender_without_pauses(services: Services, **options: Any) -> MailSender:
    return MailSender(services, **{"mail_pauses_s": (0,), "server_pauses_s": (0,)} | options)


def submit(services: Services, name: str = "Jane Doe", email: str = "jane@example.edu", **fields: Any) -> Stored:
    form = FORM | {"student_name": name, "student_email": email} | fields
    return services.actions.submit(validate(SubmitInput, form), [IncomingFile("bracket v2.stl", io.BytesIO(STL))])


def act(services: Services, job_id: str, action: str, **values: Any) -> Stored:
    return perform(services.actions, job_id, action, **values)


def later(services: Services, **passed: float) -> Services:
    """The same services after `timedelta(**passed)`."""
    ahead = timedelta(**passed)
    return replace(services, actions=replace(services.actions, clock=lambda: datetime.now(UTC) + ahead))


@pytest.fixture
def quiet_job(services: Services, mail_sender: MailSender, inbox: MailInbox) -> Callable[..., Stored]:
    """Submits a job whose first mail has gone out already."""

    def make(*args: Any, **fields: Any) -> Stored:
        stored = submit(services, *args, **fields)
        mail_sender.attend(stored.id)
        inbox.messages.clear()
        return services.store.load(stored.id)

    return make


def mail_events(services: Services, job_id: str) -> list[str]:
    """`EmailSent approved`, … in their order."""
    events = services.store.load(job_id).events
    return [f"{event.type} {event.data['mail']}" for event in events if event.type.startswith("Email")]
