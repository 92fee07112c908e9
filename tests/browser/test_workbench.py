"""The staff's tasks at the workbench, each with what it costs: clicks, keys and pages loaded."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from printsys.demo.gcode import drop_gcode
from printsys.domain.status import Status
from printsys.jobstore import JobStore, Stored
from printsys.jobstore.notes import note_missed_events
from tests.browser.conftest import at_once, log_in, require_accessible
from tests.browser.test_check import with_a_hole
from tests.browser.test_whole_life import box_stl
from tests.factories import Clock, make_job, make_store
from tests.running_system import System

pytestmark = pytest.mark.needs("chromium")


class Costs:
    """What a person spends: counted by the browser itself, so that nothing is left out."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.loads = 0
        page.on("load", lambda _: self._loaded())
        page.add_init_script(
            "window.spent = JSON.parse(sessionStorage.spent ?? '[0, 0]');"
            "const spend = (at) => { window.spent[at]++; sessionStorage.spent = JSON.stringify(window.spent); };"
            "addEventListener('pointerdown', (event) => { if (event.isTrusted) spend(0); }, true);"
            "addEventListener('keydown', (event) => { if (event.isTrusted) spend(1); }, true);"
        )

    def _loaded(self) -> None:
        self.loads += 1

    def begin(self) -> None:
        self.page.evaluate("window.spent = [0, 0]; sessionStorage.spent = '[0, 0]'")
        self.loads = 0

    @property
    def spent(self) -> tuple[int, int, int]:
        """Clicks, keys, loads."""
        clicks, keys = self.page.evaluate("window.spent")
        return clicks, keys, self.loads


@pytest.fixture
def store(system: System) -> JobStore:
    """The system's storage before its start: what a lab has that day."""
    return make_store(system.root, Clock(datetime.now(UTC) - timedelta(hours=5)))


LETTERS = "ABCDEFGHIJ"


def ready_to_approve(store: JobStore, count: int) -> list[Stored]:
    """Uploaded jobs, sliced already, the one that waits longest first."""
    jobs = [make_job(store, name=f"Student {letter}") for letter in LETTERS[:count]]
    for job in jobs:
        drop_gcode(job, "38.41", "2.5", datetime.now(UTC) - timedelta(hours=1))
    return jobs


@pytest.fixture
def wide(page: Page) -> Page:
    page.set_viewport_size({"width": 1440, "height": 900})
    return page


@pytest.fixture
def phone(page: Page) -> Page:
    page.set_viewport_size({"width": 390, "height": 844})
    return page


def status_of(system: System, job: Stored) -> str:
    return str(json.loads((system.folder(job.id) / "metadata.json").read_bytes())["status"])


def listed(page: Page, count: int) -> None:
    """The first sweep has brought all of the storage into the mirror."""
    expect(page.locator(".job-row")).to_have_count(count)


def heading(page: Page, name: str) -> None:
    expect(page.locator("#panel h1")).to_contain_text(name)


@pytest.mark.parametrize("by", ["click", "Enter"])
def test_ten_jobs_are_approved_by_one_click_or_key_each(
    system: System, store: JobStore, wide: Page, by: Literal["click", "Enter"]
) -> None:
    jobs = ready_to_approve(store, 10)
    system.start()
    costs = Costs(wide)
    log_in(wide, system)
    wide.goto(f"{system.url}/dashboard?status=Uploaded")
    # Until the worker has read them: a file that is recorded later turns away a click on a page of before.
    expect(wide.locator(".job-figures", has_text="38.41 g")).to_have_count(10, timeout=120_000)
    heading(wide, "Student A")
    expect(wide.locator("output")).to_contain_text("$3.84")
    wide.locator("#panel #approve").focus()
    costs.begin()
    for letter, following in zip(LETTERS, [*LETTERS[1:], None], strict=True):
        button = wide.locator("#panel #approve")
        if by == "click":
            button.click()
        else:
            expect(button).to_be_focused()
            button.press("Enter")
        message = wide.locator(".flash", has_text=f"Student {letter} gets an e-mail.")
        expect(message.get_by_role("button", name="Undo")).to_be_visible()
        if following:
            heading(wide, f"Student {following}")
            expect(wide.get_by_label("Weight in grams")).to_have_value("38.41")
            expect(wide.locator(f"#job-{jobs[LETTERS.index(letter)].id}")).to_have_count(0)
    expect(wide.get_by_text("Nothing is left in this list.")).to_be_visible()
    assert costs.spent == ((10, 0, 0) if by == "click" else (0, 10, 0))
    assert [status_of(system, job) for job in jobs] == ["Pending"] * 10


@pytest.mark.parametrize("key", ["s", "Enter"])
def test_a_key_that_is_held_acts_on_one_job_only(system: System, store: JobStore, wide: Page, key: str) -> None:
    """The next job opens with its button focused: a held key would start that one as well."""
    jobs = [make_job(store, name=name, status=Status.READY_TO_PRINT) for name in ("Ann Lee", "Bo Roe", "Cy Poe")]
    system.start()
    log_in(wide, system)
    wide.goto(f"{system.url}/dashboard?status=ReadyToPrint")
    listed(wide, 3)
    heading(wide, "Ann Lee")
    wide.locator("#panel #start").focus()
    wide.evaluate("window.sent = 0; addEventListener('submit', () => { window.sent++; }, true)")
    wide.keyboard.down(key)
    heading(wide, "Bo Roe")
    expect(wide.locator("#panel #start")).to_be_focused()
    for _ in range(3):
        wide.keyboard.down(key)  # as the keyboard repeats it
    assert wide.evaluate("window.sent") == 1
    assert [status_of(system, job) for job in jobs] == ["Printing", "ReadyToPrint", "ReadyToPrint"]


def test_a_key_that_is_held_writes_nothing_into_the_dialog_that_it_opens(
    system: System, store: JobStore, wide: Page
) -> None:
    make_job(store, name="Ann Lee")
    system.start()
    log_in(wide, system)
    wide.goto(f"{system.url}/dashboard?status=Uploaded")
    heading(wide, "Ann Lee")
    wide.keyboard.down("r")
    comment = wide.locator("dialog[open] textarea").first
    comment.focus()
    wide.keyboard.down("r")  # as the keyboard repeats it
    expect(comment).to_have_value("")
    wide.keyboard.up("r")
    wide.keyboard.press("r")
    expect(comment).to_have_value("r")


def test_a_job_is_rejected_with_what_the_inspection_found_by_two_clicks(
    system: System, store: JobStore, wide: Page
) -> None:
    job = make_job(store, name="Hanna Hole", files=[("box.stl", with_a_hole())])
    make_job(store, name="Nora Next")
    system.start()
    costs = Costs(wide)
    log_in(wide, system)
    wide.goto(f"{system.url}/dashboard?status=Uploaded")
    listed(wide, 2)
    expect(wide.locator("#panel .finding").first).to_be_visible(timeout=120_000)  # the worker inspects it
    heading(wide, "Hanna Hole")
    costs.begin()
    wide.get_by_role("button", name="Reject and e-mail Hanna").click()
    dialog = wide.get_by_role("dialog")
    expect(dialog.get_by_role("checkbox", name="Not watertight")).to_be_checked()
    dialog.get_by_role("button", name="Reject and e-mail Hanna").click()
    heading(wide, "Nora Next")
    expect(wide.locator(".flash")).to_contain_text("Hanna Hole gets an e-mail.")
    assert costs.spent == (2, 0, 0)
    assert status_of(system, job) == "Rejected"


def test_a_job_is_found_from_three_words_on_a_phone_as_one_types(system: System, store: JobStore, page: Page) -> None:
    make_job(store, name="Max Clark", color="Blue")
    job = make_job(store, name="Max Davis", color="Blue", status=Status.COMPLETED)
    system.start()
    page.set_viewport_size({"width": 390, "height": 844})
    costs = Costs(page)
    log_in(page, system)
    page.goto(f"{system.url}/dashboard?status=Uploaded")
    expect(page.locator(".tab", has_text="Completed").locator(".count")).to_have_text("1")
    costs.begin()
    page.get_by_role("searchbox").click()
    page.keyboard.type("max davis blu")
    expect(page).to_have_url(re.compile(r"q=max\+davis\+blu"))
    expect(page.get_by_role("link", name="Max Davis", exact=True)).to_be_visible()
    expect(page.locator(".job-row")).to_have_count(1)
    expect(page.locator(".tab", has_text="Uploaded").locator(".count")).to_have_text("0")
    page.get_by_role("link", name="Max Davis", exact=True).click()
    page.wait_for_url(f"**/dashboard/jobs/{job.id}?*")
    assert costs.spent == (2, 13, 1)
    foot = at_once(page, ".job-actions", "([bar]) => bar.getBoundingClientRect().bottom")
    assert 800 < foot <= 844, "the actions stand at the foot of the screen"


def test_on_a_phone_the_chosen_status_is_in_sight_and_stays_where_somebody_scrolls(
    system: System, store: JobStore, phone: Page
) -> None:
    make_job(store, name="Ann Lee", status=Status.ARCHIVED)
    system.start()
    log_in(phone, system)
    phone.goto(f"{system.url}/dashboard?status=Archived")
    expect(phone.locator(".tab.active")).to_be_in_viewport(ratio=1)
    at_once(phone, ".tabs", "([tabs]) => { tabs.scrollLeft = 40; }")
    make_job(store, name="Bo Roe")
    expect(phone.locator(".tab", has_text="Uploaded").locator(".count")).to_have_text("1")
    assert at_once(phone, ".tabs", "([tabs]) => tabs.scrollLeft") == 40


def test_in_a_search_on_a_phone_name_and_file_are_read_beside_the_status(
    system: System, store: JobStore, phone: Page
) -> None:
    make_job(store, name="Max Davis", status=Status.COMPLETED)
    system.start()
    log_in(phone, system)
    phone.goto(f"{system.url}/dashboard?q=max")
    expect(phone.locator(".job-row .status")).to_be_visible()
    for part in (".job-file", ".job-link"):
        width, place = at_once(phone, f".job-row {part}", "([part]) => [part.scrollWidth, part.clientWidth]")
        assert 0 < width <= place, part


def test_an_id_is_found_as_people_misread_it_while_they_type(
    system: System, store: JobStore, wide: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_job(store, name="Somebody Else")
    monkeypatch.setattr("printsys.domain.naming.job_id", lambda random_bits: "k0m29x1q")
    make_job(store, name="Olga Null", status=Status.COMPLETED)
    system.start()
    log_in(wide, system)
    wide.get_by_role("searchbox").press_sequentially("kOm29xl")
    expect(wide.locator(".job-row")).to_have_count(1)
    heading(wide, "Olga Null")
    wide.get_by_role("searchbox").press_sequentially("q")
    expect(wide.locator(".job-row")).to_have_count(1)
    wide.keyboard.press("Enter")
    wide.wait_for_url("**/dashboard/jobs/k0m29x1q")


def just_started(system: System, store: JobStore, page: Page) -> Stored:
    """Ann Lee's job, whose start can be undone; Bo Roe's is open."""
    job = make_job(store, name="Ann Lee", status=Status.READY_TO_PRINT)
    make_job(store, name="Bo Roe", status=Status.READY_TO_PRINT)
    system.start()
    log_in(page, system)
    page.goto(f"{system.url}/dashboard?status=ReadyToPrint")
    listed(page, 2)
    heading(page, "Ann Lee")
    page.keyboard.press("s")
    heading(page, "Bo Roe")
    return job


def test_undo_brings_the_job_back_and_opens_it(system: System, store: JobStore, wide: Page) -> None:
    first = just_started(system, store, wide)
    expect(wide.locator(".job-row")).to_have_count(1)
    assert status_of(system, first) == "Printing"
    wide.get_by_role("button", name="Undo", exact=True).click()
    heading(wide, "Ann Lee")
    expect(wide.locator(".job-row")).to_have_count(2)
    assert status_of(system, first) == "ReadyToPrint"
    expect(wide.locator("#panel #start")).to_be_focused()


@pytest.mark.parametrize("has_script", [True, False])
def test_on_a_phone_the_next_job_opens_as_a_page_with_or_without_a_script(
    system: System, store: JobStore, browser: Browser, has_script: bool
) -> None:
    for name in ("Ann Lee", "Bo Roe", "Cy Poe"):
        make_job(store, name=name, status=Status.READY_TO_PRINT)
    system.start()
    context = browser.new_context(viewport={"width": 390, "height": 844}, java_script_enabled=has_script)
    page = context.new_page()
    log_in(page, system)
    page.goto(f"{system.url}/dashboard?status=ReadyToPrint")
    listed(page, 3)
    page.get_by_role("link", name="Ann Lee", exact=True).click()
    page.get_by_role("button", name="Start printing").click()
    title = page.get_by_role("heading", level=1)
    expect(title).to_contain_text("Bo Roe")
    expect(page.locator(".flash")).to_contain_text("Ann Lee's job is now Printing.")
    page.get_by_role("button", name="Undo", exact=True).click()
    expect(title).to_contain_text("Ann Lee")  # behind the others: it waits again since now
    page.get_by_role("link", name="Previous").click()
    expect(title).to_contain_text("Cy Poe")
    if has_script:
        page.wait_for_load_state()  # a key before that finds no script yet
        page.keyboard.press("k")
        expect(title).to_contain_text("Bo Roe")
        page.wait_for_load_state()
        page.keyboard.press("j")
        expect(title).to_contain_text("Cy Poe")
    page.goto(f"{system.url}/dashboard?status=ReadyToPrint")
    listed(page, 3)
    for at in (0, 2):
        page.locator(".row-tick").nth(at).click()
    page.locator("#bulk").get_by_role("button", name="Start printing").click()
    expect(title).to_have_text("Start printing: 2 of 2 jobs")
    context.close()


def test_the_keys_go_through_the_list_and_can_be_switched_off(system: System, store: JobStore, wide: Page) -> None:
    for name in ("Ann Lee", "Bo Roe", "Cy Poe"):
        make_job(store, name=name)
    printing = make_job(store, name="Di Foe", status=Status.PRINTING, copies=2)
    system.start()
    log_in(wide, system)
    listed(wide, 3)
    heading(wide, "Ann Lee")
    wide.keyboard.press("j")
    heading(wide, "Bo Roe")
    expect(wide.get_by_role("link", name="Bo Roe", exact=True)).to_be_focused()
    wide.keyboard.press("ArrowDown")
    heading(wide, "Cy Poe")
    wide.keyboard.press("k")
    heading(wide, "Bo Roe")
    wide.keyboard.press("Enter")
    expect(wide.locator("#panel #approve")).to_be_focused()
    wide.keyboard.press("r")
    expect(wide.get_by_role("dialog")).to_contain_text("Reject and e-mail Bo")
    wide.keyboard.press("Escape")
    expect(wide.locator("#panel #approve")).to_be_focused()
    wide.keyboard.press("/")
    wide.keyboard.type("jr?")  # letters, while one types
    expect(wide.get_by_role("searchbox")).to_have_value("jr?")
    wide.get_by_role("searchbox").fill("")
    heading(wide, "Ann Lee")
    wide.get_by_role("button", name="Keys").click()
    wide.get_by_label("Single keys do this").uncheck()
    wide.get_by_role("dialog").get_by_role("button", name="Close").click()
    wide.keyboard.press("j")
    wide.keyboard.press("?")
    expect(wide.get_by_role("dialog")).to_have_count(0)
    heading(wide, "Ann Lee")
    wide.get_by_role("button", name="Keys").click()
    wide.get_by_label("Single keys do this").check()
    wide.goto(f"{system.url}/dashboard?status=Printing")
    heading(wide, "Di Foe")
    wide.get_by_role("button", name="Printed (Copy 1)").click()
    wide.get_by_role("button", name="Close this message").click()
    expect(wide.get_by_role("link", name="Di Foe", exact=True)).to_be_focused()
    expect(wide.locator("#plates-heading")).to_have_text("1 of 2 printed")
    wide.keyboard.press("d")
    expect(wide.get_by_text("Nothing is left in this list.")).to_be_visible()
    assert status_of(system, printing) == "Completed"
    wide.get_by_role("button", name="Close this message").click()
    expect(wide.locator("#main")).to_be_focused()


def test_ticked_rows_are_started_together_and_taken_back_together(system: System, store: JobStore, wide: Page) -> None:
    jobs = [
        make_job(store, name=name, status=Status.READY_TO_PRINT) for name in ("Ann Lee", "Bo Roe", "Cy Poe", "Di Foe")
    ]
    system.start()
    log_in(wide, system)
    wide.goto(f"{system.url}/dashboard?status=ReadyToPrint")
    listed(wide, 4)
    heading(wide, "Ann Lee")
    wide.keyboard.press("x")
    expect(wide.get_by_text("1 job is ticked:")).to_be_visible()
    wide.locator(".row-tick").nth(2).click(modifiers=["Shift"])
    expect(wide.get_by_text("3 jobs are ticked:")).to_be_visible()
    wide.locator("#bulk").get_by_role("button", name="Start printing").click()
    expect(wide.locator("#panel h1")).to_have_text("Start printing: 3 of 3 jobs")
    expect(wide.locator(".job-row")).to_have_count(1)
    assert [status_of(system, job) for job in jobs] == ["Printing"] * 3 + ["ReadyToPrint"]
    wide.get_by_role("button", name="Undo all of it").click()
    expect(wide.locator(".job-row")).to_have_count(4)
    assert [status_of(system, job) for job in jobs] == ["ReadyToPrint"] * 4


def test_a_filter_chosen_shows_its_chip_and_its_counts_without_a_reload(
    system: System, store: JobStore, wide: Page
) -> None:
    make_job(store, name="Ann Lee", color="Blue")
    make_job(store, name="Bo Roe")
    make_job(store, name="Cy Poe", status=Status.PENDING)
    system.start()
    log_in(wide, system)
    wide.goto(f"{system.url}/dashboard?status=Uploaded")
    wide.evaluate("window.still = true")
    wide.get_by_text("Filter and sort").click()
    wide.locator("#filter-color").select_option("Blue")
    expect(wide.locator(".chip")).to_contain_text("Color: Blue")
    expect(wide.locator(".job-row")).to_have_count(1)
    expect(wide.locator(".tab", has_text="Pending").locator(".count")).to_have_text("0")
    assert "color=Blue" in wide.url and wide.evaluate("window.still")
    wide.locator(".chip").click()
    expect(wide.locator(".job-row")).to_have_count(2)


def test_a_search_shows_its_list_although_a_job_is_opened_meanwhile(
    system: System, store: JobStore, wide: Page
) -> None:
    for name in ("Ann Lee", "Bo Roe", "Cy Poe"):
        make_job(store, name=name)
    system.start()
    log_in(wide, system)
    listed(wide, 3)
    heading(wide, "Ann Lee")
    held: list[Route] = []
    searched = re.compile(r"[?&]q=Cy.*typing=1")
    wide.route(searched, lambda route: held.append(route))
    with wide.expect_request(searched):
        wide.get_by_role("searchbox").fill("Cy")
    wide.get_by_role("link", name="Bo Roe", exact=True).click()
    heading(wide, "Bo Roe")
    held[0].continue_()
    wide.unroute(searched)
    listed(wide, 1)
    heading(wide, "Cy Poe")


def test_what_somebody_types_in_the_panel_stays_while_the_list_refreshes(
    system: System, store: JobStore, wide: Page
) -> None:
    job = make_job(store, name="Ann Lee")
    other = make_job(store, name="Bo Roe")
    system.start()
    log_in(wide, system)
    listed(wide, 2)
    heading(wide, "Ann Lee")
    wide.get_by_label("Weight in grams").fill("12.5")
    folder = system.folder(other.id)
    folder.rename(system.storage / "Rejected" / folder.name)
    (system.folder(job.id) / "new plate.gcode").write_bytes(b"G28\n")
    expect(wide.locator(".job-row")).to_have_count(1)
    expect(wide.get_by_label("Weight in grams")).to_have_value("12.5")
    with wide.expect_popup() as popup:
        wide.get_by_role("link", name="View in 3D").first.click()
    expect(popup.value.locator(".eyebrow a")).to_have_attribute("href", f"/dashboard/jobs/{job.id}")
    heading(wide, "Ann Lee")
    expect(wide.get_by_label("Weight in grams")).to_have_value("12.5")


def test_an_error_page_a_search_and_other_forms_leave_what_somebody_typed(
    system: System, store: JobStore, wide: Page
) -> None:
    job = make_job(store, name="Ann Lee")
    make_job(store, name="Bo Roe")
    system.start()
    log_in(wide, system)
    wide.goto(f"{system.url}/dashboard?status=Uploaded")
    listed(wide, 2)
    heading(wide, "Ann Lee")
    weight, notes = wide.get_by_label("Weight in grams"), wide.get_by_label("Notes for staff")
    weight.fill("12.5")
    notes.fill("Ask for the size.")
    token = wide.locator("#panel form", has=notes).locator("[name=csrf_token]")
    value = token.input_value()
    token.evaluate("field => { field.value = 'of another day'; }")
    wide.get_by_role("button", name="Save the notes").click()
    expect(wide.locator(".flash", has_text="This page was open for too long")).to_be_visible()
    expect(weight).to_have_value("12.5")
    expect(notes).to_have_value("Ask for the size.")
    wide.get_by_role("searchbox").fill("Bo")
    listed(wide, 1)
    expect(weight).to_have_value("12.5")
    wide.get_by_role("searchbox").fill("")
    listed(wide, 2)
    token.evaluate("(field, value) => { field.value = value; }", value)
    wide.get_by_role("button", name="Save the notes").click()
    expect(wide.locator("#panel .event", has_text="notes")).to_be_attached()
    expect(weight).to_have_value("12.5")
    assert json.loads((system.folder(job.id) / "metadata.json").read_bytes())["notes"] == "Ask for the size."


def test_an_undo_leaves_the_other_job_that_somebody_is_filling_in(system: System, store: JobStore, wide: Page) -> None:
    first = just_started(system, store, wide)
    notes = wide.get_by_label("Notes for staff")
    notes.fill("Ask for the size.")
    wide.get_by_role("button", name="Undo", exact=True).click()
    listed(wide, 2)
    assert status_of(system, first) == "ReadyToPrint"
    heading(wide, "Bo Roe")
    expect(notes).to_have_value("Ask for the size.")
    expect(notes).to_be_focused()


WATCH_SHIFTS = (
    "window.shifted = [];"  # but for fractions of a pixel
    "const add = (list) => { for (const shift of list.getEntries().filter((entry) => entry.value >= 0.001))"
    " window.shifted.push([shift.value, shift.sources.map((source) => source.node?.outerHTML?.slice(0, 120))]); };"
    "new PerformanceObserver(add).observe({ type: 'layout-shift', buffered: true });"
)


def places(page: Page) -> dict[str, float]:
    """Where each row of the list is."""
    pairs = at_once(page, ".job-row", "(rows) => rows.map((row) => [row.id, row.getBoundingClientRect().top])")
    return {str(row): float(top) for row, top in pairs}


def test_what_arrives_by_itself_moves_nothing_on_the_screen(system: System, store: JobStore, wide: Page) -> None:
    for name in ("Ann Lee", "Bo Roe", "Cy Poe"):
        make_job(store, name=name, files=[("box.stl", box_stl(30.0))])
    system.start()
    wide.add_init_script(WATCH_SHIFTS)
    log_in(wide, system)
    wide.goto(f"{system.url}/dashboard?status=Uploaded")
    heading(wide, "Ann Lee")
    expect(wide.locator(".job-row img.card-picture")).to_have_count(3, timeout=120_000)  # the worker draws them
    before = places(wide)
    note_missed_events(store, [(next(iter(before)).removeprefix("job-"), 1)], since=None)
    make_job(store, name="Di Foe")
    expect(wide.locator(".job-row")).to_have_count(4)
    expect(wide.locator(".missed-note")).to_be_in_viewport()
    (system.storage / "Uploaded" / "loose.stl").write_bytes(box_stl(20.0))
    expect(wide.locator(".attention-count")).to_be_visible()
    after = places(wide)
    assert {row: after[row] for row in before} == before
    assert wide.evaluate("window.shifted") == []


def test_the_first_job_of_an_empty_list_moves_nothing_either(system: System, store: JobStore, wide: Page) -> None:
    system.start()
    wide.add_init_script(WATCH_SHIFTS)
    log_in(wide, system)
    wide.goto(f"{system.url}/dashboard?status=Uploaded")
    expect(wide.get_by_text("No jobs yet.")).to_be_visible()
    before = wide.locator("#q").bounding_box()
    make_job(store, name="Ann Lee")
    heading(wide, "Ann Lee")
    assert wide.locator("#q").bounding_box() == before
    assert wide.evaluate("window.shifted") == []


def test_an_undo_stays_until_somebody_else_has_moved_the_job_on(system: System, store: JobStore, wide: Page) -> None:
    job = make_job(store, name="Ann Lee", status=Status.READY_TO_PRINT)
    make_job(store, name="Bo Roe", status=Status.READY_TO_PRINT)
    make_job(store, name="Cy Poe", status=Status.READY_TO_PRINT)
    system.start()
    log_in(wide, system)
    wide.goto(f"{system.url}/dashboard?status=ReadyToPrint")
    listed(wide, 3)
    heading(wide, "Ann Lee")
    wide.clock.install()
    wide.keyboard.press("s")
    undo = wide.locator(".flash").get_by_role("button", name="Undo", exact=True)
    expect(undo).to_be_visible()
    wide.clock.fast_forward("10:00")
    expect(undo).to_be_visible()
    folder = system.folder(job.id)
    folder.rename(system.storage / "Completed" / folder.name)
    expect(undo).to_have_count(0, timeout=60_000)


def test_each_click_on_open_in_slicer_says_what_else_there_is(system: System, store: JobStore, wide: Page) -> None:
    """Whether anything opened no page can know: the browser's own question takes the focus either way."""
    job = make_job(store, name="Ann Lee")
    system.start()
    log_in(wide, system)
    heading(wide, "Ann Lee")
    wide.locator("#panel .job-actions").get_by_role("button", name="Open in slicer").click()
    hint = wide.locator("#messages .open-hint")
    expect(hint).to_contain_text("Nothing opened? Here is how")
    expect(hint.get_by_role("link", name="Here is how")).to_have_attribute("href", "/dashboard/opener")
    file = f"/dashboard/jobs/{job.id}/files/{system.folder(job.id).name}.stl"
    expect(hint.get_by_role("link", name="download it")).to_have_attribute("href", file)
    expect(wide.locator("#panel .event", has_text="was opened in a slicer")).to_be_attached()
    expect(hint).to_be_visible()  # also when the panel shows what is recorded
    page = wide.context.new_page()  # over the other one Chromium asks whether it may open the link
    page.goto(f"{system.url}/dashboard/jobs/{job.id}")
    page.locator(".job-actions").get_by_role("button", name="Open in slicer").click()
    expect(page.locator(".job-actions .open-hint")).to_contain_text("Nothing opened? Here is how")


@pytest.mark.parametrize("width", [360, 1100, 1440])
def test_rows_are_at_most_64_px_high_nothing_is_too_wide_and_axe_finds_nothing(
    system: System, browser: Browser, width: int
) -> None:
    system.start("--demo")
    context = browser.new_context(viewport={"width": width, "height": 900})
    page = context.new_page()
    page.add_init_script(WATCH_SHIFTS)
    log_in(page, system)
    for address in ("/dashboard?status=Uploaded", "/dashboard?q=a", "/dashboard?status=ReadyToPrint&sort=due&age=24"):
        page.goto(system.url + address)
        if width >= 1100:
            expect(page.locator("#panel #job")).to_be_visible()
        heights = at_once(page, ".job-row", "(rows) => rows.map((row) => row.getBoundingClientRect().height)")
        assert heights and 0 < max(heights) <= 64, address
        if "status" in address:
            sizes = "(ticks) => ticks.map((tick) => Math.min(tick.offsetWidth, tick.offsetHeight))"
            assert min(at_once(page, ".row-tick", sizes)) >= 24, "a finger hits it"
        assert page.evaluate("window.shifted") == [], "nothing jumps while the panel and the pictures arrive"
        require_accessible(page)
    context.close()
