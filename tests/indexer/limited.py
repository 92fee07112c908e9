"""Run in a user namespace of its own (`unshare -Ur`), whose limits of inotify are nobody else's: what the service does
when Linux watches no more folders. An assertion that fails ends it."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

from indexer.polling import PollingWatcher
from indexer.service import Service
from indexer.watcher import NativeWatcher
from printsys.domain.status import Status
from tests.factories import context, make_job, make_store
from tests.present import present
from tests.waiting import until

NAMESPACE = Path("/proc/sys/user")


def allow(watches: int = 10_000, instances: int = 100) -> None:
    (NAMESPACE / "max_inotify_watches").write_text(str(watches), "utf-8")
    (NAMESPACE / "max_inotify_instances").write_text(str(instances), "utf-8")


def main(place: Path) -> None:
    store = make_store(place, clock=lambda: datetime.now(UTC))
    for _ in range(8):
        job = make_job(store)
    no_database = sa.create_engine("postgresql+psycopg2://nobody@127.0.0.1:1/nothing")
    service = Service(store, no_database, context=lambda: context(store))

    allow(watches=4)  # fewer than status folders
    service._keep_watching()
    assert isinstance(service._watcher, PollingWatcher)
    assert "max_user_watches" in present(service.watch_problem)
    service._watcher._names_at = float("-inf")
    moved = job.folder.rename(store.layout.status(Status.REJECTED) / job.folder.name)
    service._watcher.poll()
    assert {service._watcher.folders.get_nowait() for _ in range(2)} == {job.folder, moved}

    allow(watches=16)  # enough for the status folders, not for what is in them
    service._next_native = 0
    service._keep_watching()
    assert "max_user_watches" in present(service.watch_problem)

    allow(instances=0)
    service._next_native = 0
    service._keep_watching()
    service._stop_watching()
    service._keep_watching()
    assert "max_user_instances" in present(service.watch_problem)

    allow()
    service._next_native = 0
    service._keep_watching()
    watcher = service._watcher
    assert isinstance(watcher, NativeWatcher)
    assert service.watch_problem is None

    allow(watches=1)  # it runs out while folders come
    service.wake.clear()
    (store.layout.status(Status.UPLOADED) / "New folder").mkdir()
    until(watcher.has_missed_events)
    service._keep_watching()
    assert isinstance(service._watcher, PollingWatcher)
    assert service.wake.is_set()
    service._stop_watching()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
