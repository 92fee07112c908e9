"""A job's files: downloads, pictures, a model in 3D, and opening one in the slicer of the desktop."""

from __future__ import annotations

import os
import re
import shutil
from io import BufferedReader
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

from flask import Blueprint, Response, jsonify, redirect, render_template, request, send_file, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import RequestedRangeNotSatisfiable

from printsys.domain.events import EventDraft, EventType
from printsys.domain.filetypes import type_of
from printsys.domain.naming import opens_everywhere
from printsys.errors import FileRefused, JobNotFound, ModelTooHard, ModelUnreadable, TransitionNotAllowed
from printsys.models3d import bounded
from printsys.web.auth import current_actor, login_required
from printsys.web.security import POLICY
from printsys.web.services import services
from printsys.web.staff.job_list import NOT_PORTABLE

pages = Blueprint("files", __name__, url_prefix="/dashboard")
PREVIEW = re.compile(r"[0-9a-f]{16}\.png")
FRAME_POLICY = (
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "img-src data: blob:; connect-src data: blob:; frame-ancestors 'self'"
)
"""The viewer's own page: it may run its script and reach nothing, not even the session of the person looking at it."""
FRESH_S = 300
CHUNK = 1 << 20
SCHEME = "printsys"
"""A link's scheme must begin with a letter (RFC 3986, 3.1): browsers take `3dprint://` for a path of this site."""


@pages.get("/jobs/<job_id>/files/<path:name>")
@login_required
def download(job_id: str, name: str) -> ResponseReturnValue:
    store = services().store
    stored = store.load(job_id)
    record, own_name = stored.job.file(name), name.rpartition("/")[2]
    download_name = _header_safe(record.uploaded_as if record and record.uploaded_as else own_name) or own_name
    answer = _send(store.open(stored, name), "application/octet-stream", download_name)
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _send(file: BufferedReader, mimetype: str, download_name: str | None = None) -> Response:
    """As `send_file` sends a path; but a path could lead to another file by now."""
    status = os.fstat(file.fileno())
    is_download = download_name is not None
    answer = send_file(file, mimetype, is_download, download_name, conditional=False, last_modified=status.st_mtime)
    answer.content_length = status.st_size
    answer.set_etag(f"{status.st_mtime_ns:x}-{status.st_size:x}")
    try:
        answer.make_conditional(request, accept_ranges=True, complete_length=status.st_size)
    except RequestedRangeNotSatisfiable:
        file.close()
        raise
    return answer


def _header_safe(name: str) -> str:
    """The student's own name for a file, without what could end a header or lead into a folder."""
    return "".join(c for c in name.replace("\\", "/").rpartition("/")[2] if c.isprintable())


@pages.get("/jobs/<job_id>/previews/<name>")
@login_required
def preview(job_id: str, name: str) -> ResponseReturnValue:
    """It changes only with the job's color. In place of a lost one there is a drawn box."""
    store = services().store
    try:
        if not PREVIEW.fullmatch(name):
            raise JobNotFound(job_id)
        answer = _send(store.open(store.load(job_id), f"previews/{name}"), "image/png")
    except JobNotFound:
        return redirect_to_placeholder()
    answer.headers["Cache-Control"] = f"private, max-age={FRESH_S}"
    return answer


def redirect_to_placeholder() -> ResponseReturnValue:
    return Response(status=302, headers={"Location": url_for("static", filename="no-picture.svg")})


@pages.get("/jobs/<job_id>/view/<path:name>")
@login_required
def view(job_id: str, name: str) -> ResponseReturnValue:
    stored = services().store.load(job_id)
    _require_model(job_id, name)
    services().store.file(stored, name)
    answer = Response(render_template("staff/view.html", job=stored.job, name=name))
    answer.headers["Content-Security-Policy"] = f"{POLICY}; frame-src 'self'"
    return answer


@pages.get("/jobs/<job_id>/frame/<path:name>")
@login_required
def frame(job_id: str, name: str) -> ResponseReturnValue:
    """The viewer, for the frame of `view` alone. A model that cannot be shown says why."""
    store = services().store
    _require_model(job_id, name)
    try:
        with store.open(store.load(job_id), name) as file, TemporaryDirectory() as folder:
            copy = Path(folder, name.rpartition("/")[2])  # the reader opens a path, which could lead elsewhere by then
            with copy.open("xb") as target:
                shutil.copyfileobj(file, target, CHUNK)
            html = bounded.page(copy)
    except (FileRefused, ModelUnreadable, ModelTooHard) as error:
        html = render_template("staff/view_trouble.html", why=str(error))
    answer = Response(html)
    answer.headers["Content-Security-Policy"] = FRAME_POLICY
    answer.headers["X-Frame-Options"] = "SAMEORIGIN"
    return answer


def _require_model(job_id: str, name: str) -> None:
    if not type_of(name).is_mesh:
        raise JobNotFound(job_id)


def opener_address(job_id: str, name: str) -> str:
    """The link for the opener. It has no path, so it works wherever a desktop has its storage."""
    return f"{SCHEME}://open?job={job_id}&file={quote(name, safe='/')}"


@pages.post("/jobs/<job_id>/open/<path:name>")
@login_required
def open_in_slicer(job_id: str, name: str) -> ResponseReturnValue:
    """Record who opens it; the browser then follows the link. Without a script a page of its own has the link."""
    store = services().store
    store.file(store.load(job_id), name)
    if not opens_everywhere(name):
        raise TransitionNotAllowed("open", f"{name}: {NOT_PORTABLE}.")
    opened = EventDraft(EventType.FILE_OPENED, current_actor(), {"name": name})
    services().actions.record(job_id, lambda now: [opened])
    if request.accept_mimetypes.best == "application/json":
        return jsonify(address=opener_address(job_id, name))
    return redirect(url_for("files.opening", job_id=job_id, name=name), 303)


@pages.get("/jobs/<job_id>/open/<path:name>")
@login_required
def opening(job_id: str, name: str) -> ResponseReturnValue:
    stored = services().store.load(job_id)
    services().store.file(stored, name)
    return render_template("staff/open_in_slicer.html", job=stored.job, name=name, address=opener_address(job_id, name))


@pages.get("/opener")
@login_required
def opener() -> ResponseReturnValue:
    """How to install the opener on this computer."""
    return render_template("staff/opener.html", storage=services().settings.storage)
