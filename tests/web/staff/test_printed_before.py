"""The same part again: staff see what it took the last time, and how it went."""

from __future__ import annotations

from dataclasses import replace

import pytest
from flask.testing import FlaskClient

from indexer.queries import Queries
from indexer.schema import create_engine
from printsys.domain.status import Status
from printsys.jobstore import Stored
from printsys.services import NO_DATABASE, Services
from printsys.web.staff.printed_before import printed_before
from printsys.worker.file_inspector import FileInspector
from tests.factories import CORNERS, STL, WAY_TO, act, resubmit
from tests.web.conftest import MakeJob

HEADING = "The same part, earlier"
TURNED_OBJ = (
    "".join(f"v {z} {x} {y}\n" for x, y, z in CORNERS) + "f 1 3 2\nf 1 2 4\nf 1 4 3\nf 2 3 4\n"
).encode()  # fmt: skip
"""The part of STL, exported by another program and lying on another side."""


def inspected(services: Services, job: Stored) -> Stored:
    FileInspector(services).attend(job.id)
    stored = services.store.load(job.id)
    services.mirror.put(stored)
    return stored


def told(staff: FlaskClient, job: Stored, page: str = "") -> str:
    text = staff.get(f"/dashboard/jobs/{job.id}{page}").get_data(as_text=True)
    return text.partition(HEADING)[2].partition("</section>")[0]


@pytest.mark.parametrize("page", ["", "/approve"])
def test_the_same_bytes_are_shown_with_what_they_took_and_how_it_went(
    staff: FlaskClient, services: Services, make: MakeJob, page: str
) -> None:
    earlier = make(Status.PRINTING, name="Ada Lovelace")
    act(services.store, earlier.id, "fail", reason="It came off the bed.", fault="machine")
    act(services.store, earlier.id, "start")
    act(services.store, earlier.id, "complete")
    services.mirror.put(services.store.load(earlier.id))
    words = told(staff, make(), page)
    for fact in (earlier.id, "Ada Lovelace", "the same file", "42.7 g", "3.5 h", "$4.27", "Completed", "failed once"):
        assert fact in words
    assert "It came off the bed." in words


def test_the_same_shape_is_found_in_another_format_and_on_another_side(
    staff: FlaskClient, services: Services, make: MakeJob
) -> None:
    earlier = inspected(services, make(Status.READY_TO_PRINT, files=[("part.stl", STL)]))
    act(services.store, earlier.id, "start")
    act(services.store, earlier.id, "complete")
    services.mirror.put(services.store.load(earlier.id))
    again = inspected(services, make(files=[("part.obj", TURNED_OBJ)]))
    assert earlier.id in told(staff, again) and "a model of the same shape" in told(staff, again)
    larger = inspected(services, make(files=[("part.obj", TURNED_OBJ.replace(b"30", b"31"))]))
    assert told(staff, larger) == "", "scaled, it takes something else"


def test_neither_the_job_itself_nor_one_that_nobody_printed_is_shown(staff: FlaskClient, make: MakeJob) -> None:
    make(Status.UPLOADED)
    make(Status.PENDING)
    assert told(staff, make(Status.COMPLETED)) == ""


def test_a_failed_print_counts_though_its_job_waits_again(
    staff: FlaskClient, services: Services, make: MakeJob
) -> None:
    earlier = make(Status.PRINTING)
    act(services.store, earlier.id, "fail", reason="A nozzle clogged.", fault="machine")
    services.mirror.put(services.store.load(earlier.id))
    assert services.store.load(earlier.id).job.status is not Status.PRINTING
    assert "A nozzle clogged." in told(staff, make())


def test_a_file_of_an_earlier_version_does_not_stand_for_what_was_printed(
    staff: FlaskClient, services: Services, make: MakeJob
) -> None:
    earlier = inspected(services, make(Status.REJECTED, files=[("part.stl", STL)]))
    larger = TURNED_OBJ.replace(b"30", b"31")
    resubmit(services.store, earlier.id, [("mended.obj", larger)])
    for action in WAY_TO[Status.COMPLETED]:
        act(services.store, earlier.id, action)
    inspected(services, earlier)
    assert told(staff, inspected(services, make(files=[("part.stl", STL)]))) == ""
    assert earlier.id in told(staff, inspected(services, make(files=[("part.obj", larger)])))


def test_only_the_newest_are_shown(staff: FlaskClient, make: MakeJob) -> None:
    for _ in range(7):
        make(Status.COMPLETED)
    assert told(staff, make()).count("<li>") == 5


def test_without_postgresql_nothing_is_shown(services: Services, make: MakeJob) -> None:
    make(Status.COMPLETED)
    job = make().job
    engine = create_engine(NO_DATABASE)
    assert printed_before(services, job) != []
    assert printed_before(replace(services, queries=Queries(engine)), job) == []
    engine.dispose()
