"""The mirror has what is left of pruned jobs, by itself and at every moment: reports of old years stay right."""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
import string
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from indexer import bulk, migrate
from indexer.check_mirror import check_mirror
from indexer.happened import Happening
from indexer.index import Mirror
from indexer.pruned import all_changes, mirror_pruned_jobs
from indexer.queries import Queries
from indexer.rebuild import reindex
from indexer.report_queries import ReportQueries
from indexer.schema import metadata, mirror_state, pruned_events, pruned_jobs
from indexer.service import Service
from printsys import fs
from printsys.actions import Actions
from printsys.actions.pruning import prune, prune_job
from printsys.domain.events import EventType
from printsys.domain.pruned import PrunedJob
from printsys.domain.status import Status
from printsys.errors import JobBusy, StorageFailure, StorageOffline
from printsys.jobstore import JobStore, Stored, trash
from printsys.jobstore import pruned as year_logs
from printsys.jobstore.notes import missing_jobs
from printsys.jobstore.pruned import announce, finish_pruning
from printsys.jobstore.trash import TRASH_KEEPS
from tests.factories import Clock, actions_on, context, make_job, make_store, sync
from tests.fixtures_db import drop_database

ALWAYS = [datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)]


@pytest.fixture
def actions(store: JobStore, mirror: Mirror) -> Actions:
    return replace(actions_on(store), mirror=mirror)


@pytest.fixture
def jobs(store: JobStore, mirror: Mirror) -> list[Stored]:
    """Three archived jobs, in the mirror."""
    made = [make_job(store, status=Status.ARCHIVED) for _ in range(3)]
    sync(store, mirror)
    return made


def prune_now(actions: Actions, *jobs: Stored) -> None:
    assert prune(actions, [(stored.id, stored.job.revision) for stored in jobs], "staff:Sam", "retention").skipped == []


def reported(engine: sa.Engine) -> tuple[int, int]:
    """How many jobs were submitted and printed, by the reports."""
    queries = ReportQueries(engine)
    submitted, printed = (queries.counts(each, ALWAYS) for each in (Happening.SUBMITTED, Happening.PRINTED))
    return sum(submitted.values()), sum(printed.values())


def pruned_count(engine: sa.Engine) -> int:
    with engine.connect() as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(pruned_jobs)).scalar_one())


def log_of(store: JobStore) -> Path:
    (log,) = store.layout.pruned.glob("*.jsonl")
    return log


def test_a_pruned_job_goes_on_counting_at_once(actions: Actions, engine: sa.Engine, jobs: list[Stored]) -> None:
    assert reported(engine) == (3, 3)
    prune_now(actions, jobs[0])
    assert (reported(engine), pruned_count(engine)) == ((3, 3), 1)
    assert check_mirror(actions.store, engine, deep=True) == []


def test_it_counts_once_at_every_moment(
    actions: Actions, engine: sa.Engine, jobs: list[Stored], mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also while the indexer looks, and whatever of it the disk has already."""
    counts = []
    append, remove = year_logs._append, trash.remove

    def look() -> None:
        counts.append(reported(engine))
        mirror_pruned_jobs(actions.store, engine)
        counts.append(reported(engine))

    def look_around_append(*args: object) -> None:
        look()
        append(*args)  # type: ignore[arg-type]
        look()

    def look_around_remove(*args: object) -> object:
        look()
        result = remove(*args)  # type: ignore[arg-type]
        look()
        return result

    monkeypatch.setattr(year_logs, "_append", look_around_append)
    monkeypatch.setattr(year_logs, "remove", look_around_remove)
    prune_now(actions, jobs[0])
    sync(actions.store, mirror)
    assert len(counts) == 8 and {*counts, reported(engine)} == {(3, 3)}


def test_a_job_whose_pruning_was_cut_off_counts_once(
    store: JobStore, mirror: Mirror, engine: sa.Engine, jobs: list[Stored]
) -> None:
    """The process ended right after the folder went to the trash, and the mirror does not know."""
    with store.edit(jobs[0].id) as change:
        announce(store, change, "staff:Sam", date(2026, 3, 2), "retention")
    assert reported(engine) == (3, 3)
    sync(store, mirror)
    assert (reported(engine), pruned_count(engine)) == ((3, 3), 1)
    assert finish_pruning(store, jobs[0].id)
    sync(store, mirror)
    assert (reported(engine), pruned_count(engine)) == ((3, 3), 1)


def test_a_job_that_comes_out_of_the_trash_before_its_pruning_ends_counts_as_itself(
    store: JobStore, mirror: Mirror, engine: sa.Engine, jobs: list[Stored]
) -> None:
    with store.edit(jobs[0].id) as change:
        announce(store, change, "staff:Sam", date(2026, 3, 2), "retention")
    sync(store, mirror)
    (folder,) = store.layout.trash.iterdir()
    shutil.move(folder, store.layout.status(Status.ARCHIVED) / folder.name)
    sync(store, mirror)
    assert (reported(engine), pruned_count(engine)) == ((3, 3), 0)


def test_a_job_whose_folder_was_held_open_counts_once_when_it_goes(
    actions: Actions, engine: sa.Engine, jobs: list[Stored], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = actions.store
    service = Service(store, engine, lambda: context(store))
    service.tick()
    with monkeypatch.context() as held:
        held.setattr(fs, "move_folder", refuse)
        with pytest.raises(JobBusy):
            prune_job(actions, jobs[0].id, jobs[0].job.revision, "staff:Sam", "retention")
    assert (reported(engine), pruned_count(engine)) == ((3, 3), 0)
    service.tick()
    assert reported(engine) == (3, 3)
    assert finish_pruning(store, jobs[0].id)
    assert reported(engine) == (3, 3)
    sync(store, Mirror(engine))
    assert (reported(engine), pruned_count(engine)) == ((3, 3), 1)


def refuse(source: Path, *_: object) -> None:
    """As Windows does while a program has a file of it open."""
    raise PermissionError(errno.EACCES, "Permission denied", str(source))


def test_a_mirror_of_an_older_version_says_that_it_lacks_them(
    actions: Actions, engine: sa.Engine, jobs: list[Stored], mirror: Mirror
) -> None:
    """After the upgrade reports would count less until the first sweep."""
    prune_now(actions, jobs[0])
    with engine.begin() as connection:
        connection.execute(sa.text("TRUNCATE pruned_jobs, pruned_events, pruned_logs"))
    assert not ReportQueries(engine).has_read_folders()
    sync(actions.store, mirror)
    assert ReportQueries(engine).has_read_folders() and reported(engine) == (3, 3)


def test_a_line_that_is_written_while_somebody_looks_is_not_lost(
    actions: Actions, engine: sa.Engine, jobs: list[Stored], mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The note goes right before the look reads it, and the log was as it had been before."""
    store = actions.store
    prune_now(actions, jobs[0])
    settle(log_of(store))
    with store.edit(jobs[1].id) as change:
        announce(store, change, "staff:Sam", date(2026, 3, 2), "retention")
    sync(store, mirror)
    assert (reported(engine), pruned_count(engine)) == ((3, 3), 2)

    def finish_first(store: JobStore) -> dict[str, PrunedJob]:
        finish_pruning(store, jobs[1].id)
        return year_logs.jobs_going(store)

    monkeypatch.setattr("indexer.pruned.jobs_going", finish_first)
    mirror_pruned_jobs(store, engine)
    assert (reported(engine), pruned_count(engine)) == ((3, 3), 2)


def test_the_next_sweep_finds_what_was_pruned_while_the_mirror_was_down(
    store: JobStore, mirror: Mirror, engine: sa.Engine, jobs: list[Stored]
) -> None:
    prune_now(actions_on(store), *jobs[:2])
    sync(store, mirror)
    assert (reported(engine), pruned_count(engine)) == ((3, 3), 2)


@pytest.mark.parametrize("loss", ["tables", "rows", "database"])
def test_a_mirror_that_was_lost_has_them_again(
    loss: str, actions: Actions, engine: sa.Engine, jobs: list[Stored], mirror: Mirror
) -> None:
    prune_now(actions, *jobs[:2])
    url = engine.url.render_as_string(hide_password=False)
    if loss == "tables":
        metadata.drop_all(engine)
    elif loss == "rows":
        with engine.begin() as connection:
            connection.execute(sa.text("TRUNCATE pruned_jobs, pruned_events"))
        assert [item.kind for item in check_mirror(actions.store, engine)] == ["mirror-differs"]
    else:
        drop_database(url)
    if loss != "rows":
        migrate.upgrade(url)
        engine.dispose()
        sync(actions.store, mirror)
    else:
        reindex(actions.store, engine)
    assert (reported(engine), pruned_count(engine)) == ((3, 3), 2)
    assert check_mirror(actions.store, engine, deep=True) == []


def test_a_log_out_of_a_backup_is_read_again(
    actions: Actions, engine: sa.Engine, jobs: list[Stored], mirror: Mirror
) -> None:
    prune_now(actions, jobs[0])
    log = log_of(actions.store)
    older = log.read_bytes()
    prune_now(actions, jobs[1])
    sync(actions.store, mirror)
    newer = log.read_bytes()
    for content, count in ((older, 1), (newer, 2)):
        log.write_bytes(content)
        assert check_mirror(actions.store, engine) != []
        sync(actions.store, mirror)
        assert pruned_count(engine) == count and check_mirror(actions.store, engine) == []
    log.write_bytes(newer.replace(b'"True Red"', b'"Blue"'))
    sync(actions.store, mirror)
    (usage,) = (row for row in ReportQueries(engine).usage(*ALWAYS) if row.dimension == "color" and row.value == "Blue")
    assert usage.jobs == 2


def test_a_line_that_moves_to_another_log_is_not_lost(
    actions: Actions, engine: sa.Engine, jobs: list[Stored], mirror: Mirror
) -> None:
    prune_now(actions, *jobs)
    log = log_of(actions.store)
    other = log.with_name("2019.jsonl")
    lines = log.read_bytes().splitlines(keepends=True)
    other.write_bytes(lines[0])
    settle(other, log)
    sync(actions.store, mirror)
    other.write_bytes(b"")  # the line is in the first log, which nobody touches
    sync(actions.store, mirror)
    assert pruned_count(engine) == 3


def settle(*paths: Path) -> None:
    """As if nobody had written them for long."""
    for path in paths:
        os.utime(path, (path.stat().st_mtime - 60,) * 2)


def test_logs_that_did_not_change_are_not_read(
    actions: Actions, engine: sa.Engine, jobs: list[Stored], mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    prune_now(actions, jobs[0])
    settle(log_of(actions.store))
    sync(actions.store, mirror)
    read = note_readings(monkeypatch)
    sync(actions.store, mirror)
    assert read == []
    settle(log_of(actions.store))
    mirror_pruned_jobs(actions.store, engine)
    assert read == [log_of(actions.store).name]


def note_readings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the logs that are read from now on."""
    read, jobs_in = list[str](), year_logs.jobs_in

    def noted(path: Path) -> Iterator[PrunedJob]:
        read.append(path.name)
        return jobs_in(path)

    monkeypatch.setattr("indexer.pruned.jobs_in", noted)
    return read


@pytest.mark.parametrize("damage", [b"{}\n", b"{half\n", b'{"key": 1e999}\n'])
def test_with_a_damaged_log_reports_refuse_to_count(
    damage: bytes, actions: Actions, engine: sa.Engine, jobs: list[Stored], mirror: Mirror
) -> None:
    prune_now(actions, jobs[0])
    log = log_of(actions.store)
    whole = log.read_bytes()
    log.write_bytes(damage + whole)
    sync(actions.store, mirror)
    for count in (reported, lambda engine: ReportQueries(engine).money_entries(*ALWAYS)):
        with pytest.raises(StorageFailure, match="line 1, is no pruned job"):
            count(engine)
    reindex(actions.store, engine)
    with pytest.raises(StorageFailure):
        reported(engine)
    log.write_bytes(whole)
    sync(actions.store, mirror)
    assert reported(engine) == (3, 3)


def test_a_damaged_note_makes_reports_refuse_and_nothing_else(
    store: JobStore, engine: sa.Engine, jobs: list[Stored], mirror: Mirror
) -> None:
    with store.edit(jobs[0].id) as change:
        announce(store, change, "staff:Sam", date(2026, 3, 2), "retention")
    (store.layout.pruned / "pending" / f"{jobs[0].id}.json").write_bytes(b"{}")
    assert sync(store, mirror).folders == 2
    with pytest.raises(StorageFailure, match="cannot be read"):
        reported(engine)


def test_years_are_read_one_by_one(
    tmp_path: Path, mirror: Mirror, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    for year in (2024, 2025, 2026):
        store = make_store(tmp_path, Clock(datetime(year, 3, 2, 16, tzinfo=UTC)))
        prune_now(actions_on(store), make_job(store, status=Status.ARCHIVED))
    logs = sorted(store.layout.pruned.glob("*.jsonl"))
    settle(*logs)
    sync(store, mirror)
    settle(logs[1])
    read = note_readings(monkeypatch)
    sync(store, mirror)
    assert read == ["2025.jsonl"] and reported(engine) == (3, 3)


def test_check_compares_them(actions: Actions, engine: sa.Engine, jobs: list[Stored], mirror: Mirror) -> None:
    prune_now(actions, *jobs[:2])
    with engine.begin() as connection:
        connection.execute(sa.delete(pruned_events).where(pruned_events.c.seq > 3))
    (item,) = check_mirror(actions.store, engine)
    assert item.sentence == "The mirror has 2 pruned jobs otherwise than the logs of pruned jobs."
    reindex(actions.store, engine)
    assert check_mirror(actions.store, engine, deep=True) == []
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE pruned_jobs SET document = document || '{\"estimate\": null}'"))
    assert check_mirror(actions.store, engine) == [] != check_mirror(actions.store, engine, deep=True)


def test_no_list_has_a_pruned_job(actions: Actions, engine: sa.Engine, jobs: list[Stored], mirror: Mirror) -> None:
    prune_now(actions, *jobs[:2])
    queries = Queries(engine)
    assert [row.id for row in queries.jobs()] == [jobs[2].id]
    assert queries.counts()[Status.ARCHIVED] == 1


@pytest.mark.parametrize("function", ["jobs_going", "jobs_in"])
def test_a_share_that_drops_while_the_logs_are_read_loses_no_row(
    function: str, actions: Actions, engine: sa.Engine, jobs: list[Stored], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its logs were read as empty, under the listing that they have: so no later sweep read them again."""
    store = actions.store
    prune_now(actions, jobs[0])
    settle(log_of(store))
    mirror_pruned_jobs(store, engine)
    root, elsewhere = store.layout.root, store.layout.root.with_name("unmounted")
    as_before = getattr(year_logs, function)

    def drop(argument: Path | JobStore) -> object:
        root.rename(elsewhere)
        return as_before(argument)

    with monkeypatch.context() as dropped:
        dropped.setattr(f"indexer.pruned.{function}", drop)
        with pytest.raises(StorageOffline):
            mirror_pruned_jobs(store, engine, is_deep=True)
    elsewhere.rename(root)
    mirror_pruned_jobs(store, engine)
    assert (reported(engine), pruned_count(engine)) == ((3, 3), 1)


def test_a_share_that_drops_before_the_logs_are_listed_loses_no_row(
    actions: Actions, engine: sa.Engine, jobs: list[Stored], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = actions.store
    prune_now(actions, jobs[0])
    root, elsewhere = store.layout.root, store.layout.root.with_name("unmounted")

    def drop(store: JobStore) -> list[Path]:
        root.rename(elsewhere)
        return year_logs.year_logs(store)

    with monkeypatch.context() as dropped:
        dropped.setattr("indexer.pruned.year_logs", drop)
        with pytest.raises(StorageOffline):
            mirror_pruned_jobs(store, engine)
        elsewhere.rename(root)
        with pytest.raises(StorageOffline), engine.begin() as connection:
            all_changes(store, connection)
    elsewhere.rename(root)
    assert pruned_count(engine) == 1


def test_a_log_that_goes_before_it_is_read_is_a_problem(
    actions: Actions, engine: sa.Engine, jobs: list[Stored], mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = actions.store
    prune_now(actions, jobs[0])
    mirror_pruned_jobs(store, engine)
    log = log_of(store)
    whole = log.read_bytes()

    def lose(path: Path) -> Iterator[PrunedJob]:
        path.unlink()
        return year_logs.jobs_in(path)

    with monkeypatch.context() as lost:
        lost.setattr("indexer.pruned.jobs_in", lose)
        mirror_pruned_jobs(store, engine, is_deep=True)
    assert pruned_count(engine) == 1
    with pytest.raises(StorageFailure):
        reported(engine)
    log.write_bytes(whole)
    sync(store, mirror)
    assert reported(engine) == (3, 3)


def test_a_job_that_is_pruned_while_its_file_is_written_keeps_its_times(
    actions: Actions, engine: sa.Engine, jobs: list[Stored]
) -> None:
    waiting = [*jobs[:1]]

    def prune_meanwhile(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        while waiting and "reported_events" in statement:
            prune_now(actions, waiting.pop())

    queries = ReportQueries(engine)
    start, end = ALWAYS
    submitted = queries.submitted(start, end, [EventType.JOB_CREATED, EventType.STAFF_APPROVED])
    sa.event.listen(engine, "after_cursor_execute", prune_meanwhile)
    try:
        rows = [*submitted]
    finally:
        sa.event.remove(engine, "after_cursor_execute", prune_meanwhile)
    assert pruned_count(engine) == 1
    assert [[event.type for event in row.events] for row in rows] == [["JobCreated", "StaffApproved"]] * 3


@pytest.mark.parametrize("by", ["sweep", "deep", "rebuild"])
def test_a_log_that_vanishes_does_not_count_less_without_a_word(
    by: str, actions: Actions, engine: sa.Engine, jobs: list[Stored], mirror: Mirror
) -> None:
    store = actions.store

    def look() -> None:
        if by == "rebuild":
            reindex(store, engine)
        else:
            mirror_pruned_jobs(store, engine, is_deep=by == "deep")

    prune_now(actions, *jobs[:2])
    log = log_of(store)
    log.with_name("2019.jsonl").write_bytes(b"")
    settle(log, log.with_name("2019.jsonl"))
    look()
    aside = log.rename(log.with_name("2026 (old).jsonl"))
    for _ in range(2):
        look()
        with pytest.raises(StorageFailure, match=rf"{log.name} in .printsys/pruned/ is gone"):
            reported(engine)
        assert pruned_count(engine) == 2
        assert [item.kind for item in check_mirror(store, engine)] == ["pruned-log"]
    aside.rename(log)
    look()
    assert (reported(engine), check_mirror(store, engine)) == ((3, 3), [])
    log.rename(log.with_name("2020.jsonl"))  # where it stands in another year's log, it is there
    look()
    assert (reported(engine), check_mirror(store, engine)) == ((3, 3), [])
    log.with_name("2020.jsonl").write_bytes(b"")
    look()
    assert (reported(engine), check_mirror(store, engine)) == ((1, 1), [])


def test_a_person_who_rebuilds_the_mirror_takes_what_the_logs_have(
    actions: Actions, engine: sa.Engine, jobs: list[Stored], mirror: Mirror
) -> None:
    """After a restore of an older backup its jobs are back, and their log is not there yet."""
    prune_now(actions, *jobs[:2])
    sync(actions.store, mirror)
    log_of(actions.store).unlink()
    sync(actions.store, mirror)
    with pytest.raises(StorageFailure):
        reported(engine)
    reindex(actions.store, engine, forgets_logs=True)
    assert (reported(engine), check_mirror(actions.store, engine)) == ((1, 1), [])


def test_a_vanished_log_is_looked_for_once(
    actions: Actions, engine: sa.Engine, jobs: list[Stored], mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    prune_now(actions, *jobs[:2])
    log = log_of(actions.store)
    other = log.with_name("2019.jsonl")
    other.write_bytes(b"")
    settle(log, other)
    mirror_pruned_jobs(actions.store, engine)
    log.unlink()
    read = note_readings(monkeypatch)
    for expected in ([other.name], []):
        mirror_pruned_jobs(actions.store, engine)
        assert read == expected
        read.clear()


def test_a_rebuild_has_them_before_it_locks_readers_out(
    store: JobStore, engine: sa.Engine, jobs: list[Stored], monkeypatch: pytest.MonkeyPatch
) -> None:
    prune_now(actions_on(store), *jobs[:2])
    counts, exchange = [], bulk.exchange

    def noted(connection: sa.Connection) -> None:
        counts.append(connection.execute(sa.select(sa.func.count()).select_from(pruned_jobs)).scalar())
        exchange(connection)

    monkeypatch.setattr(bulk, "exchange", noted)
    reindex(store, engine)
    assert counts == [2] and reported(engine) == (3, 3)


def test_a_job_that_is_pruned_while_its_mirror_is_rebuilt_counts_once(
    store: JobStore, engine: sa.Engine, jobs: list[Stored], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a process that does not reach the database, once the new tables have the job."""
    add_indexes = bulk.add_indexes

    def prune_first(connection: sa.Connection) -> None:
        prune_now(actions_on(store), jobs[0])
        add_indexes(connection)

    monkeypatch.setattr(bulk, "add_indexes", prune_first)
    reindex(store, engine)
    assert (reported(engine), pruned_count(engine)) == ((3, 3), 1)


def test_a_mirror_that_was_off_for_longer_than_the_ids_are_kept_counts_each_job_once(
    store: JobStore, mirror: Mirror, engine: sa.Engine, jobs: list[Stored]
) -> None:
    """It took a job that nobody could tell to be pruned for a missing one, and counted its line besides."""
    prune_now(actions_on(store), jobs[0])
    store.layout.pruned_id(jobs[0].id).unlink()  # as `finish_all` does then
    with engine.begin() as connection:
        connection.execute(sa.update(mirror_state).values(synced_at=store.clock() - TRASH_KEEPS - timedelta(hours=1)))
    sync(store, mirror)
    assert (reported(engine), pruned_count(engine)) == ((3, 3), 1)
    assert missing_jobs(store) == {}


@pytest.mark.parametrize("name", [b"key", b"type"])
def test_a_line_that_no_index_could_take_is_damage(
    name: bytes, actions: Actions, engine: sa.Engine, jobs: list[Stored], mirror: Mirror
) -> None:
    """PostgreSQL refused the row: the sweep ended there each time."""
    prune_now(actions, jobs[0])
    log = log_of(actions.store)
    letters = "".join(random.Random(1).choices(string.ascii_letters, k=9_000)).encode()
    whole = log.read_bytes()
    log.write_bytes(whole.replace(b'"%s":"' % name, b'"%s":"%s' % (name, letters), 1))
    sync(actions.store, mirror)
    with pytest.raises(StorageFailure, match="line 1, is no pruned job"):
        reported(engine)


def test_what_postgresql_refuses_is_a_problem_of_its_log(
    actions: Actions, engine: sa.Engine, jobs: list[Stored], mirror: Mirror
) -> None:
    prune_now(actions, *jobs[:2])
    sync(actions.store, mirror)
    with engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE pruned_jobs ADD CHECK (color <> 'Blue')"))
    log = log_of(actions.store)
    whole = log.read_bytes()
    log.write_bytes(whole.replace(b'"True Red"', b'"Blue"'))
    sync(actions.store, mirror)
    with pytest.raises(StorageFailure, match="PostgreSQL refuses"):
        reported(engine)
    reindex(actions.store, engine)
    assert pruned_count(engine) == 2
    log.write_bytes(whole)
    sync(actions.store, mirror)
    assert reported(engine) == (3, 3)


@pytest.mark.parametrize("plates", ['{"number": 1}', '"1"', "null", "[{}]"])
def test_plates_that_are_no_list_fail_no_report(
    actions: Actions, engine: sa.Engine, jobs: list[Stored], mirror: Mirror, plates: str
) -> None:
    prune_now(actions, jobs[0])
    log = log_of(actions.store)
    line = json.loads(log.read_bytes())
    event = line["events"][-1] | {"seq": 99, "type": "PlatesMarked", "patch": {"plates": []}}
    line["events"].append(event | {"data": {"state": "failed", "plates": json.loads(plates)}})
    log.write_bytes(json.dumps(line).encode() + b"\n")
    sync(actions.store, mirror)
    assert [row.count for row in ReportQueries(engine).failures(ALWAYS)] == [plates.count("{}")]
