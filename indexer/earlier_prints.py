"""Jobs that printed the same part before: by the bytes of its file, or by the shape of its model."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from indexer.schema import events, files, jobs
from printsys.domain.events import EventType
from printsys.domain.job import SUPERSEDED
from printsys.domain.status import Status

TRIED = (Status.PRINTING, Status.COMPLETED, Status.PAID_PICKED_UP, Status.ARCHIVED)
"""A job in another status counts only if a print of it has failed."""
TOLERANCE = 0.001
"""Of area, volume and longest side: programs write a few digits more or less."""
TRIANGLES = 0.1


@dataclass(frozen=True)
class Shape:
    """Of a model: cm², cm³ (0: unknown), mm. However it is turned and in whichever format, they stay the same."""

    area_cm2: float
    volume_cm3: float
    longest_mm: float
    triangles: int


def matching(
    job_id: str, hashes: Collection[str], shapes: Sequence[Shape], columns: Sequence[Any], most: int
) -> sa.Select[*tuple[Any, ...]]:
    """Other jobs, the newest first: `columns` of each, `is_same_file`, `failures` and `failure` (the reason)."""
    found = (files.c.job_id, files.c.position)
    same = [sa.select(*found, sa.true().label("is_same_file")).where(files.c.sha256.in_(sorted(hashes)))]
    same += [sa.select(*found, sa.false().label("is_same_file")).where(*_like(shape)) for shape in shapes]
    matches = sa.union_all(*same).subquery()
    failed = events.alias("failed")
    of_job = (failed.c.job_id == jobs.c.id, failed.c.type == EventType.PRINT_FAILED.value)
    was_tried = jobs.c.status.in_([status.value for status in TRIED])
    file = jobs.c.document["files"].op("->")(matches.c.position)
    is_superseded = file.op("->>")(SUPERSEDED) == "true"  # what was printed was another version
    newest_first = (jobs.c.status_since.desc(), jobs.c.id)
    # Of a part that everybody prints only the few that are shown are read whole.
    newest = (
        sa.select(jobs.c.id, sa.func.bool_or(matches.c.is_same_file).label("is_same_file"))
        .join_from(matches, jobs, jobs.c.id == matches.c.job_id)
        .where(jobs.c.id != job_id, is_superseded.is_not(True), sa.or_(was_tried, sa.exists().where(*of_job)))
        .group_by(jobs.c.id)
        .order_by(*newest_first)
        .limit(most)
        .subquery()
    )
    failures = sa.select(sa.func.count()).where(*of_job).scalar_subquery()
    failure = sa.select(failed.c.data["reason"].astext).where(*of_job).order_by(failed.c.seq.desc()).limit(1)
    return (
        sa.select(
            *columns, newest.c.is_same_file, failures.label("failures"), failure.scalar_subquery().label("failure")
        )
        .join_from(newest, jobs, jobs.c.id == newest.c.id)
        .order_by(*newest_first)
    )


def _like(shape: Shape) -> list[sa.ColumnElement[bool]]:
    conditions = [
        _near(files.c.area_cm2, shape.area_cm2, TOLERANCE),
        _near(files.c.longest_mm, shape.longest_mm, TOLERANCE),
        _near(files.c.triangles, shape.triangles, TRIANGLES),
    ]
    if shape.volume_cm3 > 0:
        conditions.append(_near(files.c.volume_cm3, shape.volume_cm3, TOLERANCE))
    return conditions


def _near(column: sa.Column[Any], value: float, tolerance: float) -> sa.ColumnElement[bool]:
    return column.between(value * (1 - tolerance), value * (1 + tolerance))
