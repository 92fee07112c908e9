"""Jobs that ended longer ago than the lab keeps them at hand: counted on the dashboard, archived when staff say so."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from printsys.actions.archiving import archive
from printsys.actions.due_jobs import due_before
from printsys.domain.status import FINAL, Status
from printsys.domain.words import counted
from printsys.errors import MirrorDown
from printsys.web.auth import current_actor, login_required
from printsys.web.services import services
from printsys.web.staff.forms import ticked_jobs

pages = Blueprint("archive", __name__)
PAGE = 100
COUNTED = 1000
"""More than so many are not counted for a page that all staff have open."""


def _before() -> datetime:
    return due_before(datetime.now(UTC), services().lab.retention.days)


def count() -> str | None:
    """`3 jobs`, for a line on the dashboard; None where there are none, or the mirror is down."""
    try:
        return count_since(FINAL, _before()) or None
    except MirrorDown:
        return None


def count_since(statuses: Sequence[Status], before: datetime) -> str:
    """How many have been in these statuses since before that; empty where none has. MirrorDown."""
    n = services().queries.count_ended(statuses, before, COUNTED + 1)
    if n > COUNTED:
        return f"More than {counted(COUNTED, 'job')}"
    return counted(n, "job") if n else ""


@pages.get("/dashboard/ended")
@login_required
def ended() -> ResponseReturnValue:
    return render_template("staff/archive.html", rows=services().queries.ended(FINAL, _before(), PAGE), total=count())


@pages.post("/dashboard/ended")
@login_required
def archive_them() -> ResponseReturnValue:
    """`job` (repeated): id and revision as the page showed them, `k7m29xq4:7`. Jobs that changed since stay."""
    result = archive(services().actions, ticked_jobs(request.form), _before(), current_actor())
    n = len(result.archived)
    flash(f"{counted(n, 'job is', 'jobs are')} archived." if n else "No job was archived.")
    for _job_id, reason in result.skipped:
        flash(reason)
    return redirect(url_for("archive.ended" if count() else "dashboard.show"), 303)
