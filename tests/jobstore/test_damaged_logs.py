"""A log that somebody changed is raised, served from what is left, and refused until staff decide.

What a crash of our own left is cut off in silence. FAULTS R11.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from indexer.check import check_storage
from printsys.domain.events import EventDraft, EventType, build_batch
from printsys.domain.status import Status
from printsys.errors import DamagedJob
from printsys.jobstore import JobStore, Stored
from printsys.jobstore.newest import forget_newest
from printsys.jobstore.restore import restore_record
from tests.factories import STAFF
from tests.jobstore.conftest import act, approve

Harm = Callable[[bytes, Stored], bytes]


def garbage(text: bytes) -> Harm:
    return lambda log, job: log + text


def forged(log: bytes, job: Stored) -> bytes:
    """An event that follows on the last line, with a state that it does not lead to."""
    paid = EventDraft(EventType.PAYMENT_RECORDED, "staff", {}, {"status": "PaidPickedUp"})
    batch = build_batch([paid], job.document, job.log.seq, job.log.last_line, job.job.updated_at)
    event = json.loads(batch.lines) | {"state": "0" * 64}
    return log + json.dumps(event, separators=(",", ":")).encode() + b"\n"


def edited(log: bytes, job: Stored) -> bytes:
    """The last line says another note."""
    head, _, last = log.rstrip(b"\n").rpartition(b"\n")
    return head + b"\n" + last.replace(b'"notes":"Call Jane."', b'"notes":"Call June."') + b"\n"


HARMS: dict[str, Harm] = {
    "a line of garbage": garbage(b"hello\n"),
    "garbage without a line end": garbage(b"hello"),
    "garbage after a blank line": garbage(b"\nhello\n"),
    "an object that is no event": garbage(b"{}\n"),
    "an event with a wrong state": forged,
    "the last line edited": edited,
}


@pytest.fixture(params=list(HARMS.values()), ids=list(HARMS))
def damaged(request: pytest.FixtureRequest, store: JobStore, job: Stored) -> Stored:
    """The job as it was before its log was damaged. Its note may be lost, too."""
    noted = act(store, job, "notes", notes="Call Jane.")
    log = noted.folder / "events.jsonl"
    harm: Harm = request.param
    harmed = harm(log.read_bytes(), noted)
    assert harmed != log.read_bytes()
    log.write_bytes(harmed)
    return noted


@pytest.mark.parametrize("is_noted", [True, False])
def test_a_damaged_log_is_raised_and_refused_and_nothing_is_cut_off(
    store: JobStore, damaged: Stored, is_noted: bool
) -> None:
    if not is_noted:
        forget_newest(store.layout, damaged.id)
    log = (damaged.folder / "events.jsonl").read_bytes()
    (item,) = check_storage(store)
    assert item.kind in ("log-damaged", "log-inconsistent") and "restore-record" in item.fixes
    loaded = store.load(damaged.id)
    assert loaded.problem is not None and loaded.job == damaged.job
    with pytest.raises(DamagedJob):
        act(store, damaged, "notes", notes="x")
    with pytest.raises(DamagedJob):
        approve(store, damaged)
    assert (damaged.folder / "events.jsonl").read_bytes() == log
    assert not (damaged.folder / "aside").exists()


def test_a_new_record_goes_on_with_what_can_be_trusted_and_keeps_the_rest_aside(
    store: JobStore, damaged: Stored
) -> None:
    log = (damaged.folder / "events.jsonl").read_bytes()
    restored = restore_record(store, damaged.id, STAFF)
    assert restored.problem is None
    assert (restored.job.status, restored.job.notes) == (Status.UPLOADED, "Call Jane.")
    assert restored.job.revision > damaged.job.revision
    assert [path.read_bytes() for path in (damaged.folder / "aside").iterdir()] == [log]
    assert check_storage(store) == []
    assert approve(store, restored).job.status is Status.PENDING


@pytest.mark.parametrize(
    "tail", [b"", b"{", b'{"seq":', b'{"seq":3,"at":"2026', b"\0" * 40, b'{"seq":3,\0\0\0\0', b"\n"]
)
def test_what_an_interrupted_write_left_is_cut_off_in_silence(store: JobStore, job: Stored, tail: bytes) -> None:
    log: Path = job.folder / "events.jsonl"
    whole = log.read_bytes()
    log.write_bytes(whole + tail)
    assert store.load(job.id).problem is None
    assert log.read_bytes() == whole
    assert act(store, job, "notes", notes="on").problem is None
