"""docs/verify_storage.py says of a storage what the system says, and stands on the standard library alone."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest

from indexer.check import check_storage
from printsys.domain.clutter import NAMES, PREFIXES, SUFFIXES, is_clutter_folder
from printsys.domain.events import fold
from printsys.domain.job import FileRecord, Job, Record, canonical, metadata_bytes
from printsys.domain.job import _nested as nested_records
from printsys.domain.status import Status
from printsys.jobstore import JobStore, jsontext
from printsys.jobstore.files import is_ignored
from printsys.jobstore.moves import write_intent
from tests.factories import act, make_job, make_store
from tests.indexer.test_check import DAMAGE, edit, everything, original, overwrite
from tests.indexer.test_older_versions import STORAGE
from tests.openness.random_life import live
from tests.openness.reader import SCRIPT, as_module, foreign_imports, run_alone, verify

reader = as_module(SCRIPT)
MB = 1 << 20


# -- a file that anybody can copy -----------------------------------------------------------------------------------


def test_it_imports_nothing_but_the_standard_library() -> None:
    assert foreign_imports(SCRIPT) == set()


def test_a_copy_of_it_beside_the_storage_finds_that_by_itself(store: JobStore) -> None:
    make_job(store)
    script = Path(shutil.copy(SCRIPT, store.layout.root.parent))
    done = run_alone(script)
    assert done.returncode == 0, done.stderr
    assert done.stdout.decode().splitlines()[-1].startswith("1 jobs and 0 deleted ones, 2 files")


def test_marked_plates_are_whole_to_it_and_fold_to_what_the_system_wrote(store: JobStore) -> None:
    job = make_job(store, status=Status.PRINTING, copies=3)
    for state in ("failed", "printed", "reprint"):
        act(store, job.id, "plates", state=state)
    stored = store.load(job.id)
    assert len(stored.job.model_dump()["plates"]) == 3
    assert metadata_bytes(fold(stored.events)) == (stored.folder / "metadata.json").read_bytes()
    assert verify(store.layout.root).code == 0


@pytest.mark.parametrize("kind", ["nothing", "other things", "a file"])
def test_what_is_no_storage_cannot_be_verified(kind: str, tmp_path: Path) -> None:
    place = tmp_path / "place"
    if kind == "other things":
        (place / "photos").mkdir(parents=True)
    elif kind == "a file":
        place.touch()
    done = run_alone(SCRIPT, place)
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"is no storage folder" in done.stderr


def test_it_knows_the_schema_as_the_program_has_it() -> None:
    def shape(model: type[Record]) -> dict[str, Any]:
        return {name: shape(inner) if inner else None for name, inner in nested_records(model).items()}

    def required(model: type[Record]) -> set[str]:
        return {name for name, field in model.model_fields.items() if field.is_required()}

    def shape_in_reader(kind: Any) -> dict[str, Any] | None:
        kind = kind[0] if isinstance(kind, list) else kind
        is_shape = isinstance(kind, reader.Shape)
        return {name: shape_in_reader(inner) for name, inner in kind.kinds.items()} if is_shape else None

    assert json.dumps(shape_in_reader(reader.JOB)) == json.dumps(shape(Job)), "the same keys in the same order"
    for name, kind in {"": reader.JOB, **reader.JOB.kinds}.items():
        model = nested_records(Job)[name] if name else Job
        if model is not None:
            assert (kind[0] if isinstance(kind, list) else kind).required == required(model)
    assert tuple(Status) == reader.STATUSES
    roles = get_args(FileRecord.model_fields["role"].annotation)
    assert all(reader.is_of_kind(role, "role") for role in roles) and not reader.is_of_kind("print", "role")
    assert (reader.DOCUMENT_LIMIT, reader.DEPTH_LIMIT) == (jsontext.MAX_BYTES, jsontext.MAX_DEPTH)


@pytest.mark.parametrize(
    "name",
    [
        *(
            "metadata.json",
            "job-card.html",
            "Job-Card.HTML",
            "Thumbs.db",
            ".DS_Store",
            "~$plan.docx",
            "x.gcode.tmp",
            "x.STL.part",
            "x.swp",
            "x~",
            "x.lock",
        ),
        *(*sorted(NAMES), *(f"x{suffix}" for suffix in SUFFIXES), *(f"{prefix}x" for prefix in PREFIXES), "Lost+Found"),
        *(
            "metadata-PC2.json",
            "metadata (1).json",
            "events.sync-conflict-20260101-101010-ABCDEFG.jsonl",
            "metadata2.json",
        ),
        *("metadata.json.stl", "Thumbs.db 2", "x.tmp.gcode", "x.lock 2", "part.gcode", "$x", "x.bak.3mf", "x ~ y"),
    ],
)
def test_it_passes_over_the_names_that_the_program_passes_over(name: str) -> None:
    assert bool(reader.IGNORED.fullmatch(name)) == is_ignored(name)
    assert bool(reader.CLUTTER_FOLDER.fullmatch(name)) == is_clutter_folder(name)


# -- whole storages -------------------------------------------------------------------------------------------------


def test_the_storage_that_an_older_version_wrote_is_whole() -> None:
    verdict = verify(STORAGE)
    assert (verdict.code, verdict.report["findings"], verdict.report["remarks"]) == (0, [], [])
    assert (verdict.report["jobs"], verdict.report["deleted_jobs"]) == (12, 1)


@pytest.mark.parametrize("seed", range(3))
def test_whatever_a_lab_did_is_whole_and_nothing_is_written(seed: int, store: JobStore) -> None:
    jobs = live(store, seed)
    before = everything(store.layout.root)
    verdict = verify(store.layout.root)
    assert (verdict.report["findings"], verdict.code) == ([], 0), f"seed {seed}"
    assert verdict.report["jobs"] == len(jobs)
    assert set(verdict.remarks) <= {"metadata-reformatted", "not-recorded"}
    assert everything(store.layout.root) == before


@pytest.mark.parametrize("seed", range(3))
def test_it_folds_a_log_to_the_same_bytes_as_the_program(seed: int, store: JobStore) -> None:
    for job in live(store, seed):
        folded = reader.Fold()
        for event in job.events:
            folded.add(event.patch)
            earlier = [other for other in job.events if other.seq <= event.seq]
            assert folded.metadata() == metadata_bytes(fold(earlier)), f"event {event.seq}, seed {seed}"
        assert reader.canonical(dict(job.document), reader.JOB) == canonical(job.document)


def test_the_plain_report_names_each_finding(store: JobStore) -> None:
    job = make_job(store)
    (job.folder / "metadata.json").unlink()
    done = run_alone(SCRIPT, store.layout.root)
    line, total = done.stdout.decode().splitlines()
    assert line.startswith(f"metadata-gone: Uploaded/{job.folder.name}: ") and line.endswith(".")
    assert total.endswith("1 findings.") and done.returncode == 1


def test_quick_reads_no_file_but_the_records(store: JobStore) -> None:
    job = make_job(store)
    overwrite(original(job.folder))
    assert verify(store.layout.root, "--quick").kinds == []
    assert verify(store.layout.root).kinds == ["original-altered"]
    with original(job.folder).open("ab") as file:
        file.write(b"more")
    assert verify(store.layout.root, "--quick").kinds == ["original-altered"]


# -- damage ---------------------------------------------------------------------------------------------------------

KNOWS_MORE = {"the working copy saved over": {"file-changed"}}
"""Damages of which `check` says less."""


@pytest.mark.parametrize("case", DAMAGE)
def test_it_agrees_with_check_on_every_damage(case: str, store: JobStore) -> None:
    job = make_job(store, status=Status.PENDING)
    make_job(store, name="Bystander")
    damage, _ = DAMAGE[case]
    damage(store, job.folder)
    before = everything(store.layout.root)
    verdict = verify(store.layout.root)
    expected = {item.kind for item in check_storage(store, deep=True)} | KNOWS_MORE.get(case, set())
    assert set(verdict.kinds) == expected
    assert verdict.code == bool(expected)
    assert everything(store.layout.root) == before


def rechain(events: Path, change: Callable[[list[dict[str, Any]]], object]) -> None:
    """Forge a log whose chain is whole, and the note of its newest event: only what the events say is not so."""
    shutil.rmtree(events.parents[2] / ".printsys" / "newest")
    lines = [json.loads(line) for line in events.read_bytes().splitlines()]
    change(lines)
    last_line: bytes | None = None
    forged = []
    for line in lines:
        line["prev"] = None if last_line is None else reader.sha256(last_line)
        last_line = json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode()
        forged.append(last_line + b"\n")
    events.write_bytes(b"".join(forged))


def test_a_forged_event_with_a_whole_chain_is_found_by_its_state(store: JobStore) -> None:
    job = make_job(store, status=Status.PRINTING)

    def cheaper(lines: list[dict[str, Any]]) -> None:
        approval = next(line for line in lines if line["type"] == "StaffApproved")
        approval["patch"]["estimate"]["cost"] = "0.10"

    rechain(job.folder / "events.jsonl", cheaper)
    verdict = verify(store.layout.root)
    assert verdict.kinds == ["log-inconsistent"]
    assert "that event 4" in verdict.report["findings"][0]["sentence"], "the first state that is not so"


def test_a_wrong_state_in_the_middle_is_found_though_the_last_is_right(store: JobStore) -> None:
    job = make_job(store, status=Status.PRINTING)
    rechain(job.folder / "events.jsonl", lambda lines: lines[1].update(state="0" * 64))
    assert verify(store.layout.root).kinds == ["log-inconsistent"]


def test_a_record_with_keys_in_another_order_is_a_remark_if_all_else_agrees(store: JobStore) -> None:
    """A later version may know, and so write, more keys than this file."""
    job = make_job(store)
    metadata = job.folder / "metadata.json"
    document = json.loads(metadata.read_bytes())
    metadata.write_bytes((json.dumps(document | {"of_tomorrow": None}, indent=2) + "\n").encode())
    state = reader.sha256(metadata.read_bytes())
    rechain(job.folder / "events.jsonl", lambda lines: lines[-1].update(state=state))
    verdict = verify(store.layout.root)
    assert (verdict.kinds, verdict.remarks) == ([], ["other-version"])


@pytest.mark.parametrize("number", range(4))
def test_a_line_that_was_removed_is_found(number: int, store: JobStore) -> None:
    job = make_job(store, status=Status.READY_TO_PRINT)
    events = job.folder / "events.jsonl"
    lines = events.read_bytes().splitlines(keepends=True)
    events.write_bytes(b"".join(lines[:number] + lines[number + 1 :]))
    verdict = verify(store.layout.root)
    assert verdict.kinds == ["log-damaged"]
    assert f"line {number + 1} " in verdict.report["findings"][0]["sentence"]


def test_an_unfinished_batch_is_torn_whatever_is_left_of_it(store: JobStore) -> None:
    job = make_job(store)
    events, metadata = job.folder / "events.jsonl", job.folder / "metadata.json"
    whole, older = events.read_bytes(), metadata.read_bytes()
    act(store, job.id, "notes")
    batch = events.read_bytes()[len(whole) :]
    (store.layout.system / "newest" / job.id).unlink()  # a crash in the middle comes before the note
    for length in (1, len(batch) // 2, len(batch) - 1):
        events.write_bytes(whole + batch[:length])
        metadata.write_bytes(older)
        assert verify(store.layout.root).kinds == ["log-torn"], length


def test_an_older_copy_of_a_folder_is_found_by_the_note_of_its_newest_event(store: JobStore) -> None:
    job = make_job(store)
    copy = shutil.copytree(job.folder, store.layout.root.parent / "copy")
    act(store, job.id, "notes")
    shutil.copytree(copy, job.folder, dirs_exist_ok=True)
    verdict = verify(store.layout.root)
    assert verdict.kinds == [item.kind for item in check_storage(store)] == ["older-copy"]
    assert "1 events are missing" in verdict.report["findings"][0]["sentence"]


@pytest.mark.parametrize(
    "note", [b"", b"torn", b"0000000009 \n", b"x" * 20_000_000, b"0000000000 " + b"a" * 64 + b"\n"]
)
def test_a_note_that_cannot_be_read_tells_nothing(note: bytes, store: JobStore) -> None:
    job = make_job(store)
    (store.layout.system / "newest" / job.id).write_bytes(note)
    assert verify(store.layout.root).code == 0


def test_a_deleted_job_is_verified_in_the_trash(store: JobStore) -> None:
    job = act(store, make_job(store).id, "delete")
    assert verify(store.layout.root).report["deleted_jobs"] == 1
    edit(job.folder / "events.jsonl", b'"actor":"student"', b'"actor":"nobody!"')
    assert verify(store.layout.root).kinds == ["log-damaged"]


def test_a_folder_named_for_another_job_gets_a_remark(store: JobStore) -> None:
    job = make_job(store)
    job.folder.rename(job.folder.with_name("JaneDoe_Filament_TrueRed_00000000"))
    verdict = verify(store.layout.root)
    assert (verdict.code, verdict.remarks) == (0, ["folder-renamed"])


# -- hostile folders ------------------------------------------------------------------------------------------------


def make_deep(path: Path, depth: int = 100_000) -> None:
    path.write_bytes(b'{"a":' * depth + b"1" + b"}" * depth + b"\n")


def replace_by_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def replace_by_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def replace_by_link(path: Path) -> None:
    moved = path.rename(path.with_name("elsewhere.bin"))
    path.symlink_to(moved)


def write_long_line(path: Path) -> None:
    """100 MB without a line end behind the record."""
    with path.open("ab") as file:
        for _ in range(100):
            file.write(b"x" * MB)


REPLACEMENTS: dict[str, Callable[[Path], object]] = {
    "a folder": replace_by_folder,
    "a FIFO": replace_by_fifo,
    "a link": replace_by_link,
    "deep JSON": make_deep,
    "deep lists": lambda path: path.write_bytes(b'{"a":' + b"[" * 70 + b"]" * 70 + b"}\n"),
    "a long line": write_long_line,
    "not a number": lambda path: path.write_bytes(b'{"seq": NaN}\n'),
    "too large a number": lambda path: path.write_bytes(b'{"seq": 1e999}\n'),
    "a long number": lambda path: path.write_bytes(b'{"seq": ' + b"9" * 100_000 + b"}\n"),
    "a doubled key": lambda path: path.write_bytes(b'{"seq": 1, "seq": 2}\n'),
    "half a character": lambda path: path.write_bytes(b'{"seq": "\\ud800"}\n'),
    "no UTF-8": lambda path: path.write_bytes(b'{"seq": "\xff\xfe\xe9"}\n'),
    "a list": lambda path: path.write_bytes(b"[]\n"),
    "millions of lines": lambda path: path.write_bytes(b"x\n" * 4_000_000),
    "zeros": lambda path: path.write_bytes(b"\0" * 10_000),
}


@pytest.mark.skipif(os.name == "nt", reason="no such files there")
@pytest.mark.parametrize("file", ["metadata.json", "events.jsonl"])
@pytest.mark.parametrize("replacement", REPLACEMENTS)
def test_a_hostile_record_is_that_jobs_finding_alone(replacement: str, file: str, store: JobStore) -> None:
    job = make_job(store)
    make_job(store, name="Bystander")
    REPLACEMENTS[replacement](job.folder / file)
    verdict = verify(store.layout.root)
    kind = "metadata-unreadable" if file == "metadata.json" else "log-damaged"
    assert verdict.kinds == [kind]
    assert {finding["job"] for finding in verdict.report["findings"]} == {job.id}
    assert verdict.report["jobs"] == 2


@pytest.mark.skipif(os.name == "nt", reason="no such files there")
@pytest.mark.parametrize("replacement", ["a folder", "a FIFO", "a link"])
def test_a_file_that_is_no_regular_file_counts_as_gone(replacement: str, store: JobStore) -> None:
    job = make_job(store)
    REPLACEMENTS[replacement](original(job.folder))
    assert verify(store.layout.root).kinds == ["original-missing"]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_names_that_are_no_unicode_or_move_the_cursor_are_printed_as_codes(store: JobStore) -> None:
    job = make_job(store)
    os.mkdir(os.fsencode(job.folder.parent) + b"/caf\xe9 \x1b[2J\n")
    (job.folder / "line\nbreak\x1b[31m.gcode").touch()
    os.close(os.open(os.fsencode(job.folder) + b"/\xff\xfe.gcode", os.O_CREAT))
    verdict = verify(store.layout.root)
    assert (verdict.kinds, verdict.remarks) == (["odd-file", "not-a-job"], ["not-recorded"])
    text = run_alone(SCRIPT, store.layout.root).stdout
    assert b"\x1b" not in text and len(text.splitlines()) == 4
    assert rb"caf\udce9 \x1b[2J\n" in text and rb"\udcff\udcfe.gcode" in text


@pytest.mark.parametrize(
    "name", ["../../../secret", "/etc/hostname", "original/../../x", "..", "", "a\0b", "x/" * 5000]
)
def test_a_recorded_name_never_leads_out_of_the_folder(name: str, store: JobStore) -> None:
    job = make_job(store)
    (store.layout.root / "secret").write_bytes(b"")

    def forge(lines: list[dict[str, Any]]) -> None:
        lines[0]["patch"]["files"][0]["name"] = name
        folded = reader.Fold()
        for line in lines:
            folded.add(line["patch"])
        lines[-1]["state"] = reader.sha256(folded.metadata())
        (job.folder / "metadata.json").write_bytes(folded.metadata())

    rechain(job.folder / "events.jsonl", forge)
    kinds = verify(store.layout.root).kinds
    assert "original-missing" in kinds and "original-altered" not in kinds


@pytest.mark.parametrize("name", ["A copy", "Z copy", None])
@pytest.mark.parametrize("status", ["Uploaded", "Printing"])
@pytest.mark.parametrize("is_older", [False, True])
def test_a_copy_is_the_folder_that_check_calls_a_copy(
    is_older: bool, status: str, name: str | None, store: JobStore
) -> None:
    job = make_job(store, status=Status.PENDING)
    copy = store.layout.root / status / (name or job.folder.name)
    shutil.copytree(job.folder, copy)
    if is_older:
        act(store, job.id, "notes")
    elif name:  # the copy lies where the record says, and its name comes first
        copy = copy.rename(job.folder.with_name(name))
    verdict = verify(store.layout.root)
    (item,) = check_storage(store)
    (finding,) = verdict.report["findings"]
    assert (finding["kind"], finding["path"]) == (item.kind, item.folder) == ("duplicate", store.layout.relative(copy))


def test_a_job_in_a_job_and_a_folder_in_a_folder_are_found(store: JobStore) -> None:
    job, inner = make_job(store), make_job(store, name="Inner")
    inner.folder.rename(job.folder / inner.folder.name)
    (job.folder / "plates" / "deeper").mkdir(parents=True)
    (job.folder / "plates" / "plate1.gcode").write_bytes(b"G28")
    verdict = verify(store.layout.root)
    assert sorted(verdict.kinds) == sorted(item.kind for item in check_storage(store)) == ["job-inside", "odd-file"]
    assert verdict.remarks == ["not-recorded"]
    assert "plates/plate1.gcode" in verdict.report["remarks"][0]["sentence"]


@pytest.mark.skipif(os.name == "nt", reason="no such files there")
@pytest.mark.parametrize("folder", ["moves", "staging", "trash", "missing"])
def test_the_systems_own_folders_may_hold_anything(folder: str, store: JobStore) -> None:
    make_job(store)
    place = store.layout.system / folder
    os.mkfifo(place / "x.json")
    make_deep(place / "y.json")
    (place / "z.json").mkdir()
    assert len(verify(store.layout.root).kinds) == (0 if folder == "trash" else 3)


@pytest.mark.parametrize("folder", [".printsys", "Printing"])
def test_what_may_be_absent_may_be_absent(folder: str, tmp_path: Path) -> None:
    store = make_store(tmp_path)
    make_job(store)
    shutil.rmtree(store.layout.root / folder)
    assert verify(store.layout.root).code == 0


def test_an_intent_whose_move_happened_is_told_with_the_job(store: JobStore) -> None:
    job = make_job(store)
    write_intent(store.layout, job.folder, job.folder.parent, 1, job.id)
    assert verify(store.layout.root).report["findings"][0]["job"] == job.id
