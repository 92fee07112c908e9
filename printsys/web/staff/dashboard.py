"""The dashboard: one status at a time, or what a search finds, from the mirror."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from indexer.job_filter import JobFilter
from printsys.domain.naming import parse_id
from printsys.domain.status import LIVE
from printsys.jobstore.notes import missed_events
from printsys.web.auth import login_required
from printsys.web.services import services
from printsys.web.staff import archive
from printsys.web.staff.action_views import ACTION_VIEWS
from printsys.web.staff.bulk import bulk_buttons
from printsys.web.staff.folder_list import LIST_LACKS
from printsys.web.staff.followed import folders_not_followed
from printsys.web.staff.job_list import list_jobs
from printsys.web.staff.list_query import SORTS, ListQuery
from printsys.web.staff.mail_state import mail_state

pages = Blueprint("dashboard", __name__, url_prefix="/dashboard")


@pages.get("", strict_slashes=False)
@login_required
def show() -> ResponseReturnValue:
    query = ListQuery.from_args(request.args)
    q = query.wanted.q
    job_id = parse_id(q) if "typing" not in request.args else None
    named = ListQuery(JobFilter(q=job_id)) if job_id else None
    if named and any(summary.job.id == job_id for summary in list_jobs(services(), named).summaries):
        return redirect(url_for("job.show", job_id=job_id))
    job_list = list_jobs(services(), query)
    return render_template(
        "staff/dashboard.html",
        job_list=job_list,
        page_banners=[LIST_LACKS] if job_list.is_from_folders else [],
        in_list=job_list.query.args(),
        bulk=bulk_buttons(job_list.status),
        SORTS=SORTS,
        q=q,
        action_views=ACTION_VIEWS,
        LIVE=LIVE,
        has_missed=bool(missed_events(services().store).events),
        mail=mail_state(),
        not_followed=folders_not_followed(services().settings),
        ended_long_ago=archive.count(),
    )
