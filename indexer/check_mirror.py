"""Whether the mirror says what the folders say. Reading only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from indexer import read_folder, rows
from indexer.attention import AttentionItem, raised
from indexer.connection import reading
from indexer.index import SAME
from indexer.schema import events, files, job_counts, jobs
from printsys.errors import JobNotFound
from printsys.jobstore import JobStore
from printsys.jobstore.repair import id_inside


@dataclass(frozen=True)
class _Mirrored:
    """A row with how many events and files belong to it."""

    values: Mapping[str, Any]
    events: int
    files: int


def check_mirror(store: JobStore, engine: sa.Engine, deep: bool = False) -> list[AttentionItem]:
    """Jobs that the mirror lacks, has too many of, or tells wrongly. MirrorDown, StorageOffline."""
    store.require_online()
    there: dict[str, list[Path]] = {}
    for job_id, folder in store.ids():
        there.setdefault(job_id, []).append(folder)
    suspects = [one.job_id for one in _differences(store, there, _read(engine, deep)) if one.job_id]
    findings = []
    if suspects:  # a change may have been under way: look again
        now = {job_id: _where(store, job_id) for job_id in suspects}
        findings = _differences(store, {i: p for i, p in now.items() if p}, _read(engine, deep, suspects))
    store.require_online()
    return findings + _miscounted(engine)


def _where(store: JobStore, job_id: str) -> list[Path]:
    try:
        return [folder for folder in [store.find(job_id), *store.layout.job_folders()] if id_inside(folder) == job_id]
    except JobNotFound:
        return []


def _read(engine: sa.Engine, deep: bool, only: Iterable[str] | None = None) -> dict[str, _Mirrored]:
    columns = [jobs.c[name] for name in (*SAME, "id")] + ([jobs.c.document] if deep else [])
    query = sa.select(*columns)
    with reading(engine, patient=True) as connection:
        found = connection.execute(query if only is None else query.where(jobs.c.id.in_(list(only)))).mappings().all()
        of_events, of_files = _counted(connection, events), _counted(connection, files)
    return {row["id"]: _Mirrored(dict(row), of_events.get(row["id"], 0), of_files.get(row["id"], 0)) for row in found}


def _counted(connection: sa.Connection, table: sa.Table) -> dict[str, int]:
    """Rows by job."""
    query = sa.select(table.c.job_id, sa.func.count().label("n")).group_by(table.c.job_id)
    return {row.job_id: row.n for row in connection.execute(query)}


def _differences(
    store: JobStore, there: Mapping[str, list[Path]], mirrored: Mapping[str, _Mirrored]
) -> list[AttentionItem]:
    found = []
    for job_id, places in there.items():
        it = mirrored.get(job_id)
        if it is None:
            place = store.layout.relative(places[0])
            found.append(raised("mirror-missing", job_id, place, f"The mirror does not have job {job_id}."))
        elif wrong := _wrong(store, places, it):
            told = f"The mirror has job {job_id} with another {', '.join(wrong)}."
            found.append(raised("mirror-differs", job_id, it.values["folder"], told))
    for job_id in mirrored.keys() - there.keys():
        if mirrored[job_id].values["problem"] is None:
            place = mirrored[job_id].values["folder"]
            told = f"The mirror has job {job_id}, which is nowhere in the folders."
            found.append(raised("mirror-extra", job_id, place, told))
    return found


def _wrong(store: JobStore, places: list[Path], it: _Mirrored) -> list[str]:
    """What the row tells differently from the record in its folder. A record that is not whole is judged elsewhere."""
    layout = store.layout
    place = next((place for place in places if layout.relative(place) == it.values["folder"]), None)
    if place is None:
        return ["folder"]
    found = read_folder.read_proven(layout, place)
    if found is None:
        return []
    expected = rows.job_row(found, change_no=0)
    wrong = [name for name in (*SAME, "document") if name in it.values and it.values[name] != expected[name]]
    if it.events != len(found.events):
        wrong.append("history")
    if it.files != len(found.document.get("files") or []):
        wrong.append("list of files")
    return wrong


def _miscounted(engine: sa.Engine) -> list[AttentionItem]:
    counted = sa.select(jobs.c.status, sa.func.count().label("n")).group_by(jobs.c.status).subquery()
    both = sa.select(sa.func.coalesce(counted.c.status, job_counts.c.status).label("status")).select_from(
        counted.join(job_counts, counted.c.status == job_counts.c.status, full=True)
    )
    wrong = sa.func.coalesce(counted.c.n, 0) != sa.func.coalesce(job_counts.c.n, 0)
    with reading(engine, patient=True) as connection:
        statuses = connection.execute(both.where(wrong)).scalars().all()
    told = "The number of jobs in {} is counted wrongly."
    return [raised("mirror-counts", None, status, told.format(status)) for status in statuses]
