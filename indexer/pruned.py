"""What is left of pruned jobs, in the mirror: reports of old years read it there.

The logs in `.printsys/pruned/` are the record. One that has its size and its time of before is not read again.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.dialects.postgresql import insert

from indexer import index, rows
from indexer.connection import any_of, reading, writing
from indexer.rows import Row
from indexer.schema import GOING, jobs, pruned_events, pruned_jobs, pruned_logs
from printsys.domain.pruned import PrunedJob
from printsys.errors import StorageFailure
from printsys.jobstore import JobStore
from printsys.jobstore.files import SETTLE_S
from printsys.jobstore.pruned import gone_ids, is_any_going, jobs_going, jobs_in, year_logs

AT_ONCE = 500
VANISHED = (
    "The log {0} in .printsys/pruned/ is gone. Put it back out of a backup; or, if nothing of its jobs shall be left, "
    "put an empty file of this name there."
)
Listings = dict[str, str | None]
"""Size and time of each log, by its name. None: it may change without either, or cannot be read, so it is read."""


class _Place(NamedTuple):
    """Where the mirror has a pruned job from, and what the line said then."""

    log: str
    digest: str


@dataclass
class Changes:
    """What makes the mirror say what the logs say."""

    rows: dict[str, Row] = field(default_factory=dict)
    """By key, of what it lacks or has otherwise."""
    lost: set[str] = field(default_factory=set)
    """Keys whose line is gone."""
    listings: Listings = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    """Why a log cannot be read, by its name."""
    job_ids: set[str] = field(default_factory=set)
    """Of jobs that were pruned in the last time: none of them is another job any more."""


def mirror_pruned_jobs(store: JobStore, engine: sa.Engine, is_deep: bool = False) -> None:
    """A log that cannot be read is noted, and reports refuse to count; the rows of it stay. `is_deep` reads all of
    them. StorageOffline, MirrorDown."""
    with reading(engine, patient=True) as connection:
        mirrored = _mirrored_listings(connection)
    try:
        listings = _listings(store)
        if not is_deep and mirrored == listings and None not in listings.values():
            return
        with reading(engine, patient=True) as connection:
            places = _places(connection)
        changes = _changes(store, {} if is_deep else mirrored, places)
    except StorageFailure as error:
        changes = _nothing_known(mirrored, error)
    with writing(engine, patient=True) as (connection, _):
        write(store, connection, changes)


def all_changes(
    store: JobStore, connection: sa.Connection, is_anew: bool = False, forgets_logs: bool = False
) -> Changes:
    """Every log is read. `is_anew`: with the rows that are as they should be. `forgets_logs`: one that is gone is no
    problem. StorageOffline."""
    places = {key: _Place(place.log, "" if is_anew else place.digest) for key, place in _places(connection).items()}
    try:
        return _changes(store, {}, places, forgets_logs)
    except StorageFailure as error:
        return _nothing_known(_mirrored_listings(connection), error)


def _nothing_known(mirrored: Listings, error: StorageFailure) -> Changes:
    """Not even which logs there are."""
    return Changes(listings=dict(mirrored) | {GOING: None}, problems={GOING: str(error)})


def vanished_logs(store: JobStore, connection: sa.Connection) -> list[str]:
    """A sentence for each log that the last sweep missed. StorageOffline, StorageFailure."""
    problems = sa.select(pruned_logs.c.name, pruned_logs.c.problem).where(pruned_logs.c.problem.is_not(None))
    noted = connection.execute(problems).all()
    present = _listings(store)
    return [row.problem for row in noted if row.name not in present]


def write(store: JobStore, connection: sa.Connection, changes: Changes) -> None:
    """In a writer's transaction. Of what PostgreSQL refuses, the rows stay as they are, and it is a problem."""
    mirrored = sa.select(jobs.c.id, jobs.c.folder).where(jobs.c.id == any_of(changes.job_ids))
    ended = [row.id for row in connection.execute(mirrored) if not os.path.isdir(store.layout.find(row.folder))]
    index.remove(connection, ended)
    problems = dict(changes.problems)
    try:
        with connection.begin_nested():
            _write_rows(connection, changes)
    except (exc.DataError, exc.IntegrityError) as error:
        sentence = f"PostgreSQL refuses what is in .printsys/pruned/: {str(error.orig).splitlines()[0]}."
        problems |= {row["log"]: sentence for row in changes.rows.values()}
    connection.execute(sa.delete(pruned_logs).where(pruned_logs.c.name.not_in([*changes.listings])))
    for name, listing in changes.listings.items():
        values = {"listing": listing, "problem": problems.get(name)}
        upsert = insert(pruned_logs).values(name=name, **values)
        connection.execute(upsert.on_conflict_do_update(index_elements=["name"], set_=values))


def _write_rows(connection: sa.Connection, changes: Changes) -> None:
    keys = changes.lost | changes.rows.keys()
    for column in (pruned_events.c.job_id, pruned_jobs.c.id):
        connection.execute(sa.delete(column.table).where(column == any_of(keys)))
    for batch in _batches(list(changes.rows.values())):
        index.add_pruned(connection, batch)


def _batches(values: Sequence[Row]) -> Iterable[Sequence[Row]]:
    return (values[start : start + AT_ONCE] for start in range(0, len(values), AT_ONCE))


# -- comparing --------------------------------------------------------------------------------------------------------


def _listings(store: JobStore) -> Listings:
    """Those of the logs, and of the notes under the name `GOING`: what a note says is true for a moment only.
    StorageOffline, StorageFailure."""
    store.require_online()
    listings: dict[str, str | None] = {GOING: None if is_any_going(store) else ""}
    for path in year_logs(store):
        try:
            status = path.stat()
        except OSError:  # who reads it finds out why
            listings[path.name] = None
        else:
            is_settled = time.time() - status.st_mtime > SETTLE_S
            listings[path.name] = f"{status.st_size} {status.st_mtime_ns}" if is_settled else None
    return listings


def _mirrored_listings(connection: sa.Connection) -> Listings:
    is_going = sa.exists().where(pruned_jobs.c.log == sa.literal_column(f"'{GOING}'"))
    listing = sa.case((pruned_logs.c.problem.is_(None), pruned_logs.c.listing))
    listed = {
        row.name: row.listing for row in connection.execute(sa.select(pruned_logs.c.name, listing.label("listing")))
    }
    return listed | ({GOING: None} if connection.execute(sa.select(is_going)).scalar() else {})


def _places(connection: sa.Connection) -> dict[str, _Place]:
    columns = (pruned_jobs.c.id, pruned_jobs.c.log, pruned_jobs.c.digest)
    return {row.id: _Place(row.log, row.digest) for row in connection.execute(sa.select(*columns))}


def _changes(
    store: JobStore, read_before: Listings, places: Mapping[str, _Place], forgets_logs: bool = False
) -> Changes:
    """Logs with the listing that they had when they were read before are not read again. `places` are from before the
    notes and the logs are read: what comes in meanwhile is nobody's to take out. StorageOffline, StorageFailure."""
    changes = Changes()
    going = _read_notes(store, changes)
    # After the notes: of one that has become a line, the log has another listing by now, and is read.
    listings = changes.listings = _listings(store)
    logs = listings.keys() - {GOING}
    unread = {name for name in logs if listings[name] is not None and listings[name] == read_before.get(name)}
    found = dict[str, Row]()
    for name in sorted(logs - unread):
        _read_log(store, name, found, changes)
    for job in going:
        if job.key not in places or places[job.key].log not in unread:
            found.setdefault(job.key, rows.pruned_row(job, GOING))
    absent = {key: place.log for key, place in places.items() if key not in found and place.log not in unread}
    vanished = set() if forgets_logs else set(absent.values()) - listings.keys()
    unknown = vanished | changes.problems.keys()
    changes.lost = {key for key, log in absent.items() if log not in unknown}
    news = {places[key].log for key in changes.lost} | {name for name in vanished if read_before.get(name, "")}
    if unread and news - {GOING}:
        return _changes(store, {}, places, forgets_logs)  # a line that is gone may stand in another log, too
    changes.listings |= dict.fromkeys(vanished)
    changes.problems |= {name: VANISHED.format(name) for name in vanished}
    changes.rows = {key: row for key, row in found.items() if places.get(key) != (row["log"], row["digest"])}
    store.require_online()  # the listings are empty where it went meanwhile: nothing is lost then
    return changes


def _read_notes(store: JobStore, changes: Changes) -> Sequence[PrunedJob]:
    try:
        going = jobs_going(store)
        changes.job_ids = gone_ids(store) | going.keys()
        return list(going.values())
    except StorageFailure as error:
        changes.problems[GOING] = str(error)
        return ()


def _read_log(store: JobStore, name: str, found: dict[str, Row], changes: Changes) -> None:
    try:
        with store.disk_errors():
            for job in jobs_in(store.layout.pruned / name):
                found.setdefault(job.key, rows.pruned_row(job, name))
    except StorageFailure as error:
        changes.problems[name] = str(error)
