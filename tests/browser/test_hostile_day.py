"""A day on which everything that anybody can type, name, slice or write into a record is an attack.

Chromium opens every page of every job; nothing of it runs. (A page of a route without a row in test_routes.py fails
there.)
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from flask import Flask
from playwright.sync_api import Browser, Dialog, Page

from printsys.domain.emails import Mail, OwedMail
from printsys.domain.events import EventDraft, EventType
from printsys.domain.job import Document, dump
from printsys.domain.links import resubmission_key
from printsys.domain.status import Status
from printsys.domain.workflow import steps_from
from printsys.jobstore import Stored
from printsys.mail.headers import wire_bytes
from printsys.mail.messages import compose, make_composer
from printsys.services import Services
from printsys.slicers.facts import SlicerFacts
from printsys.web.live import EXTENSION as LIVE
from printsys.web.server import PageServer
from tests.factories import STL, sync
from tests.running_system import free_port
from tests.web.conftest import (
    STAFF_PASSWORD,
    MakeJob,
    _cheap_hashes,
    app,
    confirm_token,
    database_url,
    make,
    pages_database,
    past_store,
    services,
    upload_checker,
)

__all__ = ["_cheap_hashes", "app", "database_url", "make", "pages_database", "past_store", "services", "upload_checker"]
pytestmark = pytest.mark.needs("chromium")
NUMBERS = itertools.count(1)
PRODUCT = "1787569"
"""Of 1337 by 1337: what a template engine would make of the payload."""
ATTACKS = (
    "javascript:ran({n})//",
    "</textarea></title></script><script>ran({n})</script>",
    "\"'><img src=x onerror=ran({n})><svg onload=ran({n})>",
    "' onfocus=ran({n}) autofocus onmouseover=ran({n}) style=position:fixed;inset:0 x='",
    "&lt;img src=x onerror=ran({n})&gt;&#60;script&#62;ran({n})&#60;/script&#62;",
    "{{{{1337*1337}}}}${{1337*1337}}<%=1337*1337%>#{{1337*1337}}",
    "\r\nX-Injected: {n}\r\n\r\n=cmd|'/c calc'!A1",
)
IN_A_NAME = "\"'><img src=x onerror=ran({n})>{{{{1337*1337}}}}javascript:ran({n}).gcode"
"""Of a file on disk, which may hold no slash."""
KEPT = {
    "status", "role", "sha256", "nonce", "cost", "amount", "weight_g", "volume_ml", "time_h", "preview", "id",
}  # fmt: skip
"""Keys whose values the schema holds to a form of their own, beside times."""
LOOK = r"""
() => [...document.querySelectorAll('*')].flatMap(element => [...element.attributes]
    .filter(({name, value}) => /^on/.test(name)
        || /^(href|src|action|formaction)$/.test(name) && /^\s*javascript:/i.test(value))
    .map(({name, value}) => `${element.tagName} ${name}=${value}`))
"""
"""What is built for running, whether it ran or not."""
FILL = """
payload => {
    const form = [...document.forms].find(form => form.method == 'post' && !/logout/.test(form.action))
    if (!form) return false
    for (const field of form.querySelectorAll('input, textarea, select')) {
        if (field.type == 'checkbox' || field.type == 'radio') field.checked = true
        else if (field.tagName == 'SELECT') field.append(new Option(payload, payload, true, true))
        else if (!['hidden', 'submit', 'file'].includes(field.type)) {
            field.type = field.tagName == 'INPUT' ? 'text' : field.type
            field.removeAttribute('maxlength')
            field.value = payload
        }
    }
    form.noValidate = true
    return true
}
"""


def attack() -> str:
    return "".join(ATTACKS).format(n=next(NUMBERS))


def hostile(value: Any, key: str = "") -> Any:
    """The same document with an attack in place of each text that has no form of its own."""
    if isinstance(value, dict):
        is_file = "sha256" in value
        return {name: item if is_file and name == "name" else hostile(item, name) for name, item in value.items()}
    if isinstance(value, list):
        return [hostile(item, key) for item in value]
    is_free = isinstance(value, str) and key not in KEPT and not key.endswith(("_at", "_since")) and key != "at"
    return attack() if is_free else value


def hostile_slicer_facts() -> Document:
    """With an attack in every text that a slicer's file may state."""
    facts: Document = {"program": "x", "version": "x", "printer": "x", "printer_model": "x", "profile": "x"}
    for name, field in SlicerFacts.model_fields.items():
        if field.annotation in (str, str | None):
            facts[name] = "x"
        elif field.annotation == tuple[str, ...]:
            facts[name] = ["x", "x"]
    facts["tools"] = [{"index": 0, "material": "x", "weight_g": "3"}]
    return {name: hostile(value) for name, value in facts.items()}


def hostile_events() -> Iterator[EventDraft]:
    """One of every type, by somebody whose name is an attack."""
    words = (
        "name",
        "reason",
        "comment",
        "method",
        "picked_up_by",
        "answer",
        "why",
        "mail",
        "source",
        "fault",
        "found_in",
    )
    lists = ("reasons", "changed", "print_files", "supplied", "aside", "differences")
    untouched = {EventType.EMAIL_QUEUED, EventType.EMAIL_SENT, EventType.JOB_DELETED, EventType.JOB_CREATED}
    for kind in EventType:
        if kind not in untouched:
            data: Document = {word: attack() for word in words} | {name: [attack()] for name in lists}
            data |= {"from": "Uploaded", "to": "Pending", "files": [{"name": attack()}], "queued_seq": 0}
            if kind in (EventType.FILE_RENAMED, EventType.FOLDER_RENAMED, EventType.EMAIL_FAILED):
                data |= {"from": attack(), "to": attack()}
            if kind is EventType.RESUBMITTED:
                data["files"] = [f"original/{attack()}"]
            yield EventDraft(kind, f"staff:{attack()}", data)


def hostile_job(services: Services, make: MakeJob, status: Status) -> Stored:
    job = make(status, files=[("bracket v2.stl", STL), ("second.stl", STL)])
    document = dump(job.job)
    rejection = {"reasons": ["x", "messy"], "comment": "x", "by": "x"} if status is Status.REJECTED else None
    document |= {
        "notes": "x",
        "unknown": {"x": "x"},
        "rejection": (document.get("rejection") or {}) | rejection if rejection else None,
    }
    for file in document["files"]:
        file |= {"uploaded_as": "x", "converted": "x"}
    document["files"][0]["model"] = {"trouble": "x"}
    document["files"][-1] |= {"slicer": hostile_slicer_facts()}
    patch = {name: value for name, value in hostile(document).items() if name not in ("print_files", "files")}
    patch["files"] = [hostile(file) for file in document["files"]]
    with services.store.edit(job.id) as change:
        change.record(
            *hostile_events(),
            EventDraft(EventType.METADATA_EDITED, f"staff:{attack()}", {"changed": [attack()]}, patch),
        )
    if sys.platform != "win32":  # which has no such names
        for folder in (job.folder, job.folder / IN_A_NAME.format(n=next(NUMBERS))):
            folder.mkdir(exist_ok=True)
            (folder / IN_A_NAME.format(n=next(NUMBERS))).write_bytes(b"; generated by PrusaSlicer\nG28\n")
    return services.store.load(job.id)


@pytest.fixture
def address(app: Flask) -> Iterator[str]:
    port = free_port()
    server = PageServer(app, "127.0.0.1", port, trusts_proxies=False)
    server.start()
    yield f"http://127.0.0.1:{port}"
    app.extensions[LIVE].stop()
    server.stop()


class Visitor:
    """Opens pages, and notes what ran there or was built for running."""

    def __init__(self, page: Page, address: str) -> None:
        self.page, self.address = page, address
        self.ran: list[str] = []
        self.opened = self.attacked = 0
        page.context.expose_function("ran", lambda number: self.ran.append(f"{number} on {page.url}"))
        page.on("dialog", self._note_dialog)

    def _note_dialog(self, dialog: Dialog) -> None:
        self.ran.append(dialog.message)
        dialog.dismiss()

    def open(self, path: str) -> None:
        answer = self.page.goto(self.address + path)
        assert answer is None or (answer.status < 500 and "x-injected" not in answer.headers), path
        self.look()

    def look(self) -> None:
        self.opened += 1
        for frame in self.page.frames:
            built = frame.evaluate(LOOK)
            assert built == [], self.page.url
        content = self.page.content()
        self.attacked += "ran(" in content
        assert PRODUCT not in content, self.page.url
        assert self.ran == []

    def fill_and_send(self) -> None:
        """The first form of the page, with an attack in each field."""
        if self.page.evaluate(FILL, attack()):
            self.send("() => [...document.forms].find(f => f.method == 'post' && !/logout/.test(f.action)).submit()")

    def press_every_fix(self) -> int:
        """Of what needs a person, one after the other; how many it pressed."""
        buttons = "[...document.querySelectorAll('main form button')]"
        pressed = settled_none = 0
        self.open("/dashboard/attention")
        while (count := self.page.evaluate(f"{buttons}.length")) > settled_none:
            self.send(f"() => {buttons}[{settled_none}].click()")
            pressed += 1
            self.open("/dashboard/attention")
            settled_none += self.page.evaluate(f"{buttons}.length") >= count
        return pressed

    def send(self, script: str) -> None:
        with self.page.expect_navigation() as navigation:
            self.page.evaluate(script)
        answer = navigation.value
        assert answer is not None and answer.status < 500, self.page.url
        self.look()

    def log_in(self) -> None:
        self.open(f"/login?{urlencode({'next': attack()})}")
        self.fill_and_send()
        self.page.goto(f"{self.address}/login")
        self.page.get_by_label("Password").fill(STAFF_PASSWORD)
        self.page.get_by_role("button", name="Log in").click()
        self.page.wait_for_url("**/dashboard/today")


@pytest.fixture
def bare_page(browser: Browser) -> Iterator[Page]:
    """One that nobody minds what happens on."""
    context = browser.new_context()
    yield context.new_page()
    context.close()


@pytest.fixture
def visitor(page: Page, address: str) -> Visitor:
    return Visitor(page, address)


def paths_of_staff(app: Flask, job: Stored) -> Iterator[str]:
    """Every page that there is for this job, by the routes themselves."""
    file = next(record.name for record in job.job.files if record.role == "working")
    values = {"<job_id>": job.id, "<path:name>": file, "<name>": "0123456789abcdef.png"}
    for rule in sorted(app.url_map.iter_rules(), key=lambda rule: rule.rule):
        if "<job_id>" in rule.rule and "GET" in (rule.methods or ()) and "/files/" not in rule.rule:
            actions = sorted({step.action for step in steps_from(job.job.status)}) if "<action>" in rule.rule else [""]
            for action in actions:
                path = rule.rule.replace("<action>", action)
                for name, value in values.items():
                    path = path.replace(name, value)
                yield path


def common_paths(app: Flask) -> Iterator[str]:
    """Every page that is for no single job, with an attack in whatever it may be asked."""
    words = (
        "q",
        "status",
        "page",
        "next",
        "place",
        "job",
        "limit",
        "offset",
        "method",
        "printer",
        "kind",
        "from",
        "to",
    )
    query = urlencode({word: attack() for word in words})
    for rule in sorted(app.url_map.iter_rules(), key=lambda rule: rule.rule):
        is_page = "<" not in rule.rule and "GET" in (rule.methods or ())
        if is_page and rule.endpoint != "live.live":
            yield rule.rule
            yield f"{rule.rule}?{query}"
            yield f"{rule.rule}?{urlencode({'q': attack()})}"
    yield f"/dashboard/jobs/{attack()[:20]}"
    yield "/nowhere/%3Cscript%3Eran(1)%3C%2Fscript%3E"
    yield from (f"/dashboard/mails/{mail.value}" for mail in Mail)
    yield from (f"/dashboard/mails/{mail.value}/html" for mail in Mail)


def student_paths(services: Services, job: Stored) -> Iterator[str]:
    yield f"/status/{services.tokens.status(job.id)}"
    if job.job.confirmation is not None and job.job.confirmation.nonce:
        yield f"/confirm/{confirm_token(services, job)}"
    if key := resubmission_key(job.job):
        yield f"/resubmit/{services.tokens.resubmit(job.id, key)}"


ALWAYS = (Status.PENDING, Status.REJECTED, Status.PAID_PICKED_UP)


@pytest.mark.parametrize("status", [s if s in ALWAYS else pytest.param(s, marks=pytest.mark.proof) for s in Status])
def test_nothing_that_anybody_wrote_into_a_job_runs_on_any_page_of_it(
    visitor: Visitor, app: Flask, services: Services, make: MakeJob, status: Status
) -> None:
    job = hostile_job(services, make, status)
    sync(services.store, services.mirror)
    visitor.log_in()
    for path in (*paths_of_staff(app, job), *student_paths(services, job), "/dashboard", f"/dashboard?status={status}"):
        visitor.open(path)
    for step in sorted({step.action for step in steps_from(status)}):
        visitor.open(f"/dashboard/jobs/{job.id}/{step}")
        visitor.fill_and_send()
    for path in student_paths(services, services.store.load(job.id)):
        visitor.open(path)
        visitor.fill_and_send()
    assert visitor.opened > 15 and visitor.attacked > visitor.opened / 2, "the attacks are on the pages"


def test_nothing_runs_on_the_pages_of_all_jobs_whatever_lies_in_the_folders(
    visitor: Visitor, app: Flask, services: Services, make: MakeJob
) -> None:
    jobs = {status: hostile_job(services, make, status) for status in Status}
    (jobs[Status.PENDING].folder / "original" / "second.stl").unlink()
    (jobs[Status.UPLOADED].folder / "metadata.json").write_text('{"x": "<script>ran(0)</script>', "utf-8")
    (jobs[Status.PRINTING].folder / "events.jsonl").write_text(attack(), "utf-8")
    uploaded = services.store.layout.status(Status.UPLOADED)
    if sys.platform != "win32":  # which has no such names
        (uploaded / IN_A_NAME.format(n=0).replace(".gcode", ".stl")).write_bytes(STL)
        (uploaded / IN_A_NAME.format(n=0)).mkdir()
        jobs[Status.COMPLETED].folder.rename(uploaded / f"{IN_A_NAME.format(n=1)}_{jobs[Status.COMPLETED].id}")
    sync(services.store, services.mirror)
    visitor.log_in()
    for path in common_paths(app):
        visitor.open(path)
    assert visitor.press_every_fix() > 3
    for path in ("/submit", "/dashboard/attention/adopt", "/login"):
        visitor.open(path)
        visitor.fill_and_send()
    assert visitor.opened > 60 and visitor.attacked > 20


def html_of(message: EmailMessage) -> str:
    body = message.get_body(("html",))
    assert body is not None
    return str(body.get_content())


def test_nothing_runs_in_an_e_mail_whoever_shows_it(
    bare_page: Page, services: Services, make: MakeJob, tmp_path: Path
) -> None:
    """Where no policy of ours holds, as in a program for mails that shows all that it is sent."""
    composer = make_composer(services.settings, services.lab, services.tokens)
    visitor = Visitor(bare_page, tmp_path.as_uri())
    completed, rejected = (hostile_job(services, make, status).job for status in (Status.COMPLETED, Status.REJECTED))
    for mail in Mail:
        job = rejected if mail is Mail.REJECTED else completed
        message = compose(composer, OwedMail(job.id, 2, mail.value, "jane@example.edu", datetime.now(UTC)), job)
        assert "X-Injected" not in message and wire_bytes(message), mail
        (tmp_path / f"{mail}.html").write_text(html_of(message), "utf-8")
        visitor.open(f"/{mail}.html")
    assert visitor.opened == visitor.attacked == len(Mail)


def test_the_visitor_notices_what_runs_where_nothing_is_escaped(bare_page: Page, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(f"<title>{attack()}</title><body>{attack()}", "utf-8")
    visitor = Visitor(bare_page, tmp_path.as_uri())
    with pytest.raises(AssertionError):
        visitor.open("/page.html")
    visitor.page.wait_for_function("document.readyState == 'complete'")
    assert visitor.ran
