"""Area, volume, longest side and triangles of a job's models: the same part again is found by them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

FIGURE = """CASE WHEN jsonb_typeof({0}) = 'number' AND pg_column_size({0}) < 100
    AND CAST({0} AS numeric) > 0 AND CAST({0} AS numeric) < 1e15 THEN CAST({0} AS numeric) END"""
LONGEST = """(SELECT max({figure}) FROM jsonb_array_elements(
    CASE WHEN jsonb_typeof(model -> 'size_mm') = 'array' THEN model -> 'size_mm' ELSE '[]' END) AS side)"""
FILL = """
    UPDATE files SET area_cm2 = shapes.area, volume_cm3 = shapes.volume, longest_mm = shapes.longest,
        triangles = floor(shapes.triangles)
    FROM (
        SELECT id, position - 1 AS position, {area} AS area, {volume} AS volume, {triangles} AS triangles,
            {longest} AS longest
        FROM (
            SELECT jobs.id, listed.position, listed.file -> 'model' AS model
            FROM jobs, jsonb_array_elements(
                CASE WHEN jsonb_typeof(document -> 'files') = 'array' THEN document -> 'files' ELSE '[]' END
            ) WITH ORDINALITY AS listed(file, position)
        ) AS models
        WHERE jsonb_typeof(model) = 'object'
    ) AS shapes
    WHERE files.job_id = shapes.id AND files.position = shapes.position
"""


def upgrade() -> None:
    op.add_column(
        "files", sa.Column("area_cm2", sa.Double(), comment="of a model that was inspected, as the next three")
    )
    op.add_column("files", sa.Column("volume_cm3", sa.Double()))
    op.add_column("files", sa.Column("longest_mm", sa.Double(), comment="the longest side of its box"))
    op.add_column("files", sa.Column("triangles", sa.BigInteger()))
    figures = {name: FIGURE.format(f"(model -> '{name}')") for name in ("area_cm2", "volume_cm3", "triangles")}
    fill = FILL.format(
        area=figures["area_cm2"],
        volume=figures["volume_cm3"],
        triangles=figures["triangles"],
        longest=LONGEST.format(figure=FIGURE.format("side")),
    )
    op.get_bind().exec_driver_sql(fill)
    op.create_index("files_by_shape", "files", ["area_cm2", "longest_mm"])


def downgrade() -> None:
    op.drop_index("files_by_shape", "files")
    for name in ("area_cm2", "volume_cm3", "longest_mm", "triangles"):
        op.drop_column("files", name)
