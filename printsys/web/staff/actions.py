"""The actions of a job: their forms, what they do, and what staff see when they cannot be done."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from printsys.actions import intake
from printsys.domain import workflow
from printsys.domain.inputs import StartInput, validate
from printsys.domain.job import Job
from printsys.domain.workflow import Step
from printsys.errors import JobNotFound, PrintSysError, StaleJob, TransitionNotAllowed
from printsys.jobstore import Stored
from printsys.jobstore.store import require_current
from printsys.jobstore.stored import is_deleted
from printsys.web.auth import current_actor, login_required
from printsys.web.errors import error_page
from printsys.web.filters import status_name
from printsys.web.services import services
from printsys.web.staff.action_views import ACTION_VIEWS, form_for, undo_step
from printsys.web.staff.forms import shown_revision
from printsys.web.staff.history import history
from printsys.web.staff.list_query import ListQuery
from printsys.web.staff.payment_remarks import fingerprint, remarks_on
from printsys.web.staff.place_in_list import PlaceInList, place_in_list
from printsys.web.staff.printed_before import printed_before
from printsys.web.staff.staff_queue import require_free
from printsys.web.student.forms import with_errors

PAGES_WITH_BUTTONS = {"today": "today.show", "queue": "queue.show"}
pages = Blueprint("actions", __name__, url_prefix="/dashboard/jobs/<job_id>")


@pages.get("/<action>")
@login_required
def ask(job_id: str, action: str) -> ResponseReturnValue:
    """The action's form on a page of its own: without JavaScript, and when something was wrong with it."""
    stored = services().store.load(job_id)
    return _action_page(workflow.find_step(action, stored.job.status, current_actor()), stored)


@pages.post("/<action>")
@login_required
def act(job_id: str, action: str) -> ResponseReturnValue:
    stored = services().store.load(job_id)
    revision = shown_revision(request.form.get("revision"))
    require_current(stored, revision)
    step = workflow.find_step(action, stored.job.status, current_actor())
    try:
        answers = validate(step.needs, form_for(action, stored, services().lab).answers(request.form))
        remarks = remarks_on(services(), stored, answers)
        if remarks and request.form.get("accept") != fingerprint(remarks):
            return _action_page(step, stored, remarks=remarks), 422
        if isinstance(answers, StartInput) and not answers.printer:
            require_free(stored.job.request.printer)
        place = place_in_list(job_id)
        after = services().actions.perform(job_id, action, answers, current_actor(), revision)
    except (JobNotFound, StaleJob, TransitionNotAllowed):
        raise
    except PrintSysError as error:
        return _action_page(step, stored, error), error_page(error).code
    flash(ACTION_VIEWS[action].done_sentence(step, after, since=revision), _category(step, stored.job, after))
    is_gone = is_deleted(after.log)
    if place and request.form.get("back") != "undo" and (is_gone or after.job.status is not stored.job.status):
        return _onward(place)
    return redirect(url_for("dashboard.show"), 303) if is_gone else _back_to(stored.job)


@pages.post("/undo-move")
@login_required
def undo_move(job_id: str) -> ResponseReturnValue:
    """Move the folder back where it came from, and undo what the move did."""
    try:
        revision = shown_revision(request.form.get("revision"))
        after = services().actions.undo_move(job_id, current_actor(), revision)
    except StaleJob as error:
        return _conflict_page(error, services().store.load(job_id), over="The move is no longer the last step.")
    flash(f"The move is undone: {after.job.student.name}'s job is {status_name(after.job.status)} again.")
    return _back_to(after.job)


@pages.post("/reprint")
@login_required
def reprint(job_id: str) -> ResponseReturnValue:
    """Print the same again: a new job that goes its own way, with a price of its own."""
    new_job = intake.reprint(services().actions, job_id, current_actor()).job
    flash(f"This is the new job; it prints {job_id} again.")
    return _back_to(new_job)


@pages.post("/look-again")
@login_required
def look_again(job_id: str) -> ResponseReturnValue:
    """Have the worker inspect the job's files, whatever went wrong before."""
    job = services().store.load(job_id).job
    services().actions.enqueue(job.id)
    flash("The worker inspects the files again. The result shows here in a moment.")
    return _back_to(job)


def _back_to(job: Job) -> ResponseReturnValue:
    """Where the button was: in the dashboard's list of a status, on another page of staff's, or on the job's."""
    if request.form.get("back") in PAGES_WITH_BUTTONS:
        return redirect(url_for(PAGES_WITH_BUTTONS[request.form["back"]]), 303)
    args = ListQuery.from_args(request.args).args()
    if request.form.get("back") == "dashboard":
        in_status: dict[str, Any] = {"status": job.status.value}
        return redirect(url_for("dashboard.show", **(args or in_status)), 303)
    return redirect(url_for("job.show", job_id=job.id, **args), 303)


def _onward(place: PlaceInList) -> ResponseReturnValue:
    """To the next job of the list that this one came from; to the list if the button was there or no job is left."""
    if request.form.get("back") == "dashboard" or place.next_id is None:
        return redirect(url_for("dashboard.show", **place.args), 303)
    return redirect(url_for("job.show", job_id=place.next_id, **place.args), 303)


def _category(step: Step, before: Job, after: Stored) -> str:
    """Of the message that says what was done: `undo <id> <revision>` where one click takes it back."""
    can_undo = step.action != "override" and undo_step(before, after.job) is not None
    return f"undo {after.id} {after.job.revision}" if can_undo else "message"


def _action_page(step: Step, stored: Stored, error: PrintSysError | None = None, remarks: Sequence[str] = ()) -> str:
    """`error`: why it was not done; `remarks`: what a second click accepts. The form keeps what staff typed."""
    form = form_for(step.action, stored, services().lab)
    if remarks and "accept" in form:
        form["accept"].data = fingerprint(remarks)
    return render_template(
        "staff/action.html",
        form=form,
        general=with_errors(form, error) if error else [],
        title=ACTION_VIEWS[step.action].button_label(step, stored.job),
        job=stored.job,
        remarks=remarks,
        earlier_prints=printed_before(services(), stored.job) if step.action == "approve" else [],
        **_form_context(step, stored),
    )


@pages.errorhandler(TransitionNotAllowed)
def refused(error: TransitionNotAllowed) -> ResponseReturnValue:
    """The action does not fit the job as it is: an old link, or a request that no page of ours makes."""
    stored = services().store.load((request.view_args or {})["job_id"])
    return render_template("staff/refused.html", job=stored.job, why=str(error)), 409


@pages.errorhandler(StaleJob)
def conflict(error: StaleJob) -> ResponseReturnValue:
    """Somebody was faster. The page shows what happened and keeps what staff typed; they decide whether to send it."""
    view_args = request.view_args or {}
    stored = services().store.load(view_args["job_id"])
    try:
        step = workflow.find_step(view_args["action"], stored.job.status, current_actor())
    except TransitionNotAllowed as over:
        return _conflict_page(error, stored, over=str(over))
    form = form_for(step.action, stored, services().lab)
    return _conflict_page(error, stored, form=form, **_form_context(step, stored))


def _conflict_page(error: StaleJob, stored: Stored, **context: object) -> ResponseReturnValue:
    """With the action's form or, where it no longer fits the job, with `over`: why."""
    page = render_template("staff/conflict.html", job=stored.job, lines=history(error.since), **context)
    return page, 409


def _form_context(step: Step, stored: Stored) -> dict[str, object]:
    """What staff/_form.html needs besides the form."""
    view = ACTION_VIEWS[step.action]
    return {
        "step": step,
        "submit_label": view.submit_label(step, stored.job),
        "is_danger": view.style == "danger",
        "in_list": ListQuery.from_args(request.args).args(),
    }
