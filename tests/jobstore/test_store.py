"""The store: what it writes, what it refuses, what it finds again."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from indexer.check import check_storage
from printsys import fs
from printsys.domain.events import EventDraft, EventType
from printsys.domain.inputs import RejectInput
from printsys.domain.job import metadata_bytes
from printsys.domain.status import Status
from printsys.domain.workflow import plan
from printsys.errors import DamagedJob, JobBusy, JobNotFound, StaleJob, StorageFailure, StorageOffline
from printsys.jobstore import JobStore, Stored, locks
from printsys.jobstore.identity import recognise
from printsys.jobstore.layout import METADATA, file_inside
from printsys.jobstore.newest import forget_newest
from tests.factories import STAFF, STL, context
from tests.jobstore.conftest import act, approve, submit, tree
from tests.links import link


def events_of(job: Stored) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (job.folder / "events.jsonl").read_text("utf-8").splitlines()]


def folded(events: list[dict[str, Any]]) -> dict[str, Any]:
    """RFC 7396 by the letter of its pseudo-code, apart from the program's own."""

    def merge(target: object, patch: object) -> object:
        if not isinstance(patch, dict):
            return patch
        result = dict(target) if isinstance(target, dict) else {}
        for name, value in patch.items():
            if value is None:
                result.pop(name, None)
            else:
                result[name] = merge(result.get(name), value)
        return result

    document: object = {}
    for event in events:
        document = merge(document, event["patch"])
    assert isinstance(document, dict)
    return document


def without_nulls(value: object) -> object:
    if isinstance(value, dict):
        return {k: without_nulls(v) for k, v in value.items() if v is not None}
    return [without_nulls(v) for v in value] if isinstance(value, list) else value


def test_a_new_job_is_a_folder_with_the_students_bytes_and_its_record(store: JobStore) -> None:
    job = submit(store, "José Ñandú", {"bracket v2.stl": STL, "lid.STL": STL + b"\n"})
    assert job.folder.parent.name == "Uploaded"
    assert job.folder.name == f"JoseNandu_Filament_TrueRed_{job.id}"
    assert (job.folder / "original/bracket v2.stl").read_bytes() == STL
    assert (job.folder / f"{job.folder.name}.stl").read_bytes() == STL
    assert (job.folder / f"{job.folder.name}_2.stl").read_bytes() == STL + b"\n"
    assert stat.S_IMODE((job.folder / "original/bracket v2.stl").stat().st_mode) == 0o444
    record = json.loads((job.folder / "metadata.json").read_text("utf-8"))
    assert record["student"]["name"] == "José Ñandú"
    assert record["files"][0]["uploaded_as"] == "bracket v2.stl"
    assert record["files"][0]["sha256"] == hashlib.sha256(STL).hexdigest()
    assert os.listdir(store.layout.staging) == []


def test_every_change_leaves_a_log_that_folds_to_the_very_bytes_of_metadata_json(store: JobStore, job: Stored) -> None:
    approved = approve(store, job)
    reverted = act(store, approved, "revert", reason="wrong file")
    rejected = act(store, reverted, "reject", reasons=["not-watertight"], comment="Sorry — “open” edges")
    for state in (approved, reverted, rejected):
        assert state.problem is None
    written = (rejected.folder / "metadata.json").read_bytes()
    events = events_of(rejected)
    assert without_nulls(folded(events)) == without_nulls(json.loads(written))
    assert metadata_bytes(folded(events)) == written
    assert events[-1]["state"] == hashlib.sha256(written).hexdigest()
    assert rejected.folder.parent.name == "Rejected"
    assert not list(store.layout.moves.iterdir())


def test_the_lines_of_the_log_are_chained_and_numbered(store: JobStore, job: Stored) -> None:
    lines = (approve(store, job).folder / "events.jsonl").read_bytes().splitlines()
    assert [json.loads(line)["seq"] for line in lines] == [1, 2, 3, 4]
    for before, line in itertools.pairwise(lines):
        assert json.loads(line)["prev"] == hashlib.sha256(before).hexdigest()
    assert json.loads(lines[0])["prev"] is None


def test_a_caller_who_saw_an_older_revision_is_refused_and_told_what_happened(store: JobStore, job: Stored) -> None:
    revision = job.job.revision
    act(store, job, "notes", notes="first")
    with pytest.raises(StaleJob) as refused:
        act(store, job, "notes", expected_revision=revision, notes="second")
    assert [event.type for event in refused.value.since] == ["NotesEdited"]
    assert store.load(job.id).job.notes == "first"


def test_unknown_keys_are_kept_through_changes(store: JobStore, job: Stored) -> None:
    path = job.folder / "metadata.json"
    document = json.loads(path.read_text("utf-8"))
    document["shelf"] = {"row": 3, "note": "top"}
    document["request"]["infill"] = "20 %"
    path.write_text(json.dumps(document), "utf-8")
    approved = approve(store, job)
    after = json.loads((approved.folder / "metadata.json").read_text("utf-8"))
    assert after["shelf"] == {"row": 3, "note": "top"}
    assert after["request"]["infill"] == "20 %"
    assert [event["type"] for event in events_of(approved)][2:4] == ["MetadataEdited", "StaffApproved"]
    assert metadata_bytes(folded(events_of(approved))) == (approved.folder / "metadata.json").read_bytes()


@pytest.mark.parametrize(
    "change",
    [
        lambda data: b"\xef\xbb\xbf" + data,
        lambda data: data.replace(b"\n", b"\r\n"),
        lambda data: data.decode().encode("utf-16"),
        lambda data: json.dumps(json.loads(data), indent=8).encode(),
    ],
    ids=["byte-order mark", "CRLF", "UTF-16", "re-indented"],
)
def test_what_an_editor_does_to_the_text_alone_is_no_event(
    store: JobStore, job: Stored, change: Callable[[bytes], bytes]
) -> None:
    path = job.folder / "metadata.json"
    path.write_bytes(change(path.read_bytes()))
    touched = path.read_bytes()
    loaded = store.load(job.id)
    assert (loaded.problem, loaded.job) == (None, job.job)
    assert path.read_bytes() == touched
    assert len(events_of(job)) == len(job.events)


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ('"copies": 1', '"copies": "two"', "line 20, request.copies"),
        ('"copies": 1', '"copies": 1,, ', "line 20"),
        ('"copies": 1', '"copies": NaN', "line 20"),
        ('"status": "Uploaded"', '"status": "Printed"', "line 5, status"),
        ('"id": "', '"id": "x', "line 3"),
    ],
)
def test_an_edit_that_cannot_be_accepted_is_raised_with_its_line_and_left_alone(
    store: JobStore, job: Stored, old: str, new: str, where: str
) -> None:
    path = job.folder / "metadata.json"
    path.write_text(path.read_text("utf-8").replace(old, new), "utf-8")
    edited = path.read_bytes()
    loaded = store.load(job.id)
    assert loaded.problem is not None
    assert where in str(loaded.problem)
    assert loaded.job == job.job, "the last good state keeps serving"
    with pytest.raises(DamagedJob):
        act(store, job, "notes", notes="x")
    assert path.read_bytes() == edited


def test_an_edit_of_an_older_revision_is_merged_with_what_happened_since(store: JobStore, job: Stored) -> None:
    opened = json.loads((job.folder / "metadata.json").read_text("utf-8"))
    act(store, job, "notes", notes="from the dashboard")
    opened["student"]["class_number"] = "ARCH 5000"
    (job.folder / "metadata.json").write_text(json.dumps(opened), "utf-8")
    merged = store.load(job.id).job
    assert (merged.notes, merged.student.class_number) == ("from the dashboard", "ARCH 5000")


def test_an_edit_that_clashes_with_what_happened_since_is_raised(store: JobStore, job: Stored) -> None:
    opened = json.loads((job.folder / "metadata.json").read_text("utf-8"))
    act(store, job, "notes", notes="from the dashboard")
    opened["notes"] = "from the editor"
    (job.folder / "metadata.json").write_text(json.dumps(opened), "utf-8")
    loaded = store.load(job.id)
    assert loaded.problem is not None and "notes" in str(loaded.problem)
    assert "from the editor" in (job.folder / "metadata.json").read_text("utf-8")


def test_a_status_written_into_metadata_json_waits_for_the_step(store: JobStore, job: Stored) -> None:
    path = job.folder / "metadata.json"
    edited = path.read_text("utf-8").replace('"Uploaded"', '"Rejected"').replace('"ARCH 4000"', '"ARCH 1"')
    path.write_text(edited, "utf-8")
    loaded = store.load(job.id)
    assert (loaded.asked_by_hand, loaded.job, loaded.problem) == (Status.REJECTED, job.job, None)
    assert path.read_text("utf-8") == edited
    with store.edit(job.id) as change:
        change.record(*plan(change.job, "reject", STAFF, RejectInput(reasons=["other"]), context(store)))
    after = change.result
    assert [event["type"] for event in events_of(after)[2:4]] == ["MetadataEdited", "JobRejected"]
    assert (after.folder.parent.name, after.job.student.class_number) == ("Rejected", "ARCH 1")
    assert store.load(job.id).asked_by_hand is None


def test_an_edit_saved_while_a_change_is_under_way_is_not_overwritten(store: JobStore, job: Stored) -> None:
    path = job.folder / "metadata.json"
    with store.edit(job.id) as change:
        path.write_text(path.read_text("utf-8").replace('"ARCH 4000"', '"ARCH 1"'), "utf-8")
        change.record(EventDraft(EventType.NOTES_EDITED, "staff", {}, {"notes": "from the dashboard"}))
    assert '"ARCH 1"' in path.read_text("utf-8")
    merged = store.load(job.id)
    assert (merged.problem, merged.job.notes, merged.job.student.class_number) == (None, "from the dashboard", "ARCH 1")


def test_a_change_is_told_of_when_the_log_has_it_and_metadata_json_not_yet(store: JobStore, job: Stored) -> None:
    told: list[tuple[Stored, str, int]] = []

    def note(after: Stored) -> None:
        told.append(
            (after, events_of(after)[-1]["type"], json.loads((after.folder / METADATA).read_bytes())["revision"])
        )

    dragged = job.folder.rename(store.layout.status(Status.REJECTED) / job.folder.name)
    with store.edit(job.id) as change:
        change.on_recorded = note
        change.record(*plan(change.job, "reject", STAFF, RejectInput(reasons=["other"]), context(store)))
    assert told == [(change.result, change.result.events[-1].type, job.job.revision)]
    assert (change.result.folder, change.result.job.status) == (dragged, Status.REJECTED)


def test_a_change_that_moves_the_folder_is_told_of_by_its_result_only(store: JobStore, job: Stored) -> None:
    told: list[Stored] = []
    with store.edit(job.id) as change:
        change.on_recorded = told.append
        change.record(*plan(change.job, "reject", STAFF, RejectInput(reasons=["other"]), context(store)))
    assert change.result.folder_status is Status.REJECTED
    assert told == []


def test_a_job_that_was_just_loaded_is_not_searched_for_again(
    store: JobStore, job: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "find", lambda *_, **__: pytest.fail("it was searched for"))
    with store.edit(job.id, loaded=job) as change:
        change.record(EventDraft(EventType.NOTES_EDITED, "staff", {}, {"notes": "from the dashboard"}))
    monkeypatch.undo()
    assert store.load(job.id).job.notes == "from the dashboard"


@pytest.mark.parametrize("meanwhile", ["a change", "an edit by hand", "a drag", "a lost metadata.json", "a torn tail"])
def test_what_happened_since_a_job_was_loaded_is_seen_under_the_lock(
    meanwhile: str, store: JobStore, job: Stored
) -> None:
    metadata = job.folder / METADATA
    if meanwhile == "a change":
        approve(store, job)
    elif meanwhile == "an edit by hand":
        metadata.write_bytes(metadata.read_bytes().replace(b'"ARCH 4000"', b'"ARCH 1"'))
    elif meanwhile == "a drag":
        job.folder.rename(store.layout.status(Status.REJECTED) / job.folder.name)
    elif meanwhile == "a lost metadata.json":
        metadata.unlink()
    else:
        with (job.folder / "events.jsonl").open("ab") as log:
            log.write(b'{"seq":')
    with store.edit(job.id, loaded=job) as change:
        lying = store.load_locked(job.id)
        assert (change.before.folder, change.before.log, change.before.digest) == (
            lying.folder,
            lying.log,
            lying.digest,
        )
        change.record(EventDraft(EventType.NOTES_EDITED, "staff", {}, {"notes": "from the dashboard"}))
    after = store.load(job.id)
    assert (after.problem, after.job.notes) == (None, "from the dashboard")
    assert (after.folder / METADATA).read_bytes() == metadata_bytes(after.log.document())


def test_a_copy_that_was_laid_beside_a_dragged_folder_is_seen_under_the_lock(store: JobStore, job: Stored) -> None:
    dragged = job.folder.rename(store.layout.status(Status.PRINTING) / job.folder.name)
    loaded = store.load(job.id)
    shutil.copytree(dragged, job.folder)
    with store.edit(job.id, loaded=loaded) as change:
        assert change.before.folder == store.find(job.id) == job.folder


def test_a_lost_metadata_json_is_rebuilt_from_the_log(store: JobStore, job: Stored) -> None:
    (job.folder / "metadata.json").unlink()
    restored = store.load(job.id)
    assert restored.events[-1].type == "MetadataRestored"
    assert (job.folder / "metadata.json").read_bytes() == metadata_bytes(folded(events_of(restored)))
    assert store.load(job.id).events == restored.events


def test_a_log_cut_at_any_byte_of_its_last_batch_is_wholly_before_or_after(
    open_store: Callable[[], JobStore], store: JobStore, job: Stored
) -> None:
    before = (job.folder / "events.jsonl").read_bytes()
    old_metadata = (job.folder / "metadata.json").read_bytes()
    noted = act(store, job, "details", class_number="A", message="ü" * 20)
    after, new_metadata = (noted.folder / "events.jsonl").read_bytes(), (noted.folder / "metadata.json").read_bytes()
    for cut in range(len(before), len(after) + 1):
        (job.folder / "events.jsonl").write_bytes(after[:cut])
        (job.folder / "metadata.json").write_bytes(old_metadata)
        forget_newest(store.layout, job.id)  # the machine stopped before it was noted
        loaded = open_store().load(job.id)
        whole = cut == len(after)
        assert loaded.problem is None
        assert (job.folder / "events.jsonl").read_bytes() == (after if whole else before)
        assert (job.folder / "metadata.json").read_bytes() == (new_metadata if whole else old_metadata)


def test_a_batch_of_several_lines_that_lost_its_last_one_never_happened(store: JobStore, job: Stored) -> None:
    path = job.folder / "events.jsonl"
    approved = approve(store, job)
    whole = (approved.folder / "events.jsonl").read_bytes()
    first_of_batch = whole[: whole.rstrip(b"\n").rfind(b"\n") + 1]
    assert first_of_batch.count(b"\n") == 3
    act(store, approved, "revert", reason="undo")
    path.write_bytes(first_of_batch)
    forget_newest(store.layout, job.id)  # the machine stopped before it was noted
    (job.folder / "metadata.json").write_bytes(metadata_bytes(job.document))
    assert store.load(job.id).job == job.job
    aside = list((job.folder / "aside").iterdir())
    assert [a.read_bytes() for a in aside] == [first_of_batch[len(whole[: job.log.length]) :]]


@pytest.mark.parametrize("damage", ["edited", "removed", "doubled", "gone", "cut"])
def test_a_log_that_somebody_damaged_is_raised_and_never_rewritten(store: JobStore, job: Stored, damage: str) -> None:
    approved = approve(store, job)
    path = approved.folder / "events.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    damaged = {
        "edited": [lines[0].replace(b"Jane", b"John"), *lines[1:]],
        "removed": [lines[0], *lines[2:]],
        "doubled": [lines[0], lines[0], *lines[1:]],
        "gone": [],
        "cut": lines[:2],
    }[damage]
    if damaged:
        path.write_bytes(b"".join(damaged))
    else:
        path.unlink()
    loaded = store.load(job.id)
    assert loaded.problem is not None and loaded.problem.where == "events.jsonl"
    assert loaded.job == approved.job, "metadata.json serves while its log cannot"
    with pytest.raises(DamagedJob):
        act(store, approved, "notes", notes="x")
    assert (path.read_bytes() if damaged else b"") == b"".join(damaged)


def test_only_a_job_whose_log_and_metadata_are_both_ruined_cannot_be_loaded(store: JobStore, job: Stored) -> None:
    log = job.folder / "events.jsonl"
    log.write_bytes(log.read_bytes().replace(b"Jane", b"June", 1))
    assert store.load(job.id).job == job.job
    (job.folder / "metadata.json").write_bytes(b"{")
    with pytest.raises(DamagedJob):
        store.load(job.id)


def test_a_folder_in_the_way_is_not_replaced_and_the_move_is_finished_later(store: JobStore, job: Stored) -> None:
    blocker = store.layout.status(Status.PENDING) / job.folder.name
    blocker.mkdir()
    approved = approve(store, job)
    assert approved.job.status == Status.PENDING
    assert approved.folder == job.folder
    assert approved.move_pending is not None and job.folder.name in approved.move_pending
    assert list(blocker.iterdir()) == []
    blocker.rmdir()
    moved = store.load(job.id)
    assert (moved.folder, moved.move_pending) == (blocker, None)


def test_a_pending_move_that_was_taken_back_moves_nothing(store: JobStore, job: Stored) -> None:
    blocker = store.layout.status(Status.PENDING) / job.folder.name
    blocker.mkdir()
    reverted = act(store, approve(store, job), "revert", reason="oops")
    assert (reverted.folder, reverted.move_pending) == (job.folder, None)
    blocker.rmdir()
    assert store.load(job.id).folder == job.folder


def test_a_renamed_or_dragged_folder_is_found_by_the_id_inside(
    open_store: Callable[[], JobStore], store: JobStore, job: Stored
) -> None:
    target = store.layout.status(Status.PRINTING) / "Jane's bracket"
    job.folder.rename(target)
    for opened_store in (store, open_store()):
        stored = opened_store.load(job.id)
        assert stored.folder == target
        assert stored.asked_by_hand == Status.PRINTING


def test_a_deleted_job_goes_to_the_trash_whole(store: JobStore, job: Stored) -> None:
    before = {name.rpartition("/")[2]: data for name, data in tree(job.folder).items()}
    deleted = act(store, job, "delete", confirm_id=job.id.upper())
    assert deleted.folder.parent == store.layout.trash
    after = {name.rpartition("/")[2]: data for name, data in tree(deleted.folder).items()}
    assert after.keys() == before.keys()
    assert after["bracket v2.stl"] == STL
    with pytest.raises(JobNotFound):
        store.load(job.id)
    back = store.layout.status(Status.UPLOADED) / deleted.folder.name
    deleted.folder.rename(back)
    assert store.load(job.id).folder == back, "a person who drags it back from the trash has it back"


def test_an_id_that_is_taken_is_never_given_again(open_store: Callable[[], JobStore], store: JobStore) -> None:
    first, second, third = submit(store), submit(store), submit(store)
    second.folder.rename(second.folder.with_name("renamed by hand"))
    act(store, third, "delete", confirm_id=third.id)
    taken_bits = [
        int("".join(f"{'0123456789abcdefghjkmnpqrstvwxyz'.index(c):05b}" for c in j.id), 2)
        for j in (first, second, third)
    ]
    draws = iter([*taken_bits, 7])
    colliding = JobStore(store.layout.root, store.expected_id, clock=store.clock, random_bits=lambda _n: next(draws))
    assert submit(colliding).id == "00000007"


def test_a_storage_that_vanished_or_is_another_one_is_offline_not_new(
    open_store: Callable[[], JobStore], root: Path, tmp_path: Path, job: Stored
) -> None:
    store = open_store()
    root.rename(tmp_path / "unplugged")
    attempts: list[Callable[[], object]] = [
        lambda: store.load(job.id),
        lambda: submit(store),
        lambda: act(store, job, "notes", notes="x"),
    ]
    for attempt in attempts:
        with pytest.raises(StorageOffline):
            attempt()
    assert not root.exists()
    root.mkdir()  # an empty mount point
    with pytest.raises(StorageOffline):
        submit(open_store())
    assert list(root.iterdir()) == []
    root.rmdir()
    (tmp_path / "unplugged").rename(root)
    assert store.load(job.id).job == job.job


def test_a_second_computer_learns_the_storage_id_and_a_foreign_folder_is_refused(
    root: Path, tmp_path: Path, job: Stored
) -> None:
    assert recognise(root, tmp_path / "other") == (root / ".printsys/storage-id").read_text("utf-8").strip()
    foreign = tmp_path / "Documents"
    foreign.mkdir()
    (foreign / "thesis.docx").write_bytes(b"")
    with pytest.raises(Exception, match="not a storage folder"):
        recognise(foreign, tmp_path / "third")
    assert [p.name for p in foreign.iterdir()] == ["thesis.docx"]


def hold(root: Path, storage_id: str, job_id: str, held: Event, release: Event) -> None:
    with JobStore(root, storage_id).edit(job_id):
        held.set()
        release.wait()


def test_a_lock_that_another_process_keeps_ends_in_a_clear_error(root: Path, store: JobStore, job: Stored) -> None:
    context = get_context("spawn")
    held, release = context.Event(), context.Event()
    process = context.Process(target=hold, args=(root, store.expected_id, job.id, held, release))
    process.start()
    try:
        assert held.wait(30)
        impatient = JobStore(root, store.expected_id, lock_patience_s=0.1)
        with pytest.raises(JobBusy):
            act(impatient, job, "notes", notes="x")
    finally:
        release.set()
        process.join(30)
    assert process.exitcode == 0
    assert act(store, job, "notes", notes="x").job.notes == "x"


HAMMER = """
import sys
from pathlib import Path
from printsys.domain.events import EventDraft, EventType
from printsys.jobstore import JobStore
root, storage_id, name, rounds, *ids = sys.argv[1:]
store = JobStore(Path(root), storage_id, lock_patience_s=120)
for n in range(int(rounds)):
    for job_id in ids:
        with store.edit(job_id) as change:
            count = int((change.job.model_extra or {}).get(name, 0)) + 1
            patch = {name: count, "notes": f"{name} {n}"}
            change.record(EventDraft(EventType.NOTES_EDITED, f"staff:{name}", {}, patch))
"""


def test_two_processes_hammering_the_same_twenty_jobs_lose_no_update(root: Path, store: JobStore) -> None:
    rounds = 10
    ids = [submit(store).id for _ in range(20)]
    arguments = [str(root), store.expected_id]
    workers = [
        subprocess.Popen([sys.executable, "-c", HAMMER, *arguments, name, str(rounds), *ids]) for name in ("one", "two")
    ]
    assert [worker.wait(240) for worker in workers] == [0, 0]
    for job_id in ids:
        job = store.load(job_id)
        extra = job.job.model_extra or {}
        assert (extra["one"], extra["two"]) == (rounds, rounds)
        assert job.job.revision == 2 + 2 * rounds
        assert job.problem is None


def in_child(work: Callable[[], None]) -> int:
    """Run `work` in a forked child and give its exit code; limits set there do not reach this process."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.skipif(sys.platform == "win32", reason="Windows limits no process's files and forks none")
@pytest.mark.parametrize("room", [0, 1, 100, 600])
def test_a_disk_that_fills_up_in_the_middle_of_a_line_changes_nothing(store: JobStore, job: Stored, room: int) -> None:
    """The kernel itself cuts the write short: RLIMIT_FSIZE lets `room` more bytes into the log, then refuses."""
    import resource

    before = tree(store.layout.root)
    limit = (job.folder / "events.jsonl").stat().st_size + room

    def work() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        with pytest.raises(StorageFailure, match="Nothing was changed"):
            act(store, job, "notes", notes="x" * 2000)

    assert in_child(work) == 0
    assert tree(store.layout.root) == before
    assert act(store, job, "notes", notes="now there is room").job.notes == "now there is room"


def test_a_short_upload_leaves_nothing_behind(store: JobStore) -> None:
    class Broken:
        def read(self, _size: int) -> bytes:
            raise ConnectionResetError("the student closed the laptop")

    store.layout.make()
    before = tree(store.layout.root)
    with pytest.raises(StorageFailure):
        submit_stream(store, Broken())
    assert tree(store.layout.root) == before
    assert list(store.layout.staging.iterdir()) == []


def submit_stream(store: JobStore, stream: object) -> Stored:
    from printsys.jobstore import IncomingFile

    return store.create(lambda i: f"Jane_Filament_Red_{i}", [IncomingFile("a.stl", stream)], lambda _i, _s: [])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "name",
    [
        "../secret",
        "/etc/passwd",
        "original/../../x",
        "a\\b",
        "C:x",
        "file.stl:stream",
        "",
        ".",
        "original",
        "link.stl",
        "dir/x",
    ],
)
def test_no_path_leaves_the_job_folder(store: JobStore, job: Stored, name: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret", "utf-8")
    if name in ("link.stl", "dir/x"):
        link(job.folder / "link.stl", tmp_path / "secret")
        link(job.folder / "dir", tmp_path)
    (tmp_path / "x").write_text("x", "utf-8")
    with pytest.raises(JobNotFound):
        file_inside(job.folder, name, job.id)


def test_a_rename_never_replaces_an_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with pytest.raises(FileExistsError):
        fs.rename_folder(tmp_path / "a", tmp_path / "b")


def test_bookkeeping_that_changes_nothing_of_the_job_turns_no_click_away(store: JobStore, job: Stored) -> None:
    revision = job.job.revision
    with store.edit(job.id) as change:
        change.record(EventDraft(EventType.EMAIL_SENT, "system", {"mail": "received", "queued_seq": 2}))
    assert act(store, job, "notes", expected_revision=revision, notes="typed before the e-mail went out").job.notes
    with pytest.raises(StaleJob):
        act(store, job, "notes", expected_revision=revision, notes="typed before the notes changed")
    with pytest.raises(StaleJob):
        act(store, job, "notes", expected_revision=99, notes="from a page of another storage")


def test_a_record_whose_id_is_a_path_is_no_job_and_nothing_is_written_by_that_name(
    store: JobStore, job: Stored, tmp_path: Path
) -> None:
    forged = store.layout.status(Status.PENDING) / "forged"
    forged.mkdir()
    for name in ("metadata.json", "events.jsonl"):
        (forged / name).write_text((job.folder / name).read_text("utf-8").replace(job.id, "../../evil"), "utf-8")
    assert [job_id for job_id, _ in store.ids()] == [job.id]
    assert [item.kind for item in check_storage(store)] == ["unreadable"]
    with pytest.raises(JobNotFound):
        store.load("../../evil")
    assert not list(tmp_path.rglob("*evil*"))


def test_a_lock_makes_nothing_in_the_empty_place_of_a_share(store: JobStore, tmp_path: Path) -> None:
    """A change that was on its way when the share went: what is left of a mount point stays empty."""
    stored = submit(store)
    root = store.layout.root
    root.rename(tmp_path / "unplugged")
    root.mkdir()
    with pytest.raises(StorageOffline), store.locked(stored.id):
        pytest.fail("there is nothing to lock")
    assert list(root.iterdir()) == []


def test_a_job_that_the_share_goes_under_leaves_its_place_empty(
    store: JobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look at the storage and the first folder that is made in it."""
    root = store.layout.root
    root.rename(tmp_path / "unplugged")
    root.mkdir()
    looks = iter([None])

    def require_online() -> None:
        if next(looks, "again") == "again":
            JobStore.require_online(store)

    monkeypatch.setattr(store, "require_online", require_online)
    with pytest.raises((StorageFailure, StorageOffline)):
        submit(store)
    assert sorted(root.rglob("*")) == []


def test_a_lock_that_the_share_goes_under_leaves_its_place_empty(
    store: JobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look at the locks' folder and the lock, for which filelock makes the folder."""
    stored = submit(store)
    root = store.layout.root

    class LateLock(FileLock):
        def acquire(self, *args: Any, **options: Any) -> Any:
            root.rename(tmp_path / "unplugged")
            root.mkdir()
            return super().acquire(*args, **options)

    monkeypatch.setattr(locks, "job_lock", lambda layout, name: LateLock(layout.lock(name)))
    with pytest.raises(StorageOffline), store.locked(stored.id):
        pytest.fail("there is nothing to lock")
    assert sorted(root.rglob("*")) == []
