"""What each process of the system needs with many jobs: resident now and at its peak, and its share of shared memory.

    python bench/memory.py [JOBS]        (inside .venv, Linux; default 100,000 jobs, about 25 KB of disk for each)

The jobs are there before the first start, so the peak of the indexer is that of filling an empty mirror.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from indexer.queries import Queries  # noqa: E402
from indexer.schema import create_engine  # noqa: E402
from printsys.domain.status import Status  # noqa: E402
from printsys.errors import MirrorDown  # noqa: E402
from printsys.ops.postgres import PostgresServer  # noqa: E402
from tests.factories import make_store  # noqa: E402
from tests.many_jobs import make_many_jobs  # noqa: E402
from tests.running_system import System  # noqa: E402
from tests.waiting import until  # noqa: E402

LIVE_SHARE = 50
"""One job in so many is in Uploaded."""
PATIENCE_S = 3600
REST_S = 10


def has_swept(instance: Path) -> bool:
    url = PostgresServer(instance).url_if_running()
    if url is None:
        return False
    engine = create_engine(url)
    try:
        return Queries(engine).synced_at() is not None
    except MirrorDown:
        return False
    finally:
        engine.dispose()


def megabytes(processes: Sequence[psutil.Process]) -> tuple[float, float, float]:
    """(resident, peak of it, proportional share) of the processes together."""
    status = [Path(f"/proc/{process.pid}/status").read_text("ascii").splitlines() for process in processes]
    peaks = [int(line.split()[1]) for lines in status for line in lines if line.startswith("VmHWM:")]
    memory = [process.memory_full_info() for process in processes]
    return sum(m.rss for m in memory) / 1e6, sum(peaks) / 1e3, sum(m.pss for m in memory) / 1e6


def main(count: int) -> None:
    parent = Path(tempfile.mkdtemp(prefix="bench-"))
    system = System(parent)
    try:
        store = make_store(parent, clock=lambda: datetime.now(UTC))
        store.layout.make()
        make_many_jobs(store, count // LIVE_SHARE, Status.UPLOADED)
        make_many_jobs(store, count - count // LIVE_SHARE, Status.ARCHIVED)
        os.sync()
        start = time.perf_counter()
        system.start()
        until(lambda: has_swept(system.instance), PATIENCE_S)
        print(f"{count} jobs: swept {time.perf_counter() - start:.0f} s after the first start")
        time.sleep(REST_S)
        parts = {name: [process] for name, process in system.parts().items()} | {"run": [system.supervisor()]}
        server = system.server()
        parts["PostgreSQL, all its processes"] = [server, *server.children()]
        for name, processes in sorted(parts.items()):
            now, peak, share = megabytes(processes)
            print(f"  {name}: {now:.0f} MB resident, {peak:.0f} MB at its peak, {share:.0f} MB with shares divided")
    finally:
        system.end()
        shutil.rmtree(parent, ignore_errors=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("jobs", nargs="?", type=int, default=100_000)
    main(parser.parse_args().jobs)
