"""Brings the mirror's schema up to date at every start. The tables hold nothing of their own: where some are lost, all
of them start empty and the next sync fills them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from psycopg2 import errorcodes
from sqlalchemy import exc

from indexer.bulk import SCHEMA as FRESH_SCHEMA
from indexer.connection import RUIN_NOTE, translated
from indexer.schema import VERSION_TABLE, create_engine, metadata
from printsys.errors import MirrorDown

SCRIPTS = Path(__file__).parent / "migrations"
UPGRADE_LOCK = 0x7072696E74737973
"""An advisory lock: two processes that start at once upgrade one after the other. The number spells `printsys`."""

PATIENT = "SET {0}statement_timeout = 0; SET {0}lock_timeout = '30s'"
"""The limits of a page are not for what is done once, at a start."""
CREATED_MEANWHILE = frozenset({errorcodes.DUPLICATE_DATABASE, errorcodes.UNIQUE_VIOLATION})
"""What CREATE DATABASE says when another process made it a moment ago, or is making it."""


def upgrade(database_url: str) -> None:
    """Create or upgrade the tables; where the server has lost the whole database, the database too. Those of a newer
    version of this program, from which nobody knows the way back, start empty. MirrorDown."""
    with _connected(database_url, create=True) as connection:
        if _is_of_newer_program(connection):
            _drop_all(connection)
        _migrate(connection)
        if not _is_whole(connection):  # tables or columns were dropped
            _drop_all(connection)
            _migrate(connection)


def rebuild(database_url: str) -> None:
    """Make all tables again, empty: for some that cannot be read any more. MirrorDown; MirrorRuined where that is not
    enough."""
    with _connected(database_url, create=True) as connection:
        _drop_all(connection)
    upgrade(database_url)


def _migrate(connection: sa.Connection) -> None:
    """And note which tables that made, beside the revision: an older program, to which somebody goes back, does not
    know the names of all."""
    revision, before = _current(connection), set(sa.inspect(connection).get_table_names())
    command.upgrade(_config(connection), "head")
    if _current(connection) != revision:
        additional = set(sa.inspect(connection).get_table_names()) - before
        note = json.dumps(sorted(additional | _noted_tables(connection))).replace("'", "''")
        connection.exec_driver_sql(f"COMMENT ON TABLE {VERSION_TABLE} IS '{note}'")


def _noted_tables(connection: sa.Connection) -> set[str]:
    note = connection.execute(sa.text(f"SELECT obj_description(to_regclass('{VERSION_TABLE}'), 'pg_class')")).scalar()
    try:
        return set(json.loads(note or "[]"))
    except ValueError:  # somebody's own words
        return set()


def _is_of_newer_program(connection: sa.Connection) -> bool:
    known = {script.revision for script in ScriptDirectory.from_config(_config(connection)).walk_revisions()}
    return _current(connection) not in {*known, None}


def _is_whole(connection: sa.Connection) -> bool:
    present = sa.inspect(connection)
    tables = set(present.get_table_names())
    return all(
        name in tables and {column.name for column in table.columns} <= {c["name"] for c in present.get_columns(name)}
        for name, table in metadata.tables.items()
    )


def _drop_all(connection: sa.Connection) -> None:
    """Without reading them: they may be damaged."""
    quote = connection.dialect.identifier_preparer.quote
    for name in sorted({*metadata.tables, VERSION_TABLE, RUIN_NOTE} | _noted_tables(connection)):
        connection.exec_driver_sql(f"DROP TABLE IF EXISTS {quote(name)} CASCADE")
    connection.execute(sa.text(f"DROP SCHEMA IF EXISTS {FRESH_SCHEMA} CASCADE"))


def revision(database_url: str, message: str) -> Path:
    """Write a migration script that turns the tables of the database into those of schema.py."""
    with _connected(database_url) as connection:
        number = 1 + len(list((SCRIPTS / "versions").glob("[0-9]*.py")))
        script = command.revision(_config(connection), message, autogenerate=True, rev_id=f"{number:04}")
    assert script is not None and not isinstance(script, list)
    return Path(script.path)


def current(database_url: str) -> str | None:
    """The revision that the database is at; None for one without our tables."""
    with _connected(database_url) as connection:
        return _current(connection)


def _current(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table(VERSION_TABLE):
        return None
    version: str | None = connection.execute(sa.text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()
    return version


def _config(connection: sa.Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


@contextmanager
def _connected(database_url: str, create: bool = False) -> Iterator[sa.Connection]:
    engine = create_engine(database_url)
    try:
        if create:
            with translated(engine):
                _ensure_database(engine)
        with translated(engine), engine.begin() as connection:
            connection.execute(sa.text(PATIENT.format("LOCAL ")))
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(UPGRADE_LOCK)))
            yield connection
    finally:
        engine.dispose()


def _ensure_database(engine: sa.Engine) -> None:
    """Create the database where the server does not have it."""
    try:
        with engine.connect():
            return
    except exc.OperationalError as error:
        # While it connects, psycopg2 has no SQLSTATE: the words are all there is.
        if "does not exist" not in str(error.orig):
            raise
    name = engine.url.database
    server = create_engine(engine.url.set(database="postgres").render_as_string(hide_password=False))
    try:
        with server.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(sa.text(PATIENT.format("")))  # it copies files, which takes a slow disk its time
            quoted = connection.dialect.identifier_preparer.quote(name or "printsys")
            connection.execute(sa.text(f"CREATE DATABASE {quoted} TEMPLATE template0 ENCODING 'UTF8'"))
    except (exc.ProgrammingError, exc.IntegrityError) as error:
        if getattr(error.orig, "pgcode", None) not in CREATED_MEANWHILE:
            raise MirrorDown(f"The database {name} is gone and may not be created ({error.orig}).") from error
    finally:
        server.dispose()
