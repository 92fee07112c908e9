"""How fast the folders are read, each beside this machine's own limit in the same run. Prints ratios.

    python bench/sweep.py [JOBS]        (inside .venv; default 20,000 jobs; needs about 20 KB of disk for each)

* idle sweep: every folder listed and compared, nothing changed, against scandir + stat of the same files alone
* rebuild: `reindex` against scandir + read + json + COPY of the same files alone
* change to mirror: a drag until its row says so, against one watchdog event and one upsert
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
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import sqlalchemy as sa

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from watchdog.events import DirMovedEvent, FileSystemEvent, FileSystemEventHandler  # noqa: E402
from watchdog.observers import Observer  # noqa: E402

from indexer import migrate  # noqa: E402
from indexer.index import Mirror  # noqa: E402
from indexer.rebuild import reindex  # noqa: E402
from indexer.reconcile import Reconciler  # noqa: E402
from indexer.schema import create_engine, jobs  # noqa: E402
from indexer.service import Service  # noqa: E402
from indexer.sweep import Sweeper  # noqa: E402
from printsys.domain.status import Status  # noqa: E402
from printsys.jobstore import JobStore, Stored  # noqa: E402
from printsys.ops.postgres import embedded_postgres  # noqa: E402
from tests.factories import context, make_job, make_store  # noqa: E402
from tests.many_jobs import make_many_jobs  # noqa: E402

DRAGS = 40


def timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


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
    """scandir + read + json + COPY of one row a job and one a event."""
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
    with engine.begin() as connection:
        cursor = connection.connection.cursor()
        cursor.execute("CREATE TEMP TABLE raw_jobs (id text, document jsonb) ON COMMIT DROP")
        cursor.execute("CREATE TEMP TABLE raw_events (id text, seq int, event jsonb) ON COMMIT DROP")
        for name, rows in (("raw_jobs", jobs), ("raw_events", events)):
            rows.seek(0)
            cursor.copy_expert(f"COPY {name} FROM STDIN", rows)


def drag_latencies(store: JobStore, engine: sa.Engine) -> list[float]:
    """Seconds from a rename to the row that says so, with the whole indexer running."""
    swept, stop = threading.Event(), threading.Event()
    service = Service(
        store,
        engine,
        context=lambda: context(store),
        synced=lambda _: swept.set(),
        sweep_every_s=3600,
        watch_mode="native",
    )
    thread = threading.Thread(target=service.run, args=(stop,))
    thread.start()
    swept.wait()
    seconds = []
    ready = [make_job(store, f"Drag {n}", status=Status.READY_TO_PRINT) for n in range(DRAGS)]
    for job in ready:
        wait(partial(has_row, engine, job.id))
        wait(lambda: service.is_quiet)  # the indexer has compared earlier changes a second time, too
        start = time.perf_counter()
        job.folder.rename(store.layout.status(Status.PRINTING) / job.folder.name)
        wait(partial(has_row, engine, job.id, Status.PRINTING))
        seconds.append(time.perf_counter() - start)
    stop.set()
    thread.join()
    return seconds


def has_row(engine: sa.Engine, job_id: str, status: Status | None = None) -> bool:
    with engine.connect() as connection:
        mirrored = connection.execute(sa.select(jobs.c.status).where(jobs.c.id == job_id)).scalar()
    return mirrored is not None and status in (None, mirrored)


def raw_latencies(store: JobStore, mirror: Mirror, jobs: list[Stored]) -> list[float]:
    """Seconds from a rename to watchdog's event, and one upsert."""
    event_came = threading.Event()

    class Listener(FileSystemEventHandler):
        def on_any_event(self, event: FileSystemEvent) -> None:
            event_came.set()

    observer = Observer()
    uploaded = str(store.layout.status(Status.UPLOADED))  # the indexer watches no more than the live statuses either
    observer.schedule(Listener(), uploaded, recursive=True, event_filter=[DirMovedEvent])
    observer.start()
    seconds = []
    for job in jobs:
        event_came.clear()
        start = time.perf_counter()
        job.folder.rename(job.folder.with_name(job.folder.name + "x"))
        event_came.wait(10)
        mirror.mark_problem(job.id, "timed")
        seconds.append(time.perf_counter() - start)
        job.folder.with_name(job.folder.name + "x").rename(job.folder)
    observer.stop()
    observer.join()
    return seconds


def wait(condition: Callable[[], bool]) -> None:
    while not condition():
        time.sleep(0.0005)


def best(work: Callable[[], object], times: int = 3) -> float:
    return min(timed(work) for _ in range(times))


def p99(values: list[float]) -> float:
    return statistics.quantiles(values, n=100)[98]


def main(count: int) -> None:
    parent = Path(tempfile.mkdtemp(prefix="bench-"))
    try:
        with embedded_postgres(parent / "instance") as url:
            migrate.upgrade(url)
            engine = create_engine(url)
            store = make_store(parent, clock=lambda: datetime.now(UTC))
            store.layout.make()
            make_many_jobs(store, count, Status.PAID_PICKED_UP)
            mirror = Mirror(engine)
            sweeper = Sweeper(store, mirror, Reconciler(store, lambda: context(store)))
            rebuilt, raw = (
                best(lambda: reindex(store, engine), 2),
                best(lambda: raw_rebuild(store.layout.root, engine), 2),
            )
            print(f"rebuild of {count} jobs: {rebuilt:.2f} s, raw {raw:.2f} s: {raw / rebuilt:.0%} of the limit")
            sweeper.sweep()
            idle, raw = best(sweeper.sweep), best(lambda: raw_listing(store.layout.root))
            print(f"idle sweep of {count} jobs: {idle:.2f} s, raw {raw:.2f} s: {raw / idle:.0%} of the limit")
            latencies = drag_latencies(store, engine)
            jobs = [make_job(store, f"Raw {n}") for n in range(DRAGS)]
            for job in jobs:
                mirror.put(job)
            raws = raw_latencies(store, mirror, jobs)
            print(f"drag to mirror, median: {statistics.median(latencies) * 1000:.1f} ms, "
                  f"raw {statistics.median(raws) * 1000:.1f} ms")  # fmt: skip
            print(f"drag to mirror, p99 of {DRAGS}: {p99(latencies) * 1000:.1f} ms, raw {p99(raws) * 1000:.1f} ms: "
                  f"{p99(latencies) / p99(raws):.1f} times the limit")  # fmt: skip
            engine.dispose()
    finally:
        shutil.rmtree(parent, ignore_errors=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("jobs", nargs="?", type=int, default=20_000)
    main(parser.parse_args().jobs)
