"""What happened in the folders while the system was off: shown once, each change with what staff can do about it."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from flask.testing import FlaskClient

from indexer.service import Service
from printsys import fs
from printsys.domain.status import Status
from printsys.jobstore.notes import missed_events, note_missed_events
from printsys.services import Services
from tests.factories import make_job
from tests.mirrored import mirrored_job
from tests.waiting import until
from tests.web.conftest import MakeJob, form_token, hidden_value, token_in

ATTENTION = "/dashboard/attention"


@pytest.fixture
def look(services: Services) -> Callable[[], None]:
    """A start of the indexer, up to the end of its first sweep."""

    def once() -> None:
        swept, stop = threading.Event(), threading.Event()
        service = Service(
            services.store, services.queries.engine, services.actions.drag_context, synced=lambda report: swept.set()
        )
        runner = threading.Thread(target=service.run, args=(stop,))
        runner.start()
        try:
            assert swept.wait(60)
        finally:
            stop.set()
            runner.join()

    return once


def test_the_first_sweep_after_a_start_tells_staff_what_they_missed(
    staff: FlaskClient, services: Services, look: Callable[[], None], make: MakeJob
) -> None:
    approved, printing, edited = make(Status.READY_TO_PRINT), make(Status.PRINTING), make(Status.UPLOADED)
    look()
    assert missed_events(services.store).events == (), "nothing happened before the first start"
    sliced = approved.folder / "bracket.gcode"
    sliced.write_bytes(b"; sliced")
    fs.rename_folder(printing.folder, services.store.layout.status(Status.COMPLETED) / printing.folder.name)
    metadata = edited.folder / "metadata.json"
    metadata.write_text(metadata.read_text("utf-8").replace('"copies": 1', '"copies": 3'), "utf-8")
    look()
    page = staff.get("/dashboard/attention").get_data(as_text=True)
    assert "While the system was off" in page
    assert "New file bracket.gcode" in page
    assert f"/dashboard/jobs/{approved.id}/choose-file" in page
    assert f"/dashboard/jobs/{printing.id}/undo-move" in page
    assert "metadata.json was edited by hand" in page
    assert "changed something in the folders" in staff.get("/dashboard").get_data(as_text=True)
    look()
    assert len(missed_events(services.store).events) == 3, "told once, and kept until somebody has read it"
    staff.post("/dashboard/attention/away", data={"csrf_token": token_in(page)})
    assert "While the system was off" not in staff.get("/dashboard/attention").get_data(as_text=True)


def test_what_happens_while_the_system_runs_is_not_told_as_missed(services: Services) -> None:
    job = make_job(services.store, status=Status.PRINTING)
    stop = threading.Event()
    service = Service(services.store, services.queries.engine, services.actions.drag_context)
    runner = threading.Thread(target=service.run, args=(stop,))
    runner.start()
    try:
        until(lambda: mirrored_job(services.queries, job.id) is not None, 60)
        fs.rename_folder(job.folder, services.store.layout.status(Status.COMPLETED) / job.folder.name)
        until(lambda: services.store.load(job.id).job.status is Status.COMPLETED, 60)
        assert missed_events(services.store).events == ()
    finally:
        stop.set()
        runner.join()


def test_a_job_that_is_gone_since_is_left_out(staff: FlaskClient, services: Services) -> None:
    note_missed_events(services.store, [("k7m29xq4", 3)], None)
    assert "While the system was off" not in staff.get("/dashboard/attention").get_data(as_text=True)


def test_what_was_added_after_the_page_was_shown_stays_to_be_read(
    staff: FlaskClient, services: Services, make: MakeJob
) -> None:
    """What is found after a start is noted in slices, and the page may have been shown after the first."""
    first, second = make(), make()
    note_missed_events(services.store, [(first.id, 1)], None)
    page = staff.get(ATTENTION).get_data(as_text=True)
    note_missed_events(services.store, [(second.id, 1)], None)
    seen = {"csrf_token": token_in(page), "last": hidden_value(page, "last")}
    for _ in range(2):
        assert staff.post(f"{ATTENTION}/away", data=seen).status_code == 303
        assert missed_events(services.store).events == ((second.id, 1),), "a second click finds nothing to take away"
    page = staff.get(ATTENTION).get_data(as_text=True)
    assert second.job.student.name in page and first.id not in page
    staff.post(f"{ATTENTION}/away", data=seen | {"last": hidden_value(page, "last")})
    assert not services.store.layout.missed_events.exists()


def test_a_page_that_does_not_say_what_it_showed_takes_away_what_this_browser_was_shown(
    staff: FlaskClient, services: Services, make: MakeJob
) -> None:
    """One of an earlier version that is still open."""
    first, second = make(), make()
    note_missed_events(services.store, [(first.id, 1)], None)
    token = form_token(staff, "/dashboard")
    staff.post(f"{ATTENTION}/away", data={"csrf_token": token})
    assert missed_events(services.store).events == ((first.id, 1),), "it was shown nothing yet"
    staff.get(ATTENTION)
    note_missed_events(services.store, [(second.id, 1)], None)
    staff.post(f"{ATTENTION}/away", data={"csrf_token": token})
    assert missed_events(services.store).events == ((second.id, 1),)


@pytest.mark.parametrize("last", ["", "x", "k7m29xq4:", "k7m29xq4:" + "9" * 5000])
def test_an_event_that_is_not_there_takes_nothing_away(staff: FlaskClient, services: Services, last: str) -> None:
    note_missed_events(services.store, [("k7m29xq4", 3)], None)
    data = {"csrf_token": form_token(staff, "/dashboard"), "last": last}
    assert staff.post(f"{ATTENTION}/away", data=data).status_code == 303
    assert missed_events(services.store).events == (("k7m29xq4", 3),)
