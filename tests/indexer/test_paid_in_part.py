"""What is unpaid in a large archive is found by an index."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from indexer.index import Mirror
from indexer.queries import Queries
from indexer.rebuild import reindex
from printsys.jobstore import JobStore

MANY = """
    INSERT INTO jobs (id, revision, folder, mail_owed, digest, log_size, document, words, change_no)
    SELECT n::text, 1, 'Archived/' || n, 0, '', 1, jsonb_build_object(
        'status', 'Archived', 'status_since', '2026-03-02T16:20:11Z', 'estimate', '{"cost": "4.27"}'::jsonb,
        'payment', '{"amount": "4.27", "picked_up_by": "Jane", "lines": []}'::jsonb
    ), '', 1 FROM generate_series(1, 20000) AS n
"""


@pytest.mark.parametrize("is_rebuilt", [False, True])
def test_a_large_archive_is_asked_by_its_index(
    store: JobStore, mirror: Mirror, queries: Queries, is_rebuilt: bool
) -> None:
    """At 100,000 jobs Today must not read every job's document."""
    if is_rebuilt:
        reindex(store, mirror.engine)
    asked: list[tuple[str, Any]] = []

    def listen(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        asked.append((statement, parameters))

    sa.event.listen(queries.engine, "before_cursor_execute", listen)
    assert queries.perhaps_unpaid() == []
    sa.event.remove(queries.engine, "before_cursor_execute", listen)
    statement, parameters = next(each for each in asked if "FROM jobs" in each[0])
    with mirror.engine.begin() as connection:
        connection.execute(sa.text(MANY))
        connection.execute(sa.text("ANALYZE jobs"))
        plan = "\n".join(row[0] for row in connection.exec_driver_sql(f"EXPLAIN {statement}", parameters))
        connection.execute(sa.text("DELETE FROM jobs"))
    assert "jobs_paid_in_part" in plan and "Seq Scan on jobs" not in plan
