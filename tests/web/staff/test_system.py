"""The page System: what staff do there without a terminal, and what asks for the password again."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from indexer.index import Mirror
from indexer.queries import Queries
from indexer.schema import create_engine
from printsys.credentials import staff_password
from printsys.ops import heartbeat
from printsys.ops.backup_record import BackupRecord, BackupRun, RehearsalRun, under_way, write_record
from printsys.ops.command_runs import CommandRuns
from printsys.ops.heartbeat import Heartbeat, IndexerHeartbeat
from printsys.ops.restart_requests import RestartRequests
from printsys.ops.shutdown import SUPERVISED
from printsys.ops.upgrade_check import UpgradeCheck, forget_check, write_check
from printsys.services import NO_DATABASE, Services
from printsys.web import create_app
from printsys.web.staff import system
from tests.factories import make_job, sync
from tests.present import present
from tests.waiting import until
from tests.web.conftest import STAFF_PASSWORD, MakeJob, PastStore, form_token

Send = Callable[..., TestResponse]
COMMAND_PATIENCE_S = 60


def words(page: TestResponse) -> str:
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.get_data(as_text=True))))


@pytest.fixture
def services(services: Services, tmp_path: Path) -> Services:
    """With a folder for backups."""
    return replace(services, settings=services.settings.model_copy(update={"backup": tmp_path / "backups"}))


@pytest.fixture
def send(staff: FlaskClient) -> Send:
    """A form of the page, with the right password unless a test has another."""

    def post(name: str, **fields: str) -> TestResponse:
        values = {"csrf_token": form_token(staff, "/logout"), "password": STAFF_PASSWORD} | fields
        return staff.post(f"/dashboard/system/{name}", data=values)

    return post


@pytest.fixture
def runs(app: Flask) -> Iterator[CommandRuns]:
    runs: CommandRuns = app.extensions[system.EXTENSION]
    yield runs
    runs.stop()


def test_it_says_of_each_part_whether_it_runs_and_when_it_was_last_seen(staff: FlaskClient, services: Services) -> None:
    page = words(staff.get("/dashboard/system"))
    assert "The worker sends e-mails and reads files down" in page and "The database" in page
    seen = datetime.now(UTC) - timedelta(seconds=3)
    heartbeat.write(services.settings, Heartbeat(seen, 1, queue=0))
    heartbeat.write_indexer(services.settings, IndexerHeartbeat(seen, 2, problem="A <broken> share."))
    answer = staff.get("/dashboard/system")
    page = words(answer)
    assert "The worker sends e-mails and reads files runs seen just now" in page
    assert "The indexer A <broken> share. failing seen just now" in page, "as it is for /healthz"
    assert re.search(r"PostgreSQL \d+", page) and "Python 3." in page
    assert STAFF_PASSWORD not in answer.get_data(as_text=True)


def test_it_says_of_the_backups_what_the_record_does_and_attention_says_what_is_wrong(
    staff: FlaskClient, services: Services
) -> None:
    now, place = datetime.now(UTC), str(services.settings.backup)
    good = BackupRun(now - timedelta(hours=3), place, now, "a", 12, 90, 2_345_000_000, 70_000, is_verified=True)
    rehearsal = RehearsalRun(now - timedelta(days=9), now, "a", jobs=11)
    with under_way(services.settings):
        write_record(services.settings, BackupRecord(good, good, now, 0, rehearsal, rehearsal))
    page = words(staff.get("/dashboard/system"))
    assert (
        "12 jobs, 2.3 GB" in page
        and "70 KB, read back" in page
        and "each day after 6:00 pm" in page
        and "11 jobs came back whole" in page
    )
    assert "See to the backups" not in words(staff.get("/dashboard/attention"))
    failed = BackupRun(now, place, now, error="The <disk> is full.")
    with under_way(services.settings):
        write_record(services.settings, BackupRecord(failed, good))
    sentence = "failed: The <disk> is full. The last good one was made 3 h ago."
    attention = words(staff.get("/dashboard/attention"))
    assert "See to the backups 1" in attention and sentence in attention and "Attention 1 open" in attention
    assert sentence in words(staff.get("/dashboard/system"))
    (item,) = staff.get("/api/v1/attention").get_json()["attention"]
    assert (item["kind"], item["fixes"]) == ("backup-failed", []) and sentence in item["sentence"]


def test_it_says_what_runs_since_when_and_how_long_the_disk_lasts(
    staff: FlaskClient, services: Services, past_store: PastStore
) -> None:
    page = words(staff.get("/dashboard/system"))
    assert "The worker's queue not known" in page and "All folders compared not known" in page
    assert "Disk of the storage lasts not known" in page
    sync(services.store, services.mirror)
    assert "Disk of the storage lasts unknown: too few weeks with jobs" in words(staff.get("/dashboard/system"))
    for weeks in range(1, 6):
        make_job(past_store(timedelta(weeks=weeks)), files=[("a.stl", b"solid" + b"x" * 9_995)])
    sync(services.store, services.mirror)
    heartbeat.write(services.settings, Heartbeat(datetime.now(UTC), 1, queue=1))
    heartbeat.write_indexer(services.settings, IndexerHeartbeat(datetime.now(UTC), 2))
    page = words(staff.get("/dashboard/system"))
    assert "The worker's queue 1 task waits" in page and "the system reports them" in page
    assert re.search(r"All folders compared \w+, \w+ \d+, 20\d\d", page) and "Up since" in page
    assert re.search(r"Disk of the storage lasts (about [\d,]+ weeks|more than 10 years), at 20 KB a week", page)
    assert re.search(r"This program ([0-9a-f]{10}|unknown)", page) and "Its tables 0" in page


def test_a_new_password_holds_at_once_and_only_this_browser_stays_logged_in(
    app: Flask, staff: FlaskClient, send: Send, services: Services
) -> None:
    other = app.test_client()
    other.post("/login", data={"csrf_token": form_token(other, "/login"), "password": STAFF_PASSWORD})
    assert send("password", chosen="a new long one", repeated="a new long one").status_code == 303
    assert "The staff password is changed." in words(staff.get("/dashboard/system"))
    assert other.get("/dashboard/system").status_code == 302
    assert staff_password.is_right("a new long one", staff_password.current_hash(services.settings))


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"password": "wrong"}, "That is not the staff password."),
        ({"chosen": "short", "repeated": "short"}, "Please use at least 8 characters"),
        ({"repeated": "another long one"}, "The two were not the same"),
    ],
)
def test_a_password_is_changed_only_by_who_knows_it_and_to_a_good_one(
    send: Send, services: Services, fields: dict[str, str], why: str
) -> None:
    answer = send("password", **{"chosen": "a new long one", "repeated": "a new long one"} | fields)
    assert answer.status_code == 422 and why in words(answer)
    assert "a new long one" not in answer.get_data(as_text=True)
    assert staff_password.is_right(STAFF_PASSWORD, staff_password.current_hash(services.settings))


def test_a_wrong_password_counts_as_at_the_login(staff: FlaskClient, send: Send) -> None:
    answers = [send("test-mail", password="wrong", address="a@example.edu").status_code for _ in range(11)]
    assert answers == [422] * 10 + [429]
    assert send("backup").status_code == 429, "the right one, too, for a minute"
    assert "Somebody is guessing the staff password" in words(staff.get("/dashboard/system"))


def test_one_that_env_gives_is_not_changed_here(services: Services) -> None:
    given = services.settings.model_copy(update={"staff_password_hash": staff_password.current_hash(services.settings)})
    client = create_app(replace(services, settings=given)).test_client()
    client.post("/login", data={"csrf_token": form_token(client, "/login"), "password": STAFF_PASSWORD})
    assert "and is changed there" in words(client.get("/dashboard/system"))
    token = form_token(client, "/logout")
    fields = {"csrf_token": token, "password": STAFF_PASSWORD, "chosen": "a new long one", "repeated": "a new long one"}
    answer = client.post("/dashboard/system/password", data=fields)
    assert answer.status_code == 422 and staff_password.is_right(
        STAFF_PASSWORD, (services.settings.instance / "staff-password-hash").read_text("ascii").strip()
    )


def test_a_test_mail_goes_out_and_a_wrong_address_is_named(staff: FlaskClient, send: Send, services: Services) -> None:
    assert send("test-mail", address="sam@example.edu").status_code == 303
    assert "The test e-mail was" in words(staff.get("/dashboard/system"))
    (mail,) = (services.settings.instance / "outbox").glob("*.eml")
    assert b"To: sam@example.edu" in mail.read_bytes()
    answer = send("test-mail", address="no address")
    assert answer.status_code == 422 and 'value="no address"' in answer.get_data(as_text=True)


def test_check_and_backup_run_as_the_commands_and_their_reports_stay(
    staff: FlaskClient, send: Send, make: MakeJob, services: Services, runs: CommandRuns, tmp_path: Path
) -> None:
    job = make()
    (job.folder / "original" / "bracket v2.stl").unlink()
    assert send("check", password="").location == "/dashboard/system#check"
    assert send("backup").status_code == 303
    assert "It runs already." in words(staff.get(send("backup").location)) or not runs.is_running("backup")
    until(lambda: not runs.is_running("check") and not runs.is_running("backup"), COMMAND_PATIENCE_S)
    assert (present(runs.last("check")).code, present(runs.last("backup")).code) == (1, 0)
    page = words(staff.get("/dashboard/system"))
    assert "Something was found." in page and "bracket v2.stl" in page
    assert "The backup is complete." in page and "1 job," in page and list((tmp_path / "backups").iterdir())


def never_ends(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Whatever a page starts, until something stops it."""
    (folder / "manage.py").write_text("import threading; threading.Event().wait()", "utf-8")
    monkeypatch.setattr("printsys.ops.command_runs.ROOT", folder)


def test_a_check_that_somebody_interrupts_says_so(
    staff: FlaskClient, send: Send, runs: CommandRuns, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    never_ends(monkeypatch, tmp_path)
    send("check")
    runs.stop()
    until(lambda: not runs.is_running("check"))
    assert "was interrupted" in words(staff.get("/dashboard/system"))
    assert present(runs.last("check")).code is None


def test_a_newer_version_is_shown_as_the_last_question_found_it(staff: FlaskClient, services: Services) -> None:
    instance = services.settings.instance
    assert "Nobody has asked yet." in words(staff.get("/dashboard/system"))
    write_check(instance, UpgradeCheck(datetime.now(UTC), "v1", "v2-<b>", 3))
    page = words(staff.get("/dashboard/system"))
    assert "Update available: v2-<b> , 3 changes after v1 , which is here." in page
    assert "python manage.py upgrade" in page
    write_check(instance, UpgradeCheck(datetime.now(UTC), "v2", "v2", 0))
    assert "This is v2 , and nothing newer was there." in words(staff.get("/dashboard/system"))
    forget_check(instance)
    assert "Nobody has asked yet." in words(staff.get("/dashboard/system"))


def test_a_question_that_could_not_be_asked_says_why(
    staff: FlaskClient, send: Send, runs: CommandRuns, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without git on PATH nobody asks the network here."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert send("upgrade-check", password="").location == "/dashboard/system#upgrade-check"
    until(lambda: not runs.is_running("upgrade-check"), COMMAND_PATIENCE_S)
    assert "could not be asked." in words(staff.get("/dashboard/system"))


def test_without_a_folder_for_backups_it_says_where_to_name_one(services: Services) -> None:
    bare = replace(services, settings=services.settings.model_copy(update={"backup": None}))
    client = create_app(bare).test_client()
    client.post("/login", data={"csrf_token": form_token(client, "/login"), "password": STAFF_PASSWORD})
    assert "PRINTSYS_BACKUP" in words(client.get("/dashboard/system"))
    fields = {"csrf_token": form_token(client, "/logout"), "password": STAFF_PASSWORD}
    assert client.post("/dashboard/system/backup", data=fields).status_code == 422


def test_a_part_is_started_again_by_who_knows_the_password(
    send: Send, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SUPERVISED, "1")
    assert send("restart", part="index", password="wrong").status_code == 422
    assert send("restart", part="postgres").status_code == 422
    assert send("restart", part="../x").status_code == 422
    assert RestartRequests(services.settings.instance).take() == []
    assert send("restart", part="index").status_code == 303
    pages = send("restart", part="web")
    assert pages.status_code == 200 and 'href="/dashboard/system"' in pages.get_data(as_text=True), (
        "no redirect to nobody"
    )
    assert RestartRequests(services.settings.instance).take() == ["index", "web"]
    assert RestartRequests(services.settings.instance).take() == []


def test_nothing_is_started_again_that_could_not_start(
    send: Send, services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SUPERVISED, "1")
    spoiled = tmp_path / "lab.toml"
    spoiled.write_text(services.settings.lab_config.read_text("utf-8") + "\n[nonsense]\n", "utf-8")
    services.settings.__dict__["lab_config"] = spoiled
    answer = send("restart", part="web")
    assert answer.status_code == 422 and "nonsense" in words(answer)
    assert RestartRequests(services.settings.instance).take() == []


def test_parts_that_nobody_supervises_are_started_where_they_run(
    staff: FlaskClient, send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(SUPERVISED, raising=False)
    assert "without manage.py run" in words(staff.get("/dashboard/system"))
    assert send("restart", part="index").status_code == 422


def test_without_the_database_or_the_storage_it_says_so(services: Services) -> None:
    engine = create_engine(NO_DATABASE)
    dark = replace(services, mirror=Mirror(engine), queries=Queries(engine))
    client = create_app(dark).test_client()
    client.post("/login", data={"csrf_token": form_token(client, "/login"), "password": STAFF_PASSWORD})
    services.store.layout.root.rename(services.store.layout.root.with_name("unmounted"))
    page = words(client.get("/dashboard/system"))
    assert "the folders can rebuild it down" in page and "PostgreSQL not available" in page
    assert f"The storage {services.settings.storage} offline" in page
    engine.dispose()


def test_what_this_computer_refuses_is_said_in_words_and_logged(
    send: Send, services: Services, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(SUPERVISED, "1")
    instance = services.settings.instance
    for name in ("commands", "restart"):
        (instance / name).write_text("no folder", "utf-8")
    (instance / ".staff-password-hash.printsys-tmp").mkdir()
    chosen = {"chosen": "a new long one", "repeated": "a new long one"}
    for answer, task in (
        (send("check"), "begin that"),
        (send("restart", part="index"), "start that part again"),
        (send("password", **chosen), "store the new password"),
    ):
        assert answer.status_code == 503 and f"This computer could not {task}: " in words(answer)
        assert f"this computer could not {task}: " in caplog.text
    assert staff_password.is_right(STAFF_PASSWORD, staff_password.current_hash(services.settings))


def test_without_room_for_a_process_the_last_result_stays(
    staff: FlaskClient, send: Send, services: Services, runs: CommandRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = services.settings.instance / "commands" / "check.json"
    result.parent.mkdir()
    result.write_text('{"started_at": "2026-01-05T09:00:00Z", "ended_at": "2026-01-05T09:01:00Z", "code": 0}', "utf-8")
    before = present(runs.last("check"))
    monkeypatch.setattr("sys.executable", str(services.settings.instance / "no-python"))
    assert send("check").status_code == 503
    assert runs.last("check") == before and not runs.is_running("check")
