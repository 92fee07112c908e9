"""How fast reports are: every query over all years, against one pass of the same server over the same tables.

    python bench/reports.py [JOBS] [--pruned-until 2029-01-01]        (inside .venv; default 20,000 jobs)

The jobs are copies of random lives, spread over five years. The pass reads each row of the two tables once: it looks
at the time of each event and at the figures of each job.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import sqlalchemy as sa  # noqa: E402

from indexer import migrate  # noqa: E402
from indexer.happened import Happening  # noqa: E402
from indexer.rebuild import reindex  # noqa: E402
from indexer.report_queries import ReportQueries  # noqa: E402
from indexer.schema import (  # noqa: E402
    create_engine,
    events,
    jobs,
    pruned_events,
    pruned_jobs,
    written_columns,
)
from printsys.ops.postgres import embedded_postgres  # noqa: E402
from printsys.reports.figures import outstanding, report  # noqa: E402
from printsys.reports.periods import Range  # noqa: E402
from tests.factories import LAB, Clock, make_store  # noqa: E402
from tests.reports.lives import make_lives  # noqa: E402
from tests.waiting import until  # noqa: E402

SEEDS, RUNS, YEARS = 100, 3, 5
TABLES = "jobs, events, pruned_jobs, pruned_events"
ORDER = {"jobs": "id", "events": "job_id, seq"}
"""As a rebuild writes them: the rows of a job lie side by side."""
START, END = datetime(2020, 1, 1, tzinfo=UTC), datetime(2036, 1, 1, tzinfo=UTC)
PASS = "SELECT (SELECT max(at) FROM {0}events WHERE data IS NOT NULL), (SELECT sum(time_h + cost) FROM {0}jobs)"


def copy_jobs(engine: sa.Engine, count: int, pruned_until: str) -> None:
    """Each seed so often that there are `count` jobs, its copies under ids and at times of their own. Those that came
    in before `pruned_until` were pruned."""
    copies = count // SEEDS - 1
    shift = f"n * interval '{YEARS * 365 * 86400 // copies} seconds'"
    created = f"to_char((created_at::timestamptz + {shift}) AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"
    values = {
        "jobs": {"id": "id || n", "document": f"jsonb_set(document, '{{created_at}}', to_jsonb({created}))"},
        "events": {"job_id": "job_id || n", "at": f"at + {shift}"},
    }
    with engine.begin() as connection:
        connection.execute(sa.text("SET LOCAL statement_timeout = 0"))
        for table in (jobs, events):
            columns = written_columns(table)
            selected = ", ".join(values[table.name].get(name, f'"{name}"') for name in columns)
            names = ", ".join(f'"{name}"' for name in columns)
            rows = f"generate_series(1, {copies}) AS n, {table.name} ORDER BY n, {ORDER[table.name]}"
            insert = f"INSERT INTO {table.name} ({names}) SELECT {selected} FROM {rows}"
            connection.execute(sa.text(insert.replace(":", r"\:")))
        is_pruned = f"IN (SELECT id FROM jobs WHERE created_at < '{pruned_until}')"
        moves = (
            (pruned_events, dict[str, str](), f"FROM events WHERE job_id {is_pruned}"),
            (pruned_jobs, {"log": "'2026.jsonl'", "digest": "''"}, f"FROM jobs WHERE id {is_pruned}"),
        )
        for pruned, values_of_log, rows in moves:
            columns = written_columns(pruned)
            selected = ", ".join(values_of_log.get(name, f'"{name}"') for name in columns)
            names = ", ".join(f'"{name}"' for name in columns)
            connection.execute(sa.text(f"INSERT INTO {pruned.name} ({names}) SELECT {selected} {rows}"))
            connection.execute(sa.text(f"DELETE {rows}"))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("SET statement_timeout = 0"))
        until(lambda: _is_vacuumed(connection), 120)


def _is_vacuumed(connection: sa.Connection) -> bool:
    """After one more VACUUM: a snapshot of PostgreSQL's own may have kept the one before from marking pages as visible
    to all, without which an index is never read alone. In a lab the server comes to that by itself."""
    connection.execute(sa.text(f"VACUUM ANALYZE {TABLES}"))
    tables = "ANY (CAST(:names AS regclass[]))"
    marked = f"SELECT bool_and(relallvisible >= relpages * 0.99) FROM pg_class WHERE oid = {tables}"
    return bool(connection.execute(sa.text(marked), {"names": f"{{{TABLES}}}"}).scalar())


def seconds(work: Callable[[], object]) -> float:
    """Of the median run."""
    spent = []
    for _ in range(RUNS):
        start = time.perf_counter()
        work()
        spent.append(time.perf_counter() - start)
    return statistics.median(spent)


def measure(engine: sa.Engine, count: int) -> None:
    queries = ReportQueries(engine)

    def read_all() -> None:
        with engine.connect() as connection:
            for prefix in ("", "pruned_"):
                connection.execute(sa.text(f"SET statement_timeout = 0; {PASS.format(prefix)}"))

    years = [Range(date(year, 1, 1), date(year, 12, 31)) for year in (2027, 2031)]
    all_years: dict[str, Callable[[], object]] = {
        "submissions": lambda: queries.counts(Happening.SUBMITTED, [START, END]),
        "prints": lambda: queries.counts(Happening.PRINTED, [START, END]),
        "rejections": lambda: queries.rejections(START, END),
        "failures": lambda: queries.failures([START, END]),
        "usage": lambda: queries.usage(START, END),
        "waits": lambda: queries.waits(START, END),
        "accuracy": lambda: queries.accuracy(START, END),
        "money": lambda: queries.money([START, END]),
        "outstanding": lambda: outstanding(queries),
    }
    one_pass = seconds(read_all)
    print(f"{count:,} jobs on {os.cpu_count()} cores; one pass over the tables takes {one_pass:.2f} s")
    for name, work in all_years.items():
        spent = seconds(work)
        print(f"  {name:16} {spent:6.2f} s   {spent / one_pass:5.2f} x")
    for days in years:
        spent = seconds(partial(report, queries, LAB, days, "month"))
        print(f"  a whole report of {days.first.year}: {spent:.2f} s, {spent / one_pass:.2f} x")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("jobs", type=int, nargs="?", default=20_000)
    parser.add_argument("--pruned-until", metavar="DAY", default="", help="jobs that came in before it were pruned")
    args = parser.parse_args()
    count = args.jobs
    with tempfile.TemporaryDirectory(prefix="bench-") as name, embedded_postgres(Path(name) / "instance") as url:
        migrate.upgrade(url)
        engine = create_engine(url)
        clock = Clock()
        store = make_store(Path(name), clock)
        make_lives(store, clock, SEEDS, 1)
        reindex(store, engine)
        copy_jobs(engine, count, args.pruned_until)
        measure(engine, count)
        engine.dispose()


if __name__ == "__main__":
    main()
