"""People read words of their own: no page and no e-mail of a lab at work shows what only the program calls so.

One is counted in the singular; a printer has a name; an event is a sentence. The technical part of a job's history is
left out: it shows the record as it is, to whoever asks for it.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from html import unescape

import pytest
from flask.testing import FlaskClient

from printsys import demo
from printsys.domain.emails import Mail
from printsys.domain.events import EventType
from printsys.domain.links import resubmission_key
from printsys.domain.status import Status
from printsys.mail.messages import compose, make_composer
from printsys.mail.sample_jobs import sample
from printsys.services import Services
from tests.factories import STL, act, sync
from tests.mail.smtp_server import html_of, text_of
from tests.web.conftest import Submit, confirm_token

OUR_NAMES = sorted(name for name in [*EventType, *Status] if re.search("[a-z][A-Z]", name))
COUNTED = "copies|days|e-mails|edges|events|files|folders|hours|jobs|messages|minutes|models|objects|parts|prints|times"
INTERNAL = {
    "a name of the program's": re.compile(rf"(?<![/\\\w])({'|'.join(OUR_NAMES)})(?![/\\\w])"),
    "an actor as it is recorded": re.compile(r"\b(staff:\w+|filesystem)\b"),
    "a value of Python's": re.compile(r"\bNone\b(?! is lost)|\[\]|\{\}"),
    "a day as it is recorded": re.compile(r"\b20\d\d-\d\d-\d\d"),
    "a day in another form": re.compile(r"\b(January|February|April|June|July|August|\w+ember|October) \d"),
    "a key of the record": re.compile(r"\b(class_number|student_name|print_method|due_date|minimum_charge_consent)\b"),
    "one of many": re.compile(rf"(?<![\d.,/×-])\b1 (more |new )?({COUNTED})\b"),
}
UNSAID = re.compile(
    r'<(script|style|svg)\b.*?</\1>|<dl class="changes">.*?</dl>|<[^>]*class="[^"]*\bpath\b.*?>.*?<', re.S
)
NO_PAGES = ("/static", "/bootstrap", "/logout", "/dashboard/live", "/dashboard/settings")
"""The last one is a page, and shows lab.toml as it is."""
SAID_BY_ATTRIBUTE = re.compile(r'\b(?:alt|title|placeholder|aria-label)="([^"]*)"')


def words_of(html: str) -> str:
    shown = UNSAID.sub(" ", html)
    text = re.sub(r"<[^>]+>", " ", shown) + " | " + " | ".join(SAID_BY_ATTRIBUTE.findall(shown))
    return re.sub(r"\s+", " ", unescape(text))


def internal_words(text: str, services: Services) -> Iterator[str]:
    printers = re.compile(rf"\b({'|'.join(re.escape(printer.id) for printer in services.lab.printers)})\b")
    for what, pattern in (INTERNAL | {"the id of a printer": printers}).items():
        for match in pattern.finditer(text):
            yield f"{what}: …{text[max(0, match.start() - 50) : match.end() + 20]}…"


@pytest.fixture
def lab_at_work(services: Services) -> Services:
    """The demo, and what people do in the folders besides."""
    jobs = demo.fill(services)
    layout = services.store.layout
    (layout.status(Status.UPLOADED) / "walk in.stl").write_bytes(STL)
    by_status = {stored.job.status: stored for stored in jobs}
    for status, target in ((Status.UPLOADED, Status.PRINTING), (Status.PENDING, Status.COMPLETED)):
        folder = services.store.load(by_status[status].id).folder
        shutil.move(folder, layout.status(target) / folder.name)
    act(services.store, by_status[Status.REJECTED].id, "details", class_number="ART 2", due_date="2099-03-31")
    copied = services.store.load(by_status[Status.COMPLETED].id).folder
    shutil.copytree(copied, copied.with_name(f"{copied.name} - Copy"))
    sync(services.store, services.mirror, services.queries)
    return services


def shape(address: str) -> str:
    """Pages of one kind have one shape: one of them is enough."""
    path, _, query = address.partition("?")
    path = re.sub(r"/[0-9a-z]{8}(?=/|$)", "/<id>", path)
    return re.sub(r"/(files|view)/.*", r"/\1", path) + re.sub(r"=[^&]*", "", query)


def pages_from(client: FlaskClient, start: str, limit: int) -> Iterator[tuple[str, str]]:
    """The pages that links lead to, each shape three times: of one kind, jobs differ."""
    waiting, shapes = [start], dict[str, int]()
    asked: set[str] = set()
    while waiting and limit:
        address = waiting.pop(0)
        answer = client.get(address, follow_redirects=True)
        asked.add(address)
        if answer.mimetype != "text/html":
            continue
        html = answer.get_data(as_text=True)
        assert answer.status_code == 200, address
        limit -= 1
        yield address, html
        for link in re.findall(r'href="(/[^"#]*)', html):
            link = unescape(link)
            is_page = not link.startswith(NO_PAGES)
            if is_page and link not in asked | {*waiting} and shapes.get(shape(link), 0) < 3:
                shapes[shape(link)] = shapes.get(shape(link), 0) + 1
                waiting.append(link)


def test_staffs_pages_have_no_word_of_the_programs_own(staff: FlaskClient, lab_at_work: Services) -> None:
    problems = [
        f"{address}: {word}"
        for address, html in pages_from(staff, "/dashboard/today", limit=90)
        for word in internal_words(words_of(html), lab_at_work)
    ]
    assert problems == []


def test_every_jobs_page_and_its_forms_have_none(staff: FlaskClient, lab_at_work: Services) -> None:
    problems = [
        f"{job_id}: {word}"
        for job_id, _ in lab_at_work.store.ids()
        for word in internal_words(words_of(staff.get(f"/dashboard/jobs/{job_id}").get_data(as_text=True)), lab_at_work)
    ]
    assert problems == []


def test_students_pages_have_none(client: FlaskClient, lab_at_work: Services, submit: Submit) -> None:
    tokens = lab_at_work.tokens
    addresses = ["/submit", submit().location]
    for job_id, _ in lab_at_work.store.ids():
        stored = lab_at_work.store.load(job_id)
        addresses.append(f"/status/{tokens.status(job_id)}")
        if stored.job.confirmation and stored.job.confirmation.nonce:
            addresses.append(f"/confirm/{confirm_token(lab_at_work, stored)}")
        if key := resubmission_key(stored.job):
            addresses.append(f"/resubmit/{tokens.resubmit(job_id, key)}")
    problems = [
        f"{address}: {word}"
        for address in addresses
        for word in internal_words(words_of(client.get(address).get_data(as_text=True)), lab_at_work)
    ]
    assert problems == []


def test_e_mails_have_none(services: Services) -> None:
    composer = make_composer(services.settings, services.lab, services.tokens)
    for kind in Mail:
        owed, job = sample(kind, services.lab, datetime.now(UTC))
        message = compose(composer, owed, job)
        text = f"{message['Subject']} {text_of(message)} {words_of(html_of(message))}"
        assert list(internal_words(text, services)) == [], kind
