"""One click in the dashboard opens the exact file in the slicer, and what is saved there comes back by itself.

Headless Chromium hands no link to the system. So for the way through the slicer the address that the click is answered
with, and that the page sends the browser to, is given to xdg-open as a browser on a desktop would; from there on all is
real.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import log_in
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
