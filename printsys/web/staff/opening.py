"""Opening a file in the slicer of the desktop in front of the browser, by the opener installed there (opener/)."""

from __future__ import annotations

from urllib.parse import quote

from flask import Blueprint, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from printsys.domain.events import EventDraft, EventType
from printsys.web.auth import current_actor, login_required
from printsys.web.services import services

pages = Blueprint("opening", __name__, url_prefix="/dashboard")
SCHEME = "printsys"
"""A link's scheme must begin with a letter (RFC 3986, 3.1): browsers take `3dprint://` for a path of this site."""


def address(job_id: str, name: str) -> str:
    """What the opener is asked: names no path, so it works wherever a desktop has its storage."""
    return f"{SCHEME}://open?job={job_id}&file={quote(name, safe='/')}"


@pages.post("/jobs/<job_id>/open/<path:name>")
@login_required
def ask(job_id: str, name: str) -> ResponseReturnValue:
    """Record who asked; the browser then follows the link. Without a script a page of its own has it."""
    store = services().store
    store.file(store.load(job_id), name)
    opened = EventDraft(EventType.FILE_OPENED, current_actor(), {"name": name})
    services().actions.record(job_id, lambda now: [opened])
    if request.accept_mimetypes.best == "application/json":
        return jsonify(address=address(job_id, name))
    return redirect(url_for("opening.opening", job_id=job_id, name=name), 303)


@pages.get("/jobs/<job_id>/open/<path:name>")
@login_required
def opening(job_id: str, name: str) -> ResponseReturnValue:
    stored = services().store.load(job_id)
    services().store.file(stored, name)
    return render_template("staff/opening.html", job=stored.job, name=name, address=address(job_id, name))


@pages.get("/opener")
@login_required
def how() -> ResponseReturnValue:
    """How the opener comes onto this computer, in a minute."""
    return render_template("staff/opener.html", storage=services().settings.storage)
