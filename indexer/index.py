"""Writing to the mirror: one job at a time, right after it changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from indexer import rows
from indexer.attention import AttentionItem
from indexer.connection import writing
from indexer.rows import JobRecord, Row
from indexer.schema import attention, events, files, job_counts, jobs, written_columns
from printsys.domain.events import BEGUN_AGAIN
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

    def put(self, stored: Stored) -> bool:
        """Mirror a job as it was loaded or left by a change; False where the mirror had this, or newer, already.

        A revision older than the mirrored one changes nothing. A job in the trash is taken out.
        """
        if stored.folder_status is None:
            return bool(self.remove([stored.id]))
        root = stored.folder.parent.parent
        return self.put_record(rows.record_of(Layout(root), stored), root)

    def put_record(self, record: JobRecord, root: Path) -> bool:
        """`put` for what was read without the store; `root` is storage/."""
        with writing(self.engine) as (connection, change_no):
            mirrored = _mirrored(connection, record.id)
            # A late writer must not bring back a job that was deleted meanwhile: its folder is in the trash by then.
            if mirrored is None and not Layout(root).find(record.folder).is_dir():
                return False
            if not _write(connection, record, change_no, mirrored):
                return False
            notify(connection, record.id)
            return True

    def remove(self, ids: Sequence[str]) -> int:
        """Take out jobs that are no more; how many of them there were."""
        with writing(self.engine) as (connection, _):
            removed = connection.execute(
                sa.delete(jobs).where(jobs.c.id.in_(ids)).returning(jobs.c.id, jobs.c.status)
            ).all()
            for table in (events, files):
                connection.execute(sa.delete(table).where(table.c.job_id.in_(ids)))
            for row in removed:
                count(connection, {row.status: -1})
                notify(connection, row.id)
            return len(removed)

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


_INSERT_JOB = insert(jobs)
_UPSERT_JOB = _INSERT_JOB.on_conflict_do_update(
    index_elements=["id"],
    set_={name: _INSERT_JOB.excluded[name] for name in written_columns(jobs) if name != "id"},
    where=jobs.c.revision <= _INSERT_JOB.excluded.revision,
).returning(jobs.c.status)
"""Built once: that costs more than PostgreSQL needs to carry it out."""


def write(connection: sa.Connection, record: JobRecord, change_no: int) -> bool:
    """Upsert inside a writer's transaction; False where nothing had to change."""
    return _write(connection, record, change_no, _mirrored(connection, record.id))


def _mirrored(connection: sa.Connection, job_id: str) -> Row | None:
    """What the mirror has of the job, with `last_seq`, the number of its last event."""
    columns = [*(jobs.c[name] for name in SAME), jobs.c.status, jobs.c.document["files"].label("files")]
    query = sa.select(*columns, _last_seq(job_id).label("last_seq")).where(jobs.c.id == job_id)
    row = connection.execute(query).mappings().one_or_none()
    return dict(row) if row is not None else None


def _write(connection: sa.Connection, record: JobRecord, change_no: int, mirrored: Row | None) -> bool:
    row = rows.job_row(record, change_no)
    if mirrored is not None and all(mirrored[name] == row[name] for name in SAME):
        return False
    written = connection.execute(_UPSERT_JOB, row).one_or_none()
    if written is None:
        return False
    # Append what is new. A log that somebody rewrote without the system comes in with the next rebuild only.
    if mirrored is not None:
        last_seq = mirrored["last_seq"]
    else:
        last_seq = connection.execute(sa.select(_last_seq(record.id))).scalar()
    new_events = list(rows.event_rows(record, after=last_seq or 0))
    if last_seq and any(row["type"] in BEGUN_AGAIN for row in new_events):
        connection.execute(sa.delete(events).where(events.c.job_id == record.id))
        new_events = list(rows.event_rows(record))
    _insert(connection, events, new_events)
    if mirrored is None or mirrored["files"] != row["document"].get("files"):
        connection.execute(sa.delete(files).where(files.c.job_id == record.id))
        _insert(connection, files, list(rows.file_rows(record)))
    if mirrored is None or mirrored["status"] != written.status:
        count(connection, {written.status: 1} | ({mirrored["status"]: -1} if mirrored is not None else {}))
    return True


def _last_seq(job_id: str) -> sa.ScalarSelect[int]:
    """The number of the last event that the mirror has of the job."""
    return sa.select(sa.func.max(events.c.seq)).where(events.c.job_id == job_id).scalar_subquery()


def _insert(connection: sa.Connection, table: sa.Table, values: list[Row]) -> None:
    if values:
        connection.execute(insert(table).on_conflict_do_nothing(), values)


def count(connection: sa.Connection, by: Mapping[str, int]) -> None:
    """Count up or down: status → by how many."""
    bump = insert(job_counts).values([{"status": status, "n": n} for status, n in sorted(by.items())])
    bump = bump.on_conflict_do_update(index_elements=["status"], set_={"n": job_counts.c.n + bump.excluded.n})
    connection.execute(bump)


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
