"""Tickets: to be printed, and laid beside a print or stuck on its box. One job's, or those of all that staff ticked."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue
from markupsafe import Markup

from printsys.domain.job import Job
from printsys.errors import DamagedJob, JobNotFound
from printsys.jobstore import Stored
from printsys.tickets.qr import job_address, qr_svg
from printsys.web.auth import login_required
from printsys.web.services import services
from printsys.web.staff.job_list import JobSummary

pages = Blueprint("ticket", __name__, url_prefix="/dashboard")
SIZES = {"a6": "A6", "62mm": "62 mm label"}
MOST = 60
"""A page with more would keep a printer busy for an hour, and a browser for a while."""


@dataclass(frozen=True)
class Ticket:
    """`code` leads to the job, from a phone and from the counter's scanner."""

    job: Job
    picture: str | None
    printer: str | None
    code: Markup


@pages.get("/jobs/<job_id>/ticket")
@login_required
def show(job_id: str) -> ResponseReturnValue:
    """`size`: `a6`, or `62mm` for a label printer."""
    return _page([services().store.load(job_id)], [])


@pages.get("/tickets")
@login_required
def several() -> ResponseReturnValue:
    """`job` (repeated): ids, in the order of the tickets."""
    jobs, not_there = [], []
    for job_id in list(dict.fromkeys(request.args.getlist("job")))[:MOST]:
        try:
            jobs.append(services().store.load(job_id))
        except (JobNotFound, DamagedJob):
            not_there.append(job_id)
    return _page(jobs, not_there)


def _page(jobs: list[Stored], not_there: list[str]) -> str:
    size = request.args.get("size", "a6")
    return render_template(
        "staff/ticket.html",
        tickets=[_ticket(stored) for stored in jobs],
        not_there=not_there,
        size=size if size in SIZES else "a6",
        sizes=SIZES,
    )


def _ticket(stored: Stored) -> Ticket:
    summary = JobSummary.from_folder(stored)
    return Ticket(
        stored.job,
        summary.picture,
        services().lab.printer_name(stored.job.request.actual_printer),
        qr_svg(job_address(services().settings.base_url, stored.id)),
    )
