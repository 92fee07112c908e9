"""A storage folder of its own for each test, and a job in it."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from printsys.domain import naming, workflow
from printsys.domain.facts import SubmitFacts, read_facts
from printsys.domain.files import job_created
from printsys.domain.pricing import PriceList, Rate
from printsys.jobstore import Incoming, JobStore, Stored
from printsys.jobstore.identity import recognise

STL = b"solid a\nfacet normal 0 0 1\nouter loop\nvertex 0 0 0\nvertex 1 0 0\nvertex 0 1 0\nendloop\nendfacet\nendsolid a\n"
START = datetime(2026, 3, 2, 16, 20, 11, tzinfo=UTC)
PRICES = PriceList(valid_from=date(2020, 1, 1), minimum=Decimal(3), rates={"Filament": Rate(amount=Decimal("0.10"))})


class Clock:
    """Moves on by a second each time that somebody looks."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


def terms() -> workflow.Terms:
    return workflow.Terms(now=START + timedelta(hours=1), prices=PRICES, confirmation_days=7, nonce="n0nce")


def submit(store: JobStore, name: str = "Jane Doe", files: dict[str, bytes] | None = None) -> Stored:
    said = read_facts(
        SubmitFacts,
        {
            "student_name": name,
            "student_email": "jane@example.edu",
            "discipline": "Architecture",
            "class_number": "ARCH 4000",
            "print_method": "Filament",
            "color": "True Red",
            "printer": "prusa-mk4s",
            "minimum_charge_consent": "yes",
        },
    )
    return store.create(
        lambda job_id: naming.folder_name(name, "Filament", "True Red", job_id),
        [Incoming(n, io.BytesIO(data)) for n, data in (files or {"bracket v2.stl": STL}).items()],
        lambda job_id, staged: job_created(job_id, said, staged.files, "student", store.clock()),
    )


def act(store: JobStore, job: Stored, action: str, expected_revision: int | None = None, **said: object) -> Stored:
    """Do an action of the workflow to the job, as staff."""
    with store.edit(job.id, expected_revision) as change:
        step = workflow.find_step(action, change.job.status, "staff:Sam")
        change.record(*workflow.plan(change.job, action, "staff:Sam", read_facts(step.needs, said), terms()))
        change.to_trash = action == "delete"
    return change.result


def approve(store: JobStore, job: Stored) -> Stored:
    return act(
        store, job, "approve", print_file=[job.job.files[-1].name], weight_g="42.7", time_h="3.4", material="PLA"
    )


def tree(root: Path) -> dict[str, bytes]:
    """Every file under storage/ with its bytes, but for locks (which are nobody's record)."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and "locks" not in path.relative_to(root).parts
    }


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "storage"


@pytest.fixture
def open_store(root: Path, tmp_path: Path) -> Callable[[], JobStore]:
    """A store as another process of the same machine would open it."""
    return lambda: JobStore(root, recognise(root, tmp_path / "remembered"), clock=Clock())


@pytest.fixture
def store(open_store: Callable[[], JobStore]) -> JobStore:
    return open_store()


@pytest.fixture
def job(store: JobStore) -> Stored:
    return submit(store)
