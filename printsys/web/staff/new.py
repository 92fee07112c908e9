"""A job for somebody at the counter: the student's form, written down by staff."""

from __future__ import annotations

import logging
import secrets

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFError

from printsys.domain.inputs import AtCounterInput, SubmitInput
from printsys.errors import InvalidInput, StorageFailure, StorageOffline
from printsys.jobstore import IncomingFile
from printsys.web import lab_day
from printsys.web.auth import current_actor, login_required
from printsys.web.services import services
from printsys.web.student.double_submit import submissions
from printsys.web.student.forms import SubmitForm, with_errors
from printsys.web.student.submit import FORM_ID_LENGTH, read_form

pages = Blueprint("new", __name__, url_prefix="/dashboard/new")
logger = logging.getLogger(__name__)
NOT_STORED = "The model cannot be stored at the moment, so there is no job. What you typed is still here."
PAUSED = "This page was open for a long time. What you typed is still here; please choose the file and send it again."


@pages.get("", strict_slashes=False)
@login_required
def show() -> ResponseReturnValue:
    return _page([])


@pages.post("", strict_slashes=False)
@login_required
def make() -> ResponseReturnValue:
    """The fields of /submit."""
    form_id = request.form.get("submission") or secrets.token_urlsafe(16)
    sent_form = submissions().form(form_id[:FORM_ID_LENGTH])
    with sent_form.lock:
        if not sent_form.is_sent_again():
            try:
                answers, files = _read()
                sent_form.record(services().actions.submit(answers, files, current_actor()))
            except InvalidInput as error:
                return _page([], error), 422
            except (StorageOffline, StorageFailure) as error:
                logger.warning("a job at the counter could not be stored: %s", error)
                return _page([NOT_STORED]), 503
            name = answers.student_name
            flash(f"The job of {name} is here. Once it is approved, “Confirm for the student” takes their yes at once.")
        job_id = sent_form.job_id
    return redirect(url_for("job.show", job_id=job_id), 303)


def _read() -> tuple[SubmitInput | AtCounterInput, list[IncomingFile]]:
    if services().lab.submission.email_at_counter == "required":
        return read_form(SubmitInput)
    return read_form(AtCounterInput)


@pages.errorhandler(CSRFError)
@login_required
def open_for_too_long(_error: CSRFError) -> ResponseReturnValue:
    """The form as it was typed, to be sent again."""
    return _page([PAUSED]), 400


def _page(general: list[str], error: InvalidInput | None = None) -> str:
    form = SubmitForm.at_counter(services().lab, lab_day.today())
    form.submission.data = form.submission.data or secrets.token_urlsafe(16)
    return render_template(
        "staff/new.html",
        form=form,
        general=general if error is None else with_errors(form, error),
        methods=services().lab.methods,
    )
