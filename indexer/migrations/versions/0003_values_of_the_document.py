"""What pages filter, sort and sum by is generated from the document: no program copies it out."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

NUMBER = "CASE WHEN {0} ~ '^[+-]?[0-9]{{1,30}}([.][0-9]{{1,30}})?$' THEN CAST({0} AS numeric) END"
COUNT = "COALESCE(CASE WHEN {0} ~ '^-?[0-9]{{1,18}}$' THEN CAST({0} AS bigint) END, 1)"
VALUES = (
    ("status", "status", 'TEXT COLLATE "C"', "{0}"),
    ("status_since", "status_since", 'TEXT COLLATE "C"', "{0}"),
    ("created_at", "created_at", 'TEXT COLLATE "C"', "{0}"),
    ("updated_at", "updated_at", 'TEXT COLLATE "C"', "{0}"),
    ("student_name", "student,name", "TEXT", "{0}"),
    ("student_email", "student,email", "TEXT", "{0}"),
    ("discipline", "student,discipline", "TEXT", "{0}"),
    ("class_number", "student,class_number", "TEXT", "{0}"),
    ("method", "request,method", "TEXT", "{0}"),
    ("color", "request,color", "TEXT", "{0}"),
    ("printer", "request,printer", "TEXT", "{0}"),
    ("copies", "request,copies", "BIGINT", COUNT),
    ("due_date", "request,due_date", "TEXT", "{0}"),
    ("material", "estimate,material", "TEXT", "{0}"),
    ("weight_g", "estimate,weight_g", "NUMERIC", NUMBER),
    ("volume_ml", "estimate,volume_ml", "NUMERIC", NUMBER),
    ("time_h", "estimate,time_h", "NUMERIC", NUMBER),
    ("cost", "estimate,cost", "NUMERIC", NUMBER),
    ("paid", "payment,amount", "NUMERIC", NUMBER),
    ("reviewed_at", "reviewed_at", 'TEXT COLLATE "C"', "{0}"),
    ("expires_at", "confirmation,expires_at", 'TEXT COLLATE "C"', "{0}"),
)
UNUSUAL = """
    concat_ws(' ', status_since, created_at, updated_at, reviewed_at, expires_at)
        !~ '^([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z ?)+$'
    OR concat_ws(' ', document #>> '{estimate,weight_g}', document #>> '{estimate,volume_ml}',
        document #>> '{estimate,time_h}', document #>> '{estimate,cost}', document #>> '{payment,amount}')
        !~ '^([0-9]+([.][0-9]+)? ?)*$'
"""


def upgrade() -> None:
    """One ALTER TABLE: the table is written once."""
    changes = [f"DROP COLUMN {name}" for name, *_ in VALUES if name != "due_date"]
    for name, path, kind, expression in VALUES:
        generated = expression.format(f"(document #>> '{{{path}}}')")
        required = " NOT NULL" if name == "status" else ""
        changes.append(f"ADD COLUMN {name} {kind} GENERATED ALWAYS AS ({generated}) STORED{required}")
    op.get_bind().exec_driver_sql(f"ALTER TABLE jobs {', '.join(changes)}")
    op.create_index("jobs_by_status", "jobs", ["status", sa.literal_column("status_since DESC"), "id"])
    op.create_index("jobs_by_time", "jobs", [sa.literal_column("status_since DESC"), "id"])
    # A time or a number that a person spelled in another way: the next sweep writes the row again.
    op.get_bind().exec_driver_sql(f"UPDATE jobs SET digest = '', signature = NULL WHERE {UNUSUAL}")


def downgrade() -> None:
    """The tables are empty afterwards: the next sweep fills them from the folders."""
    op.execute("TRUNCATE jobs, events, files, job_counts")
    changes = [f"DROP COLUMN {name}" for name, *_ in VALUES]
    times = ("status_since", "created_at", "updated_at")
    for name, _path, kind, _expression in VALUES:
        if name != "due_date":
            is_time = name in (*times, "reviewed_at", "expires_at")
            required = " NOT NULL" if name in ("status", *times, "student_name", "method", "copies") else ""
            column_type = "TIMESTAMPTZ" if is_time else "INTEGER" if name == "copies" else kind.partition(" ")[0]
            changes.append(f"ADD COLUMN {name} {column_type}{required}")
    op.get_bind().exec_driver_sql(f"ALTER TABLE jobs {', '.join(changes)}")
    op.create_index("jobs_by_status", "jobs", ["status", sa.literal_column("status_since DESC"), "id"])
    op.create_index("jobs_by_time", "jobs", [sa.literal_column("status_since DESC"), "id"])
