"""What staff see and do: the dashboard from the mirror, each job straight from its folder."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, jsonify, redirect, render_template, request, send_file, url_for
from flask.typing import ResponseReturnValue

from printsys.domain import facts, workflow
from printsys.domain.events import STAFF
from printsys.domain.facts import read_facts
from printsys.domain.job import Status
from printsys.domain.mails import owed
from printsys.domain.workflow import Step
from printsys.errors import InvalidInput, PrintSysError, StaleJob, TransitionNotAllowed
from printsys.jobstore import Stored
from printsys.jobstore.files import printable
from printsys.student_texts import reasons
from printsys.web.auth import current_actor, login_required
from printsys.web.cards import Card, Shelf, shelf
from printsys.web.forms import ACTION_FORMS, ActionForm, with_errors
from printsys.web.history import history
from printsys.web.house import house
from printsys.web.words import amount, money, status_name

pages = Blueprint("staff", __name__, url_prefix="/dashboard")
REPEATED = ("print_file", "reasons")
SIDE_STEPS = ("override", "details", "delete", "resend-email", "choose-file", "notes", "review", "unreview")
"""Actions that are possible in many statuses; the others are the job's way forward or back."""
SHOWN_BELOW = ("details", "resend-email", "choose-file", "override", "delete")
HARMFUL = ("reject", "delete", "fail")


@pages.get("", strict_slashes=False)
@login_required
def dashboard() -> ResponseReturnValue:
    q = request.args.get("q", "").strip()
    wanted = request.args.get("status")
    status = Status(wanted) if wanted in set(Status) else None
    page = max(1, request.args.get("page", 1, type=int))
    found: Shelf = shelf(house(), status, q, page)
    return render_template("staff/dashboard.html", shelf=found, q=q, banners=found.banners)


@pages.get("/jobs/<job_id>")
@login_required
def job(job_id: str) -> ResponseReturnValue:
    return _job_page(house().store.load(job_id))


def _job_page(stored: Stored) -> str:
    steps = workflow.steps_from(stored.job.status, STAFF)
    forms = {step.action: _form(step, stored) for step in steps if step.action in ACTION_FORMS}
    forward = [step for step in steps if step.action not in (*SIDE_STEPS, "revert")]
    return render_template(
        "staff/job.html",
        card=Card.of(stored),
        stored=stored,
        job=stored.job,
        forward=forward,
        back=next((step for step in steps if step.action == "revert"), None),
        side=[step for step in steps if step.action in SHOWN_BELOW],
        forms=forms,
        label=lambda step: _label(step, stored),
        harmful=HARMFUL,
        history=history(stored.events),
        owed=owed(stored.events, stored.id),
        reasons=reasons(stored.job, house().lab),
        printer=house().lab.printer(stored.job.request.printer),
        files=printable(stored.folder),
        sizes={record.name: record.size for record in stored.job.files},
    )


def _label(step: Step, stored: Stored) -> str:
    """A button that sends an e-mail says to whom."""
    first_name = stored.job.student.name.split()[0] if stored.job.student.name.split() else "the student"
    if step.action == "reject":
        return f"Reject and e-mail {first_name}"
    if step.action == "delete":
        return "Delete this job"
    return step.label


def _form(step: Step, stored: Stored) -> ActionForm:
    form = ACTION_FORMS[step.action]()
    form.prepare(stored.job, house().lab, printable(stored.folder))
    form.revision.data = str(stored.job.revision)
    return form


@pages.get("/jobs/<job_id>/<action>")
@login_required
def ask(job_id: str, action: str) -> ResponseReturnValue:
    """The action's form on a page of its own: without JavaScript, and when something was wrong with it."""
    stored = house().store.load(job_id)
    step = workflow.find_step(action, stored.job.status, STAFF)
    return _action_page(step, stored)


@pages.post("/jobs/<job_id>/<action>")
@login_required
def act(job_id: str, action: str) -> ResponseReturnValue:
    stored = house().store.load(job_id)
    revision = request.form.get("revision", type=int)
    if revision is None:
        raise InvalidInput({"revision": ["The page did not say which state of the job it showed. Please reload it."]})
    try:
        if stored.job.revision != revision:
            raise StaleJob(job_id, revision, stored.job.revision, [e for e in stored.events if e.seq > revision])
        step = workflow.find_step(action, stored.job.status, current_actor())
        said = read_facts(step.needs, _values())
        after = house().actions.perform(job_id, action, said, current_actor(), revision)
    except StaleJob as stale:
        return _conflict(action, house().store.load(job_id), stale)
    except InvalidInput as wrong:
        return _action_page(step, stored, wrong), 422
    flash(_done(step, after))
    if action == "delete":
        return redirect(url_for("staff.dashboard"), 303)
    if request.form.get("back") == "dashboard":
        return redirect(url_for("staff.dashboard", status=stored.job.status.value), 303)
    return redirect(url_for("staff.job", job_id=job_id), 303)


def _values() -> dict[str, Any]:
    values: dict[str, Any] = request.form.to_dict()
    return values | {name: request.form.getlist(name) for name in REPEATED if name in request.form}


def _action_page(step: Step, stored: Stored, wrong: InvalidInput | None = None) -> str:
    form = _form(step, stored) if step.action in ACTION_FORMS else ActionForm(revision=str(stored.job.revision))
    general = with_errors(form, wrong.fields) if wrong else []
    return render_template(
        "staff/action.html",
        form=form,
        step=step,
        label=_label(step, stored),
        stored=stored,
        job=stored.job,
        general=general,
        harmful=step.action in HARMFUL,
    )


def _conflict(action: str, stored: Stored, stale: StaleJob) -> ResponseReturnValue:
    """Somebody was faster. What was typed is kept, beside what happened; sending it again is a decision of its own."""
    try:
        step = workflow.find_step(action, stored.job.status, current_actor())
    except TransitionNotAllowed as over:
        return render_template("staff/conflict.html", job=stored.job, lines=history(stale.since), over=str(over)), 409
    form = _form(step, stored) if action in ACTION_FORMS else ActionForm()
    form.revision.data = str(stored.job.revision)
    return (
        render_template(
            "staff/conflict.html",
            form=form,
            step=step,
            label=_label(step, stored),
            stored=stored,
            job=stored.job,
            lines=history(stale.since),
            harmful=action in HARMFUL,
        ),
        409,
    )


def _done(step: Step, after: Stored) -> str:
    """What has happened, the e-mail that follows included."""
    job = after.job
    said = {
        "approve": f"Approved at {money(job.estimate.cost) if job.estimate else ''}.",
        "delete": "The job is deleted. Its folder stays in the trash for 30 days.",
        "notes": "The notes are saved.",
        "details": "The details are saved.",
        "choose-file": "The print file is chosen.",
        "resend-email": "The e-mail is on its way again.",
        "review": "Marked as reviewed.",
        "unreview": "Marked as not reviewed.",
    }.get(step.action, f"{job.student.name}'s job is now {status_name(job.status)}.")
    if step.mail is not None and step.action != "resend-email":
        said += f" {job.student.name} gets an e-mail." if job.student.email else " There is no address to e-mail."
    return said


@pages.get("/jobs/<job_id>/quote")
@login_required
def quote(job_id: str) -> ResponseReturnValue:
    """The price of what is being typed, by the one rule that the approval itself uses."""
    job = house().store.load(job_id).job
    try:
        said = read_facts(facts.QuoteFacts, request.args)
        price = house().actions.price(job, said.weight_g, said.volume_ml)
    except PrintSysError:
        return jsonify(text="")
    text = f"{money(price.cost)}: {amount(price.amount)} {price.unit} × {money(price.rate)}"
    return jsonify(text=f"{money(price.cost)}, the minimum charge" if price.is_minimum else text)


@pages.get("/jobs/<job_id>/files/<path:name>")
@login_required
def download(job_id: str, name: str) -> ResponseReturnValue:
    store = house().store
    stored = store.load(job_id)
    path = store.file(stored, name)
    return send_file(path, mimetype="application/octet-stream", as_attachment=True, download_name=path.name)
