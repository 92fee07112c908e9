"""The mirror shows what was just done, whoever writes in whatever order, and is back after it was deleted."""

from __future__ import annotations

import json
import select
import socket
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from indexer import connection, index, migrate, rows
from indexer.connection import reading, writing
from indexer.index import CHANNEL, Mirror
from indexer.queries import Queries
from indexer.rebuild import reindex
from indexer.report_queries import ReportQueries
from indexer.schema import create_engine, jobs, metadata
from indexer.service import Service
from printsys.domain import emails
from printsys.domain.events import FILESYSTEM, EventDraft, EventType
from printsys.domain.status import Status
from printsys.errors import MirrorDown
from printsys.jobstore import JobStore, Stored
from tests.factories import act, context, make_job, sync
from tests.fixtures_db import drop_database
from tests.mirrored import mirrored_events, mirrored_files, mirrored_job
from tests.present import present
from tests.waiting import until

VERSIONS = migrate.SCRIPTS / "versions"


def snapshot(queries: Queries) -> Any:
    """Everything that pages can ask."""
    everything = queries.jobs(limit=1000)
    return (
        everything,
        queries.counts(),
        {status: [job.id for job in queries.jobs(status)] for status in Status},
        {job.id: mirrored_events(queries, job.id) for job in everything},
        {job.id: mirrored_files(queries, job.id) for job in everything},
        [job.id for job in queries.jobs(q="jane")],
    )


def _snapshot_of_a_rebuild(store: JobStore, engine: sa.Engine, queries: Queries) -> Any:
    reindex(store, engine)
    return snapshot(queries)


@pytest.fixture
def lively(store: JobStore, mirror: Mirror) -> list[Stored]:
    """A job in every status, mirrored."""
    stored_jobs = [make_job(store, name=f"Jane {status}", status=status) for status in Status]
    for stored in stored_jobs:
        mirror.put(stored)
    return stored_jobs


def test_a_change_of_a_job_takes_two_messages_to_postgres(
    store: JobStore, mirror: Mirror, queries: Queries, engine: sa.Engine
) -> None:
    """On a busy computer each costs as long as all the work: a drag is to be on the pages at once."""
    stored = make_job(store)
    mirror.put(stored)
    messages: list[str] = []
    sa.event.listen(engine, "before_cursor_execute", lambda *args: messages.append(args[2]))
    assert mirror.put(act(store, stored.id, "approve"))
    assert len(messages) == 2
    assert not mirror.put(stored), "it is older"
    assert present(mirrored_job(queries, stored.id)).job.status is Status.PENDING
    assert (queries.counts()[Status.PENDING], queries.counts()[Status.UPLOADED]) == (1, 0)


def put_change(mirror: Mirror, before: Stored, after: Stored) -> bool:
    """As the indexer does, which has just made the change."""
    return mirror.put_change(after, before) or mirror.put(after)


def test_a_drag_takes_one_message_to_postgres(
    store: JobStore, mirror: Mirror, queries: Queries, engine: sa.Engine
) -> None:
    approved = make_job(store, status=Status.PENDING)
    mirror.put(approved)
    messages: list[str] = []
    sa.event.listen(engine, "before_cursor_execute", lambda *args: messages.append(args[2]))
    assert put_change(mirror, approved, act(store, approved.id, "confirm"))
    assert len(messages) == 1
    assert snapshot(queries) == _snapshot_of_a_rebuild(store, engine, queries)


@pytest.mark.parametrize("mirrored", ["nothing", "older", "newer", "the same", "deleted"])
def test_a_change_of_what_the_mirror_does_not_have_is_mirrored_as_well(
    mirrored: str, store: JobStore, mirror: Mirror, queries: Queries, engine: sa.Engine
) -> None:
    uploaded = make_job(store)
    approved = act(store, uploaded.id, "approve")
    confirmed = act(store, uploaded.id, "confirm")
    newest = act(store, uploaded.id, "start") if mirrored == "newer" else confirmed
    if mirrored != "nothing":
        mirror.put(uploaded if mirrored == "older" else newest)
    if mirrored == "deleted":
        assert mirror.put(act(store, uploaded.id, "delete"))
    assert put_change(mirror, approved, confirmed) == (mirrored in ("nothing", "older"))
    assert snapshot(queries) == _snapshot_of_a_rebuild(store, engine, queries)


def test_a_statement_that_was_prepared_serves_tables_that_were_made_anew(
    store: JobStore, mirror: Mirror, queries: Queries, engine: sa.Engine, database_url: str
) -> None:
    """On the same connection, which keeps the plan of the statement for the first tables."""
    servers = []

    def server() -> int:
        with engine.connect() as connection:
            return int(connection.execute(sa.select(sa.func.pg_backend_pid())).scalar_one())

    job = make_job(store)
    builds: dict[str, Callable[[], object]] = {
        "approve": lambda: None,
        "confirm": lambda: reindex(store, engine),
        "start": lambda: migrate.rebuild(database_url),
    }
    for action, build in builds.items():
        build()
        mirror.put(job)
        before, job = job, act(store, job.id, action)
        assert mirror.put_change(job, before)
        servers.append(server())
        assert snapshot(queries) == _snapshot_of_a_rebuild(store, engine, queries)
    assert len(set(servers)) == 1


def test_a_job_in_which_nothing_changed_is_not_written_again(store: JobStore, mirror: Mirror, queries: Queries) -> None:
    """As where another process recorded what the indexer was going to: pages need not hear of it twice."""
    job = make_job(store)
    mirror.put(job)
    changes = queries.changes()
    assert not put_change(mirror, job, job)
    assert queries.changes() == changes


def test_a_change_that_waits_for_a_newer_one_does_not_undo_it(
    store: JobStore, engine: sa.Engine, database_url: str, queries: Queries
) -> None:
    uploaded = make_job(store)
    Mirror(engine).put(uploaded)
    approved = act(store, uploaded.id, "approve")
    confirmed = act(store, uploaded.id, "confirm")
    other_engine = create_engine(database_url)
    late = Background(lambda: Mirror(other_engine).put_change(approved, uploaded))
    with writing(engine) as (connection, change_no):
        assert index.write(connection, rows.record_of(store.layout, confirmed), change_no)
        late.start()
        until(lambda: waiting_for_a_lock(database_url))
    assert late.answer() is False
    assert snapshot(queries) == _snapshot_of_a_rebuild(store, engine, queries)
    other_engine.dispose()


def test_a_change_of_files_is_mirrored_with_its_files(
    store: JobStore, mirror: Mirror, queries: Queries, engine: sa.Engine
) -> None:
    job = make_job(store)
    mirror.put(job)
    with store.edit(job.id) as change:
        files = job.document["files"][:1]
        change.record(EventDraft(EventType.FILE_REMOVED, FILESYSTEM, {"name": files[0]["name"]}, {"files": files}))
    assert put_change(mirror, job, change.result)
    assert len(mirrored_files(queries, job.id)) == 1
    assert snapshot(queries) == _snapshot_of_a_rebuild(store, engine, queries)


# -- one change after the other -----------------------------------------------------------------------------------


def test_a_change_is_shown_at_once(store: JobStore, mirror: Mirror, queries: Queries) -> None:
    job = make_job(store, name="José Ñandú")
    assert mirror.put(job)
    row = mirrored_job(queries, job.id)
    assert row is not None
    assert (row.job.status, row.revision, row.job.student.name) == (Status.UPLOADED, job.job.revision, "José Ñandú")
    assert row.job.reviewed_at is None
    assert [file.uploaded_as for file in row.job.sent_files] == ["bracket v2.stl"]

    mirror.put(act(store, job.id, "approve"))
    row = mirrored_job(queries, job.id)
    assert row is not None
    (values,) = queries.values(q=job.id)
    assert (values["status"], values["cost"], values["time_h"]) == ("Pending", Decimal("4.27"), Decimal("3.5"))
    assert row.folder == f"Pending/{job.folder.name}"
    assert [event.type for event in mirrored_events(queries, job.id)] == [e.type for e in store.load(job.id).events]


def test_mirroring_the_same_twice_writes_nothing(store: JobStore, mirror: Mirror, queries: Queries) -> None:
    job = make_job(store, status=Status.PENDING)
    assert mirror.put(job)
    written = mirrored_job(queries, job.id)
    assert not mirror.put(job)
    assert not mirror.put(store.load(job.id))
    assert mirrored_job(queries, job.id) == written


def test_a_late_writer_does_not_undo_a_newer_one(store: JobStore, mirror: Mirror, queries: Queries) -> None:
    job = make_job(store)
    approved = act(store, job.id, "approve")
    confirmed = act(store, job.id, "confirm")
    assert mirror.put(confirmed)
    before = snapshot(queries)
    assert not mirror.put(approved)
    assert not mirror.put(job)
    assert snapshot(queries) == before


def test_two_writers_at_once_leave_the_newer_state(
    store: JobStore, engine: sa.Engine, database_url: str, queries: Queries
) -> None:
    older = make_job(store)
    newer = act(store, older.id, "approve")
    other_engine = create_engine(database_url)
    late = Background(lambda: Mirror(other_engine).put(older))
    with writing(engine) as (connection, change_no):
        assert index.write(connection, rows.record_of(store.layout, newer), change_no)
        late.start()
        until(lambda: waiting_for_a_lock(database_url))
    assert late.answer() is False
    assert snapshot(queries)[1][Status.PENDING] == 1
    row = mirrored_job(queries, older.id)
    assert row is not None
    assert row.revision == newer.job.revision
    other_engine.dispose()


def test_the_same_revision_in_another_folder_is_shown(store: JobStore, mirror: Mirror, queries: Queries) -> None:
    job = make_job(store)
    waiting = "the folder moves when no program has a file in it open"
    assert mirror.put(replace(job, move_pending=waiting))
    assert present(mirrored_job(queries, job.id)).move_pending == waiting
    dragged = store.layout.status(Status.PRINTING) / job.folder.name
    job.folder.rename(dragged)
    assert mirror.put(store.load(job.id))
    row = mirrored_job(queries, job.id)
    assert row is not None
    assert (row.folder, row.folder_status, row.move_pending) == (
        f"Printing/{job.folder.name}",
        Status.PRINTING,
        None,
    )
    assert row.asked_by_hand is Status.PRINTING


def test_a_deleted_job_is_not_brought_back_by_a_late_writer(store: JobStore, mirror: Mirror, queries: Queries) -> None:
    job = make_job(store)
    mirror.put(job)
    noted = act(store, job.id, "notes")
    deleted = act(store, job.id, "delete")
    assert mirror.put(deleted)
    assert mirrored_job(queries, job.id) is None
    assert not mirror.put(noted)
    assert queries.jobs() == []
    assert mirrored_events(queries, job.id) == []
    assert sum(queries.counts().values()) == 0


def test_counts_stay_right_under_concurrent_changes(
    store: JobStore, mirror: Mirror, queries: Queries, engine: sa.Engine
) -> None:
    def live(number: int) -> None:
        for round_ in range(6):
            job = make_job(store, name=f"Student {number} {round_}")
            states = [job, act(store, job.id, "approve"), act(store, job.id, "confirm"), act(store, job.id, "start")]
            for stored in (states[1], states[0], states[3], states[2]):
                mirror.put(stored)
            if round_ % 3 == 0:
                mirror.remove([job.id])

    threads = [Background(partial(live, number)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.answer()
    with reading(engine) as connection:
        counted = sa.select(jobs.c.status, sa.func.count()).group_by(jobs.c.status)
        truth = {Status(status): n for status, n in connection.execute(counted)}
    assert truth == {Status.PRINTING: 16}
    assert queries.counts() == {status: truth.get(status, 0) for status in Status}


def test_a_change_is_announced_with_its_id_and_nothing_else_is(
    store: JobStore, mirror: Mirror, database_url: str
) -> None:
    engine = create_engine(database_url)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as listener:
        listener.execute(sa.text(f"LISTEN {CHANNEL}"))
        job = make_job(store)
        mirror.put(job)
        mirror.put(job)
        mirror.put(act(store, job.id, "notes"))
        mirror.remove([job.id])
        raw: Any = listener.connection.driver_connection
        payloads: list[str] = []
        while len(payloads) < 3 and select.select([raw], [], [], 5)[0]:
            raw.poll()
            payloads += [note.payload for note in raw.notifies]
            raw.notifies.clear()
        assert payloads == [job.id] * 3
    engine.dispose()


# -- asking -------------------------------------------------------------------------------------------------------


def test_jobs_come_newest_in_their_status_first_page_by_page(lively: list[Stored], queries: Queries) -> None:
    everything = queries.jobs()
    times = [row.job.status_since for row in everything]
    assert times == sorted(times, reverse=True)
    assert queries.jobs(limit=3) + queries.jobs(limit=5, offset=3) == everything
    assert queries.counts() == dict.fromkeys(Status, 1)
    assert queries.count() == len(lively)
    assert queries.count(Status.PENDING) == 1
    assert [row.job.status for row in queries.jobs(Status.REJECTED)] == [Status.REJECTED]


@pytest.mark.parametrize(
    "query",
    [
        "jose", "José", "ÑANDÚ", "nandu jos", "4000", "arch-4000", "jd42@", "example.edu", "true red", "窗", "GEAR.stl",
        "d42@example",
    ],
)  # fmt: skip
def test_search_finds_a_job_by_what_people_type(query: str, store: JobStore, mirror: Mirror, queries: Queries) -> None:
    other_job = make_job(store, name="Li Ming", email="li@lab.org", color="Clear", class_number="N/A")
    job = make_job(
        store, name="José Ñandú", email="jd42@example.edu", files=[("Big GEAR 窗口.stl", b"solid a\nendsolid a\n")]
    )
    mirror.put(job)
    mirror.put(other_job)
    assert [row.id for row in queries.jobs(q=query)] == [job.id]
    assert queries.count(q=query) == 1
    assert queries.count(Status.PENDING, query) == 0


def test_search_finds_an_id_by_any_part_of_it(store: JobStore, mirror: Mirror, queries: Queries) -> None:
    job = make_job(store)
    mirror.put(job)
    for query in (job.id, job.id.upper(), job.id[:4], job.id[-3:], job.id[2:6]):
        assert [row.id for row in queries.jobs(q=query)] == [job.id]


@pytest.mark.parametrize("typed", ["kOm29xlq", "KOM29XIQ", "jane k0m29xlq", "kOm29x1q jane"])
def test_search_finds_an_id_that_was_misread(
    typed: str, store: JobStore, mirror: Mirror, queries: Queries, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror.put(make_job(store))
    monkeypatch.setattr("printsys.domain.naming.job_id", lambda random_bits: "k0m29x1q")
    mirror.put(make_job(store))
    assert [row.id for row in queries.jobs(q=typed)] == ["k0m29x1q"]


@pytest.mark.parametrize("typed", ["kOm2", "KOM29", "Om29xI", "29xlq", "jane m29xl"])
def test_search_finds_a_misread_id_while_it_is_typed(
    typed: str, store: JobStore, mirror: Mirror, queries: Queries, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror.put(make_job(store))
    monkeypatch.setattr("printsys.domain.naming.job_id", lambda random_bits: "k0m29x1q")
    mirror.put(make_job(store))
    assert [row.id for row in queries.jobs(q=typed)] == ["k0m29x1q"]


def test_the_beginning_of_a_name_is_not_taken_for_an_id(store: JobStore, mirror: Mirror, queries: Queries) -> None:
    job = make_job(store, name="Ana Lopez")
    for stored in (job, make_job(store, class_number="ARCH 1000")):
        mirror.put(stored)
    assert [row.id for row in queries.jobs(q="lo")] == [job.id]


def test_search_finds_notes_and_every_word_must_match(store: JobStore, mirror: Mirror, queries: Queries) -> None:
    job = make_job(store)
    mirror.put(act(store, job.id, "notes", notes="Supports were removed by hand"))
    assert len(queries.jobs(q="supp jane")) == 1
    assert queries.jobs(q="supp john") == []
    assert queries.jobs(q="?!") == []
    assert len(queries.jobs(q="  ")) == 1


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(query=st.text(max_size=60))
def test_nothing_that_is_typed_is_a_syntax_error(query: str, queries: Queries) -> None:
    assert queries.jobs(q=query) == []
    assert queries.count(q=query) == 0


def test_owed_mail_is_found_until_it_is_sent_and_not_before_its_time(
    store: JobStore, mirror: Mirror, queries: Queries
) -> None:
    job = make_job(store)
    mirror.put(job)
    now = store.clock()
    assert queries.owed(now) == [job.id]
    (letter,) = emails.owed(job.events, job.id)
    with store.edit(job.id) as change:
        change.record(emails.sent(letter, "<id>"))
    mirror.put(change.result)
    assert queries.owed(now) == []
    later = now + timedelta(minutes=1)
    with store.edit(job.id) as change:
        change.record(emails.queued(emails.Mail.COMPLETED, "jane@example.edu", "staff", not_before=later))
    mirror.put(change.result)
    assert queries.owed(now) == []
    assert queries.owed(later) == [job.id]


def test_odd_values_that_json_holds_are_mirrored(store: JobStore, mirror: Mirror, queries: Queries) -> None:
    job = make_job(store, files=[("a\x00b'\\N\t.stl", b"solid a\n")], message="x")
    metadata = job.folder / "metadata.json"
    text = metadata.read_text(encoding="utf-8").replace('"copies": 1', '"copies": 99999999999999')
    metadata.write_text(text.replace('"due_date": null', '"due_date": "\\u0000", "their own": [1, "\\u0000"]'), "utf-8")
    assert mirror.put(store.load(job.id))
    row = mirrored_job(queries, job.id)
    assert row is not None
    assert [file.uploaded_as for file in row.job.sent_files] == ["a\ufffdb'\\N\t.stl"]
    assert row.document["request"]["their own"] == [1, "\ufffd"]
    assert queries.values(q=job.id)[0]["copies"] == 99999999999999


# -- down, dropped, dead ------------------------------------------------------------------------------------------


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask a server again at once, however lately it failed."""
    monkeypatch.setattr(connection, "RETRY_AFTER_S", 0.0)


@pytest.mark.usefixtures("impatient")
def test_a_dropped_database_comes_back_with_the_same_rows(
    lively: list[Stored], store: JobStore, mirror: Mirror, queries: Queries, database_url: str
) -> None:
    before = snapshot(queries)
    drop_database(database_url)
    with pytest.raises(MirrorDown) as caught:
        queries.counts()
    assert caught.value.__cause__ is not None
    migrate.upgrade(database_url)
    assert snapshot(queries) == ([], dict.fromkeys(Status, 0), {status: [] for status in Status}, {}, {}, [])
    report = sync(store, mirror, queries)
    assert (report.jobs, report.changed) == (len(lively), len(lively))
    assert snapshot(queries) == before


@pytest.mark.parametrize("table", sorted(metadata.tables))
def test_a_dropped_table_comes_back_while_the_indexer_runs(
    table: str, lively: list[Stored], store: JobStore, engine: sa.Engine, queries: Queries
) -> None:
    service = Service(store, engine, context=lambda: context(store))
    service.tick()
    before = snapshot(queries)
    with engine.begin() as connection:
        connection.execute(sa.text(f"DROP TABLE {table}"))
    service.wake.set()
    service.tick()
    assert snapshot(queries) == before


@pytest.mark.usefixtures("impatient")
def test_the_indexer_goes_on_when_postgres_is_back(
    lively: list[Stored], store: JobStore, engine: sa.Engine, queries: Queries, database_url: str
) -> None:
    service = Service(store, engine, context=lambda: context(store))
    service.tick()
    before = snapshot(queries)
    drop_database(database_url)
    service.tick()
    service.tick()
    assert snapshot(queries) == before


def test_reports_count_copies_that_a_hand_wrote_below_one_as_one(store: JobStore, mirror: Mirror) -> None:
    for copies in (b"0", b"-3"):
        metadata_json = make_job(store, status=Status.COMPLETED).folder / "metadata.json"
        metadata_json.write_bytes(metadata_json.read_bytes().replace(b'"copies": 1', b'"copies": ' + copies))
    sync(store, mirror)
    always = [datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)]
    (usage,) = (row for row in ReportQueries(mirror.engine).usage(*always) if row.dimension == "color")
    assert (usage.jobs, usage.copies) == (2, 2)


def test_a_server_that_is_down_is_asked_once_and_not_by_every_page() -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        port = deaf.getsockname()[1]
        engine = create_engine(f"postgresql://nobody@127.0.0.1:{port}/none")
        with pytest.raises(MirrorDown) as first:
            Queries(engine).counts()
        assert isinstance(first.value.__cause__, sa.exc.OperationalError)
        deaf.listen()
        with pytest.raises(MirrorDown, match="a moment ago"):
            Mirror(engine).remove(["k7m29xq4"])
        deaf.settimeout(0)
        with pytest.raises(BlockingIOError):
            deaf.accept()
    engine.dispose()


def test_a_server_that_never_answers_is_given_up(postgres_server: str) -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        engine = create_engine(f"postgresql://nobody@127.0.0.1:{deaf.getsockname()[1]}/none")
        with pytest.raises(MirrorDown):
            Queries(engine).counts()
    engine.dispose()


def test_a_connection_that_the_server_has_ended_is_replaced(database_url: str, engine: sa.Engine) -> None:
    """As after each restart of the server: nobody sees an error, and the first to ask gets its answer."""
    ask = sa.select(sa.func.pg_backend_pid())
    with reading(engine) as used:
        first = used.execute(ask).scalar_one()
    other = create_engine(database_url)
    with reading(other) as connection:
        connection.execute(sa.select(sa.func.pg_terminate_backend(first)))

    def is_gone() -> bool:
        with reading(other) as connection:
            return connection.execute(sa.text(f"SELECT 1 FROM pg_stat_activity WHERE pid = {first}")).scalar() is None

    until(is_gone)
    other.dispose()
    with reading(engine) as used:
        second = used.execute(ask).scalar_one()
    with reading(engine) as used:
        assert used.execute(ask).scalar_one() == second != first


def test_a_statement_that_takes_too_long_is_given_up_and_the_next_is_asked(engine: sa.Engine, queries: Queries) -> None:
    with pytest.raises(MirrorDown), reading(engine) as connection:
        connection.execute(sa.text("SET LOCAL statement_timeout = '50ms'; SELECT pg_sleep(5)"))
    assert queries.count() == 0


def test_a_mistake_of_our_own_is_not_called_a_server_that_is_down(engine: sa.Engine) -> None:
    with pytest.raises(sa.exc.ProgrammingError), reading(engine) as connection:
        connection.execute(sa.text("SELEKT"))


# -- schema -------------------------------------------------------------------------------------------------------


def test_migrations_make_what_the_tables_say(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_a_downgraded_mirror_is_empty_and_may_be_upgraded_again(lively: list[Stored], engine: sa.Engine) -> None:
    with engine.begin() as connection:
        config = migrate._config(connection)
        command.downgrade(config, "0001")
        assert connection.execute(sa.text("SELECT count(*) FROM jobs")).scalar() == 0
        command.upgrade(config, "head")
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_upgrading_again_changes_nothing(lively: list[Stored], queries: Queries, database_url: str) -> None:
    before = snapshot(queries)
    migrate.upgrade(database_url)
    assert snapshot(queries) == before
    assert migrate.current(database_url) == max(path.name[:4] for path in VERSIONS.glob("[0-9]*.py"))


def test_the_tables_of_a_newer_program_start_empty(
    lively: list[Stored], queries: Queries, engine: sa.Engine, database_url: str
) -> None:
    """Somebody went back to an older version: it cannot know what the newer one did to the tables."""
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
        connection.execute(sa.text("ALTER TABLE jobs ADD COLUMN of_the_future text NOT NULL DEFAULT ''"))
        noted = json.dumps([*migrate._noted_tables(connection), "its table"])
        connection.exec_driver_sql(f"COMMENT ON TABLE alembic_version IS '{noted}'")
        connection.execute(sa.text('CREATE TABLE "its table" ()'))
        connection.execute(sa.text("CREATE TABLE somebodys ()"))
    migrate.upgrade(database_url)
    tables = set(sa.inspect(engine).get_table_names())
    assert "its table" not in tables and {"somebodys", *metadata.tables} <= tables
    assert migrate.current(database_url) == max(path.name[:4] for path in VERSIONS.glob("[0-9]*.py"))
    assert "of_the_future" not in {column["name"] for column in sa.inspect(engine).get_columns("jobs")}
    assert not any(queries.counts().values())


def test_two_processes_may_upgrade_at_once(postgres_server: str) -> None:
    url = sa.make_url(postgres_server).set(database="upgraded_twice").render_as_string(hide_password=False)
    starts = [Background(lambda: migrate.upgrade(url)) for _ in range(4)]
    for start in starts:
        start.start()
    for start in starts:
        start.answer()
    assert migrate.current(url) is not None
    drop_database(url)


def test_a_database_may_take_longer_to_make_than_a_page_waits(postgres_server: str) -> None:
    """Making it copies files: a slow disk, or one with a virus scanner, takes seconds for that."""
    url = sa.make_url(postgres_server).set(database="slowly_made").render_as_string(hide_password=False)
    upgrade = Background(lambda: migrate.upgrade(url))
    engine = create_engine(postgres_server)
    with engine.connect() as connection:
        connection.execute(sa.text("COMMENT ON DATABASE template0 IS 'nobody copies it meanwhile'"))
        upgrade.start()
        until(lambda: not upgrade.is_alive() or making_it_takes_s(postgres_server) > 3.5)
        assert making_it_takes_s(postgres_server) > 3.5, "nobody had to wait"
    upgrade.answer()
    assert migrate.current(url) is not None
    engine.dispose()
    drop_database(url)


# -- helpers ------------------------------------------------------------------------------------------------------


class Background(threading.Thread):
    """A thread whose answer, or error, is had by `answer`."""

    def __init__(self, work: Callable[[], Any]) -> None:
        super().__init__(daemon=True)
        self._work = work
        self._answer: Any = None
        self._error: BaseException | None = None

    def run(self) -> None:
        try:
            self._answer = self._work()
        except BaseException as error:  # noqa: BLE001  handed on to who asks
            self._error = error

    def answer(self) -> Any:
        self.join(60)
        assert not self.is_alive()
        if self._error is not None:
            raise self._error
        return self._answer


def making_it_takes_s(database_url: str) -> float:
    engine = create_engine(database_url)
    with engine.connect() as connection:
        age = "SELECT max(extract(epoch FROM now() - query_start)) FROM pg_stat_activity WHERE query LIKE 'CREATE D%'"
        seconds = connection.execute(sa.text(age)).scalar_one()
    engine.dispose()
    return float(seconds or 0)


def waiting_for_a_lock(database_url: str) -> bool:
    engine = create_engine(database_url)
    with engine.connect() as connection:
        waiting = connection.execute(sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted")).scalar_one()
    engine.dispose()
    return bool(waiting)


def test_thousands_of_things_that_need_a_person_are_kept_and_settled(
    store: JobStore, mirror: Mirror, queries: Queries
) -> None:
    """A share that a virus scanner went through: what is wrong may be as many as there are jobs."""
    store.layout.make()
    loose = [store.layout.status(Status.ARCHIVED) / f"part {n}.stl" for n in range(12_000)]
    for path in loose:
        path.touch()
    sync(store, mirror)
    assert len(queries.attention()) == len(loose)
    for path in loose[1:]:
        path.unlink()
    sync(store, mirror)
    assert [item.folder for item in queries.attention()] == ["Archived/part 0.stl"]
