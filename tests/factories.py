"""Worlds for tests: real storage with real jobs in it, brought to where a test wants them by the real workflow."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from indexer.index import Mirror
from indexer.rebuild import Progress, SweepReport
from indexer.reconcile import Reconciler
from indexer.sweep import Sweeper
from printsys.config import Lab
from printsys.domain import naming, workflow
from printsys.domain.creation import job_created
from printsys.domain.effects import Context
from printsys.domain.emails import owed
from printsys.domain.inputs import ResubmitInput, SubmitInput, validate
from printsys.domain.pricing import PriceList, Rate
from printsys.domain.status import Status
from printsys.jobstore import IncomingFile, JobStore, Stored
from printsys.jobstore.identity import recognise

STAFF = "staff:Sam"
PRICES = PriceList(
    valid_from=date(2020, 1, 1),
    minimum=Decimal("3.00"),
    rates={"Filament": Rate(amount=Decimal("0.10")), "Resin": Rate(amount=Decimal("0.20"))},
)
STL = b"solid part\nendsolid part\n"

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
USUAL_FACTS: dict[str, dict[str, Any]] = {
    "approve": {"weight_g": "42.7", "time_h": "3.4", "material": "PLA"},
    "reject": {"reasons": ["too-thin"], "comment": "The walls are too thin."},
    "confirm": {"reason": "Said yes at the desk."},
    "revert": {"reason": "A slip of the mouse."},
    "fail": {"reason": "It came off the bed.", "fault": "machine", "wasted_g": "12"},
    "pickup": {"amount": "4.27", "payment_method": "Card", "picked_up_by": "Jane Doe", "weight_g": "42.7"},
    "notes": {"notes": "Call Jane."},
}
"""What staff say where a test does not say it."""


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
    files: Sequence[tuple[str, bytes]] = (("bracket v2.stl", STL),),
) -> Stored:
    """Submit a job as a student does, then take it to `status` by the steps that staff would take."""
    said = validate(
        SubmitInput,
        {
            "student_name": name,
            "student_email": email,
            "discipline": discipline,
            "class_number": class_number,
            "print_method": method,
            "color": color,
            "printer": printer,
            "minimum_charge_consent": "yes",
            "copies": copies,
            "message": message,
        },
    )
    stored = store.create(
        lambda job_id: naming.folder_name(name, method, color, job_id),
        [IncomingFile(file_name, io.BytesIO(data)) for file_name, data in files],
        lambda job_id, staged: job_created(job_id, staged.folder_name, said, staged.files, "student", store.clock()),
    )
    for action in WAY_TO[status]:
        stored = act(store, stored.id, action)
    return stored


def act(
    store: JobStore, job_id: str, action: str, actor: str = STAFF, expected_revision: int | None = None, **said: Any
) -> Stored:
    """One step of the workflow; what is not said is `USUAL_FACTS`. An approval takes the job's first working copy."""
    with store.edit(job_id, expected_revision) as change:
        facts = USUAL_FACTS.get(action, {}) | said
        if action == "approve" and "print_file" not in facts:
            facts["print_file"] = [file.name for file in change.job.files if file.role == "working"][:1]
        if action == "delete":
            facts = {"confirm_id": job_id} | facts
        step = workflow.find_step(action, change.job.status, actor)
        waiting = owed(change.before.events, job_id)
        change.record(*workflow.plan(change.job, action, actor, validate(step.needs, facts), context(store), waiting))
        change.to_trash = action == "delete"
    return change.result


def resubmit(store: JobStore, job_id: str, files: Sequence[tuple[str, bytes]]) -> Stored:
    """A rejected request sent again with `files`, as the student's link does it."""
    job = store.load(job_id).job
    said = {
        "student_name": job.student.name,
        "student_email": job.student.email,
        "discipline": job.student.discipline,
        "class_number": job.student.class_number,
        "print_method": job.request.method,
        "color": job.request.color,
        "printer": job.request.printer,
        "minimum_charge_consent": "yes",
    }
    with store.staged(job_id, [IncomingFile(name, io.BytesIO(data)) for name, data in files]) as staged:
        with store.edit(job_id) as change:
            facts = validate(ResubmitInput, said | {"files": list(staged.files)})
            change.staged = staged
            change.record(*workflow.plan(change.job, "resubmit", "student", facts, context(store)))
    return change.result


def context(store: JobStore) -> Context:
    return Context(now=store.clock(), prices=PRICES, confirmation_days=7, nonce="nonce-of-this-test")


def sync(store: JobStore, mirror: Mirror, queries: object = None, progress: Progress | None = None) -> SweepReport:
    """A sweep, as the indexer does at its start."""
    return Sweeper(store, mirror, Reconciler(store, lambda: context(store))).sweep(progress)
