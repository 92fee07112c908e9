"""An app on a real storage and a real mirror, and a browser-less client of it."""

from __future__ import annotations

import io
import re
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from html import unescape
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from jinja2.bccache import Bucket, BytecodeCache
from werkzeug.security import generate_password_hash
from werkzeug.test import TestResponse

from indexer import schema
from printsys.assessment.upload_checker import UploadChecker
from printsys.config import ROOT, load_settings
from printsys.credentials import staff_password
from printsys.domain.status import Status
from printsys.jobstore import JobStore, Stored
from printsys.services import Services, build_services
from printsys.web import create_app, uploads
from tests.factories import FORM, STL, Clock, make_job, make_store
from tests.fixtures_db import TEMPLATE, drop_database, execute
from tests.present import present

MakeJob = Callable[..., Stored]
PostAction = Callable[..., TestResponse]
Submit = Callable[..., TestResponse]
Traces = Callable[[], object]
PastStore = Callable[[timedelta], JobStore]

STAFF_PASSWORD = "correct horse"


class CompiledTemplates(BytecodeCache):
    """Of all apps of a process: to compile them for each would be a third of the tests' time."""

    def __init__(self) -> None:
        self._codes: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if (code := self._codes.get(bucket.key)) is not None:
            bucket.bytecode_from_string(code)

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._codes[bucket.key] = bucket.bytecode_to_string()


@pytest.fixture(scope="session", autouse=True)
def _compiled_templates() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Flask, "jinja_options", {"bytecode_cache": CompiledTemplates()})
        yield


@pytest.fixture(scope="session")
def pages_database(migrated_template: str) -> Iterator[str]:
    """One database for all the pages' tests of a process: making one for each would cost more than the test."""
    name = f"test_pages_{uuid.uuid4().hex}"
    url = sa.make_url(migrated_template).set(database=name).render_as_string(hide_password=False)
    execute(migrated_template, f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
    yield url
    drop_database(url)


@pytest.fixture
def database_url(pages_database: str) -> str:
    """An empty mirror: in a lab's small tables, deleting is faster than truncating."""
    execute(pages_database, *(f"DELETE FROM {table.name}" for table in schema.metadata.sorted_tables))
    return pages_database


@pytest.fixture
def services(tmp_path: Path, database_url: str) -> Iterator[Services]:
    settings = load_settings(
        {
            "PRINTSYS_STORAGE": str(tmp_path / "storage"),
            "PRINTSYS_INSTANCE": str(tmp_path / "instance"),
            "LAB_CONFIG": str(ROOT / "lab.toml"),
            "DATABASE_URL": database_url,
            "SUBMIT_LIMIT": "0",
        },
        tmp_path,
    )
    staff_password.choose(settings, STAFF_PASSWORD)
    built = build_services(settings, enqueue=lambda job_id: None)
    built.store.layout.make()
    yield built
    built.queries.engine.dispose()  # the server of all tests of a process has a hundred places


@pytest.fixture(scope="session")
def upload_checker(tmp_path_factory: pytest.TempPathFactory) -> UploadChecker:
    return UploadChecker(tmp_path_factory.mktemp("checking"))


@pytest.fixture
def app(services: Services, upload_checker: UploadChecker) -> Flask:
    """With a check that remembers the models of all tests: each new one costs a process."""
    app = create_app(services)
    app.extensions[uploads.UPLOAD_CHECKER] = upload_checker
    return app


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def token_in(html: str) -> str:
    match = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', html)
    assert match, "the page has no form with a CSRF token"
    return match.group(1)


@pytest.fixture
def submit(client: FlaskClient) -> Submit:
    """Fill the student's form and send it, with what differs from `FORM` (None: left out)."""

    def send(files: dict[str, bytes] | None = None, **changed: str | None) -> TestResponse:
        page = client.get("/submit").get_data(as_text=True)
        values: dict[str, Any] = {k: v for k, v in (FORM | changed).items() if v is not None}
        values["csrf_token"] = token_in(page)
        values["submission"] = hidden_value(page, "submission")
        sent = {"bracket v2.stl": STL} if files is None else files
        values["file"] = [(io.BytesIO(data), name) for name, data in sent.items()]
        return client.post("/submit", data=values, content_type="multipart/form-data")

    return send


@pytest.fixture
def staff(app: Flask) -> FlaskClient:
    client = app.test_client()
    token = token_in(client.get("/login").get_data(as_text=True))
    answer = client.post("/login", data={"csrf_token": token, "password": STAFF_PASSWORD})
    assert answer.status_code == 303
    return client


@pytest.fixture(autouse=True)
def _cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A password's hash is slow on purpose; here it would be half of the tests' time."""
    monkeypatch.setattr(
        staff_password, "generate_password_hash", partial(generate_password_hash, method="pbkdf2:sha256:1")
    )


def form_token(client: FlaskClient, path: str = "/submit") -> str:
    return token_in(client.get(path).get_data(as_text=True))


def hidden_value(html: str, name: str) -> str:
    match = re.search(rf'name="{name}"[^>]*value="([^"]*)"', html)
    assert match, f"the page has no hidden field {name}"
    return unescape(match.group(1))


def json_of(response: TestResponse) -> Any:
    assert response.is_json, response.get_data(as_text=True)
    return response.json


def confirm_token(services: Services, stored: Stored) -> str:
    """The token of the confirmation link that a job waits for."""
    nonce = present(stored.job.confirmation).nonce
    return services.tokens.confirm(stored.id, present(nonce))


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below `folder` with its bytes, without locks, which reading makes and leaves too."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "locks" not in path.parts
    }


@pytest.fixture
def traces(services: Services) -> Traces:
    """Everything that a request could leave behind: folders, files and rows. Compare before and after."""

    def look() -> object:
        folders = sorted(
            p.relative_to(services.store.layout.root).as_posix() for p in services.store.layout.root.rglob("*")
        )
        with services.queries.engine.connect() as connection:
            rows = {
                table.name: connection.execute(sa.select(sa.func.count()).select_from(table)).scalar()
                for table in schema.metadata.tables.values()
            }
        return [f for f in folders if ".printsys/locks/" not in f], tree(services.store.layout.root), rows

    return look


@pytest.fixture
def past_store(services: Services, tmp_path: Path) -> PastStore:
    """The services' own storage through a store whose clock is that long ago."""
    return lambda ago: make_store(tmp_path, Clock(datetime.now(UTC) - ago))


@pytest.fixture
def make(services: Services, past_store: PastStore) -> MakeJob:
    """Makes a job in a status, `ago` by the real workflow, with its row in the mirror."""

    def made(status: Status = Status.UPLOADED, ago: timedelta = timedelta(minutes=10), **wishes: Any) -> Stored:
        stored = make_job(past_store(ago), status=status, **wishes)
        services.mirror.put(stored)
        return stored

    return made


@pytest.fixture
def post(staff: FlaskClient, services: Services) -> PostAction:
    """A staff action as the job's page sends it: with its CSRF token and the current revision."""

    def send(job_id: str, action: str, **fields: Any) -> TestResponse:
        values = {
            "csrf_token": form_token(staff, "/logout"),
            "revision": services.store.load(job_id).job.revision,
        } | fields
        data = {name: value for name, value in values.items() if value is not None}
        return staff.post(f"/dashboard/jobs/{job_id}/{action}", data=data)

    return send
