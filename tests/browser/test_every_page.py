"""Every page that links lead to, from staff's landing page and from the form: it answers, fits, and is accessible."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal
from urllib.parse import parse_qsl, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import log_in
from tests.running_system import System
from tests.waiting import until

pytestmark = pytest.mark.needs("chromium")
DEMO_JOBS = 12
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
    """Two jobs, or two pages of one list, are the same page for whoever looks at it."""
    parts = urlsplit(address)
    return (
        MAIL.sub("/mails/<name>", ID.sub("/<id>", parts.path))
        + "?"
        + "&".join(sorted({name for name, _ in parse_qsl(parts.query)}))
    )


def linked(page: Page, system: System) -> Iterator[str]:
    hrefs: list[str] = page.locator("a[href]:not([download])").evaluate_all("links => links.map((link) => link.href)")
    yield from (href.removeprefix(system.url).partition("#")[0] for href in hrefs if href.startswith(system.url + "/"))


def require_accessible(page: Page, address: str, width: int) -> None:
    assert page.evaluate("document.documentElement.scrollWidth") <= width, address
    violations = Axe().run(page).response["violations"]
    assert violations == [], (address, [(v["id"], [n["target"] for n in v["nodes"]]) for v in violations])


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1440, "light")])
def test_every_page_within_reach_answers_fits_and_is_accessible(
    system: System, browser: Browser, width: int, scheme: Literal["light", "dark"]
) -> None:
    system.start("--demo")
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    log_in(page, system)
    known = f"{system.url}/api/v1/jobs?limit=500"
    until(lambda: len(page.request.get(known).json()["jobs"]) == DEMO_JOBS, 60)
    waiting, kinds = list(STARTS), {kind_of(address) for address in STARTS}
    while waiting:
        address = waiting.pop(0)
        answer = page.request.get(system.url + address)
        assert answer.status == REFUSED.get(address, 200), address
        if not answer.headers.get("content-type", "").startswith("text/html") or E_MAIL.fullmatch(address):
            continue
        page.goto(system.url + address)
        if width == 1440 and address.partition("?")[0] == "/dashboard" and page.locator(".job-row").count():
            expect(page.locator("#panel #job")).to_be_visible()
        require_accessible(page, address, width)
        for link in linked(page, system):
            if kind_of(link) not in kinds:
                kinds.add(kind_of(link))
                waiting.append(link)
    assert {"/dashboard/counter?", "/dashboard/attention?", "/dashboard/jobs/<id>?"} <= kinds
    context.close()
