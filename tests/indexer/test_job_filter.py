"""What a list leaves out, how it is sorted, and which jobs stand beside one in it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from indexer.happened import During, Happening
from indexer.index import Mirror
from indexer.job_filter import NEWEST_FIRST, OLDEST_FIRST, ORDERS, Due, JobFilter, Order, usual_order
from indexer.queries import Queries
from printsys.domain.events import FILESYSTEM, EventDraft, EventType
from printsys.domain.status import LIVE, Status
from tests.factories import Clock, act, make_job, make_store

NOW = datetime(2026, 3, 10, 15, 0, tzinfo=UTC)
TODAY = date(2026, 3, 10)
ASKED = JobFilter(now=NOW, today=TODAY)


@pytest.fixture
def ids(tmp_path: Path, mirror: Mirror) -> dict[str, str]:
    """Jobs by a letter, submitted 4, 3, 2 and 1 days before `NOW`; a is reviewed, d is in another status."""
    wishes = {
        "a": {"name": "Zoe Adams", "color": "Blue"},
        "b": {"name": "Ann Brown", "method": "Resin", "color": "Gray", "printer": "formlabs-form3"},
        "c": {"name": "Max Clark", "discipline": "Art", "color": "Blue", "printer": "prusa-xl"},
        "d": {"name": "Max Davis", "color": "Blue", "status": Status.PENDING},
    }
    due = {"a": "2026-03-12", "b": "2026-03-09", "c": "2026-03-11"}
    made = {}
    for days, (letter, wish) in zip((4, 3, 2, 1), wishes.items(), strict=True):
        store = make_store(tmp_path, Clock(NOW - timedelta(days=days)))
        stored = make_job(store, **wish)  # type: ignore[arg-type]
        if letter in due:
            stored = act(store, stored.id, "details", due_date=due[letter], student_name=wish["name"])
        if letter == "a":
            stored = act(store, stored.id, "review")
        mirror.put(stored)
        made[letter] = stored.id
    return made


def letters(ids: dict[str, str], queries: Queries, wanted: JobFilter, order: Order = OLDEST_FIRST) -> str:
    names = {job_id: letter for letter, job_id in ids.items()}
    return "".join(names[row.id] for row in queries.listed(wanted, order, limit=10))


FILTERS = [
    ({}, "abcd"),
    ({"status": Status.UPLOADED}, "abc"),
    ({"color": "Blue"}, "acd"),
    ({"color": "Blue", "status": Status.UPLOADED}, "ac"),
    ({"method": "Resin"}, "b"),
    ({"printer": "prusa-xl"}, "c"),
    ({"discipline": "Art"}, "c"),
    ({"q": "max"}, "cd"),
    ({"q": "max", "color": "Blue", "status": Status.PENDING}, "d"),
    ({"due": Due.ANY}, "abc"),
    ({"due": Due.LATE}, "b"),
    ({"due": Due.SOON}, "bc"),
    ({"older_than": 48}, "ab"),
    ({"older_than": 72, "color": "Blue"}, "a"),
    ({"is_new": True}, "bc"),
    ({"is_new": True, "color": "Blue"}, "c"),
    ({"color": "Pink"}, ""),
    ({"material": "PLA"}, "d"),
    ({"class_number": "ARCH 4000"}, "abcd"),
    ({"class_number": "ARCH 4000", "printed_on": "prusa-xl"}, "c"),
]


@pytest.mark.parametrize(("asked", "expected"), FILTERS, ids=lambda value: str(value))
def test_a_filter_leaves_what_fits_all_of_it(
    ids: dict[str, str], queries: Queries, asked: dict[str, object], expected: str
) -> None:
    wanted = replace(ASKED, **asked)  # type: ignore[arg-type]
    assert letters(ids, queries, wanted) == expected
    # While the database is away, the same is asked of each job.
    jobs = {letter: row.job for letter, job_id in ids.items() if (row := queries.job(job_id))}
    unnamed = replace(wanted, status=None, q="")
    assert "".join(letter for letter, job in jobs.items() if unnamed.accepts(job)) == letters(ids, queries, unnamed)


@pytest.mark.parametrize(
    ("happening", "hours", "expected"),
    [
        (Happening.SUBMITTED, (96, 71), "ab"),
        (Happening.SUBMITTED, (71, 0), "cd"),
        (Happening.APPROVED, (96, 0), "d"),
        (Happening.APPROVED, (96, 48), ""),
        (Happening.PAID, (96, 0), ""),
        (Happening.FAILED, (96, 0), ""),
    ],
)
def test_a_filter_of_what_happened_leaves_the_jobs_of_these_hours(
    ids: dict[str, str], queries: Queries, happening: Happening, hours: tuple[int, int], expected: str
) -> None:
    start, end = (NOW - timedelta(hours=before) for before in hours)
    assert letters(ids, queries, replace(ASKED, during=During(happening, start, end))) == expected


def test_the_counts_are_of_what_the_filter_leaves_in_every_status(ids: dict[str, str], queries: Queries) -> None:
    none = dict.fromkeys(Status, 0)
    assert queries.counts(ASKED) == queries.counts() == none | {Status.UPLOADED: 3, Status.PENDING: 1}
    blue = replace(ASKED, color="Blue", status=Status.UPLOADED)
    assert queries.counts(blue) == none | {Status.UPLOADED: 2, Status.PENDING: 1}
    assert queries.counts(replace(ASKED, q="max clark")) == none | {Status.UPLOADED: 1}


@pytest.mark.parametrize(
    ("name", "expected"),
    [("due", "bcad"), ("submitted", "abcd"), ("newest", "dcba"), ("student", "bcda"), ("price", "d")],
)
def test_a_list_is_sorted_as_asked(ids: dict[str, str], queries: Queries, name: str, expected: str) -> None:
    assert letters(ids, queries, ASKED, ORDERS[name]).startswith(expected)


@pytest.mark.parametrize("order", [OLDEST_FIRST, NEWEST_FIRST, *ORDERS.values()])
def test_every_job_of_a_list_knows_those_beside_it_in_every_order(
    tmp_path: Path, mirror: Mirror, queries: Queries, ids: dict[str, str], order: Order
) -> None:
    for _ in range(3):  # of the same moment, price and name
        mirror.put(make_job(make_store(tmp_path, Clock(NOW))))
    rows = queries.listed(ASKED, order, limit=10)
    listed = [row.id for row in rows]
    assert len(listed) == 7
    assert [row.id for row in order.sorted(reversed(rows))] == listed, "while the database is away, too"
    beside = [queries.neighbors(job_id, ASKED, order) for job_id in listed]
    assert beside == list(zip([None, *listed], [*listed[1:], None], strict=False))


def test_a_job_that_has_left_the_list_still_has_a_place_in_it(ids: dict[str, str], queries: Queries) -> None:
    uploaded = replace(ASKED, status=Status.UPLOADED)
    assert queries.neighbors(ids["d"], uploaded, ORDERS["newest"]) == (None, ids["c"])
    assert queries.neighbors("nothere0", uploaded, OLDEST_FIRST) == (None, None)


def test_the_usual_order_is_of_the_status() -> None:
    assert all(usual_order(status) is OLDEST_FIRST for status in LIVE)
    assert usual_order(Status.ARCHIVED) is NEWEST_FIRST and usual_order(None) is NEWEST_FIRST


def test_a_job_that_staff_started_elsewhere_is_of_the_printer_that_it_is_on(
    tmp_path: Path, mirror: Mirror, queries: Queries
) -> None:
    store = make_store(tmp_path, Clock(NOW))
    stays, moves = (make_job(store, status=Status.READY_TO_PRINT).id for _ in range(2))
    act(store, stays, "start")
    act(store, moves, "start", printer="prusa-xl")
    for job_id in (stays, moves):
        mirror.put(store.load(job_id))
    for printer, expected in (("prusa-mk4s", [stays]), ("prusa-xl", [moves])):
        wanted = JobFilter(printer=printer)
        assert [row.id for row in queries.listed(wanted, OLDEST_FIRST, limit=10)] == expected
        assert [job_id for job_id in (stays, moves) if wanted.accepts(store.load(job_id).job)] == expected
        assert queries.counts(wanted)[Status.PRINTING] == 1


def test_a_printer_that_is_an_empty_text_is_none(tmp_path: Path, mirror: Mirror, queries: Queries) -> None:
    store = make_store(tmp_path, Clock(NOW))
    stored = make_job(store, printer="prusa-xl")
    with store.edit(stored.id) as change:
        change.record(EventDraft(EventType.METADATA_EDITED, FILESYSTEM, {}, {"request": {"printed_on": ""}}))
    mirror.put(store.load(stored.id))
    assert [row.id for row in queries.listed(JobFilter(printed_on="prusa-xl"), OLDEST_FIRST, limit=10)] == [stored.id]
