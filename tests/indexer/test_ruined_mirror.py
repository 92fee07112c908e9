"""Tables that a failing disk ruined are built again from the folders, by themselves. (FAULTS R12)"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from indexer import migrate
from indexer.connection import RUIN_NOTE, reading
from indexer.queries import Queries
from indexer.schema import create_engine
from indexer.service import MOST_FAILED_BUILDS, Service
from printsys.backoff import BackOff
from printsys.commands.index import replace_database
from printsys.config import Settings, load_settings
from printsys.errors import MirrorDown
from printsys.jobstore import JobStore
from printsys.ops.postgres import PostgresServer, embedded_postgres
from tests.factories import context, make_job
from tests.mirrored import mirrored_events, mirrored_job
from tests.waiting import until


@pytest.fixture
def settings() -> Iterator[Settings]:
    """Not under pytest's own folder: run as root the server is another user's, who may not go in there."""
    with tempfile.TemporaryDirectory(prefix="printsys-tests-") as folder:
        here = Path(folder)
        values = {"PRINTSYS_STORAGE": str(here / "storage"), "PRINTSYS_INSTANCE": str(here / "instance")}
        yield load_settings(values, here)


def overwrite(path: Path) -> None:
    path.write_bytes(os.urandom(8192) * max(1, path.stat().st_size // 8192))


def ticks_until(service: Service, condition: Callable[[], bool]) -> None:
    def holds() -> bool:
        service.tick()
        return condition()

    until(holds, 60)


@pytest.mark.parametrize(
    ("table", "ruin"),
    [
        ("jobs", overwrite),
        ("jobs", Path.unlink),
        ("jobs_pkey", overwrite),
        ("events", overwrite),
        ("attention", Path.unlink),
        ("mirror_state", overwrite),
        ("alembic_version", overwrite),
        ("pg_class", overwrite),
        ("pg_attribute", Path.unlink),
    ],
)
def test_ruined_tables_are_built_again(
    settings: Settings, store: JobStore, table: str, ruin: Callable[[Path], object]
) -> None:
    stored = make_job(store)
    with embedded_postgres(settings.instance) as url:
        engine = create_engine(url)
        Service(store, engine, lambda: context(store)).tick()
        with engine.connect() as connection:
            path = connection.execute(sa.select(sa.func.pg_relation_filepath(table))).scalar_one()
        engine.dispose()
    ruin(settings.instance / "postgres" / path)
    with embedded_postgres(settings.instance) as url:
        engine = create_engine(url)
        with_database = settings.model_copy(update={"database_url": url})
        service = Service(
            store, engine, lambda: context(store), replace_database=lambda: replace_database(with_database)
        )
        queries = Queries(engine)

        def is_back() -> bool:
            try:  # as pages ask
                queries.mail_waiting()
                queries.attention()
                row = mirrored_job(queries, stored.id)
                return row is not None and len(mirrored_events(queries, stored.id)) == stored.job.revision
            except MirrorDown:
                return False

        ticks_until(service, is_back)
        assert migrate.current(url) is not None
        engine.dispose()


def test_what_a_page_meets_is_built_again_by_the_indexer(store: JobStore, engine: sa.Engine) -> None:
    """The indexer itself reads no old events."""
    stored = make_job(store)
    service = Service(store, engine, lambda: context(store))
    service.tick()
    damaged = "DO $$ BEGIN RAISE EXCEPTION 'invalid page in block 0' USING ERRCODE = 'XX001'; END $$"
    with pytest.raises(MirrorDown), reading(engine) as connection:
        connection.execute(sa.text(damaged))
    with engine.begin() as connection:
        connection.execute(sa.text("DELETE FROM events"))
    ticks_until(service, lambda: len(mirrored_events(service.queries, stored.id)) == stored.job.revision)


@pytest.fixture
def ruined(store: JobStore, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> Service:
    """An indexer that tries at once, and again at once, to build the tables."""
    monkeypatch.setattr(migrate, "PATIENT", migrate.PATIENT.replace("30s", "100ms"))
    service = Service(store, engine, lambda: context(store))
    service.tick()
    service._backoff = BackOff((0,))
    with engine.begin() as connection:
        connection.execute(sa.text(f"CREATE TABLE {RUIN_NOTE} ()"))
    return service


@contextmanager
def locked_by_another_process(engine: sa.Engine) -> Iterator[None]:
    with engine.begin() as connection:
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(migrate.UPGRADE_LOCK)))
        yield


def test_a_lock_that_another_process_holds_is_no_reason_to_replace_the_database(
    store: JobStore, engine: sa.Engine, ruined: Service
) -> None:
    stored = make_job(store)
    replaced: list[bool] = []
    ruined.replace_database = lambda: replaced.append(True)
    with locked_by_another_process(engine):
        for _ in range(MOST_FAILED_BUILDS - 1):
            ruined.tick()
    assert replaced == []
    ticks_until(ruined, lambda: mirrored_job(ruined.queries, stored.id) is not None)
    assert replaced == []


def test_a_database_whose_tables_can_never_be_built_is_replaced(engine: sa.Engine, ruined: Service) -> None:
    replaced: list[bool] = []
    ruined.replace_database = lambda: replaced.append(True)
    with locked_by_another_process(engine):
        for _ in range(MOST_FAILED_BUILDS):
            ruined.tick()
    assert replaced == [True]


def test_a_dropped_column_is_made_again(store: JobStore, engine: sa.Engine) -> None:
    stored = make_job(store)
    service = Service(store, engine, lambda: context(store))
    service.tick()
    with engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE jobs DROP COLUMN digest"))
    service.wake.set()
    ticks_until(service, lambda: mirrored_job(service.queries, stored.id) is not None)


def test_a_database_that_starts_and_answers_nobody_is_set_aside(settings: Settings) -> None:
    with embedded_postgres(settings.instance):
        data = PostgresServer(settings.instance).data
    for mapping in data.glob("base/*/pg_filenode.map"):
        overwrite(mapping)
    with embedded_postgres(settings.instance) as url:
        migrate.upgrade(url)
    assert (settings.instance / "postgres.broken").is_dir()
