"""A form that is sent again, too late, or while something is down: nothing is lost, nothing is sent unseen."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from printsys.domain.status import Status
from printsys.services import Services
from printsys.web.student.double_submit import REMEMBERED, Submissions
from tests.factories import FORM
from tests.web.conftest import MakeJob, confirm_token, form_token, hidden_value, token_in, tree


def stl(size_mm: float) -> bytes:
    """A tetrahedron as a binary STL: of the same length in bytes whatever its size."""
    corners = ((0, 0, 0), (size_mm, 0, 0), (0, size_mm, 0), (0, 0, size_mm))
    faces = ((0, 2, 1), (0, 1, 3), (0, 3, 2), (1, 2, 3))
    facets = (struct.pack("<12fH", 0, 0, 0, *(x for n in face for x in corners[n]), 0) for face in faces)
    return bytes(80) + struct.pack("<I", len(faces)) + b"".join(facets)


def opened(client: FlaskClient) -> dict[str, str]:
    """The hidden fields of a form that was just opened."""
    page = client.get("/submit").get_data(as_text=True)
    return {"csrf_token": token_in(page), "submission": hidden_value(page, "submission")}


def send(client: FlaskClient, form: dict[str, str], name: str, model: bytes, **fields: str) -> TestResponse:
    values = FORM | form | fields
    return client.post("/submit", data=values | {"file": (io.BytesIO(model), name)})


def job_of(answer: TestResponse) -> str:
    assert answer.status_code == 303, answer.get_data(as_text=True)
    return answer.location.partition("job=")[2]


@contextmanager
def unmounted(storage: Path) -> Iterator[None]:
    away = storage.with_name("away")
    storage.rename(away)
    yield
    away.rename(storage)


@pytest.mark.parametrize(
    ("name", "model", "fields"),
    [
        pytest.param("bracket.stl", stl(20), {}, id="the model, scaled: same name, same length"),
        pytest.param("lid.stl", stl(10), {}, id="another name"),
        pytest.param("bracket.stl", stl(10), {"color": "Blue"}, id="another color"),
    ],
)
def test_going_back_and_sending_something_else_is_another_job(
    client: FlaskClient, services: Services, name: str, model: bytes, fields: dict[str, str]
) -> None:
    form = opened(client)
    first = job_of(send(client, form, "bracket.stl", stl(10)))
    second = job_of(send(client, form, name, model, **fields))
    assert first != second
    assert (services.store.load(second).folder / "original" / name).read_bytes() == model
    assert job_of(send(client, form, name, model, **fields)) == second, "and that one sent twice is one job again"


def test_a_job_that_was_made_is_not_given_for_a_form_with_a_mistake(client: FlaskClient, services: Services) -> None:
    form = opened(client)
    send(client, form, "bracket.stl", stl(10))
    assert send(client, form, "bracket.stl", stl(10), student_email="nope").status_code == 422
    assert send(client, form, "bracket.stl", b"").status_code == 422
    assert len(list(services.store.ids())) == 1


def test_forms_that_are_never_finished_take_no_memory_for_ever() -> None:
    submissions = Submissions()
    first = submissions.form("first")
    for n in range(REMEMBERED):
        submissions.form(str(n))
    assert submissions.form("first") is not first
    assert submissions.form(str(REMEMBERED - 1)) is submissions.form(str(REMEMBERED - 1))


def test_without_storage_the_form_comes_back_as_it_was_typed(client: FlaskClient, services: Services) -> None:
    form = opened(client)
    with unmounted(services.settings.storage):
        answer = send(client, form, "bracket.stl", stl(10), message="See you soon")
        page = answer.get_data(as_text=True)
        assert answer.status_code == 503
        assert 'value="Jane Doe"' in page and "See you soon" in page
        assert "nothing was sent" in page
        assert not services.settings.storage.exists(), "nothing is made where the share should be"
    assert send(client, form, "bracket.stl", stl(10)).status_code == 303


@pytest.mark.parametrize("path", ["/submit", "/login", "/submit/success", "/nowhere"])
def test_every_page_says_that_storage_is_offline(client: FlaskClient, services: Services, path: str) -> None:
    assert "storage is offline" not in client.get(path).get_data(as_text=True)
    with unmounted(services.settings.storage):
        assert "storage is offline" in client.get(path).get_data(as_text=True)


def test_students_learn_nothing_of_our_paths_and_staff_do(
    client: FlaskClient, staff: FlaskClient, services: Services, make: MakeJob
) -> None:
    job_id = make().id
    with unmounted(services.settings.storage):
        for_student = client.get(f"/status/{services.tokens.status(job_id)}")
        for_staff = staff.get(f"/dashboard/jobs/{job_id}")
    assert (for_student.status_code, for_staff.status_code) == (503, 503)
    assert str(services.settings.storage) not in for_student.get_data(as_text=True)
    assert str(services.settings.storage) in for_staff.get_data(as_text=True)


def test_a_reason_that_is_far_too_long_is_asked_for_again(
    client: FlaskClient, services: Services, make: MakeJob
) -> None:
    stored = make(Status.PENDING)
    before = tree(services.settings.storage)
    path = f"/confirm/{confirm_token(services, stored)}"
    data = {"csrf_token": form_token(client), "decision": "decline", "reason": "x" * 6000}
    answer = client.post(path, data=data)
    assert answer.status_code == 422
    assert "under 5000 characters" in answer.get_data(as_text=True)
    assert tree(services.settings.storage) == before
