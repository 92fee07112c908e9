"""Indexes for reports: the events that they count, and the jobs by the time of their submission."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

COUNTED_CHANGE = "patch ?| ARRAY['payment', 'plates', 'status']"


def upgrade() -> None:
    connection = op.get_bind()
    connection.exec_driver_sql("CREATE INDEX jobs_by_creation ON jobs (created_at, id)")
    connection.exec_driver_sql(f"CREATE INDEX events_counted ON events (type, at) WHERE {COUNTED_CHANGE}")


def downgrade() -> None:
    op.drop_index("events_counted", "events")
    op.drop_index("jobs_by_creation", "jobs")
