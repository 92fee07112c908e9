"""Each e-mail as mail programs and phones show it, the page that previews them, and a request that is sent again."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from printsys.domain.emails import Mail
from tests.browser.conftest import Postbox, log_in, require_accessible
from tests.browser.test_whole_life import box_stl
from tests.running_system import System

pytestmark = pytest.mark.needs("chromium")
NARROW = 320
NOT_OF_A_LETTER = ["landmark-one-main", "region"]
"""Best practices for pages, with a place to skip to; an e-mail has no menus to skip."""


def test_each_e_mail_fits_a_column_of_320_pixels_and_everybody_can_read_it(system: System, browser: Browser) -> None:
    system.start()
    context = browser.new_context(viewport={"width": NARROW, "height": 700})
    page = context.new_page()
    log_in(page, system)
    for mail in Mail:
        page.goto(f"{system.url}/dashboard/mails/{mail}/html")
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        require_accessible(page, but=NOT_OF_A_LETTER)
    context.close()


@pytest.mark.parametrize("width", [390, 1440])
def test_the_preview_page_is_sound(system: System, browser: Browser, width: int) -> None:
    system.start()
    context = browser.new_context(viewport={"width": width, "height": 900})
    page = context.new_page()
    log_in(page, system)
    for mail in (Mail.RECEIVED, Mail.REJECTED, Mail.RECEIPT):
        page.goto(f"{system.url}/dashboard/mails/{mail}")
        expect(page.frame_locator("iframe").get_by_text("Hello Jane Doe,")).to_be_visible()
        require_accessible(page, but=NOT_OF_A_LETTER)
    context.close()


def test_a_rejected_student_mends_the_model_and_sends_it_again(
    system: System, page: Page, browser: Browser, postbox: tuple[Postbox, int], tmp_path: Path
) -> None:
    system.start()
    box, _ = postbox
    student = browser.new_context(viewport={"width": 390, "height": 900}).new_page()
    student.goto(f"{system.url}/submit")
    student.get_by_label("Your name").fill("Ada Byron")
    student.get_by_label("E-mail").fill("ada@example.edu")
    student.get_by_label("Discipline").select_option("Engineering")
    student.get_by_label("Class number").fill("ENGR 1")
    student.get_by_text("Filament", exact=True).click()
    student.get_by_label("Color").select_option("True Red")
    student.get_by_label("Printer").select_option("prusa-mk4s")
    for name, side in (("box.stl", 20.0), ("mended.stl", 30.0)):
        (tmp_path / name).write_bytes(box_stl(side))
    student.get_by_label("Model file").set_input_files(tmp_path / "box.stl")
    student.get_by_label("Yes").check()
    student.get_by_role("button", name="Send to the lab").click()
    student.wait_for_url("**/submit/success?job=*")
    job_id = student.url.partition("job=")[2]
    assert job_id in box.next()["Subject"]

    log_in(page, system)
    page.goto(f"{system.url}/dashboard/jobs/{job_id}/reject")
    page.get_by_label("Walls or details too thin").check()
    page.get_by_role("button", name="Reject").click()
    page.wait_for_url(f"**/jobs/{job_id}")
    message = box.next().get_body(("plain",))
    assert message is not None
    link = re.search(r"http\S+/resubmit/\S+", message.get_content())
    assert link is not None

    student.goto(link.group())
    expect(student.get_by_text("Some walls or details are too thin")).to_be_visible()
    expect(student.get_by_label("Your name")).to_have_value("Ada Byron")
    expect(student.get_by_label("Printer")).to_have_value("prusa-mk4s")
    require_accessible(student)
    student.get_by_role("button", name="Send it again").click()
    expect(student.get_by_role("alert")).to_contain_text("Nothing is different yet")
    student.get_by_label("The fixed model").set_input_files(tmp_path / "mended.stl")
    student.get_by_role("button", name="Send it again").click()
    student.wait_for_url("**/status/*")
    expect(student.get_by_role("heading", level=1)).to_have_text("We are looking at your model")
    expect(student.get_by_role("figure", name="mended.stl")).to_be_visible()

    folder = system.folder(job_id)
    assert folder.parent.name == "Uploaded"
    assert {path.name for path in (folder / "original").iterdir()} == {"box.stl", "mended.stl"}
    page.goto(f"{system.url}/dashboard/jobs/{job_id}")
    expect(page.get_by_text("Sent again by the student: mended.stl")).to_be_visible()
    assert job_id in box.next()["Subject"]
    student.context.close()
