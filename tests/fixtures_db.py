"""A real PostgreSQL for tests: one server a test process, one fresh database a test, copied from a migrated template.

`tests/conftest.py` imports the fixtures: `from tests.fixtures_db import *`.
"""

from __future__ import annotations

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
from tests.worlds import make_store

__all__ = ["database_url", "engine", "mirror", "postgres_server", "queries", "store"]

TEMPLATE = "printsys_template"


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a server of this process's own (under pytest-xdist: of each worker's)."""
    from printsys.postgres import embedded_postgres

    with embedded_postgres(tmp_path_factory.mktemp("postgres")) as url:
        yield url


@pytest.fixture(scope="session")
def _template(postgres_server: str) -> str:
    migrate.upgrade(_database(postgres_server, TEMPLATE))
    return postgres_server


@pytest.fixture
def database_url(_template: str) -> Iterator[str]:
    """A database of this test's own, with the mirror's empty tables."""
    name = f"test_{uuid.uuid4().hex}"
    _on_server(_template, f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
    yield _database(_template, name)
    drop_database(_database(_template, name))


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
    engine = create_engine(_database(url, "postgres"))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text(statement))
    engine.dispose()
