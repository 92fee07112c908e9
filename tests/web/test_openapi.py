"""The OpenAPI document of /api/v1, and what schemathesis makes of it: requests that nobody would think of."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from indexer.queries import Queries
from indexer.schema import create_engine
from printsys.credentials import api_tokens
from printsys.domain.status import Status
from printsys.services import NO_DATABASE, Services
from printsys.web import create_app
from tests.present import present
from tests.web.conftest import MakeJob, json_of
from tests.web.test_server import port, server

__all__ = ["port", "server"]  # fixtures
DOCUMENT = "/api/v1/openapi.json"


def test_every_address_for_scripts_is_in_the_document_and_no_other(app: Flask, staff: FlaskClient) -> None:
    rules = {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/api/") and rule.rule != DOCUMENT
        for method in present(rule.methods) - {"HEAD", "OPTIONS"}
    }
    answer = staff.get(DOCUMENT)
    assert answer.status_code == 200 and json_of(answer)["openapi"] == "3.1.0"
    assert {(path, method) for path, item in json_of(answer)["paths"].items() for method in item} == rules


def test_the_document_names_nothing_of_this_lab(staff: FlaskClient, services: Services, make: MakeJob) -> None:
    make()
    text = staff.get(DOCUMENT).get_data(as_text=True)
    assert "Jane" not in text and str(services.settings.storage) not in text


@pytest.mark.parametrize("query", ["limit=ten", "limit=", "offset=1.5", "limit=1_000", "offset=%D9%A3", "limit=+"])
def test_a_number_that_is_none_is_refused(staff: FlaskClient, query: str) -> None:
    answer = staff.get(f"/api/v1/jobs?{query}")
    assert answer.status_code == 422 and "whole number" in json_of(answer)["message"]


@pytest.fixture
def lab(services: Services, make: MakeJob) -> list[str]:
    """Jobs in every status, damaged ones among them; gives the header of a script."""
    for status in Status:
        make(status, message="Ünïcode <b>")
    (make(Status.PENDING).folder / "metadata.json").write_text("{ broken", "utf-8")
    (make(Status.UPLOADED).folder / "events.jsonl").unlink()
    return ["--header", f"Authorization: Bearer {api_tokens.make(services.settings, 'script')}"]


def schemathesis(port: int, folder: Path, *arguments: str) -> None:
    """Every check there is, in a process of its own: it patches what it likes."""
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"http://127.0.0.1:{port}{DOCUMENT}"]
    environment = os.environ | {"NO_COLOR": "1", "PYTHONIOENCODING": "utf-8"}
    options = ["--warnings", "off", "--seed", "1", "--request-timeout", "60", *arguments]
    run = subprocess.run(
        [*command, *options], cwd=folder, env=environment, capture_output=True, text=True, encoding="utf-8", check=False
    )
    assert run.returncode == 0, run.stdout[-6000:] + run.stderr[-2000:]
    assert " passed" in run.stdout, run.stdout[-2000:]


def test_the_answers_are_what_the_document_says(port: int, lab: list[str], tmp_path: Path) -> None:
    schemathesis(port, tmp_path, *lab, "--phases", "coverage,stateful", "--max-examples", "5")


@pytest.mark.proof
def test_they_are_whatever_is_asked(port: int, lab: list[str], tmp_path: Path) -> None:
    schemathesis(port, tmp_path, *lab, "--max-examples", "200")


def test_without_the_database_the_folders_tell_what_needs_a_person(services: Services, make: MakeJob) -> None:
    """Issue 12, point 4: as the page does, with the same words for what is missing."""
    job = make(Status.PENDING)
    (job.folder / "original" / "bracket v2.stl").unlink()
    dark = replace(services, queries=Queries(create_engine(NO_DATABASE)))
    script = {"Authorization": f"Bearer {api_tokens.make(services.settings, 'script')}"}
    client = create_app(dark).test_client()
    answer = client.get("/api/v1/attention", headers=script)
    assert answer.status_code == 200 and "The database is not available" in json_of(answer)["note"]
    assert [(item["kind"], item["job_id"]) for item in json_of(answer)["attention"]] == [("original-missing", job.id)]
    assert client.get("/api/v1/jobs", headers=script).status_code == 503
    assert client.get(f"/api/v1/jobs/{job.id}", headers=script).status_code == 200
