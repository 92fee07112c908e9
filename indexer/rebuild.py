"""Rebuilds the whole mirror from the folders; day by day `sweep` keeps it up to date."""

from __future__ import annotations

import logging
import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from indexer import bulk, index, pruned, read_folder
from indexer.attention import AttentionItem, duplicate, missing_job, not_followed
from indexer.connection import next_change, reading
from indexer.index import EVERYTHING
from indexer.rows import JobRecord
from indexer.schema import attention, jobs, mirror_state
from printsys.domain import naming
from printsys.domain.events import Event
from printsys.jobstore import JobStore, Layout
from printsys.jobstore.job_folder import job_among
from printsys.jobstore.notes import missing_jobs
from printsys.jobstore.visits import Failure, visit

Progress = Callable[[int, int], None]
"""Called with how many of how many folders are done."""

logger = logging.getLogger(__name__)

CHUNK = 250
WORKERS = 2
"""That read and prepare while PostgreSQL, in its own process, takes in what is ready."""
WORTH_PROCESSES = 5_000
AHEAD = 2 * WORKERS
REBUILD_LOCK = 0x7265696E64657800
"""An advisory lock: one rebuild at a time."""


@dataclass
class SweepReport:
    """What a rebuild or a sweep did: folders visited, jobs found, rows written and removed, what needs a person, and
    the events that it recorded, each with its job's id."""

    folders: int = 0
    jobs: int = 0
    changed: int = 0
    removed: int = 0
    attention: list[AttentionItem] = field(default_factory=list)
    news: list[tuple[str, Event]] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        values = {name: value for name, value in vars(self).items() if name != "news"}
        return values | {"attention": [item.as_json() for item in self.attention]}


def reindex(
    store: JobStore, engine: sa.Engine, progress: Progress | None = None, *, forgets_logs: bool = False
) -> SweepReport:
    """Build every table beside the old ones, then put it in their place at once: readers never see it half done.

    It reads again what other processes change meanwhile, before the exchange. `forgets_logs`: a person wants just what
    the folders have, so a log of pruned jobs that is gone is no problem. StorageOffline, MirrorDown.
    """
    store.require_online()
    report = SweepReport()
    with reading(engine, patient=True) as connection:
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(REBUILD_LOCK)))
        before = _change_numbers(connection)
        signatures = _settled(connection)
        last_change = connection.execute(sa.select(sa.func.max(mirror_state.c.changes))).scalar() or 0
        bulk.make(connection)
        copied, duplicated = _fill(store, connection, signatures, report, progress)
        store.require_online()
        bulk.add_indexes(connection)
        pruned_changes = pruned.all_changes(store, connection, is_anew=True, forgets_logs=forgets_logs)
        change_no = next_change(connection)  # from here on writers wait
        now = _change_numbers(connection)
        changed = {job_id for job_id, number in now.items() if number > last_change}
        _read_again(store, connection, duplicated | changed | (before.keys() - now.keys()), change_no)
        for item in report.attention:
            if item.job_id in now and item.job_id not in copied:
                bulk.keep_old(connection, item.job_id, item.sentence)
        for job_id, problem in bulk.gone_back(connection):
            with bulk.fresh(connection):
                bulk.forget(connection, job_id)
            bulk.keep_old(connection, job_id, problem)
        for job_id, note in missing_jobs(store).items():
            report.attention.append(missing_job(job_id, note))
            if job_id in now and job_id not in copied:
                bulk.keep_old(connection, job_id, report.attention[-1].sentence)
        with bulk.fresh(connection):
            pruned.write(store, connection, pruned_changes)
        bulk.exchange(connection)  # last: from here on readers wait
        index.recount(connection)
        index.set_attention(connection, report.attention, sa.true())
        connection.execute(sa.update(mirror_state).values(synced_at=sa.func.now()))
        after = _change_numbers(connection).keys()
        report.jobs = report.changed = len(after)
        report.removed = len(before.keys() - after)
        index.notify(connection, EVERYTHING)
    return report


def _change_numbers(connection: sa.Connection) -> dict[str, int]:
    return {row.id: row.change_no for row in connection.execute(sa.select(jobs.c.id, jobs.c.change_no))}


def _settled(connection: sa.Connection) -> dict[str, str]:
    """The signatures, by folder, of jobs that need no look until their listing changes. They stay true in the new
    tables: they say that the files of a folder were read while it had this listing, and found as recorded."""
    is_raised = sa.exists().where(attention.c.folder == jobs.c.folder)
    is_settled = sa.and_(jobs.c.move_pending.is_(None), jobs.c.problem.is_(None), ~is_raised)
    query = sa.select(jobs.c.folder, jobs.c.signature).where(jobs.c.signature.is_not(None), is_settled)
    return {row.folder: row.signature for row in connection.execute(query)}


def _fill(
    store: JobStore,
    connection: sa.Connection,
    signatures: Mapping[str, str],
    report: SweepReport,
    progress: Progress | None,
) -> tuple[set[str], set[str]]:
    """COPY every folder into the new tables. Returns the ids, and those that lie in more than one folder."""
    folders = list(store.layout.job_folders())
    report.folders = len(folders)
    folder_of: dict[str, str] = {}
    folders_of: dict[str, list[str]] = {}
    """Of jobs that lie in more than one."""
    for number, chunk in enumerate(_read_all(store, folders, signatures), 1):
        new: list[bulk.CopyLines] = []
        for result in chunk:
            if isinstance(result, AttentionItem):
                report.attention.append(result)
            elif result.job_id in folder_of:
                folders_of.setdefault(result.job_id, [folder_of[result.job_id]]).append(result.folder)
            else:
                folder_of[result.job_id] = result.folder
                new.append(result)
        refused = bulk.copy(connection, new)
        for item in refused:
            folder_of.pop(item.job_id or "", None)
        report.attention += refused
        if progress:
            progress(min(number * CHUNK, len(folders)), len(folders))
    report.attention += _duplicates(store.layout, folders_of)
    return set(folder_of), set(folders_of)


def _duplicates(layout: Layout, folders_of: Mapping[str, list[str]]) -> Iterator[AttentionItem]:
    for job_id, paths in folders_of.items():
        job = layout.relative(job_among(layout, [layout.root / path for path in paths], job_id))
        yield from (duplicate(job_id, path, job) for path in paths if path != job)


def _read_all(
    store: JobStore, folders: Sequence[Path], signatures: Mapping[str, str]
) -> Iterator[list[bulk.CopyLines | AttentionItem]]:
    """Every folder as lines for COPY, in chunks. What its hashes do not prove is read here, through the store."""
    chunks = [folders[start : start + CHUNK] for start in range(0, len(folders), CHUNK)]
    pool: Executor
    if len(folders) < WORTH_PROCESSES:
        pool = ThreadPoolExecutor(WORKERS)
    else:  # enough to do to be worth the start of processes; they end with this one, however it ends
        pool = ProcessPoolExecutor(WORKERS, multiprocessing.get_context("spawn"), _end_with_parent)
    with pool:
        for chunk, proven in zip(chunks, _ahead(pool, store.layout, chunks, signatures), strict=True):
            results = (lines or _read(store, folder) for folder, lines in zip(chunk, proven, strict=True))
            yield [result for result in results if result is not None]


def _read(store: JobStore, folder: Path) -> bulk.CopyLines | AttentionItem | None:
    """One folder, through the store."""
    result = visit(store, folder.name, lambda: _as_lines(read_folder.read(store, folder)))
    if isinstance(result, Failure):
        job_id = naming.id_in_folder_name(folder.name)
        return None if result.is_passing else not_followed(store.layout.relative(folder), job_id, result)
    return result


def _read_by_id(store: JobStore, job_id: str) -> JobRecord | AttentionItem | None:
    return read_folder.read(store, store.find(job_id))


def _as_lines(result: JobRecord | AttentionItem | None) -> bulk.CopyLines | AttentionItem | None:
    return bulk.copy_lines(result) if isinstance(result, JobRecord) else result


def _end_with_parent() -> None:
    def wait() -> None:
        parent = multiprocessing.parent_process()
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def _ahead(
    pool: Executor, layout: Layout, chunks: Iterable[Sequence[Path]], signatures: Mapping[str, str]
) -> Iterator[list[bulk.CopyLines | None]]:
    """Like map, in order, a few chunks ahead of the consumer."""
    rest = ([(folder, signatures.get(layout.relative(folder))) for folder in chunk] for chunk in chunks)
    futures = deque(pool.submit(_read_proven, layout.root, chunk) for chunk in islice(rest, AHEAD))
    try:
        while futures:
            lines = futures.popleft().result()
            futures.extend(pool.submit(_read_proven, layout.root, chunk) for chunk in islice(rest, 1))
            yield lines
    finally:
        for future in futures:
            future.cancel()


def _read_proven(root: Path, chunk: Sequence[tuple[Path, str | None]]) -> list[bulk.CopyLines | None]:
    layout = Layout(root)
    return [_proven_lines(layout, folder, listing) for folder, listing in chunk]


def _proven_lines(layout: Layout, folder: Path, listing: str | None) -> bulk.CopyLines | None:
    try:
        record = read_folder.read_proven(layout, folder)
        return bulk.copy_lines(replace(record, signature=listing)) if record is not None else None
    except Exception:
        # Whatever it is: the store reads this folder again, and says what is wrong with it.
        logger.debug("%s is read again", folder.name, exc_info=True)
        return None


def _read_again(store: JobStore, connection: sa.Connection, ids: Iterable[str], change_no: int) -> None:
    """Bring jobs into the new tables as they are now: those that changed meanwhile, or were found twice."""
    with bulk.fresh(connection):
        for job_id in ids:
            bulk.forget(connection, job_id)
            record = visit(store, job_id, partial(_read_by_id, store, job_id))
            if isinstance(record, JobRecord):
                index.write(connection, record, change_no)
