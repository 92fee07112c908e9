"""Of several folders with one id, one is the job: pages, check, rebuild and sweep name the same one.

FAULTS section 1, point 3: the dashboard and `check` named opposite folders as the copy.
"""

from __future__ import annotations

import shutil
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
from printsys.domain.status import Status
from printsys.jobstore import JobStore, Stored
from tests.factories import act, context, make_job, make_store, sync
from tests.mirrored import mirrored_job
from tests.present import present

Copying = Callable[[JobStore, Stored], tuple[Path, list[Path]]]
"""Makes copies of the job's folder; returns where the job is then, and the copies."""


def beside_it(store: JobStore, job: Stored) -> tuple[Path, list[Path]]:
    names = ("A copy", f"{job.folder.name} - Copy", f"AAA_{job.folder.name}", f"ZZZ_{job.folder.name}")
    return job.folder, [Path(shutil.copytree(job.folder, job.folder.with_name(name))) for name in names]


def into_other_statuses(store: JobStore, job: Stored) -> tuple[Path, list[Path]]:
    statuses = (Status.UPLOADED, Status.PRINTING, Status.ARCHIVED)
    targets = [store.layout.status(status) / job.folder.name for status in statuses]
    return job.folder, [Path(shutil.copytree(job.folder, target)) for target in targets]


def of_a_renamed_folder(store: JobStore, job: Stored) -> tuple[Path, list[Path]]:
    renamed = job.folder.with_name("Jane's bracket")
    job.folder.rename(renamed)
    Reconciler(store, lambda: context(store)).reconcile(job.id)
    return renamed, [Path(shutil.copytree(renamed, renamed.with_name("A copy")))]


def of_a_dragged_folder(store: JobStore, job: Stored) -> tuple[Path, list[Path]]:
    copy = Path(shutil.copytree(job.folder, job.folder.with_name("A copy")))
    moved = store.layout.status(Status.PRINTING) / job.folder.name
    job.folder.rename(moved)
    return moved, [copy]


def before_it_was_approved(store: JobStore, job: Stored) -> tuple[Path, list[Path]]:
    """An older copy in its old place lies where its record says, too."""
    older = store.layout.root / "older"
    shutil.copytree(job.folder, older)
    confirmed = act(store, job.id, "confirm").folder
    older.rename(job.folder)
    return confirmed, [job.folder]


def named(items: list[AttentionItem], store: JobStore) -> set[tuple[Path, str]]:
    """The copies, and the sentences, which name the job's folder."""
    return {(store.layout.root / str(item.folder), item.sentence) for item in items if item.kind == "duplicate"}


@pytest.mark.parametrize(
    "copying", [beside_it, into_other_statuses, of_a_renamed_folder, of_a_dragged_folder, before_it_was_approved]
)
def test_page_check_rebuild_and_sweep_name_the_same_folders_as_copies(
    store: JobStore, mirror: Mirror, queries: Queries, engine: sa.Engine, tmp_path: Path, copying: Copying
) -> None:
    job = make_job(store, status=Status.PENDING)
    folder, copies = copying(store, job)
    checked = check_storage(store)
    assert {copy for copy, _ in named(checked, store)} == set(copies)
    kinds_of_copies = [item.kind for item in checked if store.layout.root / str(item.folder) in copies]
    assert kinds_of_copies == ["duplicate"] * len(copies), "nothing else is said of a copy"
    for look in (lambda: sync(make_store(tmp_path), mirror), lambda: reindex(store, engine), lambda: None):
        look()
        assert named(queries.attention(), store) == named(check_storage(store), store)
        assert {copy for copy, _ in named(queries.attention(), store)} == set(copies)
        assert present(mirrored_job(queries, job.id)).folder == store.layout.relative(folder)
        assert {store.find(job.id), make_store(tmp_path).find(job.id)} == {folder}


def ask_for_ready(folder: Path) -> None:
    metadata = folder / "metadata.json"
    metadata.write_bytes(metadata.read_bytes().replace(b'"status": "Pending"', b'"status": "ReadyToPrint"'))


def truncate(folder: Path) -> None:
    """As an editor does for a moment, before it writes."""
    (folder / "metadata.json").write_bytes(b"")


@pytest.mark.parametrize("edit", [ask_for_ready, truncate])
def test_an_edit_of_the_jobs_metadata_makes_no_copy_the_job(
    store: JobStore, mirror: Mirror, queries: Queries, tmp_path: Path, edit: Callable[[Path], None]
) -> None:
    job = make_job(store, status=Status.PENDING)
    copy = Path(shutil.copytree(job.folder, store.layout.status(Status.UPLOADED) / job.folder.name))
    before = (copy / "events.jsonl").read_bytes()
    edit(job.folder)
    assert {store.find(job.id), make_store(tmp_path).find(job.id)} == {job.folder}
    assert {folder for folder, _ in named(check_storage(store), store)} == {copy}
    sync(make_store(tmp_path), mirror)
    assert {folder for folder, _ in named(queries.attention(), store)} == {copy}
    assert (copy / "events.jsonl").read_bytes() == before, "nothing is recorded in the copy"


def test_a_status_written_into_a_copy_does_not_make_it_the_job(store: JobStore, tmp_path: Path) -> None:
    job = make_job(store, status=Status.PENDING)
    copy = Path(shutil.copytree(job.folder, store.layout.status(Status.UPLOADED) / job.folder.name))
    metadata = copy / "metadata.json"
    metadata.write_bytes(metadata.read_bytes().replace(b'"status": "Pending"', b'"status": "Uploaded"'))
    assert make_store(tmp_path).find(job.id, near=copy) == job.folder
    assert {folder for folder, _ in named(check_storage(store), store)} == {copy}
