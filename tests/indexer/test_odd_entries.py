"""One odd entry is its own job's trouble: it stops nothing and nobody else. (FAULTS R4)"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from indexer.attention import AttentionItem
from indexer.check import check_storage
from indexer.index import Mirror
from indexer.queries import Queries
from indexer.rebuild import reindex
from indexer.reconcile import Reconciler
from indexer.sweep import Sweeper
from printsys import fs
from printsys.domain.events import EventDraft, EventType, build_batch
from printsys.domain.status import Status
from printsys.jobstore import JobStore, Stored
from printsys.jobstore.layout import readable
from printsys.jobstore.recovery import recover_all
from printsys.jobstore.restore import restore_metadata, restore_record
from tests.factories import act, context, make_job, sync
from tests.mirrored import mirrored_job
from tests.refused import modes_bind_root
from tests.running_indexer import running_indexer
from tests.waiting import until

posix_only = pytest.mark.skipif(os.name != "posix", reason="such entries exist on POSIX only")
pytestmark = posix_only


def rename_in_latin_1(stored: Stored) -> None:
    os.rename(os.fsencode(stored.folder), os.fsencode(stored.folder.parent) + b"/caf\xe9 " + stored.id.encode())


def rename_with_its_id_in_latin_1(stored: Stored) -> None:
    os.rename(os.fsencode(stored.folder), os.fsencode(stored.folder.parent) + b"/caf\xe9_" + stored.id.encode())


def add_a_file_in_latin_1(stored: Stored) -> None:
    Path(os.fsdecode(os.fsencode(stored.folder) + b"/caf\xe9.gcode")).write_bytes(b"; a file")


def replace_by(name: str, make: Callable[[Path], object]) -> Callable[[Stored], None]:
    def replace(stored: Stored) -> None:
        path = stored.folder / name
        path.unlink(missing_ok=True)
        make(path)

    return replace


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


def make_socket(path: Path) -> None:
    here = os.open(path.parent, os.O_RDONLY)  # a socket's whole path may have 107 bytes
    try:
        with socket.socket(socket.AF_UNIX) as new:
            new.bind(f"/proc/self/fd/{here}/{path.name}")
    finally:
        os.close(here)


ODD = {
    "name": (rename_in_latin_1, "odd-name"),
    "name-with-id": (rename_with_its_id_in_latin_1, "odd-name"),
    "file-name": (add_a_file_in_latin_1, "odd-file"),
    "pipe": (replace_by("plate.gcode", make_pipe), "odd-file"),
    "socket": (replace_by("plate.gcode", make_socket), "odd-file"),
    "metadata-folder": (replace_by("metadata.json", Path.mkdir), "metadata-unreadable"),
    "metadata-pipe": (replace_by("metadata.json", make_pipe), "metadata-unreadable"),
    "metadata-socket": (replace_by("metadata.json", make_socket), "metadata-unreadable"),
    "log-folder": (replace_by("events.jsonl", Path.mkdir), "log-damaged"),
    "log-pipe": (replace_by("events.jsonl", make_pipe), "log-damaged"),
    "schema": (replace_by("metadata.json", lambda path: path.write_bytes(b"[]")), "metadata-unreadable"),
}


@pytest.fixture(params=ODD)
def odd(request: pytest.FixtureRequest, store: JobStore) -> tuple[Stored, Stored, str]:
    """A job with an odd entry, a usual one, and the kind of the item."""
    make_odd, kind = ODD[request.param]
    stored, usual = make_job(store), make_job(store, name="Usual One")
    make_odd(stored)
    return stored, usual, kind


def about(items: list[AttentionItem], job_id: str) -> list[str]:
    return [item.kind for item in items if job_id in (item.job_id, (item.folder or "")[-8:])]


def test_a_sweep_raises_an_odd_entry_and_goes_on(
    odd: tuple[Stored, Stored, str], store: JobStore, mirror: Mirror, queries: Queries
) -> None:
    stored, usual, kind = odd
    report = sync(store, mirror, queries)
    assert kind in about(report.attention, stored.id)
    assert about(report.attention, usual.id) == []
    assert {item.kind for item in queries.attention()} >= {kind}
    assert all(item.sentence.isprintable() for item in queries.attention())
    assert mirrored_job(queries, usual.id) is not None
    assert mirrored_job(queries, stored.id) is not None


def test_a_rebuild_raises_an_odd_entry_and_goes_on(
    odd: tuple[Stored, Stored, str], store: JobStore, engine: sa.Engine, queries: Queries
) -> None:
    _, usual, _ = odd
    reindex(store, engine)
    assert mirrored_job(queries, usual.id) is not None


def test_check_raises_an_odd_entry_and_goes_on(odd: tuple[Stored, Stored, str], store: JobStore) -> None:
    stored, usual, kind = odd
    for deep in (False, True):
        items = check_storage(store, deep)
        assert kind in about(items, stored.id)
        assert about(items, usual.id) == []


def test_without_the_mirror_an_odd_entry_stops_nothing(
    odd: tuple[Stored, Stored, str], store: JobStore, mirror: Mirror
) -> None:
    _, usual, _ = odd
    act(store, usual.id, "approve")
    folder = store.find(usual.id)
    folder.rename(store.layout.status(Status.UPLOADED) / folder.name)
    assert usual.id in Sweeper(store, mirror, Reconciler(store, lambda: context(store))).record_only()
    assert store.load(usual.id).job.status is Status.UPLOADED


def test_recovery_of_one_job_stops_no_other(odd: tuple[Stored, Stored, str], store: JobStore) -> None:
    stored, usual, _ = odd
    for job_id in (stored.id, usual.id):
        store.layout.intent(job_id).write_bytes(b'{"seq": 99}')
    assert usual.id in recover_all(store)


def test_the_indexer_follows_others_beside_an_odd_entry(
    odd: tuple[Stored, Stored, str], store: JobStore, engine: sa.Engine, queries: Queries
) -> None:
    _, usual, _ = odd
    with running_indexer(store, engine):
        folder = store.find(usual.id)
        fs.rename_folder(folder, store.layout.status(Status.PENDING) / folder.name)
        until(lambda: store.load(usual.id).job.status is Status.PENDING)


def test_a_record_that_nobody_foresaw_is_raised_and_stops_nothing(
    store: JobStore, mirror: Mirror, queries: Queries
) -> None:
    """Its log is whole, and what it leads to is no job."""
    stored, usual = make_job(store), make_job(store, name="Usual One")
    forged = EventDraft(EventType.NOTES_EDITED, "staff", {}, {"student": 5})
    batch = build_batch([forged], stored.document, stored.log.seq, stored.log.last_line, store.clock())
    fs.append(stored.folder / "events.jsonl", batch.lines, stored.log.length)
    (stored.folder / "metadata.json").write_bytes(batch.metadata)
    report = sync(store, mirror)
    assert about(report.attention, stored.id) == ["not-followed"]
    assert mirrored_job(queries, usual.id) is not None
    assert about(check_storage(store), stored.id) == ["unreadable"]
    act(store, usual.id, "approve")


@pytest.mark.parametrize("make", [make_pipe, Path.mkdir, make_socket])
def test_only_regular_files_are_opened(tmp_path: Path, make: Callable[[Path], object]) -> None:
    path = tmp_path / "entry"
    make(path)
    for open_it in (fs.read, fs.read_if_there, fs.open_regular):
        with pytest.raises(fs.NotAFile):
            open_it(path)


def test_a_job_with_an_odd_name_goes_on_under_a_readable_one(store: JobStore, mirror: Mirror, queries: Queries) -> None:
    stored = make_job(store)
    rename_with_its_id_in_latin_1(stored)
    sync(store, mirror)
    renamed = store.load(stored.id)
    assert renamed.events[-1].type == EventType.FOLDER_RENAMED
    assert renamed.events[-1].data["to"] == f"caf\\xe9_{stored.id}"
    row = mirrored_job(queries, stored.id)
    assert row is not None and row.folder == f"Uploaded/caf\\xe9_{stored.id}"
    assert store.layout.find(row.folder) == renamed.folder
    assert act(store, stored.id, "approve").folder_status is Status.PENDING
    assert sync(store, mirror).news == []


@pytest.mark.parametrize("make", [make_pipe, Path.mkdir])
def test_staff_put_back_what_is_no_file(store: JobStore, make: Callable[[Path], object]) -> None:
    for name, restore in (
        ("metadata.json", restore_metadata),
        ("events.jsonl", lambda s, i: restore_record(s, i, "staff")),
    ):
        stored = make_job(store)
        replace_by(name, make)(stored)
        restored = restore(store, stored.id)
        assert restored.problem is None
        assert [path.name for path in (stored.folder / "aside").iterdir()] == [name]
        assert store.load(stored.id).problem is None


def test_a_folder_that_nobody_may_read_hides_no_other_job(store: JobStore, mirror: Mirror) -> None:
    stored, usual = make_job(store), make_job(store, name="Usual One")
    usual.folder.rename(usual.folder.parent / "renamed by hand")
    with mirror.engine.connect(), mirror.engine.connect():
        pass  # the pool keeps these two: where modes bind root, too, it may not pass PostgreSQL's folder
    stored.folder.chmod(0)
    try:
        with modes_bind_root():
            assert store.find(usual.id).name == "renamed by hand"
            assert about(sync(store, mirror).attention, stored.id) == ["not-followed"]
            make_job(store, name="A New One")
    finally:
        stored.folder.chmod(0o755)


def test_names_that_are_no_text_are_shown_readable() -> None:
    assert readable(os.fsdecode(b"caf\xe9")) == "caf\\xe9"
    assert readable("café") == "café"
    assert readable("half \ud83d") == "half \\ud83d"


def test_a_pipe_for_a_record_never_holds_a_thread(store: JobStore) -> None:
    stored = make_job(store)
    replace_by("metadata.json", make_pipe)(stored)
    loaded: list[Stored] = []
    thread = threading.Thread(target=lambda: loaded.append(store.load(stored.id)), daemon=True)
    thread.start()
    until(lambda: bool(loaded))
    assert loaded[0].problem is not None
