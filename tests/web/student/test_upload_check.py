"""Before submitting, a student sees what the model is like, whether it will print and about what it may cost."""

from __future__ import annotations

import io
import struct
from html import unescape
from pathlib import Path
from typing import Any, NoReturn

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from printsys.assessment import upload_check
from printsys.errors import ModelTooHard
from printsys.models3d import bounded
from printsys.services import Services
from printsys.web import create_app
from tests.factories import STL
from tests.web.conftest import Submit, form_token, json_of

FLAT = (
    b"solid flat\nfacet normal 0 0 1\nouter loop\nvertex 0 0 0\nvertex 90 0 0\nvertex 0 90 0\nendloop\nendfacet\n"
    b"endsolid\n"
)
HUGE = STL.replace(b"30", b"900")


@pytest.fixture
def app(services: Services) -> Flask:
    """With a checker of its own: it is under test here."""
    return create_app(services)


def ask(client: FlaskClient, *files: tuple[str, bytes], **chosen: Any) -> TestResponse:
    values: dict[str, Any] = {
        "csrf_token": form_token(client),
        "print_method": "Filament",
        "printer": "prusa-mk4s",
    } | chosen
    if files:
        values["file"] = [(io.BytesIO(data), name) for name, data in files]
    return client.post("/submit/check", data=values, content_type="multipart/form-data")


def test_a_good_model_is_shown_with_its_size_beside_the_printer_and_a_price_range(client: FlaskClient) -> None:
    answer = ask(client, ("bracket v2.stl", STL))
    assert answer.status_code == 200
    (model,) = json_of(answer)["files"]
    assert model["model"]["size_mm"] == [30.0, 30.0, 30.0] and model["model"]["watertight"]
    assert model["will_not_print"] is False
    low, high = (float(end) for end in model["price"])
    assert 3.0 <= low <= high < 5.0, "4.5 cm³ of PLA is the minimum charge"
    html = unescape(json_of(answer)["html"])
    for fragment in ("bracket v2.stl", "30 × 30 × 30 mm", "250 × 210 × 220 mm", "a guess until we have sliced it"):
        assert fragment in html
    assert 'src="data:image/png;base64,' in html


def test_another_printer_is_asked_about_without_sending_the_file_again(client: FlaskClient) -> None:
    first = json_of(ask(client, ("a.stl", STL.replace(b"30", b"240"))))["files"][0]
    reference = {"sha256": first["sha256"], "name": "a.stl"}
    second = json_of(ask(client, printer="prusa-xl", **reference))["files"][0]
    assert second["model"] == first["model"]
    assert [f["code"] for f in first["findings"]] == ["too-large-for-printer"]
    assert [f["code"] for f in second["findings"]] == []
    assert ask(client, sha256="0" * 64, name="a.stl").status_code == 409


@pytest.mark.parametrize(
    ("data", "code", "words"), [(FLAT, "flat", "no thickness"), (HUGE, "too-large", "too large for every printer")]
)
def test_what_cannot_be_printed_is_said_before_and_stopped_after_submitting(
    client: FlaskClient, submit: Submit, services: Services, data: bytes, code: str, words: str
) -> None:
    (model,) = json_of(ask(client, ("model.stl", data)))["files"]
    assert model["will_not_print"] and model["findings"][0]["code"] == code and model["price"] is None
    answer = submit({"model.stl": data})
    assert answer.status_code == 422 and words in answer.get_data(as_text=True)
    assert list(services.store.ids()) == []


def test_what_is_only_probably_wrong_stops_nobody(client: FlaskClient, submit: Submit) -> None:
    holes = STL.replace(STL.split(b"facet normal")[1], b"", 1).replace(b"facet normalfacet", b"facet", 1)
    (model,) = json_of(ask(client, ("holes.stl", holes)))["files"]
    assert [f["grade"] for f in model["findings"]][:1] == ["probably wrong"]
    assert submit({"holes.stl": holes}).status_code == 303


def test_without_a_script_the_same_is_shown_after_submitting(client: FlaskClient, submit: Submit) -> None:
    page = client.get(submit().location).get_data(as_text=True)
    for fragment in ("30 × 30 × 30 mm", "Looks printable", "data:image/png;base64,"):
        assert fragment in page


def test_a_model_that_takes_too_long_to_look_at_can_be_sent_all_the_same(
    client: FlaskClient, submit: Submit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload_check, "PATIENCE", bounded.Limits(seconds=0.0))
    answer = json_of(ask(client, ("slow.stl", STL)))
    assert answer["files"][0]["model"] is None and not answer["files"][0]["will_not_print"]
    assert "slow.stl took longer" in unescape(answer["html"]) and "You can still send it" in answer["html"]
    assert submit({"slow.stl": STL}).status_code == 303


def test_a_hostile_file_ends_its_own_process_only(client: FlaskClient) -> None:
    nan = b"\0" * 80 + struct.pack("<I", 4) + struct.pack("<12fH", *[float("nan")] * 12, 0) * 4
    (model,) = json_of(ask(client, ("nan.stl", nan)))["files"]
    assert model["will_not_print"] and model["findings"][0]["grade"] == "cannot print"
    assert client.get("/submit").status_code == 200


def test_what_is_no_model_is_refused_with_the_same_words_as_when_it_is_sent(
    client: FlaskClient, submit: Submit
) -> None:
    check = json_of(ask(client, ("part.stl", b"%PDF-1.7")))
    assert check["files"] == [] and "a PDF document" in check["refused"][0]
    assert check["refused"][0] in unescape(submit({"part.stl": b"%PDF-1.7"}).get_data(as_text=True))


def test_nothing_stays_behind(client: FlaskClient, services: Services) -> None:
    ask(client, ("a.stl", STL))
    assert list((services.settings.instance / "checking").iterdir()) == []


def test_resin_is_priced_as_printed_solid(client: FlaskClient) -> None:
    big = STL.replace(b"30", b"80")
    (filament,) = json_of(ask(client, ("a.stl", big)))["files"]
    (resin,) = json_of(ask(client, ("a.stl", big), print_method="Resin", printer="formlabs-form3"))["files"]
    solid = 80**3 / 6 / 1000 * 1.10
    assert float(resin["price"][0]) == pytest.approx(solid * 0.20, abs=0.05)
    assert float(filament["price"][1]) < float(resin["price"][0])


def test_errors_of_the_look_are_sentences_about_the_students_own_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.stl"
    path.write_bytes(STL)

    def too_hard(at: Path, limits: bounded.Limits) -> NoReturn:
        raise ModelTooHard(f"{at.name} needs too much memory. Please simplify it.")

    monkeypatch.setattr(bounded, "examine", too_hard)
    check = upload_check.check_file(path, "Brücke.stl")
    assert check.trouble == "Brücke.stl needs too much memory. Please simplify it."
