"""One real job, from the form to the hand-out, in a real browser, checking the folder after every step."""

from __future__ import annotations

import hashlib
import json
import re
import time
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from playwright.sync_api import Page, expect

from indexer.schema import create_engine
from printsys.domain.changes import LEARNED
from printsys.domain.events import EventType
from printsys.domain.job import metadata_bytes, parse
from printsys.domain.pending_work import has_pending_files
from printsys.domain.status import Status
from printsys.jobstore.log import read_log
from tests.browser.conftest import PASSWORD, PATIENCE_S, Postbox, listed_jobs, log_in, wait_for_lists
from tests.present import present
from tests.running_system import System

pytestmark = pytest.mark.needs("chromium")
WORKSHOP_PATIENCE_S = 120
"""A dozen models to inspect and to picture, each in a process of its own."""
BY_THE_WORKER = LEARNED | {EventType.EMAIL_SENT}
"""Recorded at a time of its own, between anybody's clicks."""


def box_stl(side: float = 20.0) -> bytes:
    """A closed box as ASCII STL, `side` mm wide."""
    corners = [(x, y, z) for x in (0, side) for y in (0, side) for z in (0, side)]
    faces = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    lines = ["solid box"]
    for a, b, c, d in faces:
        for triangle in ((a, b, c), (a, c, d)):
            lines += ["facet normal 0 0 0", "outer loop"]
            lines += ["vertex " + " ".join(str(v) for v in corners[corner]) for corner in triangle]
            lines += ["endloop", "endfacet"]
    return "\n".join([*lines, "endsolid box", ""]).encode()


def must_be_whole(system: System, job_id: str, status: str, *types: str) -> dict[str, Any]:
    """The folder is in its status folder; its log is chained, folds to metadata.json, and ends with these events."""
    folder = system.folder(job_id)
    assert folder.parent.name == status
    # The worker may record that it sent an e-mail just while we read: then both files are read again.
    deadline = time.monotonic() + PATIENCE_S
    while True:
        metadata = (folder / "metadata.json").read_bytes()
        log = read_log((folder / "events.jsonl").read_bytes(), job_id)
        if (log.tail, log.state) == (b"", hashlib.sha256(metadata).hexdigest()):
            break
        assert time.monotonic() < deadline, "metadata.json is not what the log leads to"
    assert metadata_bytes(log.document()) == metadata
    recorded_types = [event.type for event in log.events if event.type not in BY_THE_WORKER]
    assert recorded_types[-len(types) :] == list(types)
    document: dict[str, Any] = json.loads(metadata)
    assert (document["id"], document["status"], document["revision"]) == (job_id, status, log.seq)
    return document


def mirrored(page: Page, system: System, job_id: str) -> dict[str, object]:
    rows = listed_jobs(page, system, f"q={job_id}") or []
    assert len(rows) == 1
    row: dict[str, object] = rows[0]
    return row


def link_in(mail: EmailMessage, kind: str) -> str:
    plain = mail.get_body(("plain",))
    assert plain is not None
    match = re.search(rf"http://\S+/{kind}/\S+", plain.get_content())
    assert match, plain.get_content()
    return match.group()


def fill_form(page: Page, model: Path) -> None:
    page.get_by_label("Your name").fill("José Ñandú")
    page.get_by_label("E-mail").fill("jose@example.edu")
    page.get_by_label("Discipline").select_option("Architecture")
    page.get_by_label("Class number").fill("ARCH 4000")
    page.get_by_role("radio", name="Filament").check()
    page.get_by_label("Color").select_option("True Red")
    page.get_by_label("Printer").select_option("prusa-mk4s")
    page.get_by_label("Model files").set_input_files(model)
    page.get_by_role("radio", name="Yes").check()


def test_a_job_from_the_form_to_the_hand_out(
    system: System, page: Page, postbox: tuple[Postbox, int], tmp_path: Path
) -> None:
    mails, _ = postbox
    model = tmp_path / "bracket v2.stl"
    model.write_bytes(box_stl())
    system.start()

    page.goto(f"{system.url}/submit")
    expect(page.get_by_label("Color")).to_be_disabled()
    fill_form(page, model)
    page.get_by_role("button", name="Send to the lab").click()
    page.wait_for_url("**/submit/success?job=*")
    job_id = page.locator(".job-number").inner_text()
    must_be_whole(system, job_id, "Uploaded", "JobCreated", "EmailQueued")
    folder = system.folder(job_id)
    assert folder.name == f"JoseNandu_Filament_TrueRed_{job_id}"
    assert (folder / "original" / "bracket v2.stl").read_bytes() == model.read_bytes()
    assert (folder / f"{folder.name}.stl").read_bytes() == model.read_bytes()
    received = mails.next()
    assert received["To"].addresses[0].addr_spec == "jose@example.edu"
    page.goto(link_in(received, "status"))
    expect(page.get_by_role("heading", level=1)).to_have_text("We are looking at your model")

    log_in(page, system)
    page.get_by_role("link", name="José Ñandú", exact=True).click()
    expect(page.locator("#panel h1")).to_contain_text("José Ñandú")
    page.goto(f"{system.url}/dashboard/jobs/{job_id}")
    page.get_by_label("Material", exact=True).select_option("PLA")
    page.get_by_label("Weight in grams").fill("42,7")
    expect(page.locator("output")).to_contain_text("$4.27")
    page.get_by_label("Printing time in hours").fill("3.1")
    page.get_by_role("button", name="Approve and e-mail José").click()
    expect(page.get_by_text("Approved at $4.27. José Ñandú gets an e-mail.")).to_be_visible()
    document = must_be_whole(system, job_id, "Pending", "StaffApproved", "EmailQueued")
    assert document["estimate"]["cost"] == "4.27"
    assert document["estimate"]["time_h"] == "3.5"
    assert mirrored(page, system, job_id)["status"] == "Pending"

    student = present(page.context.browser).new_context().new_page()
    link = link_in(mails.next(), "confirm")
    student.goto(link)
    expect(student.locator(".price")).to_have_text("$4.27")
    student.get_by_role("button", name="Yes, print it for $4.27").click()
    expect(student.get_by_role("heading", level=1)).to_have_text("In line for printing")
    must_be_whole(system, job_id, "ReadyToPrint", "StudentConfirmed")
    student.goto(link)
    expect(student.get_by_role("heading", level=1)).to_have_text("You confirmed this already")

    page.reload()
    page.get_by_role("button", name="Start printing").click()
    expect(page.get_by_text("José Ñandú's job is now Printing.")).to_be_visible()
    must_be_whole(system, job_id, "Printing", "PrintingStarted")

    page.get_by_role("button", name="Printing is done").click()
    expect(page.get_by_text("is now Completed.")).to_be_visible()
    must_be_whole(system, job_id, "Completed", "JobCompleted", "EmailQueued")
    assert "ready" in mails.next()["Subject"].lower()

    page.goto(f"{system.url}/dashboard/jobs/{job_id}")
    expect(page.get_by_role("textbox", name="Amount paid")).to_have_value("4.27")
    page.get_by_role("button", name="Take payment and hand out").click()
    expect(page.get_by_text("is now Picked up.")).to_be_visible()
    document = must_be_whole(system, job_id, "PaidPickedUp", "PaymentRecorded", "JobPickedUp", "EmailQueued")
    assert document["payment"]["amount"] == "4.27"
    row = mirrored(page, system, job_id)
    assert (row["status"], row["paid"]) == ("PaidPickedUp", "4.27")
    assert mails.next()["Subject"] == f"Receipt for your 3D print: $4.27 ({job_id})"
    assert mails.empty()
    assert system.stop() == 0


def test_what_is_wrong_is_said_beside_its_field_and_what_was_typed_stays(
    system: System, page: Page, tmp_path: Path
) -> None:
    system.start()
    page.goto(f"{system.url}/submit")
    script = tmp_path / "tool.exe"
    script.write_bytes(b"MZ" + bytes(100))
    page.get_by_label("Model files").set_input_files(script)
    expect(page.locator("#file-error")).to_contain_text("please choose a file of one of these kinds")
    disguised = tmp_path / "tool.stl"
    disguised.write_bytes(b"MZ" + bytes(100))
    fill_form(page, disguised)
    page.get_by_label("Your name").fill("")
    page.get_by_role("radio", name="No", exact=True).check()
    page.get_by_role("button", name="Send to the lab").click()
    expect(page.locator("#student_name-error")).to_have_text("Please fill this in.")
    expect(page.locator("#file-error")).to_contain_text("a Windows program")
    expect(page.get_by_label("Model files")).to_be_focused()  # the first field with a mistake
    expect(page.get_by_label("E-mail")).to_have_value("jose@example.edu")
    expect(page.get_by_label("Color")).to_have_value("True Red")
    assert [p for p in system.storage.glob("*/*") if p.parent.name != ".printsys"] == []
    # The chosen file and all else are still there: mending what is wrong is enough.
    good = tmp_path / "box.stl"
    good.write_bytes(box_stl())
    page.get_by_label("Your name").fill("José Ñandú")
    page.get_by_role("radio", name="Yes").check()
    page.get_by_label("Model files").set_input_files(good)
    page.get_by_role("button", name="Send to the lab").click()
    page.wait_for_url("**/submit/success?job=*")


def test_dropping_the_database_and_starting_again_gives_the_same_dashboard(system: System, page: Page) -> None:
    system.start("--demo")
    log_in(page, system)

    def dashboard() -> list[str]:
        texts = []
        statuses = [status.value for status in Status]
        for status in statuses:
            page.goto(f"{system.url}/dashboard?status={status}")
            passing = (
                r"(?:\d+ (?:min|h|days)|just now)(?: (?:fresh|waiting|slow|late))?|The worker is running, [^.]*\. ?"
            )
            texts.append(re.sub(passing, "", page.locator("#live").inner_text()))
        return texts

    def settled() -> None:
        """The first sweep is through, and what the jobs owe is dealt with and mirrored: each bit is an event."""
        deadline = time.monotonic() + WORKSHOP_PATIENCE_S
        while True:
            rows = listed_jobs(page, system) or []
            waiting = list(filter(None, map(unsettled, rows)))
            if len(rows) >= 12 and not waiting:
                return
            assert time.monotonic() < deadline, (len(rows), waiting, system.output)
            page.wait_for_timeout(100)

    def unsettled(row: dict[str, Any]) -> str:
        """What the job waits for, if for anything."""
        job = parse(page.request.get(f"{system.url}/api/v1/jobs/{row['id']}").json()["job"])
        waits = {
            "mail": row["mail_owed"],
            "mirror": row["revision"] != job.revision,
            "files": has_pending_files(job),
        }
        return " ".join([job.id, *(name for name, owed in waits.items() if owed)]) if any(waits.values()) else ""

    settled()
    before = dashboard()
    assert any("NEW" in text for text in before)
    assert system.stop() == 0

    from printsys.ops.postgres import embedded_postgres

    with embedded_postgres(system.root / "instance") as url:
        engine = create_engine(sa.make_url(url).set(database="postgres").render_as_string(hide_password=False))
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(sa.text("DROP DATABASE printsys WITH (FORCE)"))
        engine.dispose()

    system.start()
    settled()
    assert dashboard() == before  # the session of before is good still: only the database is new


def test_a_job_is_approved_with_the_keyboard_alone(system: System, page: Page, tmp_path: Path) -> None:
    system.start("--demo")
    page.goto(f"{system.url}/login")
    expect(page.get_by_label("Password")).to_be_focused()
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/dashboard/today")
    wait_for_lists(page, system)
    page.goto(f"{system.url}/dashboard?status=Uploaded")
    first = page.locator(".job-name a").first
    first.focus()
    expect(page.locator("#panel #job")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.locator("#panel #approve")).to_be_focused()
    page.get_by_label("Material", exact=True).focus()
    page.keyboard.type("PLA")
    page.keyboard.press("Tab")
    expect(page.get_by_label("Weight in grams")).to_be_focused()
    page.keyboard.press("Control+a")
    page.keyboard.type("10")
    page.keyboard.press("Tab")
    page.keyboard.type("1")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Approved at $3.00. ")).to_be_visible()
