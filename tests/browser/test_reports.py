"""Reports in a real browser: at every width, light and dark, for everybody; every chart is drawn."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from printsys.domain.status import Status
from tests.browser.conftest import log_in, require_accessible
from tests.browser.test_counter import WIDTHS
from tests.factories import act, make_job, make_store
from tests.running_system import System
from tests.waiting import until

pytestmark = pytest.mark.needs("chromium")
MARCH = "from=2026-03-01&to=2026-03-31"


def test_axe_finds_nothing_and_charts_are_drawn(system: System, page: Page) -> None:
    system.start()
    log_in(page, system)
    store = make_store(system.root)
    jobs = [make_job(store, status=status) for status in (Status.PAID_PICKED_UP, Status.REJECTED, Status.PRINTING)]
    act(store, jobs[-1].id, "fail")
    address = f"{system.url}/dashboard/reports?{MARCH}"
    until(lambda: "It came off the bed." in page.request.get(address).text(), 60)
    until(lambda: "too thin" in page.request.get(address).text() and "$4.27" in page.request.get(address).text(), 60)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        for shown in (address, f"{system.url}/dashboard/reports/statement?month=2026-03"):
            page.goto(shown)
            require_accessible(page)
    page.goto(address)
    pictures = page.locator("figure img")
    expect(pictures).to_have_count(4)
    for picture in pictures.all():
        picture.scroll_into_view_if_needed()
        until(lambda picture=picture: picture.evaluate("image => image.naturalWidth > 0"), 30)  # type: ignore[misc]


def test_a_number_leads_to_its_jobs_by_keyboard(system: System, page: Page) -> None:
    system.start()
    log_in(page, system)
    job = make_job(make_store(system.root), status=Status.COMPLETED)
    address = f"{system.url}/dashboard/reports?{MARCH}"
    until(lambda: "printed: True Red" in page.request.get(address).text(), 60)
    page.goto(address)
    page.get_by_role("link", name="1 printed: True Red").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Jobs of a report")).to_be_visible()
    expect(page.locator(".job-list")).to_contain_text(job.id)
