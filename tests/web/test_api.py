"""What scripts read is what lies on disk, and the search of the dashboard. (Odd requests: test_api_json.py.)"""

from __future__ import annotations

from flask.testing import FlaskClient

from printsys.domain.status import Status
from printsys.jobstore.jsontext import decode
from tests.web.conftest import MakeJob, json_of


def test_jobs_are_listed_by_status_and_by_search(staff: FlaskClient, make: MakeJob) -> None:
    jobs = [make(name=f"Student {n}") for n in range(3)]
    make(Status.PRINTING, name="Somebody Else")
    answer = json_of(staff.get("/api/v1/jobs?status=Uploaded"))
    assert answer["total"] == 3 and {job["id"] for job in answer["jobs"]} == {job.id for job in jobs}
    results = json_of(staff.get("/api/v1/jobs?q=somebody"))
    assert (results["total"], results["jobs"][0]["student_name"]) == (1, "Somebody Else")


def test_a_jobs_events_are_its_log_line_by_line(staff: FlaskClient, make: MakeJob) -> None:
    job = make(Status.PENDING)
    lines = (job.folder / "events.jsonl").read_bytes().splitlines()
    assert json_of(staff.get(f"/api/v1/jobs/{job.id}/events"))["events"] == [decode(line) for line in lines]
