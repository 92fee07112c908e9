"""A class behind one address submits, and a flood from one of its browsers stops that browser alone."""

from __future__ import annotations

import hashlib
import io
import math
from typing import Any

import pytest
from flask import Flask, session
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from printsys.assessment.upload_checker import UploadChecker
from printsys.services import Services
from printsys.web import create_app, limits, uploads
from tests.factories import FORM, STL
from tests.waiting import until
from tests.web.conftest import form_token, json_of

LIMIT = 4
MODEL = hashlib.sha256(STL).hexdigest()


def limited_app(services: Services, upload_checker: UploadChecker) -> Flask:
    object.__setattr__(services.settings, "submit_limit", LIMIT)
    app = create_app(services)
    app.extensions[uploads.UPLOAD_CHECKER] = upload_checker
    return app


@pytest.fixture
def app(services: Services, upload_checker: UploadChecker) -> Flask:
    return limited_app(services, upload_checker)


class Browser:
    """Of one student: the form, opened once."""

    def __init__(self, app: Flask, address: str = "10.0.0.1") -> None:
        self.client: FlaskClient = app.test_client()
        self._token, self._address = form_token(self.client), address

    def submit(self, **changed: str) -> TestResponse:
        return self._post("/submit", FORM | changed | {"file": (io.BytesIO(STL), "bracket.stl")})

    def check(self) -> TestResponse:
        return self._post("/submit/check", {"file": (io.BytesIO(STL), "bracket.stl")})

    def ask_about_printer(self) -> TestResponse:
        return self._post("/submit/check", {"sha256": MODEL, "name": "bracket.stl", "printer": "prusa-mk4s"})

    def _post(self, path: str, values: dict[str, Any]) -> TestResponse:
        return self.client.post(
            path, data=values | {"csrf_token": self._token}, environ_overrides={"REMOTE_ADDR": self._address}
        )


def codes(answers: list[TestResponse]) -> list[int]:
    return [answer.status_code for answer in answers]


def test_a_class_as_large_as_the_limit_submits_with_checks_and_mistakes(app: Flask, services: Services) -> None:
    """All at one address. The default is a class of 200."""
    for _ in range(LIMIT):
        browser = Browser(app)
        checks = [browser.check() for _ in range(LIMIT)]
        assert set(codes(checks)) <= {200, 202}
        assert codes([browser.submit(student_name=""), browser.submit()]) == [422, 303]
    assert len(list(services.store.ids())) == LIMIT


def test_another_choice_for_models_that_are_remembered_is_not_counted(app: Flask) -> None:
    browser = Browser(app)
    answer = json_of(browser.check())
    until(lambda: browser.client.get(f"/submit/check/{answer['id']}").status_code == 200)
    assert codes([browser.ask_about_printer() for _ in range(LIMIT)]) == [200] * LIMIT
    assert codes([browser.check() for _ in range(LIMIT)]) == [200] * (LIMIT - 1) + [429]


def test_a_browser_that_floods_stops_itself_alone(app: Flask) -> None:
    prankster = Browser(app)
    assert codes([prankster.submit(student_name="") for _ in range(LIMIT)]) == [422] * LIMIT
    refused = prankster.submit()
    assert refused.status_code == 429 and 1800 < int(refused.headers["Retry-After"]) <= 3600
    minutes = math.ceil(int(refused.headers["Retry-After"]) / 60)
    assert f"Please wait {minutes} minutes and try again." in refused.get_data(as_text=True)
    assert Browser(app).submit().status_code == 303


def test_an_address_is_limited_by_what_was_taken_from_it(
    services: Services, upload_checker: UploadChecker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where somebody floods with a new browser each time. Forms with mistakes make nothing, so they do not count."""
    monkeypatch.setattr(limits, "BROWSERS_AT_AN_ADDRESS", 1)
    app = limited_app(services, upload_checker)
    assert codes([Browser(app).submit(student_name="") for _ in range(LIMIT)]) == [422] * LIMIT
    assert codes([Browser(app).submit() for _ in range(LIMIT + 1)]) == [303] * LIMIT + [429]
    assert Browser(app, "10.0.0.2").submit().status_code == 303


def test_a_flood_of_new_browsers_fills_no_memory(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MOST_BROWSERS", 2)
    counted = limits.SubmitLimits(LIMIT)
    send = counted.limited("submit.send", lambda: "sent")
    for number in range(5):
        with app.test_request_context("/submit", method="POST"):
            session["csrf_token"] = str(number)
            send()
    assert len(counted._storage.storage) <= 2
