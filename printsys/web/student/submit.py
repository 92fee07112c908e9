"""The form with which students submit, and what happens next."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from typing import TypeVar

from flask import Blueprint, abort, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFError

from printsys.config.offer import offer_problems
from printsys.domain.email_hints import likely_address
from printsys.domain.events import EventType
from printsys.domain.inputs import CorrectEmailInput, RequestInput, SubmitInput, validate
from printsys.domain.status import Status
from printsys.errors import InvalidInput, StorageFailure, StorageOffline
from printsys.jobstore import IncomingFile, Stored
from printsys.web import lab_day
from printsys.web.services import services
from printsys.web.student.double_submit import submissions
from printsys.web.student.forms import SubmitForm, with_errors
from printsys.web.student.receipt_limit import receipt_limit
from printsys.web.student.upload_check import checked_job, known_refusals, look_at
from printsys.web.student.uploads import arriving, incoming_files

pages = Blueprint("submit", __name__)
logger = logging.getLogger(__name__)
FORM_ID_LENGTH = 64
MINE = "my_jobs"
T = TypeVar("T")
Answers = TypeVar("Answers", bound=RequestInput)
NOT_STORED = (
    "We cannot store your model at the moment, so nothing was sent. What you typed is still here: "
    "please try again in a few minutes."
)
PAUSED = "This page was open for a long time. What you typed is still here; please choose your file and send it again."


@pages.get("/")
def home() -> ResponseReturnValue:
    return redirect(url_for("submit.show"))


@pages.get("/submit")
def show() -> ResponseReturnValue:
    form = SubmitForm.of(services().lab, lab_day.today())
    form.submission.data = secrets.token_urlsafe(16)
    return _form_page(form, [])


@pages.post("/submit")
def send() -> ResponseReturnValue:
    form_id = request.form.get("submission") or secrets.token_urlsafe(16)
    sent_form = submissions().form(form_id[:FORM_ID_LENGTH])
    with sent_form.lock:
        if not sent_form.is_sent_again():
            try:
                answers, files = read_request()
                owes_receipt = receipt_limit().may_send(answers.student_email)
                sent_form.record(services().actions.submit(answers, files, owes_receipt=owes_receipt))
            except InvalidInput as error:
                form = SubmitForm.of(services().lab, lab_day.today())
                return _form_page(form, with_errors(form, error)), 422
            except (StorageOffline, StorageFailure) as error:
                logger.warning("a submission could not be stored: %s", error)
                return _form_page(SubmitForm.of(services().lab, lab_day.today()), [NOT_STORED]), 503
        job_id = sent_form.job_id
    session[MINE] = [*session.get(MINE, [])[-9:], job_id]
    return redirect(url_for("submit.success", job=job_id), 303)


@pages.errorhandler(CSRFError)
def open_for_too_long(_error: CSRFError) -> ResponseReturnValue:
    """The form as it was typed, to be sent again."""
    form = SubmitForm.of(services().lab, lab_day.today())
    form.submission.data = form.submission.data or secrets.token_urlsafe(16)
    return _form_page(form, [PAUSED]), 400


def read_request(files_needed: bool = True) -> tuple[SubmitInput, list[IncomingFile]]:
    """A student's answers and files; see `read_form`."""
    return read_form(SubmitInput, files_needed)


def read_form(model: type[Answers], files_needed: bool = True) -> tuple[Answers, list[IncomingFile]]:
    """The answers and the files. InvalidInput names all problems at once: nobody wants to hear of one mistake after the
    other."""
    problems: dict[str, list[str]] = {}
    answers = _collect(problems, lambda: validate(model, request.form))
    files = _collect(problems, lambda: _accept_files(files_needed))
    lab, given = services().lab, answers.model_dump() if answers else request.form
    problems = offer_problems(lab, given, lab.today(services().store.clock()), lab_day.today()) | problems
    if problems or answers is None or files is None:
        raise InvalidInput(problems)
    return answers, files


def _collect(problems: dict[str, list[str]], read: Callable[[], T]) -> T | None:
    try:
        return read()
    except InvalidInput as error:
        problems.update(error.fields)
        return None


def _accept_files(are_needed: bool) -> list[IncomingFile]:
    uploads = [file for file in request.files.getlist("file") if file.filename]
    if not uploads and not are_needed:
        return []
    with services().store.disk_errors():
        files = incoming_files(uploads, services().lab)
        for file in uploads:
            arriving(file).require_whole()
        if "without_script" in request.form:
            look_at(uploads)
    if sentences := known_refusals(uploads):
        raise InvalidInput({"file": sentences})
    return files


def _form_page(form: SubmitForm, general: list[str]) -> str:
    return render_template(
        "student/submit.html",
        form=form,
        general=general,
        methods=services().lab.methods,
        waits=lab_day.waits(),
        message=lab_day.today().message,
        closed_days=lab_day.closed_days_to_come(),
    )


@pages.get("/submit/success")
def success() -> ResponseReturnValue:
    """What happens next. Only the browser that submitted is shown the link to the job's page."""
    job_id = request.args.get("job", "")
    if job_id not in session.get(MINE, []):
        return render_template("student/success.html", job_id=None)
    return _success_page(job_id, services().store.load(job_id))


@pages.post("/submit/address")
def correct_address() -> ResponseReturnValue:
    """`job` and `student_email`: for the browser that submitted, until staff have answered."""
    job_id = request.form.get("job", "")
    if job_id not in session.get(MINE, []):
        abort(404)
    try:
        values = validate(CorrectEmailInput, {"student_email": request.form.get("student_email", "")})
    except InvalidInput as error:
        return _success_page(job_id, services().store.load(job_id), error.fields["student_email"][0]), 422
    receipt_limit().require(values.student_email)
    services().actions.correct_email(job_id, values.student_email)
    return redirect(url_for("submit.success", job=job_id), 303)


def _success_page(job_id: str, stored: Stored, address_problem: str | None = None) -> str:
    lab, address = services().lab, stored.job.student.email or ""
    own_domain = lab.about.contact_email.rpartition("@")[2]
    return render_template(
        "student/success.html",
        job_id=job_id,
        token=services().tokens.status(job_id),
        address=address,
        has_receipt=any(event.type == EventType.EMAIL_QUEUED for event in stored.events),
        likely_address=likely_address(address, [own_domain, *lab.submission.expected_domains]),
        address_problem=address_problem,
        can_correct=stored.job.status is Status.UPLOADED,
        checked=checked_job(stored),
        printer=lab.printer(stored.job.request.printer),
    )
