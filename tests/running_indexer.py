"""The indexer as it runs in the lab, for tests of what it notices by itself."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from indexer.rebuild import SweepReport
from indexer.service import Service
from indexer.watch_mode import WatchMode
from printsys.jobstore import JobStore
from tests.factories import context
from tests.waiting import until


@contextmanager
def running_indexer(
    store: JobStore,
    engine: sa.Engine,
    mode: WatchMode = "native",
    swept: Callable[[SweepReport], None] = lambda report: None,
) -> Iterator[Service]:
    """The indexer, running and watching. It calls `swept` after each sweep; the one after its start is the last."""
    first, stop = threading.Event(), threading.Event()

    def synced(report: SweepReport) -> None:
        swept(report)
        first.set()

    service = Service(store, engine, context=lambda: context(store), synced=synced, sweep_every_s=3600, watch_mode=mode)
    thread = threading.Thread(target=service.run, args=(stop,))
    thread.start()
    try:
        assert first.wait(600)
        until(lambda: service._watcher is not None)
        yield service
    finally:
        stop.set()
        thread.join(30)
    assert not thread.is_alive()
