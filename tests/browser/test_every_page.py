"""Every page that links lead to, from staff's landing page and from the form: it answers, fits, and is accessible."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import parse_qsl, urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import log_in, require_accessible
from tests.running_system import System

pytestmark = pytest.mark.needs("chromium")
STARTS = (
    "/submit",
    "/login",
    "/who",
    "/status/forged",
    "/dashboard/today",
    "/dashboard?q=nobody",
    "/dashboard/jobs/00000000",
)
REFUSED = {"/status/forged": 404, "/dashboard/jobs/00000000": 404}
E_MAIL = re.compile(r"/dashboard/mails/\w+/html")
"""What mail programs show, with a page of their own around it."""
MAIL = re.compile(r"/mails/\w+")
ID = re.compile(r"/[0-9a-hjkmnp-tv-z]{8}(?=/|$)")


def kind_of(address: str) -> str:
    """Two jobs, or two pages of one list, are the same page for whoever looks at it; and so is a job's, whichever list
    it was opened from."""
    parts = urlsplit(address)
    path = MAIL.sub("/mails/<name>", ID.sub("/<id>", parts.path))
    names = set() if path.startswith("/dashboard/jobs/") else {name for name, _ in parse_qsl(parts.query)}
    return f"{path}?{'&'.join(sorted(names))}"


def linked(page: Page, system: System) -> Iterator[str]:
    hrefs: list[str] = page.locator("a[href]:not([download])").evaluate_all("links => links.map((link) => link.href)")
    yield from (href.removeprefix(system.url).partition("#")[0] for href in hrefs if href.startswith(system.url + "/"))


def require_printable(page: Page) -> None:
    """On paper is what the page says, and nothing that one clicks."""
    page.emulate_media(media="print", color_scheme="dark")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "light")  # paper is white
    for part in ("nav", ".btn", "[type=search]", "body > footer", "#messages", ".job-actions"):
        expect(page.locator(part).filter(visible=True)).to_have_count(0)
    expect(page.locator("h1").first).to_be_visible()
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
    page.emulate_media(media="screen")


@pytest.mark.parametrize("width", [390, 1440])
def test_every_page_within_reach_answers_fits_and_is_accessible(system: System, browser: Browser, width: int) -> None:
    system.start("--demo")
    context = browser.new_context(viewport={"width": width, "height": 900})
    page = context.new_page()
    log_in(page, system)
    jobs = [f"/dashboard/jobs/{folder.name[-8:]}" for folder in system.folders()]
    waiting, kinds = [*STARTS, *jobs], {kind_of(address) for address in [*STARTS, *jobs]}
    while waiting:
        address = waiting.pop(0)
        answer = page.request.get(system.url + address)
        assert answer.status == REFUSED.get(address, 200), address
        if not answer.headers.get("content-type", "").startswith("text/html") or E_MAIL.fullmatch(address):
            continue
        page.goto(system.url + address)
        if width == 1440 and address.partition("?")[0] == "/dashboard" and page.locator(".job-row").count():
            expect(page.locator("#panel #job")).to_be_visible()
        require_accessible(page)
        require_printable(page)
        for link in linked(page, system):
            if kind_of(link) not in kinds:
                kinds.add(kind_of(link))
                waiting.append(link)
    assert {"/dashboard/counter?", "/dashboard/attention?", "/dashboard/jobs/<id>?"} <= kinds
    context.close()
