"""job-card.html of a job's folder: what the job is, for who opens it by double-click, with no server and no network.

It is derived from the record, so no event tells of it and no record lists it; the worker writes it anew when it is gone
or of another revision than the job.
"""

from __future__ import annotations

import re
from datetime import datetime
from functools import cache
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from printsys.config import ROOT, Lab
from printsys.domain.events import sha256
from printsys.domain.job import Job
from printsys.domain.payments import charged_discounts, ledger
from printsys.domain.pending_work import preview_of
from printsys.texts import STATUS_TEXTS, amount, date_and_time, day_text, discounts, money
from printsys.tickets.qr import job_address, qr_svg

TEMPLATES = ROOT / "templates"
CARD_FORMAT = 1
"""A change of the template that cards of unchanged jobs are to show, too, counts it up."""
SEAL = re.compile(rb"<!-- job card (?P<format>\d+), revision (?P<revision>\d+), (?P<sha256>[0-9a-f]{64}) -->\n\Z")


def job_card(job: Job, lab: Lab, base_url: str) -> bytes:
    """The page as it is written, sealed: the same job, lab and address give the same bytes."""
    records = [record for name in job.print_files if (record := job.file(name))]
    pictures = (preview_of(record) for record in [*records, *job.sent_files])
    page = _environment(lab.about.timezone).get_template("ticket/job-card.html")
    address = job_address(base_url, job.id)
    html = page.render(
        job=job,
        lab=lab.about,
        book=ledger(job),
        taken_off=charged_discounts(job),
        status=STATUS_TEXTS[job.status].name,
        printer=lab.printer_name(job.request.actual_printer),
        files=[file.title for file in job.sent_files],
        picture=next((name for name in pictures if name), None),
        address=address,
        code=qr_svg(address),
    )
    body = html.encode() + b"\n"
    return body + f"<!-- job card {CARD_FORMAT}, revision {job.revision}, {sha256(body)} -->\n".encode()


def is_current(card: bytes, revision: int) -> bool:
    """Whether it is a card of that revision, of this or a later format, and as it was written.

    Computers with another address, lab.toml or version write other words: none writes over another's for that.
    """
    seal = SEAL.search(card)
    if seal is None:
        return False
    is_known = int(seal["format"]) >= CARD_FORMAT and int(seal["revision"]) == revision
    return is_known and seal["sha256"].decode() == sha256(card[: seal.start()])


@cache
def _environment(timezone: str) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    zone = ZoneInfo(timezone)

    def when(moment: datetime) -> str:
        return date_and_time(moment.astimezone(zone))

    environment.filters |= {
        "money": money,
        "amount": amount,
        "discounts": discounts,
        "when": when,
        "day_text": day_text,
    }
    return environment
