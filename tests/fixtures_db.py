"""A real PostgreSQL for tests: one server a test process, one fresh database a test, copied from a migrated template.

`tests/conftest.py` imports the fixtures: `from tests.fixtures_db import *`.
"""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from indexer import migrate
from indexer.index import Mirror
from indexer.queries import Queries
from indexer.schema import create_engine
from printsys.jobstore import JobStore
from tests.factories import make_store

__all__ = ["database_url", "engine", "migrated_template", "mirror", "postgres_server", "queries", "store"]

TEMPLATE = "printsys_template"


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a server of this process's own (under pytest-xdist: of each worker's)."""
    from printsys.ops.postgres import embedded_postgres

    # Not under pytest's own folder: run as root the server is another user's, and each pytest that starts shuts that
    # folder to others again.
    with tempfile.TemporaryDirectory(prefix="printsys-tests-") as folder, embedded_postgres(Path(folder)) as url:
        yield url


@pytest.fixture(scope="session")
def migrated_template(postgres_server: str) -> str:
    migrate.upgrade(_database(postgres_server, TEMPLATE))
    return postgres_server


@pytest.fixture
def database_url(migrated_template: str) -> Iterator[str]:
    """A database of this test's own, with the mirror's empty tables."""
    name = f"test_{uuid.uuid4().hex}"
    _on_server(migrated_template, f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
    yield _database(migrated_template, name)
    drop_database(_database(migrated_template, name))


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    engine = create_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def mirror(engine: sa.Engine) -> Mirror:
    return Mirror(engine)


@pytest.fixture
def queries(engine: sa.Engine) -> Queries:
    return Queries(engine)


@pytest.fixture
def store(tmp_path: Path) -> JobStore:
    """An empty storage."""
    return make_store(tmp_path)


def drop_database(url: str) -> None:
    """Drop it under everybody's feet, as an administrator might."""
    _on_server(url, f"DROP DATABASE IF EXISTS {sa.make_url(url).database} WITH (FORCE)")


def _database(url: str, name: str) -> str:
    return sa.make_url(url).set(database=name).render_as_string(hide_password=False)


def _on_server(url: str, statement: str) -> None:
    execute(_database(url, "postgres"), statement)


def execute(url: str, *statements: str) -> None:
    """Each in a transaction of its own, however long they take: a page's limits are not for copying a database."""
    engine = create_engine(url)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for statement in ("SET statement_timeout = 0", *statements):
            connection.execute(sa.text(statement))
    engine.dispose()
