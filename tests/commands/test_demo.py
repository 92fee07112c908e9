"""The demo is a lab as it could be: made by the real actions, whole by every check, and never in anybody's way."""

from __future__ import annotations

import argparse
import io
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trimesh

from indexer.check import check_storage
from indexer.queries import Queries
from printsys import demo
from printsys.commands import demo as command
from printsys.config import ROOT, MailServer, Settings
from printsys.demo.crowd import crowd
from printsys.domain import emails
from printsys.domain.events import EventType
from printsys.domain.status import Status
from printsys.errors import PrintSysError
from printsys.jobstore import Stored
from printsys.models3d.samples import SAMPLES, sample
from printsys.models3d.sniff import check_model
from printsys.services import Services, build_services


def settings_in(place: Path) -> Settings:
    return Settings(
        storage=place / "storage",
        instance=place / "instance",
        lab_config=ROOT / "lab.toml",
        secret_key="the secret of these tests",
    )


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Of a storage that is empty still."""
    return settings_in(tmp_path)


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Services:
    """With the demo in it, to be looked at."""
    services = build_services(settings_in(tmp_path_factory.mktemp("demo")), enqueue=lambda job_id: None)
    demo.fill(services)
    return services


@pytest.fixture(scope="module")
def jobs(services: Services) -> list[Stored]:
    return [services.store.load(job_id) for job_id, _ in services.store.ids()]


def types(stored: Stored) -> list[str]:
    return [event.type for event in stored.events]


def test_a_dozen_jobs_fill_every_status(jobs: list[Stored]) -> None:
    assert len(jobs) == 12
    assert {stored.job.status for stored in jobs} == set(Status)
    assert all(stored.folder_status == stored.job.status for stored in jobs)


def test_the_jobs_are_lively(jobs: list[Stored], services: Services) -> None:
    now = datetime.now(UTC)
    assert any(not stored.job.student.name.isascii() for stored in jobs)
    assert len({stored.job.request.color for stored in jobs}) >= 8
    assert len({stored.job.request.printer for stored in jobs}) == len(services.lab.printers)
    assert [s.job.status for s in jobs if s.job.request.method == "Resin"] == [Status.COMPLETED]
    assert any(sum(file.role == "original" for file in stored.job.files) == 2 for stored in jobs)
    assert any(stored.job.notes for stored in jobs)
    assert any(EventType.PRINT_FAILED in types(stored) for stored in jobs)
    uploaded = [stored for stored in jobs if stored.job.status == Status.UPLOADED]
    assert {stored.job.reviewed_at is None for stored in uploaded} == {True, False}
    deadlines = [s.job.confirmation.expires_at for s in jobs if s.job.status == Status.PENDING and s.job.confirmation]
    assert sorted(deadline is not None and deadline > now for deadline in deadlines) == [False, True]
    (rejected,) = [stored for stored in jobs if stored.job.status == Status.REJECTED]
    assert rejected.job.rejection is not None
    assert len(rejected.job.rejection.reasons) == 2


def test_it_happened_in_the_past_fortnight_one_thing_after_the_other(jobs: list[Stored]) -> None:
    now = datetime.now(UTC)
    for stored in jobs:
        times = [event.at for event in stored.events]
        assert times == sorted(times)
        assert now - timedelta(days=15) < times[0]
        assert times[-1] <= now


def test_nobody_real_is_in_it(jobs: list[Stored]) -> None:
    for stored in jobs:
        assert stored.job.student.email is not None
        assert stored.job.student.email.endswith("@example.edu")


def test_slicers_have_left_their_files(jobs: list[Stored]) -> None:
    sliced = [stored for stored in jobs if list(stored.folder.glob("*.gcode"))]
    assert len(sliced) >= 3
    chosen = [stored for stored in sliced if stored.job.print_files]
    for stored in chosen:
        assert all(name.endswith(".gcode") for name in stored.job.print_files)
        assert EventType.FILE_ADDED in types(stored)
        text = (stored.folder / stored.job.print_files[0]).read_text("utf-8")
        assert stored.job.estimate is not None
        assert f"; filament used [g] = {stored.job.estimate.weight_g:.2f}" in text
    assert [path for stored in jobs for path in stored.folder.glob("*.tmp")] == []


def test_every_check_finds_it_whole(services: Services, jobs: list[Stored]) -> None:
    assert check_storage(services.store, deep=True) == []


def test_the_mirror_has_it_at_once(settings: Settings, database_url: str, queries: Queries) -> None:
    services = build_services(settings.model_copy(update={"database_url": database_url}), enqueue=lambda job_id: None)
    demo.fill(services)
    assert sum(queries.counts().values()) == 12


def test_its_mail_is_owed_to_the_outbox(jobs: list[Stored]) -> None:
    assert any(emails.owed(stored.events, stored.id) for stored in jobs)


def test_a_real_mail_server_gets_nothing_of_it(settings: Settings) -> None:
    server = MailServer(host="mail.example.edu")
    services = build_services(settings.model_copy(update={"mail": server}), enqueue=lambda job_id: None)
    for stored in demo.fill(services):
        assert emails.owed(stored.events, stored.id) == []


@pytest.mark.parametrize(
    "changes",
    [
        {'"Art"': '"Kunst"', '"True Red"': '"Rot"', "prusa-mk4s": "drucker-1", '"Card"': '"Bar"'},
        {
            "valid_days = 7": "valid_days = 2",
            "confirm_after_days = 3": "confirm_after_days = 1",
            "max_copies = 20": "max_copies = 1",
            "max_files = 5": "max_files = 1",
        },
        {'unit = "g"': 'unit = "ml"', "staff = []": 'staff = ["Sam"]', 'id = "too-thin"': 'id = "thin"'},
        {'[".stl", ".obj", ".3mf"]': '[".obj"]'},
    ],
    ids=["names", "numbers", "units", "kinds"],
)
def test_a_lab_with_other_facts_can_be_filled_too(changes: dict[str, str], settings: Settings, tmp_path: Path) -> None:
    text = settings.lab_config.read_text("utf-8")
    for ours, theirs in changes.items():
        assert ours in text
        text = text.replace(ours, theirs)
    (tmp_path / "lab.toml").write_text(text, "utf-8")
    services = build_services(
        settings.model_copy(update={"lab_config": tmp_path / "lab.toml"}), enqueue=lambda job_id: None
    )
    jobs = demo.fill(services)
    assert len(jobs) == 12
    assert {stored.job.status for stored in jobs} == set(Status)
    sent = [file.name for stored in jobs for file in stored.job.files]
    assert all(name.endswith((*services.lab.submission.extensions, ".gcode")) for name in sent)


def test_what_was_paid_is_what_was_agreed(jobs: list[Stored]) -> None:
    paid = [stored.job for stored in jobs if stored.job.payment is not None]
    assert len(paid) == 2
    for job in paid:
        assert job.payment is not None
        assert job.estimate is not None
        assert job.payment.amount == job.estimate.cost


# -- the command ----------------------------------------------------------------------------------------------------


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRINTSYS_STORAGE", str(tmp_path / "storage"))
    monkeypatch.setenv("PRINTSYS_INSTANCE", str(tmp_path / "instance"))
    monkeypatch.delenv("DATABASE_URL", raising=False)


def call(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.run(parser.parse_args(arguments))


@pytest.mark.usefixtures("environment")
def test_the_command_fills_an_empty_storage_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("--only-if-empty") == 0
    assert "12 jobs" in capsys.readouterr().out
    assert call("--only-if-empty") == 0
    assert capsys.readouterr().out == ""
    with pytest.raises(PrintSysError, match=r"There are jobs in .* already"):
        call()


def test_a_busy_month_has_each_status_in_its_share(settings: Settings) -> None:
    services = build_services(settings, enqueue=lambda job_id: None)
    jobs = demo.fill(services, crowd(60, services.lab))
    assert len(jobs) == 60
    assert {stored.job.status for stored in jobs} == set(Status)
    uploaded = [stored for stored in jobs if stored.job.status == Status.UPLOADED]
    assert 0 < sum(any(stored.folder.glob("*.gcode")) for stored in uploaded) < len(uploaded)
    students = Counter(stored.job.student.email for stored in jobs if stored.job.status == Status.COMPLETED)
    assert max(students.values()) > 1, "somebody has several jobs to collect"
    for stored in jobs:
        times = [event.at for event in stored.events]
        assert times == sorted(times)
    assert check_storage(services.store, deep=True) == []


def test_a_busy_month_is_the_same_one_each_time(settings: Settings) -> None:
    lab = build_services(settings, enqueue=lambda job_id: None).lab
    assert list(crowd(20, lab)) == list(crowd(20, lab))


@pytest.mark.usefixtures("environment")
def test_students_of_a_busy_month_can_send_given_models(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    models = tmp_path / "models"
    models.mkdir()
    (models / "gear.stl").write_bytes(sample("gear", "stl"))
    (models / "readme.txt").write_text("no model", "utf-8")
    assert call("--jobs", "3", "--models", str(models)) == 0
    assert "3 jobs" in capsys.readouterr().out
    sent = {path.read_bytes() for path in (tmp_path / "storage").glob("*/*_*/*.stl")}
    assert sent == {(models / "gear.stl").read_bytes()}


@pytest.mark.parametrize("count", ["0", "-1", "many", "10001"])
def test_a_number_of_jobs_that_is_none_has_a_sentence(count: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        call("--jobs", count)
    assert "a number from 1 to 10000, please" in capsys.readouterr().err


# -- the models -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("kind", ["stl", "obj", "3mf"])
def test_each_sample_is_a_closed_body_of_a_printable_size(name: str, kind: str) -> None:
    data = sample(name, kind)
    check_model(f"{name}.{kind}", io.BytesIO(data), 5_000_000, [f".{kind}"])
    mesh = trimesh.load(io.BytesIO(data), file_type=kind, force="mesh")
    assert isinstance(mesh, trimesh.Trimesh)
    assert mesh.is_watertight
    assert mesh.is_winding_consistent
    assert 1_000 < mesh.volume < 200_000, "in mm³"
    assert all(1 < side < 145 for side in mesh.extents)
