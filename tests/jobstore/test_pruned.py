"""A pruned job leaves one anonymous line, whatever is killed when, and nothing else."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from indexer.check import check_storage
from printsys import fs
from printsys.actions.pruning import prunable, prune
from printsys.domain.events import FILESYSTEM, EventDraft, EventType
from printsys.domain.payments import ledger
from printsys.domain.pruned import pruned_job
from printsys.domain.status import Status
from printsys.errors import PrintSysError, StorageFailure
from printsys.jobstore import JobStore, Stored
from printsys.jobstore.notes import missing_jobs, note_missing
from printsys.jobstore.pruned import announce, finish_all, finish_pruning, pruned_jobs
from tests.factories import Clock, act, actions_on, make_job, make_store
from tests.openness.reader import verify
from tests.source import ROOT

SECRET = "Zaphod"
PERSONAL: dict[str, Any] = {
    "name": f"{SECRET} Beeblebrox",
    "email": f"{SECRET}@example.edu",
    "message": f"For {SECRET}",
}


class Killed(BaseException):
    """As `kill -9`: nobody catches it."""


@pytest.fixture
def store(tmp_path: Path) -> JobStore:
    return make_store(tmp_path, Clock())


def prune_now(store: JobStore, stored: Stored) -> list[tuple[str, str]]:
    return prune(actions_on(store), [(stored.id, stored.job.revision)], "staff:Sam", "retention").skipped


def archived(store: JobStore) -> Stored:
    """With each thing that people may type, full of what must not stay."""
    stored = make_job(
        store, **PERSONAL, class_number=f"{SECRET} 12345678", files=[(f"{SECRET}.stl", b"solid\nendsolid\n")]
    )
    act(store, stored.id, "notes", notes=f"Call {SECRET}")
    act(store, stored.id, "approve", note=f"Dear {SECRET}")
    act(store, stored.id, "confirm", reason=f"{SECRET} said yes")
    act(store, stored.id, "start")
    act(store, stored.id, "fail", reason=f"{SECRET} bumped it", fault="model", wasted_g="12.5")
    act(store, stored.id, "start")
    act(store, stored.id, "complete")
    paid: dict[str, Any] = {
        "picked_up_by": SECRET,
        "transaction": f"TX-{SECRET}",
        "amount": "4.27",
        "payment_method": "Card",
    }
    act(store, stored.id, "pickup", **paid)
    act(store, stored.id, "refund", amount="1.00", payment_method="Cash", reason=f"{SECRET} was sad")
    return act(store, stored.id, "archive")


def test_the_line_has_what_reports_need_and_nothing_that_says_whose_it_was(store: JobStore) -> None:
    stored = archived(store)
    assert prune_now(store, stored) == []
    (line,) = pruned_jobs(store)
    log = store.layout.pruned / f"{stored.job.created_at.year}.jsonl"
    text = log.read_text("utf-8")
    assert SECRET.casefold() not in text.casefold() and stored.id not in text
    assert text.endswith("\n") and json.loads(text)["because"] == "retention"
    job = line.job
    assert (job.status, job.status_since, job.created_at) == (
        Status.ARCHIVED,
        stored.job.status_since,
        stored.job.created_at,
    )
    assert (job.student.discipline, job.student.class_number) == ("Architecture", None)
    assert (job.request.method, job.request.color, job.request.printer) == ("Filament", "True Red", "prusa-mk4s")
    estimate, before = job.estimate, stored.job.estimate
    assert estimate is not None and before is not None
    assert (estimate.weight_g, estimate.time_h, estimate.cost, estimate.material) == (
        before.weight_g,
        before.time_h,
        before.cost,
        before.material,
    )
    money, money_before = ledger(job), ledger(stored.job)
    assert (money.paid, money.refunded, money.due) == (money_before.paid, money_before.refunded, money_before.due)
    ways = [(each.kind, each.amount, each.method) for each in money.lines]
    assert ways == [(each.kind, each.amount, each.method) for each in money_before.lines] and len(ways) > 1
    steps = [(event["type"], event["at"]) for event in line.events]
    assert [name for name, _ in steps if not name.startswith("Payment")] == [
        "JobCreated", "StaffApproved", "StaffConfirmed", "PrintingStarted", "PrintFailed", "PrintingStarted",
        "JobCompleted", "JobPickedUp", "JobArchived",
    ]  # fmt: skip
    (failure,) = (event for event in line.events if event["type"] == "PrintFailed")
    assert failure["data"] == {"fault": "model", "wasted_g": "12.5", "from": "Printing", "to": "ReadyToPrint"}


def test_why_a_job_was_not_printed_stays(store: JobStore) -> None:
    rejected = make_job(store, status=Status.REJECTED)
    stored = act(store, rejected.id, "archive")
    assert prune_now(store, stored) == []
    (line,) = pruned_jobs(store)
    assert line.job.rejection is not None and line.job.rejection.reasons == ["too-thin", "messy"]
    assert line.job.rejection.comment is None
    assert any(event["data"].get("reasons") == ["too-thin", "messy"] for event in line.events)


def test_a_payment_that_was_taken_back_stays_to_be_subtracted(store: JobStore) -> None:
    stored = make_job(store, status=Status.PAID_PICKED_UP)
    act(store, stored.id, "revert", reason="Zaphod's mistake")
    act(store, stored.id, "pickup", amount="4.27", payment_method="Cash", picked_up_by=SECRET)
    prune_now(store, act(store, stored.id, "archive"))
    (line,) = pruned_jobs(store)
    (reverted,) = (event for event in line.events if event["type"] == "StatusReverted")
    assert [(each["kind"], each["amount"]) for each in reverted["data"]["voided"]] == [("payment", "4.27")]
    assert "payment" in reverted["patch"] and SECRET not in line.model_dump_json()


@pytest.mark.parametrize(
    ("text", "expected"),
    [(" 4. ", "4"), ("+4.20", "4.20"), ("1_000.50", "1000.50"), ("4e1", "40"), ("1e999999999", None), ("12.5", "12.5")],
)
def test_an_amount_in_a_spelling_of_its_own_stays(store: JobStore, text: str, expected: str | None) -> None:
    """A record takes it, so a report counts it: it did not count any more once the job was pruned."""
    stored = make_job(store, status=Status.ARCHIVED)
    with store.edit(stored.id) as change:
        change.record(EventDraft(EventType.METADATA_EDITED, FILESYSTEM, {}, {"payment": {"weight_g": text}}))
    line = pruned_job(stored.job, change.result.document, change.result.events, "0" * 16, "2026-03-02", "retention")
    assert line.document["payment"].get("weight_g") == expected
    assert line.events[-1]["patch"]["payment"].get("weight_g") == expected


def test_a_usual_class_number_stays(store: JobStore) -> None:
    stored = make_job(store, status=Status.ARCHIVED, class_number="ARCH 4000")
    prune_now(store, stored)
    (line,) = pruned_jobs(store)
    assert line.job.student.class_number == "ARCH 4000"


def test_nothing_of_the_job_remains_anywhere_in_storage(store: JobStore) -> None:
    stored = archived(store)
    prune_now(store, stored)
    names = [path for path in store.layout.root.rglob("*") if SECRET in path.name]
    texts = [path for path in store.layout.root.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]
    assert names == [] and texts == []
    assert not store.layout.newest_event(stored.id).exists()
    with pytest.raises(PrintSysError):
        store.load(stored.id)


def test_a_note_that_the_job_was_missing_goes_with_it(store: JobStore) -> None:
    """It has the student's name, and no sweep would look for the job again."""
    stored = archived(store)
    note_missing(store, stored.id, {"student_name": PERSONAL["name"], "status": "Archived", "folder": "Archived/x"})
    assert prune_now(store, stored) == [] and missing_jobs(store) == {}


def test_each_job_is_in_the_log_of_the_year_in_which_it_came_in(tmp_path: Path) -> None:
    for year in (2024, 2026):
        clock = Clock(datetime(year, 3, 2, 16, tzinfo=UTC))
        at_that_time = make_store(tmp_path, clock)
        stored = make_job(at_that_time, status=Status.ARCHIVED)
        prune_now(at_that_time, stored)
    assert sorted(path.name for path in at_that_time.layout.pruned.glob("*.jsonl")) == ["2024.jsonl", "2026.jsonl"]
    assert [line.job.created_at.year for line in pruned_jobs(at_that_time)] == [2024, 2026]


WRITES = ("replace", "append", "unlink", "move_folder", "remove_tree", "sync_folder", "rename_folder", "rename_over")


def kill_at(patch: pytest.MonkeyPatch, number: int, after: bool) -> list[str]:
    """The process ends before, or right after, the disk is written to for the n-th time."""
    calls: list[str] = []

    def doomed(name: str, function: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object, **options: object) -> object:
            calls.append(name)
            is_the_last = len(calls) == number
            if is_the_last and not after:
                raise Killed
            result = function(*args, **options)
            if is_the_last:
                raise Killed
            return result

        return call

    for name in WRITES:
        patch.setattr(fs, name, doomed(name, getattr(fs, name)))
    return calls


def count_everywhere(store: JobStore, job_id: str) -> int:
    return len(list(pruned_jobs(store))) + sum(found == job_id for found, _ in store.ids())


@pytest.mark.parametrize("after", [False, True])
def test_killed_anywhere_the_job_is_counted_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: bool) -> None:
    for number in range(1, 100):
        place = tmp_path / str(number)
        store = make_store(place)
        stored = make_job(store, status=Status.ARCHIVED)
        with monkeypatch.context() as patch:
            calls = kill_at(patch, number, after)
            try:
                prune_now(store, stored)
            except Killed:
                pass
            else:
                break
        again = make_store(place)
        assert count_everywhere(again, stored.id) == 1, f"killed at {number}, {calls[-1]}"
        for _ in range(2):
            finish_all(again)
            assert count_everywhere(again, stored.id) == 1, f"killed at {number}, {calls[-1]}, then finished"
        if any(found == stored.id for found, _ in again.ids()):
            assert prune_now(again, again.load(stored.id)) == []
        assert [line.job.status for line in pruned_jobs(again)] == [Status.ARCHIVED]
        assert list(again.layout.trash.iterdir()) == [] and list((again.layout.pruned / "pending").iterdir()) == []
    assert number > 8


def test_a_line_that_was_cut_off_is_written_again(store: JobStore) -> None:
    first, second = make_job(store, status=Status.ARCHIVED), make_job(store, status=Status.ARCHIVED)
    prune_now(store, first)
    log = next(store.layout.pruned.glob("*.jsonl"))
    with log.open("ab") as file:
        file.write(b'{"key":"0123')
    prune_now(store, second)
    assert len(list(pruned_jobs(store))) == 2
    assert [json.loads(line)["because"] for line in log.read_text("utf-8").splitlines()] == ["retention"] * 2


def test_a_last_line_that_lacks_only_its_end_is_whole(store: JobStore) -> None:
    """Some editors leave a file so; the next prune took the line for one that a kill had cut off."""
    first, second = make_job(store, status=Status.ARCHIVED), make_job(store, status=Status.ARCHIVED)
    prune_now(store, first)
    log = next(store.layout.pruned.glob("*.jsonl"))
    whole = log.read_bytes()
    log.write_bytes(whole.removesuffix(b"\n"))
    assert len(list(pruned_jobs(store))) == 1
    prune_now(store, second)
    assert log.read_bytes().startswith(whole) and len(list(pruned_jobs(store))) == 2
    log.write_bytes(log.read_bytes() + whole.removesuffix(b"\n"))
    assert verify(store.layout.root).kinds == ["pruned-log"], "a reader of the format counts it, too"


def edited(store: JobStore, patch: dict[str, Any]) -> Stored:
    """An archived job in whose record somebody wrote something else."""
    stored = make_job(store, status=Status.ARCHIVED)
    with store.edit(stored.id) as change:
        change.record(EventDraft(EventType.METADATA_EDITED, FILESYSTEM, {}, patch))
    return change.result


@pytest.mark.parametrize("method", ["Resin@home", "Resin\nFilament", "R" * 61])
def test_a_job_of_which_no_line_could_be_read_stays(store: JobStore, method: str) -> None:
    """Its folder went, and the line that was left of it was refused by every report."""
    stored = edited(store, {"request": {"method": method}})
    ((job_id, reason),) = prune_now(store, stored)
    assert job_id == stored.id and "of request.method nothing may stay" in reason
    assert store.load(stored.id).job.status is Status.ARCHIVED and list(pruned_jobs(store)) == []
    assert not (store.layout.pruned / "pending").exists()


@pytest.mark.parametrize("amount", ["4.2700000000000005", "1234567890123.5"])
def test_an_amount_of_many_digits_stays_in_the_line(store: JobStore, amount: str) -> None:
    assert prune_now(store, edited(store, {"payment": {"amount": amount}})) == []
    (line,) = pruned_jobs(store)
    assert line.document["payment"]["amount"] == amount


def test_a_job_of_a_year_with_few_digits_goes_on_counting(store: JobStore) -> None:
    """The year 26 was written as such, so its log had no name of a year."""
    assert prune_now(store, edited(store, {"created_at": "0026-03-02T16:00:00Z"})) == []
    assert [path.name for path in store.layout.pruned.glob("*.jsonl")] == ["0026.jsonl"]
    assert [line.job.created_at.year for line in pruned_jobs(store)] == [26]


def announced(store: JobStore, status: Status = Status.ARCHIVED) -> Stored:
    """On its way out, by a process that was killed before it took the folder away."""
    stored = make_job(store, status=status)
    with store.edit(stored.id) as change:
        announce(store, change, "staff:Sam", date(2026, 3, 2), "retention")
    return stored


def test_a_line_that_may_not_be_on_the_disk_yet_is_synced_before_the_folder_goes(
    store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between the write and the sync: a power loss after the folder is gone would lose the job."""
    prune_now(store, make_job(store, status=Status.ARCHIVED))
    log = next(store.layout.pruned.glob("*.jsonl"))
    stored = announced(store)
    note = store.layout.pruned / "pending" / f"{stored.id}.json"
    log.write_bytes(log.read_bytes() + note.read_bytes())
    written = log.read_bytes()
    calls: list[tuple[str, Path]] = []

    def noted(name: str, function: Callable[..., object]) -> Callable[..., object]:
        def call(path: Path, *args: object) -> object:
            calls.append((name, path))
            return function(path, *args)

        return call

    for name in ("append", "sync_folder", "remove_tree"):
        monkeypatch.setattr(fs, name, noted(name, getattr(fs, name)))
    assert finish_pruning(store, stored.id)
    steps = [name for name, path in calls if path in (log, log.parent) or name == "remove_tree"]
    assert steps == ["append", "sync_folder", "remove_tree"] and log.read_bytes() == written


def test_a_note_that_becomes_a_line_while_somebody_counts_is_counted_once(store: JobStore) -> None:
    prune_now(store, make_job(store, status=Status.ARCHIVED))
    announced(store)
    counted = pruned_jobs(store)
    first = next(counted)
    finish_all(store)
    assert len({first.key, *(job.key for job in counted)}) == 2


def test_a_job_that_another_process_pruned_meanwhile_is_pruned(
    store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = make_job(store, status=Status.ARCHIVED)
    actions = actions_on(store)
    monkeypatch.setattr(type(actions), "follow_up", lambda *_: finish_all(store))
    result = prune(actions, [(stored.id, stored.job.revision)], "staff:Sam", "retention")
    assert (result.pruned, result.skipped) == ([stored.id], [])


@pytest.mark.parametrize("note", [b"", b"{}", b"\0" * 80], ids=["empty", "no job", "zeros"])
def test_a_note_that_nobody_can_read_keeps_no_other_job_from_being_pruned(store: JobStore, note: bytes) -> None:
    damaged, waiting = announced(store), announced(store)
    (store.layout.pruned / "pending" / f"{damaged.id}.json").write_bytes(note)
    assert prune_now(store, make_job(store, status=Status.ARCHIVED)) == []
    assert [path.stem for path in (store.layout.pruned / "pending").iterdir()] == [damaged.id]
    assert len(list(store.layout.trash.iterdir())) == 1 and store.layout.pruned_id(waiting.id).exists()
    assert [item.kind for item in check_storage(store) if item.kind == "pruned-log"] == ["pruned-log"]


def test_a_folder_in_the_trash_that_nobody_can_read_stops_no_pruning(
    store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = store.layout.trash / "odd"
    odd.mkdir()
    read = fs.first_line

    def refuse(path: Path, most_bytes: int) -> bytes:
        if odd in path.parents:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return read(path, most_bytes)

    monkeypatch.setattr(fs, "first_line", refuse)
    assert prune_now(store, make_job(store, status=Status.ARCHIVED)) == []
    assert list(store.layout.trash.iterdir()) == [odd] and len(list(pruned_jobs(store))) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="Windows makes links for administrators only")
def test_what_another_process_takes_out_of_the_ids_meanwhile_is_no_failure(store: JobStore) -> None:
    stored = make_job(store, status=Status.ARCHIVED)
    prune_now(store, stored)
    gone = store.layout.pruned_id(stored.id)
    gone.unlink()
    gone.symlink_to("nothing")  # as a name that goes right after it was listed
    temporary = gone.with_name(f".{stored.id}{fs.TEMPORARY_SUFFIX}")
    temporary.write_bytes(b"")
    os.utime(temporary, (0, 0))
    finish_all(store)
    assert temporary.exists()


FINISH = """
import sys
from pathlib import Path
from printsys.jobstore.pruned import finish_all
from tests.factories import make_store
store = make_store(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
finish_all(store)
"""


def test_two_processes_that_finish_the_same_jobs_leave_each_once_for_somebody_who_counts_meanwhile(
    tmp_path: Path, store: JobStore
) -> None:
    jobs = {announced(store).id for _ in range(8)}
    keys = {job.key for job in pruned_jobs(store)}
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", FINISH, str(tmp_path)]
    workers = [
        subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=pipe, encoding="utf-8") for _ in range(2)
    ]
    for worker in workers:
        assert worker.stdout is not None and worker.stdin is not None
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("\n")
        worker.stdin.flush()
    counts = []
    while any(worker.poll() is None for worker in workers):
        counts.append([job.key for job in pruned_jobs(store)])
    errors = [worker.communicate()[1] for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0], errors
    assert all(
        len(count) == len(keys) and set(count) == keys for count in [*counts, [j.key for j in pruned_jobs(store)]]
    )
    lines = [line for log in store.layout.pruned.glob("*.jsonl") for line in log.read_bytes().splitlines()]
    assert len(lines) == len(keys) == len(jobs) == 8
    assert list(store.layout.trash.iterdir()) == [] and list((store.layout.pruned / "pending").iterdir()) == []


def test_a_line_that_reports_could_not_read_is_damage(store: JobStore) -> None:
    prune_now(store, make_job(store, status=Status.ARCHIVED))
    log = next(store.layout.pruned.glob("*.jsonl"))
    line = json.loads(log.read_bytes())
    line["document"]["status"] = "Somewhere"
    log.write_text(json.dumps(line) + "\n", "utf-8")
    with pytest.raises(StorageFailure, match="line 1"):
        list(pruned_jobs(store))


def test_a_damaged_log_is_an_error_and_no_smaller_report(store: JobStore) -> None:
    prune_now(store, make_job(store, status=Status.ARCHIVED))
    log = next(store.layout.pruned.glob("*.jsonl"))
    log.write_text(log.read_text("utf-8") + "{}\n", "utf-8")
    with pytest.raises(StorageFailure, match="line 2"):
        list(pruned_jobs(store))


def test_a_storage_with_pruned_jobs_verifies_and_one_line_twice_is_found(store: JobStore) -> None:
    make_job(store)
    prune_now(store, archived(store))
    assert check_storage(store, deep=True) == [] and verify(store.layout.root).kinds == []
    log = next(store.layout.pruned.glob("*.jsonl"))
    log.write_bytes(log.read_bytes() * 2)
    assert verify(store.layout.root).kinds == ["pruned-log"] and len(list(pruned_jobs(store))) == 1


def test_a_job_that_changed_since_it_was_listed_stays(store: JobStore) -> None:
    stored = make_job(store, status=Status.ARCHIVED)
    act(store, stored.id, "notes", notes="Wait")
    ((job_id, reason),) = prune_now(store, stored)
    assert job_id == stored.id and store.load(stored.id).job.status is Status.ARCHIVED and reason
    assert list(pruned_jobs(store)) == []


def test_a_job_with_money_to_be_paid_stays(store: JobStore) -> None:
    stored = make_job(store, status=Status.COMPLETED)
    act(store, stored.id, "pickup", amount="1.00")
    stored = act(store, stored.id, "override", status=Status.ARCHIVED)
    ((_, reason),) = prune_now(store, stored)
    assert "$3.27 of it is still to be paid" in reason
    act(store, stored.id, "waive", amount="3.27", reason="Ours")
    assert prune_now(store, store.load(stored.id)) == []


@pytest.mark.parametrize("status", [Status.ARCHIVED, Status.COMPLETED])
def test_a_job_with_a_copy_of_its_folder_stays(store: JobStore, status: Status) -> None:
    stored = make_job(store, status=Status.ARCHIVED)
    copy = store.layout.status(status) / f"{stored.folder.name} (copy)"
    shutil.copytree(stored.folder, copy)
    skipped: list[tuple[str, str]] = []
    assert list(prunable(store, stored.job.status_since + timedelta(days=1), skipped)) == []
    assert [job_id for job_id, reason in skipped if "A copy of its folder lies in" in reason] == [stored.id]
    assert prune_now(store, stored) == skipped and list(pruned_jobs(store)) == []
    fs.remove_tree(copy)
    assert prune_now(store, stored) == []


def test_only_jobs_that_were_archived_long_enough_ago_are_found(store: JobStore) -> None:
    stored = make_job(store, status=Status.ARCHIVED)
    make_job(store, status=Status.REJECTED)
    skipped: list[tuple[str, str]] = []
    since = stored.job.status_since
    assert list(prunable(store, since, skipped)) == []
    (found,) = prunable(store, since + timedelta(seconds=1), skipped)
    assert found.id == stored.id and found.size > 1000 and skipped == []


def test_a_copy_in_the_trash_goes_with_the_job(store: JobStore) -> None:
    stored = make_job(store, status=Status.ARCHIVED)
    copy = store.layout.trash / f"Copy_{stored.id}"
    fs.move_folder(_copied(stored.folder, copy.with_name("new")), copy)
    assert not finish_pruning(store, stored.id)
    prune_now(store, stored)
    assert list(store.layout.trash.iterdir()) == []


def _copied(source: Path, target: Path) -> Path:
    for path in [source, *source.rglob("*")]:
        place = target / path.relative_to(source)
        place.mkdir(parents=True) if path.is_dir() else place.write_bytes(path.read_bytes())
    return target
