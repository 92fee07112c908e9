"""Jobs whose files an editor, a slicer or a virus scanner has open: nothing fails, and no page waits for them."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from printsys import fs
from printsys.domain.status import Status
from printsys.jobstore import JobStore, Stored, restore
from printsys.jobstore.layout import METADATA
from printsys.jobstore.recovery import recover_all
from tests.factories import act, make_job
from tests.windows.programs import SHARE_READ, held_open, virus_scanner


@pytest.fixture
def waited_s(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that the store makes for other programs, in seconds."""
    pauses: list[float] = []
    sleep = time.sleep

    def note(seconds: float) -> None:
        pauses.append(seconds)
        sleep(seconds)

    monkeypatch.setattr(time, "sleep", note)
    return pauses


def test_an_open_metadata_json_costs_neither_the_change_nor_the_page(store: JobStore, waited_s: list[float]) -> None:
    job = make_job(store)
    with held_open(job.folder / METADATA, SHARE_READ):
        act(store, job.id, "notes", notes="first")
        act(store, job.id, "notes", notes="second")
        assert sum(waited_s) <= 4 * fs.BRIEF_PATIENCE_S
        waited_s.clear()
        shown = store.load(job.id)
        assert shown.job.notes == "second"
        assert shown.move_pending is not None and METADATA in shown.move_pending
        assert waited_s == []
    after = store.load(job.id)
    assert (after.job.notes, after.move_pending, after.problem) == ("second", None, None)
    assert b'"second"' in (after.folder / METADATA).read_bytes()


def test_a_folder_with_an_open_file_moves_when_it_is_closed(store: JobStore, waited_s: list[float]) -> None:
    job = make_job(store)
    (job.folder / "bracket.3mf").write_bytes(b"PK")
    with held_open(job.folder / "bracket.3mf"):
        approved = act(store, job.id, "approve")
        assert (approved.job.status, approved.folder.parent.name) == (Status.PENDING, "Uploaded")
        assert approved.move_pending is not None and "bracket.3mf is closed" in approved.move_pending
        waited_s.clear()
        assert store.load(job.id).move_pending is not None
        assert waited_s == []
    moved = store.load(job.id)
    assert (moved.folder.parent.name, moved.move_pending) == ("Pending", None)


def test_beside_a_virus_scanner_nothing_fails(store: JobStore) -> None:
    with virus_scanner(store.layout.root) as looked_at:
        jobs = [make_job(store, name=f"Student {number}") for number in range(25)]
        for job in jobs:
            act(store, job.id, "approve")
            act(store, job.id, "notes", notes="sliced")
            act(store, job.id, "reject")
        assert looked_at
    recover_all(store)
    assert [store.load(job.id).folder.parent.name for job in jobs] == ["Rejected"] * 25
    assert list(store.layout.staging.iterdir()) == []


def altered_original(job: Stored) -> Path:
    original = next(path for path in (job.folder / "original").iterdir())
    original.chmod(0o644)
    original.write_bytes(b"something else")
    original.chmod(0o444)
    return original


def test_an_altered_read_only_original_is_put_back(store: JobStore) -> None:
    job = make_job(store)
    sent = next((job.folder / "original").iterdir()).read_bytes()
    original = altered_original(job)
    restore.restore_original(store, job.id, f"original/{original.name}", "staff")
    assert original.read_bytes() == sent
