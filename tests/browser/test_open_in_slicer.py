"""One click in the dashboard opens the exact file in the slicer, and what is saved there comes back by itself.

Headless Chromium hands no link to the system. So for the way through the slicer the address that the click is answered
with, and that the page sends the browser to, is given to xdg-open as a browser on a desktop would; from there on all is
real. A Chromium with a screen hands it over by itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page, Playwright, expect

from tests.browser.conftest import CHROMIUM, log_in
from tests.browser.test_parts_down import recorded, submitted
from tests.opener.fake_desktops import MAIN_WINDOW, PROGRAMS, fake_desktop, running
from tests.opener.test_loop import slice_and_save
from tests.running_system import System
from tests.waiting import until

pytestmark = pytest.mark.needs("chromium", *PROGRAMS)


def test_from_a_click_to_the_slicer_and_back_into_the_approval(system: System, page: Page, tmp_path: Path) -> None:
    system.start()
    job_id = submitted(page, system, tmp_path)
    folder = system.folder(job_id)
    model = folder / f"{folder.name}.stl"
    log_in(page, system)
    page.goto(f"{system.url}/dashboard")
    with page.expect_response(f"**/jobs/{job_id}/open/**") as answered:
        page.locator("#panel .job-actions").get_by_role("button", name="Open in slicer").click()
    address = answered.value.json()["address"]
    assert address.startswith(f"printsys://open?job={job_id}&file=")

    with fake_desktop(tmp_path, system.storage) as staff:
        staff.follow(address)
        assert len(running("/usr/bin/prusa-slicer", str(model))) == 1
        until(lambda: bool(staff.windows(MAIN_WINDOW)), 120)
        saved = slice_and_save(staff, model)

    until(lambda: saved.name in page.request.get(f"{system.url}/dashboard/jobs/{job_id}/approve").text(), 60)
    until(lambda: "PrusaSlicer 2" in page.request.get(f"{system.url}/dashboard/jobs/{job_id}/approve").text(), 60)
    page = page.context.new_page()  # over the other one Chromium asks whether it may open the link
    page.goto(f"{system.url}/dashboard/jobs/{job_id}")
    expect(page.get_by_text("was opened in a slicer")).to_be_attached()
    expect(page.get_by_role("checkbox", name=saved.name)).to_be_checked()
    assert float(page.get_by_label("Weight in grams").input_value()) > 1
    assert float(page.get_by_label("Printing time in hours").input_value()) >= 0.5
    page.get_by_role("button", name="Approve and e-mail").click()
    until(lambda: recorded(system, job_id)["status"] == "Pending", 60)


@contextmanager
def browser_on_a_screen(
    playwright: Playwright, system: System, profile: Path, environ: Mapping[str, str]
) -> Iterator[Page]:
    """Its one question, "Open xdg-open?", is answered beforehand, as staff do by ticking that it need not ask again."""
    (profile / "Default").mkdir(parents=True)
    allowed = {"protocol_handler": {"allowed_origin_protocol_pairs": {system.url: {"printsys": True}}}}
    (profile / "Default" / "Preferences").write_text(json.dumps(allowed), "utf-8")
    browser = playwright.chromium.launch_persistent_context(
        profile, executable_path="/usr/bin/chromium", args=CHROMIUM, headless=False, env={**environ}
    )
    yield browser.new_page()
    browser.close()


def test_a_browser_on_a_screen_hands_the_click_to_the_desktop_by_itself(
    system: System, page: Page, playwright: Playwright, tmp_path: Path
) -> None:
    """Or to nobody, where no opener is installed: the page says what to do either way."""
    system.start()
    job_id = submitted(page, system, tmp_path)
    folder = system.folder(job_id)
    model = folder / f"{folder.name}.stl"

    def click(desk: Page) -> None:
        log_in(desk, system)
        desk.goto(f"{system.url}/dashboard/jobs/{job_id}")
        desk.locator(".job-actions").get_by_role("button", name="Open in slicer").click()
        expect(desk.locator(".job-actions .open-hint")).to_contain_text("Nothing opened? Here is how")

    with fake_desktop(tmp_path, system.storage) as staff:
        with browser_on_a_screen(playwright, system, tmp_path / "with", staff.environ) as desk:
            click(desk)
            until(lambda: len(running("/usr/bin/prusa-slicer", str(model))) == 1, 60)
        elsewhere = {**staff.environ, "HOME": str(tmp_path / "nobody's"), "XDG_DATA_HOME": str(tmp_path / "empty")}
        with browser_on_a_screen(playwright, system, tmp_path / "without", elsewhere) as desk:
            click(desk)
        assert len(running("/usr/bin/prusa-slicer", str(model))) == 1
