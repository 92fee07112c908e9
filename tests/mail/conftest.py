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
from printsys.domain.workflow import find_step
from printsys.jobstore import IncomingFile, Stored
from printsys.mail.sender import MailSender
from printsys.services import Services, build_services
from tests.factories import STAFF, STL, USUAL_FACTS
from tests.mail.smtp_server import PostOffice, Server


@pytest.fixture
def office() -> PostOffice:
    return PostOffice()


@pytest.fixture
def server(office: PostOffice) -> Iterator[Server]:
    server = Server(office, hostname="127.0.0.1", port=0)
    server.start()
    yield server
    office.gate.set()
    server.stop()


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
def postman(services: Services) -> MailSender:
    """One who tries again at once."""
    return impatient(services)


def impatient(services: Services, **more: Any) -> MailSender:
    return MailSender(services, **{"mail_pauses_s": (0,), "server_pauses_s": (0,)} | more)


def submit(services: Services, name: str = "Jane Doe", email: str = "jane@example.edu", **more: Any) -> Stored:
    said = {
        "student_name": name,
        "student_email": email,
        "discipline": "Architecture",
        "class_number": "ARCH 4000",
        "print_method": "Filament",
        "color": "True Red",
        "printer": "prusa-mk4s",
        "minimum_charge_consent": "yes",
    }
    return services.actions.submit(
        validate(SubmitInput, said | more), [IncomingFile("bracket v2.stl", io.BytesIO(STL))]
    )


def act(services: Services, job_id: str, action: str, **said: Any) -> Stored:
    """What staff do by a button; what is not said is as usual."""
    job = services.store.load(job_id).job
    facts = USUAL_FACTS.get(action, {}) | said
    if action == "approve":
        facts = {"print_file": [file.name for file in job.files if file.role == "working"]} | facts
    needs = find_step(action, job.status, STAFF).needs
    return services.actions.perform(job_id, action, validate(needs, facts), STAFF)


def later(services: Services, **passed: float) -> Services:
    """The same house after `timedelta(**passed)`, for whoever decides by the clock."""
    ahead = timedelta(**passed)
    return replace(services, actions=replace(services.actions, clock=lambda: datetime.now(UTC) + ahead))


@pytest.fixture
def quiet_job(services: Services, postman: MailSender, office: PostOffice) -> Callable[..., Stored]:
    """Submits a job whose first mail has gone out already."""

    def make(*args: Any, **more: Any) -> Stored:
        stored = submit(services, *args, **more)
        postman.attend(stored.id)
        office.letters.clear()
        return services.store.load(stored.id)

    return make


def mail_events(services: Services, job_id: str) -> list[str]:
    """`EmailSent approved`, … in their order."""
    events = services.store.load(job_id).events
    return [f"{event.type} {event.data['mail']}" for event in events if event.type.startswith("Email")]
