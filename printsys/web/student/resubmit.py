"""A rejected request, opened again by the link in the e-mail: as it was sent, to be fixed, and still the same job."""

from __future__ import annotations

import logging
import secrets

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFError

from printsys.assessment.model_findings import finding_sentences
from printsys.domain.job import Job
from printsys.domain.links import require_open_resubmission
from printsys.domain.request_fields import from_job
from printsys.errors import InvalidInput, PrintSysError, StorageFailure, StorageOffline, TokenUsed
from printsys.texts import reasons
from printsys.web import lab_day
from printsys.web.errors import open_too_long_page
from printsys.web.services import services
from printsys.web.student.confirm import link_over_page
from printsys.web.student.forms import SubmitForm, with_errors
from printsys.web.student.receipt_limit import receipt_limit
from printsys.web.student.status import sent_models
from printsys.web.student.submit import NOT_STORED, PAUSED, read_request

pages = Blueprint("resubmit", __name__)
logger = logging.getLogger(__name__)


@pages.get("/resubmit/<token>")
def show(token: str) -> ResponseReturnValue:
    job_id, key = services().tokens.read_resubmit(token)
    job = services().store.load(job_id).job
    try:
        require_open_resubmission(job, key)
    except TokenUsed as over:
        return link_over_page(job, over)
    as_sent = from_job(job) | {"minimum_charge_consent": "yes" if job.request.minimum_charge_consent else None}
    return _page(token, job, SubmitForm.of(services().lab, lab_day.today(), data=as_sent), [])


@pages.post("/resubmit/<token>")
def send(token: str) -> ResponseReturnValue:
    job_id, key = services().tokens.read_resubmit(token)
    job = services().store.load(job_id).job
    try:
        require_open_resubmission(job, key)
        answers, files = read_request(files_needed=False)
        services().actions.resubmit(job_id, key, answers, files, receipt_limit().may_send)
    except TokenUsed as over:  # sent twice: the first one did it
        return link_over_page(services().store.load(job_id).job, over)
    except InvalidInput as error:
        form = SubmitForm.of(services().lab, lab_day.today())
        return _page(token, job, form, with_errors(form, error)), 422
    except (StorageOffline, StorageFailure) as error:
        logger.warning("job %s: a request sent again could not be stored: %s", job_id, error)
        return _page(token, job, SubmitForm.of(services().lab, lab_day.today()), [NOT_STORED]), 503
    return redirect(url_for("status.show", token=services().tokens.status(job_id)), 303)


@pages.errorhandler(CSRFError)
def open_for_too_long(error: CSRFError) -> ResponseReturnValue:
    """The form as it was typed, to be sent again."""
    token = (request.view_args or {})["token"]
    try:
        job_id, _ = services().tokens.read_resubmit(token)
        job = services().store.load(job_id).job
    except PrintSysError:
        return open_too_long_page(error)
    return _page(token, job, SubmitForm.of(services().lab, lab_day.today()), [PAUSED]), 400


def _page(token: str, job: Job, form: SubmitForm, general: list[str]) -> str:
    form.submission.data = form.submission.data or secrets.token_urlsafe(16)
    our_files = [record.uploaded_as or record.name.rpartition("/")[2] for record in job.sent_files]
    return render_template(
        "student/resubmit.html",
        token=token,
        job=job,
        form=form,
        general=general,
        our_files=our_files,
        methods=services().lab.methods,
        reasons=reasons(job, services().lab),
        findings=finding_sentences(job, services().lab),
        is_theirs=job.rejection is not None and job.rejection.is_the_students,
        models=sent_models(job),
        status_token=services().tokens.status(job.id),
        printer=services().lab.printer(job.request.printer),
    )
