"""Before submitting, a student sees what the model is like, whether it will print and about what it may cost."""

from __future__ import annotations

import io
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from html import unescape
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
import trimesh
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from printsys.assessment import upload_check, upload_checker
from printsys.assessment.upload_checker import NamedHash, UploadChecker
from printsys.errors import ModelTooHard
from printsys.jobstore.arriving import ArrivingFile
from printsys.models3d import bounded
from printsys.services import Services
from printsys.web import create_app
from printsys.web.uploads import UPLOAD_CHECKER
from printsys.worker.file_inspector import FileInspector
from tests.factories import STL
from tests.present import present
from tests.waiting import until
from tests.web.conftest import Submit, form_token, json_of

FLAT = (
    b"solid flat\nfacet normal 0 0 1\nouter loop\nvertex 0 0 0\nvertex 90 0 0\nvertex 0 90 0\nendloop\nendfacet\n"
    b"endsolid\n"
)
HUGE = STL.replace(b"30", b"900")


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A loaded machine is no failure: what is about giving up sets its own limits."""
    monkeypatch.setattr(upload_checker, "BUSY_S", 60.0)
    monkeypatch.setattr(upload_checker, "UNWANTED_S", 120.0)
    monkeypatch.setattr("printsys.web.student.upload_check.QUICK_S", 60.0)


@pytest.fixture
def app(services: Services) -> Iterator[Flask]:
    """With a checker of its own: it is under test here."""
    app = create_app(services)
    yield app
    app.extensions[UPLOAD_CHECKER].stop()


def ask(client: FlaskClient, *files: tuple[str, bytes], **chosen: Any) -> TestResponse:
    values: dict[str, Any] = {
        "csrf_token": form_token(client),
        "print_method": "Filament",
        "printer": "prusa-mk4s",
    } | chosen
    if files:
        values["file"] = [(io.BytesIO(data), name) for name, data in files]
    answer = client.post("/submit/check", data=values, content_type="multipart/form-data")
    if answer.status_code != 202:
        return answer
    answers = [answer]
    later = f"/submit/check/{json_of(answer)['id']}"
    choices = {name: values[name] for name in ("print_method", "printer")}

    def is_known() -> bool:
        """As the form's script asks."""
        answers.append(client.get(later, query_string=choices))
        return answers[-1].status_code != 202

    until(is_known)
    return answers[-1]


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


def test_where_inside_and_outside_are_unclear_the_student_hears_why_there_is_no_price(client: FlaskClient) -> None:
    tube: Any = trimesh.creation.cylinder(10, 40)
    tube.update_faces(np.abs(tube.face_normals[:, 2]) < 0.5)
    answer = json_of(ask(client, ("tube.stl", tube.export(file_type="stl"))))
    (model,) = answer["files"]
    assert not model["will_not_print"] and model["price"] is None
    assert "what is inside of this model and what is outside is unclear" in unescape(answer["html"])


def test_the_price_guess_is_for_all_copies(client: FlaskClient) -> None:
    # FAULTS section 3: 6 copies cost more than one.
    model = STL.replace(b"30", b"60")
    (single,) = json_of(ask(client, ("cube.stl", model)))["files"]
    several = json_of(ask(client, copies="6", sha256=single["sha256"], name="cube.stl"))
    low, high = (float(end) for end in several["files"][0]["price"])
    assert 4 * float(single["price"][1]) < high and 3.0 < low < high
    assert "for all 6 copies" in several["html"]
    for copies in ("", "many", "0", "100000"):
        assert json_of(ask(client, copies=copies, sha256=single["sha256"], name="cube.stl"))["files"][0] == single


def test_another_printer_is_asked_about_without_sending_the_file_again(client: FlaskClient) -> None:
    first = json_of(ask(client, ("a.stl", STL.replace(b"30", b"240"))))["files"][0]
    reference = {"sha256": first["sha256"], "name": "a.stl"}
    second = json_of(ask(client, printer="prusa-xl", **reference))["files"][0]
    assert second["model"] == first["model"]
    assert [f["code"] for f in first["findings"]] == ["too-large-for-printer"]
    assert [f["code"] for f in second["findings"]] == []
    assert ask(client, sha256="0" * 64, name="a.stl").status_code == 409


def test_a_browser_without_a_script_hears_of_what_cannot_be_printed_when_it_sends_it(
    submit: Submit, services: Services
) -> None:
    refused = submit({"flat.stl": FLAT}, without_script="yes")
    words = unescape(refused.get_data(as_text=True))
    assert refused.status_code == 422 and "flat.stl: This model is flat" in words
    assert "Please choose the file again" in words and list(services.store.ids()) == []
    assert submit({"part.stl": STL}, without_script="yes").status_code == 303


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
    ask(client, ("bracket v2.stl", STL))
    page = client.get(submit().location).get_data(as_text=True)
    for fragment in ("30 × 30 × 30 mm", "Looks printable", "data:image/png;base64,"):
        assert fragment in page


def test_what_nobody_has_looked_at_yet_is_shown_as_soon_as_the_worker_has(
    client: FlaskClient, submit: Submit, services: Services
) -> None:
    """FAULTS S2: sending waits for no look, and neither does the page after it."""
    success = submit().location
    page = client.get(success).get_data(as_text=True)
    assert "We have not looked at it yet" in page and "data-pending" in page
    ((job_id, _),) = services.store.ids()
    FileInspector(services).attend(job_id)
    page = client.get(success).get_data(as_text=True)
    for fragment in ("30 × 30 × 30 mm", "Looks printable", "data:image/png;base64,"):
        assert fragment in page
    assert "data-pending" not in page


def test_a_model_that_takes_too_long_to_look_at_can_be_sent_all_the_same(
    client: FlaskClient, submit: Submit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload_checker, "PATIENCE", bounded.Limits(seconds=0.0))
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

    def too_hard(at: Path, *_: object) -> NoReturn:
        raise ModelTooHard(f"{at.name} needs too much memory. Please simplify it.")

    monkeypatch.setattr(bounded, "examine", too_hard)
    check = upload_check.check_file(path, "Brücke.stl")
    assert check.trouble == "Brücke.stl needs too much memory. Please simplify it."


@pytest.mark.parametrize("is_unprintable", [False, True])
def test_a_file_that_two_students_sent_is_told_to_each_under_its_own_name(
    services: Services, is_unprintable: bool
) -> None:
    check = upload_check.UploadCheck(
        trouble="jane_doe.stl is damaged.", is_unprintable=is_unprintable, name="jane_doe.stl"
    )
    prices = services.actions.context().prices
    model = upload_check.judge("thesis.stl", "0" * 64, check, services.lab, upload_check.Wishes(), prices)
    words = f"{model.check.trouble} {[finding.sentence for finding in model.findings]}"
    assert "thesis.stl is damaged." in words and "jane_doe" not in words


# -- FAULTS S2: many ask at once, and some ask for too much -------------------------------------------------------


@pytest.fixture
def slow_look(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Looks that take as long as the test wants them to. They still end when nobody wants them."""
    go_on = threading.Event()
    examine = bounded.examine

    def examine_slowly(
        path: Path, limits: bounded.Limits, is_wanted: Callable[[], bool], *rest: Any
    ) -> bounded.Examination:
        while not go_on.wait(0.01):
            if not is_wanted():
                raise bounded.Abandoned
        return examine(path, limits, is_wanted, *rest)

    monkeypatch.setattr(bounded, "examine", examine_slowly)
    yield go_on
    go_on.set()


@pytest.fixture
def checker(tmp_path: Path) -> Iterator[UploadChecker]:
    checker = UploadChecker(tmp_path / "checking")
    yield checker
    checker.stop()


def ask_about(checker: UploadChecker, client: str, *sizes: int) -> list[NamedHash]:
    """Models of those sizes, as one request of `client` brings them."""
    with ExitStack() as request:
        sent = []
        for size in sizes:
            file = request.enter_context(closing(ArrivingFile(checker.arrivals, 1 << 20)))
            file.write(STL.replace(b"30", str(size).encode()))
            sent.append((f"{size}.stl", file))
        return checker.ask(sent, client)


def test_a_page_does_not_wait_for_a_dear_model(
    app: Flask, slow_look: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("printsys.web.student.upload_check.QUICK_S", 0.0)
    client = app.test_client()
    values = {"csrf_token": form_token(client), "file": [(io.BytesIO(STL), "a.stl")]}
    answer = client.post("/submit/check", data=values, content_type="multipart/form-data")
    assert (
        answer.status_code == 202 and json_of(answer)["pending"] and "Looking at your model" in json_of(answer)["html"]
    )
    later = f"/submit/check/{json_of(answer)['id']}"
    assert client.get(later).status_code == 202
    slow_look.set()
    until(lambda: client.get(later, query_string={"printer": "prusa-xl"}).status_code == 200)
    assert json_of(client.get(later))["files"][0]["model"]["size_mm"] == [30.0, 30.0, 30.0]
    assert client.get("/submit/check/none").status_code == 404


def test_the_queue_is_bounded_and_who_finds_it_full_can_send_all_the_same(
    app: Flask, submit: Submit, slow_look: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    checker: UploadChecker = app.extensions[UPLOAD_CHECKER]
    monkeypatch.setattr(upload_checker, "MOST_WAITING", 3)
    ask_about(checker, "browser", *range(31, 31 + upload_checker.AT_ONCE))
    until(lambda: sum(question.is_running for question in checker._questions.values()) == upload_checker.AT_ONCE)
    for number in range(5):
        ask_about(checker, f"browser {number}", 41 + number)
    assert len(checker._questions) == upload_checker.AT_ONCE + 3
    answer = json_of(ask(app.test_client(), ("late.stl", STL)))
    assert not answer["pending"] and "We have no time to look at it now. You can still send it" in answer["html"]
    assert submit({"late.stl": STL}).status_code == 303


def test_few_pages_wait_for_a_quick_answer(checker: UploadChecker, slow_look: threading.Event) -> None:
    """The server's threads are for pages."""
    asked = ask_about(checker, "browser", 31)
    waiting = [
        threading.Thread(target=checker.wait, args=(asked, 60.0)) for _ in range(upload_checker.MOST_PAGES_WAITING)
    ]
    for thread in waiting:
        thread.start()
    until(lambda: checker._pages._value == 0)
    checker.wait(asked, 60.0)  # returns at once
    assert all(thread.is_alive() for thread in waiting)
    slow_look.set()
    for thread in waiting:
        thread.join()


def test_a_browser_that_asks_much_comes_after_one_that_asks_little(
    checker: UploadChecker, slow_look: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload_checker, "AT_ONCE", 1)
    order: list[str] = []
    check_file = upload_check.check_file

    def note(path: Path, name: str, *rest: Any, **volumes: Any) -> upload_check.UploadCheck:
        order.append(name)
        return check_file(path, name, *rest, **volumes)

    monkeypatch.setattr(upload_checker, "check_file", note)
    first = ask_about(checker, "greedy", 31)
    until(lambda: order == ["31.stl"])
    checker._used_s["greedy"] = 20.0
    greedy = ask_about(checker, "greedy", 31, 41, 42, 43)
    modest = ask_about(checker, "modest", 51)
    slow_look.set()
    checker.wait([*first, *greedy, *modest], 60.0)
    assert order == ["31.stl", "51.stl", "41.stl", "42.stl", "43.stl"]


def test_a_full_queue_has_room_for_who_has_less_in_it(
    checker: UploadChecker, slow_look: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload_checker, "MOST_WAITING", 4)
    ask_about(checker, "browser", *range(31, 31 + upload_checker.AT_ONCE))
    until(lambda: sum(question.is_running for question in checker._questions.values()) == upload_checker.AT_ONCE)
    greedy = ask_about(checker, "greedy", 41, 42, 43, 44, 45)
    modest = [ask_about(checker, f"browser {number}", 51 + number)[0] for number in range(4)]
    has_no_time = [checker.result(sha256) is upload_checker.LATER for _, sha256 in greedy + modest]
    assert has_no_time == [False, True, True, True, True, False, False, False, True]
    assert len(list(checker._scratch.glob("*/model.stl"))) == upload_checker.AT_ONCE + 4


def test_a_new_browser_starts_with_what_others_of_its_address_have_used(
    checker: UploadChecker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So a prankster with one new browser after the other does not come before who has had a look."""
    monkeypatch.setattr(upload_checker, "AT_ONCE", 1)
    go_on, order = threading.Event(), list[str]()

    def note(path: Path, name: str, *_: Any, **volumes: Any) -> upload_check.UploadCheck:
        order.append(name)
        go_on.wait(60)
        return upload_check.UploadCheck()

    monkeypatch.setattr(upload_checker, "check_file", note)
    asked = ask_about(checker, "10.0.0.2 browser", 31)
    until(lambda: order == ["31.stl"])
    checker._used_s |= {"10.0.0.1 student": 2.0, "10.0.0.1 prankster": 60.0}
    asked += ask_about(checker, "10.0.0.1 new", 41)
    asked += ask_about(checker, "10.0.0.1 student", 51)
    asked += ask_about(checker, "10.0.0.3 new", 61)
    go_on.set()
    checker.wait(asked, 60.0)
    assert order == ["31.stl", "61.stl", "51.stl", "41.stl"]


def test_a_model_that_others_left_too_little_time_is_not_called_too_hard(
    checker: UploadChecker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload_checker, "AT_ONCE", 1)
    monkeypatch.setattr(upload_checker, "BUSY_S", 5.0)
    go_on = threading.Event()

    def take_too_long(
        path: Path, name: str, limits: bounded.Limits, *_: Any, **volumes: Any
    ) -> upload_check.UploadCheck:
        go_on.wait(60)
        return upload_check.UploadCheck(trouble=f"It took longer than {limits.seconds:g} s.")

    monkeypatch.setattr(upload_checker, "check_file", take_too_long)
    asked = ask_about(checker, "browser", 31)
    until(lambda: any(question.is_running for question in checker._questions.values()))
    asked += ask_about(checker, "hurried browser", 41) + ask_about(checker, "third browser", 51)
    go_on.set()
    checker.wait(asked, 60.0)
    troubles = [present(checker.result(sha256)).trouble for _, sha256 in asked]
    assert troubles == ["It took longer than 20 s.", upload_checker.LATER.trouble, "It took longer than 20 s."]
    checker.wait(ask_about(checker, "hurried browser", 41), 60.0)
    assert present(checker.result(asked[1][1])).trouble == "It took longer than 20 s."


def test_what_its_browser_left_is_dropped(
    checker: UploadChecker, slow_look: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload_checker, "UNWANTED_S", 0.5)
    ask_about(checker, "browser that leaves", *range(31, 37))
    until(lambda: not checker._questions)
    assert not slow_look.is_set(), "nothing was looked at to the end"


def test_another_choice_drops_the_one_before(checker: UploadChecker, slow_look: threading.Event) -> None:
    first = ask_about(checker, "browser", 31, 32, 33, 34)
    shared = ask_about(checker, "another browser", 34)
    second = ask_about(checker, "browser", 60)
    until(lambda: all(checker.result(sha256) is upload_checker.LATER for _, sha256 in first[:3]))
    slow_look.set()
    checker.wait([*shared, *second], 60.0)
    for _, sha256 in [*shared, *second]:
        check = checker.result(sha256)
        assert check is not None and check.facts is not None


def test_the_same_model_sent_twice_at_once_is_looked_at_once(
    checker: UploadChecker, slow_look: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both are on their way to the queue before either is in it."""
    together = threading.Barrier(2)
    move_to = ArrivingFile.move_to

    def move_together(*arguments: Any, **options: Any) -> None:
        together.wait(30)
        move_to(*arguments, **options)

    monkeypatch.setattr(ArrivingFile, "move_to", move_together)
    asking = [threading.Thread(target=ask_about, args=(checker, f"browser {n}", 31)) for n in range(2)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    assert len(checker._questions) == 1 and len(list(checker._scratch.iterdir())) == 1
    monkeypatch.setattr(ArrivingFile, "move_to", move_to)
    slow_look.set()
    for number in (31, 32, 33):
        asked = ask_about(checker, "browser", number)
        checker.wait(asked, 60.0)
        assert present(checker.result(asked[0][1])).facts is not None
    assert list(checker._scratch.iterdir()) == []


def test_an_error_that_nobody_foresaw_ends_one_look_only(
    checker: UploadChecker, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_file = upload_check.check_file

    def stumble(path: Path, name: str, *rest: Any, **volumes: Any) -> upload_check.UploadCheck:
        if name.startswith("31"):
            raise KeyError("a library's own")
        return check_file(path, name, *rest, **volumes)

    monkeypatch.setattr(upload_checker, "check_file", stumble)
    for number in (31, 31, 31, 32):
        asked = ask_about(checker, "browser", number)
        checker.wait(asked, 60.0)
    assert present(checker.result(asked[0][1])).facts is not None
    assert checker.result(ask_about(checker, "browser", 31)[0][1]) in (None, upload_checker.LATER)


def test_a_full_disk_of_this_computer_stops_no_submission(
    app: Flask, submit: Submit, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FAULTS R14: the look is a comfort."""
    (services.settings.instance / "checking").write_text("a file where the copies should go", "utf-8")
    assert "You can still send it" in json_of(ask(app.test_client(), ("a.stl", STL)))["html"]
    assert submit().status_code == 303


def test_a_number_of_copies_as_long_as_a_page_is_one_copy(client: FlaskClient) -> None:
    answer = ask(client, ("part.stl", STL), copies="9" * 5000)
    assert answer.status_code == 200 and "for all" not in json_of(answer)["html"]
