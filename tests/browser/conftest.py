"""The whole system as `manage.py run` starts it, a real mail server, and a real browser."""

from __future__ import annotations

import email
import json
import queue
from collections.abc import Collection, Iterator
from email.message import EmailMessage
from email.policy import default
from typing import Any, Literal, cast

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import Envelope
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Playwright, expect, sync_playwright

from tests.running_system import System, free_port, system_of_its_own
from tests.waiting import until

CHROMIUM = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run",
]  # fmt: skip
PASSWORD = "correct horse"
PATIENCE_S = 60
ABOUT_COLORS = ["color-contrast", "link-in-text-block"]
"""Rules of axe."""
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
expect.set_options(timeout=60_000)  # a loaded machine is no failure


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


@pytest.fixture
def system(postbox: tuple[Postbox, int]) -> Iterator[System]:
    mails = {"MAIL_SERVER": "127.0.0.1", "MAIL_PORT": str(postbox[1]), "MAIL_USE_TLS": "false"}
    with system_of_its_own(STAFF_PASSWORD=PASSWORD, MAIL_DEFAULT_SENDER="lab@example.edu", **mails) as built:
        yield built


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
    page.wait_for_url(f"{system.url}/dashboard/today")
    wait_for_lists(page, system)
    page.goto(f"{system.url}/dashboard")


def wait_for_lists(page: Page, system: System) -> None:
    """Wait until the first sweep has brought all of the storage into the lists: pages are served before that. A folder
    that somebody copied is the same job."""
    ids = {folder.name.partition(" - Copy")[0].rpartition("_")[2] for folder in system.folders()}

    def listed() -> bool:
        jobs = listed_jobs(page, system)
        return jobs is not None and len(jobs) >= len(ids)

    until(listed, PATIENCE_S)


def listed_jobs(page: Page, system: System, query: str = "limit=500") -> list[dict[str, Any]] | None:
    """The rows that the API lists; None as long as the database is not ready."""
    answer = page.request.get(f"{system.url}/api/v1/jobs?{query}").json()
    jobs: list[dict[str, Any]] | None = answer.get("jobs")
    return jobs


def at_once(page: Page, selector: str, script: str) -> Any:
    """What `script`, a function of the list of all elements that fit `selector`, returns.

    Playwright asks for an element and then asks the element: where a page redraws itself in between, that one has no
    place on the page any more, and no size.
    """
    return page.evaluate(f"({script})([...document.querySelectorAll({json.dumps(selector)})])")


def require_accessible(page: Page, but: Collection[str] = ()) -> None:
    """Light or dark, nothing is wider than the screen and axe finds nothing. `but`: rules that are not for this page.

    Nothing fades: halfway from one color to the other there is little contrast, whichever they are. In the dark only
    the rules about colors can find anything else than in the light.
    """
    width = page.viewport_size["width"] if page.viewport_size else 0
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, page.url
        options: dict[str, Any] = {"resultTypes": ["violations"]}
        if scheme == "dark":
            options["runOnly"] = {"type": "rule", "values": ABOUT_COLORS}
        answer = Axe().run(page, options=options).response
        violations = [found for found in answer["violations"] if found["id"] not in but]
        found = [(each["id"], [node["target"] for node in each["nodes"]]) for each in violations]
        assert found == [], (page.url, scheme)
