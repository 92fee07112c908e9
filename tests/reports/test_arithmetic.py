"""Hundreds of random lives, a thousand with --proof, and every number of a report recomputed from the folders."""

from __future__ import annotations

import shutil
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal
from functools import cache

import pytest
import sqlalchemy as sa

from indexer.index import Mirror
from indexer.rebuild import reindex
from indexer.report_queries import DIMENSIONS, ReportQueries
from indexer.schema import create_engine
from printsys.actions import Actions
from printsys.actions.pruning import prune
from printsys.config.lab import Term
from printsys.domain.status import Status
from printsys.reports.figures import Report, Totals, report
from printsys.reports.periods import By, Range, chosen
from tests.factories import LAB, Clock, actions_on, make_store
from tests.fixtures_db import TEMPLATE, drop_database, execute
from tests.reports.lives import make_lives
from tests.reports.own_arithmetic import Lives, percentile

LIVES, LIVES_OF_A_PROOF, SEED = 300, 1000, 16
TERMS = [
    Term(name="Fall 2025", first=date(2025, 9, 2), last=date(2025, 12, 19)),
    Term(name="Spring 2026", first=date(2026, 1, 12), last=date(2026, 5, 8)),
]
TERM_LAB = LAB.model_copy(update={"terms": TERMS})
CASES: list[tuple[str, date, date, By]] = [
    ("all", date(2025, 8, 1), date(2027, 12, 31), "month"),
    ("a term", TERMS[1].first, TERMS[1].last, "week"),
    ("by terms", date(2025, 9, 1), date(2026, 8, 31), "term"),
    ("a month", date(2026, 3, 1), date(2026, 3, 31), "day"),
    ("a few days", date(2025, 11, 3), date(2025, 12, 7), "week"),
    ("before the first", date(2024, 1, 1), date(2024, 12, 31), "month"),
]


ENDED = {Status.ARCHIVED, Status.PAID_PICKED_UP, Status.REJECTED}


WORLDS = ("in folders", "half of the ended pruned", "pruned, and the mirror rebuilt")
World = tuple[Lives, ReportQueries]


@pytest.fixture(scope="module")
def count(pytestconfig: pytest.Config) -> int:
    return LIVES_OF_A_PROOF if pytestconfig.getoption("--proof") else LIVES


@pytest.fixture(scope="module")
def make_world(
    tmp_path_factory: pytest.TempPathFactory, migrated_template: str, count: int
) -> Iterator[Callable[[str], World]]:
    """Each kind is made once, of the same lives."""
    origin, clock, engines = tmp_path_factory.mktemp("lives"), Clock(), list[sa.Engine]()
    make_lives(make_store(origin, clock), clock, count, SEED)

    @cache
    def make(kind: str) -> World:
        folder = tmp_path_factory.mktemp("world")
        shutil.copytree(origin, folder, dirs_exist_ok=True)
        store, lives = make_store(folder, clock), Lives(folder / "storage")
        name = f"test_lives_{WORLDS.index(kind)}"
        execute(migrated_template, f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
        url = sa.make_url(migrated_template).set(database=name).render_as_string(hide_password=False)
        engines.append(create_engine(url))
        reindex(store, engines[-1])
        if kind != "in folders":
            prune_half(lives, replace(actions_on(store), mirror=Mirror(engines[-1])))
        if "rebuilt" in kind:
            reindex(store, engines[-1])
        return lives, ReportQueries(engines[-1])

    yield make
    for engine in engines:
        engine.dispose()
        drop_database(engine.url.render_as_string(hide_password=False))


@pytest.fixture(params=WORLDS)
def world(request: pytest.FixtureRequest, make_world: Callable[[str], World]) -> World:
    return make_world(request.param)


def prune_half(lives: Lives, actions: Actions) -> None:
    """Of those that are over, every second one: those that still owe something stay."""
    ended = [life for life in lives.lives if life.record["status"] in ENDED][::2]
    numbers = [(life.record["id"], life.record["revision"]) for life in ended]
    pruned = {*prune(actions, numbers, "staff:Sam", "retention").pruned}
    for life in lives.lives:
        life.is_pruned = life.record["id"] in pruned
    assert len(pruned) > len(lives.lives) / 10


@pytest.fixture(params=CASES, ids=[case[0] for case in CASES])
def case(request: pytest.FixtureRequest, world: World) -> tuple[Lives, Report]:
    _name, first, last, by = request.param
    lives, queries = world
    return lives, report(queries, TERM_LAB, chosen(first, last, TERMS), by)


def totals(expected: dict[str, object]) -> Totals:
    return Totals(**expected)  # type: ignore[arg-type]


def test_the_lives_are_of_all_kinds(world: World, count: int) -> None:
    kinds = Counter(line["type"] for life in world[0].lives for line in life.lines)
    needed = {"PrintFailed", "PlatesMarked", "PaymentRefunded", "PaymentWaived", "StatusReverted", "MetadataEdited"}
    assert len(world[0].lives) == count and all(kinds[kind] >= 10 for kind in needed), kinds
    assert {entry.kind for life in world[0].lives for entry in life.money()} == {
        "payment", "refund", "waiver", "taken back", "correction",
    }  # fmt: skip


def test_the_totals_and_those_of_the_range_before(case: tuple[Lives, Report]) -> None:
    lives, figures = case
    assert figures.totals == totals(lives.totals(figures.days.first, figures.days.last))
    assert figures.totals_before == totals(lives.totals(figures.days_before.first, figures.days_before.last))


def test_each_part_of_the_range(case: tuple[Lives, Report]) -> None:
    lives, figures = case
    assert [part.totals for part in figures.parts] == [
        totals(lives.totals(part.days.first, part.days.last)) for part in figures.parts
    ]


def test_rejections_by_reason(case: tuple[Lives, Report]) -> None:
    lives, figures = case
    expected = lives.reasons(figures.days.first, figures.days.last)
    expected_before = lives.reasons(figures.days_before.first, figures.days_before.last)
    assert {r.id: (r.count, r.count_before) for r in figures.rejections} == {
        reason: (expected[reason], expected_before[reason]) for reason in expected | expected_before
    }


def test_failures_by_cause_and_fault(case: tuple[Lives, Report]) -> None:
    lives, figures = case
    counts, grams, faults = Counter[tuple[str, str]](), defaultdict[tuple[str, str], Decimal](Decimal), Counter[str]()
    for cause, fault, count, wasted in lives.failures(figures.days.first, figures.days.last):
        counts[cause, fault] += count
        grams[cause, fault] += wasted
        faults[fault] += count
    assert {
        (" ".join(c.cause.lower().split()).rstrip("."), c.fault): (c.count, c.wasted_g) for c in figures.causes
    } == {key: (counts[key], grams[key]) for key in counts}
    assert {fault.id: fault.count for fault in figures.faults} == {
        id_: faults[id_] for id_ in ("lab", "model", "machine", "")
    }


@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_what_was_printed_by(case: tuple[Lives, Report], dimension: str) -> None:
    lives, figures = case
    assert {
        usage.value: (usage.jobs, usage.copies, usage.hours, usage.grams, usage.milliliters)
        for usage in figures.usage[dimension]
    } == lives.usage(figures.days.first, figures.days.last, dimension)


def test_how_long_the_steps_took(case: tuple[Lives, Report]) -> None:
    lives, figures = case
    expected = lives.waits(figures.days.first, figures.days.last)
    assert {wait.step: wait.count for wait in figures.waits} == {step: len(hours) for step, hours in expected.items()}
    for wait in figures.waits:
        assert wait.median_h == pytest.approx(percentile(expected[wait.step], 0.5))
        assert wait.ninetieth_h == pytest.approx(percentile(expected[wait.step], 0.9))


def test_revenue_by_method_and_month(case: tuple[Lives, Report]) -> None:
    lives, figures = case
    expected: dict[tuple[int, int, str, str], Decimal] = defaultdict(Decimal)
    for entry in (entry for life in lives.lives for entry in life.money()):
        if figures.days.first <= entry.day <= figures.days.last and entry.amount:
            expected[entry.day.year, entry.day.month, entry.method, entry.kind] += entry.amount
    computed = {
        (row.month.first.year, row.month.first.month, row.method, kind): amount
        for row in figures.money
        for kind, amount in (
            ("payment", row.payments),
            ("refund", row.refunds),
            ("taken back", row.taken_back),
            ("correction", row.corrections),
        )
        if amount
    }
    assert computed == {key: amount for key, amount in expected.items() if amount}
    assert sum((row.total for row in figures.money), Decimal(0)) == figures.totals.revenue


def test_estimates_against_what_came_of_them(case: tuple[Lives, Report]) -> None:
    lives, figures = case
    expected = lives.accuracy(figures.days.first, figures.days.last)
    assert [row.method for row in figures.accuracy] == sorted(expected)
    for row in figures.accuracy:
        timed, hours, spent, weighed, grams, scale, charged, quoted, price = expected[row.method]
        assert (row.timed, row.hours_estimated) == (timed, hours)
        assert float(row.hours_actual) == pytest.approx(spent)
        assert (row.weighed, row.grams_estimated, row.grams_actual) == (weighed, grams, scale)
        assert (row.charged, row.price_estimated, row.price_actual) == (charged, quoted, price)


def test_what_is_still_to_be_paid(case: tuple[Lives, Report]) -> None:
    lives, figures = case
    sums = figures.outstanding
    assert (sums.unpaid_jobs, sums.unpaid, sums.waiting_jobs, sums.waiting) == lives.outstanding()


def test_all_that_was_ever_paid_is_what_the_records_say(world: World) -> None:
    lives, queries = world
    figures = report(queries, TERM_LAB, Range(date(2025, 1, 1), date(2028, 12, 31)), "month")
    paid = [Decimal(life.record["payment"]["amount"]) for life in lives.lives if life.record["payment"]]
    assert figures.totals.revenue == sum(paid)
