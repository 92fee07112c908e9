"""What commit e2e1f9b wrote, storage and mirror, is read, verified and continued (see tests/data/README.md)."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from indexer import migrate, rows
from indexer.check import check_storage
from indexer.check_mirror import check_mirror
from indexer.index import Mirror
from indexer.migrate import SCRIPTS
from indexer.queries import Queries
from indexer.rebuild import reindex
from indexer.schema import create_engine, jobs
from printsys.domain.events import sha256
from printsys.domain.job import metadata_bytes
from printsys.domain.payments import NOTHING, ledger
from printsys.domain.status import Status
from printsys.jobstore import JobStore
from printsys.jobstore.files import signature
from printsys.jobstore.repair import whole_log
from tests.factories import act, make_store, sync
from tests.fixtures_db import drop_database

DATA = Path(__file__).resolve().parents[1] / "data"
STORAGE = DATA / "storage-e2e1f9b"
FOLDERS = sorted(path.parent for path in STORAGE.glob("*/*/metadata.json"))
OPEN = [("facts-missing", "Ida"), ("mail-failed", "Gus")]
NEXT = {
    Status.UPLOADED: "approve",
    Status.PENDING: "confirm",
    Status.READY_TO_PRINT: "start",
    Status.PRINTING: "complete",
    Status.COMPLETED: "pickup",
    Status.PAID_PICKED_UP: "archive",
    Status.REJECTED: "archive",
    Status.ARCHIVED: "override",
}
OVERRIDE = {"status": "Completed", "reason": "It is needed again."}


@pytest.fixture
def store(tmp_path: Path) -> JobStore:
    """The old storage, as a newer version finds it at its first start."""
    shutil.copytree(STORAGE, tmp_path / "storage")
    store = make_store(tmp_path)
    store.layout.make()
    return store


def test_there_is_a_job_in_every_status() -> None:
    assert {folder.parent.name for folder in FOLDERS} == set(Status)


# -- the folders ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_log_folds_to_the_very_bytes_of_its_metadata(folder: Path) -> None:
    metadata = (folder / "metadata.json").read_bytes()
    log = whole_log(folder, json.loads(metadata)["id"])
    assert metadata_bytes(log.document()) == metadata
    assert log.state == sha256(metadata)
    for file in json.loads(metadata)["files"]:
        assert sha256((folder / file["name"]).read_bytes()) == file["sha256"]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_job_loads_unchanged_and_goes_on(folder: Path, store: JobStore) -> None:
    job_id = json.loads((folder / "metadata.json").read_bytes())["id"]
    stored = store.load(job_id)
    assert (stored.problem, stored.move_pending, stored.asked_by_hand, stored.noticed) == (None, None, None, None)
    for name in ("metadata.json", "events.jsonl"):
        assert (stored.folder / name).read_bytes() == (folder / name).read_bytes()

    action = NEXT[stored.job.status]
    form = OVERRIDE if action == "override" else {}
    after = act(store, job_id, action, expected_revision=stored.job.revision, **form)
    assert after.job.revision > stored.job.revision and after.job.status != stored.job.status
    assert after.folder.parent.name == after.job.status
    log = (after.folder / "events.jsonl").read_bytes()
    assert log.startswith((folder / "events.jsonl").read_bytes())
    assert metadata_bytes(whole_log(after.folder, job_id).document()) == (after.folder / "metadata.json").read_bytes()


PAID = [folder for folder in FOLDERS if json.loads((folder / "metadata.json").read_bytes()).get("payment")]


@pytest.mark.parametrize("folder", PAID, ids=lambda folder: folder.name)
def test_what_was_paid_then_is_settled_and_can_be_given_back(folder: Path, store: JobStore) -> None:
    stored = store.load(json.loads((folder / "metadata.json").read_bytes())["id"])
    assert (ledger(stored.job).paid, ledger(stored.job).due) == (Decimal("3.00"), NOTHING)
    after = act(store, stored.id, "refund", amount="1.00")
    assert (ledger(after.job).paid, ledger(after.job).due) == (Decimal("2.00"), NOTHING)
    assert (
        metadata_bytes(whole_log(after.folder, stored.id).document()) == (after.folder / "metadata.json").read_bytes()
    )


def test_a_check_finds_nothing_but_what_was_open(store: JobStore) -> None:
    items = check_storage(store, deep=True)
    assert [(item.kind, item.sentence.split()[0]) for item in items] == OPEN


def test_the_mirror_is_built_and_a_sweep_records_nothing(
    store: JobStore, mirror: Mirror, queries: Queries, engine: sa.Engine
) -> None:
    assert reindex(store, engine).jobs == len(FOLDERS)
    assert check_mirror(store, engine, deep=True) == []
    report = sync(store, mirror, queries)
    assert (report.news, report.changed, report.removed) == ([], 0, 0)
    assert sorted((item.kind, item.sentence.split()[0]) for item in queries.attention()) == OPEN


# -- the mirror -------------------------------------------------------------------------------------------------------


@pytest.fixture
def old_mirror(postgres_server: str) -> Iterator[sa.Engine]:
    """The database as that commit left it."""
    url = sa.make_url(postgres_server).set(database="mirror_of_e2e1f9b").render_as_string(hide_password=False)
    tables: dict[str, list[dict[str, Any]]] = json.loads((DATA / "mirror-e2e1f9b.json").read_text("utf-8"))
    migrate.upgrade(url)  # makes the database
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.text("DROP SCHEMA public CASCADE; CREATE SCHEMA public"))
        config = Config()
        config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
        config.attributes["connection"] = connection
        command.upgrade(config, "0002")
        for table, values in tables.items():
            row_type = f"CAST(NULL AS {table})"
            fill = f"INSERT INTO {table} SELECT * FROM jsonb_populate_recordset({row_type}, CAST(:values AS jsonb))"
            connection.execute(sa.text(fill), {"values": json.dumps(values)})
    yield engine
    engine.dispose()
    drop_database(url)


def everything(queries: Queries) -> dict[str, Any]:
    """All that pages and scripts read."""
    jobs_found = queries.jobs(limit=1000)
    return {
        "jobs": jobs_found,
        "by status": {status: queries.jobs(status, oldest_first=True) for status in Status},
        "values": queries.values(limit=1000),
        "found": {
            q: queries.jobs(q=q) for q in ("jose", "example.edu", "mech 3120", "gear", *(row.id for row in jobs_found))
        },
        "counts": queries.counts(),
        "live": sorted(queries.live()),
        "ended": queries.ended(list(Status), jobs_found[3].job.status_since, 100),
        "attention": queries.attention(),
        "mail": queries.mail_waiting(),
    }


def test_an_old_mirror_is_taken_over_with_the_same_jobs(
    old_mirror: sa.Engine, store: JobStore, engine: sa.Engine
) -> None:
    migrate.upgrade(old_mirror.url.render_as_string(hide_password=False))
    reindex(store, engine)
    sync(store, Mirror(engine))
    assert len(Queries(old_mirror).jobs()) == len(FOLDERS)
    before, rebuilt = everything(Queries(old_mirror)), everything(Queries(engine))
    assert before | {"attention": []} == rebuilt | {"attention": []}
    assert check_mirror(store, old_mirror, deep=True) == []
    assert sync(store, Mirror(old_mirror)).changed == 0
    assert everything(Queries(old_mirror)) == rebuilt, "the first look has written what needs a person in today's words"


def test_a_value_that_a_person_spelled_otherwise_is_put_right_by_the_next_sweep(
    old_mirror: sa.Engine, store: JobStore
) -> None:
    (folder,) = store.layout.status(Status.PENDING).iterdir()
    metadata = folder / "metadata.json"
    edited = json.loads(metadata.read_bytes())
    edited["estimate"]["cost"], edited["reviewed_at"] = " 1e1", "2026-03-15 09:30Z"
    metadata.write_text(json.dumps(edited), "utf-8")
    record = rows.record_of(store.layout, store.load(edited["id"]))
    for path in (metadata, folder / "events.jsonl"):
        os.utime(path, (0, 0))
    row = {
        "id": record.id,
        "document": json.dumps(record.document),
        "digest": record.digest,
        "log_size": record.log_size,
        "signature": signature(folder),
    }
    as_the_old_version_had_it = sa.text(
        "UPDATE jobs SET document = CAST(:document AS jsonb), digest = :digest, log_size = :log_size, "
        "signature = :signature WHERE id = :id"
    )
    with old_mirror.begin() as connection:
        connection.execute(as_the_old_version_had_it, row)
    migrate.upgrade(old_mirror.url.render_as_string(hide_password=False))
    sync(store, Mirror(old_mirror))
    with old_mirror.connect() as connection:
        values = sa.select(jobs.c.cost, jobs.c.reviewed_at).where(jobs.c.id == record.id)
        assert tuple(connection.execute(values).one()) == (10, "2026-03-15T09:30:00Z")
