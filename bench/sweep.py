"""How fast the folders are read, beside this machine's own limit in the same run. Prints ratios.

    python bench/sweep.py [JOBS] [--pairs N]        (inside .venv; default 20,000 jobs; about 25 KB of disk for each)

* rebuild: `reindex` against scandir + read + json + COPY of the same files alone
* idle sweep: every folder listed and compared, nothing changed, against scandir + stat of the same files alone

Ours and the limit take turns, so that whatever else the machine does meets both; a ratio is the median of the pairs'.
bench/drag.py has the drag, bench/memory.py what each process needs.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import sqlalchemy as sa

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from indexer import migrate  # noqa: E402
from indexer.connection import reading  # noqa: E402
from indexer.index import Mirror  # noqa: E402
from indexer.rebuild import reindex  # noqa: E402
from indexer.reconcile import Reconciler  # noqa: E402
from indexer.schema import create_engine  # noqa: E402
from indexer.sweep import Sweeper  # noqa: E402
from printsys.domain.status import Status  # noqa: E402
from printsys.ops.postgres import embedded_postgres  # noqa: E402
from tests.factories import context, make_store  # noqa: E402
from tests.many_jobs import make_many_jobs  # noqa: E402

SWEEPS_A_REBUILD = 3


def raw_listing(root: Path) -> None:
    """The least that can find a change: scandir of both folders of each job and stat of each file."""
    for status in Status:
        with os.scandir(root / status.value) as folders:
            for folder in folders:
                for inner in (folder.path, os.path.join(folder.path, "original")):
                    with os.scandir(inner) as entries:
                        for entry in entries:
                            entry.stat(follow_symlinks=False)


def raw_rebuild(root: Path, engine: sa.Engine) -> None:
    """scandir + read + json + COPY of one row a job and one an event."""
    jobs, events = io.StringIO(), io.StringIO()
    for status in Status:
        with os.scandir(root / status.value) as folders:
            for folder in folders:
                with open(os.path.join(folder.path, "metadata.json"), "rb") as file:
                    document = json.loads(file.read())
                jobs.write(f"{document['id']}\t{json.dumps(document)}\n".replace("\\", "\\\\"))
                with open(os.path.join(folder.path, "events.jsonl"), "rb") as file:
                    for line in file:
                        event = json.loads(line)
                        events.write(f"{document['id']}\t{event['seq']}\t{json.dumps(event)}\n".replace("\\", "\\\\"))
    with reading(engine, patient=True) as connection:
        cursor: Any = connection.connection.cursor()
        cursor.execute("CREATE TEMP TABLE raw_jobs (id text, document jsonb) ON COMMIT DROP")
        cursor.execute("CREATE TEMP TABLE raw_events (id text, seq int, event jsonb) ON COMMIT DROP")
        for name, rows in (("raw_jobs", jobs), ("raw_events", events)):
            rows.seek(0)
            cursor.copy_expert(f"COPY {name} FROM STDIN", rows)


def cpu_s() -> float:
    """Of this process and all its children, those that have ended included; PostgreSQL is one of them."""
    own = os.times()
    children = psutil.Process().children(recursive=True)
    living = [times for child in children if (times := _times(child)) is not None]
    return own.user + own.system + own.children_user + own.children_system + sum(living)


def _times(process: psutil.Process) -> float | None:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return None
    return float(times.user + times.system)


class Comparison:
    """Of the same work, done by us and by the least that does it, in turns."""

    def __init__(self, name: str, ours: Callable[[], object], limit: Callable[[], object]) -> None:
        self.name, self.works = name, (ours, limit)
        self.wall_s: tuple[list[float], list[float]] = [], []
        self.cpu_s: tuple[list[float], list[float]] = [], []

    def run(self) -> None:
        for work, wall_s, cpu_times in zip(self.works, self.wall_s, self.cpu_s, strict=True):
            cpu, start = cpu_s(), time.perf_counter()
            work()
            wall_s.append(time.perf_counter() - start)
            cpu_times.append(cpu_s() - cpu)

    def report(self, count: int) -> None:
        ratios = [limit / ours for ours, limit in zip(*self.wall_s, strict=True)]
        ours, limit = (statistics.median(seconds) for seconds in self.wall_s)
        our_cpu, limit_cpu = (statistics.median(seconds) for seconds in self.cpu_s)
        span = f"{statistics.median(ratios):.0%} of the limit (from {min(ratios):.0%} to {max(ratios):.0%})"
        print(f"{self.name} of {count} jobs: {ours:.2f} s, limit {limit:.2f} s, {len(ratios)} pairs: {span}")
        print(f"  CPU: {our_cpu:.2f} s, limit {limit_cpu:.2f} s", flush=True)


def main(count: int, pairs: int) -> None:
    parent = Path(tempfile.mkdtemp(prefix="bench-"))
    try:
        with embedded_postgres(parent / "instance") as url:
            migrate.upgrade(url)
            engine = create_engine(url)
            store = make_store(parent, clock=lambda: datetime.now(UTC))
            store.layout.make()
            make_many_jobs(store, count, Status.PAID_PICKED_UP)
            os.sync()
            root = store.layout.root
            rebuild = Comparison("rebuild", lambda: reindex(store, engine), lambda: raw_rebuild(root, engine))
            for _ in range(pairs):
                rebuild.run()
            rebuild.report(count)
            sweeper = Sweeper(store, Mirror(engine), Reconciler(store, lambda: context(store)))
            sweeper.sweep(looks_twice=True)
            sweep = Comparison("idle sweep", sweeper.sweep, lambda: raw_listing(root))
            for _ in range(pairs * SWEEPS_A_REBUILD):
                sweep.run()
            sweep.report(count)
            engine.dispose()
    finally:
        shutil.rmtree(parent, ignore_errors=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("jobs", nargs="?", type=int, default=20_000)
    parser.add_argument("--pairs", type=int, default=3)
    arguments = parser.parse_args()
    main(arguments.jobs, arguments.pairs)
