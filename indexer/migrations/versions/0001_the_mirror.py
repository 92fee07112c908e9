"""The mirror's first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "attention",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("folder", sa.Text(), nullable=False, comment="relative to storage/"),
        sa.Column("job_id", sa.Text(), nullable=True),
        sa.Column("sentence", sa.Text(), nullable=False),
        sa.Column("fixes", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("kind", "folder", name=op.f("attention_pkey")),
    )
    op.create_table(
        "events",
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("data", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("patch", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("job_id", "seq", name=op.f("events_pkey")),
    )
    op.create_table(
        "files",
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False, comment="in metadata.json's list, from 0"),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("job_id", "position", name=op.f("files_pkey")),
    )
    op.create_index("files_by_sha256", "files", ["sha256"], unique=False)
    op.create_table(
        "job_counts",
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("status", name=op.f("job_counts_pkey")),
    )
    op.create_table(
        "jobs",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("folder", sa.Text(), nullable=False, comment="relative to storage/, with forward slashes"),
        sa.Column("folder_status", sa.Text(), nullable=True, comment="the status folder it lies in"),
        sa.Column("status_since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("student_name", sa.Text(), nullable=False),
        sa.Column("student_email", sa.Text(), nullable=True),
        sa.Column("discipline", sa.Text(), nullable=True),
        sa.Column("class_number", sa.Text(), nullable=True),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("color", sa.Text(), nullable=True),
        sa.Column("printer", sa.Text(), nullable=True),
        sa.Column("copies", sa.Integer(), nullable=False),
        sa.Column("material", sa.Text(), nullable=True),
        sa.Column("weight_g", sa.Numeric(), nullable=True),
        sa.Column("volume_ml", sa.Numeric(), nullable=True),
        sa.Column("time_h", sa.Numeric(), nullable=True),
        sa.Column("cost", sa.Numeric(), nullable=True),
        sa.Column("paid", sa.Numeric(), nullable=True),
        sa.Column("reviewed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "expires_at", sa.DateTime(timezone=True), nullable=True, comment="until when the student may confirm"
        ),
        sa.Column("move_pending", sa.Text(), nullable=True, comment="why the folder is not in its status folder yet"),
        sa.Column("problem", sa.Text(), nullable=True, comment="what a person must look at in the record"),
        sa.Column(
            "asked_in_file", sa.Text(), nullable=True, comment="a status that somebody wrote into metadata.json by hand"
        ),
        sa.Column("mail_owed", sa.Integer(), nullable=False),
        sa.Column(
            "next_mail_at", sa.DateTime(timezone=True), nullable=True, comment="when the first owed e-mail may go out"
        ),
        sa.Column("digest", sa.Text(), nullable=False, comment="sha256 of metadata.json"),
        sa.Column("log_size", sa.BigInteger(), nullable=False, comment="bytes of events.jsonl"),
        sa.Column(
            "signature", sa.Text(), comment="the folder's listing when it was last reconciled; unknown: look again"
        ),
        sa.Column("document", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "words", postgresql.TSVECTOR(), nullable=False, comment="what a search finds, see indexer/search_text.py"
        ),
        sa.Column(
            "change_no", sa.BigInteger(), nullable=False, comment="mirror_state.changes when the row was written"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("jobs_pkey")),
    )
    op.create_index("jobs_by_status", "jobs", ["status", sa.literal_column("status_since DESC"), "id"], unique=False)
    op.create_index("jobs_by_time", "jobs", [sa.literal_column("status_since DESC"), "id"], unique=False)
    op.create_index("jobs_by_words", "jobs", ["words"], unique=False, postgresql_using="gin")
    op.create_index(
        "jobs_owing_mail", "jobs", ["next_mail_at"], unique=False, postgresql_where=sa.text("mail_owed > 0")
    )
    op.create_table(
        "mirror_state",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("changes", sa.BigInteger(), nullable=False),
        sa.Column(
            "synced_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="when the whole of storage/ was last compared",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("mirror_state_pkey")),
    )


def downgrade() -> None:
    op.drop_table("mirror_state")
    op.drop_index("jobs_owing_mail", table_name="jobs", postgresql_where=sa.text("mail_owed > 0"))
    op.drop_index("jobs_by_words", table_name="jobs", postgresql_using="gin")
    op.drop_index("jobs_by_time", table_name="jobs")
    op.drop_index("jobs_by_status", table_name="jobs")
    op.drop_table("jobs")
    op.drop_table("job_counts")
    op.drop_index("files_by_sha256", table_name="files")
    op.drop_table("files")
    op.drop_table("events")
    op.drop_table("attention")
