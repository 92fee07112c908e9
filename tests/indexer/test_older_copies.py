"""An older copy of a job's folder, laid over the newer one, is recognized, raised and refused until staff decide.

FAULTS R9.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import sqlalchemy as sa

from indexer.check import check_storage
from indexer.check_mirror import check_mirror
from indexer.index import Mirror
from indexer.queries import Queries
from indexer.rebuild import reindex
from printsys.domain.events import EventType
from printsys.domain.job import metadata_bytes
from printsys.domain.status import Status
from printsys.errors import DamagedJob, JobNotFound, OlderCopy
from printsys.jobstore import JobStore, Stored
from printsys.jobstore.newest import forget_newest, read_newest
from printsys.jobstore.older_copy import go_on_from_older_copy, put_newer_record_back
from printsys.jobstore.repair import whole_log
from tests.factories import STAFF, act, make_job, make_store, sync
from tests.mirrored import mirrored_events, mirrored_job
from tests.present import present


def lay_over(older: Path, folder: Path) -> None:
    """As a file manager does: files of the same name are replaced, the others stay."""
    shutil.copytree(older, folder, dirs_exist_ok=True)


@pytest.fixture
def older(store: JobStore, tmp_path: Path) -> Path:
    """A backup of a job's folder from before its approval."""
    job = make_job(store)
    act(store, job.id, "notes", notes="Call Jane.")
    return Path(shutil.copytree(job.folder, tmp_path / "backup" / job.folder.name))


@pytest.fixture
def approved(store: JobStore, older: Path) -> Stored:
    return act(store, older.name.rpartition("_")[2], "approve")


def test_an_older_copy_is_served_and_refused_until_somebody_decides(
    store: JobStore, older: Path, approved: Stored, tmp_path: Path
) -> None:
    lay_over(older, approved.folder)
    log = (approved.folder / "events.jsonl").read_bytes()
    for opened in (store, make_store(tmp_path)):
        stored = opened.load(approved.id)
        missing = approved.job.revision - stored.job.revision
        assert isinstance(stored.problem, OlderCopy) and stored.problem.missing == missing
        assert f"it is an older copy; {missing} events are missing." in str(stored.problem)
        with pytest.raises(OlderCopy):
            act(opened, approved.id, "notes", notes="x")
    assert (approved.folder / "events.jsonl").read_bytes() == log, "nothing is added to it"
    assert [item.kind for item in check_storage(store)] == ["older-copy"]


def test_a_sweep_records_nothing_of_an_older_copy_and_the_row_stays_the_newer_one(
    store: JobStore, mirror: Mirror, queries: Queries, engine: sa.Engine, older: Path, approved: Stored
) -> None:
    sync(store, mirror)
    lay_over(older, approved.folder)
    for report in (sync(store, mirror), sync(store, mirror), reindex(store, engine), sync(store, mirror)):
        assert report.news == []
        row = present(mirrored_job(queries, approved.id))
        assert (row.revision, row.job.status) == (approved.job.revision, Status.PENDING)
        assert "older copy" in str(row.problem)
        assert len(mirrored_events(queries, approved.id)) == approved.job.revision
    (item,) = queries.attention()
    assert (item.kind, item.job_id) == ("older-copy", approved.id)
    assert item.fixes == ("put-newer-back", "go-on")


def test_the_mirror_remembers_for_a_storage_without_notes(
    store: JobStore, mirror: Mirror, queries: Queries, older: Path, approved: Stored
) -> None:
    sync(store, mirror)
    forget_newest(store.layout, approved.id)  # as an older version of the system left it
    lay_over(older, approved.folder)
    assert sync(store, mirror).news == []
    assert isinstance(store.load(approved.id).problem, OlderCopy)
    assert [item.kind for item in queries.attention()] == ["older-copy"]


def test_going_on_from_the_older_copy_keeps_every_number_and_is_an_event(
    store: JobStore, mirror: Mirror, queries: Queries, engine: sa.Engine, older: Path, approved: Stored
) -> None:
    sync(store, mirror)
    lay_over(older, approved.folder)
    sync(store, mirror)
    stored = go_on_from_older_copy(store, approved.id, STAFF)
    assert stored.problem is None and stored.job.status is Status.UPLOADED
    assert stored.folder.parent == store.layout.status(Status.UPLOADED), "the folder lies where its record says"
    assert [event.seq for event in stored.events] == list(range(1, stored.job.revision + 1))
    assert (stored.events[-1].type, stored.events[-1].actor) == (EventType.OLDER_COPY_KEPT, STAFF)
    lost = [event.seq for event in stored.events if event.type == EventType.EVENT_LOST]
    assert lost == list(range(whole_log(older, approved.id).seq + 1, approved.job.revision + 1))
    assert stored.events[-1].data["missing"] == len(lost)
    assert act(store, stored.id, "notes", notes="on").problem is None
    sync(store, mirror)
    assert check_storage(store) + check_mirror(store, engine, deep=True) == []
    assert queries.attention() == []
    assert [row.type for row in mirrored_events(queries, stored.id)] == [e.type for e in store.load(stored.id).events]


def test_an_email_that_may_have_gone_out_is_not_sent_again_after_going_on(store: JobStore, tmp_path: Path) -> None:
    job = make_job(store, status=Status.PENDING)
    older = Path(shutil.copytree(job.folder, tmp_path / "backup"))
    act(store, job.id, "notes", notes="The e-mail is out.")
    lay_over(older, job.folder)
    stored = go_on_from_older_copy(store, job.id, STAFF)
    assert EventType.EMAIL_DROPPED in [event.type for event in stored.events]


def test_the_newer_record_is_put_back_from_the_mirror(
    store: JobStore, mirror: Mirror, queries: Queries, engine: sa.Engine, older: Path, approved: Stored
) -> None:
    sync(store, mirror)
    older_log = (older / "events.jsonl").read_bytes()
    lay_over(older, approved.folder)
    sync(store, mirror)
    events = queries.events_from(approved.id, store.load(approved.id).log.seq)
    stored = put_newer_record_back(store, approved.id, events, STAFF)
    assert (stored.problem, stored.job.status, stored.job.estimate) == (None, Status.PENDING, approved.job.estimate)
    restored, count = stored.events[-1], approved.job.revision
    assert (restored.type, restored.actor, restored.seq) == (EventType.RECORD_RESTORED, STAFF, count + 1)
    unchained = [event.model_copy(update={"prev": None, "state": None}) for event in stored.events[:count]]
    assert unchained == [event.model_copy(update={"prev": None, "state": None}) for event in approved.events]
    metadata = (stored.folder / "metadata.json").read_bytes()
    assert metadata_bytes(whole_log(stored.folder, stored.id).document()) == metadata
    assert [path.read_bytes() for path in (stored.folder / "aside").iterdir()] == [older_log]
    sync(store, mirror)
    assert check_storage(store) + check_mirror(store, engine, deep=True) == []
    assert queries.attention() == []


def test_the_newer_record_is_put_back_from_the_trash_byte_for_byte(
    store: JobStore, older: Path, approved: Stored
) -> None:
    newer_log = (approved.folder / "events.jsonl").read_bytes()
    shutil.copytree(approved.folder, store.layout.trash / approved.folder.name)
    lay_over(older, approved.folder)
    stored = put_newer_record_back(store, approved.id, [], STAFF)
    assert (stored.problem, stored.job.status) == (None, Status.PENDING)
    assert (stored.folder / "events.jsonl").read_bytes().startswith(newer_log)


def test_without_a_newer_record_only_going_on_is_offered(
    store: JobStore, mirror: Mirror, queries: Queries, older: Path, approved: Stored
) -> None:
    lay_over(older, approved.folder)
    sync(store, mirror)  # the mirror has never seen the approval
    (item,) = queries.attention()
    assert (item.kind, item.fixes) == ("older-copy", ("go-on",))
    with pytest.raises(JobNotFound):
        put_newer_record_back(store, approved.id, queries.events_from(approved.id, 1), STAFF)


def test_laying_the_newer_folder_back_by_hand_settles_it(
    store: JobStore, mirror: Mirror, queries: Queries, older: Path, approved: Stored, tmp_path: Path
) -> None:
    newer = Path(shutil.copytree(approved.folder, tmp_path / "newer"))
    sync(store, mirror)
    lay_over(older, approved.folder)
    sync(store, mirror)
    lay_over(newer, approved.folder)
    sync(store, mirror)
    assert queries.attention() == []
    assert present(mirrored_job(queries, approved.id)).problem is None
    assert act(store, approved.id, "confirm").job.status is Status.READY_TO_PRINT


def test_there_is_nothing_to_decide_about_a_job_that_is_whole(store: JobStore, approved: Stored) -> None:
    with pytest.raises(JobNotFound):
        go_on_from_older_copy(store, approved.id, STAFF)
    with pytest.raises(JobNotFound):
        put_newer_record_back(store, approved.id, approved.events, STAFF)


@pytest.mark.parametrize("cut", [None, 0, 5, 10, 30, 76, 84])
def test_a_note_that_is_lost_or_torn_harms_nothing(store: JobStore, approved: Stored, cut: int | None) -> None:
    path = store.layout.newest_event(approved.id)
    whole = path.read_bytes()
    act(store, approved.id, "notes", notes="x")
    path.write_bytes(path.read_bytes()[:cut] + whole[cut:] if cut is not None else b"nonsense")
    assert store.load(approved.id).problem is None
    after = act(store, approved.id, "confirm")
    newest = present(read_newest(store.layout, approved.id))
    assert newest.seq == after.job.revision
    assert newest.digest == after.log.line_digest(after.log.seq)


def test_a_note_that_lags_behind_raises_nothing(store: JobStore, older: Path, approved: Stored) -> None:
    note = store.layout.newest_event(approved.id)
    lagging = note.read_bytes()
    act(store, approved.id, "confirm")
    note.write_bytes(lagging)
    assert store.load(approved.id).problem is None


def test_a_last_line_that_somebody_changed_is_raised_and_refused(store: JobStore, approved: Stored) -> None:
    """FAULTS R11: its chain is unbroken and it leads to metadata.json; only the note tells."""
    log = approved.folder / "events.jsonl"
    head, _, last = log.read_bytes()[:-1].rpartition(b"\n")
    log.write_bytes(head + b"\n" + last.replace(b'"actor":"staff:Sam"', b'"actor":"staff:Eve"') + b"\n")
    assert last.count(b"staff:Sam") == 1
    assert "is not the one that the system wrote" in str(store.load(approved.id).problem)
    with pytest.raises(DamagedJob):
        act(store, approved.id, "notes", notes="x")
    assert [item.kind for item in check_storage(store)] == ["log-damaged"]
