"""Who may ask for what: every route, with every method, as everybody. A new route without a row in `ROUTES` fails."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from printsys.credentials import api_tokens
from printsys.domain import workflow
from printsys.domain.status import Status
from printsys.services import Services
from tests.present import present
from tests.web.conftest import MakeJob, Traces, confirm_token, form_token

EVERYBODY = "everybody"
LINK = "whoever has the link"
STAFF = "staff alone"
SCRIPTS = "staff, and scripts with a token"
ROUTES = {
    "api.events": SCRIPTS,
    "api.openapi": SCRIPTS,
    "api.job": SCRIPTS,
    "api.jobs": SCRIPTS,
    "actions.act": STAFF,
    "actions.ask": STAFF,
    "actions.look_again": STAFF,
    "actions.reprint": STAFF,
    "actions.undo_move": STAFF,
    "archive.archive_them": STAFF,
    "archive.ended": STAFF,
    "attention.adopt": STAFF,
    "attention.api": SCRIPTS,
    "attention.fix": STAFF,
    "attention.forget_missed": STAFF,
    "attention.show": STAFF,
    "bulk.act": STAFF,
    "auth.ask_logout": EVERYBODY,
    "auth.ask_who": STAFF,
    "auth.choose_who": STAFF,
    "auth.log_in": EVERYBODY,
    "auth.login": EVERYBODY,
    "auth.logout": EVERYBODY,
    "bootstrap.static": EVERYBODY,
    "calendar.show": LINK,
    "confirm.decide": LINK,
    "confirm.resend": LINK,
    "confirm.show": LINK,
    "counter.hand_out": STAFF,
    "counter.price": STAFF,
    "counter.show": STAFF,
    "dashboard.show": STAFF,
    "files.download": STAFF,
    "files.frame": STAFF,
    "files.open_in_slicer": STAFF,
    "files.opener": STAFF,
    "files.opening": STAFF,
    "files.preview": STAFF,
    "files.view": STAFF,
    "health.healthz": EVERYBODY,
    "metrics.show": SCRIPTS,
    "lab.closed": STAFF,
    "lab.color": STAFF,
    "lab.message": STAFF,
    "lab.printer": STAFF,
    "lab.show": STAFF,
    "job.quote": STAFF,
    "job.read": STAFF,
    "job.show": STAFF,
    "live.live": STAFF,
    "mails.first": STAFF,
    "mails.html": STAFF,
    "mails.preview": STAFF,
    "queue.order": STAFF,
    "queue.show": STAFF,
    "reports.download": STAFF,
    "reports.draw": STAFF,
    "reports.show": STAFF,
    "reports.statement": STAFF,
    "retention.archive": STAFF,
    "retention.make_list": STAFF,
    "retention.prune": STAFF,
    "retention.show": STAFF,
    "resubmit.send": LINK,
    "resubmit.show": LINK,
    "settings.show": STAFF,
    "static": EVERYBODY,
    "status.picture": LINK,
    "status.reply": LINK,
    "status.resend": LINK,
    "status.show": LINK,
    "status.withdraw": LINK,
    "ticket.several": STAFF,
    "ticket.show": STAFF,
    "new.make": STAFF,
    "new.show": STAFF,
    "submit.correct_address": EVERYBODY,
    "submit.home": EVERYBODY,
    "submit.send": EVERYBODY,
    "submit.show": EVERYBODY,
    "submit.success": EVERYBODY,
    "system.backup": STAFF,
    "system.calendar": STAFF,
    "system.check": STAFF,
    "system.password": STAFF,
    "system.restart": STAFF,
    "system.show": STAFF,
    "system.test_mail": STAFF,
    "system.upgrade_check": STAFF,
    "today.show": STAFF,
    "upload_check.check": EVERYBODY,
    "upload_check.later": EVERYBODY,
}
READING = ("GET", "HEAD")
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
ACTIONS = sorted({step.action for step in workflow.STEPS})


@pytest.fixture
def paths(app: Flask, services: Services, make: MakeJob) -> dict[str, list[str]]:
    """Real addresses of each route: of a job that is there, with a good link."""
    job = make(Status.PENDING)
    values = {
        "job_id": [job.id],
        "token": [confirm_token(services, job)],
        "action": ACTIONS,
        "filename": ["css/site.css"],
        "path:name": ["original/bracket v2.stl"],
        "name": ["received"],
        "answer_id": ["x"],
        "int:number": ["0"],
        "chart": ["jobs"],
        "table": ["payments"],
        "extension": ["csv"],
    }
    return {rule.rule: list(addresses(rule.rule, values)) for rule in app.url_map.iter_rules()}


def addresses(rule: str, values: dict[str, list[str]]) -> Iterator[str]:
    placeholder = re.search(r"<([^>]+)>", rule)
    if placeholder is None:
        yield rule
        return
    name = placeholder.group(1).removeprefix("path:filename").removeprefix("string:") or "filename"
    for value in values[name]:
        yield from addresses(rule.replace(placeholder.group(), value, 1), values)


def rules(app: Flask) -> list[Rule]:
    return sorted(app.url_map.iter_rules(), key=lambda rule: (rule.rule, rule.endpoint))


def ask(client: FlaskClient, method: str, path: str, **options: Any) -> TestResponse:
    """Without the body, which a stream of events would never end."""
    answer: TestResponse = client.open(path, method=method, **options)
    answer.close()
    return answer


def is_refused(answer: TestResponse, allowed: str) -> bool:
    if allowed == SCRIPTS:
        return answer.status_code == 401
    return answer.status_code == 302 and present(answer.location).startswith("/login")


def test_every_route_has_its_row(app: Flask) -> None:
    assert {rule.endpoint for rule in app.url_map.iter_rules()} == ROUTES.keys()


def strangers(app: Flask, services: Services, staff: FlaskClient) -> dict[str, FlaskClient]:
    """Everybody who is no staff, though some bring something that looks like it."""
    forged, ended, other_secret = app.test_client(), app.test_client(), app.test_client()
    forged.set_cookie("printsys", "eyJzdGFmZiI6IngifQ.aaaaaa.bbbbbbbbbbbbbbbbbbbbbbbbbbb")
    ended.set_cookie("printsys", present(staff.get_cookie("printsys")).value)
    staff.post("/logout", data={"csrf_token": form_token(staff, "/logout")})
    with other_secret.session_transaction() as session:
        session["staff"] = "no-fingerprint-of-the-password"
    script = app.test_client()
    script.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {api_tokens.make(services.settings, 'script')}"
    return {
        "nobody": app.test_client(),
        "a script": script,
        "a forged session": forged,
        "a session that ended": ended,
        "a session of another password": other_secret,
    }


def test_nobody_but_staff_reaches_what_is_staffs(
    app: Flask, services: Services, staff: FlaskClient, paths: dict[str, list[str]], traces: Traces
) -> None:
    clients = strangers(app, services, staff)
    before, opened, tried = traces(), [], 0
    for who, client in clients.items():
        csrf = form_token(client)
        for rule in rules(app):
            allowed = ROUTES[rule.endpoint]
            if allowed in (EVERYBODY, LINK) or (who == "a script" and allowed == SCRIPTS):
                continue
            for method in sorted(present(rule.methods) - {"OPTIONS"}):
                for path in paths[rule.rule]:
                    data = {"csrf_token": csrf, "revision": 1, "reason": "x"} if method == "POST" else None
                    tried += 1
                    if not is_refused(ask(client, method, path, data=data), allowed):
                        opened.append((who, method, path))
    assert opened == [] and tried > 500 and traces() == before


def test_staff_reach_all_that_is_staffs_and_scripts_what_is_theirs(
    app: Flask, services: Services, staff: FlaskClient, paths: dict[str, list[str]]
) -> None:
    script = {"Authorization": f"Bearer {api_tokens.make(services.settings, 'script')}"}
    for rule in rules(app):
        allowed = ROUTES[rule.endpoint]
        for method in sorted(present(rule.methods) & set(READING)):
            for path in paths[rule.rule]:
                answer = ask(staff, method, path)
                assert answer.status_code < 500 and not (allowed != EVERYBODY and is_refused(answer, allowed)), (
                    method,
                    path,
                    answer.status_code,
                )
                if allowed == SCRIPTS:
                    assert ask(app.test_client(), method, path, headers=script).status_code == 200, (method, path)


def test_what_everybody_may_see_asks_nobody_to_log_in(
    app: Flask, client: FlaskClient, paths: dict[str, list[str]]
) -> None:
    for rule in rules(app):
        if ROUTES[rule.endpoint] in (EVERYBODY, LINK):
            for method in sorted(present(rule.methods) & set(READING)):
                for path in paths[rule.rule]:
                    answer = ask(client, method, path)
                    assert answer.status_code < 500 and not is_refused(answer, STAFF), (method, path)


def test_a_link_that_is_not_ours_opens_nothing(app: Flask, client: FlaskClient, traces: Traces) -> None:
    before, csrf = traces(), form_token(client)
    for rule in rules(app):
        if ROUTES[rule.endpoint] == LINK:
            for token in ("x", "WyJrN20yOXhxNCJd.aaaaaa.bbbbbbbbbbbbbbbbbbbbbbbbbbb", "a" * 3000):
                for method in sorted(present(rule.methods) - {"OPTIONS"}):
                    data = {"csrf_token": csrf, "decision": "confirm"} if method == "POST" else None
                    assert ask(client, method, rule.rule.replace("<token>", token), data=data).status_code == 404
    assert traces() == before


def test_no_route_answers_to_a_method_that_is_not_its_own(
    app: Flask, staff: FlaskClient, paths: dict[str, list[str]], traces: Traces
) -> None:
    routes = app.url_map.bind("lab")
    before, csrf, tried = traces(), form_token(staff, "/logout"), 0
    for path in sorted({path for rule in rules(app) for path in paths[rule.rule]}):
        for method in sorted(set(METHODS) - set(routes.allowed_methods(path))):
            data = {"csrf_token": csrf, "revision": 1} if method not in READING else None
            answer = ask(staff, method, path, data=data)
            assert answer.status_code == 405 and answer.headers["Allow"], (method, path)
            tried += 1
    assert tried > 150 and traces() == before
