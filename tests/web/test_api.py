"""JSON for scripts."""

from __future__ import annotations

import json

import pytest
from flask.testing import FlaskClient

from printsys.domain.job import Status
from printsys.jobstore.jsontext import decode


def test_scripts_without_a_session_get_401_as_json(client: FlaskClient, make) -> None:
    job = make()
    for path in ("/api/v1/jobs", f"/api/v1/jobs/{job.id}", f"/api/v1/jobs/{job.id}/events"):
        answer = client.get(path)
        assert answer.status_code == 401 and answer.is_json and "Jane" not in answer.get_data(as_text=True)


def test_jobs_are_listed_by_status_and_search_and_in_slices(staff: FlaskClient, make) -> None:
    made = [make(name=f"Student {n}") for n in range(3)]
    make(Status.PRINTING, name="Somebody Else")
    answer = staff.get("/api/v1/jobs?status=Uploaded").json
    assert answer["total"] == 3 and {job["id"] for job in answer["jobs"]} == {job.id for job in made}
    assert staff.get("/api/v1/jobs?q=somebody").json["jobs"][0]["student_name"] == "Somebody Else"
    slices = [staff.get(f"/api/v1/jobs?limit=1&offset={n}").json["jobs"][0]["id"] for n in range(4)]
    assert len(set(slices)) == 4


@pytest.mark.parametrize(("limit", "offset"), [("0", "-5"), ("99999", "0"), ("x", "y")])
def test_odd_slices_are_put_right(staff: FlaskClient, make, limit: str, offset: str) -> None:
    make()
    answer = staff.get(f"/api/v1/jobs?limit={limit}&offset={offset}")
    assert answer.status_code == 200 and len(answer.json["jobs"]) == 1


def test_a_status_that_there_is_not_is_said(staff: FlaskClient) -> None:
    answer = staff.get("/api/v1/jobs?status=Lost")
    assert answer.status_code == 422 and "There is no status Lost" in answer.json["message"]


def test_numbers_are_text_and_times_end_in_z(staff: FlaskClient, make) -> None:
    make(Status.COMPLETED)
    (job,) = staff.get("/api/v1/jobs").json["jobs"]
    assert (job["cost"], job["weight_g"], job["status"]) == ("4.27", "42.7", "Completed")
    assert job["status_since"].endswith("Z")


def test_one_job_is_its_metadata_and_its_log_as_they_lie_on_disk(staff: FlaskClient, make) -> None:
    job = make(Status.PENDING)
    answer = staff.get(f"/api/v1/jobs/{job.id}").json
    on_disk = json.loads((job.folder / "metadata.json").read_text("utf-8"))
    assert {name: value for name, value in on_disk.items() if value is not None}.items() <= answer["job"].items()
    assert answer["folder"] == f"Pending/{job.folder.name}" and answer["problem"] is None
    lines = (job.folder / "events.jsonl").read_bytes().splitlines()
    assert staff.get(f"/api/v1/jobs/{job.id}/events").json["events"] == [decode(line) for line in lines]


def test_no_such_job_is_a_404_in_json(staff: FlaskClient) -> None:
    answer = staff.get("/api/v1/jobs/aaaaaaaa")
    assert answer.status_code == 404 and answer.is_json
