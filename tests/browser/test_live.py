"""The dashboard changes by itself when something happens on disk."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, Request, expect

from tests.browser.conftest import log_in
from tests.present import present
from tests.running_system import System

pytestmark = pytest.mark.needs("chromium")


def test_a_dragged_folder_moves_the_card_without_a_reload(system: System, page: Page) -> None:
    system.start("--demo")
    log_in(page, system)
    page.goto(f"{system.url}/dashboard?status=ReadyToPrint")
    cards = page.locator(".job-card")
    expect(cards).to_have_count(2)
    page.evaluate("window.still = true")
    job_id = present(cards.first.get_attribute("id")).removeprefix("job-")
    folder = system.folder(job_id)
    folder.rename(system.storage / "Printing" / folder.name)
    expect(cards).to_have_count(1)
    expect(page.locator(".tab", has_text="Printing").locator(".count")).to_have_text("2")
    assert page.evaluate("window.still"), "the page was not reloaded"


def test_what_needs_a_person_is_counted_on_the_open_page(system: System, page: Page) -> None:
    system.start("--demo")
    log_in(page, system)
    attention = page.locator("[data-attention] .attention-count")
    expect(attention).to_have_count(0)
    job_id = present(page.locator(".job-card").first.get_attribute("id")).removeprefix("job-")
    (system.folder(job_id) / "metadata.json").write_text("{ half an edit", "utf-8")
    expect(attention).to_contain_text("1")
    page.goto(f"{system.url}/dashboard/attention")
    page.get_by_role("button", name="Restore metadata.json").click()
    expect(page.get_by_text("Nothing needs you here.")).to_be_visible()


def test_the_sound_is_off_until_clicked_and_remembered(system: System, page: Page) -> None:
    system.start("--demo")
    log_in(page, system)
    button = page.get_by_role("button", name="Sound for new jobs")
    expect(button).to_have_text("Sound for new jobs: off")
    button.click()
    expect(button).to_have_text("Sound for new jobs: on")
    page.reload()
    expect(button).to_have_text("Sound for new jobs: on")


def test_many_tabs_share_one_stream(system: System, page: Page) -> None:
    """FAULTS S4: a browser allows six connections to a host; a seventh tab must load, and every tab stays live."""
    system.start("--demo")
    streams: list[Request] = []

    def note(request: Request) -> None:
        """Today, where one lands, is live too."""
        if request.url.endswith("/live") and not request.headers.get("referer", "").endswith("/today"):
            streams.append(request)

    page.context.on("request", note)
    log_in(page, system)
    tabs = [page.context.new_page() for _ in range(8)]
    for tab in tabs:
        tab.goto(f"{system.url}/dashboard?status=ReadyToPrint")
        expect(tab.locator(".job-card")).to_have_count(2)
    job_id = present(tabs[0].locator(".job-card").first.get_attribute("id")).removeprefix("job-")
    folder = system.folder(job_id)
    folder.rename(system.storage / "Printing" / folder.name)
    for tab in tabs:
        expect(tab.locator(".job-card")).to_have_count(1)
    assert len(streams) == 1
    page.close()  # the one that listened
    folder = system.folder(job_id)
    folder.rename(system.storage / "ReadyToPrint" / folder.name)
    for tab in tabs:
        expect(tab.locator(".job-card")).to_have_count(2)
    assert len(streams) == 2
