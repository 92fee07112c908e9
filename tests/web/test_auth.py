"""Staff log in with one shared password, each login starts a new session, and strangers reach nothing of theirs."""

from __future__ import annotations

import json
import re

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.security import generate_password_hash
from werkzeug.test import TestResponse

from printsys.credentials import staff_password
from printsys.jobstore import Stored
from printsys.services import Services
from printsys.web import create_app
from tests.factories import change_lab
from tests.present import present
from tests.web.conftest import STAFF_PASSWORD, MakeJob, form_token, json_of, token_in, tree


def log_in(client: FlaskClient, password: str = STAFF_PASSWORD, **fields: str) -> TestResponse:
    return client.post("/login", data={"csrf_token": form_token(client, "/login"), "password": password} | fields)


@pytest.mark.parametrize("password", ["", "correct hors", "Correct horse", "correct horse ", "x" * 100_000, "ü\x00"])
def test_a_wrong_password_opens_nothing(client: FlaskClient, password: str) -> None:
    answer = log_in(client, password)
    assert answer.status_code == 401 and "That is not the password." in answer.get_data(as_text=True)
    assert client.get("/dashboard").status_code == 302


def test_the_password_is_never_shown_back(client: FlaskClient) -> None:
    assert "hunter2-wrong" not in log_in(client, "hunter2-wrong").get_data(as_text=True)


def test_the_right_password_opens_the_dashboard(client: FlaskClient) -> None:
    answer = log_in(client)
    assert answer.status_code == 303 and answer.location == "/dashboard/today"
    assert client.get("/dashboard").status_code == 200


def test_a_new_password_ends_the_sessions_of_the_old(client: FlaskClient, services: Services) -> None:
    log_in(client)
    assert client.get("/dashboard").status_code == 200
    staff_password.choose(services.settings, "another horse")
    assert client.get("/dashboard").location == "/login?next=/dashboard"
    assert client.get("/api/v1/jobs").status_code == 401
    assert log_in(client, "another horse").status_code == 303
    assert client.get("/dashboard").status_code == 200


def test_a_session_of_an_older_version_logs_in_again(client: FlaskClient) -> None:
    with client.session_transaction() as session:
        session["staff"] = True
    assert client.get("/dashboard").status_code == 302


def test_a_login_without_its_csrf_token_is_refused(client: FlaskClient) -> None:
    client.get("/login")
    assert client.post("/login", data={"password": STAFF_PASSWORD}).status_code == 400
    assert client.get("/dashboard").status_code == 302


@pytest.mark.parametrize("path", ["/dashboard", "/dashboard?status=Pending&q=a%20b", "/dashboard/jobs/k7m29xq4"])
def test_after_the_login_one_is_where_one_wanted_to_go(client: FlaskClient, path: str) -> None:
    redirect = client.get(path)
    assert redirect.status_code == 302 and redirect.location.startswith("/login?next=")
    page = client.get(redirect.location).get_data(as_text=True)
    assert f'name="next" value="{path.replace("&", "&amp;")}"' in page
    assert log_in(client, next=path).location == path


ELSEWHERE = [
    "//evil.example", "///evil.example", "https://evil.example", "http:evil.example", "/\\evil.example",
    "\\\\evil.example", "/\t/evil.example", "\t//evil.example", "javascript:alert(1)", "evil.example",
    " //evil.example", "//[evil", "http://[evil", "/\n/evil.example",
    "/%5cevil.example\r\nSet-Cookie: a=b", "https:/evil.example", "//evil.example@localhost",
]  # fmt: skip


@pytest.mark.parametrize("target", ELSEWHERE)
def test_a_login_never_leads_elsewhere(client: FlaskClient, target: str) -> None:
    for _ in range(2):  # the second time as somebody who is logged in already
        answer = client.get("/login", query_string={"next": target})
        if answer.status_code == 200:
            answer = log_in(client, next=target)
        where = answer.location
        assert where.startswith("/") and not where.startswith(("//", "/\\")) and not any(c in where for c in "\t\r\n")
        assert "Set-Cookie: a=b" not in str(answer.headers)


def test_a_login_clears_the_session_that_was_there_before(client: FlaskClient) -> None:
    with client.session_transaction() as session:
        session["planted"] = "by somebody else"
    before = present(client.get_cookie("printsys")).value
    log_in(client)
    with client.session_transaction() as session:
        assert "planted" not in session and session["staff"] and session.permanent
    assert present(client.get_cookie("printsys")).value != before


def test_a_cookie_that_this_lab_did_not_sign_is_nobody(client: FlaskClient) -> None:
    client.set_cookie("printsys", "eyJzdGFmZiI6dHJ1ZX0.aaaaaa.bbbbbbbbbbbbbbbbbbbbbbbbbbb")
    assert client.get("/dashboard").status_code == 302


def test_logging_out_needs_a_form_and_ends_the_session(staff: FlaskClient) -> None:
    assert staff.post("/logout").status_code == 400 and staff.get("/dashboard").status_code == 200
    page = staff.get("/logout")
    assert page.status_code == 200 and "Log out?" in page.get_data(as_text=True)
    answer = staff.post("/logout", data={"csrf_token": form_token(staff, "/logout")})
    assert answer.status_code == 303 and answer.location == "/login"
    assert "You are logged out." in staff.get("/login").get_data(as_text=True)
    assert staff.get("/dashboard").status_code == 302


def test_the_eleventh_try_in_a_minute_is_put_off_even_with_the_right_password(app: Flask) -> None:
    client = app.test_client()
    token = form_token(client, "/login")
    tries = [client.post("/login", data={"csrf_token": token, "password": "wrong"}).status_code for _ in range(10)]
    assert tries == [401] * 10
    late = client.post("/login", data={"csrf_token": token, "password": STAFF_PASSWORD})
    assert late.status_code == 429 and "Please wait a minute" in late.get_data(as_text=True)
    assert client.get("/dashboard").status_code == 302
    assert client.get("/login").status_code == 200, "looking at the page is not a try"


def test_guessing_locks_out_no_browser_that_logged_in_before(app: Flask, caplog: pytest.LogCaptureFixture) -> None:
    """FAULTS S6: a campus is one address, and one of its students guesses."""
    known = app.test_client()
    assert log_in(known).status_code == 303
    assert known.post("/logout", data={"csrf_token": form_token(known, "/logout")}).status_code == 303
    guesser = app.test_client()
    token = form_token(guesser, "/login")
    for _ in range(10):
        guesser.post("/login", data={"csrf_token": token, "password": "wrong"})
    refused = guesser.post("/login", data={"csrf_token": token, "password": STAFF_PASSWORD})
    assert refused.status_code == 429 and 1 <= int(refused.headers["Retry-After"]) <= 61
    assert log_in(app.test_client()).status_code == 429, "a new browser of that address waits"
    assert log_in(known).status_code == 303
    assert "a wrong staff password from 127.0.0.1, 10 in the last hour" in caplog.text
    assert "Somebody is guessing the staff password: 10 wrong ones in the last hour, from one address." in known.get(
        "/dashboard"
    ).get_data(as_text=True)


def test_a_known_browser_may_not_guess_for_ever_either(app: Flask) -> None:
    known = app.test_client()
    assert log_in(known).status_code == 303
    known.post("/logout", data={"csrf_token": form_token(known, "/logout")})
    assert [log_in(known, "wrong").status_code for _ in range(11)] == [401] * 10 + [429]


def test_a_made_up_device_is_a_stranger(app: Flask) -> None:
    codes = []
    for number in range(11):
        client = app.test_client()
        client.set_cookie("printsys_device", f"device-{number}.aaaaaa.bbbbbbbb")
        codes.append(log_in(client, "wrong").status_code)
    assert codes == [401] * 10 + [429]


def test_guesses_from_many_addresses_are_slowed_together(app: Flask) -> None:
    client = app.test_client()
    token = form_token(client, "/login")
    codes = [
        client.post(
            "/login",
            data={"csrf_token": token, "password": "wrong"},
            environ_overrides={"REMOTE_ADDR": f"10.0.{number // 5}.1"},
        ).status_code
        for number in range(61)
    ]
    assert codes == [401] * 60 + [429]


def test_staff_who_remember_the_password_at_the_third_try_start_with_a_clean_count(app: Flask) -> None:
    for _ in range(3):
        client = app.test_client()
        assert [log_in(client, "wrong").status_code for _ in range(8)] == [401] * 8
        assert log_in(client).status_code == 303


def test_behind_a_proxy_each_student_has_an_address(services: Services) -> None:
    """FAULTS S6; without TRUSTED_PROXIES the header is anybody's to write, and counts for nothing."""

    def codes() -> list[int]:
        client = create_app(services).test_client()
        token = form_token(client, "/login")
        return [
            client.post(
                "/login",
                data={"csrf_token": token, "password": "wrong"},
                headers={"X-Forwarded-For": f"9.9.9.9, 10.0.0.{number}"},
            ).status_code
            for number in range(11)
        ]

    assert codes() == [401] * 10 + [429]
    object.__setattr__(services.settings, "trusted_proxies", 1)
    assert codes() == [401] * 11


def test_a_copied_cookie_is_worth_nothing_after_the_logout(app: Flask, services: Services) -> None:
    """FAULTS S9: the session ends on the server; a restart does not forget it."""
    staff = app.test_client()
    log_in(staff)
    copied = present(staff.get_cookie("printsys")).value
    thief = app.test_client()
    thief.set_cookie("printsys", copied)
    assert thief.get("/dashboard").status_code == 200
    staff.post("/logout", data={"csrf_token": form_token(staff, "/logout")})
    for again in (app, create_app(services)):
        thief = again.test_client()
        thief.set_cookie("printsys", copied)
        assert thief.get("/dashboard").status_code == 302
    assert log_in(staff).status_code == 303 and staff.get("/dashboard").status_code == 200


def test_a_logout_on_a_full_disk_logs_this_browser_out(staff: FlaskClient, services: Services) -> None:
    (services.settings.instance / "ended-sessions.json").mkdir()
    answer = staff.post("/logout", data={"csrf_token": form_token(staff, "/logout")})
    assert answer.status_code == 303 and staff.get("/dashboard").status_code == 302


def test_a_login_form_that_was_open_in_two_tabs_logs_in(app: Flask) -> None:
    """FAULTS S9: the first tab's login began a new session, which the second tab's form does not know."""
    client = app.test_client()
    tokens = [form_token(client, "/login") for _ in range(2)]
    for token in tokens:
        data = {"csrf_token": token, "password": STAFF_PASSWORD, "next": "/dashboard/attention"}
        answer = client.post("/login", data=data)
        assert answer.status_code == 303 and answer.location == "/dashboard/attention"


def test_a_login_form_that_was_open_for_too_long_can_be_sent_again(client: FlaskClient) -> None:
    answer = client.post("/login", data={"csrf_token": "old", "password": STAFF_PASSWORD, "next": "/dashboard/jobs/x"})
    page = answer.get_data(as_text=True)
    assert answer.status_code == 400 and "Please type the password once more." in page
    assert 'name="next" value="/dashboard/jobs/x"' in page and STAFF_PASSWORD not in page


def test_a_new_password_counts_at_once_and_a_hash_in_the_settings_before_it(services: Services) -> None:
    object.__setattr__(services.settings, "staff_password_hash", generate_password_hash("from the settings"))
    client = create_app(services).test_client()
    assert log_in(client).status_code == 401
    assert log_in(client, "from the settings").status_code == 303


STAFF_ONLY = [
    ("GET", "/dashboard"), ("GET", "/dashboard/"), ("GET", "/dashboard/jobs/{id}"),
    ("GET", "/dashboard/jobs/{id}/approve"), ("GET", "/dashboard/jobs/{id}/quote?weight_g=1"),
    ("GET", "/dashboard/jobs/{id}/files/original/bracket%20v2.stl"), ("GET", "/dashboard/jobs/nosuchid"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path"), STAFF_ONLY)
def test_staff_pages_lead_strangers_to_the_login(client: FlaskClient, make: MakeJob, method: str, path: str) -> None:
    answer = client.open(path.format(id=make().id), method=method)
    assert answer.status_code == 302 and answer.location.startswith("/login")
    assert "Jane" not in answer.get_data(as_text=True)


def test_a_strangers_action_changes_nothing(client: FlaskClient, make: MakeJob) -> None:
    stored = make()
    before = tree(stored.folder)
    data = {"csrf_token": form_token(client), "revision": stored.job.revision, "comment": "no"}
    answer = client.post(f"/dashboard/jobs/{stored.id}/reject", data=data)
    assert answer.status_code == 302 and answer.location.startswith("/login")
    assert tree(stored.folder) == before


def test_every_staff_route_is_behind_the_door(app: Flask, client: FlaskClient) -> None:
    """Also those that somebody adds later."""
    token = form_token(client)
    for rule in app.url_map.iter_rules():
        if not rule.rule.startswith(("/dashboard", "/api/")):
            continue
        path = rule.rule
        for argument in rule.arguments:
            path = path.replace(f"<{argument}>", "k7m29xq4").replace(f"<path:{argument}>", "k7m29xq4")
        for method in present(rule.methods) - {"OPTIONS", "HEAD"}:
            answer = client.open(path, method=method, data={"csrf_token": token} if method != "GET" else None)
            assert answer.status_code in (401, 302), (method, path)
            assert answer.status_code == 401 or answer.location.startswith("/login"), (method, path)


@pytest.mark.parametrize("path", ["/api/v1/jobs", "/api/v1/jobs/k7m29xq4", "/api/v1/jobs/k7m29xq4/events"])
def test_the_api_answers_strangers_with_401_as_json(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 401 and answer.is_json and set(json_of(answer)) == {"error", "message"}


# -- who is at the desk -----------------------------------------------------------------------------------------------


@pytest.fixture
def named(app: Flask, services: Services) -> Flask:
    change_lab(services.lab, "about", staff=["Sam", "Alex O'Neil"])
    return app


@pytest.mark.parametrize(("who", "actor"), [("Sam", "staff:Sam"), ("Alex O'Neil", "staff:Alex O'Neil")])
def test_the_name_chosen_at_the_login_is_the_actor_in_the_log(
    named: Flask, services: Services, make: MakeJob, who: str, actor: str
) -> None:
    stored = make()
    client = named.test_client()
    assert ">Sam</option>" in client.get("/login").get_data(as_text=True)
    assert log_in(client, who=who).status_code == 303
    data = {"csrf_token": form_token(client, "/logout"), "revision": stored.job.revision, "comment": "Too thin."}
    assert client.post(f"/dashboard/jobs/{stored.id}/reject", data=data).status_code == 303
    after = services.store.load(stored.id)
    lines = [json.loads(line) for line in (after.folder / "events.jsonl").read_text("utf-8").splitlines()]
    assert {line["actor"] for line in lines if line["seq"] > stored.job.revision} <= {actor, "system"}
    assert lines[-1]["actor"] == actor and present(after.job.rejection).by == actor


def reject(client: FlaskClient, stored: Stored) -> TestResponse:
    data = {"csrf_token": form_token(client, "/logout"), "revision": stored.job.revision, "comment": "Too thin."}
    return client.post(f"/dashboard/jobs/{stored.id}/reject", data=data)


@pytest.mark.parametrize("who", ["", "Mallory"])
def test_somebody_who_did_not_say_who_acts_is_asked_before_anything_is_done(
    named: Flask, services: Services, make: MakeJob, who: str
) -> None:
    stored = make()
    client = named.test_client()
    log_in(client, who=who)
    assert client.get("/dashboard?q=a").location == "/who?next=/dashboard?q%3Da"
    answer = reject(client, stored)
    assert (answer.status_code, answer.location) == (303, "/who")
    page = client.get("/who?next=/dashboard/queue").get_data(as_text=True)
    assert "Nothing is saved yet." in page and 'value="Alex O&#39;Neil"' in page
    assert services.store.load(stored.id).job.revision == stored.job.revision
    chosen = client.post("/who", data={"csrf_token": token_in(page), "who": "Alex O'Neil", "next": "/dashboard/queue"})
    assert (chosen.status_code, chosen.location) == (303, "/dashboard/queue")
    assert reject(client, stored).status_code == 303
    assert present(services.store.load(stored.id).job.rejection).by == "staff:Alex O'Neil"


def test_the_head_of_each_page_says_who_acts_and_leads_to_another_name(named: Flask, services: Services) -> None:
    client = named.test_client()
    log_in(client, who="Sam")
    head = client.get("/dashboard/queue").get_data(as_text=True)
    assert re.search(r'href="/who\?next=/dashboard/queue">Sam<', head)
    wrong = client.post("/who", data={"csrf_token": form_token(client, "/logout"), "who": "Mallory"})
    assert wrong.status_code == 422 and "Please choose one of the names." in wrong.get_data(as_text=True)
    change_lab(services.lab, "about", staff=["Alex O'Neil"])
    assert client.get("/dashboard/queue").location.startswith("/who"), "Sam works here no more"


def test_the_login_names_nobody_by_itself(named: Flask) -> None:
    page = named.test_client().get("/login").get_data(as_text=True)
    assert "selected" not in page and '<option value="">Please choose</option>' in page


def test_the_name_is_kept_when_the_password_was_wrong(named: Flask) -> None:
    page = log_in(named.test_client(), "wrong", who="Sam").get_data(as_text=True)
    assert "<option selected>Sam</option>" in page


def test_without_a_staff_list_nobody_is_asked_for_a_name(client: FlaskClient) -> None:
    assert "Who are you" not in client.get("/login").get_data(as_text=True)
    log_in(client)
    assert client.get("/who").location == "/dashboard/today"
    assert "/who" not in client.get("/dashboard/queue").get_data(as_text=True)


def test_what_a_script_fetches_beside_a_page_brings_back_no_older_session(staff: FlaskClient) -> None:
    """A refresh that began before an action and ends after it took the action's message away with its older cookie."""
    opened = staff.get("/dashboard", headers={"Sec-Fetch-Dest": "document"})
    assert "printsys=" in opened.headers["Set-Cookie"], "a page that a person opens lets the session last"
    for kind in ("empty", "image"):  # of fetch() and a picture
        beside = staff.get("/dashboard", headers={"Sec-Fetch-Dest": kind})
        assert beside.status_code == 200
        assert "Set-Cookie" not in beside.headers


def test_a_refresh_leaves_messages_to_the_page_that_shows_them(staff: FlaskClient) -> None:
    with staff.session_transaction() as session:
        session["_flashes"] = [("success", "Approved at $3.84.")]
    refreshed = staff.get("/dashboard", headers={"X-Refresh": "1", "Sec-Fetch-Dest": "empty"})
    assert "Approved at $3.84." not in refreshed.get_data(as_text=True)
    assert "Approved at $3.84." in staff.get("/dashboard").get_data(as_text=True)
