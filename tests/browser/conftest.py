"""The whole system as `manage.py run` starts it, a real mail server, and a real browser."""

from __future__ import annotations

import email
import os
import queue
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import cast

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import Envelope
from playwright.sync_api import Browser, Page, Playwright, expect, sync_playwright

from printsys.config import ROOT
from tests.waiting import until

CHROMIUM = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run",
]  # fmt: skip
PASSWORD = "correct horse"
PATIENCE_S = 60
expect.set_options(timeout=20_000)  # a loaded machine is no failure


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


class Postbox:
    """The messages that a mail server received, in order."""

    def __init__(self) -> None:
        self._arrived: queue.Queue[EmailMessage] = queue.Queue()

    async def handle_DATA(self, server: object, session: object, envelope: Envelope) -> str:
        self._arrived.put(email.message_from_bytes(cast(bytes, envelope.content), policy=default))
        return "250 OK"

    def next(self) -> EmailMessage:
        return self._arrived.get(timeout=PATIENCE_S)

    def empty(self) -> bool:
        return self._arrived.empty()


@pytest.fixture
def postbox() -> Iterator[tuple[Postbox, int]]:
    box = Postbox()
    controller = Controller(box, hostname="127.0.0.1", port=free_port())
    controller.start()
    yield box, controller.port
    controller.stop()


@dataclass
class System:
    """`manage.py run` on a storage and instance of its own."""

    root: Path
    environment: dict[str, str]
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def storage(self) -> Path:
        return self.root / "storage"

    @property
    def output(self) -> str:
        """What it printed so far. In a file: a full pipe would stop the process that writes."""
        return self.log.read_text("utf-8", "replace") if self.log.exists() else ""

    @property
    def log(self) -> Path:
        return self.root / "run.log"

    def start(self, *options: str) -> None:
        command = [sys.executable, "manage.py", "run", "--port", str(self.port), *options]
        before = self.output.count("\nReady: ")
        with self.log.open("a") as log:
            process = subprocess.Popen(command, cwd=ROOT, env=self.environment, stdout=log, stderr=log)
        self.process = process
        until(lambda: self.output.count("\nReady: ") > before or process.poll() is not None, PATIENCE_S)
        assert process.poll() is None, self.output

    def stop(self) -> int:
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(PATIENCE_S)

    def folder(self, job_id: str) -> Path:
        """Where the job's folder is now; there must be one."""
        folders = [path for path in self.storage.glob(f"*/*_{job_id}") if not path.parent.name.startswith(".")]
        assert len(folders) == 1, folders
        return folders[0]


@pytest.fixture
def system(postbox: tuple[Postbox, int]) -> Iterator[System]:
    # Not under pytest's own folder: run as root PostgreSQL is another user's, and each pytest that starts on this
    # machine shuts that folder to others again.
    with tempfile.TemporaryDirectory(prefix="printsys-tests-") as folder:
        yield from running(Path(folder), postbox[1])


def running(root: Path, mail_port: int) -> Iterator[System]:
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("MAIL_", "PRINTSYS_"))},
        "PRINTSYS_STORAGE": str(root / "storage"),
        "PRINTSYS_INSTANCE": str(root / "instance"),
        "STAFF_PASSWORD": PASSWORD,
        "MAIL_SERVER": "127.0.0.1",
        "MAIL_PORT": str(mail_port),
        "MAIL_USE_TLS": "false",
        "MAIL_DEFAULT_SENDER": "lab@example.edu",
    }
    built = System(root, environment)
    yield built
    if built.process is not None and built.process.poll() is None:
        built.stop()


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as running:
        yield running


@pytest.fixture
def browser(playwright: Playwright) -> Iterator[Browser]:
    launched = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=CHROMIUM)
    yield launched
    launched.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page whose script errors and policy violations fail the test."""
    context = browser.new_context()
    opened = context.new_page()
    problems: list[str] = []
    opened.on("pageerror", lambda error: problems.append(str(error)))
    opened.on(
        "console", lambda message: problems.append(message.text) if "Content Security Policy" in message.text else None
    )
    yield opened
    context.close()
    assert problems == []


def log_in(page: Page, system: System) -> None:
    page.goto(f"{system.url}/login")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(f"{system.url}/dashboard")
