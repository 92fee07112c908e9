"""Earlier prints of a part: found by an index, whatever stands in the models' facts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from indexer import earlier_prints, migrate
from indexer.earlier_prints import Shape
from indexer.index import Mirror
from indexer.queries import Queries
from indexer.rebuild import reindex
from indexer.schema import create_engine, jobs
from printsys.domain.events import SYSTEM, EventDraft, EventType
from printsys.domain.job import dump
from printsys.domain.status import Status
from printsys.jobstore import JobStore, Stored
from tests.factories import make_job
from tests.fixtures_db import drop_database
from tests.mirrored import mirrored_files

FACTS = {"area_cm2": 12.5, "volume_cm3": 4.25, "size_mm": [10.0, 30.0, 20.0], "triangles": 1200}
SHAPE = Shape(12.5, 4.25, 30.0, 1200)


def with_facts(store: JobStore, facts: Any, status: Status = Status.COMPLETED) -> Stored:
    job = make_job(store, status=status)
    with store.edit(job.id) as change:
        files = [dump(file) | {"model": facts} for file in change.job.files]
        change.record(EventDraft(EventType.MODEL_INSPECTED, SYSTEM, {"name": files[0]["name"]}, {"files": files}))
    return store.load(job.id)


@pytest.mark.parametrize("by", ["upsert", "copy"])
def test_a_shape_is_found_within_what_programs_round(
    store: JobStore, mirror: Mirror, queries: Queries, by: str
) -> None:
    job = with_facts(store, FACTS)
    assert mirror.put(job) if by == "upsert" else reindex(store, mirror.engine).jobs == 1
    near = [Shape(12.505, 4.249, 30.01, 1200), Shape(12.5, 0.0, 30.0, 1150)]
    far = [Shape(12.6, 4.25, 30.0, 1200), Shape(12.5, 4.3, 30.0, 1200), Shape(12.5, 4.25, 31.0, 1200)]
    far += [Shape(12.5, 4.25, 30.0, 2400)]
    found_by = [[e.row.id for e in queries.earlier_prints("other", (), [shape])] for shape in near + far]
    assert found_by == [[job.id]] * len(near) + [[]] * len(far)
    assert queries.earlier_prints(job.id, (), [SHAPE]) == [], "the job itself is no earlier one"


ODD = [
    {"area_cm2": "12", "size_mm": "wide", "triangles": None},
    {"area_cm2": True, "volume_cm3": -1, "size_mm": [1, "x", None], "triangles": 1e300},
    {"size_mm": [], "triangles": 0.5, "volume_cm3": 10**17},
]


@pytest.mark.parametrize("facts", ODD)
def test_facts_that_are_none_keep_no_row_from_being_written(
    store: JobStore, mirror: Mirror, queries: Queries, facts: dict[str, Any]
) -> None:
    job = with_facts(store, facts)
    assert mirror.put(job)
    assert reindex(store, mirror.engine).jobs == 1
    assert all(row.area_cm2 is None and row.volume_cm3 is None for row in mirrored_files(queries, job.id))


@pytest.fixture
def before(postgres_server: str) -> Iterator[sa.Engine]:
    """A mirror as it was before models had a shape."""
    url = sa.make_url(postgres_server).set(database="mirror_without_shapes").render_as_string(hide_password=False)
    migrate.upgrade(url)
    engine = create_engine(url)
    with engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(migrate.SCRIPTS).replace("%", "%%"))
        config.attributes["connection"] = connection
        command.downgrade(config, "0003")
    yield engine
    engine.dispose()
    drop_database(url)


def test_a_mirror_of_before_has_the_shapes_after_its_migration(before: sa.Engine) -> None:
    models: list[Any] = [FACTS, *ODD]
    documents: list[dict[str, Any]] = [
        {"id": str(n), "status": "Completed", "files": [{"model": model}]} for n, model in enumerate(models)
    ]
    documents += [{"id": "none", "status": "Completed", "files": None}]
    row = "INSERT INTO jobs (id, revision, folder, mail_owed, digest, log_size, document, words, change_no) "
    file = "INSERT INTO files (job_id, position, name, role, size, sha256, added_at, source) "
    with before.begin() as connection:
        for document in documents:
            values = {"id": document["id"], "document": json.dumps(document)}
            connection.execute(
                sa.text(f"{row} VALUES (:id, 1, :id, 0, '', 0, CAST(:document AS jsonb), ''::tsvector, 1)"), values
            )
            connection.execute(sa.text(f"{file} VALUES (:id, 0, 'a', 'original', 1, '', now(), '')"), values)
    migrate.upgrade(before.url.render_as_string(hide_password=False))
    assert [e.row.id for e in Queries(before).earlier_prints("other", (), [SHAPE])] == ["0"]


def test_a_large_mirror_is_asked_by_its_indexes(mirror: Mirror) -> None:
    """At 100,000 jobs a page must not read every file's row."""
    many = """
        INSERT INTO files
            (job_id, position, name, role, size, sha256, added_at, source, area_cm2, longest_mm, triangles)
        SELECT n::text, 0, 'a', 'original', 1, md5(n::text), now(), '', 1 + n % 997 * 0.37, 10 + n % 89, 12
        FROM generate_series(1, 20000) AS n
    """
    statement = earlier_prints.matching("other", ["0"], [SHAPE], [jobs.c.id], 5)
    with mirror.engine.begin() as connection:
        connection.execute(sa.text(many))
        connection.execute(sa.text("ANALYZE files"))
        compiled = statement.compile(connection, compile_kwargs={"literal_binds": True})
        plan = "\n".join(row[0] for row in connection.exec_driver_sql(f"EXPLAIN {str(compiled).replace('%', '%%')}"))
        connection.execute(sa.text("DELETE FROM files"))
    assert "files_by_sha256" in plan and "files_by_shape" in plan and "Seq Scan on files" not in plan
