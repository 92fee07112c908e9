"""Real storage with real jobs in it, which the real actions bring to the status that a test needs."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from indexer.index import Mirror
from indexer.rebuild import Progress, SweepReport
from indexer.reconcile import Reconciler
from indexer.sweep import Sweeper
from printsys.actions import Actions
from printsys.config import ROOT, Lab, load_lab
from printsys.domain import naming
from printsys.domain.creation import job_created
from printsys.domain.effects import Context
from printsys.domain.inputs import SubmitInput, validate
from printsys.domain.job import Job
from printsys.domain.links import resubmission_key
from printsys.domain.plates import plates
from printsys.domain.pruned import PrunedJob
from printsys.domain.request_fields import from_job
from printsys.domain.status import Status
from printsys.domain.workflow import STEPS
from printsys.jobstore import IncomingFile, JobStore, Stored
from printsys.jobstore.arriving import ArrivingFile
from printsys.jobstore.identity import recognise

STAFF = "staff:Sam"
LAB = load_lab(ROOT / "lab.toml")
PRICES = LAB.price_list_on(date(2026, 3, 2))
CORNERS = ((0, 0, 0), (30, 0, 0), (0, 30, 0), (0, 0, 30))
STL = (
    "solid part\n"
    + "".join(
        "facet normal 0 0 0\nouter loop\n"
        + "".join("vertex {} {} {}\n".format(*CORNERS[n]) for n in face)
        + "endloop\nendfacet\n"
        for face in ((0, 2, 1), (0, 1, 3), (0, 3, 2), (1, 2, 3))
    )
    + "endsolid part\n"
).encode()
"""A closed tetrahedron of 30 mm."""
FORM = {
    "student_name": "Jane Doe",
    "student_email": "jane@example.edu",
    "discipline": "Architecture",
    "class_number": "ARCH 4000",
    "print_method": "Filament",
    "color": "True Red",
    "printer": "prusa-mk4s",
    "minimum_charge_consent": "yes",
    "copies": "1",
    "due_date": "",
    "message": "",
}
"""The student's form as a browser sends it."""

WAY_TO: dict[Status, tuple[str, ...]] = {
    Status.UPLOADED: (),
    Status.PENDING: ("approve",),
    Status.READY_TO_PRINT: ("approve", "confirm"),
    Status.PRINTING: ("approve", "confirm", "start"),
    Status.COMPLETED: ("approve", "confirm", "start", "complete"),
    Status.PAID_PICKED_UP: ("approve", "confirm", "start", "complete", "pickup"),
    Status.REJECTED: ("reject",),
    Status.ARCHIVED: ("approve", "confirm", "start", "complete", "pickup", "archive"),
}
USUAL_INPUT: dict[str, dict[str, Any]] = {
    "approve": {"weight_g": "42.7", "time_h": "3.4", "material": "PLA"},
    "reject": {"reasons": ["too-thin", "messy"], "comment": "The walls are too thin."},
    "confirm": {"reason": "Said yes at the desk."},
    "revert": {"reason": "A slip of the mouse."},
    "plates": {"state": "printed"},
    "fail": {"reason": "It came off the bed.", "fault": "machine", "wasted_g": "12"},
    "pickup": {"amount": "4.27", "payment_method": "Card", "picked_up_by": "Jane Doe", "weight_g": "42.7"},
    "pay": {"amount": "1.00", "payment_method": "Cash"},
    "refund": {"amount": "1.00", "payment_method": "Cash", "reason": "A scratch."},
    "waive": {"amount": "1.00", "reason": "The lab's own fault."},
    "override": {"reason": "It was printed elsewhere."},
    "notes": {"notes": "Call Jane."},
    "details": {"student_name": "Jane Roe", "student_email": "jane@example.edu", "copies": "2"},
    "delete": {"reason": "A test."},
    "reply": {"message": "Is it done?"},
}
"""What staff fill in where a test does not say it: see `usual_input` for what depends on the job."""


def usual_input(action: str, job: Job) -> dict[str, Any]:
    working = [file.name for file in job.current_files if file.role == "working"]
    of_this_job: dict[str, dict[str, Any]] = {
        "approve": {"print_file": working[:1]},
        "choose-file": {"print_file": working[:1]},
        "delete": {"confirm_id": job.id},
        "plates": {"plate": [plate.key for plate in plates(job) if plate.state is None][:1] or ["1:"]},
        "override": {"status": Status.COMPLETED if job.status is not Status.COMPLETED else Status.PRINTING},
    }
    return USUAL_INPUT.get(action, {}) | of_this_job.get(action, {})


class Clock:
    """A clock that a test turns: every reading is a second later than the one before."""

    def __init__(self, now: datetime = datetime(2026, 3, 2, 16, 20, 11, tzinfo=UTC)) -> None:
        self.now = now

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


def change_lab(lab: Lab, table: str, **values: Any) -> None:
    """As if lab.toml said so in one of its tables. All parts of the system hold this one `lab`, which is frozen."""
    lab.__dict__[table] = getattr(lab, table).model_copy(update=values)


def make_store(place: Path, clock: Callable[[], datetime] | None = None) -> JobStore:
    """A new storage in `place`/storage, remembered in `place`/instance; or the one that is there already."""
    (place / "instance").mkdir(parents=True, exist_ok=True)
    root = place / "storage"
    return JobStore(root, recognise(root, place / "instance" / "storage-id"), clock=clock or Clock())


def make_job(
    store: JobStore,
    name: str = "Jane Doe",
    email: str = "jane@example.edu",
    status: Status = Status.UPLOADED,
    *,
    method: str = "Filament",
    color: str = "True Red",
    printer: str = "prusa-mk4s",
    discipline: str = "Architecture",
    class_number: str = "ARCH 4000",
    copies: int = 1,
    message: str = "",
    files: Sequence[tuple[str, bytes | ArrivingFile]] = (("bracket v2.stl", STL),),
) -> Stored:
    """Submit a job as a student does, then take it to `status` by the steps that staff would take."""
    form = FORM | {
        "student_name": name,
        "student_email": email,
        "discipline": discipline,
        "class_number": class_number,
        "print_method": method,
        "color": color,
        "printer": printer,
        "copies": copies,
        "message": message,
    }
    request = validate(SubmitInput, form)
    stored = store.create(
        lambda job_id: naming.folder_name(name, method, color, job_id),
        [IncomingFile(title, io.BytesIO(data) if isinstance(data, bytes) else data) for title, data in files],
        lambda job_id, staged: job_created(job_id, staged.folder_name, request, staged.files, "student", store.clock()),
    )
    for action in WAY_TO[status]:
        stored = act(store, stored.id, action)
    return stored


class NoMirror(Mirror):
    """For tests that need no database."""

    def __init__(self) -> None:
        pass

    def put(self, stored: Stored) -> bool:
        return False

    def put_pruned(self, job_id: str, job: PrunedJob) -> None:
        pass


def actions_on(store: JobStore) -> Actions:
    return Actions(store, NoMirror(), LAB, enqueue=lambda job_id: None, clock=store.clock)


def act(
    store: JobStore, job_id: str, action: str, actor: str = STAFF, expected_revision: int | None = None, **values: Any
) -> Stored:
    """One step of the workflow, with the usual input and what differs from it."""
    return perform(actions_on(store), job_id, action, actor, expected_revision, **values)


def perform(
    actions: Actions, job_id: str, action: str, actor: str = STAFF, expected_revision: int | None = None, **values: Any
) -> Stored:
    """The same in a lab of the test's own."""
    needs = next(step.needs for step in STEPS if step.action == action)
    action_input = validate(needs, usual_input(action, actions.store.load(job_id).job) | values)
    return actions.perform(job_id, action, action_input, actor, expected_revision)


def resubmit(store: JobStore, job_id: str, files: Sequence[tuple[str, bytes]]) -> Stored:
    """A rejected request sent again with `files`, as the student's link does it."""
    job = store.load(job_id).job
    key = resubmission_key(job)
    assert key is not None
    incoming = [IncomingFile(name, io.BytesIO(data)) for name, data in files]
    return actions_on(store).resubmit(job_id, key, validate(SubmitInput, from_job(job)), incoming)


def context(store: JobStore) -> Context:
    return actions_on(store).context()


def sync(store: JobStore, mirror: Mirror, queries: object = None, progress: Progress | None = None) -> SweepReport:
    """A sweep, as the indexer does at its start; files are taken for finished at once."""
    return make_sweeper(store, mirror.engine).sweep(progress)


def make_sweeper(store: JobStore, engine: sa.Engine) -> Sweeper:
    return Sweeper(store, Mirror(engine), Reconciler(store, lambda: context(store), settle_s=0))
