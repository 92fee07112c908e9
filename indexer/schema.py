"""The tables of the mirror. Everything in them is derived from storage/ and may be thrown away."""

from __future__ import annotations

import select
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, TSVECTOR

from printsys.domain.payments import PRICE_PATTERN

STATE_ROW = 1
VERSION_TABLE = "alembic_version"

metadata = sa.MetaData(
    naming_convention={"pk": "%(table_name)s_pkey", "ck": "%(table_name)s_%(constraint_name)s"},
)

_TIME = sa.DateTime(timezone=True)


# -- what PostgreSQL takes out of a job's document --------------------------------------------------------------------

Kind = Literal["text", "key", "time", "number", "count"]

_TYPES: dict[Kind, sa.types.TypeEngine[Any]] = {
    "text": sa.Text(),
    "key": sa.Text(collation="C"),
    "time": sa.Text(collation="C"),  # ISO 8601 in UTC sorts as text; a cast to timestamptz would not be immutable
    "number": sa.Numeric(),
    "count": sa.BigInteger(),
}
_EXPRESSIONS: dict[Kind, str] = {
    "number": "CASE WHEN {0} ~ '^[+-]?[0-9]{{1,30}}([.][0-9]{{1,30}})?$' THEN CAST({0} AS numeric) END",
    "count": "COALESCE(CASE WHEN {0} ~ '^-?[0-9]{{1,18}}$' THEN CAST({0} AS bigint) END, 1)",
}
"""A cast comes behind a check: no value in a document keeps its row from being written."""


@dataclass(frozen=True)
class DocumentValue:
    """A generated column of `jobs`: the value at `path` in the document."""

    name: str
    path: tuple[str, ...]
    kind: Kind = "text"
    required: bool = False

    def column(self) -> sa.Column[Any]:
        value = f"(document #>> '{{{','.join(self.path)}}}')"
        expression = _EXPRESSIONS.get(self.kind, "{0}").format(value)
        generated = sa.Computed(expression, persisted=True)
        return sa.Column(self.name, _TYPES[self.kind], generated, nullable=not self.required)


DOCUMENT_VALUES = (
    DocumentValue("status", ("status",), "key", required=True),
    DocumentValue("status_since", ("status_since",), "time"),
    DocumentValue("created_at", ("created_at",), "time"),
    DocumentValue("updated_at", ("updated_at",), "time"),
    DocumentValue("student_name", ("student", "name")),
    DocumentValue("student_email", ("student", "email")),
    DocumentValue("discipline", ("student", "discipline")),
    DocumentValue("class_number", ("student", "class_number")),
    DocumentValue("method", ("request", "method")),
    DocumentValue("color", ("request", "color")),
    DocumentValue("printer", ("request", "printer")),
    DocumentValue("copies", ("request", "copies"), "count"),
    DocumentValue("due_date", ("request", "due_date")),
    DocumentValue("material", ("estimate", "material")),
    DocumentValue("weight_g", ("estimate", "weight_g"), "number"),
    DocumentValue("volume_ml", ("estimate", "volume_ml"), "number"),
    DocumentValue("time_h", ("estimate", "time_h"), "number"),
    DocumentValue("cost", ("estimate", "cost"), "number"),
    DocumentValue("paid", ("payment", "amount"), "number"),
    DocumentValue("weighed_g", ("payment", "weight_g"), "number"),
    DocumentValue("reviewed_at", ("reviewed_at",), "time"),
    DocumentValue("expires_at", ("confirmation", "expires_at"), "time"),
)
"""What pages and scripts filter, sort and sum by. A new one is a row here and a migration."""


def _text(path: str) -> str:
    return f"(document #>> '{{{path}}}')"


def _number(path: str) -> str:
    return _EXPRESSIONS["number"].format(_text(path))


_COST, _PAID, _PRICE = _number("estimate,cost"), _number("payment,amount"), _text("payment,price")
_CHARGED = f"CASE WHEN {_PRICE} ~ '^{PRICE_PATTERN}$' THEN CAST({_PRICE} AS numeric) ELSE {_COST} END"
_ONLY_RECORD_TELLS = f"""
    {_text("status")} = 'Rejected'
    OR jsonb_path_exists(document, '$.payment.lines[*] ? (@.kind == "waiver")')
    OR jsonb_typeof(document #> '{{payment,price}}') = 'number'
    OR ({_text("estimate,cost")} IS NOT NULL AND {_COST} IS NULL)
    OR ({_text("payment,amount")} IS NOT NULL AND {_PAID} IS NULL)
"""
_IS_OLD_PAYMENT = """
    jsonb_typeof(document #> '{payment}') = 'object'
    AND jsonb_typeof(document #> '{payment,lines}') IS DISTINCT FROM 'array'
"""
"""Of an earlier version: what it left open was settled."""
_REPORT_VALUES: dict[str, tuple[sa.types.TypeEngine[Any], str]] = {
    "printed_on": (sa.Text(), f"COALESCE(NULLIF({_text('request,printed_on')}, ''), {_text('request,printer')})"),
    "charged_price": (sa.Numeric(), _CHARGED),
    "due": (
        sa.Numeric(),
        f"CASE WHEN {_ONLY_RECORD_TELLS} THEN NULL WHEN {_IS_OLD_PAYMENT} THEN 0 "
        f"ELSE GREATEST({_CHARGED} - COALESCE({_PAID}, 0), 0) END",
    ),
}
"""What reports need of many documents, which are too large to be read for it: the printer that printed, the price that
is charged, and what is due by `domain.payments.ledger`; empty where only that can tell. Of an archived job it says so
only where the print was handed out."""


def _report_columns(*names: str) -> list[sa.Column[Any]]:
    return [
        sa.Column(name, _REPORT_VALUES[name][0], sa.Computed(_REPORT_VALUES[name][1], persisted=True)) for name in names
    ]


# -- the tables -------------------------------------------------------------------------------------------------------

jobs = sa.Table(
    "jobs",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("folder", sa.Text, nullable=False, comment="relative to storage/, with forward slashes"),
    sa.Column("folder_status", sa.Text, comment="the status folder it lies in"),
    sa.Column("move_pending", sa.Text, comment="why the folder is not in its status folder yet"),
    sa.Column("problem", sa.Text, comment="what a person must look at in the record"),
    sa.Column("asked_in_file", sa.Text, comment="a status that somebody wrote into metadata.json by hand"),
    sa.Column("mail_owed", sa.Integer, nullable=False),
    sa.Column("next_mail_at", _TIME, comment="when the first owed e-mail may go out"),
    sa.Column("digest", sa.Text, nullable=False, comment="sha256 of metadata.json"),
    sa.Column("log_size", sa.BigInteger, nullable=False, comment="bytes of events.jsonl"),
    sa.Column("signature", sa.Text, comment="the folder's listing when it was last reconciled; unknown: look again"),
    sa.Column("document", JSONB, nullable=False),
    sa.Column("words", TSVECTOR, nullable=False, comment="what a search finds, see indexer/search_text.py"),
    sa.Column("change_no", sa.BigInteger, nullable=False, comment="mirror_state.changes when the row was written"),
    *(value.column() for value in DOCUMENT_VALUES),
    *_report_columns(*_REPORT_VALUES),
)
BOOKKEEPING = frozenset({"digest", "log_size", "signature", "words", "change_no", "weighed_g", *_REPORT_VALUES})
"""Columns of `jobs` for the mirror itself and its reports."""

sa.Index("jobs_by_status", jobs.c.status, jobs.c.status_since.desc(), jobs.c.id)
sa.Index("jobs_by_time", jobs.c.status_since.desc(), jobs.c.id)
sa.Index("jobs_by_creation", jobs.c.created_at, jobs.c.id)
sa.Index("jobs_by_words", jobs.c.words, postgresql_using="gin")
sa.Index("jobs_owing_mail", jobs.c.next_mail_at, postgresql_where=jobs.c.mail_owed > 0)

PAID_IN_PART = sa.and_(jobs.c.paid < jobs.c.charged_price, jobs.c.document[("payment", "lines")].is_not(None))
"""Of their price, by the lines of the payment. The index is for this very condition: the archive is large."""
sa.Index("jobs_paid_in_part", jobs.c.status_since.desc(), jobs.c.id, postgresql_where=PAID_IN_PART)


def _event_columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("job_id", sa.Text, primary_key=True),
        sa.Column("seq", sa.Integer, primary_key=True),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("data", JSONB, nullable=False),
        sa.Column("patch", JSONB, nullable=False),
    ]


events = sa.Table("events", metadata, *_event_columns())
COUNTED_CHANGE = sa.text("patch ?| ARRAY['payment', 'plates', 'status']")
"""Of the events that reports count, whatever their type. The index is for this very condition."""
STATUS_CHANGE, PAYMENT_CHANGE = sa.text("patch ? 'status'"), sa.text("patch ? 'payment'")
"""Each with an index for this very condition, by which a job's changes come in their order, without a sort."""


def _index_changes(of: sa.Table) -> None:
    by_job, name = (of.c.job_id, of.c.seq), of.name
    sa.Index(f"{name}_counted", of.c.type, of.c.at, postgresql_include=["job_id"], postgresql_where=COUNTED_CHANGE)
    sa.Index(f"{name}_of_status", *by_job, postgresql_include=["at", "type"], postgresql_where=STATUS_CHANGE)
    sa.Index(f"{name}_of_payment", *by_job, postgresql_include=["at"], postgresql_where=PAYMENT_CHANGE)


_index_changes(events)

REPORTED_VALUES = (
    "status", "created_at", "method", "color", "printer", "copies", "discipline", "class_number", "material",
    "weight_g", "volume_ml", "time_h", "cost", "paid", "weighed_g", "printed_on", "charged_price",
)  # fmt: skip
"""Those of the document's values that reports read of a pruned job."""

pruned_jobs = sa.Table(
    "pruned_jobs",
    metadata,
    sa.Column("id", sa.Text, primary_key=True, comment="the key of its line, which leads to no job"),
    sa.Column("log", sa.Text, nullable=False, comment="the file that has the line; empty: it is on its way out"),
    sa.Column("digest", sa.Text, nullable=False, comment="of what the line says"),
    sa.Column("document", JSONB, nullable=False),
    *(value.column() for value in DOCUMENT_VALUES if value.name in REPORTED_VALUES),
    *_report_columns("printed_on", "charged_price"),
)
"""What is left of jobs whose folders are gone for good, from `.printsys/pruned/`: for reports alone."""
GOING = ""
sa.Index("pruned_jobs_by_creation", pruned_jobs.c.created_at, pruned_jobs.c.id)
sa.Index("pruned_jobs_going", pruned_jobs.c.id, postgresql_where=sa.text("log = ''"))

pruned_events = sa.Table("pruned_events", metadata, *_event_columns())
_index_changes(pruned_events)

pruned_logs = sa.Table(
    "pruned_logs",
    metadata,
    sa.Column("name", sa.Text, primary_key=True, comment="of the file; empty: the notes of jobs on their way out"),
    sa.Column("listing", sa.Text, comment="its size and time when it was read; unknown: read it again"),
    sa.Column("problem", sa.Text, comment="why it cannot be read: reports refuse to count then"),
)

files = sa.Table(
    "files",
    metadata,
    sa.Column("job_id", sa.Text, primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True, comment="in metadata.json's list, from 0"),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("sha256", sa.Text, nullable=False),
    sa.Column("added_at", _TIME, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("area_cm2", sa.Double, comment="of a model that was inspected, as the next three"),
    sa.Column("volume_cm3", sa.Double),
    sa.Column("longest_mm", sa.Double, comment="the longest side of its box"),
    sa.Column("triangles", sa.BigInteger),
)
sa.Index("files_by_sha256", files.c.sha256)
sa.Index("files_by_shape", files.c.area_cm2, files.c.longest_mm)

attention = sa.Table(
    "attention",
    metadata,
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("folder", sa.Text, primary_key=True, comment="relative to storage/"),
    sa.Column("file", sa.Text, primary_key=True, comment="which of the job's files; empty: all of it"),
    sa.Column("job_id", sa.Text),
    sa.Column("sentence", sa.Text, nullable=False),
    sa.Column("fixes", JSONB, nullable=False),
    sa.Column("since", _TIME, nullable=False, server_default=sa.func.now()),
)

job_counts = sa.Table(
    "job_counts",
    metadata,
    sa.Column("status", sa.Text, primary_key=True),
    sa.Column("n", sa.BigInteger, nullable=False),
)
"""Jobs by status, kept by every write: counting 100,000 rows for each page would cost more than the page."""

mirror_state = sa.Table(
    "mirror_state",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("changes", sa.BigInteger, nullable=False),
    sa.Column("synced_at", _TIME, comment="when the whole of storage/ was last compared"),
)
"""One row. Every write counts `changes` up first, so its row lock lets one writer in after the other."""

REBUILT = (jobs, events, files)
"""A rebuild fills new ones of these tables; the small ones are rewritten in place."""


def written_columns(table: sa.Table) -> Sequence[str]:
    """The columns that a writer fills in: PostgreSQL generates the others."""
    return [column.name for column in table.columns if column.computed is None]


def create_engine(url: str) -> sa.Engine:
    """An engine for the mirror. A dead or hanging server costs a page about three seconds, once (see connection.py).

    The mirror is derived, so a commit does not wait for the server's disk: after a crash of the server the next
    sync brings back what was lost.
    """
    engine = sa.create_engine(
        sa.make_url(url).set(drivername="postgresql+psycopg2"),
        pool_use_lifo=True,
        hide_parameters=True,  # in what an error says: rows are students' data
        pool_timeout=3,
        pool_size=8,
        isolation_level="READ COMMITTED",
        connect_args={
            "connect_timeout": 3,
            "tcp_user_timeout": 3000,
            "application_name": "printsys",
            "options": "-c statement_timeout=3000 -c lock_timeout=2000 -c synchronous_commit=off -c timezone=UTC "
            r"-c default_transaction_isolation=read\ committed",
        },
    )
    sa.event.listen(engine, "checkout", _replace_if_closed)
    return engine


def _replace_if_closed(connection: Any, *_: object) -> None:
    """To a connection that rests the server says nothing until it ends it. Looking costs nothing; asking a question
    (`pool_pre_ping`) costs as long as half of what a changed job needs."""
    if connection.closed or _has_something_to_read(connection):
        raise sa.exc.DisconnectionError("the server has ended this connection")


def _has_something_to_read(connection: Any) -> bool:
    if sys.platform == "win32":
        return bool(select.select([connection], [], [], 0)[0])
    poll = select.poll()  # `select` refuses descriptors above 1,023, which a server with many idle browsers has
    poll.register(connection, select.POLLIN)
    return bool(poll.poll(0))
