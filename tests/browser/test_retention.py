"""Old jobs go to the archive, and archived ones for good, from the page that System leads to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from printsys.config import ROOT
from printsys.domain.status import Status
from tests.browser.conftest import PASSWORD, listed_jobs, log_in, require_accessible
from tests.factories import Clock, make_job, make_store
from tests.running_system import System
from tests.waiting import until

pytestmark = pytest.mark.needs("chromium")
WIDTHS = (390, 1440)


def names_in(system: System, status: Status) -> set[str]:
    return {path.name.partition("_")[0] for path in (system.storage / status.value).iterdir()}


def require_accessible_at_all_widths(page: Page) -> None:
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        require_accessible(page)


def test_what_is_due_is_looked_at_archived_and_pruned(system: System, page: Page, tmp_path: Path) -> None:
    lab = (ROOT / "lab.toml").read_text("utf-8").replace("prune_days = 0", "prune_days = 365")
    (tmp_path / "lab.toml").write_text(lab, "utf-8")

    def days_ago(days: int, name: str, status: Status) -> None:
        make_job(make_store(system.root, Clock(datetime.now(UTC) - timedelta(days=days))), name, status=status)

    days_ago(100, "Ada Okafor", Status.REJECTED)
    days_ago(50, "Sam Lee", Status.REJECTED)
    days_ago(400, "Noor Haddad", Status.ARCHIVED)
    days_ago(300, "Yuki Tanaka", Status.ARCHIVED)
    system.start(LAB_CONFIG=str(tmp_path / "lab.toml"))
    log_in(page, system)
    until(lambda: len(listed_jobs(page, system) or ()) == 4, 60)

    page.goto(f"{system.url}/dashboard/system")
    page.get_by_role("link", name="See what is due").click()
    expect(page.get_by_text("1 job ended more than 90 days ago.")).to_be_visible()
    page.get_by_role("button", name="List what is due to archive").click()
    expect(page.get_by_role("group", name="Due to be archived")).to_contain_text("Ada Okafor")
    page.get_by_role("button", name="List what is due to prune").click()
    due = page.get_by_role("group", name="Due to be pruned")
    expect(due).to_contain_text("Noor Haddad")
    expect(due.get_by_role("row")).to_have_count(2)
    require_accessible_at_all_widths(page)

    page.get_by_role("button", name="Archive 1 job").click()
    expect(page.get_by_text("1 job is archived.")).to_be_visible()
    assert names_in(system, Status.ARCHIVED) == {"AdaOkafor", "NoorHaddad", "YukiTanaka"}

    page.get_by_label("Type “prune 1 job”").fill("prune 2 jobs")
    page.get_by_label("Staff password, once more").fill(PASSWORD)
    page.get_by_role("button", name="Prune 1 job for good").click()
    expect(page.get_by_role("alert")).to_contain_text("Nothing was pruned: please type “prune 1 job”.")
    require_accessible_at_all_widths(page)
    page.get_by_label("Type “prune 1 job”").fill("prune 1 job")
    page.get_by_label("Staff password, once more").fill(PASSWORD)
    page.get_by_role("button", name="Prune 1 job for good").click()
    expect(page.get_by_text("1 job is pruned.")).to_be_visible()
    assert names_in(system, Status.ARCHIVED) == {"AdaOkafor", "YukiTanaka"}
    require_accessible_at_all_widths(page)
