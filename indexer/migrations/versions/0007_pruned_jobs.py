"""What is left of pruned jobs, for reports: the next look at the folders fills the tables."""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

NUMBER = "CASE WHEN {0} ~ '^[+-]?[0-9]{{1,30}}([.][0-9]{{1,30}})?$' THEN CAST({0} AS numeric) END"
COUNT = "COALESCE(CASE WHEN {0} ~ '^-?[0-9]{{1,18}}$' THEN CAST({0} AS bigint) END, 1)"
VALUES = (
    ("status", "status", 'TEXT COLLATE "C"', "{0}"),
    ("created_at", "created_at", 'TEXT COLLATE "C"', "{0}"),
    ("discipline", "student,discipline", "TEXT", "{0}"),
    ("class_number", "student,class_number", "TEXT", "{0}"),
    ("method", "request,method", "TEXT", "{0}"),
    ("color", "request,color", "TEXT", "{0}"),
    ("printer", "request,printer", "TEXT", "{0}"),
    ("copies", "request,copies", "BIGINT", COUNT),
    ("material", "estimate,material", "TEXT", "{0}"),
    ("weight_g", "estimate,weight_g", "NUMERIC", NUMBER),
    ("volume_ml", "estimate,volume_ml", "NUMERIC", NUMBER),
    ("time_h", "estimate,time_h", "NUMERIC", NUMBER),
    ("cost", "estimate,cost", "NUMERIC", NUMBER),
    ("paid", "payment,amount", "NUMERIC", NUMBER),
)
TABLES = """
CREATE TABLE pruned_jobs (
    id TEXT CONSTRAINT pruned_jobs_pkey PRIMARY KEY,
    log TEXT NOT NULL,
    digest TEXT NOT NULL,
    document JSONB NOT NULL,
    {values}
);
COMMENT ON COLUMN pruned_jobs.id IS 'the key of its line, which leads to no job';
COMMENT ON COLUMN pruned_jobs.log IS 'the file that has the line; empty: it is on its way out';
COMMENT ON COLUMN pruned_jobs.digest IS 'of what the line says';
CREATE INDEX pruned_jobs_by_creation ON pruned_jobs (created_at, id);
CREATE INDEX pruned_jobs_going ON pruned_jobs (id) WHERE log = '';
CREATE TABLE pruned_events (
    job_id TEXT NOT NULL,
    seq INTEGER NOT NULL,
    at TIMESTAMPTZ NOT NULL,
    type TEXT NOT NULL,
    actor TEXT NOT NULL,
    data JSONB NOT NULL,
    patch JSONB NOT NULL,
    CONSTRAINT pruned_events_pkey PRIMARY KEY (job_id, seq)
);
CREATE INDEX pruned_events_counted ON pruned_events (type, at)
    WHERE patch ?| ARRAY['payment', 'plates', 'status'];
CREATE TABLE pruned_logs (
    name TEXT CONSTRAINT pruned_logs_pkey PRIMARY KEY,
    listing TEXT,
    problem TEXT
);
COMMENT ON COLUMN pruned_logs.name IS 'of the file; empty: the notes of jobs on their way out';
COMMENT ON COLUMN pruned_logs.listing IS 'its size and time when it was read; unknown: read it again';
COMMENT ON COLUMN pruned_logs.problem IS 'why it cannot be read: reports refuse to count then';
"""


def upgrade() -> None:
    values = []
    for name, path, kind, expression in VALUES:
        generated = expression.format(f"(document #>> '{{{path}}}')")
        required = " NOT NULL" if name == "status" else ""
        values.append(f"{name} {kind} GENERATED ALWAYS AS ({generated}) STORED{required}")
    op.get_bind().exec_driver_sql(TABLES.format(values=",\n    ".join(values)))


def downgrade() -> None:
    for table in ("pruned_logs", "pruned_events", "pruned_jobs"):
        op.drop_table(table)
