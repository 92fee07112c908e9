"""job-card.html of a job's folder: what the job is, for who opens it by double-click, with no server and no network.

It is derived from the record, so no event tells of it and no record lists it; the worker writes it anew when it is gone
or says something else than the job.
"""

from __future__ import annotations

from datetime import datetime
from functools import cache
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from printsys.config import ROOT, Lab
from printsys.domain.job import Job
from printsys.domain.payments import charged_discounts, ledger
from printsys.domain.pending_work import preview_of
from printsys.texts import STATUS_TEXTS, amount, date_and_time, day_text, discounts, money
from printsys.tickets.qr import job_address, qr_svg

TEMPLATES = ROOT / "templates"


def job_card(job: Job, lab: Lab, base_url: str) -> bytes:
    """The page as it is written: the same job, lab and address give the same bytes."""
    printer = lab.printer(job.request.printer)
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
        printer=printer.name if printer else job.request.printer,
        files=[file.title for file in job.sent_files],
        picture=next((name for name in pictures if name), None),
        address=address,
        code=qr_svg(address),
    )
    return html.encode()


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
