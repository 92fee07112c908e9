"""What every answer tells the browser, what no page may contain, and what no address may reach."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from printsys.domain import workflow
from printsys.domain.status import Status
from printsys.services import Services
from printsys.web import create_app
from tests.factories import STL
from tests.links import link
from tests.present import present
from tests.web.conftest import MakeJob, PastStore, Submit, Traces, confirm_token, form_token, tree

# -- headers ----------------------------------------------------------------------------------------------------------


def kinds_of_answers(
    client: FlaskClient, staff: FlaskClient, services: Services, job_id: str
) -> Iterator[TestResponse]:
    """A page, a redirect, JSON, a download, a style sheet, and each kind of refusal."""
    yield client.get("/submit")
    yield client.get("/")
    yield client.get("/dashboard")
    yield client.get("/healthz")
    yield client.get("/api/v1/jobs")
    yield client.get("/nothing/here")
    yield client.get("/status/forged")
    yield client.get(f"/status/{services.tokens.status(job_id)}")
    yield client.post("/submit")
    yield client.put("/submit")
    yield client.get("/static/css/site.css")
    yield client.post("/submit", environ_overrides={"CONTENT_LENGTH": str(10**12)}, content_type="multipart/form-data")
    yield staff.get("/dashboard")
    yield staff.get("/api/v1/jobs")
    yield staff.get(f"/dashboard/jobs/{job_id}/files/original/bracket%20v2.stl")
    yield staff.get(f"/dashboard/jobs/{job_id}/files/none.stl")
    yield staff.post(
        f"/dashboard/jobs/{job_id}/start", data={"csrf_token": form_token(staff, "/logout"), "revision": 0}
    )


def test_every_kind_of_answer_carries_the_headers_that_protect(
    client: FlaskClient, staff: FlaskClient, services: Services, make: MakeJob
) -> None:
    codes = set()
    for answer in kinds_of_answers(client, staff, services, make(Status.READY_TO_PRINT).id):
        codes.add(answer.status_code)
        headers, where = answer.headers, answer.request.path
        assert headers["X-Content-Type-Options"] == "nosniff", where
        assert headers["X-Frame-Options"] == "DENY", where
        assert headers["Referrer-Policy"] in ("same-origin", "no-referrer"), where
        assert "camera=()" in headers["Permissions-Policy"], where
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin", where
        assert_strict(headers["Content-Security-Policy"])
    assert {200, 302, 400, 401, 404, 405, 409, 413} <= codes


def assert_strict(policy: str) -> None:
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'" and rules["script-src"] == "'self'" and rules["style-src"] == "'self'"
    for name in ("base-uri", "frame-ancestors", "object-src"):
        assert rules[name] == "'none'"
    assert rules["form-action"] == "'self'"
    assert not re.search(r"unsafe|\*|https?:|blob:", policy)


def test_an_error_of_our_own_is_a_page_that_tells_no_secrets(
    staff: FlaskClient, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    def burst(*_: object) -> None:
        raise RuntimeError("secret details of the inside")

    monkeypatch.setattr(type(services.queries), "counts", burst)
    answer = staff.get("/dashboard")
    assert answer.status_code == 500 and "Something went wrong on our side" in answer.get_data(as_text=True)
    assert "secret details" not in answer.get_data(as_text=True)
    assert_strict(answer.headers["Content-Security-Policy"])


def test_nothing_with_a_token_or_a_name_is_kept_by_caches(
    client: FlaskClient, staff: FlaskClient, submit: Submit, services: Services, make: MakeJob
) -> None:
    job = make(Status.PENDING)
    token = confirm_token(services, job)
    for answer in (
        client.get(f"/status/{services.tokens.status(job.id)}"),
        client.get(f"/confirm/{token}"),
        client.get(submit().location),
        client.get("/submit"),
        staff.get("/dashboard"),
        staff.get(f"/dashboard/jobs/{job.id}"),
        staff.get("/api/v1/jobs"),
    ):
        assert answer.status_code == 200
        assert "no-store" in answer.headers["Cache-Control"], answer.request.path


def test_a_download_is_never_given_out_of_a_cache_unasked(staff: FlaskClient, make: MakeJob) -> None:
    answer = staff.get(f"/dashboard/jobs/{make().id}/files/original/bracket%20v2.stl")
    assert answer.headers["Cache-Control"] in ("no-store", "no-cache")


def test_styles_and_scripts_may_be_kept_by_caches(client: FlaskClient) -> None:
    assert "no-store" not in client.get("/static/css/site.css").headers.get("Cache-Control", "")


# -- pages ------------------------------------------------------------------------------------------------------------


class Inline(HTMLParser):
    """Collects what the policy would block, or what leads to another host."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._script = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        self._script = tag == "script" and "src" not in attributes
        if tag == "style" or (tag == "script" and not (attributes.get("src") or "/").startswith("/")):
            self.found.append(f"<{tag}>")
        if tag in ("iframe", "object", "embed", "base"):
            self.found.append(f"<{tag}>")
        for name, value in attributes.items():
            if name == "style" or name.startswith("on"):
                self.found.append(f"<{tag} {name}>")
            if name in ("href", "src", "action", "formaction"):
                scheme = re.match(r"[a-z]+:|//", (value or "").strip().lower())
                local = (value or "").startswith("http://localhost/")
                if scheme and scheme.group() not in ("mailto:", "data:") and not local:
                    self.found.append(f"<{tag} {name}={value}>")
        if tag == "form" and (attributes.get("method") or "get").lower() == "post":
            self.found.append("<form post>")  # taken back by its token, which must come next
        if tag == "input" and attributes.get("name") == "csrf_token" and attributes.get("value"):
            self.found.remove("<form post>")

    def handle_data(self, data: str) -> None:
        if self._script and data.strip():
            self.found.append(f"<script>{data[:40]}")


def faults(answer: TestResponse) -> list[str]:
    reader = Inline()
    reader.feed(answer.get_data(as_text=True))
    return reader.found


def test_the_reader_finds_what_it_is_for() -> None:
    class Answer:
        def get_data(self, as_text: bool) -> str:
            return (
                '<style>a{}</style><script>x()</script><a onclick="x" style="a" href="javascript:x">'
                '<form method="post"><script src="https://cdn/x.js"></script>'
            )

    assert len(faults(Answer())) == 8  # type: ignore[arg-type]


@pytest.mark.parametrize("status", list(Status))
def test_no_page_has_anything_inline_and_every_form_has_its_token(
    client: FlaskClient, staff: FlaskClient, services: Services, make: MakeJob, status: Status
) -> None:
    job = make(status, message="A message")
    (job.folder / "plate.gcode").write_bytes(b"G28\n")
    pages = [client.get(f"/status/{services.tokens.status(job.id)}"), staff.get(f"/dashboard?status={status.value}")]
    pages += [staff.get(f"/dashboard/jobs/{job.id}")]
    if job.job.confirmation:
        pages.append(client.get(f"/confirm/{confirm_token(services, job)}"))
    data = {"csrf_token": form_token(staff, "/logout")}
    for step in workflow.steps_from(status):
        url = f"/dashboard/jobs/{job.id}/{step.action}"
        pages.append(staff.get(url))
        stale = staff.post(url, data=data | {"revision": 0})
        assert stale.status_code == 409
        pages.append(stale)
        if step.action in ("approve", "reject", "fail", "pickup", "delete"):
            refused = staff.post(url, data=data | {"revision": job.job.revision})
            assert refused.status_code == 422
            pages.append(refused)
    for page in pages:
        assert page.status_code in (200, 409, 410, 422), page.request.path
        assert faults(page) == [], page.request.path


def test_the_other_pages_have_nothing_inline_either(
    client: FlaskClient, staff: FlaskClient, submit: Submit, services: Services, past_store: PastStore, make: MakeJob
) -> None:
    old = make(Status.PENDING, ago=timedelta(days=30))
    expired = f"/confirm/{confirm_token(services, old)}"
    data = {"csrf_token": form_token(client)}
    pages = [
        client.get("/submit"), submit(student_name=""), client.get(submit().location), client.get("/submit/success"),
        client.get("/login"), client.post("/login", data=data), staff.get("/logout"), staff.get("/dashboard?q=x"),
        client.get(expired), client.post(f"{expired}/resend", data=data), client.get("/status/x"), client.get("/none"),
        client.post("/submit"), staff.get("/dashboard/jobs/nosuchid"), staff.get("/dashboard?color=Blue&sort=due"),
        staff.get(f"/dashboard/jobs/{old.id}?status=Pending"),
        staff.post("/dashboard/bulk/start", data={"csrf_token": form_token(staff, "/logout"), "job": f"{old.id}:1"}),
    ]  # fmt: skip
    for page in pages:
        assert page.mimetype == "text/html" and faults(page) == [], page.request.path


def test_what_the_pages_refer_to_is_there(client: FlaskClient, staff: FlaskClient, make: MakeJob) -> None:
    job = make(Status.PENDING)
    pages = [client.get("/submit"), staff.get("/dashboard"), staff.get(f"/dashboard/jobs/{job.id}")]
    links = {
        unescape(link)
        for page in pages
        for link in re.findall(r'<(?:script|link)[^>]*(?:src|href)="([^"]+)"', page.get_data(as_text=True))
    }
    assert len(links) >= 4
    for address in links:
        answer = client.get(address)
        assert answer.status_code == 200, address
        assert answer.mimetype in ("text/css", "text/javascript", "application/javascript", "image/svg+xml"), address


# -- downloads --------------------------------------------------------------------------------------------------------


def test_a_download_is_saved_and_never_shown(staff: FlaskClient, make: MakeJob) -> None:
    job = make(files=[("bracket v2.stl", STL), ("Ünïcode 李.obj", b"v 0 0 0\n")])
    for record in job.job.files:
        answer = staff.get(f"/dashboard/jobs/{job.id}/files/{record.name}")
        assert answer.status_code == 200
        assert answer.data == (job.folder / record.name).read_bytes()
        assert answer.headers["Content-Disposition"].startswith("attachment; filename")
        assert answer.mimetype == "application/octet-stream"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("name", ["page.html", "drawing.svg", "note.pdf", "script.js", "x.gcode"])
def test_what_a_browser_would_run_is_a_download_like_any_other(staff: FlaskClient, make: MakeJob, name: str) -> None:
    job = make()
    (job.folder / name).write_text("<script>alert(1)</script>", "utf-8")
    answer = staff.get(f"/dashboard/jobs/{job.id}/files/{name}")
    assert answer.status_code == 404 or answer.headers["Content-Disposition"].startswith("attachment")
    assert answer.mimetype in ("application/octet-stream", "text/html" if answer.status_code == 404 else None)


OUTSIDE = [
    "../metadata.json", "..%2fsecret.txt", "..%2f..%2fsecret.txt", "%2e%2e/secret.txt", "%2e%2e%2f%2e%2e%2fsecret.txt",
    "..%5csecret.txt", "..\\secret.txt", "original/../../secret.txt", "original/..%2f..%2f..%2fsecret.txt",
    "/etc/passwd", "%2fetc%2fpasswd", "//etc/passwd", "C:%5cWindows%5cwin.ini", "c:/windows/win.ini",
    "metadata.json::$DATA", "original/bracket v2.stl%00.png", "link.txt", "linked/secret.txt", ".", "..", "original",
    "original/", "%252e%252e%252fsecret.txt", "....//secret.txt", "nothing.stl", "a" * 3000, "\u2025/secret.txt",
    "CON", "~/.ssh/id_rsa",
]  # fmt: skip


@pytest.mark.parametrize("name", OUTSIDE)
def test_no_download_leads_outside_the_jobs_folder(
    staff: FlaskClient, services: Services, make: MakeJob, tmp_path: Path, name: str
) -> None:
    job = make()
    for folder in (job.folder.parent, services.store.layout.root, tmp_path):
        (folder / "secret.txt").write_text("secret", "utf-8")
    if name.startswith("link"):
        link(job.folder / "link.txt", tmp_path / "secret.txt")
        link(job.folder / "linked", tmp_path)
    answer = staff.get(f"/dashboard/jobs/{job.id}/files/{name}")
    if answer.status_code in (301, 308):  # `//` is tidied away first
        answer = staff.get(answer.location)
    assert answer.status_code == 404 and answer.data != b"secret" and b"root:" not in answer.data


@pytest.mark.parametrize("job_id", ["..", ".", "%2e%2e", "..%2f..", ".printsys", "Uploaded", "*", "[a-z]*", "a" * 300])
def test_what_is_no_jobs_id_finds_no_job(
    client: FlaskClient, staff: FlaskClient, services: Services, make: MakeJob, job_id: str
) -> None:
    make()
    for path in ("/dashboard/jobs/{}", "/dashboard/jobs/{}/files/metadata.json", "/api/v1/jobs/{}"):
        assert staff.get(path.format(job_id)).status_code in (404, 308), path
    locks = services.store.layout.root / ".printsys" / "locks"
    assert {path.suffix for path in locks.iterdir()} <= {".lock"} and locks.parent.parent.is_dir()


def test_another_jobs_files_are_not_this_ones(staff: FlaskClient, make: MakeJob) -> None:
    mine, theirs = make(), make()
    assert staff.get(f"/dashboard/jobs/{mine.id}/files/{theirs.folder.name}.stl").status_code == 404
    assert staff.get(f"/dashboard/jobs/{mine.id}/files/..%2f{theirs.folder.name}%2fmetadata.json").status_code == 404


# -- cookies and forms ------------------------------------------------------------------------------------------------


def cookie_of(answer: TestResponse) -> str:
    return next(value for value in answer.headers.getlist("Set-Cookie") if value.startswith("printsys="))


def test_the_session_cookie_is_for_this_site_alone_and_not_for_scripts(client: FlaskClient) -> None:
    cookie = cookie_of(client.get("/submit"))
    assert "HttpOnly" in cookie and "SameSite=Lax" in cookie and "Secure" not in cookie and "Domain=" not in cookie


def test_behind_https_the_cookie_is_secure_and_browsers_stay_with_https(services: Services) -> None:
    object.__setattr__(services.settings, "base_url", "https://print.example.edu")
    answer = create_app(services).test_client().get("/submit", base_url="https://print.example.edu")
    assert "Secure" in cookie_of(answer) and "HttpOnly" in cookie_of(answer)
    assert "max-age" in answer.headers["Strict-Transport-Security"]


def test_a_lab_without_https_does_not_ask_browsers_for_it(client: FlaskClient) -> None:
    assert "Strict-Transport-Security" not in client.get("/submit").headers


def test_every_form_that_changes_something_needs_its_token(
    app: Flask, client: FlaskClient, staff: FlaskClient, services: Services, make: MakeJob, traces: Callable[[], object]
) -> None:
    """Every POST there is, also those that somebody adds later."""
    job = make(Status.PENDING)
    token = confirm_token(services, job)
    before, tried = traces(), 0
    for rule in app.url_map.iter_rules():
        if "POST" not in present(rule.methods) or rule.endpoint.startswith("api."):
            continue
        for action in sorted({step.action for step in workflow.STEPS}) if "<action>" in rule.rule else [""]:
            values = {"<job_id>": job.id, "<token>": token, "<action>": action}
            path = "".join(
                values.get(f"<{part.partition(':')[2] or part}>", "x") if number % 2 else part
                for number, part in enumerate(re.split("[<>]", rule.rule))
            )
            for csrf in (None, "forged", form_token(app.test_client())):  # somebody else's is no better than none
                data = {"revision": job.job.revision, "decision": "confirm", "confirm_id": job.id, "reason": "x"}
                answer = staff.post(path, data=data | ({"csrf_token": csrf} if csrf else {}))
                assert answer.status_code == 400, (path, csrf)
                tried += 1
    assert tried > 60 and traces() == before


def test_reading_never_changes_anything(staff: FlaskClient, client: FlaskClient, make: MakeJob) -> None:
    job = make(Status.PENDING)
    before = tree(job.folder)
    for step in workflow.steps_from(Status.PENDING):
        staff.get(f"/dashboard/jobs/{job.id}/{step.action}?revision={job.job.revision}&reason=x&confirm_id={job.id}")
    for path in (f"/dashboard/jobs/{job.id}", "/dashboard", f"/api/v1/jobs/{job.id}/events"):
        assert staff.get(path).status_code == 200
    assert tree(job.folder) == before


@pytest.mark.parametrize(
    "body", [b"", b"\xff\xfe\x00", b"a=%ff%fe&csrf_token=%00", b"&" * 5000, b"a=1&" * 3000], ids=len
)
def test_a_body_that_is_no_form_is_a_plain_refusal(client: FlaskClient, body: bytes, traces: Traces) -> None:
    before = traces()
    for path in ("/submit", "/login", "/confirm/x", "/dashboard/jobs/aaaaaaaa/start"):
        answer = client.post(path, data=body, content_type="application/x-www-form-urlencoded")
        assert answer.status_code in (400, 413), path
    assert traces() == before


def test_another_host_in_the_request_leads_nobody_away(client: FlaskClient, submit: Submit) -> None:
    answer = client.get("/dashboard", headers={"Host": "evil.example"})
    assert answer.location.startswith("/login")
    assert submit().location.startswith("/submit/success")


def test_a_mistake_on_a_page_logs_the_page_and_no_link(app: Flask, caplog: pytest.LogCaptureFixture) -> None:
    def breaks(token: str) -> str:
        raise ValueError(token)

    app.view_functions["status.show"] = breaks
    assert app.test_client().get("/status/WyJrN20iXQ.secret").status_code == 500
    assert "a mistake of ours on GET /status/<token>" in caplog.text.replace("<string:token>", "<token>")
    assert [r for r in caplog.records if "WyJr" in r.getMessage()] == []
