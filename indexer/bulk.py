"""Builds the mirror's tables by COPY, in a schema of their own until they take the place of the old ones."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg2
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.schema import AddConstraint, CreateIndex, CreateTable

from indexer import rows
from indexer.attention import NEW_RECORD, AttentionItem, raised
from indexer.rows import JobRecord
from indexer.schema import REBUILT, events, files, jobs, written_columns

SCHEMA = "printsys_fresh"
_COLUMNS = {table.name: written_columns(table) for table in REBUILT}
_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


@dataclass(frozen=True)
class CopyLines:
    """A job as lines for COPY, by table."""

    job_id: str
    folder: str
    jobs: str
    events: str
    files: str


def copy_lines(record: JobRecord) -> CopyLines:
    return CopyLines(
        record.id,
        record.folder,
        _lines(jobs, [rows.job_row(record, change_no=0)]),
        _lines_of_texts(record) if record.texts else _lines(events, rows.event_rows(record)),
        _lines(files, rows.file_rows(record)),
    )


def _lines_of_texts(record: JobRecord) -> str:
    """Of the events, whose data and patches need not be written anew. In the order of the table's columns."""
    return "".join(
        _line((record.id, event["seq"], rows.usual_time(event["at"]), event["type"], event["actor"], data, patch))
        for event, (data, patch) in zip(record.events, record.texts, strict=True)
    )


def _lines(table: sa.Table, values: Iterable[Mapping[str, Any]]) -> str:
    names = _COLUMNS[table.name]
    return "".join([_line([row[name] for name in names]) for row in values])


def _line(values: Sequence[Any]) -> str:
    """In COPY's text format (https://www.postgresql.org/docs/current/sql-copy.html)."""
    texts = [value if isinstance(value, str) else _text(value) for value in values]
    line = "\t".join(texts)
    if "\\" not in line and "\n" not in line and "\r" not in line and line.count("\t") == len(texts) - 1:
        return line + "\n"
    return "\t".join([_escaped(text) if text is not NULL else NULL for text in texts]) + "\n"


NULL = "\\N"


def _text(value: Any) -> str:
    if value is None:
        return NULL
    return str(int(value)) if isinstance(value, int) else _json(value)


def _escaped(text: str) -> str:
    if text.isprintable() and "\\" not in text:
        return text
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")


def make(connection: sa.Connection) -> None:
    """Make the new tables, without their keys and indexes: made at the end they take half the time."""
    connection.execute(sa.text(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE"))
    connection.execute(sa.text(f"CREATE SCHEMA {SCHEMA}"))
    with fresh(connection):
        for table in REBUILT:
            connection.execute(CreateTable(table))
            connection.execute(sa.text(f"ALTER TABLE {table.name} DROP CONSTRAINT {table.primary_key.name}"))


@contextmanager
def fresh(connection: sa.Connection) -> Iterator[None]:
    """Meanwhile a statement about a table that is being rebuilt means the new one."""
    current = connection.execute(sa.text("SELECT current_schema()")).scalar_one()
    connection.execute(sa.text(f'SET LOCAL search_path TO {SCHEMA}, "{current}"'))
    yield
    connection.execute(sa.text(f'SET LOCAL search_path TO "{current}"'))


def copy(connection: sa.Connection, chunk: Sequence[CopyLines]) -> list[AttentionItem]:
    """COPY these jobs. One that PostgreSQL refuses becomes an item, and keeps no other from coming in."""
    if not chunk:
        return []
    try:
        with connection.begin_nested():
            raw: Any = connection.connection.driver_connection
            with raw.cursor() as cursor:
                for table in REBUILT:
                    text = "".join(getattr(lines, table.name) for lines in chunk)
                    statement = f"COPY {SCHEMA}.{table.name} ({', '.join(_COLUMNS[table.name])}) FROM STDIN"
                    cursor.copy_expert(statement, io.StringIO(text))
    except (psycopg2.DataError, psycopg2.IntegrityError, UnicodeError) as error:
        if len(chunk) > 1:
            half = len(chunk) // 2
            return copy(connection, chunk[:half]) + copy(connection, chunk[half:])
        (refused,) = chunk
        sentence = f"The record in {refused.folder} cannot be mirrored: {str(error).splitlines()[0]}."
        return [raised("unreadable", refused.job_id, refused.folder, sentence, fixes=NEW_RECORD)]
    return []


def add_indexes(connection: sa.Connection) -> None:
    """And the statistics by which PostgreSQL decides to use them; by itself it would gather them a minute later."""
    connection.execute(sa.text("SET LOCAL maintenance_work_mem = '128MB'"))
    with fresh(connection):
        for table in REBUILT:
            connection.execute(AddConstraint(table.primary_key, isolate_from_table=False))
            for index in sorted(table.indexes, key=lambda index: str(index.name)):
                connection.execute(CreateIndex(index))
            # Nothing is sought by the JSON, and to compare that of all events takes longer than the indexes.
            names = [column.name for column in table.columns if not isinstance(column.type, JSONB)]
            connection.execute(sa.text(f"ANALYZE {table.name} ({', '.join(names)})"))


def forget(connection: sa.Connection, job_id: str) -> None:
    """Take a job out of the new tables. To be called within `fresh`."""
    connection.execute(sa.delete(jobs).where(jobs.c.id == job_id))
    for table in (events, files):
        connection.execute(sa.delete(table).where(table.c.job_id == job_id))


def keep_old(connection: sa.Connection, job_id: str, problem: str) -> None:
    """Carry the last row of a job whose record cannot be read any more over from the old tables."""
    for table in REBUILT:
        key = "id" if table is jobs else "job_id"
        names = ", ".join(_COLUMNS[table.name])
        keep = sa.text(
            f"INSERT INTO {SCHEMA}.{table.name} ({names}) SELECT {names} FROM {table.name} WHERE {key} = :id "
            "ON CONFLICT DO NOTHING"
        )
        connection.execute(keep, {"id": job_id})
    with fresh(connection):
        connection.execute(sa.update(jobs).where(jobs.c.id == job_id).values(problem=problem))


def gone_back(connection: sa.Connection) -> list[tuple[str, str]]:
    """Ids and problems of jobs whose record has a problem, and of which the old tables have a newer one."""
    newer = sa.text(
        f"SELECT new.id, new.problem FROM {SCHEMA}.jobs AS new JOIN jobs AS old USING (id) "
        "WHERE new.problem IS NOT NULL AND new.revision < old.revision"
    )
    return [(row.id, row.problem) for row in connection.execute(newer)]


def exchange(connection: sa.Connection) -> None:
    """Put the new tables in the place of the old ones. Names of indexes and constraints come along."""
    schema = connection.execute(sa.text("SELECT current_schema()")).scalar_one()
    for table in REBUILT:
        connection.execute(sa.text(f"DROP TABLE {table.name}"))
        connection.execute(sa.text(f'ALTER TABLE {SCHEMA}.{table.name} SET SCHEMA "{schema}"'))
    connection.execute(sa.text(f"DROP SCHEMA {SCHEMA}"))
