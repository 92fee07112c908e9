"""The check of a model before it is submitted: a picture, its size beside the printer, what is wrong, a price range."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, cast

from flask import Blueprint, jsonify, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import FileStorage

from printsys.assessment import upload_check
from printsys.assessment.upload_check import SCRATCH, Checked, UploadCheck, judge, look_into
from printsys.errors import JobNotFound
from printsys.jobstore import Stored
from printsys.web.limits import limiter, no_submit_limit, submit_limit
from printsys.web.services import services
from printsys.web.student.uploads import incoming_files

pages = Blueprint("upload_check", __name__)


@pages.post("/submit/check")
@limiter.limit(submit_limit, exempt_when=no_submit_limit)
def check() -> ResponseReturnValue:
    """`file` (repeatable), or `sha256` of files that were checked a moment ago (409: no longer known, send the files);
    `print_method`, `printer` as far as they are chosen. The answer has what is known, and the same as HTML."""
    known = request.form.getlist("sha256")
    sent = [file for file in request.files.getlist("file") if file.filename]
    if known and not sent:
        names = request.form.getlist("name")
        seen = [upload_check.memory.get(digest) for digest in known]
        if None in seen or len(names) != len(known):
            return jsonify(error="Please send the files again."), 409
        found = [_judge(n, d, looked) for n, d, looked in zip(names, known, seen, strict=True) if looked is not None]
        return _answer(found, [])
    _, refused = incoming_files(sent, services().lab)
    return _answer([] if refused else checked_files(sent), refused)


def checked_files(sent: Sequence[FileStorage]) -> list[Checked]:
    """Each file looked at, for the method and printer of this request. The streams are left at their start."""
    found = []
    for file in sent:
        name = Path(file.filename or "").name
        digest, looked = look_into(name, cast(BinaryIO, file.stream), services().settings.instance / SCRATCH)
        found.append(_judge(name, digest, looked))
    return found


def checked_job(stored: Stored) -> list[Checked]:
    """What the student sent with a job, as the form would have shown it: for who had no script to show it."""
    request_, prices = stored.job.request, services().actions.context().prices
    found = []
    for record in stored.job.sent_files:
        name = record.uploaded_as or record.name
        try:
            with services().store.file(stored, record.name).open("rb") as stream:
                digest, looked = look_into(name, stream, services().settings.instance / SCRATCH)
        except (JobNotFound, OSError):
            continue  # taken away by somebody's hand since: staff are told
        found.append(judge(name, digest, looked, services().lab, request_.method, request_.printer or "", prices))
    return found


def _judge(name: str, digest: str, looked: UploadCheck) -> Checked:
    method, printer = request.form.get("print_method", ""), request.form.get("printer", "")
    prices = services().actions.context().prices
    return judge(name, digest, looked, services().lab, method, printer, prices)


def _answer(found: list[Checked], refused: list[str]) -> ResponseReturnValue:
    printer = services().lab.printer(request.form.get("printer"))
    html = render_template("student/_check.html", checked=found, refused=refused, printer=printer)
    return jsonify(html=html, refused=refused, files=[_as_json(one) for one in found])


def _as_json(one: Checked) -> dict[str, object]:
    return {
        "name": one.name,
        "sha256": one.sha256,
        "model": one.looked.facts.model_dump(mode="json") if one.looked.facts else None,
        "findings": [finding.model_dump() for finding in one.findings],
        "will_not_print": one.will_not_print,
        "price": [str(end) for end in one.price] if one.price else None,
    }
