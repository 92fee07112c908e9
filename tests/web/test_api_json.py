"""What scripts may rely on beyond test_api.py: exact contents, odd requests, and errors as JSON."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from indexer.schema import jobs
from printsys.domain.status import Status
from printsys.ops import heartbeat
from printsys.ops.heartbeat import Heartbeat, IndexerHeartbeat
from printsys.services import Services
from tests.mirrored import mirrored_job
from tests.web.conftest import MakeJob, json_of

KEYS = {
    "id", "revision", "status", "folder", "folder_status", "status_since", "created_at", "updated_at", "student_name",
    "student_email", "discipline", "class_number", "method", "color", "printer", "copies", "material", "weight_g",
    "volume_ml", "time_h", "cost", "paid", "reviewed_at", "expires_at", "move_pending", "problem", "asked_in_file",
    "mail_owed", "next_mail_at", "document",
}  # fmt: skip
"""Of each job in the list: scripts rely on them."""
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def test_the_list_has_every_job_with_decimals_as_text_and_times_in_utc(staff: FlaskClient, make: MakeJob) -> None:
    ids = {make(status).id for status in (Status.UPLOADED, Status.PENDING, Status.ARCHIVED)}
    answer = staff.get("/api/v1/jobs")
    assert answer.status_code == 200 and answer.is_json
    assert {job["id"] for job in json_of(answer)["jobs"]} == ids and json_of(answer)["total"] == 3
    pending = next(job for job in json_of(answer)["jobs"] if job["status"] == "Pending")
    assert (pending["cost"], pending["weight_g"], pending["time_h"]) == ("4.27", "42.7", "3.5")
    assert pending["folder"].startswith("Pending/JaneDoe_Filament_TrueRed_")
    assert pending.keys() >= KEYS and pending["copies"] == 1 and pending["document"]["id"] == pending["id"]
    for name in ("created_at", "updated_at", "status_since", "expires_at"):
        assert TIME.fullmatch(pending[name]), name


@pytest.mark.parametrize("status", ["Nonsense", "pending", ""])
def test_a_status_that_there_is_not_is_answered_with_those_that_there_are(staff: FlaskClient, status: str) -> None:
    answer = staff.get("/api/v1/jobs", query_string={"status": status})
    assert answer.status_code == 422 and "ReadyToPrint" in json_of(answer)["message"]


def test_slices_join_without_gap_or_double(staff: FlaskClient, make: MakeJob) -> None:
    ids = [make(ago=timedelta(days=n + 1)).id for n in range(5)]
    listed = [job["id"] for job in json_of(staff.get("/api/v1/jobs?limit=2"))["jobs"]]
    listed += [job["id"] for job in json_of(staff.get("/api/v1/jobs?limit=10&offset=2"))["jobs"]]
    assert listed == ids and json_of(staff.get("/api/v1/jobs?limit=2"))["total"] == 5


@pytest.mark.parametrize("query", [f"offset={10**30}", f"limit={10**30}", f"offset={2**63}", "offset=999"])
def test_enormous_limits_and_offsets_are_harmless(staff: FlaskClient, make: MakeJob, query: str) -> None:
    make()
    answer = staff.get(f"/api/v1/jobs?{query}")
    assert answer.status_code == 200 and json_of(answer)["total"] == 1


@pytest.mark.parametrize("status", list(Status))
def test_a_job_in_any_status_is_its_metadata_json(staff: FlaskClient, make: MakeJob, status: Status) -> None:
    stored = make(status)
    answer = staff.get(f"/api/v1/jobs/{stored.id}")
    on_disk = json.loads((stored.folder / "metadata.json").read_bytes())
    document = {name: value for name, value in json_of(answer)["job"].items() if value is not None}
    assert document.keys() == {name for name, value in on_disk.items() if value is not None}
    assert (document["status"], document["revision"]) == (status.value, on_disk["revision"])
    assert json_of(answer)["folder"] == f"{status.value}/{stored.folder.name}"
    assert json_of(answer)["problem"] is None and json_of(answer)["move_pending"] is None


def test_a_damaged_job_says_what_is_wrong_and_serves_its_last_good_state(staff: FlaskClient, make: MakeJob) -> None:
    stored = make()
    (stored.folder / "metadata.json").write_text("{ broken", "utf-8")
    answer = staff.get(f"/api/v1/jobs/{stored.id}")
    assert answer.status_code == 200 and json_of(answer)["job"]["id"] == stored.id
    assert "metadata.json" in json_of(answer)["problem"]


def test_a_job_that_the_mirror_does_not_know_is_read_from_its_folder(
    staff: FlaskClient, services: Services, make: MakeJob
) -> None:
    stored = make()
    with services.queries.engine.begin() as connection:
        connection.execute(sa.delete(jobs))
    assert mirrored_job(services.queries, stored.id) is None
    assert json_of(staff.get(f"/api/v1/jobs/{stored.id}"))["job"]["id"] == stored.id


@pytest.mark.parametrize("path", ["jobs/nosuchid", "jobs/nosuchid/events", "nothing", "jobs/"])
def test_what_is_not_there_is_404_as_json(staff: FlaskClient, path: str) -> None:
    answer = staff.get(f"/api/v1/{path}")
    assert answer.status_code == 404 and answer.is_json and json_of(answer)["message"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_the_api_only_reads(staff: FlaskClient, make: MakeJob, method: str) -> None:
    assert staff.open(f"/api/v1/jobs/{make().id}", method=method).status_code in (400, 405)


def test_an_offline_storage_is_said_as_json(staff: FlaskClient, services: Services) -> None:
    services.store.layout.root.rename(services.store.layout.root.with_name("elsewhere"))
    answer = staff.get("/api/v1/jobs/k7m29xq4")
    assert answer.status_code == 503 and answer.is_json and set(json_of(answer)) == {"error", "message"}


def test_the_health_is_public_and_names_no_secrets(client: FlaskClient, services: Services) -> None:
    heartbeat.write(services.settings, Heartbeat(datetime.now(UTC), 1, queue=0))
    heartbeat.write_indexer(services.settings, IndexerHeartbeat(datetime.now(UTC), 1))
    answer = client.get("/healthz")
    assert answer.status_code == 200 and json_of(answer)["status"] == "ok"
    body = answer.get_data(as_text=True)
    assert str(services.settings.storage) not in body and "postgres" not in body


def test_a_client_that_accepts_json_gets_errors_as_json(client: FlaskClient) -> None:
    answer = client.get("/status/forged", headers={"Accept": "application/json"})
    assert answer.status_code == 404 and json_of(answer)["error"] == "This link does not work"
