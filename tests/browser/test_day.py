"""A day in a real browser: what a student does on a phone, and staff's pages of the day."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from printsys.domain.status import Status
from tests.browser.conftest import log_in, require_accessible
from tests.browser.test_whole_life import box_stl, fill_form
from tests.factories import make_job, make_store
from tests.running_system import System

pytestmark = pytest.mark.needs("chromium")
PHONE = {"width": 390, "height": 844}


def submitted(page: Page, system: System, folder: Path) -> None:
    """A job sent by the form; the browser is on its page."""
    model = folder / "box.stl"
    model.write_bytes(box_stl(30.0))
    page.goto(f"{system.url}/submit")
    fill_form(page, model)
    page.get_by_role("button", name="Send to the lab").click()
    page.wait_for_url("**/submit/success?job=*")
    page.get_by_role("link", name="your job's page").click()
    page.wait_for_url("**/status/*")


def test_the_form_fits_three_screens_of_a_phone(system: System, page: Page) -> None:
    system.start()
    page.set_viewport_size({"width": PHONE["width"], "height": PHONE["height"]})
    page.goto(f"{system.url}/submit")
    assert page.evaluate("document.documentElement.scrollHeight") <= 3 * PHONE["height"]
    file, name = page.get_by_label("Model files").bounding_box(), page.get_by_label("Your name").bounding_box()
    assert file is not None and name is not None and file["y"] < name["y"], "the model comes first"
    introduction = page.locator(".introduction")
    short = introduction.bounding_box()
    page.get_by_role("link", name="Read more").click()
    whole = introduction.bounding_box()
    assert short is not None and whole is not None and whole["height"] > short["height"] + 50
    expect(page.get_by_role("link", name="Read more")).to_be_hidden()


@pytest.mark.parametrize("width", [390, 1440])
def test_a_students_page_of_the_job_is_accessible_in_every_state(
    system: System, browser: Browser, tmp_path: Path, width: int
) -> None:
    system.start()
    context = browser.new_context(viewport={"width": width, "height": 900})
    page = context.new_page()
    submitted(page, system, tmp_path)
    require_accessible(page)
    page.get_by_label("Your message about this job").fill("Could it be ready by Thursday?")
    page.get_by_role("button", name="Send it to the lab").click()
    expect(page.get_by_text("Could it be ready by Thursday?")).to_be_visible()
    page.get_by_text("Withdraw this request").click()
    require_accessible(page)
    page.get_by_role("button", name="Withdraw it").click()
    expect(page.get_by_text("Your request is withdrawn.")).to_be_visible()
    require_accessible(page)
    context.close()


def test_a_printer_that_goes_down_is_two_clicks_and_the_form_follows(
    system: System, page: Page, browser: Browser
) -> None:
    system.start("--demo")
    log_in(page, system)
    page.get_by_role("link", name="The lab today").click()
    page.get_by_role("button", name="It is down (Prusa MK4S)").click()
    expect(page.get_by_text("The Prusa MK4S is marked as down.")).to_be_visible()
    context = browser.new_context()
    student = context.new_page()
    student.goto(f"{system.url}/submit")
    student.get_by_role("radio", name="Filament").check()
    option = student.get_by_label("Printer").locator("option[value=prusa-mk4s]")
    expect(option).to_have_text(re.compile("down at the moment"))
    expect(option).to_be_disabled()
    context.close()


@pytest.mark.parametrize("address", ["/dashboard/today", "/dashboard/queue"])
def test_a_slash_leads_to_the_search_of_all_jobs(system: System, page: Page, address: str) -> None:
    page.set_viewport_size({"width": 1440, "height": 900})
    job = make_job(make_store(system.root), name="Ann Lee", status=Status.REJECTED)
    system.start()
    log_in(page, system)
    page.goto(system.url + address)
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.type("ann lee")
    page.keyboard.press("Enter")
    expect(page.locator(f"#job-{job.id}")).to_be_visible()


def test_a_drag_that_is_given_up_leaves_the_order_that_is_saved(system: System, page: Page) -> None:
    page.set_viewport_size({"width": 1440, "height": 1600})
    page.route("**/dashboard/live", lambda route: route.abort())  # nothing is redrawn before the drag begins
    system.start("--demo")
    log_in(page, system)
    page.goto(f"{system.url}/dashboard/queue")
    jobs = page.locator(".queue-column", has=page.locator(".queue-job:nth-child(2)")).first.locator(".queue-job")
    expect(jobs.nth(1)).to_be_visible()
    before = [str(jobs.nth(at).get_attribute("data-job")) for at in range(2)]
    jobs.nth(1).hover()
    top = jobs.first.bounding_box()
    assert top is not None
    page.mouse.down()
    for at in range(20, 40):  # the browser tells the page of some of the moves only
        page.mouse.move(top["x"] + at, top["y"] + 2)
    expect(jobs.first).to_have_attribute("data-job", before[1])
    page.mouse.move(5, 5, steps=8)
    page.mouse.up()
    expect(jobs.first).to_have_attribute("data-job", before[0])
    expect(jobs.nth(1)).to_have_attribute("data-job", before[1])


def test_the_queue_follows_what_happens_while_a_jobs_buttons_are_open(system: System, page: Page) -> None:
    """And the button that has the focus keeps it."""
    system.start("--demo")
    log_in(page, system)
    page.goto(f"{system.url}/dashboard/queue")
    jobs = page.locator(".queue-column", has=page.locator(".queue-job:nth-child(2)")).first.locator(".queue-job")
    expect(jobs.nth(1)).to_be_visible()
    first, second = (page.locator(f"#job-{jobs.nth(at).get_attribute('data-job')}") for at in range(2))
    second.locator("summary").click()
    button = second.get_by_role("button", name="To the front")
    button.focus()
    job_id = str(first.get_attribute("data-job"))
    folder = system.folder(job_id)
    folder.rename(system.storage / "Printing" / folder.name)
    expect(first).to_have_count(0)
    expect(button).to_be_focused()
    second.locator("summary").focus()
    folder = system.folder(job_id)
    folder.rename(system.storage / "ReadyToPrint" / folder.name)
    expect(first).to_have_count(1)
    expect(second.locator("summary")).to_be_focused()


def test_the_queue_is_reordered_by_dragging_and_by_its_buttons_alone(system: System, page: Page) -> None:
    page.route("**/dashboard/live", lambda route: route.abort())  # nothing is redrawn before the drag begins
    system.start("--demo")
    log_in(page, system)
    page.goto(f"{system.url}/dashboard/queue")
    queue = page.locator(".queue-column", has=page.locator(".queue-job:nth-child(2)")).first
    jobs = queue.locator(".queue-job")

    def order() -> list[str]:
        ids: list[str] = jobs.evaluate_all("jobs => jobs.map(job => job.dataset.job)")
        return ids

    expect(jobs.nth(1)).to_be_visible()  # the demo has a printer with two jobs in line
    before = order()
    jobs.nth(1).drag_to(jobs.nth(0), target_position={"x": 20, "y": 2})
    page.wait_for_url("**/dashboard/queue#printer-*")
    expect(jobs.first).to_have_attribute("data-job", before[1])
    jobs.nth(1).locator("summary").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(jobs.nth(1).get_by_role("button", name="To the front")).to_be_focused()
    page.keyboard.press("Enter")
    expect(jobs.first).to_have_attribute("data-job", before[0])
    assert order() == before
    expect(jobs.first.get_by_role("button", name="To the front")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(jobs.nth(1)).to_have_attribute("data-job", before[0])
    expect(jobs.nth(1).get_by_role("button", name="Down")).to_be_focused()


def test_the_system_page_does_what_needed_a_terminal(system: System, page: Page) -> None:
    system.start("--demo")
    log_in(page, system)
    page.set_viewport_size({"width": PHONE["width"], "height": PHONE["height"]})
    page.get_by_role("link", name="System", exact=True).click()
    require_accessible(page)
    page.get_by_role("button", name="Check now").click()
    expect(page.get_by_text("The check has begun.")).to_be_visible()
    expect(page.locator("#check").get_by_text(re.compile("All is well|Something was found"))).to_be_visible(
        timeout=60_000
    )
    before = system.parts()["web"].pid
    form = page.locator("#restart")
    form.get_by_label("Part").select_option("web")
    form.get_by_label("Staff password, once more").fill("correct horse")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="The pages are starting again")).to_be_visible()
    page.wait_for_url("**/dashboard/system", timeout=60_000)
    expect(page.get_by_role("heading", name="System", exact=True)).to_be_visible()
    assert system.parts()["web"].pid != before
    page.get_by_role("link", name="Settings", exact=True).click()
    require_accessible(page)


def test_staff_land_on_today_with_its_groups_and_the_printers(system: System, page: Page) -> None:
    system.start("--demo")
    page.goto(f"{system.url}/login")
    page.get_by_label("Password").fill("correct horse")
    page.keyboard.press("Enter")
    page.wait_for_url("**/dashboard/today")
    for heading in ("New to review", "Student answered or declined", "Ready to start", "Should be finished by now",
                    "To hand out", "Needs a person", "Printers"):  # fmt: skip
        expect(page.get_by_role("heading", name=heading)).to_be_visible()
    expect(page.get_by_role("link", name="Today", exact=True)).to_have_attribute("aria-current", "page")


def test_staff_write_a_request_down_at_the_counter(system: System, page: Page, tmp_path: Path) -> None:
    system.start()
    log_in(page, system)
    model = tmp_path / "from a stick.stl"
    model.write_bytes(box_stl(30.0))
    page.get_by_role("link", name="+ New job").click()
    page.wait_for_url("**/dashboard/new")
    page.get_by_label("Model files").set_input_files(model)
    page.get_by_role("radio", name="Filament").check()
    page.get_by_label("Color").select_option("True Red")
    page.get_by_label("Printer", exact=True).select_option("prusa-mk4s")
    page.get_by_label("Name", exact=True).fill("Walker In")
    page.get_by_label("E-mail").fill("walker@example.edu")
    page.get_by_label("Discipline").select_option("Art")
    page.get_by_label("Class number").fill("N/A")
    page.get_by_role("radio", name="Yes").check()
    require_accessible(page)
    page.get_by_role("button", name="Make the job").click()
    page.wait_for_url("**/dashboard/jobs/*")
    expect(page.get_by_text("The job of Walker In is here.")).to_be_visible()
