"""What reports read without looking into documents, and each job's changes of status and of payment in their order."""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

NUMBER = "CASE WHEN {0} ~ '^[+-]?[0-9]{{1,30}}([.][0-9]{{1,30}})?$' THEN CAST({0} AS numeric) END"
PRICE = "(document #>> '{payment,price}')"
COST = NUMBER.format("(document #>> '{estimate,cost}')")
PAID = NUMBER.format("(document #>> '{payment,amount}')")
CHARGED = rf"CASE WHEN {PRICE} ~ '^[0-9]{{1,9}}(\.[0-9]{{1,9}})?$' THEN CAST({PRICE} AS numeric) ELSE {COST} END"
DUE = f"""
    CASE
        WHEN (document #>> '{{status}}') = 'Rejected'
            OR jsonb_path_exists(document, '$.payment.lines[*] ? (@.kind == "waiver")')
            OR jsonb_typeof(document #> '{{payment,price}}') = 'number'
            OR ((document #>> '{{estimate,cost}}') IS NOT NULL AND {COST} IS NULL)
            OR ((document #>> '{{payment,amount}}') IS NOT NULL AND {PAID} IS NULL)
        THEN NULL
        WHEN jsonb_typeof(document #> '{{payment}}') = 'object'
            AND jsonb_typeof(document #> '{{payment,lines}}') IS DISTINCT FROM 'array'
        THEN 0
        ELSE GREATEST({CHARGED} - COALESCE({PAID}, 0), 0)
    END
"""
PRINTED_ON = "(document #>> '{request,printed_on}')"
VALUES = (
    ("weighed_g", "NUMERIC", NUMBER.format("(document #>> '{payment,weight_g}')")),
    ("printed_on", "TEXT", f"COALESCE(NULLIF({PRINTED_ON}, ''), (document #>> '{{request,printer}}'))"),
    ("charged_price", "NUMERIC", CHARGED),
    ("due", "NUMERIC", DUE),
)
OLD_CHARGED = CHARGED.replace(COST, "cost")
PAID_IN_PART = """
    CREATE INDEX jobs_paid_in_part ON jobs (status_since DESC, id)
    WHERE paid < {0} AND (document #> '{{payment,lines}}') IS NOT NULL
"""
COUNTED = "CREATE INDEX {0}_counted ON {0} (type, at) {1} WHERE patch ?| ARRAY['payment', 'plates', 'status']"
INDEXES = (("status", "at, type"), ("payment", "at"))
TABLES = (("jobs", VALUES), ("pruned_jobs", [value for value in VALUES if value[0] != "due"]))
UNUSUAL = "(document #>> '{payment,weight_g}') !~ '^[0-9]+([.][0-9]+)?$'"


def upgrade() -> None:
    """One ALTER TABLE of each table: it is written once."""
    connection = op.get_bind()
    op.drop_index("jobs_paid_in_part", "jobs")
    for table, values in TABLES:
        columns = [f"ADD COLUMN {name} {kind} GENERATED ALWAYS AS ({value}) STORED" for name, kind, value in values]
        connection.exec_driver_sql(f"ALTER TABLE {table} {', '.join(columns)}")
    connection.exec_driver_sql(PAID_IN_PART.format("charged_price"))
    for table in ("events", "pruned_events"):
        op.drop_index(f"{table}_counted", table)
        connection.exec_driver_sql(COUNTED.format(table, "INCLUDE (job_id)"))
        for key, included in INDEXES:
            create = (
                f"CREATE INDEX {table}_of_{key} ON {table} (job_id, seq) INCLUDE ({included}) WHERE patch ? '{key}'"
            )
            connection.exec_driver_sql(create)
    # A weight that a person spelled in another way: the next sweep writes the row again.
    connection.exec_driver_sql(f"UPDATE jobs SET digest = '', signature = NULL WHERE {UNUSUAL}")


def downgrade() -> None:
    connection = op.get_bind()
    for table in ("events", "pruned_events"):
        for name in ("of_payment", "of_status", "counted"):
            op.drop_index(f"{table}_{name}", table)
        connection.exec_driver_sql(COUNTED.format(table, ""))
    op.drop_index("jobs_paid_in_part", "jobs")
    for table, values in TABLES:
        connection.exec_driver_sql(f"ALTER TABLE {table} {', '.join(f'DROP COLUMN {name}' for name, *_ in values)}")
    connection.exec_driver_sql(PAID_IN_PART.format(OLD_CHARGED))
