"""What students see: the form, what became of it, the link that confirms."""

from __future__ import annotations

import logging
import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import UTC, datetime

from flask import Blueprint, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue

from printsys.actions import check_offered, not_offered, require_open_confirmation
from printsys.assessment.upload_check import refusals
from printsys.domain.inputs import OptionalReasonInput, SubmitInput, validate
from printsys.domain.status import GOOD_COURSE, Status
from printsys.domain.workflow import resubmission_key
from printsys.errors import (
    InvalidInput,
    StorageFailure,
    StorageOffline,
    TokenExpired,
    TokenUsed,
    TransitionNotAllowed,
)
from printsys.jobstore import IncomingFile, Stored
from printsys.texts import reasons
from printsys.web.limits import limiter, no_submit_limit, submit_limit
from printsys.web.services import services
from printsys.web.student.forms import SubmitForm, with_errors
from printsys.web.student.upload_check import checked_files, checked_job
from printsys.web.student.uploads import digests, incoming_files

pages = Blueprint("student", __name__)
logger = logging.getLogger(__name__)
REMEMBERED = 2000
FORM_ID_LENGTH = 64
MINE = "my_jobs"
NOT_STORED = (
    "We cannot store your model at the moment, so nothing was sent. What you typed is still here: "
    "please try again in a few minutes."
)
PAUSED = "This page was open for long. What you typed is still here; please choose your file and send it again."


@dataclass
class SentForm:
    """One opened form: whose turn it is to send it, and what came of it the last time."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    job_id: str | None = None
    answers: list[tuple[str, str]] = field(default_factory=list)
    files: list[tuple[str, str]] = field(default_factory=list)

    def is_sent_again(self) -> bool:
        """Whether this request is the one that made the job, once more. Somebody who goes back and sends another
        model, or other wishes, from the same page means another job: that must never be swallowed."""
        if self.job_id is None or self.answers != _answers():
            return False
        return self.files == digests(request.files.getlist("file"))

    def made(self, stored: Stored) -> None:
        originals = stored.job.sent_files
        self.job_id, self.answers = stored.id, _answers()
        self.files = [(record.uploaded_as or "", record.sha256) for record in originals]


class Submissions:
    """Which form made which job, so that a form that is sent twice (a double click, a reload) makes one job.

    Kept in this process alone: it is about the seconds after a click, not about history.
    """

    def __init__(self) -> None:
        self._forms: OrderedDict[str, SentForm] = OrderedDict()
        self._guard = threading.Lock()

    def form(self, form_id: str) -> SentForm:
        with self._guard:
            form = self._forms.setdefault(form_id, SentForm())
            self._forms.move_to_end(form_id)
            while len(self._forms) > REMEMBERED:
                self._forms.popitem(last=False)
            return form


def _answers() -> list[tuple[str, str]]:
    return sorted(item for item in request.form.items(multi=True) if item[0] != "csrf_token")


submissions = Submissions()


@pages.get("/")
def home() -> ResponseReturnValue:
    return redirect(url_for("student.submit"))


@pages.get("/submit")
def submit() -> ResponseReturnValue:
    form = SubmitForm.of(services().lab)
    form.submission.data = secrets.token_urlsafe(16)
    return _form_page(form, [])


@pages.post("/submit", endpoint="submit_post")
@limiter.limit(submit_limit, exempt_when=no_submit_limit)
def send() -> ResponseReturnValue:
    form_id = request.form.get("submission") or secrets.token_urlsafe(16)
    sent = submissions.form(form_id[:FORM_ID_LENGTH])
    with sent.lock:
        if not sent.is_sent_again():
            try:
                sent.made(_submit())
            except InvalidInput as wrong:
                form = SubmitForm.of(services().lab)
                return _form_page(form, with_errors(form, wrong.fields)), 422
            except (StorageOffline, StorageFailure) as error:
                logger.warning("a submission could not be stored: %s", error)
                return _form_page(SubmitForm.of(services().lab), [NOT_STORED]), 503
        job_id = sent.job_id
    session[MINE] = [*session.get(MINE, [])[-9:], job_id]
    return redirect(url_for("student.success", job=job_id), 303)


def again_after_pause() -> ResponseReturnValue:
    """The form as it was typed, where it lay open for longer than a form is good for."""
    form = SubmitForm.of(services().lab)
    form.submission.data = form.submission.data or secrets.token_urlsafe(16)
    return _form_page(form, [PAUSED]), 400


def _submit() -> Stored:
    return services().actions.submit(*read_request())


def read_request(files_needed: bool = True) -> tuple[SubmitInput, list[IncomingFile]]:
    """What was filled in, and the files. InvalidInput says all that is wrong at once: what is missing, what the lab
    does not offer, what is wrong with the files."""
    said: SubmitInput | None = None
    wrong: dict[str, list[str]] = {}
    try:
        said = validate(SubmitInput, request.form)
    except InvalidInput as error:
        # What can be read is looked at all the same: nobody wants to hear of one mistake after the other.
        names = ("print_method", "color", "printer", "discipline")
        method, color, printer, discipline = (request.form.get(name, "").strip() for name in names)
        copies = request.form.get("copies", 1, type=int)
        wrong |= not_offered(services().lab, method, color, printer, discipline, copies) | error.fields
    else:
        try:
            check_offered(said, services().lab)
        except InvalidInput as error:
            wrong |= error.fields
    sent = request.files.getlist("file")
    files, refused = incoming_files(sent, services().lab) if files_needed or any(f.filename for f in sent) else ([], [])
    refused = refused or refusals(checked_files(sent if files else []))
    if refused:
        wrong["file"] = refused
    if request.form.get("minimum_charge_consent") == "no":
        wrong["minimum_charge_consent"] = [services().lab.consent_refused]
    if wrong or said is None:
        raise InvalidInput(wrong)
    return said, files


def _form_page(form: SubmitForm, general: list[str]) -> str:
    return render_template("student/submit.html", form=form, general=general, methods=services().lab.methods)


@pages.get("/submit/success")
def success() -> ResponseReturnValue:
    """What happens next. Only the browser that submitted is shown the link to the job's page."""
    job_id = request.args.get("job", "")
    mine = job_id in session.get(MINE, [])
    if not mine:
        return render_template("student/success.html", job_id=None)
    stored = services().store.load(job_id)
    shown = {"checked": checked_job(stored), "printer": services().lab.printer(stored.job.request.printer)}
    return render_template("student/success.html", job_id=job_id, token=services().tokens.status(job_id), **shown)


@pages.get("/status/<token>")
def status(token: str) -> ResponseReturnValue:
    job = services().store.load(services().tokens.read_status(token)).job
    key = resubmission_key(job)
    more = {"way": GOOD_COURSE, "reasons": reasons(job, services().lab)}
    resubmit_token = services().tokens.resubmit(job.id, key) if key else None
    return render_template("student/status.html", job=job, resubmit_token=resubmit_token, **more)


@pages.get("/confirm/<token>")
def confirm(token: str) -> ResponseReturnValue:
    return _confirm_page(token)


@pages.post("/confirm/<token>")
def decide(token: str) -> ResponseReturnValue:
    job_id, nonce = services().tokens.read_confirm(token)
    decision = request.form.get("decision")
    if decision not in ("confirm", "decline"):
        return _confirm_page(token, "Please choose whether we should print it.", 422)
    try:
        reason = validate(OptionalReasonInput, request.form).reason
    except InvalidInput as wrong:
        return _confirm_page(token, f"Your reason: {wrong}", 422)
    try:
        services().actions.student_decides(job_id, nonce, decision == "confirm", reason)
    except (TokenExpired, TokenUsed):
        return _confirm_page(token)
    return redirect(url_for("student.status", token=services().tokens.status(job_id)), 303)


@pages.post("/confirm/<token>/resend")
@limiter.limit(submit_limit, exempt_when=no_submit_limit)
def resend(token: str) -> ResponseReturnValue:
    job_id, nonce = services().tokens.read_confirm(token)
    try:
        stored = services().actions.resend_confirmation(job_id, nonce)
    except TransitionNotAllowed as refused:
        return _confirm_page(token, str(refused), 409)
    except TokenUsed:
        return _confirm_page(token)
    return render_template("student/resent.html", job=stored.job)


def _confirm_page(token: str, said: str = "", code: int = 200) -> ResponseReturnValue:
    """The offer, with `code`; or, where the link is over, why, and what to do."""
    job_id, nonce = services().tokens.read_confirm(token)
    job = services().store.load(job_id).job
    more = {"job": job, "token": token, "status_token": services().tokens.status(job_id), "said": said}
    try:
        require_open_confirmation(job, nonce, datetime.now(UTC))
    except TokenExpired as over:
        return render_template("student/link_over.html", why=str(over), expired=True, **more), 410
    except TokenUsed as over:
        done = job.status not in (Status.PENDING, Status.UPLOADED, Status.REJECTED)
        return render_template("student/link_over.html", why=str(over), expired=False, confirmed=done, **more), 410
    return render_template("student/confirm.html", printer=services().lab.printer(job.request.printer), **more), code
