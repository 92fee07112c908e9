"""The columns that PostgreSQL generates from a job's document: whatever stands there, the row is written."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.schema import CreateTable

from indexer import bulk, rows
from indexer.index import Mirror
from indexer.queries import Queries
from indexer.rebuild import reindex
from indexer.schema import DOCUMENT_VALUES, DocumentValue, jobs, pruned_jobs, written_columns
from printsys.domain.job import parse
from printsys.domain.payments import ledger
from printsys.domain.status import Status
from printsys.jobstore import JobStore, Stored
from tests.factories import make_job

AMOUNTS = {" 42.7 ": "42.7", "1e2": "100", "1_000": "1000", "\u0661\u0662": "12", "-0.50": "-0.50", "1e999999": None}
TIMES = {
    "2026-03-02 16:20Z": "2026-03-02T16:20:00Z",
    "20260302T162011.75Z": "2026-03-02T16:20:11Z",
    "0001-01-01T00:00Z": "0001-01-01T00:00:00Z",
}


SPELLINGS = [
    *(("weight_g", text, Decimal(value) if value else None) for text, value in AMOUNTS.items()),
    *(("status_since", text, value) for text, value in TIMES.items()),
]


@pytest.mark.parametrize("by", ["upsert", "copy"])
@pytest.mark.parametrize(("name", "text", "value"), SPELLINGS)
def test_a_value_in_a_spelling_of_its_own_gets_its_column(
    name: str, text: str, value: object, by: str, store: JobStore, mirror: Mirror, queries: Queries
) -> None:
    """A person may write a number or a time as they like, as long as it is one."""
    job = make_job(store, status=Status.PENDING)
    document = json.loads((job.folder / "metadata.json").read_bytes())
    (document["estimate"] if name in document["estimate"] else document)[name] = text
    (job.folder / "metadata.json").write_text(json.dumps(document), "utf-8")
    edited = store.load(job.id)
    assert edited.problem is None
    written = mirror.put(edited) if by == "upsert" else reindex(store, mirror.engine).jobs == 1
    (row,), (values,) = queries.jobs(), queries.values()
    assert written and row.job.id == job.id and values[name] == value


@pytest.fixture
def paid(store: JobStore) -> Stored:
    return make_job(store, status=Status.PAID_PICKED_UP)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(max_size=5), values, max_size=3),
    max_leaves=5,
) | st.sampled_from([*AMOUNTS, *TIMES, "9" * 200, "1." + "3" * 200, "NaN", "-Infinity", "0001-01-01T00:00:00+05:00"])


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=JSON_VALUES, at=st.sampled_from([value for value in DOCUMENT_VALUES if not value.required]))
def test_no_value_in_a_document_keeps_its_row_from_being_written(
    value: Any, at: DocumentValue, paid: Stored, engine: sa.Engine, store: JobStore
) -> None:
    record = rows.record_of(store.layout, paid)
    document = json.loads(json.dumps(record.document))
    holder = document
    for name in at.path[:-1]:
        holder = holder[name]
    holder[at.path[-1]] = value
    with engine.connect() as connection:
        columns = written_columns(jobs)
        changed = replace(record, document=rows.storable(document), events=[])
        row = rows.job_row(changed, change_no=1) | {"id": "another"}
        connection.execute(sa.insert(jobs), {name: row[name] for name in columns})
        connection.rollback()


LINES: list[Any] = [{"kind": "payment", "amount": "1.25"}, {"kind": "refund", "amount": "0.25"}]
PAYMENTS: dict[str, Any] = {
    "none": None,
    "one of an earlier version": {"amount": "1.00"},
    "less than the price": {"amount": "1.00", "lines": LINES},
    "more than the price": {"amount": "100.00", "lines": LINES},
    "of another price": {"amount": "1.00", "lines": [], "price": "7.50"},
    "of a price that is no text": {"amount": "1.00", "lines": [], "price": 7.5},
    "of a price in words": {"amount": "1.00", "lines": [], "price": "a lot"},
    "negative": {"amount": "-1.00", "lines": []},
    "in an own spelling": {"amount": " 1e0 ", "lines": []},
    "absurd": {"amount": "1e50", "lines": []},
    "with a waiver": {"amount": "1.00", "lines": [*LINES, {"kind": "waiver", "amount": "0.50"}]},
    "with a line that is none": {"amount": "1.00", "lines": ["?", {"kind": "waiver", "amount": "much"}]},
    "with lines that are none": {"amount": "1.00", "lines": {"kind": "waiver"}},
}


@pytest.mark.parametrize("status", [Status.PAID_PICKED_UP, Status.REJECTED])
@pytest.mark.parametrize("cost", ["4.27", None, " 4e0", "0.004", "1e50"])
@pytest.mark.parametrize("name", sorted(PAYMENTS))
def test_what_is_due_is_empty_or_what_the_ledger_says(
    name: str, cost: str | None, status: Status, paid: Stored, engine: sa.Engine, store: JobStore
) -> None:
    record = rows.record_of(store.layout, paid)
    estimate = record.document["estimate"] | {"cost": cost}
    document = record.document | {"payment": PAYMENTS[name], "estimate": estimate, "status": status.value}
    with engine.connect() as connection:
        columns = written_columns(jobs)
        row = rows.job_row(replace(record, document=document, events=[]), change_no=1) | {"id": "another"}
        connection.execute(sa.insert(jobs), {name: row[name] for name in columns})
        due = connection.execute(sa.select(jobs.c.due).where(jobs.c.id == "another")).scalar()
        connection.rollback()
    must_ask = status is Status.REJECTED or "waiver" in str(PAYMENTS[name]) or "e50" in f"{cost} {PAYMENTS[name]}"
    assert due == (None if must_ask or "no text" in name else ledger(parse(document)).due)


@pytest.mark.parametrize("table", [jobs, pruned_jobs], ids=lambda table: table.name)
def test_migrations_make_the_generated_columns_as_the_tables_say(engine: sa.Engine, table: sa.Table) -> None:
    """What alembic does not compare."""
    columns = sa.text(
        "SELECT column_name, data_type, collation_name, is_nullable, generation_expression "
        "FROM information_schema.columns WHERE table_schema = :schema AND table_name = :name ORDER BY column_name"
    )
    with engine.connect() as connection:
        connection.execute(sa.text(f"CREATE SCHEMA {bulk.SCHEMA}"))
        with bulk.fresh(connection):
            connection.execute(CreateTable(table))
        migrated, declared = (
            connection.execute(columns, {"schema": schema, "name": table.name}).all()
            for schema in ("public", bulk.SCHEMA)
        )
    assert migrated == declared
    generated = {row.column_name for row in declared if row.generation_expression is not None}
    values = {value.name for value in DOCUMENT_VALUES} | {"printed_on", "charged_price", "due"}
    assert generated == values & {column.name for column in table.columns}
