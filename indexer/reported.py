"""What reports count: the jobs whose folders are there, and what is left of those that were pruned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from indexer.schema import REPORTED_VALUES, events, jobs, pruned_events, pruned_jobs


@dataclass(frozen=True)
class Records:
    """Tables, or what has their columns."""

    jobs: sa.FromClause
    events: sa.FromClause


def _both(mirrored: sa.Table, pruned: sa.Table, names: tuple[str, ...], *others: sa.ColumnElement[Any]) -> sa.Subquery:
    """PostgreSQL takes such a union apart: a condition finds its index in either table."""
    columns = ([table.c[name] for name in names] for table in (mirrored, pruned))
    rows_of_mirrored, rows_of_pruned = columns
    return sa.union_all(
        sa.select(*rows_of_mirrored, *others, sa.false().label("is_pruned")),
        sa.select(*rows_of_pruned, *(sa.null() for _ in others), sa.true().label("is_pruned")),
    ).subquery(f"reported_{mirrored.name}")


MIRRORED, PRUNED = Records(jobs, events), Records(pruned_jobs, pruned_events)
REPORTED = Records(
    _both(jobs, pruned_jobs, ("id", "document", *REPORTED_VALUES), jobs.c.folder),
    _both(events, pruned_events, tuple(events.c.keys())),
)
