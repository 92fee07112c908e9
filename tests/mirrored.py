"""What the mirror says of one job, for tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from indexer.connection import reading
from indexer.queries import JobRow, Queries
from indexer.schema import events, files


def mirrored_job(queries: Queries, job_id: str) -> JobRow | None:
    """The job's row, as a search for its id finds it."""
    return next((row for row in queries.jobs(q=job_id) if row.id == job_id), None)


def mirrored_events(queries: Queries, job_id: str) -> Sequence[sa.Row[Any]]:
    """The job's history, oldest first."""
    return _all(queries, sa.select(events).where(events.c.job_id == job_id).order_by(events.c.seq))


def mirrored_files(queries: Queries, job_id: str) -> Sequence[sa.Row[Any]]:
    return _all(queries, sa.select(files).where(files.c.job_id == job_id).order_by(files.c.position))


def _all(queries: Queries, statement: sa.Select[*tuple[Any, ...]]) -> Sequence[sa.Row[Any]]:
    with reading(queries.engine) as connection:
        return connection.execute(statement).all()
