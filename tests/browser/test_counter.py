"""The counter and the ticket in a real browser: what handing out costs in clicks, and that everybody can use them."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from printsys.domain.payments import ledger
from printsys.domain.status import Status
from printsys.jobstore import Stored
from tests.browser.conftest import listed_jobs, log_in, require_accessible
from tests.factories import make_job, make_store
from tests.running_system import System
from tests.waiting import until

pytestmark = pytest.mark.needs("chromium")


def finished_jobs(system: System, page: Page, count: int = 3) -> list[Stored]:
    """Of one student, in the folders of the running system and in its mirror."""
    store = make_store(system.root)
    jobs = [make_job(store, status=Status.COMPLETED) for _ in range(count)]
    ids = {stored.id for stored in jobs}
    until(lambda: ids <= {job["id"] for job in listed_jobs(page, system) or ()}, 60)
    return jobs


def test_three_prints_are_handed_out_with_a_scan_and_one_click(system: System, page: Page) -> None:
    system.start()
    log_in(page, system)
    jobs = finished_jobs(system, page)
    loads: list[str] = []
    page.on("framenavigated", lambda frame: loads.append(frame.url))
    page.goto(f"{system.url}/dashboard/counter")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.type(f"http://elsewhere/dashboard/jobs/{jobs[0].id}\n")  # as a scanner does
    button = page.get_by_role("button", name="Take the payment and hand out 3 prints")
    expect(button).to_be_visible()
    expect(page.get_by_label("Amount")).to_be_focused()
    page.keyboard.type(f"http://elsewhere/dashboard/jobs/{jobs[1].id}\n")  # into the amount
    expect(page.get_by_role("searchbox")).to_have_value(jobs[1].id)
    expect(button).to_be_visible()
    expect(page.get_by_label("Amount")).to_have_value("12.81")
    button.click()
    expect(page.get_by_text("Jane Doe: 3 prints, $12.81 taken.")).to_be_visible()
    expect(page.get_by_role("searchbox")).to_be_focused()
    assert len(loads) == 4, "the counter, the student twice, the counter again"
    store = make_store(system.root)
    assert [store.load(stored.id).job.status for stored in jobs] == [Status.PAID_PICKED_UP] * 3
    assert sum(ledger(store.load(stored.id).job).paid for stored in jobs) == Decimal("12.81")


def test_what_the_scale_says_shows_its_price_and_changes_the_sum(system: System, page: Page) -> None:
    system.start()
    log_in(page, system)
    job = finished_jobs(system, page, 1)[0]
    page.goto(f"{system.url}/dashboard/counter?q={job.id}")
    expect(page.get_by_text("scale", exact=True)).to_be_hidden()
    page.get_by_label("Weight of bracket v2.stl in grams").fill("50")
    page.get_by_label("$5.00 scale").check()
    expect(page.get_by_label("Amount")).to_have_value("5.00")
    page.keyboard.press("Enter")
    expect(page.get_by_text("weighs 50 g; the quote is for 42.7 g.")).to_be_visible()
    expect(page.get_by_role("button", name="Yes, save it so")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Jane Doe: 1 print, $5.00 taken.")).to_be_visible()


WIDTHS = (390, 768, 1440)


def test_axe_finds_nothing_at_the_counter_and_on_tickets(system: System, page: Page) -> None:
    system.start()
    log_in(page, system)
    job = finished_jobs(system, page, 2)[0]
    counter, ticket = "/dashboard/counter", f"/dashboard/jobs/{job.id}/ticket"
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        for address in (counter, f"{counter}?q=nobody", f"{counter}?q=jane", ticket, f"{ticket}?size=62mm"):
            page.goto(system.url + address)
            require_accessible(page)
        page.goto(f"{system.url}{counter}?q=jane")
        page.get_by_label("Amount").fill("1")
        page.locator("#hand-out").click()
        expect(page.locator("#remarks")).to_be_visible()
        require_accessible(page)


def test_a_job_card_opens_from_its_folder_with_its_picture(system: System, page: Page) -> None:
    system.start("--demo")
    log_in(page, system)
    job = (listed_jobs(page, system) or [])[0]
    folder: Path = system.folder(job["id"])
    until(lambda: (folder / "job-card.html").exists() and "<img" in (folder / "job-card.html").read_text("utf-8"), 60)
    system.stop()
    page.goto((folder / "job-card.html").as_uri())
    expect(page.get_by_role("heading", name=job["student_name"])).to_be_visible()
    assert page.locator("img").evaluate("picture => picture.complete && picture.naturalWidth > 0")
    require_accessible(page)


def test_tickets_are_printed_on_a_sheet_each_of_a6_and_on_a_label(system: System, page: Page) -> None:
    """By Chromium's own print: so many sheets, of that size in points (72 an inch)."""
    system.start()
    log_in(page, system)
    jobs = finished_jobs(system, page, 2)
    query = "&".join(f"job={stored.id}" for stored in jobs)
    for size, (width, height) in {"a6": (105, 148), "62mm": (62, 58)}.items():
        page.goto(f"{system.url}/dashboard/tickets?{query}&size={size}")
        pdf = page.pdf(prefer_css_page_size=True, print_background=True)
        sheets = [tuple(map(float, box.split())) for box in re.findall(rb"/MediaBox \[([\d. ]+)\]", pdf)]
        assert len(sheets) == 2, (size, sheets)
        for sheet in sheets:
            assert sheet == pytest.approx((0, 0, width / 25.4 * 72, height / 25.4 * 72), abs=1.5), size
