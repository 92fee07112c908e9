"""The page Retention: what is due is listed, and that list is carried out, by the commands and never by accident."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partialmethod
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from indexer.index import Mirror
from indexer.queries import Queries
from indexer.schema import create_engine
from printsys.actions.archiving import kept_long_enough
from printsys.actions.due_jobs import Task, due_before, due_list, write_list
from printsys.actions.pruning import prunable, prune
from printsys.config import Lab
from printsys.domain.status import Status, in_words
from printsys.jobstore import Stored
from printsys.jobstore.pruned import pruned_jobs
from printsys.ops.backup_record import under_way, write_record
from printsys.ops.command_runs import CommandRuns
from printsys.services import NO_DATABASE, Services
from printsys.web import create_app
from printsys.web.staff import system
from printsys.web.staff.due_lists import DueLists
from tests.factories import act
from tests.present import present
from tests.waiting import until
from tests.web.conftest import STAFF_PASSWORD, MakeJob, PastStore, form_token, hidden_value
from tests.web.staff.test_system import COMMAND_PATIENCE_S, never_ends, words

PAGE = "/dashboard/system/retention"
LONG_AGO = timedelta(days=400)
Send = Callable[..., TestResponse]
Key = Callable[[Task], str]


def with_retention(lab: Lab, **changed: int) -> Lab:
    return lab.model_copy(update={"retention": lab.retention.model_copy(update=changed)})


@pytest.fixture
def services(services: Services) -> Services:
    """A lab that prunes, whose staff have names."""
    lab = with_retention(services.lab, prune_days=365)
    return replace(services, lab=lab.model_copy(update={"about": lab.about.model_copy(update={"staff": ["Sam"]})}))


@pytest.fixture
def staff(app: Flask) -> FlaskClient:
    return logged_in(app)


def logged_in(app: Flask) -> FlaskClient:
    client = app.test_client()
    form = {"csrf_token": form_token(client, "/login"), "password": STAFF_PASSWORD, "who": "Sam"}
    assert client.post("/login", data=form).status_code == 303
    return client


@pytest.fixture
def runs(app: Flask) -> Iterator[CommandRuns]:
    runs: CommandRuns = app.extensions[system.EXTENSION]
    yield runs
    runs.stop()


@pytest.fixture
def send(staff: FlaskClient, runs: CommandRuns) -> Send:
    """A form of the page; returns when what it began has ended."""

    def post(name: str, **fields: str) -> TestResponse:
        answer = staff.post(f"{PAGE}/{name}", data={"csrf_token": form_token(staff, "/logout")} | fields)
        until(
            lambda: not any(map(runs.is_running, ("archive", "archive-list", "prune", "prune-list"))),
            COMMAND_PATIENCE_S,
        )
        return answer

    return post


@pytest.fixture
def key(services: Services) -> Key:
    """Lists what is due, as the command does, without a process of its own."""

    def listed(task: Task) -> str:
        retention, now = services.lab.retention, datetime.now(UTC)
        skipped: list[tuple[str, str]] = []
        if task == "archive":
            days, jobs = (
                retention.days,
                list(kept_long_enough(services.store, due_before(now, retention.days), skipped)),
            )
        else:
            days, jobs = (
                retention.prune_days,
                list(prunable(services.store, due_before(now, retention.prune_days), skipped)),
            )
        path = DueLists(services.settings).new(task)
        write_list(path, due_list(task, now, days, jobs, skipped))
        return path.stem.removeprefix(f"{task}-")

    return listed


def key_on(page: TestResponse, task: Task) -> str:
    html = page.get_data(as_text=True)
    return hidden_value(html[html.index(f'id="{task}-list"') :], "list")


def archived(make: MakeJob, ago: timedelta = LONG_AGO) -> Stored:
    return make(Status.ARCHIVED, ago=ago)


def in_archive(services: Services) -> set[str]:
    return {job_id for job_id, _ in services.store.ids((Status.ARCHIVED,))}


def test_it_says_what_lab_toml_says_and_about_how_much_is_due(staff: FlaskClient, make: MakeJob) -> None:
    page = words(staff.get(PAGE))
    assert "90 days after it was picked up or rejected" in page and "365 days after it was archived" in page
    assert page.count("As far as the database knows, nothing is due.") == 2
    make(Status.REJECTED, ago=timedelta(days=91))
    archived(make)
    page = words(staff.get(PAGE))
    assert "1 job ended more than 90 days ago." in page
    assert "1 job went to the archive more than 365 days ago." in page
    assert f'href="{PAGE}"' in staff.get("/dashboard/system").get_data(as_text=True)


def test_what_is_due_is_listed_with_its_size_and_what_cannot_go_with_the_reason(
    staff: FlaskClient, send: Send, make: MakeJob, services: Services
) -> None:
    due, damaged = (make(Status.REJECTED, ago=timedelta(days=91)) for _ in range(2))
    make(Status.REJECTED, ago=timedelta(days=89))
    (damaged.folder / "events.jsonl").write_bytes(b"{}\n")
    size = sum(path.stat().st_size for path in due.folder.rglob("*") if path.is_file())
    send("list", task="archive")
    page = words(staff.get(PAGE))
    assert "Due to be archived 1 job All their files" in page and f"{size / 1000:.0f} KB" in page
    assert f"{due.job.student.name} {due.id} Rejected" in page
    reason = in_words(str(services.store.load(damaged.id).problem))
    assert "Cannot go now 1 job" in page and f"{damaged.job.student.name} {damaged.id} {reason}" in page
    assert "Archive 1 job" in page and "Look again" in page


def test_the_listed_jobs_are_archived_and_no_others(
    staff: FlaskClient,
    send: Send,
    make: MakeJob,
    services: Services,
    past_store: PastStore,
) -> None:
    listed, changed = (make(Status.PAID_PICKED_UP, ago=timedelta(days=91)) for _ in range(2))
    assert send("list", task="archive").location == f"{PAGE}#archive"
    list_key = key_on(staff.get(PAGE), "archive")
    later = make(Status.REJECTED, ago=timedelta(days=91))
    act(past_store(timedelta(days=1)), changed.id, "notes")
    assert send("archive", list=list_key).location == f"{PAGE}#archive"
    after = services.store.load(listed.id)
    assert after.job.status is Status.ARCHIVED and after.events[-1].actor == "staff:Sam"
    assert in_archive(services) == {listed.id} and services.store.load(later.id).job == later.job
    page = words(staff.get(PAGE))
    assert "Done, but some jobs stay." in page and "1 job is archived." in page and f"{changed.id} stays:" in page
    assert present(services.queries.job(listed.id)).job.status is Status.ARCHIVED
    assert send("archive", list=list_key).status_code == 409, "a list is for once"


def test_the_listed_jobs_are_pruned_and_no_others(
    staff: FlaskClient,
    send: Send,
    make: MakeJob,
    services: Services,
    past_store: PastStore,
) -> None:
    listed, changed = archived(make), archived(make)
    unpaid = make(Status.PAID_PICKED_UP, ago=LONG_AGO)
    archived(make, timedelta(days=364))
    send("list", task="prune")
    list_key = key_on(staff.get(PAGE), "prune")
    page = words(staff.get(PAGE))
    assert "Due to be pruned 2 jobs" in page and "Type “prune 2 jobs”" in page
    later = archived(make)
    act(past_store(timedelta(days=1)), changed.id, "notes")
    before = in_archive(services)
    answer = send("prune", list=list_key, confirm="Prune  2 jobs", password=STAFF_PASSWORD)
    assert answer.location == f"{PAGE}#prune"
    assert before - in_archive(services) == {listed.id} and later.id in in_archive(services)
    assert len(list(pruned_jobs(services.store))) == 1 and services.queries.job(listed.id) is None
    assert services.store.load(unpaid.id).job.status is Status.PAID_PICKED_UP
    page = words(staff.get(PAGE))
    assert "1 job is pruned." in page and f"{changed.id} stays:" in page
    assert list((services.settings.instance / "retention").iterdir()) == [], "the list is used up"
    (line,) = pruned_jobs(services.store)
    assert listed.id not in json.dumps(line.model_dump(mode="json"))


@pytest.mark.parametrize(
    ("fields", "code", "why"),
    [
        ({"password": "wrong"}, 422, "That is not the staff password."),
        ({"password": ""}, 422, "That is not the staff password."),
        ({"confirm": "prune 2 jobs"}, 422, "Nothing was pruned: please type “prune 1 job”."),
        ({"confirm": ""}, 422, "Nothing was pruned: please type “prune 1 job”."),
        ({"list": "0123456789abcdef"}, 409, "please look at it again"),
        ({"list": "../../run"}, 409, "please look at it again"),
        ({"list": ""}, 409, "please look at it again"),
    ],
)
def test_nothing_is_pruned_by_who_does_not_know_what_they_do(
    staff: FlaskClient,
    key: Key,
    make: MakeJob,
    services: Services,
    fields: dict[str, str],
    code: int,
    why: str,
) -> None:
    stored = archived(make)
    form = {"list": key("prune"), "confirm": "prune 1 job", "password": STAFF_PASSWORD}
    answer = staff.post(f"{PAGE}/prune", data=form | fields | {"csrf_token": form_token(staff, "/logout")})
    assert answer.status_code == code and why in words(answer)
    assert in_archive(services) == {stored.id} and STAFF_PASSWORD not in answer.get_data(as_text=True)
    assert key_on(staff.get(PAGE), "prune") == form["list"], "the list is still there"


def test_what_was_typed_stays_when_the_password_was_wrong(send: Send, key: Key, make: MakeJob) -> None:
    archived(make)
    answer = send("prune", list=key("prune"), confirm="prune 1 job", password="wrong")
    assert 'value="prune 1 job"' in answer.get_data(as_text=True)


def test_a_new_list_makes_the_one_before_useless(send: Send, key: Key, make: MakeJob, services: Services) -> None:
    """Another browser lists anew: the number may be the same, and the jobs others."""
    stored = archived(make)
    first, second = key("prune"), key("prune")
    form = {"confirm": "prune 1 job", "password": STAFF_PASSWORD}
    assert send("prune", list=first, **form).status_code == 409 and in_archive(services) == {stored.id}
    assert send("prune", list=second, **form).status_code == 303 and in_archive(services) == set()


def test_where_nothing_is_due_it_says_so_and_offers_nothing(staff: FlaskClient, send: Send, key: Key) -> None:
    list_key = key("prune")
    html = staff.get(PAGE).get_data(as_text=True)
    assert "Due to be pruned 0 jobs" in words(staff.get(PAGE)) and 'name="confirm"' not in html
    answer = send("prune", list=list_key, confirm="prune 0 jobs", password=STAFF_PASSWORD)
    assert answer.status_code == 422 and "Nothing is due." in words(answer)


def test_without_prune_days_nothing_is_pruned_here(services: Services, make: MakeJob) -> None:
    client = logged_in(create_app(replace(services, lab=with_retention(services.lab, prune_days=0))))
    archived(make)
    assert "An archived job may be pruned never" in words(client.get(PAGE))
    answer = client.post(f"{PAGE}/list", data={"csrf_token": form_token(client, "/logout"), "task": "prune"})
    assert answer.status_code == 422 and "prune_days is 0" in words(answer)


def test_a_list_for_other_days_than_lab_toml_has_now_is_not_offered(
    key: Key, make: MakeJob, services: Services
) -> None:
    archived(make)
    list_key = key("prune")
    client = logged_in(create_app(replace(services, lab=with_retention(services.lab, prune_days=1000))))
    form = {"list": list_key, "confirm": "prune 1 job", "password": STAFF_PASSWORD}
    answer = client.post(f"{PAGE}/prune", data=form | {"csrf_token": form_token(client, "/logout")})
    assert answer.status_code == 409 and len(in_archive(services)) == 1


def test_only_some_of_a_long_list_are_shown(
    staff: FlaskClient, key: Key, make: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("due_lists", "retention"):
        monkeypatch.setattr(f"printsys.web.staff.{module}.SHOWN", 2)
    for _ in range(3):
        archived(make)
    key("prune")
    page = words(staff.get(PAGE))
    assert "Due to be pruned 3 jobs" in page and "and 1 more job, counted above and not shown." in page


def test_it_waits_for_the_end_of_a_backup(send: Send, key: Key, make: MakeJob, services: Services) -> None:
    archived(make)
    form = {"list": key("prune"), "confirm": "prune 1 job", "password": STAFF_PASSWORD}
    with under_way(services.settings) as record:
        write_record(services.settings, record)
        answer = send("prune", **form)
    assert answer.status_code == 503 and "Please try again when that has ended." in words(answer)
    assert len(in_archive(services)) == 1
    assert send("prune", **form).status_code == 303


def test_jobs_that_a_pruning_elsewhere_took_meanwhile_are_counted_once(
    staff: FlaskClient, send: Send, key: Key, make: MakeJob, services: Services
) -> None:
    """As by the command, on another computer."""
    first, second = archived(make), archived(make)
    form = {"list": key("prune"), "confirm": "prune 2 jobs", "password": STAFF_PASSWORD}
    prune(services.actions, [(first.id, first.job.revision)], "system", "retention")
    assert send("prune", **form).status_code == 303
    page = words(staff.get(PAGE))
    assert "1 job is pruned." in page and f"{first.id} stays: There is no job {first.id}" in page
    assert in_archive(services) == set() and len(list(pruned_jobs(services.store))) == 2
    assert second.id not in page


def test_while_one_runs_nobody_starts_another(
    staff: FlaskClient,
    key: Key,
    make: MakeJob,
    runs: CommandRuns,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    archived(make)
    form = {"list": key("prune"), "confirm": "prune 1 job", "password": STAFF_PASSWORD}
    token = form_token(staff, "/logout")
    never_ends(monkeypatch, tmp_path)
    assert runs.start("prune", [])
    page = staff.get(PAGE)
    assert "It runs since" in words(page) and 'name="confirm"' not in page.get_data(as_text=True)
    for name, fields in (("prune", form), ("list", {"task": "prune"})):
        answer = staff.post(f"{PAGE}/{name}", data=fields | {"csrf_token": token})
        assert answer.status_code == 409 and "it still runs" in words(answer)
    runs.stop()
    until(lambda: not runs.is_running("prune"))
    assert "was interrupted. What was done is done; the rest is due again." in words(staff.get(PAGE))


def test_without_the_storage_it_says_so_and_the_list_stays(
    staff: FlaskClient, send: Send, key: Key, make: MakeJob, services: Services
) -> None:
    archived(make)
    form = {"list": key("prune"), "confirm": "prune 1 job", "password": STAFF_PASSWORD}
    root = services.store.layout.root
    root.rename(root.with_name("unmounted"))
    for name, fields in (("prune", form), ("list", {"task": "archive"}), ("archive", form)):
        answer = send(name, **fields)
        assert answer.status_code == 503 and str(root) in words(answer)
    assert not root.exists()
    root.with_name("unmounted").rename(root)
    assert send("prune", **form).status_code == 303 and in_archive(services) == set()


def test_without_the_database_it_goes_on_from_the_folders(services: Services, make: MakeJob) -> None:
    stored = make(Status.REJECTED, ago=timedelta(days=91))
    engine = create_engine(NO_DATABASE)
    settings = services.settings.model_copy(update={"database_url": NO_DATABASE})
    app = create_app(replace(services, settings=settings, mirror=Mirror(engine), queries=Queries(engine)))
    client, runs = logged_in(app), app.extensions[system.EXTENSION]

    def post(name: str, **fields: str) -> None:
        data = fields | {"csrf_token": form_token(client, "/logout")}
        assert client.post(f"{PAGE}/{name}", data=data).status_code == 303
        until(lambda: not runs.is_running("archive") and not runs.is_running("archive-list"), COMMAND_PATIENCE_S)

    assert words(client.get(PAGE)).count("so nobody knows how much is due.") == 2
    post("list", task="archive")
    html = client.get(PAGE).get_data(as_text=True)
    assert f">{stored.id}</a>" in html, "without the student's name, which the database has"
    post("archive", list=hidden_value(html, "list"))
    assert in_archive(services) == {stored.id} and "1 job is archived." in words(client.get(PAGE))
    engine.dispose()


def test_what_this_computer_refuses_is_said_and_the_list_stays(
    send: Send, key: Key, make: MakeJob, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    archived(make)
    form = {"list": key("prune"), "confirm": "prune 1 job", "password": STAFF_PASSWORD}
    with monkeypatch.context() as patch:
        patch.setattr("sys.executable", str(services.settings.instance / "no-python"))
        answer = send("prune", **form)
        assert answer.status_code == 503 and "This computer could not begin that" in words(answer)
    assert send("prune", **form).status_code == 303 and in_archive(services) == set()


def test_a_list_that_could_not_be_made_says_why(staff: FlaskClient, runs: CommandRuns, tmp_path: Path) -> None:
    path = tmp_path / "none" / "list"
    assert runs.start("archive-list", ["archive", "--dry-run", "--save-list", str(path)])
    until(lambda: not runs.is_running("archive-list"), COMMAND_PATIENCE_S)
    page = words(staff.get(PAGE))
    assert "It could not be listed." in page and f"The list cannot be written to {path}" in page


@pytest.mark.parametrize("code", [2, 70, 130])
def test_a_list_that_is_not_there_for_a_mistake_of_the_program_is_said_to_be_missing(
    staff: FlaskClient, runs: CommandRuns, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, code: int
) -> None:
    (tmp_path / "manage.py").write_text(f"import sys; sys.exit({code})", "utf-8")
    monkeypatch.setattr("printsys.ops.command_runs.ROOT", tmp_path)
    for name in ("prune-list", "prune"):
        assert runs.start(name, [])
    until(lambda: not any(map(runs.is_running, ("prune-list", "prune"))))
    page = words(staff.get(PAGE))
    assert "It could not be listed." in page and "some jobs stay" not in page


def test_who_begins_something_has_the_lists_alone_until_it_runs(
    send: Send, key: Key, make: MakeJob, runs: CommandRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody who lists anew would take the list away between the look at it and its start."""
    archived(make)
    have_waited = []

    def look(lists: DueLists, *arguments: Any, real: Callable[..., Any]) -> Any:
        with ThreadPoolExecutor() as others:
            have_waited.append(not others.submit(runs.lock.acquire, blocking=False).result())
        return real(lists, *arguments)

    form = {"list": key("prune"), "confirm": "prune 1 job", "password": STAFF_PASSWORD}
    for name in ("new", "take"):
        monkeypatch.setattr(DueLists, name, partialmethod(look, real=getattr(DueLists, name)))
    assert send("prune", **form).status_code == send("list", task="prune").status_code == 303
    assert have_waited == [True, True]


def test_only_tasks_of_the_page_are_listed(send: Send) -> None:
    assert send("list", task="student").status_code == 400 and send("list").status_code == 400


def test_strangers_prune_and_archive_nothing(client: FlaskClient, key: Key, make: MakeJob, services: Services) -> None:
    archived(make)
    form = {"list": key("prune"), "confirm": "prune 1 job", "password": STAFF_PASSWORD}
    for name in ("list", "archive", "prune"):
        answer = client.post(f"{PAGE}/{name}", data=form | {"csrf_token": form_token(client, "/login")})
        assert "/login" in answer.location
    assert len(in_archive(services)) == 1
