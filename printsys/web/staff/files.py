"""Pictures of a job's files, and a page on which a model can be turned."""

from __future__ import annotations

import re

from flask import Blueprint, Response, render_template, send_file, url_for
from flask.typing import ResponseReturnValue

from printsys.domain.pending_work import MODELS, kind_of
from printsys.errors import FileRefused, JobNotFound, ModelTooHard, ModelUnreadable
from printsys.models3d import bounded
from printsys.web.auth import login_required
from printsys.web.security import POLICY
from printsys.web.services import services

pages = Blueprint("pictures", __name__, url_prefix="/dashboard/jobs")
PREVIEW = re.compile(r"[0-9a-f]{16}\.png")
FRAME_POLICY = (
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "img-src data: blob:; connect-src data: blob:; frame-ancestors 'self'"
)
"""The viewer's own page: it may run its script and reach nothing, not even the session of whoever looks at it."""
A_DAY_S = 86_400


@pages.get("/<job_id>/previews/<name>")
@login_required
def preview(job_id: str, name: str) -> ResponseReturnValue:
    """By the hash of what it shows, so it never changes. One that is gone is a drawn box, never a broken image."""
    store = services().store
    try:
        if not PREVIEW.fullmatch(name):
            raise JobNotFound(job_id)
        answer = send_file(store.file(store.load(job_id), f"previews/{name}"), mimetype="image/png")
    except JobNotFound:
        return redirect_to_placeholder()
    answer.headers["Cache-Control"] = f"private, max-age={A_DAY_S}"
    return answer


def redirect_to_placeholder() -> ResponseReturnValue:
    return Response(status=302, headers={"Location": url_for("static", filename="no-picture.svg")})


@pages.get("/<job_id>/view/<path:name>")
@login_required
def view(job_id: str, name: str) -> ResponseReturnValue:
    stored = services().store.load(job_id)
    _require_model(job_id, name)
    services().store.file(stored, name)
    answer = Response(render_template("staff/view.html", job=stored.job, name=name))
    answer.headers["Content-Security-Policy"] = f"{POLICY}; frame-src 'self'"
    return answer


@pages.get("/<job_id>/frame/<path:name>")
@login_required
def frame(job_id: str, name: str) -> ResponseReturnValue:
    """The viewer, for the frame of `view` alone. A model that cannot be shown says why."""
    store = services().store
    _require_model(job_id, name)
    try:
        html = bounded.page(store.file(store.load(job_id), name))
    except (FileRefused, ModelUnreadable, ModelTooHard) as error:
        html = render_template("staff/view_trouble.html", why=str(error))
    answer = Response(html)
    answer.headers["Content-Security-Policy"] = FRAME_POLICY
    answer.headers["X-Frame-Options"] = "SAMEORIGIN"
    return answer


def _require_model(job_id: str, name: str) -> None:
    if kind_of(name) not in MODELS:
        raise JobNotFound(job_id)
