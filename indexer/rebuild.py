"""The whole mirror made anew from the folders; day by day it is `sweep` that keeps it up to date."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from indexer import bulk, index, read_folder
from indexer.attention import AttentionItem, duplicate, missing_job
from indexer.connection import next_change, reading
from indexer.index import EVERYTHING
from indexer.rows import JobRecord
from indexer.schema import jobs, mirror_state
from printsys.domain.events import Event
from printsys.errors import JobNotFound
from printsys.jobstore import JobStore, Layout
from printsys.jobstore.notes import missing_jobs

Progress = Callable[[int, int], None]
"""Called with how many of how many folders are done."""

CHUNK = 250
WORKERS = 2
"""That read and prepare while PostgreSQL, in its own process, takes in what is ready."""
WORTH_PROCESSES = 5_000
AHEAD = 2 * WORKERS
REBUILD_LOCK = 0x7265696E64657800
"""An advisory lock: one rebuild at a time."""


@dataclass
class SweepReport:
    """What a rebuild or a sweep did: folders looked at, jobs found, rows written and removed, what needs a person, and
    the events that it recorded, each with its job's id."""

    folders: int = 0
    jobs: int = 0
    changed: int = 0
    removed: int = 0
    attention: list[AttentionItem] = field(default_factory=list)
    news: list[tuple[str, Event]] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        told = {name: value for name, value in vars(self).items() if name != "news"}
        return told | {"attention": [one.as_json() for one in self.attention]}


# -- made anew ----------------------------------------------------------------------------------------------------


def reindex(store: JobStore, engine: sa.Engine, progress: Progress | None = None) -> SweepReport:
    """Build every table anew beside the old ones, then put it in their place at once: readers never see it half done.

    What other processes change meanwhile is looked at again before the exchange. StorageOffline, MirrorDown.
    """
    store.require_online()
    report = SweepReport()
    with reading(engine, patient=True) as connection:
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(REBUILD_LOCK)))
        before = _change_numbers(connection)
        last_change = connection.execute(sa.select(sa.func.max(mirror_state.c.changes))).scalar() or 0
        bulk.make(connection)
        seen, again = _fill(store, connection, report, progress)
        store.require_online()
        bulk.add_indexes(connection)
        change_no = next_change(connection)  # from here on writers wait
        now = _change_numbers(connection)
        again |= {job_id for job_id, changed in now.items() if changed > last_change}
        again |= before.keys() - now.keys()
        _look_again(store, connection, again, change_no)
        for one in report.attention:
            if one.job_id in now and one.job_id not in seen:
                bulk.keep_old(connection, one.job_id, one.sentence)
        for job_id, told in missing_jobs(store).items():
            report.attention.append(missing_job(job_id, told))
            if job_id in now and job_id not in seen:
                bulk.keep_old(connection, job_id, report.attention[-1].sentence)
        bulk.exchange(connection)
        _settle(connection, report)
        kept = _change_numbers(connection).keys()
        report.jobs = report.changed = len(kept)
        report.removed = len(before.keys() - kept)
        index.notify(connection, EVERYTHING)
    return report


def _change_numbers(connection: sa.Connection) -> dict[str, int]:
    return {row.id: row.change_no for row in connection.execute(sa.select(jobs.c.id, jobs.c.change_no))}


def _fill(
    store: JobStore, connection: sa.Connection, report: SweepReport, progress: Progress | None
) -> tuple[set[str], set[str]]:
    """COPY every folder into the new tables. Returns the ids, and those that lie in more than one folder."""

    every = list(store.layout.job_folders())
    report.folders = len(every)
    seen: dict[str, str] = {}
    doubled: set[str] = set()
    for number, chunk in enumerate(_read_all(store, every), 1):
        report.attention += [one for one in chunk if isinstance(one, AttentionItem)]
        ready = {}
        for one in chunk:
            if not isinstance(one, bulk.Lines):
                continue
            if one.job_id in seen:
                doubled.add(one.job_id)
                report.attention.append(duplicate(one.job_id, one.folder, seen[one.job_id]))
            else:
                seen[one.job_id] = one.folder
                ready[one.job_id] = one
        refused = bulk.copy(connection, list(ready.values()))
        for finding in refused:
            seen.pop(finding.job_id or "", None)
        report.attention += refused
        if progress:
            progress(min(number * CHUNK, len(every)), len(every))
    return set(seen), doubled


def _read_all(store: JobStore, every: Sequence[Path]) -> Iterator[list[bulk.Lines | AttentionItem]]:
    """Every folder as lines for COPY, in chunks. What cannot simply be proven is read here, the careful way."""
    chunks = [every[start : start + CHUNK] for start in range(0, len(every), CHUNK)]
    with _pool(len(every)) as pool:
        for chunk, proven in zip(chunks, _ahead(pool, store.layout.root, chunks), strict=True):
            ones = [done or _read_with_care(store, folder) for folder, done in zip(chunk, proven, strict=True)]
            yield [one for one in ones if one is not None]


def _pool(folders: int) -> Executor:
    """Processes, where there is enough to do to be worth their start. They end with this one, however it ends."""
    if folders < WORTH_PROCESSES:
        return ThreadPoolExecutor(WORKERS)
    return ProcessPoolExecutor(WORKERS, multiprocessing.get_context("spawn"), _end_with_parent)


def _end_with_parent() -> None:
    def wait() -> None:
        parent = multiprocessing.parent_process()
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def _ahead(pool: Executor, root: Path, chunks: Iterable[Sequence[Path]]) -> Iterator[list[bulk.Lines | None]]:
    """Like map, in order, a few chunks ahead of the consumer."""
    rest = iter(chunks)
    waiting = deque(pool.submit(_read_proven, root, chunk) for chunk in islice(rest, AHEAD))
    try:
        while waiting:
            result = waiting.popleft().result()
            waiting.extend(pool.submit(_read_proven, root, chunk) for chunk in islice(rest, 1))
            yield result
    finally:
        for future in waiting:
            future.cancel()


def _read_proven(root: Path, chunk: Sequence[Path]) -> list[bulk.Lines | None]:
    layout, now_ns = Layout(root), time.time_ns()
    ones = (read_folder.read_proven(layout, folder) for folder in chunk)
    return [_quiet(layout, one, now_ns) if one is not None else None for one in ones]


def _quiet(layout: Layout, one: JobRecord, now_ns: int) -> bulk.Lines:
    """Most folders are as their record says: the sweep that follows need not look into them once more."""
    return bulk.lines(replace(one, signature=read_folder.quiet_listing(layout, one, now_ns)))


def _read_with_care(store: JobStore, folder: Path) -> bulk.Lines | AttentionItem | None:
    one = read_folder.read(store, folder)
    return bulk.lines(one) if isinstance(one, JobRecord) else one


def _look_again(store: JobStore, connection: sa.Connection, ids: Iterable[str], change_no: int) -> None:
    """Bring jobs into the new tables as they are now: those that changed meanwhile, or were found twice."""
    with bulk.fresh(connection):
        for job_id in ids:
            bulk.forget(connection, job_id)
            one = _as_the_store_finds_it(store, job_id)
            if isinstance(one, JobRecord):
                index.write(connection, one, change_no)


def _as_the_store_finds_it(store: JobStore, job_id: str) -> JobRecord | AttentionItem | None:
    try:
        return read_folder.read(store, store.find(job_id))
    except JobNotFound:
        return None


def _settle(connection: sa.Connection, report: SweepReport) -> None:
    """Put the counters right, and remember when storage was walked and what there needs a person."""
    index.recount(connection)
    index.set_attention(connection, report.attention, sa.true())
    connection.execute(sa.update(mirror_state).values(synced_at=sa.func.now()))
