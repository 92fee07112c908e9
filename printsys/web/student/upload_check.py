"""Checks a model before it is submitted: a picture, its size beside the printer, what is wrong, a price range."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, cast

from flask import Blueprint, current_app, jsonify, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import FileStorage

from printsys import fs
from printsys.assessment.upload_check import CheckedModel, UploadCheck, UploadChecker, judge
from printsys.errors import InvalidInput, JobNotFound
from printsys.jobstore import Stored
from printsys.web.services import services
from printsys.web.student.uploads import incoming_files

pages = Blueprint("upload_check", __name__)
EXTENSION = "upload_checker"


def upload_checker() -> UploadChecker:
    return cast(UploadChecker, current_app.extensions[EXTENSION])


@pages.post("/submit/check")
def check() -> ResponseReturnValue:
    """`file` (repeatable), or `sha256` and `name` of files that were here a moment ago (409: no longer remembered, send
    the files); `print_method`, `printer` as far as they are chosen. The answer has the checks, and the same as HTML."""
    hashes, names = request.form.getlist("sha256"), request.form.getlist("name")
    files = [file for file in request.files.getlist("file") if file.filename]
    if hashes and not files:
        checks = [check for sha256 in hashes if (check := upload_checker().remembered(sha256)) is not None]
        if len(checks) != len(hashes) or len(names) != len(hashes):
            return jsonify(error="Please send the files again."), 409
        return _answer([_judge(*each) for each in zip(names, hashes, checks, strict=True)], [])
    try:
        incoming_files(files, services().lab)
    except InvalidInput as error:
        return _answer([], error.fields["file"])
    return _answer(checked_files(files), [])


def checked_files(files: Sequence[FileStorage]) -> list[CheckedModel]:
    """Each file checked for the method and printer of this request. The streams are left at their start."""
    models = []
    for file in files:
        name = Path(file.filename or "").name
        models.append(_judge(name, *upload_checker().check(name, cast(BinaryIO, file.stream))))
    return models


def checked_job(stored: Stored) -> list[CheckedModel]:
    """What the student sent with a job, as the form would have shown it: for students without a script to show it."""
    wishes, prices = stored.job.request, services().actions.context().prices
    models = []
    for record in stored.job.sent_files:
        name = record.uploaded_as or record.name
        try:
            with fs.open_regular(services().store.file(stored, record.name)) as stream:
                sha256, check = upload_checker().check(name, stream)
        except (JobNotFound, OSError):
            continue  # somebody removed it by hand since: staff hear of it elsewhere
        models.append(judge(name, sha256, check, services().lab, wishes.method, wishes.printer or "", prices))
    return models


def _judge(name: str, sha256: str, check: UploadCheck) -> CheckedModel:
    method, printer = request.form.get("print_method", ""), request.form.get("printer", "")
    prices = services().actions.context().prices
    return judge(name, sha256, check, services().lab, method, printer, prices)


def _answer(models: list[CheckedModel], refused: list[str]) -> ResponseReturnValue:
    printer = services().lab.printer(request.form.get("printer"))
    html = render_template("student/_check.html", checked=models, refused=refused, printer=printer)
    return jsonify(html=html, refused=refused, files=[_as_json(model) for model in models])


def _as_json(model: CheckedModel) -> dict[str, object]:
    return {
        "name": model.name,
        "sha256": model.sha256,
        "model": model.check.facts.model_dump(mode="json") if model.check.facts else None,
        "findings": [finding.model_dump() for finding in model.findings],
        "will_not_print": model.will_not_print,
        "price": [str(end) for end in model.price] if model.price else None,
    }
