"""The student's form: what a good one makes, what a bad one says, and that a bad one leaves nothing behind."""

from __future__ import annotations

import io
import json
import re
import sys
import threading
from html import unescape

import pytest
from flask import Flask
from flask.testing import FlaskClient

from printsys.domain.status import Status
from printsys.jobstore import Stored
from printsys.services import Services
from printsys.web import create_app
from tests.factories import FORM, STL, act
from tests.mirrored import mirrored_job
from tests.present import present
from tests.web.conftest import PostAction, Submit, Traces, confirm_token, hidden_value, token_in

XSS = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
FOUR_POINTS = b"v 0 0 0\nv 9 0 0\nv 0 9 0\nv 0 0 9\nf 1 2 3\nf 1 2 4\n"


def error_beside(html: str, field: str) -> str:
    """The error under the field, by its id, as a screen reader finds it."""
    match = present(re.search(rf'id="{field}-error"[^>]*>([^<]*)<', html))
    return unescape(match.group(1)).strip() if match else ""


def only_job(services: Services) -> Stored:
    ids = [job_id for job_id, _ in services.store.ids()]
    assert len(ids) == 1
    return services.store.load(ids[0])


# -- a good form ------------------------------------------------------------------------------------------------------


def test_a_good_form_makes_the_folder_its_record_its_log_and_its_row(submit: Submit, services: Services) -> None:
    answer = submit(message="Please mind the <thin> bit.", copies="3", due_date="2026-12-24")
    stored = only_job(services)
    assert answer.status_code == 303 and answer.location == f"/submit/success?job={stored.id}"
    assert stored.folder.name == f"JaneDoe_Filament_TrueRed_{stored.id}" and stored.folder.parent.name == "Uploaded"
    assert (stored.folder / "original" / "bracket v2.stl").read_bytes() == STL
    assert (stored.folder / f"{stored.folder.name}.stl").read_bytes() == STL
    document = json.loads((stored.folder / "metadata.json").read_bytes())
    assert document["status"] == "Uploaded"
    assert document["student"] == {
        "name": "Jane Doe", "email": "jane@example.edu", "discipline": "Architecture", "class_number": "ARCH 4000",
    }  # fmt: skip
    assert document["request"] == {
        "method": "Filament", "color": "True Red", "printer": "prusa-mk4s", "minimum_charge_consent": True,
        "copies": 3, "due_date": "2026-12-24", "message": "Please mind the <thin> bit.",
    }  # fmt: skip
    lines = [json.loads(line) for line in (stored.folder / "events.jsonl").read_text("utf-8").splitlines()]
    assert [(line["type"], line["actor"]) for line in lines] == [("JobCreated", "student"), ("EmailQueued", "student")]
    row = present(mirrored_job(services.queries, stored.id))
    assert row.job.student.name == "Jane Doe" and row.revision == stored.job.revision and row.mail_owed == 1


def test_each_kind_of_model_is_taken_and_several_make_one_job(submit: Submit, services: Services) -> None:
    assert submit(files={"a.stl": STL, "b.OBJ": FOUR_POINTS}).status_code == 303
    originals = sorted(file.name for file in only_job(services).job.files if file.role == "original")
    assert originals == ["original/a.stl", "original/b.OBJ"]


def test_the_optional_fields_may_be_left_out_or_empty(submit: Submit, services: Services) -> None:
    assert submit(copies=None, due_date=None, message=None).status_code == 303
    assert submit(copies="", due_date="", message="").status_code == 303
    for job_id, _ in services.store.ids():
        request = services.store.load(job_id).job.request
        assert (request.copies, request.due_date, request.message or "") == (1, None, "")


@pytest.mark.parametrize(
    ("name", "folder"),
    [("José Ñandú", "JoseNandu"), ("李明", "LiMing"), ("CON", None), ("../../etc/passwd", None), ("a" * 100, None)],
)
def test_any_name_makes_a_safe_folder_and_is_kept_as_it_is(
    submit: Submit, services: Services, name: str, folder: str
) -> None:
    assert submit(student_name=name).status_code == 303
    stored = only_job(services)
    assert stored.job.student.name == name
    assert re.fullmatch(r"[A-Za-z0-9-]+_Filament_TrueRed_[0-9a-z]{8}", stored.folder.name)
    assert folder is None or stored.folder.name.startswith(folder + "_")
    assert stored.folder.parent == services.store.layout.status(Status.UPLOADED)


def test_the_success_page_names_the_job_links_to_its_status_and_says_what_happens_next(
    client: FlaskClient, submit: Submit, services: Services
) -> None:
    page = client.get(submit().location).get_data(as_text=True)
    job = only_job(services).job
    link = present(re.search(r'href="(/status/[^"]+)"', page)).group(1)
    assert job.id in page and "What happens next" in page and "7 days" in page
    assert job.id in client.get(link).get_data(as_text=True)


def test_the_status_link_is_shown_to_no_other_browser(app: Flask, submit: Submit) -> None:
    where = submit().location
    page = app.test_client().get(where)
    assert page.status_code == 200 and "/status/" not in page.get_data(as_text=True)
    assert where.partition("job=")[2] not in page.get_data(as_text=True)


@pytest.mark.parametrize("job", ["", "nosuchid", "<script>", "../../x"])
def test_a_success_page_of_no_job_is_harmless(client: FlaskClient, job: str) -> None:
    page = client.get("/submit/success", query_string={"job": job})
    assert page.status_code == 200 and "/status/" not in page.get_data(as_text=True)


def test_the_form_shows_the_labs_introduction_exactly_and_all_that_the_lab_offers(
    client: FlaskClient, services: Services
) -> None:
    page = client.get("/submit").get_data(as_text=True)
    introduction = present(re.search(r'<div class="introduction">(.*?)</div>', page, re.S)).group(1)
    assert unescape(introduction) == services.lab.submission.introduction
    text = unescape(page)
    for method in services.lab.methods:
        assert method.description in text and all(f'value="{color}"' in text for color in method.colors)
    for printer in services.lab.printers:
        assert f'value="{printer.id}"' in text and printer.volume_text in text
    assert all(f'value="{discipline}"' in text for discipline in services.lab.submission.disciplines)
    assert services.lab.submission.consent_question in text and "50 MB" in text


# -- what is wrong is said, and nothing is left behind ----------------------------------------------------------------


@pytest.mark.parametrize(
    "field",
    [
        "student_name", "student_email", "discipline", "class_number", "print_method", "color", "printer",
        "minimum_charge_consent",
    ],
)  # fmt: skip
@pytest.mark.parametrize("value", [None, "", "   "])
def test_a_missing_field_is_named_and_nothing_is_left_behind(
    submit: Submit, traces: Traces, field: str, value: str | None
) -> None:
    before = traces()
    answer = submit(**{field: value})
    assert answer.status_code == 422
    assert error_beside(answer.get_data(as_text=True), field)
    assert traces() == before


def test_a_form_without_a_file_says_so(submit: Submit, traces: Traces) -> None:
    before = traces()
    answer = submit(files={})
    assert answer.status_code == 422
    assert error_beside(answer.get_data(as_text=True), "file") == "Please choose your model file."
    assert traces() == before


BAD_FIELDS = {
    "consent refused": ({"minimum_charge_consent": "no"}, "minimum_charge_consent", "minimum charge"),
    "consent nonsense": ({"minimum_charge_consent": "maybe"}, "minimum_charge_consent", "yes or no"),
    "color of the other method": ({"color": "Black"}, "color", "Black is not a color that we have for Filament"),
    "printer of the other method": ({"printer": "formlabs-form3"}, "printer", "printer for Filament"),
    "unknown printer": ({"printer": "../x"}, "printer", "printer for Filament"),
    "unknown method": ({"print_method": "Clay"}, "print_method", "Filament, Resin"),
    "unknown discipline": ({"discipline": "Alchemy"}, "discipline", "from the list"),
    "header in the address": ({"student_email": "a@b\r\nBcc: x"}, "student_email", "like jane@example.edu"),
    "header after a good address": ({"student_email": "a@b.edu\nBcc: x@y.edu"}, "student_email", "like jane@"),
    "two addresses": ({"student_email": "a@b.edu,c@d.edu"}, "student_email", "like jane@"),
    "no address": ({"student_email": "jane"}, "student_email", "like jane@example.edu"),
    "a name of control characters": ({"student_name": "\x00\x07\r\n\t"}, "student_name", "fill this in"),
    "a long name": ({"student_name": "x" * 101}, "student_name", "under 100"),
    "a long class": ({"class_number": "x" * 51}, "class_number", "under 50"),
    "a long message": ({"message": "x" * 2001}, "message", "under 2000"),
    "no copies": ({"copies": "0"}, "copies", "at least 1"),
    "copies in words": ({"copies": "two"}, "copies", "whole number"),
    "too many copies": ({"copies": "21"}, "copies", "at most 20"),
    "absurdly many copies": ({"copies": "99999999999999999999"}, "copies", "at most"),
    "no date": ({"due_date": "soon"}, "due_date", "2026-03-31"),
    "a day that is over": ({"due_date": "2026-01-31"}, "due_date", "That day is over"),
}


@pytest.mark.parametrize("case", BAD_FIELDS)
def test_a_bad_field_is_explained_and_nothing_is_left_behind(submit: Submit, traces: Traces, case: str) -> None:
    changed, field, says = BAD_FIELDS[case]
    before = traces()
    answer = submit(**changed)
    assert answer.status_code == 422
    assert says in error_beside(answer.get_data(as_text=True), field)
    assert traces() == before


def test_control_characters_and_line_ends_in_a_name_never_reach_the_record(submit: Submit, services: Services) -> None:
    """They are tidied away and not refused: they come from pasting, and nobody can see them to fix them."""
    assert submit(student_name="Jane\r\nBcc: x\x00\x1b[2J\u202eDoe").status_code == 303
    name = only_job(services).job.student.name
    assert name.isprintable() and "\n" not in name and name.startswith("Jane Bcc")


BAD_FILES = {
    "0 bytes": ({"model.stl": b""}, "is empty (0 bytes)"),
    "a renamed program": ({"model.stl": b"MZ\x90\x00" + b"\x00" * 3000}, "a Windows program"),
    "G-code": ({"model.stl": b"; sliced\nG28\nG1 X1 Y1\nM104 S200\n" * 9}, "G-code"),
    "another extension": ({"model.gcode": b"G28\n"}, "is not one of the kinds that we print (.stl, .obj, .3mf)"),
    "no extension": ({"model": STL}, "is not one of the kinds"),
    "a program's extension behind": ({"model.stl.exe": STL}, "is not one of the kinds"),
    "no zip in a .3mf": ({"model.3mf": b"PK\x03\x04 not really" * 10}, "3MF"),
    "plain text": ({"model.obj": b"Dear lab, please print my model.\n"}, "model.obj"),
    "too many": ({f"{n}.stl": STL for n in range(6)}, "at most 5 files at once; these are 6"),
    "one bad among good": ({"good.stl": STL, "bad.stl": b""}, "bad.stl is empty"),
    "51 MB": ({"model.stl": STL + b" " * (51 * 1024 * 1024)}, "is larger than 50 MB"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_bad_file_is_explained_and_nothing_is_left_behind(submit: Submit, traces: Traces, case: str) -> None:
    files, says = BAD_FILES[case]
    before = traces()
    answer = submit(files=files)
    assert answer.status_code in (413, 422)
    assert says in error_beside(answer.get_data(as_text=True), "file")
    assert traces() == before


def test_a_body_above_the_limit_is_refused_before_it_is_read(client: FlaskClient, app: Flask, traces: Traces) -> None:
    class Untouched(io.BytesIO):
        def read(self, *_: object) -> bytes:
            raise AssertionError("the body was read")

    before = traces()
    answer = client.post(
        "/submit",
        input_stream=Untouched(),
        environ_overrides={"CONTENT_LENGTH": str(app.config["MAX_CONTENT_LENGTH"] + 1)},
        content_type="multipart/form-data; boundary=x",
    )
    assert answer.status_code == 413
    assert "That is too much at once" in answer.get_data(as_text=True)
    assert traces() == before


def test_a_body_that_ends_early_is_refused(client: FlaskClient, traces: Traces) -> None:
    before = traces()
    answer = client.post(
        "/submit",
        input_stream=io.BytesIO(b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.stl"\r\n\r\nsol'),
        environ_overrides={"CONTENT_LENGTH": "5000"},
        content_type="multipart/form-data; boundary=x",
    )
    assert 400 <= answer.status_code < 500
    assert traces() == before


def test_all_mistakes_are_said_at_once_beside_their_fields_and_what_was_typed_is_kept(
    submit: Submit, traces: Traces
) -> None:
    before = traces()
    answer = submit(
        files={"model.exe": b"MZ"},
        student_name="", student_email="jane@", color="Black", printer="formlabs-form3",
        discipline="Alchemy", class_number="ARCH & 4000", minimum_charge_consent="no", message="keep <me>", copies="x",
    )  # fmt: skip
    page = answer.get_data(as_text=True)
    assert answer.status_code == 422
    bad_fields = ("student_name", "student_email", "color", "printer", "discipline", "minimum_charge_consent", "copies")
    assert [field for field in (*bad_fields, "file") if not error_beside(page, field)] == []
    summary = present(re.search(r'id="error-summary">(.*?)</div>', page, re.S)).group(1)
    assert summary.count("<li>") == len(bad_fields) + 1
    assert 'value="jane@"' in page and 'value="ARCH &amp; 4000"' in page and "keep &lt;me&gt;" in page
    assert re.search(r'value="Filament" required checked', page)
    assert re.search(r'<option selected value="Black"', page) and 'value="x"' in page
    assert traces() == before


def test_a_form_with_a_mistake_can_be_fixed_and_sent_again(
    client: FlaskClient, submit: Submit, services: Services
) -> None:
    page = submit(class_number="").get_data(as_text=True)
    values = FORM | {"csrf_token": token_in(page), "submission": hidden_value(page, "submission")}
    answer = client.post("/submit", data=values | {"file": (io.BytesIO(STL), "a.stl")})
    assert answer.status_code == 303 and only_job(services)


# -- sent twice, sent late, sent often --------------------------------------------------------------------------------


def filled(page: str) -> dict[str, object]:
    values = FORM | {"csrf_token": token_in(page), "submission": hidden_value(page, "submission")}
    return values | {"file": (io.BytesIO(STL), "bracket.stl")}


def test_the_same_form_sent_twice_makes_one_job(client: FlaskClient, services: Services) -> None:
    page = client.get("/submit").get_data(as_text=True)
    first = client.post("/submit", data=filled(page))
    second = client.post("/submit", data=filled(page))
    assert first.location == second.location
    assert only_job(services).id in first.location


def test_the_same_form_sent_from_two_threads_at_once_makes_one_job(app: Flask, services: Services) -> None:
    first = app.test_client()
    page = first.get("/submit").get_data(as_text=True)
    cookie = present(first.get_cookie("printsys")).value
    start, answers = threading.Barrier(4), []

    def send() -> None:
        client = app.test_client()
        client.set_cookie("printsys", cookie)
        start.wait(10)
        answers.append(client.post("/submit", data=filled(page)))

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert [answer.status_code for answer in answers] == [303] * 4
    assert len({answer.location for answer in answers}) == 1
    assert only_job(services)


def test_two_forms_make_two_jobs(submit: Submit, services: Services) -> None:
    assert submit().location != submit().location
    assert len(list(services.store.ids())) == 2


def test_a_form_that_lay_open_too_long_keeps_what_was_typed(
    client: FlaskClient, app: Flask, services: Services, traces: Traces
) -> None:
    before = traces()
    page = client.get("/submit").get_data(as_text=True)
    app.config["WTF_CSRF_TIME_LIMIT"] = -1
    answer = client.post("/submit", data=filled(page) | {"message": "kept & whole"})
    form_page = answer.get_data(as_text=True)
    assert answer.status_code == 400 and "This page was open for a long time" in form_page
    assert 'value="Jane Doe"' in form_page and "kept &amp; whole" in form_page and traces() == before
    app.config["WTF_CSRF_TIME_LIMIT"] = 3600
    assert client.post("/submit", data=filled(form_page)).status_code == 303
    assert only_job(services)


def test_a_form_without_its_token_makes_nothing(client: FlaskClient, traces: Traces) -> None:
    before = traces()
    answer = client.post("/submit", data=FORM | {"file": (io.BytesIO(STL), "a.stl")})
    assert answer.status_code == 400 and traces() == before


def test_the_submit_limit_is_honoured(services: Services) -> None:
    object.__setattr__(services.settings, "submit_limit", 2)
    client = create_app(services).test_client()
    answers = [client.post("/submit", data=filled(client.get("/submit").get_data(as_text=True))) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [303, 303, 429]
    assert "Too many tries" in answers[2].get_data(as_text=True)
    assert len(list(services.store.ids())) == 2
    assert client.get("/submit").status_code == 200


def test_a_limit_of_zero_is_no_limit(submit: Submit) -> None:
    assert {submit(student_name="").status_code for _ in range(12)} == {422}


# -- hostile text -----------------------------------------------------------------------------------------------------


@pytest.fixture
def hostile(services: Services, submit: Submit) -> str:
    """The id of an approved job with the payload in everything that its student and staff can write."""
    assert submit(student_name=XSS, class_number=XSS[:50], message=XSS).status_code == 303
    stored = only_job(services)
    if sys.platform != "win32":  # which has no such names
        (stored.folder / "<img src=x onerror=alert(3)>.gcode").write_bytes(b"G28\n")
    act(services.store, stored.id, "notes", notes=XSS)
    services.mirror.put(act(services.store, stored.id, "approve", material=XSS))
    return stored.id


def is_escaped(page: str) -> bool:
    return "<script>alert" not in page and "<img src=x" not in page


def test_hostile_text_is_escaped_on_every_page_that_shows_it(
    client: FlaskClient, staff: FlaskClient, services: Services, hostile: str
) -> None:
    paths_by_browser = {
        client: [
            f"/status/{services.tokens.status(hostile)}",
            f"/confirm/{confirm_token(services, services.store.load(hostile))}",
        ],
        staff: [
            "/dashboard?status=Pending",
            "/dashboard?q=" + XSS,
            f"/dashboard/jobs/{hostile}",
            *(f"/dashboard/jobs/{hostile}/{action}" for action in ("reject", "confirm", "revert", "override")),
            *(f"/dashboard/jobs/{hostile}/{action}" for action in ("notes", "details", "choose-file", "delete")),
        ],
    }
    for browser, paths in paths_by_browser.items():
        for path in paths:
            page = browser.get(path)
            assert page.status_code == 200, path
            assert is_escaped(page.get_data(as_text=True)), path
    assert "&lt;script&gt;alert(1)" in staff.get(f"/dashboard/jobs/{hostile}").get_data(as_text=True)
    assert "&lt;script&gt;alert(1)" in client.get(paths_by_browser[client][1]).get_data(as_text=True)


@pytest.mark.parametrize("field", [*FORM, "submission"])
def test_hostile_text_in_a_form_that_comes_back_is_escaped(submit: Submit, client: FlaskClient, field: str) -> None:
    page = client.get("/submit").get_data(as_text=True)
    answer = client.post("/submit", data=filled(page) | {"class_number": "", field: XSS})
    assert answer.status_code == 422
    assert is_escaped(answer.get_data(as_text=True))


def test_hostile_text_in_a_file_name_is_escaped(submit: Submit) -> None:
    for name in ("<img src=x onerror=alert(1)>.exe", "<script>alert(1)</script>.stl"):
        assert is_escaped(submit(files={name: b""}).get_data(as_text=True))


def test_hostile_text_in_a_conflict_page_is_escaped(staff: FlaskClient, hostile: str, post: PostAction) -> None:
    answer = post(hostile, "reject", revision="1", comment=XSS)
    assert answer.status_code == 409 and is_escaped(answer.get_data(as_text=True))
