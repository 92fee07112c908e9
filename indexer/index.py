"""Writing to the mirror: one job at a time, right after it changed."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from indexer import rows
from indexer.attention import AttentionItem
from indexer.connection import BEGIN, COUNT_CHANGE, in_few_messages, writing
from indexer.rows import JobRecord, Row
from indexer.schema import (
    GOING,
    STATE_ROW,
    attention,
    events,
    files,
    job_counts,
    jobs,
    pruned_events,
    pruned_jobs,
    written_columns,
)
from printsys.domain.events import BEGUN_AGAIN
from printsys.domain.pruned import PrunedJob
from printsys.jobstore import Layout, Stored

CHANNEL = "printsys_jobs"
EVERYTHING = "*"
ATTENTION = "!"
"""The payload of a notification is a job's id, or one of these: after a rebuild, and when attention changed."""

SAME = (
    "revision", "folder", "folder_status", "move_pending", "problem", "asked_in_file", "digest", "log_size",
    "mail_owed",
)  # fmt: skip
"""A row with these unchanged is unchanged: `digest` stands for all of metadata.json, `log_size` for the events."""


class Mirror:
    """The one that changes rows. Every method is one transaction and raises MirrorDown where PostgreSQL is down."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine
        self._beside = ThreadPoolExecutor(1, "mirror")

    def put(self, stored: Stored) -> bool:
        """Mirror a job as it was loaded or left by a change; False where the mirror had this, or newer, already.

        A revision older than the mirrored one changes nothing. A job in the trash is taken out.
        """
        if stored.folder_status is None:
            return bool(self.remove([stored.id]))
        root = stored.folder.parent.parent
        return self.put_record(rows.record_of(Layout(root), stored), root)

    def put_change(self, stored: Stored, before: Stored) -> bool:
        """`put` in one message for a job that a change has just made of `before`, which the mirror has as a rule.

        False, and nothing is changed, where it has another job, or none, and where there is no new event, or more than
        the row and the new events is to be written.
        """
        new_types = {event.type for event in stored.events if event.seq > before.log.seq}
        has_other_files = before.document.get("files") != stored.document.get("files")
        if not new_types or new_types & BEGUN_AGAIN or has_other_files or stored.folder_status is None:
            return False
        record = rows.record_of(Layout(stored.folder.parent.parent), stored, after=before.log.seq)
        row = rows.job_row(record, change_no=0)
        status = row["document"]["status"]
        values = row | {
            "document": json.dumps(row["document"]),
            "events": json.dumps(list(rows.event_rows(record, after=before.log.seq))),
            "counts": json.dumps({status: 1, before.job.status: -1} if status != before.job.status else {}),
            "digest_before": rows.digest_of(before),
            "log_size_before": before.log.length,
        }
        with in_few_messages(self.engine) as connection:
            statement = _EXECUTE_CHANGE if connection.info.get(_CHANGE) else f"{_PREPARE_CHANGE}; {_EXECUTE_CHANGE}"
            is_changed = connection.exec_driver_sql(statement, values).first() is not None
            connection.info[_CHANGE] = True
            return is_changed

    def start_change(self, stored: Stored, before: Stored) -> Future[bool]:
        """`put_change`, while the caller goes on."""
        return self._beside.submit(self.put_change, stored, before)

    def put_record(self, record: JobRecord, root: Path) -> bool:
        """`put` for what was read without the store; `root` is storage/."""
        with in_few_messages(self.engine) as connection:
            first = "; ".join((BEGIN, COUNT_CHANGE, _MIRRORED))
            mirrored = connection.exec_driver_sql(first, {"id": record.id}).mappings().one()
            statements, values = _changes(record, mirrored["change_no"], mirrored)
            # A late writer must not bring back a job that was deleted meanwhile: its folder is in the trash by then.
            if not statements or (mirrored["id"] is None and not Layout(root).find(record.folder).is_dir()):
                connection.exec_driver_sql("ROLLBACK")
                return False
            connection.exec_driver_sql("; ".join((*statements, _NOTIFY, "COMMIT")), values)
            return True

    def remove(self, ids: Sequence[str]) -> int:
        """Take out jobs that are no more; how many of them there were."""
        with writing(self.engine) as (connection, _):
            return remove(connection, ids)

    def put_pruned(self, job_id: str, job: PrunedJob) -> None:
        """In the place of a job whose folder is in the trash, what stays of it: so it counts once at every moment."""
        with writing(self.engine) as (connection, _):
            remove(connection, [job_id])
            add_pruned(connection, [rows.pruned_row(job, GOING)])

    def settled(self, item: AttentionItem) -> None:
        """Something that needed a person was put right."""
        with writing(self.engine) as (connection, _):
            connection.execute(sa.delete(attention).where(_has_key(_key(item))))
            notify(connection, ATTENTION)

    def mark_problem(self, job_id: str, problem: str) -> bool:
        """Keep the last row of a job whose record cannot be read any more, and say so; False if it says so already."""
        with writing(self.engine) as (connection, change_no):
            marked = connection.execute(
                sa.update(jobs)
                .where(jobs.c.id == job_id, jobs.c.problem.is_distinct_from(problem))
                .values(problem=problem, change_no=change_no)
            )
            if marked.rowcount:
                notify(connection, job_id)
            return bool(marked.rowcount)


_JOB_COLUMNS = written_columns(jobs)
_UPSERT_JOB = (
    f"INSERT INTO jobs ({', '.join(_JOB_COLUMNS)}) VALUES ({', '.join(f'%({name})s' for name in _JOB_COLUMNS)}) "
    f"ON CONFLICT (id) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in _JOB_COLUMNS if name != 'id')} "
    "WHERE jobs.revision <= excluded.revision"
)
_FORGET_EVENTS = "DELETE FROM events WHERE job_id = %(id)s"
_FORGET_FILES = "DELETE FROM files WHERE job_id = %(id)s"
_NOTIFY = f"SELECT pg_notify('{CHANNEL}', %(id)s)"
"""Statements as text: a job's are sent in one message, and each message more costs as long as its work."""


def _count_from(beside: str = "") -> str:
    return (
        "INSERT INTO job_counts (status, n) SELECT key, CAST(value AS bigint) "
        f"FROM {beside}jsonb_each_text(%(counts)s) "
        "ON CONFLICT (status) DO UPDATE SET n = job_counts.n + excluded.n"
    )


def _add_rows(table: sa.Table, beside: str = "") -> str:
    """`beside`: nothing is added where that has no row."""
    names = ", ".join(written_columns(table))
    return (
        f"INSERT INTO {table.name} ({names}) SELECT {names} "
        f"FROM {beside}jsonb_populate_recordset(CAST(NULL AS {table.name}), %({table.name})s) ON CONFLICT DO NOTHING"
    )


_COUNT = _count_from()
_ADD_EVENTS, _ADD_FILES = _add_rows(events), _add_rows(files)
_SET = ", ".join(f"{name} = %({name})s" for name in _JOB_COLUMNS if name not in ("id", "change_no"))
_CHANGE_JOB = (
    f"WITH changed AS (UPDATE jobs SET {_SET}, "
    f"change_no = (SELECT changes FROM mirror_state WHERE id = {STATE_ROW}) "
    "WHERE id = %(id)s AND digest = %(digest_before)s AND log_size = %(log_size_before)s RETURNING id), "
    f"added AS ({_add_rows(events, 'changed, ')}), counted AS ({_count_from('changed, ')}) "
    f"SELECT pg_notify('{CHANNEL}', id) FROM changed"
)
"""Where no job has the digest and the size that it had before the change, this changes nothing and has no row."""
_COUNT_CHANGE, _CHANGE = "printsys_count_change", "printsys_change"
_CHANGE_VALUES = tuple(dict.fromkeys(re.findall(r"%\((\w+)\)s", _CHANGE_JOB)))
_PREPARE_CHANGE = f"PREPARE {_COUNT_CHANGE} AS {COUNT_CHANGE}; PREPARE {_CHANGE} AS " + re.sub(
    r"%\((\w+)\)s", lambda value: f"${_CHANGE_VALUES.index(value[1]) + 1}", _CHANGE_JOB
)
_EXECUTE_CHANGE = f"EXECUTE {_COUNT_CHANGE}; EXECUTE {_CHANGE} ({', '.join(f'%({name})s' for name in _CHANGE_VALUES)})"
"""A connection's first change prepares the statement for the others: to plan it takes longer than to carry it out."""
_ADD_PRUNED, _ADD_PRUNED_EVENTS = _add_rows(pruned_jobs), _add_rows(pruned_events)
_MIRRORED = (
    f"SELECT jobs.id, {', '.join(f'jobs.{name}' for name in SAME)}, jobs.status, "
    "CAST(jobs.document -> 'files' AS text) AS files, "
    f"(SELECT changes FROM mirror_state WHERE id = {STATE_ROW}) AS change_no, "
    "(SELECT max(seq) FROM events WHERE job_id = %(id)s) AS last_seq "
    "FROM (SELECT 1) AS always LEFT JOIN jobs ON jobs.id = %(id)s"
)
"""One row, whether the mirror has the job or not, with the number of the last event that it has of it."""


def write(connection: sa.Connection, record: JobRecord, change_no: int) -> bool:
    """Upsert inside a writer's transaction; False where nothing had to change."""
    mirrored = connection.exec_driver_sql(_MIRRORED, {"id": record.id}).mappings().one()
    statements, values = _changes(record, change_no, mirrored)
    if statements:
        connection.exec_driver_sql("; ".join(statements), values)
    return bool(statements)


def _changes(record: JobRecord, change_no: int, mirrored: sa.RowMapping) -> tuple[list[str], Row]:
    """What makes the rows of the job those of `record`, and its values; nothing where they are that, or newer."""
    row = rows.job_row(record, change_no)
    is_new, last_seq = mirrored["id"] is None, mirrored["last_seq"] or 0
    if not is_new and (mirrored["revision"] > row["revision"] or all(mirrored[name] == row[name] for name in SAME)):
        return [], {}
    statements, values = [_UPSERT_JOB], row | {"document": json.dumps(row["document"])}
    # Append what is new. A log that somebody rewrote without the system comes in with the next rebuild only.
    new_events = list(rows.event_rows(record, after=last_seq))
    if last_seq and any(event["type"] in BEGUN_AGAIN for event in new_events):
        statements.append(_FORGET_EVENTS)
        new_events = list(rows.event_rows(record))
    if new_events:
        statements.append(_ADD_EVENTS)
        values["events"] = json.dumps(new_events)
    if is_new or json.loads(mirrored["files"] or "null") != row["document"].get("files"):
        statements += [_FORGET_FILES, _ADD_FILES]
        values["files"] = json.dumps(list(rows.file_rows(record)))
    status = row["document"]["status"]
    if mirrored["status"] != status:
        statements.append(_COUNT)
        values["counts"] = json.dumps({status: 1} | ({} if is_new else {mirrored["status"]: -1}))
    return statements, values


def remove(connection: sa.Connection, ids: Sequence[str]) -> int:
    """Take jobs out, in a writer's transaction; how many of them there were."""
    removed = connection.execute(sa.delete(jobs).where(jobs.c.id.in_(ids)).returning(jobs.c.id, jobs.c.status)).all()
    for table in (events, files):
        connection.execute(sa.delete(table).where(table.c.job_id.in_(ids)))
    for row in removed:
        count(connection, {row.status: -1})
        notify(connection, row.id)
    return len(removed)


def add_pruned(connection: sa.Connection, added: Sequence[Row]) -> None:
    """In a writer's transaction; of jobs that are there, nothing changes."""
    own_events = [event for row in added for event in row["events"]]
    for statement, name, values in (
        (_ADD_PRUNED, "pruned_jobs", added),
        (_ADD_PRUNED_EVENTS, "pruned_events", own_events),
    ):
        connection.exec_driver_sql(statement, {name: json.dumps(values)})


def count(connection: sa.Connection, by: Mapping[str, int]) -> None:
    """Count up or down: status → by how many."""
    connection.exec_driver_sql(_COUNT, {"counts": json.dumps(by)})


def recount(connection: sa.Connection) -> None:
    """Count all jobs, in a writer's transaction."""
    connection.execute(sa.delete(job_counts))
    counted = sa.select(jobs.c.status, sa.func.count()).group_by(jobs.c.status)
    connection.execute(sa.insert(job_counts).from_select(["status", "n"], counted))


def set_attention(connection: sa.Connection, items: Sequence[AttentionItem], stale: sa.ColumnElement[bool]) -> None:
    """Replace what needs a person where it is `stale`; an item that was there before keeps its date."""
    values = {_key(item): item.as_json() | {"file": item.file or ""} for item in items}
    present = {tuple(row) for row in connection.execute(sa.select(*KEY))}
    settled = {tuple(row) for row in connection.execute(sa.select(*KEY).where(stale))} - values.keys()
    for key in settled:
        connection.execute(sa.delete(attention).where(_has_key(key)))
    if settled or values.keys() - present:
        notify(connection, ATTENTION)
    if values:
        connection.execute(_UPSERT_ATTENTION, list(values.values()))


Key = tuple[str, str, str]
KEY = (attention.c.kind, attention.c.folder, attention.c.file)
_UPSERT_ATTENTION = insert(attention)
_UPSERT_ATTENTION = _UPSERT_ATTENTION.on_conflict_do_update(
    index_elements=[column.name for column in KEY],
    set_={name: _UPSERT_ATTENTION.excluded[name] for name in ("job_id", "sentence", "fixes")},
)


def _key(item: AttentionItem) -> Key:
    return item.kind, item.folder or "", item.file or ""


def _has_key(key: Sequence[str]) -> sa.ColumnElement[bool]:
    return sa.and_(*(column == value for column, value in zip(KEY, key, strict=True)))


def notify(connection: sa.Connection, payload: str) -> None:
    """PostgreSQL sends it when the transaction commits, and only then."""
    connection.execute(sa.select(sa.func.pg_notify(CHANNEL, payload)))
