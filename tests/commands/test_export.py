"""`export`: the records as rows, exact, harmless in a spreadsheet, and silent about students unless asked."""

from __future__ import annotations

import csv
import io
import os
import subprocess
import sys
from argparse import ArgumentParser
from datetime import UTC, datetime
from pathlib import Path

import pytest

from printsys.commands import export as command
from printsys.domain.status import Status
from printsys.errors import PrintSysError, StorageOffline
from printsys.jobstore import JobStore
from printsys.reports.export import COLUMNS, STUDENT_COLUMNS
from tests.factories import Clock, act, make_job, make_store
from tests.manage import Manage

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def manage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Manage:
    return Manage(tmp_path, "postgresql+psycopg2://127.0.0.1:1/none", monkeypatch, capsys)


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_one_row_a_job_with_money_as_it_is_in_the_record(store: JobStore, manage: Manage) -> None:
    jobs = {make_job(store, status=status).id: status for status in Status}
    output = manage("export")
    rows = {row["id"]: row for row in table(output.out)}
    assert output.code == 0 and {job_id: row["status"] for job_id, row in rows.items()} == jobs
    for job_id, status in jobs.items():
        job, row = store.load(job_id).job, rows[job_id]
        assert row["cost"] == (format(job.estimate.cost, "f") if job.estimate else "")
        assert row["paid"] == ("4.27" if job.payment else "")
        assert bool(row["picked_up_at"]) == (status in (Status.PAID_PICKED_UP, Status.ARCHIVED))
        assert bool(row["rejected_at"]) == (status is Status.REJECTED)
    paid = next(row for row in rows.values() if row["status"] == "PaidPickedUp")
    assert (paid["weight_g"], paid["time_h"], paid["cost"], paid["copies"]) == ("42.7", "3.5", "4.27", "1")
    json_rows = {row["id"]: row for row in manage("export", "--json").json["jobs"]}
    assert {i: {n: "" if v is None else str(v) for n, v in row.items()} for i, row in json_rows.items()} == rows


@pytest.mark.skipif(os.name == "nt", reason="Windows has another error for it")
@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_reader_that_has_enough_is_no_mistake(store: JobStore, manage: Manage, options: list[str]) -> None:
    """As `export | head` does."""
    make_job(store)
    command = [sys.executable, str(ROOT / "manage.py"), "export", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 0


def test_a_request_that_its_student_withdrew_says_when(store: JobStore, manage: Manage) -> None:
    stored = act(store, make_job(store).id, "withdraw", actor="student")
    (row,) = manage("export", "--json").json["jobs"]
    assert (row["id"], row["status"]) == (stored.id, "Rejected") and row["rejected_at"]


def test_students_are_named_only_when_asked_for(store: JobStore, manage: Manage) -> None:
    stored = make_job(
        store, name="Zelda Quux", email="zelda@example.edu", message="For my sister Ida", status=Status.COMPLETED
    )
    act(store, stored.id, "pickup", picked_up_by="Zelda Quux", transaction="card 4711")
    act(store, stored.id, "notes", notes="Zelda is in a hurry")
    private = ("Zelda", "zelda@", "Ida", "4711", "ZeldaQuux", "ARCH 4000")
    for kind in ("--csv", "--json"):
        assert not any(word in manage("export", kind).out for word in private)
        assert all(word in manage("export", kind, "--with-students").out for word in private)


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1+1", "@SUM(A1)", "\t=1", " =1", '=HYPERLINK("http://x","y")'])
def test_no_cell_is_a_formula(store: JobStore, manage: Manage, text: str) -> None:
    stored = make_job(store)
    act(store, stored.id, "notes", notes=text)
    notes = store.load(stored.id).job.notes
    assert table(manage("export", "--with-students").out)[0]["notes"] == f"'{notes}"
    assert manage("export", "--with-students", "--json").json["jobs"][0]["notes"] == notes


def test_numbers_and_ordinary_words_are_left_as_they_are(store: JobStore, manage: Manage) -> None:
    stored = make_job(store, name="Jane = Doe, “Jr.”", message="two\nlines")
    act(store, stored.id, "notes", notes="-12.50")
    row = table(manage("export", "--with-students").out)[0]
    assert (row["student_name"], row["message"], row["notes"]) == ("Jane = Doe, “Jr.”", "two\nlines", "-12.50")


def test_a_period_has_both_its_days_where_the_lab_is(tmp_path: Path, manage: Manage) -> None:
    def submitted(day: int, hour: int) -> str:
        return make_job(make_store(tmp_path, Clock(datetime(2026, 3, day, hour, 30, tzinfo=UTC)))).id

    before, first, last, after = (
        submitted(2, 5),  # still March 1 in Chicago
        submitted(2, 6),
        submitted(4, 5),
        submitted(4, 6),
    )

    def ids(*options: str) -> list[str]:
        return [row["id"] for row in table(manage("export", *options).out)]

    assert ids() == [before, first, last, after]
    assert ids("--from", "2026-03-02", "--to", "2026-03-03") == [first, last]
    assert ids("--to", "2026-03-01") == [before]
    assert ids("--from", "2026-03-04") == [after]
    assert ids("--from", "2026-03-01", "--by", "paid") == []


def test_a_file_for_a_spreadsheet_says_that_it_is_utf8(store: JobStore, manage: Manage, tmp_path: Path) -> None:
    make_job(store, name="José Ñandú")
    assert manage("export", "--with-students", "--output", str(tmp_path / "jobs.csv")).out == ""
    data = (tmp_path / "jobs.csv").read_bytes()
    assert data.startswith(b"\xef\xbb\xbfid,status,") and data.count(b"\r\n") == 2 and "José Ñandú".encode() in data
    with pytest.raises(PrintSysError, match="cannot be written"):
        manage("export", "--output", str(tmp_path / "no folder" / "jobs.csv"))


def test_a_job_that_cannot_be_read_is_named_and_hides_no_other(store: JobStore, manage: Manage) -> None:
    ruined, whole = make_job(store), make_job(store)
    for name in ("metadata.json", "events.jsonl"):
        (ruined.folder / name).write_bytes(f'{{"id": "{ruined.id}"}}\n'.encode())
    output = manage("export")
    assert output.code == 1 and [row["id"] for row in table(output.out)] == [whole.id]
    assert f"Job {ruined.id} is left out" in output.err


def test_an_empty_storage_gives_the_columns(store: JobStore, manage: Manage) -> None:
    assert manage("export").out == ",".join(COLUMNS) + "\n"


def test_what_cannot_be_is_said(
    store: JobStore, manage: Manage, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(PrintSysError, match=r"ends .* before it begins"):
        manage("export", "--from", "2026-03-02", "--to", "2026-03-01")
    with pytest.raises(SystemExit):
        manage("export", "--from", "March")
    assert "is no day; write it like" in capsys.readouterr().err
    manage.use(tmp_path / "nowhere")
    with pytest.raises(StorageOffline):
        manage("export")


def test_every_column_is_documented() -> None:
    text = (ROOT / "docs" / "export.md").read_text("utf-8")
    assert [name for name in (*COLUMNS, *STUDENT_COLUMNS) if f"| `{name}` |" not in text] == []


def test_help_explains(capsys: pytest.CaptureFixture[str]) -> None:
    parser = ArgumentParser(description=command.__doc__)
    command.add_arguments(parser)
    assert "Exit code 0" in " ".join(parser.format_help().split())
