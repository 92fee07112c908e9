"""A model that slicers refuse: staff work with a copy written as STL, and read why. FAULTS M4, M12."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from indexer.check import check_storage
from indexer.reconcile import Reconciler
from indexer.sweep import Sweeper
from printsys.actions.intake import reprint
from printsys.domain.events import EventType
from printsys.domain.status import Status
from printsys.jobstore import Stored
from printsys.jobstore.conversion import replace_working_copy
from printsys.jobstore.restore import restore_original
from printsys.models3d import bounded
from printsys.services import Services
from printsys.worker.file_inspector import FileInspector
from tests.factories import STL, act, change_lab, make_job, resubmit
from tests.models3d.step_box import step_box
from tests.models3d.test_other_formats import zipped
from tests.web.conftest import MakeJob, Submit

PRISM = b"""v 0 0 0
v 20 0 0
v 30 15 0
v 10 25 0
v -10 15 0
v 0 0 12
v 20 0 12
v 30 15 12
v 10 25 12
v -10 15 12
f 5 4 3 2 1
f 6 7 8 9 10
f 1 2 7 6
f 2 3 8 7
f 3 4 9 8
f 4 5 10 9
f 5 1 6 10
"""
REASON = "has faces of more than 4 corners"


@pytest.fixture
def look(services: Services) -> Callable[[], None]:
    """The indexer and the worker, until neither has anything to do."""

    def until_done() -> None:
        reconciler = Reconciler(services.store, services.actions.drag_context, settle_s=0)
        inspector = FileInspector(services)
        while True:
            Sweeper(services.store, services.mirror, reconciler).sweep()
            owing = list(inspector.owing())
            if not owing:
                return
            for job_id in owing:
                inspector.attend(job_id)

    return until_done


def types(job: Stored) -> list[str]:
    return [event.type for event in job.events]


def converted(services: Services, look: Callable[[], None], make: MakeJob) -> Stored:
    job = make(files=[("prism.obj", PRISM)])
    look()
    return services.store.load(job.id)


def test_the_working_copy_is_written_as_stl_and_the_sent_file_stays(
    services: Services, look: Callable[[], None], make: MakeJob
) -> None:
    job = converted(services, look, make)
    original, copy = job.job.files
    name = f"{job.folder.name}.stl"
    assert (copy.name, copy.role, copy.converted_because) == (name, "working", REASON)
    assert (job.folder / "original" / "prism.obj").read_bytes() == PRISM
    assert original.sha256 == hashlib.sha256(PRISM).hexdigest()
    assert sorted(path.name for path in job.folder.glob(f"{job.folder.name}*")) == [name]
    assert (job.folder / "aside" / f"{job.folder.name}.obj").read_bytes() == PRISM
    facts, sent = bounded.inspect(job.folder / name), bounded.inspect(job.folder / "original" / "prism.obj")
    assert facts.format == "binary STL" and facts.slicer_trouble is None
    assert (facts.size_mm, facts.triangles) == (sent.size_mm, sent.triangles)
    assert facts.volume_cm3 == pytest.approx(sent.volume_cm3, rel=1e-5)
    assert copy.sha256 == hashlib.sha256((job.folder / name).read_bytes()).hexdigest()
    assert copy.model is not None and copy.model["triangles"] == sent.triangles
    assert not list(check_storage(services.store))


def test_staff_read_that_it_was_converted_and_why(
    services: Services, look: Callable[[], None], make: MakeJob, staff: FlaskClient
) -> None:
    job = converted(services, look, make)
    page = staff.get(f"/dashboard/jobs/{job.id}").get_data(as_text=True)
    assert f"working copy · written as STL, because the sent file {REASON}" in page
    assert f"{job.folder.name}.stl was written as STL, because the sent file {REASON}" in page  # in the history
    assert types(job).count(EventType.WORKING_COPY_CONVERTED) == 1


def test_one_turn_of_the_worker_converts_it_and_looks_at_the_copy(services: Services, make: MakeJob) -> None:
    job = make(files=[("prism.obj", PRISM)])
    inspector = FileInspector(services)
    inspector.attend(job.id)
    after = services.store.load(job.id)
    assert after.job.files[1].converted_because == REASON and after.job.files[1].model is not None
    assert not inspector.owes(job.id)


def test_it_is_converted_once(services: Services, look: Callable[[], None], make: MakeJob) -> None:
    job = converted(services, look, make)
    look()
    assert services.store.load(job.id).job.revision == job.job.revision


def test_an_stl_keeps_its_name(services: Services, look: Callable[[], None], make: MakeJob) -> None:
    job = make(files=[("cube.stl", STL.upper())])
    look()
    after = services.store.load(job.id)
    copy = after.job.files[1]
    assert copy.name == f"{job.folder.name}.stl" and copy.converted_because == "is a text STL in capital letters"
    assert (after.folder / copy.name).read_bytes()[:5] != b"SOLID"
    assert (after.folder / "original" / "cube.stl").read_bytes() == STL.upper()
    assert not list(check_storage(services.store))


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("box.zip", zipped(**{"box.stl": STL, "LICENSE": b"CC BY"}), "is a zip archive"),
        ("box.step", step_box((10, 20, 30)), "is in a format (STEP) that not every slicer reads"),
    ],
)
def test_what_a_lab_accepts_besides_becomes_an_stl(
    name: str, data: bytes, reason: str, services: Services, look: Callable[[], None], submit: Submit
) -> None:
    extensions = [".stl", ".zip", ".step"]
    change_lab(services.lab, "submission", extensions=extensions)
    answer = submit(files={name: data})
    assert answer.status_code == 303, answer.get_data(as_text=True)
    look()
    ((job_id, _),) = services.store.ids()
    after = services.store.load(job_id)
    original, copy = after.job.files
    assert (after.folder / original.name).read_bytes() == data
    assert (copy.name, copy.converted_because) == (f"{after.folder.name}.stl", reason)
    assert bounded.inspect(after.folder / copy.name).format == "binary STL"
    assert not list(check_storage(services.store))


def test_the_form_offers_what_the_lab_accepts(services: Services, client: FlaskClient) -> None:
    change_lab(services.lab, "submission", extensions=[".stl", ".zip", ".step"])
    page = client.get("/submit").get_data(as_text=True)
    assert 'accept=".stl,.zip,.step"' in page and ".stl, .zip, .step; up to" in page


def test_what_slicers_open_stays_as_it_was_sent(services: Services, look: Callable[[], None], make: MakeJob) -> None:
    job = make()
    look()
    after = services.store.load(job.id)
    assert after.job.files[1].sha256 == after.job.files[0].sha256
    assert EventType.WORKING_COPY_CONVERTED not in types(after) and not (after.folder / "aside").exists()


def test_what_somebody_saved_over_the_working_copy_is_never_replaced(
    services: Services, look: Callable[[], None], make: MakeJob
) -> None:
    job = make(files=[("prism.obj", PRISM)])
    (job.folder / f"{job.folder.name}.obj").write_bytes(PRISM.replace(b"12\n", b"24\n"))
    look()
    after = services.store.load(job.id)
    assert EventType.WORKING_COPY_CONVERTED not in types(after)
    assert (after.folder / f"{job.folder.name}.obj").read_bytes() != PRISM


def test_what_somebody_saves_meanwhile_stays(services: Services, make: MakeJob, tmp_path: Path) -> None:
    """The indexer has not seen it yet: only the bytes themselves tell."""
    job = make(files=[("prism.obj", PRISM)])
    original, copy = job.job.files
    content = tmp_path / "converted.stl"
    bounded.convert(job.folder / original.name, content)
    (job.folder / copy.name).write_bytes(b"another model")
    replace_working_copy(services.store, job.id, original, copy, content, REASON)
    folder = services.store.load(job.id).folder
    assert (folder / copy.name).read_bytes() == b"another model"
    assert (folder / f"{job.folder.name}.stl").read_bytes() == content.read_bytes()


def test_a_model_that_cannot_be_converted_is_tried_once_and_staff_read_why(
    services: Services, make: MakeJob, staff: FlaskClient, look: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    no_time = bounded.Limits(seconds=0)
    convert = bounded.convert
    monkeypatch.setattr(bounded, "convert", lambda path, target: convert(path, target, no_time))
    job = converted(services, look, make)
    assert EventType.WORKING_COPY_CONVERTED not in types(job)
    assert (job.folder / f"{job.folder.name}.obj").read_bytes() == PRISM
    page = staff.get(f"/dashboard/jobs/{job.id}").get_data(as_text=True)
    assert "not written as STL: prism.obj took longer than 0 s to look at." in page


def test_an_original_is_restored_from_the_copy_that_was_put_aside(
    services: Services, look: Callable[[], None], make: MakeJob
) -> None:
    job = converted(services, look, make)
    path = job.folder / "original" / "prism.obj"
    path.chmod(0o644)
    path.write_bytes(b"altered")
    restore_original(services.store, job.id, "original/prism.obj", "staff")
    assert path.read_bytes() == PRISM


def test_the_print_file_follows_and_the_price_stays(
    services: Services, look: Callable[[], None], make: MakeJob
) -> None:
    job = make(Status.PENDING, files=[("prism.obj", PRISM)])
    look()
    after = services.store.load(job.id)
    assert after.job.print_files == [f"{job.folder.name}.stl"]
    assert after.job.estimate is not None and after.job.estimate.cost is not None


def test_a_request_sent_again_is_converted_as_well(services: Services, look: Callable[[], None], make: MakeJob) -> None:
    job = converted(services, look, make)
    act(services.store, job.id, "reject")
    resubmit(services.store, job.id, [("new prism.obj", PRISM.replace(b"12\n", b"24\n"))])
    look()
    again = services.store.load(job.id)
    assert again.job.print_files == [f"{job.folder.name}_v2.stl"]
    assert [file.is_superseded for file in again.job.files] == [True, True, False, False]
    assert not list(check_storage(services.store))


def test_a_reprint_is_converted_from_its_own_original(
    services: Services, look: Callable[[], None], make: MakeJob
) -> None:
    job = converted(services, look, make)
    new_job = reprint(services.actions, job.id, "staff")
    look()
    after = services.store.load(new_job.id)
    names = [(file.name, file.role, file.converted_because) for file in after.job.files]
    assert names == [("original/prism.obj", "original", None), (f"{after.folder.name}.stl", "working", REASON)]


def test_two_models_are_converted_each_by_itself(services: Services, look: Callable[[], None]) -> None:
    job = make_job(
        services.store, files=[("prism.obj", PRISM), ("cube.stl", STL), ("tall.obj", PRISM.replace(b"12\n", b"24\n"))]
    )
    services.mirror.put(job)
    look()
    after = services.store.load(job.id)
    names = {file.name: file.converted_because for file in after.job.files if file.role == "working"}
    stem = job.folder.name
    assert names == {f"{stem}.stl": REASON, f"{stem}_2.stl": None, f"{stem}_3.stl": REASON}
