"""An app on a real storage and a real mirror, and a browser-less client of it."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from printsys import password
from printsys.config import ROOT, load_settings
from printsys.web import create_app
from printsys.web.limits import limiter
from printsys.wiring import House, build

STAFF_PASSWORD = "correct horse"
STL = (
    b"solid part\nfacet normal 0 0 1\nouter loop\n"
    b"vertex 0 0 0\nvertex 9 0 0\nvertex 0 9 0\nendloop\nendfacet\nendsolid\n"
)
FORM = {
    "student_name": "Jane Doe",
    "student_email": "jane@example.edu",
    "discipline": "Architecture",
    "class_number": "ARCH 4000",
    "print_method": "Filament",
    "color": "True Red",
    "printer": "prusa-mk4s",
    "minimum_charge_consent": "yes",
    "copies": "1",
    "due_date": "",
    "message": "",
}


@pytest.fixture
def house(tmp_path: Path, database_url: str) -> House:
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
    password.choose(settings, STAFF_PASSWORD)
    built = build(settings, look=lambda job_id: None)
    built.store.layout.make()
    return built


@pytest.fixture
def app(house: House) -> Flask:
    app = create_app(house)
    limiter.reset()
    return app


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def token_in(html: str) -> str:
    found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', html)
    assert found, "the page has no form with a CSRF token"
    return found.group(1)


@pytest.fixture
def submit(client: FlaskClient) -> Callable[..., object]:
    """Fill the student's form and send it, with what differs from `FORM` (None: left out)."""

    def send(files: dict[str, bytes] | None = None, **changed: str | None):
        page = client.get("/submit").get_data(as_text=True)
        values = {k: v for k, v in (FORM | changed).items() if v is not None}
        values["csrf_token"] = token_in(page)
        values["submission"] = re.search(r'name="submission"[^>]*value="([^"]+)"', page).group(1)
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
