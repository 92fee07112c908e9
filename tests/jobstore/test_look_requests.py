"""A process that meets a job which a person moved asks the indexer to look at it (FAULTS R1)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from printsys.domain.events import EventDraft, EventType
from printsys.domain.status import Status
from printsys.errors import StaleJob
from printsys.jobstore import JobStore, Stored
from printsys.jobstore.look_requests import take_look_requests
from tests.factories import act, make_job, make_store


@pytest.fixture
def store(tmp_path: Path) -> JobStore:
    return make_store(tmp_path)


def drag(job: Stored, store: JobStore) -> None:
    job.folder.rename(store.layout.status(Status.REJECTED) / job.folder.name)


def ask_in_metadata(job: Stored, store: JobStore) -> None:
    path = job.folder / "metadata.json"
    path.write_bytes(path.read_bytes().replace(b'"status": "Uploaded"', b'"status": "Rejected"'))


def load(store: JobStore, job_id: str) -> None:
    store.load(job_id)


def edit(store: JobStore, job_id: str) -> None:
    with store.edit(job_id) as change:
        change.record(EventDraft(EventType.NOTES_EDITED, "staff", {}, {"notes": "Call Jane."}))


@pytest.mark.parametrize("touch", [load, edit])
@pytest.mark.parametrize("move", [drag, ask_in_metadata])
def test_whoever_meets_a_job_that_a_person_moved_asks_for_a_look(
    store: JobStore, move: Callable[[Stored, JobStore], None], touch: Callable[[JobStore, str], None]
) -> None:
    job = make_job(store)
    move(job, store)
    touch(store, job.id)
    assert take_look_requests(store.layout) == [job.id]
    assert take_look_requests(store.layout) == [], "a request is taken once"


def test_a_status_asked_for_in_metadata_outlives_what_others_record_meanwhile(store: JobStore) -> None:
    """The worker records what it found in the file just when somebody has saved metadata.json."""
    job = make_job(store)
    ask_in_metadata(job, store)
    path = job.folder / "metadata.json"
    path.write_bytes(path.read_bytes().replace(b"ARCH 4000", b"ARCH 5000"))
    for _ in range(2):
        edit(store, job.id)
    stored = store.load(job.id)
    assert stored.asked_by_hand is Status.REJECTED
    assert (stored.problem, stored.job.notes, stored.job.student.class_number) == (None, "Call Jane.", "ARCH 5000")
    assert [event.type for event in stored.events[1:]].count(EventType.METADATA_EDITED) == 1
    with pytest.raises(StaleJob):  # a click meets it, and takes the step that was asked for
        act(store, job.id, "approve")
    stored = store.load(job.id)
    assert (stored.asked_by_hand, stored.job.status, stored.folder.parent.name) == (None, Status.REJECTED, "Rejected")


def test_a_job_that_lies_where_its_record_says_needs_no_look(store: JobStore) -> None:
    job = make_job(store, status=Status.COMPLETED)
    load(store, job.id)
    edit(store, job.id)
    assert take_look_requests(store.layout) == []


def test_the_indexer_does_not_ask_itself(store: JobStore) -> None:
    job = make_job(store)
    drag(job, store)
    store.requests_looks = False
    load(store, job.id)
    assert take_look_requests(store.layout) == []


def test_a_disk_that_refuses_the_request_costs_nobody_the_page(store: JobStore) -> None:
    job = make_job(store)
    drag(job, store)
    store.layout.looks.rmdir()
    store.layout.looks.write_bytes(b"a file in the way")
    assert store.load(job.id).folder_status is Status.REJECTED


def test_a_storage_of_an_earlier_version_has_no_requests(store: JobStore) -> None:
    job = make_job(store)
    store.layout.looks.rmdir()
    assert take_look_requests(store.layout) == []
    drag(job, store)
    load(store, job.id)
    assert take_look_requests(store.layout) == [job.id]


def test_only_ids_are_requests(store: JobStore) -> None:
    """What an operating system or a sync program leaves there names no job."""
    job = make_job(store)
    drag(job, store)
    load(store, job.id)
    for name in (f"._{job.id}", f"{job.id} 2", f"{job.id.upper()}.tmp", "Thumbs.db"):
        (store.layout.looks / name).write_bytes(b"")
    assert take_look_requests(store.layout) == [job.id]
