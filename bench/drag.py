"""How soon a drag is in the mirror, beside the least that this machine needs for the same durable work. Prints ratios.

    python bench/drag.py [DRAGS] [--files N]        (inside .venv; default 200 drags, 10,000 files; about 4 minutes)

`manage.py index` runs as in the lab, in a process of its own, and every half second a folder changes its status.

* ours: from the rename to PostgreSQL's notification that the job's row says so
* the limit: watchdog's event of such a rename, one synced append, one synced replace, one upsert of such a row
* the files: N of them written into one job, until the record names them, and how long other drags take meanwhile

Ours and the limit take turns, so that whatever else the machine does meets both.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import select
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import psycopg2
import sqlalchemy as sa

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from watchdog.events import DirCreatedEvent, FileSystemEvent, FileSystemEventHandler  # noqa: E402
from watchdog.observers import Observer  # noqa: E402

from indexer import migrate, rows  # noqa: E402
from indexer.index import CHANNEL  # noqa: E402
from indexer.schema import jobs, written_columns  # noqa: E402
from printsys import fs  # noqa: E402
from printsys.domain.status import Status  # noqa: E402
from printsys.jobstore import JobStore, Stored  # noqa: E402
from printsys.jobstore.layout import EVENTS, METADATA  # noqa: E402
from printsys.ops.postgres import embedded_postgres  # noqa: E402
from tests.factories import make_job, make_store  # noqa: E402
from tests.many_jobs import make_many_jobs  # noqa: E402

OTHER_JOBS = 1_000
OTHERS = 50
"""Folders that are dragged while one is filled."""
PAUSES_S = (0.3, 0.7)
PATIENCE_S = 60.0
AT_REST = (
    "SELECT max(synced_at) IS NOT NULL AND EXISTS (SELECT FROM jobs) "
    "AND NOT EXISTS (SELECT FROM jobs WHERE signature IS NULL) FROM mirror_state"
)
"""Whether the indexer has swept, and read every file since: until then a drag waits for a slice of that."""


def connect(url: str) -> Any:
    plain = sa.make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    connection = psycopg2.connect(plain, options="-c synchronous_commit=off -c timezone=UTC")
    connection.autocommit = True
    return connection


@contextmanager
def running_index(parent: Path, url: str) -> Iterator[psutil.Process]:
    """`manage.py index`, when it waits for events."""
    environment = {
        "PRINTSYS_STORAGE": str(parent / "storage"),
        "PRINTSYS_INSTANCE": str(parent / "instance"),
        "DATABASE_URL": url,
        "WATCH_MODE": "native",
    }
    command = [sys.executable, str(ROOT / "manage.py"), "index"]
    with (parent / "index.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=os.environ | environment, stdout=log, stderr=log)
    try:
        # Not as its own context: there psycopg2 begins a transaction, which would keep the rebuild from its tables.
        with closing(connect(url)) as connection, connection.cursor() as cursor:
            is_at_rest = False
            while not is_at_rest:
                if process.poll() is not None:
                    raise SystemExit((parent / "index.log").read_text("utf-8"))
                time.sleep(0.1)
                cursor.execute(AT_REST)
                (is_at_rest,) = cursor.fetchone()
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(PATIENCE_S)


class Mirror:
    """What PostgreSQL tells as it happens, and what its rows say."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._notified, self._asked = connect(url), connect(url)
        with self._notified.cursor() as cursor:
            cursor.execute(f"LISTEN {CHANNEL}")

    def wait_for(self, job_id: str, query: str) -> float:
        """When (perf_counter) it told of a change of the job after which `query` has a row."""
        deadline = time.perf_counter() + PATIENCE_S
        while (now := time.perf_counter()) < deadline:
            if not self._notified.notifies:
                select.select([self._notified], [], [], 1)
                now = time.perf_counter()
                self._notified.poll()
            is_of_job = any(notify.payload == job_id for notify in self._notified.notifies)
            self._notified.notifies.clear()
            if is_of_job and self._has_row(query, job_id):
                return now
        raise SystemExit(f"job {job_id}: nothing was heard of it in {PATIENCE_S} s")

    def _has_row(self, query: str, job_id: str) -> bool:
        with self._asked.cursor() as cursor:
            cursor.execute(query, {"id": job_id})
            return cursor.fetchone() is not None


def drag(store: JobStore, mirror: Mirror, job: Stored) -> float:
    """Seconds from the rename to the notification."""
    target = store.layout.status(Status.PRINTING) / job.folder.name
    start = time.perf_counter()
    job.folder.rename(target)
    return mirror.wait_for(job.id, "SELECT 1 FROM jobs WHERE id = %(id)s AND status = 'Printing'") - start


class Limit:
    """The least that makes a drag durable and known, with the bytes of a real one."""

    def __init__(self, parent: Path, url: str, example: Stored) -> None:
        self._places = [parent / "limit" / name for name in ("from", "to")]
        for place in self._places:
            place.mkdir(parents=True)
        self._connection = connect(url)
        self._line = (example.folder / EVENTS).read_bytes().splitlines(keepends=True)[-1]
        self._example = example
        names = written_columns(jobs)
        values = rows.job_row(rows.record_of(JobStore(parent / "storage", "").layout, example), change_no=0)
        self._values = {name: json.dumps(v) if isinstance(v := values[name], dict) else v for name in names}
        changed = ", ".join(f"{name} = excluded.{name}" for name in names if name != "id")
        slots = ", ".join(f"%({name})s" for name in names)
        self._upsert = (
            f"INSERT INTO limit_jobs ({', '.join(names)}) VALUES ({slots}) ON CONFLICT (id) DO UPDATE SET {changed}"
        )
        with self._connection.cursor() as cursor:
            cursor.execute("CREATE TABLE limit_jobs (LIKE jobs INCLUDING ALL)")
        self._event = threading.Event()

    @contextmanager
    def watching(self) -> Iterator[None]:
        event = self._event

        class Listener(FileSystemEventHandler):
            def on_any_event(self, _: FileSystemEvent) -> None:
                event.set()

        observer = Observer()
        observer.schedule(Listener(), str(self._places[1]), recursive=True, event_filter=[DirCreatedEvent])
        observer.start()
        try:
            yield
        finally:
            observer.stop()
            observer.join()

    def prepare(self, count: int) -> None:
        for number in range(count):
            shutil.copytree(self._example.folder, self._places[0] / f"job{number}")
        os.sync()

    def drag(self, number: int) -> float:
        folder = self._places[0] / f"job{number}"
        target = self._places[1] / folder.name
        metadata = (folder / METADATA).read_bytes()
        size = (folder / EVENTS).stat().st_size
        self._event.clear()
        start = time.perf_counter()
        folder.rename(target)
        if not self._event.wait(PATIENCE_S):
            raise SystemExit("watchdog says nothing")
        fs.append(target / EVENTS, self._line, size)
        fs.replace(target / METADATA, metadata)
        with self._connection.cursor() as cursor:
            cursor.execute(self._upsert, self._values | {"id": f"limit{number % 50}"})
        return time.perf_counter() - start


def p99(values: Sequence[float]) -> float:
    return statistics.quantiles(values, n=100)[98]


def compare(ours: Sequence[float], limit: Sequence[float], cpu_s: float) -> None:
    for name, measure, goal in (("median", statistics.median, 2), ("p99", p99, 3)):
        ours_ms, limit_ms = measure(ours) * 1000, measure(limit) * 1000
        print(f"drag to mirror, {name} of {len(ours)}: {ours_ms:.1f} ms, limit {limit_ms:.1f} ms: "
              f"{ours_ms / limit_ms:.2f} times the limit (goal {goal})")  # fmt: skip
    print(f"the indexer used {cpu_s / len(ours) * 1000:.1f} ms of CPU for each drag, its later visits included")


def drag_by_turns(
    store: JobStore, mirror: Mirror, limit: Limit, ready: Sequence[Stored], index: psutil.Process
) -> None:
    limit.prepare(len(ready))
    ours, least, before = [], [], index.cpu_times()
    with limit.watching():
        for number, job in enumerate(ready):
            time.sleep(random.uniform(*PAUSES_S))
            ours.append(drag(store, mirror, job))
            time.sleep(random.uniform(*PAUSES_S))
            least.append(limit.drag(number))
    after = index.cpu_times()
    compare(ours, least, after.user + after.system - before.user - before.system)


def fill(store: JobStore, mirror: Mirror, crowded: Stored, others: Sequence[Stored], count: int) -> None:
    """`count` small files into one job, and drags of others until the record has them."""
    start = time.perf_counter()
    for number in range(count):
        (crowded.folder / f"part {number:05}.gcode").write_bytes(b"; a small file\nG28\n%d\n" % number)
    written = time.perf_counter()
    recorded: list[float] = []
    in_the_record = "SELECT 1 FROM events WHERE job_id = %(id)s AND type IN ('FilesAdded', 'FileAdded')"
    waiting = threading.Thread(
        target=lambda: recorded.append(Mirror(mirror.url).wait_for(crowded.id, in_the_record) - written)
    )
    waiting.start()
    seconds = []
    for job in others:
        seconds.append(drag(store, mirror, job))
        waiting.join(0.2)
        if recorded:
            break
    waiting.join()
    log = (crowded.folder / EVENTS).stat().st_size
    print(f"{count} files in a job, written in {written - start:.1f} s: in the mirror {recorded[0]:.1f} s later, "
          f"{log / 1e6:.2f} MB of log")  # fmt: skip
    print(f"  {len(seconds)} drags of others meanwhile: median {statistics.median(seconds) * 1000:.1f} ms, "
          f"longest {max(seconds) * 1000:.1f} ms")  # fmt: skip


def main(drags: int, files: int) -> None:
    parent = Path(tempfile.mkdtemp(prefix="bench-"))
    try:
        store = make_store(parent, clock=lambda: datetime.now(UTC))
        store.layout.make()
        make_many_jobs(store, OTHER_JOBS, Status.PAID_PICKED_UP)
        ready = [make_job(store, f"Drag {n}", status=Status.READY_TO_PRINT) for n in range(drags)]
        others = [make_job(store, f"Other {n}", status=Status.READY_TO_PRINT) for n in range(OTHERS)]
        with embedded_postgres(parent / "instance") as url:
            migrate.upgrade(url)
            with running_index(parent, url) as index:
                mirror, limit = Mirror(url), Limit(parent, url, others[0])
                drag_by_turns(store, mirror, limit, ready, index)
                if files:
                    fill(store, mirror, others[0], others[1:], files)
    finally:
        shutil.rmtree(parent, ignore_errors=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("drags", nargs="?", type=int, default=200)
    parser.add_argument("--files", type=int, default=10_000)
    arguments = parser.parse_args()
    main(arguments.drags, arguments.files)
