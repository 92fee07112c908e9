"""`report`: the same numbers for the eye and for a program."""

from __future__ import annotations

from pathlib import Path

import pytest

from indexer.index import Mirror
from printsys.config import ROOT
from printsys.domain.status import Status
from printsys.errors import InvalidInput, MirrorDown, PrintSysError
from printsys.jobstore import JobStore
from tests.factories import make_job, sync
from tests.manage import Manage

MARCH = ("--from", "2026-03-01", "--to", "2026-03-31")


@pytest.fixture
def jobs(store: JobStore, mirror: Mirror) -> None:
    for status in Status:
        make_job(store, status=status)
    sync(store, mirror)


def test_the_json_has_the_numbers_of_the_text(jobs: None, manage: Manage) -> None:
    output = manage("report", *MARCH, "--json")
    totals = output.json["totals"]
    assert output.code == 0 and output.json["days"]["title"] == "Mar 2026"
    assert totals["submitted"] == 8 and totals["printed"] == 3 and totals["revenue"] == "8.54"
    assert {key: row["jobs"] for key, (row,) in output.json["usage"].items()} == dict.fromkeys(output.json["usage"], 3)
    assert [(row["method"], row["total"]) for row in output.json["money"]] == [("Card", "8.54")]
    text = manage("report", *MARCH).out
    lines = {line.split("  ")[1].strip(): line.split() for line in text.splitlines() if line.startswith("  ")}
    assert lines["Submitted"][-2:] == ["8", "0"] and lines["Revenue"][-2:] == ["$8.54", "$0.00"]
    assert "Prusa MK4S" in text and "Walls or details too thin" in text


def test_a_month_without_jobs_has_no_tables(jobs: None, manage: Manage) -> None:
    output = manage("report", "--range", "this-month")
    assert output.code == 0 and "Submitted" in output.out and "Rejections" not in output.out


def test_a_term_of_lab_toml_is_a_range(
    jobs: None, manage: Manage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    terms = '\n[[terms]]\nname = "Spring 2026"\nfirst = 2026-01-12\nlast = 2026-05-08\n'
    (tmp_path / "lab.toml").write_text((ROOT / "lab.toml").read_text("utf-8") + terms, "utf-8")
    monkeypatch.setenv("LAB_CONFIG", str(tmp_path / "lab.toml"))
    output = manage("report", "--range", "Spring 2026", "--by", "term", "--json")
    assert [part["days"]["title"] for part in output.json["parts"]] == ["Spring 2026"]
    assert output.json["totals"]["submitted"] == 8


@pytest.mark.parametrize(
    "options", [("--range", "the-day-after"), ("--range", "this-week", *MARCH), ("--to", "2026-03-01")]
)
def test_a_range_that_is_none_is_refused(store: JobStore, manage: Manage, options: tuple[str, ...]) -> None:
    with pytest.raises(PrintSysError):
        manage("report", *options)


def test_a_report_of_folders_that_nobody_read_is_refused(store: JobStore, mirror: Mirror, manage: Manage) -> None:
    make_job(store)
    with pytest.raises(PrintSysError, match="were not read yet"):
        manage("report", *MARCH)
    sync(store, mirror)
    assert manage("report", *MARCH).code == 0


def test_without_a_database_there_is_no_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    manage = Manage(tmp_path, "postgresql+psycopg2://127.0.0.1:1/none", monkeypatch, capsys)
    with pytest.raises(MirrorDown):
        manage("report", *MARCH)


def test_a_range_that_ends_before_it_begins_is_refused(store: JobStore, manage: Manage) -> None:
    with pytest.raises(InvalidInput, match="ends before"):
        manage("report", "--from", "2026-03-02", "--to", "2026-03-01")
