"""The dashboard: one status at a time, or what a search finds, from the mirror."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from printsys.domain.naming import parse_id
from printsys.domain.status import LIVE, Status
from printsys.jobstore.notes import missed_events
from printsys.web.auth import login_required
from printsys.web.services import services
from printsys.web.staff import archive
from printsys.web.staff.action_views import ACTION_VIEWS
from printsys.web.staff.followed import folders_not_followed
from printsys.web.staff.job_list import list_jobs
from printsys.web.staff.mail_state import mail_state

pages = Blueprint("dashboard", __name__, url_prefix="/dashboard")


@pages.get("", strict_slashes=False)
@login_required
def show() -> ResponseReturnValue:
    q = request.args.get("q", "").strip()
    text = request.args.get("status")
    status = Status(text) if text in set(Status) else None
    page = max(1, request.args.get("page", 1, type=int))
    job_id = parse_id(q)
    if job_id and any(summary.job.id == job_id for summary in list_jobs(services(), None, job_id, 1).summaries):
        return redirect(url_for("job.show", job_id=job_id))
    return render_template(
        "staff/dashboard.html",
        job_list=list_jobs(services(), status, q, page),
        q=q,
        action_views=ACTION_VIEWS,
        LIVE=LIVE,
        has_missed=bool(missed_events(services().store).events),
        mail=mail_state(),
        not_followed=folders_not_followed(services().settings),
        ended_long_ago=archive.count(),
    )
