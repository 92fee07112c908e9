"""An index of the jobs that are paid in part: what is unpaid is found in a large archive, too."""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

PAID_IN_PART = r"""
    paid < CASE WHEN (document #>> '{payment,price}') ~ '^[0-9]{1,9}(\.[0-9]{1,9})?$'
        THEN CAST(document #>> '{payment,price}' AS numeric) ELSE cost END
    AND (document #> '{payment,lines}') IS NOT NULL
"""


def upgrade() -> None:
    create = f"CREATE INDEX jobs_paid_in_part ON jobs (status_since DESC, id) WHERE {PAID_IN_PART}"
    op.get_bind().exec_driver_sql(create)


def downgrade() -> None:
    op.drop_index("jobs_paid_in_part", "jobs")
