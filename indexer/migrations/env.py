"""Alembic's way in. Always called by indexer.migrate, which brings the connection."""

from __future__ import annotations

from alembic import context

from indexer.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transaction_per_migration=False,
    compare_server_default=True,
)
with context.begin_transaction():
    context.run_migrations()
