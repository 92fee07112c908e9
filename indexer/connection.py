"""Connects to PostgreSQL so that a page never waits twice for a server that is down.

Every statement goes through `reading` and `writing`. A server that does not answer becomes MirrorDown, and for a moment
afterwards every caller in this process gets MirrorDown at once instead of waiting too.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NoReturn
from weakref import WeakKeyDictionary

import psycopg2
import sqlalchemy as sa
from psycopg2 import errorcodes
from sqlalchemy import exc

from indexer.schema import STATE_ROW
from printsys.errors import MirrorDown, MirrorRuined, QueryTimeout
from printsys.jobstore.layout import readable

logger = logging.getLogger(__name__)
RETRY_AFTER_S = 2.0
"""How long a server that did not answer counts as down without a new attempt."""

RUIN_NOTE = "mirror_ruined"
"""An empty table that tells the indexer that some process met tables that cannot be read."""
RUIN_CLASSES = ("XX", "58")
"""SQLSTATE classes: internal error (a page or an index that is damaged), and what the operating system refuses to the
server (a file of a table that is gone)."""
RUIN_WORDS = re.compile(
    r"FATAL: ++(could not (open|read|access|find|locate)|invalid page|cache lookup"
    r"|.*(corrupt|relation mapping|is not valid))"
)
"""While it connects, psycopg2 has no SQLSTATE: the words are all there is."""
NO_TABLES = frozenset({errorcodes.UNDEFINED_TABLE, errorcodes.UNDEFINED_COLUMN, errorcodes.INVALID_SCHEMA_NAME})
"""The tables were dropped, or are of another version: they come back with the next start or sync."""


TOO_LONG = frozenset({errorcodes.QUERY_CANCELED, errorcodes.LOCK_NOT_AVAILABLE})
DOWN = (exc.OperationalError, exc.InterfaceError, psycopg2.OperationalError, psycopg2.InterfaceError)
"""Both as SQLAlchemy raises them and as COPY, which goes past it, does."""


@dataclass
class _ServerState:
    down_until: float = 0.0


_server_states: WeakKeyDictionary[sa.Engine, _ServerState] = WeakKeyDictionary()


@contextmanager
def reading(engine: sa.Engine, patient: bool = False) -> Iterator[sa.Connection]:
    """A connection in a transaction of its own. MirrorDown where the server cannot serve.

    `patient`: for long work in the background, without the time limit that protects pages.
    """
    with translated(engine), engine.begin() as connection:
        if patient:
            connection.execute(sa.text("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = '60s'"))
        yield connection


@contextmanager
def writing(engine: sa.Engine, patient: bool = False) -> Iterator[tuple[sa.Connection, int]]:
    """Like `reading`, one writer at a time; with the number of this change."""
    with reading(engine, patient) as connection:
        yield connection, next_change(connection)


BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED"
COUNT_CHANGE = (
    f"INSERT INTO mirror_state (id, changes) VALUES ({STATE_ROW}, 1) "
    "ON CONFLICT (id) DO UPDATE SET changes = mirror_state.changes + 1"
)


def next_change(connection: sa.Connection) -> int:
    """Count a change. The row stays locked to the end of the transaction: writers go one after the other, so counters
    add up and change numbers appear in their order."""
    return int(connection.exec_driver_sql(f"{COUNT_CHANGE} RETURNING changes").scalar_one())


@contextmanager
def in_few_messages(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A connection on which the body itself sends BEGIN and COMMIT or ROLLBACK, in one message with other statements:
    on a busy computer each message costs as long as the work. Without BEGIN the statements of one message are one
    transaction. An error drops the connection. MirrorDown."""
    with translated(engine), engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        try:
            yield connection
        except BaseException:
            connection.invalidate()
            raise


@contextmanager
def translated(engine: sa.Engine) -> Iterator[None]:
    """PostgreSQL's ways of being down as MirrorDown, remembered for RETRY_AFTER_S."""
    state = _server_states.setdefault(engine, _ServerState())
    if time.monotonic() < state.down_until:
        raise MirrorDown("PostgreSQL did not answer a moment ago; the folders are served without it.")
    try:
        yield
    except (exc.DBAPIError, psycopg2.Error) as error:
        if not _is_ruin(error):
            _raise_translated(error, state)
        _note_ruin(engine)
        raise MirrorRuined(f"PostgreSQL cannot read its tables ({_reason(error)}); they are built again.") from error
    except exc.TimeoutError as error:
        _raise_translated(error, state)
    state.down_until = 0.0


def _raise_translated(error: Exception, state: _ServerState) -> NoReturn:
    if isinstance(error, (*DOWN, exc.TimeoutError)):
        if _sqlstate(error) in TOO_LONG:
            raise QueryTimeout(f"PostgreSQL did not finish in time ({_reason(error)}).") from error
        if _is_unreachable(error):
            state.down_until = time.monotonic() + RETRY_AFTER_S
        raise MirrorDown(f"PostgreSQL does not answer ({_reason(error)}).") from error
    if isinstance(error, exc.ProgrammingError) and _sqlstate(error) in NO_TABLES:
        raise MirrorDown("PostgreSQL answers, but the tables of the mirror are not there yet.") from error
    raise error


def _reason(error: Exception) -> str:
    return str(getattr(error, "orig", None) or error).strip().splitlines()[0]


def _is_ruin(error: Exception) -> bool:
    code = _sqlstate(error)
    if "concurrently" in str(error):  # two processes change one table at the same time
        return False
    return code[:2] in RUIN_CLASSES if code is not None else RUIN_WORDS.search(str(error)) is not None


def _note_ruin(engine: sa.Engine) -> None:
    """Whoever meets the damage, it is the indexer that builds the tables again."""
    try:
        with engine.begin() as connection:
            connection.execute(sa.text(f"CREATE TABLE IF NOT EXISTS {RUIN_NOTE} ()"))
    except exc.DBAPIError as error:
        logger.warning("the damage of the mirror cannot be noted: %s", _reason(error))


def is_noted_as_ruined(engine: sa.Engine) -> bool:
    with reading(engine) as connection:
        return connection.execute(sa.select(sa.func.to_regclass(RUIN_NOTE))).scalar() is not None


def _is_unreachable(error: Exception) -> bool:
    """Whether the server itself is gone; a statement that took too long says nothing about the next one."""
    code = _sqlstate(error)
    if isinstance(error, exc.TimeoutError):
        return False
    return code is None or code[:2] in ("08", "3D", "53") or code[:3] == "57P"


def _sqlstate(error: Exception) -> str | None:
    original: Any = getattr(error, "orig", error)
    code: str | None = getattr(original, "pgcode", None)
    return code


def any_of(values: Iterable[str]) -> Any:
    """Any of these, however many: as one array, where IN would have a parameter for each."""
    return sa.any_(sa.cast([readable(value) for value in values], sa.ARRAY(sa.Text)))
