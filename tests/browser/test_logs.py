"""A job's whole beginning through the running system, and not a word of its student in the logs."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import PASSWORD, Postbox, log_in
from tests.browser.test_parts_down import approve, recorded, submitted
from tests.browser.test_whole_life import link_in
from tests.running_system import System
from tests.waiting import until

pytestmark = pytest.mark.needs("chromium")
SECRET = ("José", "Ñandú", "JoseNandu", "jose@example.edu", "ARCH 4000", "box.stl", "holiday plans", PASSWORD)


def test_the_logs_tell_what_happened_and_nothing_of_the_student(
    system: System, page: Page, postbox: tuple[Postbox, int], tmp_path: Path
) -> None:
    mails, _ = postbox
    system.start()
    job_id = submitted(page, system, tmp_path)
    link = link_in(mails.next(), "status")
    page.goto(link)
    page.goto(f"{link}x")  # forged
    log_in(page, system)
    page.goto(f"{system.url}/dashboard/jobs/{job_id}")
    approve(page)
    mails.next()
    folder = system.folder(job_id)
    (folder / "holiday plans.gcode").write_text("G28", "utf-8")
    folder.rename(system.storage / "Printing" / folder.name)
    until(lambda: recorded(system, job_id)["status"] == "Printing", 60)
    (system.folder(job_id) / "metadata.json").write_text("{ ruined", "utf-8")
    page.goto(f"{system.url}/dashboard/jobs/{job_id}")
    assert system.stop() == 0

    logs = system.root / "instance" / "logs"
    texts = {path.name: path.read_text("utf-8") for path in logs.iterdir()}
    assert texts.keys() == {f"{part}.log" for part in ("run", "postgres", "web", "index", "work")}
    assert f"job {job_id}: StaffApproved by staff" in texts["web.log"]
    assert f"job {job_id}: EmailSent by system" in texts["work.log"]
    assert f"job {job_id}: FolderMoved by filesystem" in texts["index.log"]
    everything = "".join(texts.values()) + system.output
    everything += (system.root / "instance" / "postgres" / "log").read_text("utf-8", "replace")
    token = link.rpartition("/")[2]
    assert [secret for secret in (*SECRET, token) if secret in everything] == []
    secret_key = (system.root / "instance" / "secret-key").read_text("utf-8").strip()
    assert secret_key not in everything
