"""What needs a person may be about one file of a job: two of its originals are two items."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    about = "which of the job's files; empty: all of it"
    op.add_column("attention", sa.Column("file", sa.Text(), server_default="", nullable=False, comment=about))
    op.alter_column("attention", "file", server_default=None)
    op.drop_constraint("attention_pkey", "attention")
    op.create_primary_key("attention_pkey", "attention", ["kind", "folder", "file"])


def downgrade() -> None:
    op.execute("DELETE FROM attention WHERE file <> ''")
    op.drop_constraint("attention_pkey", "attention")
    op.drop_column("attention", "file")
    op.create_primary_key("attention_pkey", "attention", ["kind", "folder"])
