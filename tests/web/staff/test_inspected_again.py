"""A job whose models an earlier version of the system inspected gets what this one knows. Issue 14."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from decimal import Decimal

import pytest
from flask.testing import FlaskClient

from indexer.check import check_storage
from indexer.reconcile import Reconciler
from indexer.sweep import Sweeper
from printsys.domain.events import SYSTEM, EventDraft, EventType
from printsys.domain.job import Document, dump
from printsys.domain.pending_work import INSPECTION, to_inspect_again
from printsys.domain.status import Status
from printsys.jobstore import Stored
from printsys.models3d import bounded
from printsys.services import Services
from printsys.worker import tasks
from printsys.worker.file_inspector import FileInspector
from printsys.worker.tasks import Worker
from tests.factories import WAY_TO, act
from tests.indexer.test_older_versions import FOLDERS
from tests.openness.reader import verify
from tests.present import present
from tests.web.conftest import MakeJob
from tests.web.staff.test_approval_defaults import settled
from tests.web.staff.test_conversion import PRISM, REASON, types

EARLIER: Document = {"format": "OBJ", "triangles": 16, "size_mm": [40.0, 25.0, 12.0], "watertight": True}
"""Facts of a version that knew nothing of slicers' trouble, walls and beds, and made no picture."""


def inspected_by(services: Services, job: Stored, model: Document) -> Stored:
    """As an earlier version of the system recorded it."""

    def decide(latest: Stored) -> Sequence[EventDraft]:
        files = [dump(file) | ({"model": model} if file.role == "original" else {}) for file in latest.job.files]
        return [EventDraft(EventType.MODEL_INSPECTED, SYSTEM, {"name": files[0]["name"]}, {"files": files})]

    return services.actions.record(job.id, decide)


def inspect_again(services: Services, job: Stored) -> Stored:
    FileInspector(services).inspect_again(job.id)
    return services.store.load(job.id)


def test_an_earlier_inspection_is_made_again_and_what_slicers_refuse_is_converted(
    services: Services, make: MakeJob, staff: FlaskClient
) -> None:
    job = inspected_by(services, make(files=[("prism.obj", PRISM)]), EARLIER)
    inspector = FileInspector(services)
    assert list(inspector.inspected_earlier()) == [job.id] and not inspector.owes(job.id)
    after = inspect_again(services, job)
    original, copy = after.job.files
    model = present(original.model)
    assert (model["inspection"], model["slicer_trouble"], model["is_converted"]) == (INSPECTION, REASON, True)
    assert "bed_fits" in model and (after.folder / model["preview"]).is_file()
    assert copy.converted_because == REASON and present(copy.model)["inspection"] == INSPECTION
    assert list(inspector.inspected_earlier()) == []
    assert not list(check_storage(services.store))
    assert "was inspected again" in staff.get(f"/dashboard/jobs/{job.id}").get_data(as_text=True)


def test_it_is_made_again_once(services: Services, make: MakeJob) -> None:
    job = inspected_by(services, make(), EARLIER)
    after = inspect_again(services, job)
    assert types(after).count(EventType.MODEL_INSPECTED) == 2
    assert inspect_again(services, job).job.revision == after.job.revision


@pytest.mark.parametrize("version", [INSPECTION, INSPECTION + 1])
def test_an_inspection_of_this_version_or_a_later_one_stays(services: Services, make: MakeJob, version: int) -> None:
    job = inspected_by(services, make(), EARLIER | {"inspection": version})
    assert inspect_again(services, job).job.revision == job.job.revision


@pytest.mark.parametrize("status", [Status.UPLOADED, Status.PENDING, Status.PRINTING])
def test_what_staff_decided_stays(services: Services, make: MakeJob, staff: FlaskClient, status: Status) -> None:
    """The print file is the working copy as it was sent: chosen by hand, or approved."""
    job = make(files=[("prism.obj", PRISM)])
    copy = job.job.files[1].name
    act(services.store, job.id, "choose-file", print_file=[copy])
    for action in WAY_TO[status]:
        act(services.store, job.id, action)
    before = inspected_by(services, services.store.load(job.id), EARLIER)
    after = inspect_again(services, job)
    decided = ("status", "print_files", "estimate", "confirmation", "request", "notes", "payment")
    assert [getattr(after.job, name) for name in decided] == [getattr(before.job, name) for name in decided]
    assert (after.folder / copy).read_bytes() == PRISM and after.job.files[1] == before.job.files[1]
    assert EventType.WORKING_COPY_CONVERTED not in types(after)
    assert present(after.job.files[0].model)["slicer_trouble"] == REASON
    page = staff.get(f"/dashboard/jobs/{job.id}").get_data(as_text=True)
    assert "not written as STL: the job was approved, or its print file chosen," in page


def test_a_status_whose_files_are_not_read_stays_as_it_is(services: Services, make: MakeJob) -> None:
    job = make()
    act(services.store, job.id, "reject")
    rejected = inspected_by(services, services.store.load(job.id), EARLIER)
    assert not list(to_inspect_again(rejected.job))
    assert list(FileInspector(services).inspected_earlier()) == []


def test_facts_that_are_known_stay_where_this_machine_is_too_slow(
    services: Services, make: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = inspected_by(services, make(), EARLIER)
    examine, no_time = bounded.examine, bounded.Limits(seconds=0)
    monkeypatch.setattr(bounded, "examine", lambda path, limits, *others: examine(path, no_time, *others))
    after = inspect_again(services, job)
    assert present(after.job.files[0].model) == EARLIER | {"inspection": INSPECTION}


def test_a_sliced_file_that_an_earlier_version_misread_is_read_again(
    services: Services, make: MakeJob, staff: FlaskClient
) -> None:
    """The decimal comma of FAULTS M9: 205 m instead of 1.205."""
    job = make()
    name = "bracket.gcode"
    lines = [";FLAVOR:Marlin", ";TIME:2664", ";Filament used: 1,205m", ";Generated with Cura_SteamEngine 5.7.1", ""]
    (job.folder / name).write_text("\n".join(lines), "utf-8")
    settled(job.folder / name)
    reconciler = Reconciler(services.store, services.actions.drag_context, settle_s=0)
    Sweeper(services.store, services.mirror, reconciler).sweep()
    FileInspector(services).attend(job.id)
    read = services.store.load(job.id)
    assert list(FileInspector(services).inspected_earlier()) == []
    weight_g = present(read.job.estimate).weight_g
    misread = {"family": "cura", "program": "Cura", "time_s": 2664, "tools": [{"index": 0, "length_mm": "205000"}]}

    def decide(latest: Stored) -> Sequence[EventDraft]:
        files = [dump(file) | ({"slicer": misread} if file.name == name else {}) for file in latest.job.files]
        patch = {"files": files, "estimate": {"weight_g": "611"}}
        return [EventDraft(EventType.ESTIMATE_READ, SYSTEM, {"name": name}, patch)]

    services.actions.record(job.id, decide)
    after = inspect_again(services, job)
    assert present(after.job.estimate).weight_g == weight_g == Decimal("3.59")
    assert "were read again from bracket.gcode" in staff.get(f"/dashboard/jobs/{job.id}").get_data(as_text=True)
    assert list(FileInspector(services).inspected_earlier()) == []


def test_a_job_whose_file_is_gone_keeps_no_other_waiting(
    services: Services, make: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A few at a time, in turn."""
    monkeypatch.setattr(tasks, "MOST_AGAIN", 2)
    jobs = sorted((inspected_by(services, make(), EARLIER) for _ in range(5)), key=lambda job: job.id)
    for job in jobs[:2]:
        (job.folder / job.job.files[0].name).unlink()
    worker = Worker(services.settings)
    outdated = []
    for _ in range(4):
        worker.inspect_again()
        outdated.append(sorted(worker.file_inspector.inspected_earlier()))
    ids = [job.id for job in jobs]
    assert outdated == [ids, [*ids[:2], ids[4]], ids[:2], ids[:2]]


def test_a_job_that_crashes_is_tried_later_and_keeps_no_other_waiting(
    services: Services, make: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = sorted((inspected_by(services, make(), EARLIER) for _ in range(2)), key=lambda job: job.id)
    worker = Worker(services.settings)
    inspect = worker.file_inspector.inspect_again

    def crash_at_first(job_id: str) -> None:
        if job_id == first.id:
            raise ZeroDivisionError
        inspect(job_id)

    monkeypatch.setattr(worker.file_inspector, "inspect_again", crash_at_first)
    outdated = []
    for _ in range(2):
        worker.huey.execute(worker._inspect_again.s())
        outdated.append(sorted(worker.file_inspector.inspected_earlier()))
    assert outdated == [sorted([first.id, second.id]), [first.id]]
    assert worker.failures.waits(first.id) and not worker.failures.waits(second.id)


def test_one_turn_at_a_time(services: Services, make: MakeJob) -> None:
    """The other thread is free for what is new."""
    inspected_by(services, make(), EARLIER)
    worker = Worker(services.settings)
    with worker._is_inspecting_again:
        worker.inspect_again()
    assert len(list(worker.file_inspector.inspected_earlier())) == 1


def test_what_is_new_goes_first_and_waits_for_no_longer_than_a_slot_is_taken(services: Services, make: MakeJob) -> None:
    earlier, new = inspected_by(services, make(), EARLIER), make()
    worker = Worker(services.settings)
    for _ in range(tasks.MOST_INSPECTIONS):
        assert worker._slots.take()
    for _ in range(2):
        worker.inspect_files(new.id)
    worker.inspect_again()
    assert list(worker.file_inspector.inspected_earlier()) == [earlier.id] and worker.heartbeat().queue == 1
    worker._give_slot_back()
    assert worker.heartbeat().queue == 1
    assert present(worker.huey.dequeue()).args == (new.id,)
    worker.inspect_again()
    assert list(worker.file_inspector.inspected_earlier()) == []


def test_what_an_old_version_wrote_is_inspected_again_and_its_record_holds(services: Services) -> None:
    """The storage of commit e2e1f9b, with models and sliced files that it had inspected."""
    for folder in FOLDERS:
        shutil.copytree(folder, services.store.layout.root / folder.parent.name / folder.name)
    before = {job_id: services.store.load(job_id) for job_id, _ in services.store.ids()}
    for stored in before.values():
        services.mirror.put(stored)
    inspector = FileInspector(services)
    outdated = list(inspector.inspected_earlier())
    assert {before[job_id].job.student.name.split()[0] for job_id in outdated} == {"Ada", "José", "Bea"}
    for job_id in outdated:
        inspector.inspect_again(job_id)
    assert list(inspector.inspected_earlier()) == []
    for job_id, stored in before.items():
        after = services.store.load(job_id).job
        decided = ("status", "print_files", "estimate", "confirmation", "rejection", "payment", "request", "notes")
        assert [getattr(after, name) for name in decided] == [getattr(stored.job, name) for name in decided]
    assert verify(services.store.layout.root).kinds == []
