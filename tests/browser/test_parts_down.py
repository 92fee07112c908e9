"""The lab goes on while PostgreSQL is stopped or the share is gone, and recovers without a person."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
from playwright.sync_api import Page, expect

from printsys.config import ROOT
from printsys.ops.postgres import PostgresServer, embedded_postgres
from tests.browser.conftest import Postbox, listed_jobs, log_in
from tests.browser.test_whole_life import box_stl, fill_form, link_in
from tests.present import present
from tests.running_system import System
from tests.waiting import until

pytestmark = pytest.mark.needs("chromium")


def test_with_postgresql_stopped_the_whole_life_of_a_job_goes_on(
    system: System, page: Page, postbox: tuple[Postbox, int], tmp_path: Path
) -> None:
    mails, _ = postbox
    server = tmp_path / "server"
    with embedded_postgres(server) as url:
        system.environment["DATABASE_URL"] = url
        system.start()
        log_in(page, system)
        until(lambda: health(page, system)["components"]["database"] == "ok", 60)
        kill_server(server)
        until(lambda: health(page, system)["components"]["database"] == "down", 60)
        assert health(page, system)["status"] == "degraded"

        job_id = submitted(page, system, tmp_path)
        page.goto(f"{system.url}/dashboard")
        expect(page.get_by_text("this list comes straight from the folders")).to_be_visible()
        page.get_by_role("link", name="José Ñandú", exact=True).click()
        approve(page)
        assert recorded(system, job_id)["status"] == "Pending"

        mails.next()  # received
        student = present(page.context.browser).new_context().new_page()
        student.goto(link_in(mails.next(), "confirm"))
        student.get_by_role("button", name="Yes, print it").click()
        expect(student.get_by_role("heading", level=1)).to_have_text("In line for printing")

        folder = system.folder(job_id)
        folder.rename(system.storage / "Printing" / folder.name)
        until(lambda: recorded(system, job_id)["status"] == "Printing", 60)
        page.goto(f"{system.url}/dashboard?status=Printing")
        page.get_by_role("link", name="José Ñandú", exact=True).click()
        page.locator("#panel").get_by_role("button", name="Printing is done").click()
        until(lambda: recorded(system, job_id)["status"] == "Completed", 60)

        dead = PostgresServer(server)
        with dead.locked():
            assert dead.start() == url
        until(lambda: health(page, system)["status"] == "ok", 60)
        until(lambda: mirrored(page, system, job_id).get("status") == "Completed", 60)
        report = check(system)
        assert report["findings"] == [], report
        assert system.stop() == 0


def test_with_the_share_gone_nothing_is_deleted_and_pages_say_so(system: System, page: Page, tmp_path: Path) -> None:
    system.start("--demo")
    log_in(page, system)
    before = files(system.storage)
    away = tmp_path / "unplugged"
    system.storage.rename(away)
    system.storage.mkdir()  # what is left of a mount point
    until(lambda: health(page, system)["components"]["storage"] != "ok", 60)
    page.goto(f"{system.url}/dashboard")
    expect(page.get_by_text("storage", exact=False).first).to_be_visible()
    page.goto(f"{system.url}/submit")
    fill_form(page, written(tmp_path / "box.stl"))
    page.get_by_role("button", name="Send to the lab").click()
    expect(page.get_by_role("alert").first).to_be_visible()
    expect(page.get_by_label("E-mail")).to_have_value("jose@example.edu")
    assert sorted(system.storage.rglob("*")) == [], "nothing starts in an empty mount point"

    system.storage.rmdir()
    away.rename(system.storage)
    until(lambda: health(page, system)["status"] == "ok", 60)
    assert len(jobs(page, system)) >= 12
    assert before - files(system.storage) == set()
    page.get_by_role("button", name="Send to the lab").click()
    page.wait_for_url("**/submit/success?job=*")


# -- what is asked ------------------------------------------------------------------------------------------------


def health(page: Page, system: System) -> dict[str, Any]:
    body: dict[str, Any] = page.request.get(f"{system.url}/healthz").json()
    return body


def jobs(page: Page, system: System) -> list[dict[str, Any]]:
    return listed_jobs(page, system) or []


def mirrored(page: Page, system: System, job_id: str) -> dict[str, Any]:
    return next((job for job in jobs(page, system) if job["id"] == job_id), {})


def recorded(system: System, job_id: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((system.folder(job_id) / "metadata.json").read_bytes())
    return document


def files(storage: Path) -> set[str]:
    """Everything of the jobs, but for pictures, which come as the worker gets to them."""
    every = storage.glob("[A-Z]*/**/*")
    return {path.relative_to(storage).as_posix() for path in every if path.is_file() and path.suffix != ".png"}


def check(system: System) -> dict[str, Any]:
    command = [sys.executable, "manage.py", "check", "--deep", "--json"]
    done = subprocess.run(command, cwd=ROOT, env=system.environment, capture_output=True, encoding="utf-8", check=False)
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def kill_server(instance: Path) -> None:
    """All of it at once, as when the computer that it runs on is switched off."""
    server = psutil.Process(int((instance / "postgres" / "postmaster.pid").read_text("utf-8").split()[0]))
    crew = server.children(recursive=True)
    for process in [server, *crew]:
        process.kill()
    psutil.wait_procs([server, *crew], timeout=30)


def written(path: Path) -> Path:
    path.write_bytes(box_stl(30.0))
    return path


def submitted(page: Page, system: System, folder: Path) -> str:
    page.goto(f"{system.url}/submit")
    fill_form(page, written(folder / "box.stl"))
    page.get_by_role("button", name="Send to the lab").click()
    page.wait_for_url("**/submit/success?job=*")
    return page.locator(".job-number").inner_text()


def approve(page: Page) -> None:
    page.get_by_label("Material", exact=True).select_option("PLA")
    page.get_by_label("Weight in grams").fill("42.7")
    page.get_by_label("Printing time in hours").fill("3.5")
    page.get_by_role("button", name="Approve and e-mail").click()
    expect(page.get_by_text("Approved at $4.27. José Ñandú gets an e-mail.")).to_be_visible()
