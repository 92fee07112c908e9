"""Reports of many jobs take each change out of its index, in its order, and look into few documents."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from indexer.index import Mirror
from indexer.rebuild import reindex
from indexer.report_queries import ReportQueries
from printsys.jobstore import JobStore

START, END = datetime(2025, 1, 1, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC)
MANY_JOBS = """
    INSERT INTO jobs (id, revision, folder, mail_owed, digest, log_size, document, words, change_no)
    SELECT n::text, 1, 'Archived/' || n, 0, '', 1, jsonb_build_object(
        'status', 'Completed', 'created_at', '2026-03-02T16:20:11Z', 'estimate', '{"cost": "4.27"}'::jsonb
    ), '', 1 FROM generate_series(1, 2000) AS n
"""
MANY_EVENTS = """
    INSERT INTO events (job_id, seq, at, type, actor, data, patch)
    SELECT n::text, seq, timestamptz '2026-03-02T16:20:11Z' + seq * interval '1 hour', type, 'staff', '{}',
        CASE seq WHEN 1 THEN '{"status": "Printing"}' WHEN 2 THEN '{"status": "Completed"}'
        WHEN 3 THEN '{"payment": {"amount": "4.27"}}' ELSE '{"notes": "x"}' END::jsonb
    FROM generate_series(1, 2000) AS n, unnest(ARRAY['PrintingStarted', 'JobCompleted', 'PaymentRecorded']
        || array_fill('NoteAdded'::text, ARRAY[17])) WITH ORDINALITY AS t(type, seq)
"""
QUERIES: dict[str, tuple[Callable[[ReportQueries], object], str]] = {
    "happenings": (lambda queries: queries.happenings([START, END]), "events_counted"),
    "waits": (lambda queries: queries.waits(START, END), "events_of_status"),
    "accuracy": (lambda queries: queries.accuracy(START, END), "events_of_status"),
    "money": (lambda queries: queries.money([START, END]), "events_of_payment"),
    "entries": (lambda queries: queries.money_entries(START, END), "events_of_payment"),
}


@pytest.fixture(params=[False, True], ids=["migrated", "rebuilt"])
def many(request: pytest.FixtureRequest, store: JobStore, mirror: Mirror) -> Iterator[sa.Engine]:
    if request.param:
        reindex(store, mirror.engine)
    with mirror.engine.begin() as connection:
        connection.execute(sa.text(MANY_JOBS))
        connection.execute(sa.text(MANY_EVENTS))
    with mirror.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("VACUUM ANALYZE jobs, events"))
    yield mirror.engine
    with mirror.engine.begin() as connection:
        connection.execute(sa.text("TRUNCATE jobs, events"))


@pytest.mark.parametrize("name", sorted(QUERIES))
def test_a_report_takes_changes_out_of_their_index(name: str, many: sa.Engine) -> None:
    """A scan of all events, and a sort of them, made each of these parts take several seconds at 100,000 jobs."""
    ask, index = QUERIES[name]
    asked: list[tuple[str, Any]] = []

    def listen(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        asked.append((statement, parameters))

    sa.event.listen(many, "before_cursor_execute", listen)
    assert ask(ReportQueries(many))
    sa.event.remove(many, "before_cursor_execute", listen)
    statement, parameters = next(each for each in asked if "FROM events" in each[0])
    with many.connect() as connection:
        plan = "\n".join(row[0] for row in connection.exec_driver_sql(f"EXPLAIN {statement}", parameters))
    assert index in plan and "Seq Scan on events" not in plan, plan


def test_what_waits_to_be_paid_is_added_up_without_reading_records(many: sa.Engine) -> None:
    """To parse the record of every print that waits took seconds."""
    queries = ReportQueries(many)
    (owed,) = queries.owed()
    assert (owed.is_waiting, owed.jobs, str(owed.due)) == (True, 2000, "8540.00") and list(queries.owing()) == []
