"""How a student's job is doing."""

from __future__ import annotations

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from printsys.domain.links import resubmission_key
from printsys.domain.status import GOOD_COURSE
from printsys.texts import reasons
from printsys.web.services import services

pages = Blueprint("status", __name__)


@pages.get("/status/<token>")
def show(token: str) -> ResponseReturnValue:
    job = services().store.load(services().tokens.read_status(token)).job
    key = resubmission_key(job)
    return render_template(
        "student/status.html",
        job=job,
        way=GOOD_COURSE,
        reasons=reasons(job, services().lab),
        resubmit_token=services().tokens.resubmit(job.id, key) if key else None,
    )
