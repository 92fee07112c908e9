"""Checks a model before it is submitted: a picture, its size beside the printer, what is wrong, a price range."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import cast

from flask import Blueprint, abort, current_app, jsonify, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import FileStorage

from printsys.assessment.model_findings import read_model_facts
from printsys.assessment.upload_check import CheckedModel, UploadCheck, Wishes, judge, refusals
from printsys.assessment.upload_checker import NamedHash, UploadChecker
from printsys.domain.job import FileRecord
from printsys.domain.pending_work import preview_of
from printsys.errors import InvalidInput, JobNotFound
from printsys.jobstore import Stored
from printsys.web.services import services
from printsys.web.sessions import browser_id
from printsys.web.student.uploads import arriving, digests, incoming_files
from printsys.web.uploads import UPLOAD_CHECKER

pages = Blueprint("upload_check", __name__)
QUICK_S = 4.0
"""A look that takes no longer is answered at once."""


def upload_checker() -> UploadChecker:
    return cast(UploadChecker, current_app.extensions[UPLOAD_CHECKER])


@pages.post("/submit/check")
def check() -> ResponseReturnValue:
    """`file` (repeatable), or `sha256` and `name` of files that were here a moment ago (409: no longer remembered, send
    the files); `print_method`, `printer`, `color`, and what else the price depends on, as far as they are chosen. The
    answer has the checks, and the same as HTML; with 202 some are pending, and `/submit/check/<id>` has them later."""
    hashes, names = request.form.getlist("sha256"), request.form.getlist("name")
    files = [file for file in request.files.getlist("file") if file.filename]
    if hashes and not files:
        if len(names) != len(hashes) or any(upload_checker().remembered(sha256) is None for sha256 in hashes):
            return jsonify(error="Please send the files again."), 409
        return _answer(list(zip(names, hashes, strict=True)))
    try:
        incoming_files(files, services().lab)
    except InvalidInput as error:
        return _answer([], error.fields["file"])
    asked = upload_checker().ask([(Path(file.filename or "").name, arriving(file)) for file in files], _client())
    upload_checker().wait(asked, QUICK_S)
    return _answer(asked, answer_id=upload_checker().keep_answer(asked))


@pages.get("/submit/check/<answer_id>")
def later(answer_id: str) -> ResponseReturnValue:
    """What `check` did not know yet; `print_method`, `printer`, `copies` as there. 404: too long ago, or never."""
    asked = upload_checker().answer(answer_id)
    return abort(404) if asked is None else _answer(asked, answer_id=answer_id)


def _client() -> str:
    """Who pays for a look."""
    return f"{request.remote_addr} {browser_id()}"


def look_at(files: Sequence[FileStorage]) -> None:
    """Has new files looked at, as the form's script does while the student fills in the rest: for a browser without
    one. What takes longer than a moment is left to the worker."""
    checker = upload_checker()
    unknown = [file for file in files if checker.remembered(arriving(file).sha256) is None]
    copies = [(Path(file.filename or "").name, arriving(file).copy_to(checker.arrivals)) for file in unknown]
    try:
        checker.wait(checker.ask(copies, _client()), QUICK_S)
    finally:
        for _, copy in copies:
            copy.close()


def known_refusals(files: Sequence[FileStorage]) -> list[str]:
    """Sentences for those files of which a look has shown that nobody can print them. Sending never waits for one."""
    named = [(Path(file.filename or "").name, sha256) for file, (_, sha256) in zip(files, digests(files), strict=True)]
    known = [(name, sha256) for name, sha256 in named if upload_checker().remembered(sha256) is not None]
    return refusals([_judge(name, sha256) for name, sha256 in known])


def checked_job(stored: Stored) -> list[CheckedModel]:
    """What the student sent with a job, as the form would have shown it: for students without a script to show it.

    What nobody has looked at yet is pending: the worker inspects it.
    """
    asked, prices = stored.job.request, services().actions.context().prices
    student = stored.job.student
    wishes = Wishes(
        asked.method,
        asked.printer or "",
        asked.copies,
        asked.color or "",
        asked.own_material is True,
        student.class_number or "",
        student.discipline or "",
    )
    models = []
    for record in stored.job.sent_files:
        name = record.uploaded_as or record.name
        check = upload_checker().remembered(record.sha256) or _as_inspected(stored, record)
        if check is None:
            models.append(CheckedModel(name, record.sha256, UploadCheck(), is_pending=True))
        else:
            models.append(judge(name, record.sha256, check, services().lab, wishes, prices))
    return models


def _as_inspected(stored: Stored, record: FileRecord) -> UploadCheck | None:
    """By the worker, which keeps the facts in the job's record and the picture beside it."""
    if not record.model:
        return None
    name, png = preview_of(record), None
    if name is not None:
        with suppress(JobNotFound, OSError):  # it is drawn again one day
            with services().store.open(stored, name) as picture:
                png = picture.read()
    return UploadCheck(read_model_facts(record), png, record.model.get("trouble"))


def _judge(name: str, sha256: str) -> CheckedModel:
    check = upload_checker().result(sha256)
    if check is None:
        return CheckedModel(name, sha256, UploadCheck(), is_pending=True)
    return judge(name, sha256, check, services().lab, _wishes(), services().actions.context().prices)


def _wishes() -> Wishes:
    copies = request.values.get("copies", "")
    is_count = copies.isdecimal() and len(copies) < 5 and 1 <= int(copies) <= services().lab.submission.max_copies
    method, printer = request.values.get("print_method", ""), request.values.get("printer", "")
    return Wishes(
        method,
        printer,
        int(copies) if is_count else 1,
        request.values.get("color", ""),
        request.values.get("own_material") == "yes",
        request.values.get("class_number", ""),
        request.values.get("discipline", ""),
    )


def _answer(files: Sequence[NamedHash], refused: Sequence[str] = (), answer_id: str = "") -> ResponseReturnValue:
    models = [_judge(name, sha256) for name, sha256 in files]
    printer = services().lab.printer(request.values.get("printer"))
    html = render_template("student/_check.html", checked=models, refused=refused, printer=printer, can_choose=True)
    is_pending = any(model.is_pending for model in models)
    answer = jsonify(
        id=answer_id, pending=is_pending, html=html, refused=refused, files=[_as_json(model) for model in models]
    )
    return answer, 202 if is_pending else 200


def _as_json(model: CheckedModel) -> dict[str, object]:
    return {
        "name": model.name,
        "sha256": model.sha256,
        "pending": model.is_pending,
        "model": model.check.facts.model_dump(mode="json") if model.check.facts else None,
        "findings": [finding.model_dump() for finding in model.findings],
        "will_not_print": model.will_not_print,
        "fits": [printer.id for printer in model.fitting] if model.printers else None,
        "price": [str(end) for end in model.price] if model.price else None,
        "discounts": [discount.model_dump(mode="json") for discount in model.discounts],
    }
