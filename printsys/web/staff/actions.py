"""The buttons of a job: the form that an action asks, what it does, and what staff see when it cannot be done."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from printsys.actions import intake
from printsys.domain import workflow
from printsys.domain.events import STAFF, EventType
from printsys.domain.inputs import validate
from printsys.domain.workflow import Step
from printsys.errors import InvalidInput, JobNotFound, PrintSysError, StaleJob, TransitionNotAllowed
from printsys.jobstore import Stored
from printsys.jobstore.store import require_current
from printsys.texts import money
from printsys.web.auth import current_actor, login_required
from printsys.web.errors import face_of
from printsys.web.filters import status_name
from printsys.web.services import services
from printsys.web.staff.forms import form_for
from printsys.web.staff.history import history
from printsys.web.staff.job_list import JobSummary
from printsys.web.staff.job_page import HARMFUL, label, sends
from printsys.web.student.forms import with_errors

pages = Blueprint("actions", __name__, url_prefix="/dashboard/jobs/<job_id>")


@pages.get("/<action>")
@login_required
def ask(job_id: str, action: str) -> ResponseReturnValue:
    """The action's form on a page of its own: without JavaScript, and when something was wrong with it."""
    stored = services().store.load(job_id)
    try:
        return _action_page(workflow.find_step(action, stored.job.status, STAFF), stored)
    except TransitionNotAllowed as refused:
        return _refused(stored, refused)


@pages.post("/undo-move")
@login_required
def undo_move(job_id: str) -> ResponseReturnValue:
    """Drag the folder back where it came from; what the move brought with it is undone."""
    try:
        after = services().actions.undo_move(job_id, current_actor(), request.form.get("revision", type=int))
    except StaleJob as stale:
        return _conflict("undo-move", services().store.load(job_id), stale)
    flash(f"The move is undone: {after.job.student.name}'s job is {status_name(after.job.status)} again.")
    if request.form.get("back") == "dashboard":
        return redirect(url_for("dashboard.show", status=after.job.status.value), 303)
    return redirect(url_for("job.show", job_id=job_id), 303)


@pages.post("/reprint")
@login_required
def reprint(job_id: str) -> ResponseReturnValue:
    """The same once more: a new job that goes its own way, with a price of its own."""
    made = intake.reprint(services().actions, job_id, current_actor())
    flash(f"This is the new job; it prints {job_id} again.")
    return redirect(url_for("job.show", job_id=made.id), 303)


@pages.post("/look-again")
@login_required
def look_again(job_id: str) -> ResponseReturnValue:
    """Have the worker look into the job's files, whatever went wrong before."""
    services().actions.enqueue(services().store.load(job_id).id)
    flash("The files are looked into once more. What comes of it shows here in a moment.")
    return redirect(url_for("job.show", job_id=job_id), 303)


@pages.post("/<action>")
@login_required
def act(job_id: str, action: str) -> ResponseReturnValue:
    stored = services().store.load(job_id)
    revision = request.form.get("revision", type=int)
    if revision is None:
        raise InvalidInput({"revision": ["The page did not say which state of the job it showed. Please reload it."]})
    try:
        require_current(stored, revision)
        step = workflow.find_step(action, stored.job.status, current_actor())
        said = validate(step.needs, form_for(action, stored, services().lab).said(request.form))
        after = services().actions.perform(job_id, action, said, current_actor(), revision)
    except StaleJob as stale:
        return _conflict(action, services().store.load(job_id), stale)
    except TransitionNotAllowed as refused:
        return _refused(stored, refused)
    except JobNotFound:
        raise
    except PrintSysError as wrong:
        return _action_page(step, stored, wrong), face_of(wrong).code
    flash(_done(step, after, revision))
    if action == "delete":
        return redirect(url_for("dashboard.show"), 303)
    if request.form.get("back") == "dashboard":
        return redirect(url_for("dashboard.show", status=stored.job.status.value), 303)
    return redirect(url_for("job.show", job_id=job_id), 303)


def _action_page(step: Step, stored: Stored, wrong: PrintSysError | None = None) -> str:
    """`wrong`: why it was not done. What was typed stays."""
    form = form_for(step.action, stored, services().lab)
    fields = wrong.fields if isinstance(wrong, InvalidInput) else {"": [str(wrong)]} if wrong else {}
    return render_template(
        "staff/action.html",
        form=form,
        general=with_errors(form, fields),
        title=label(step, stored),
        **_one(step, stored),
    )


def _refused(stored: Stored, refused: TransitionNotAllowed) -> ResponseReturnValue:
    """It does not fit the job as it is: an old link, or a request that no page of ours makes."""
    return render_template("staff/refused.html", job=stored.job, why=str(refused)), 409


def _conflict(action: str, stored: Stored, stale: StaleJob) -> ResponseReturnValue:
    """Somebody was faster. What was typed is kept, beside what happened; sending it again is a decision of its own."""
    shown = {"lines": history(stale.since), "card": JobSummary.of(stored, services().lab)}
    try:
        step = workflow.find_step(action, stored.job.status, current_actor())
    except TransitionNotAllowed as over:
        return render_template("staff/conflict.html", job=stored.job, over=str(over), **shown), 409
    form = form_for(action, stored, services().lab)
    return render_template("staff/conflict.html", form=form, **shown, **_one(step, stored)), 409


def _one(step: Step, stored: Stored) -> dict[str, object]:
    """What the form of one action needs to know."""
    return {"step": step, "job": stored.job, "sends": sends(step, stored), "harmful": step.action in HARMFUL}


def _done(step: Step, after: Stored, revision: int) -> str:
    """What has happened, the e-mail that follows included."""
    job = after.job
    said = {
        "approve": f"Approved at {money(job.estimate.cost) if job.estimate else ''}.",
        "delete": "The job is deleted. Its folder stays in the trash for 30 days.",
        "notes": "The notes are saved.",
        "details": "The details are saved.",
        "choose-file": "The print file is chosen.",
        "resend-email": f"{job.student.name} gets the e-mail again.",
        "supply": "What was missing is filled in.",
        "review": "Marked as reviewed.",
        "unreview": "Marked as not reviewed.",
    }.get(step.action, f"{job.student.name}'s job is now {status_name(job.status)}.")
    if step.action == "resend-email":
        return said
    if any(event.type == EventType.EMAIL_QUEUED and event.seq > revision for event in after.events):
        return f"{said} {job.student.name} gets an e-mail."
    return f"{said} There is no address to e-mail." if step.mail is not None else said
