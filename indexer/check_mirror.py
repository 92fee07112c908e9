"""Checks that the mirror says what the folders say. Only reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from indexer import pruned, read_folder, rows
from indexer.attention import AttentionItem, raised
from indexer.connection import reading
from indexer.index import SAME
from indexer.schema import events, files, job_counts, jobs, pruned_events, pruned_jobs
from printsys.domain.words import counted
from printsys.errors import JobNotFound
from printsys.jobstore import JobStore
from printsys.jobstore.repair import id_inside


@dataclass(frozen=True)
class _MirroredJob:
    """A row with how many events and files belong to it."""

    values: Mapping[str, Any]
    events: int
    files: int


def check_mirror(store: JobStore, engine: sa.Engine, deep: bool = False) -> list[AttentionItem]:
    """Jobs that the mirror lacks, has too many of, or has otherwise than their folder. `deep` compares the documents.
    MirrorDown, StorageOffline."""
    store.require_online()
    folders_by_id: dict[str, list[Path]] = {}
    for job_id, folder in store.ids():
        folders_by_id.setdefault(job_id, []).append(folder)
    suspects = [item.job_id for item in _differences(store, folders_by_id, _read(engine, deep)) if item.job_id]
    items = []
    if suspects:  # a change may have been under way: compare again
        current = {}
        for job_id in suspects:
            try:
                folders = [store.find(job_id), *store.layout.job_folders()]
            except JobNotFound:
                continue
            if present := [folder for folder in folders if id_inside(folder) == job_id]:
                current[job_id] = present
        items = _differences(store, current, _read(engine, deep, suspects))
    store.require_online()
    return items + _miscounted(engine) + _vanished_logs(store, engine) + _pruned_differences(store, engine, deep)


def _read(engine: sa.Engine, deep: bool, only: Iterable[str] | None = None) -> dict[str, _MirroredJob]:
    query = sa.select(*(jobs.c[name] for name in (*SAME, "id", *(["document"] if deep else []))))
    with reading(engine, patient=True) as connection:
        selected = connection.execute(query if only is None else query.where(jobs.c.id.in_(list(only)))).mappings()
        mirrored = {row["id"]: dict(row) for row in selected}
        events_of, files_of = _counted(connection, events), _counted(connection, files)
    return {
        job_id: _MirroredJob(values, events_of.get(job_id, 0), files_of.get(job_id, 0))
        for job_id, values in mirrored.items()
    }


def _counted(connection: sa.Connection, table: sa.Table) -> dict[str, int]:
    """Rows by job."""
    query = sa.select(table.c.job_id, sa.func.count().label("n")).group_by(table.c.job_id)
    return {row.job_id: row.n for row in connection.execute(query)}


def _differences(
    store: JobStore, folders_by_id: Mapping[str, list[Path]], mirrored: Mapping[str, _MirroredJob]
) -> list[AttentionItem]:
    items = []
    for job_id, folders in folders_by_id.items():
        row = mirrored.get(job_id)
        if row is None:
            relative_path = store.layout.relative(folders[0])
            items.append(raised("mirror-missing", job_id, relative_path, f"The mirror does not have job {job_id}."))
        elif fields := _differing_fields(store, folders, row):
            sentence = f"The mirror has job {job_id} with another {', '.join(fields)}."
            items.append(raised("mirror-differs", job_id, row.values["folder"], sentence))
    for job_id in mirrored.keys() - folders_by_id.keys():
        if mirrored[job_id].values["problem"] is None:
            sentence = f"The mirror has job {job_id}, which is nowhere in the folders."
            items.append(raised("mirror-extra", job_id, mirrored[job_id].values["folder"], sentence))
    return items


def _differing_fields(store: JobStore, folders: list[Path], row: _MirroredJob) -> list[str]:
    """Where the row differs from the record in its folder. A record that is not whole is judged elsewhere."""
    layout = store.layout
    folder = next((folder for folder in folders if layout.relative(folder) == row.values["folder"]), None)
    if folder is None:
        return ["folder"]
    record = read_folder.read_proven(layout, folder)
    if record is None:
        return []
    expected = rows.job_row(record, change_no=0)
    fields = [name for name in (*SAME, "document") if name in row.values and row.values[name] != expected[name]]
    if row.events != len(record.events):
        fields.append("history")
    if row.files != len(record.document.get("files") or []):
        fields.append("list of files")
    return fields


def _vanished_logs(store: JobStore, engine: sa.Engine) -> list[AttentionItem]:
    """Only the mirror knows of them."""
    with reading(engine, patient=True) as connection:
        sentences = pruned.vanished_logs(store, connection)
    where = store.layout.relative(store.layout.pruned)
    return [raised("pruned-log", None, where, sentence) for sentence in sentences]


def _pruned_differences(store: JobStore, engine: sa.Engine, deep: bool) -> list[AttentionItem]:
    """Of what is left of pruned jobs. Keys lead to no job, so only their number is of use."""
    if not (suspects := _differing_keys(store, engine, deep)):
        return []
    keys = suspects & _differing_keys(store, engine, deep)  # a change may have been under way: compare again
    if not keys:
        return []
    sentence = f"The mirror has {counted(len(keys), 'pruned job')} otherwise than the logs of pruned jobs."
    return [raised("mirror-differs", None, store.layout.relative(store.layout.pruned), sentence)]


def _differing_keys(store: JobStore, engine: sa.Engine, deep: bool) -> set[str]:
    """Those that the mirror lacks, has too many of, or has with other events. `deep` compares the documents. Of a log
    that cannot be read nothing is said: it is an item of its own."""
    with reading(engine, patient=True) as connection:
        changes = pruned.all_changes(store, connection, is_anew=True)
        columns = (pruned_jobs.c.id, *([pruned_jobs.c.document] if deep else []))
        mirrored = {row.id: row for row in connection.execute(sa.select(*columns))}
        events_of = _counted(connection, pruned_events)
    lines = changes.rows
    differing = {key for key, row in lines.items() if len(row["events"]) != events_of.get(key, 0)}
    if deep:
        present = lines.keys() & mirrored.keys()
        differing |= {key for key in present if lines[key]["document"] != mirrored[key].document}
    return differing | (lines.keys() - mirrored.keys()) | changes.lost


def _miscounted(engine: sa.Engine) -> list[AttentionItem]:
    counted = sa.select(jobs.c.status, sa.func.count().label("n")).group_by(jobs.c.status).subquery()
    both = sa.select(sa.func.coalesce(counted.c.status, job_counts.c.status).label("status")).select_from(
        counted.join(job_counts, counted.c.status == job_counts.c.status, full=True)
    )
    differs = sa.func.coalesce(counted.c.n, 0) != sa.func.coalesce(job_counts.c.n, 0)
    with reading(engine, patient=True) as connection:
        statuses = connection.execute(both.where(differs)).scalars().all()
    sentence = "The number of jobs in {} is counted wrongly."
    return [raised("mirror-counts", None, status, sentence.format(status)) for status in statuses]
