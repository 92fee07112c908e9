"""`check` finds whatever is wrong, says it in words, and touches nothing."""

from __future__ import annotations

import argparse
import json
import shutil
from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from indexer.attention import AttentionItem
from indexer.check import check_storage
from indexer.check_mirror import check_mirror
from indexer.index import Mirror
from indexer.queries import Queries
from printsys import fs
from printsys.commands import check as command
from printsys.domain.status import Status
from printsys.errors import MirrorDown, StorageOffline
from printsys.jobstore import JobStore, Stored
from printsys.jobstore.moves import write_intent
from printsys.jobstore.recovery import recover_all
from tests.factories import act, make_job, make_store, sync
from tests.fixtures_db import drop_database
from tests.links import link


@pytest.fixture
def jobs(store: JobStore) -> list[Stored]:
    return [make_job(store, name=f"Jane {status}", status=status) for status in Status]


def check(store: JobStore, engine: sa.Engine, deep: bool = False) -> list[AttentionItem]:
    """Folders and mirror."""
    return check_storage(store, deep) + check_mirror(store, engine, deep)


def everything(root: Path) -> dict[str, tuple[int, int, bytes | None]]:
    """All that is under storage/, with times and bytes."""
    return {
        path.relative_to(root).as_posix(): (
            path.lstat().st_mtime_ns,
            path.lstat().st_mode,
            path.read_bytes() if path.is_file() else None,
        )
        for path in root.rglob("*")
    }


def test_a_healthy_storage_is_clean_in_every_status(jobs: list[Stored], store: JobStore) -> None:
    assert check_storage(store) == []
    assert check_storage(store, deep=True) == []


# -- damage: what is done to a job (or to storage), and the kinds it is told as -------------------------------------


def edit(file: Path, old: bytes, new: bytes) -> None:
    data = file.read_bytes()
    assert old in data
    file.write_bytes(data.replace(old, new))


def cut_last_line(file: Path) -> None:
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:-1]))


def original(folder: Path) -> Path:
    file = folder / "original" / "bracket v2.stl"
    file.chmod(0o644)
    return file


def overwrite(file: Path) -> None:
    """Other bytes, of the same length."""
    file.write_bytes(b"x" * file.stat().st_size)


def write_year_log(store: JobStore, line: bytes) -> None:
    store.layout.pruned.mkdir()
    (store.layout.pruned / "2025.jsonl").write_bytes(line)


RECORD = ("metadata.json", "events.jsonl")
DAMAGE: dict[str, tuple[Callable[[JobStore, Path], object], list[str]]] = {
    "events gone": (lambda store, folder: (folder / "events.jsonl").unlink(), ["log-damaged"]),
    "events empty": (lambda store, folder: (folder / "events.jsonl").write_bytes(b""), ["log-damaged"]),
    "an event changed": (
        lambda store, folder: edit(folder / "events.jsonl", b'"weight_g":"42.7"', b'"weight_g":"12.7"'),
        ["log-damaged"],
    ),
    "the last event changed": (
        lambda store, folder: edit(folder / "events.jsonl", b'"mail":"approved"', b'"mail":"rejected"'),
        ["log-damaged"],
    ),
    "the last event's patch changed": (
        lambda store, folder: edit(folder / "events.jsonl", b'"revision":4', b'"revision":5'),
        ["log-inconsistent"],
    ),
    "the last event cut off": (lambda store, folder: cut_last_line(folder / "events.jsonl"), ["log-torn", "log-cut"]),
    "a line added": (
        lambda store, folder: (folder / "events.jsonl").open("ab").write(b"hello\n"),
        ["log-damaged"],
    ),
    "a torn line": (
        lambda store, folder: (folder / "events.jsonl").open("ab").write(b'{"seq":5,"at"'),
        ["log-torn"],
    ),
    "metadata gone": (lambda store, folder: (folder / "metadata.json").unlink(), ["metadata-gone"]),
    "metadata half saved": (lambda store, folder: edit(folder / "metadata.json", b"}\n", b""), ["metadata-unreadable"]),
    "metadata of a wrong type": (
        lambda store, folder: edit(folder / "metadata.json", b'"copies": 1', b'"copies": "one"'),
        ["metadata-unreadable"],
    ),
    "metadata edited": (
        lambda store, folder: edit(folder / "metadata.json", b'"notes": ""', b'"notes": "hello"'),
        ["metadata-edited"],
    ),
    "status edited": (
        lambda store, folder: edit(folder / "metadata.json", b'"status": "Pending"', b'"status": "Printing"'),
        ["metadata-edited"],
    ),
    "white space edited": (lambda store, folder: edit(folder / "metadata.json", b"\n", b"\r\n"), []),
    "dragged": (lambda store, folder: folder.rename(store.layout.root / "Printing" / folder.name), ["moved-by-hand"]),
    "renamed": (lambda store, folder: folder.rename(folder.with_name("Jane")), []),
    "copied": (lambda store, folder: shutil.copytree(folder, folder.with_name("Copy of Jane")), ["duplicate"]),
    "an announced move that happened": (
        lambda store, folder: write_intent(store.layout, folder, folder.parent, 4, folder.name[-8:]),
        ["move-pending"],
    ),
    "an announced move that never happened": (
        lambda store, folder: write_intent(store.layout, folder, folder.parent, 5, folder.name[-8:]),
        ["intent-stale"],
    ),
    "a move of nobody": (
        lambda store, folder: write_intent(store.layout, folder, folder.parent, 5, "00000000"),
        ["intent-stale"],
    ),
    "a line in the log of pruned jobs that somebody edited": (
        lambda store, folder: write_year_log(store, b'{"key":"0"}\n'),
        ["pruned-log"],
    ),
    "a line in the log of pruned jobs that was cut off": (lambda store, folder: write_year_log(store, b'{"key":'), []),
    "an interrupted submission": (lambda store, folder: (store.layout.staging / "00000000").mkdir(), ["staging-left"]),
    "an original gone": (lambda store, folder: original(folder).unlink(), ["original-missing"]),
    "an original cut": (lambda store, folder: original(folder).write_bytes(b"solid"), ["original-altered"]),
    "the print file gone": (lambda store, folder: (folder / f"{folder.name}.stl").unlink(), ["print-file-missing"]),
    "the working copy saved over": (lambda store, folder: overwrite(folder / f"{folder.name}.stl"), []),
    "a slicer's file beside it": (lambda store, folder: (folder / "part.gcode").write_bytes(b"G1"), []),
    "a loose file": (lambda store, folder: (folder.parent / "gear.stl").write_bytes(b"solid"), ["loose-file"]),
    "an editor's and a file manager's litter": (
        lambda store, folder: [(folder.parent / name).write_bytes(b"") for name in ("Thumbs.db", ".DS_Store", "x.tmp")],
        [],
    ),
    "a NAS's and a sync program's clutter": (
        lambda store, folder: [
            shutil.copytree(folder / "original", place / name)
            for place in (folder, folder.parent)
            for name in ("@eaDir", "#recycle", "$RECYCLE.BIN", "System Volume Information", "lost+found", ".stversions")
        ],
        [],
    ),
    "a sync program's second version of the record": (
        lambda store, folder: shutil.copy2(folder / "metadata.json", folder / "metadata-PC2.json"),
        ["record-conflict"],
    ),
    "a job's folder put into it": (
        lambda store, folder: next(
            other for other in (store.layout.root / "Uploaded").iterdir() if other != folder
        ).rename(folder / "Bystander_00000000"),
        ["job-inside"],
    ),
    "a folder in a folder in it": (lambda store, folder: (folder / "plates" / "old").mkdir(parents=True), ["odd-file"]),
    "a new folder": (lambda store, folder: (folder.parent / "New folder").mkdir(), ["not-a-job"]),
    "both records gone": (
        lambda store, folder: [(folder / name).rename(folder / f"{name}.old") for name in RECORD],
        ["unreadable"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", DAMAGE)
def test_damage_is_reported_and_left_as_it_is(case: str, store: JobStore) -> None:
    job = make_job(store, status=Status.PENDING)
    make_job(store, name="Bystander")
    damage, kinds = DAMAGE[case]
    damage(store, job.folder)
    before = everything(store.layout.root)
    findings = check_storage(store)
    assert [item.kind for item in findings] == kinds
    assert everything(store.layout.root) == before
    for item in findings:
        assert item.sentence.endswith(".")
        assert item.job_id in (job.id, None, "00000000")
        assert item.as_json()["fixes"] == list(item.fixes)


def test_a_metadata_that_lags_is_told_as_an_interrupted_change(store: JobStore) -> None:
    job = make_job(store)
    older = (job.folder / "metadata.json").read_bytes()
    noted = act(store, job.id, "notes")
    (noted.folder / "metadata.json").write_bytes(older)
    assert [item.kind for item in check_storage(store)] == ["metadata-behind"]
    store.load(job.id)
    assert check_storage(store) == []


def test_deep_reads_every_original(store: JobStore) -> None:
    job = make_job(store)
    overwrite(original(job.folder))
    assert check_storage(store) == []
    (finding,) = check_storage(store, deep=True)
    assert (finding.kind, finding.fixes) == ("original-altered", ("restore-original",))


def test_what_recovery_puts_right_is_clean_afterwards(jobs: list[Stored], store: JobStore) -> None:
    with (jobs[0].folder / "events.jsonl").open("ab") as log:
        log.write(b'{"seq":3,"at":"torn')
    (jobs[1].folder / "metadata.json").unlink()
    write_intent(store.layout, jobs[2].folder, jobs[2].folder.parent, 99, jobs[2].id)
    write_intent(store.layout, jobs[3].folder, jobs[3].folder.parent, 1, "00000000")
    shutil.copytree(jobs[4].folder, store.layout.staging / "11111111")
    assert len(check_storage(store)) == 5
    recover_all(store)
    for job in jobs:
        store.load(job.id)
    assert check_storage(store) == []


def test_a_storage_that_is_away_cannot_be_checked(store: JobStore) -> None:
    fs.remove_tree(store.layout.root)
    with pytest.raises(StorageOffline):
        check_storage(store)


# -- the mirror ---------------------------------------------------------------------------------------------------


def test_a_mirror_that_follows_is_clean(
    jobs: list[Stored], store: JobStore, mirror: Mirror, queries: Queries, engine: sa.Engine
) -> None:
    sync(store, mirror, queries)
    assert check(store, engine, deep=True) == []


@pytest.mark.parametrize(
    ("change", "kinds"),
    [
        ("DELETE FROM jobs WHERE status = 'Pending'", {"mirror-missing", "mirror-counts"}),
        (
            "UPDATE jobs SET document = document || '{\"status\": \"Pending\"}' WHERE status = 'Printing'",
            {"mirror-differs", "mirror-counts"},
        ),
        ("UPDATE jobs SET revision = revision - 1 WHERE status = 'Printing'", {"mirror-differs"}),
        ("DELETE FROM events WHERE seq = 2", {"mirror-differs"}),
        ("DELETE FROM files", {"mirror-differs"}),
        ("UPDATE jobs SET document = document || '{\"notes\": \"x\"}' WHERE status = 'Printing'", {"mirror-differs"}),
        ("UPDATE job_counts SET n = n + 1 WHERE status = 'Uploaded'", {"mirror-counts"}),
    ],
)
def test_a_mirror_that_tells_otherwise_is_found(
    change: str,
    kinds: set[str],
    jobs: list[Stored],
    store: JobStore,
    mirror: Mirror,
    queries: Queries,
    engine: sa.Engine,
) -> None:
    sync(store, mirror, queries)
    with engine.begin() as connection:
        connection.execute(sa.text(change.replace(":", "\\:")))
    assert {item.kind for item in check_mirror(store, engine, deep=True)} == kinds


def test_a_row_without_a_folder_is_found(
    jobs: list[Stored], store: JobStore, mirror: Mirror, queries: Queries, engine: sa.Engine
) -> None:
    sync(store, mirror, queries)
    fs.remove_tree(jobs[0].folder)
    (finding,) = check(store, engine)
    assert (finding.kind, finding.job_id) == ("mirror-extra", jobs[0].id)


# -- the command --------------------------------------------------------------------------------------------------


@pytest.fixture
def run_check(
    store: JobStore, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., int]:
    monkeypatch.setenv("PRINTSYS_STORAGE", str(store.layout.root))
    monkeypatch.setenv("PRINTSYS_INSTANCE", str(tmp_path / "instance"))
    monkeypatch.setenv("DATABASE_URL", database_url)

    def run(*arguments: str) -> int:
        parser = ArgumentParser()
        command.add_arguments(parser)
        return command.run(parser.parse_args(arguments))

    return run


def test_exit_codes_say_clean_findings_or_could_not_run(
    jobs: list[Stored],
    store: JobStore,
    mirror: Mirror,
    queries: Queries,
    run_check: Callable[..., int],
    database_url: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    sync(store, mirror, queries)
    assert run_check("--deep") == 0
    assert capsys.readouterr().out == "Storage and mirror are whole.\n"
    (jobs[0].folder / "metadata.json").unlink()
    assert run_check() == 1
    assert capsys.readouterr().out.startswith("metadata-gone: metadata.json of job")
    assert run_check("--json") == 1
    report = json.loads(capsys.readouterr().out)
    assert [(item["kind"], item["job_id"], item["fixes"]) for item in report["findings"]] == [
        ("metadata-gone", jobs[0].id, ["restore-metadata"])
    ]
    drop_database(database_url)
    assert run_check() == 2
    captured = capsys.readouterr()
    assert "metadata-gone" in captured.out
    assert "The mirror could not be checked" in captured.err


def test_a_check_sets_nothing_up(
    run_check: Callable[..., int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRINTSYS_STORAGE", str(tmp_path / "nothing here"))
    monkeypatch.setenv("PRINTSYS_INSTANCE", str(tmp_path / "other"))
    with pytest.raises(StorageOffline):
        run_check()
    assert not (tmp_path / "nothing here").exists()


def test_a_mirror_that_is_down_is_no_finding(store: JobStore, engine: sa.Engine, database_url: str) -> None:
    drop_database(database_url)
    with pytest.raises(MirrorDown):
        check(store, engine)


def test_links_are_not_followed(store: JobStore, tmp_path: Path) -> None:
    job = make_job(store)
    outside = tmp_path / "outside"
    outside.mkdir()
    link(store.layout.status(Status.UPLOADED) / "link", outside)
    assert [item.kind for item in check_storage(store)] == ["loose-file"]
    assert store.load(job.id).job.status is Status.UPLOADED


def test_repair_does_what_is_safe_and_leaves_what_needs_a_decision(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store = make_store(tmp_path)
    lost, dragged, ruined, skipped = (
        make_job(store, name, status=status)
        for name, status in [
            ("Ada", Status.UPLOADED),
            ("Bea", Status.READY_TO_PRINT),
            ("Cem", Status.UPLOADED),
            ("Dee", Status.COMPLETED),
        ]
    )
    (lost.folder / "metadata.json").unlink()
    dragged.folder.rename(store.layout.status(Status.PRINTING) / dragged.folder.name)
    (ruined.folder / "metadata.json").write_text("{ half", "utf-8")
    skipped.folder.rename(store.layout.status(Status.PAID_PICKED_UP) / skipped.folder.name)
    monkeypatch.setenv("PRINTSYS_STORAGE", str(tmp_path / "storage"))
    monkeypatch.setenv("PRINTSYS_INSTANCE", str(tmp_path / "instance"))
    monkeypatch.setenv("DATABASE_URL", database_url)
    arguments = argparse.Namespace(repair=True, deep=False, json=False, progress=False, storage=None)
    assert command.run(arguments) == command.FINDINGS
    output = capsys.readouterr().out
    assert store.load(lost.id).events[-1].type == "MetadataRestored"
    assert store.load(dragged.id).job.status is Status.PRINTING
    assert (ruined.folder / "metadata.json").read_text("utf-8") == "{ half", "a person's text is never overwritten"
    assert {line.partition(":")[0] for line in output.splitlines()} == {"metadata-unreadable", "facts-missing"}
