"""One action for all ticked jobs of the list: what was done and what could not be, job by job. Handing out and tickets
lead on to their own pages with these jobs."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from printsys.domain import workflow
from printsys.domain.inputs import StartInput, validate
from printsys.domain.naming import parse_id
from printsys.domain.status import LIVE, Status, in_words
from printsys.errors import PrintSysError
from printsys.web.auth import current_actor, login_required
from printsys.web.services import services
from printsys.web.staff.action_views import ACTION_VIEWS, undo_step
from printsys.web.staff.forms import ticked_jobs
from printsys.web.staff.list_query import ListQuery
from printsys.web.staff.staff_queue import require_up

pages = Blueprint("bulk", __name__, url_prefix="/dashboard/bulk")
ACTIONS = ("review", "start", "complete", "archive", "resend-email")
"""What needs nothing but the click; approving takes a look."""
HAND_OUT, TICKET, UNDO = "pickup", "ticket", "revert"


@dataclass(frozen=True)
class BulkButton:
    """`leads_on`: to a page of its own, which asks what there is to ask."""

    action: str
    label: str
    leads_on: bool = False


@dataclass(frozen=True)
class Outcome:
    """Of one job: `sentence` says what was done, or why nothing was. `undo`: id and revision for taking it back."""

    job_id: str
    name: str
    sentence: str
    is_done: bool = False
    undo: str | None = None


def bulk_buttons(status: Status | None) -> list[BulkButton]:
    """What may be done with all ticked jobs of a list: of that status or, None, of any."""
    steps = workflow.STEPS if status is None else workflow.steps_from(status)
    labels = {s.action: ACTION_VIEWS[s.action].label or s.label for s in steps if s.action in ACTION_VIEWS}
    if status not in (None, Status.UPLOADED):
        labels.pop("review", None)  # a job is new only before its approval
    buttons = [BulkButton(action, labels[action]) for action in ACTIONS if action in labels]
    if HAND_OUT in labels:
        buttons.insert(0, BulkButton(HAND_OUT, "Hand out", leads_on=True))
    if status is None or status in LIVE:
        buttons.append(BulkButton(TICKET, "Print tickets", leads_on=True))
    return buttons


@pages.post("/<action>")
@login_required
def act(action: str) -> ResponseReturnValue:
    """`job` (repeated): id and revision as the page showed them."""
    if action not in (*ACTIONS, HAND_OUT, TICKET, UNDO):
        abort(404)
    ticked = ticked_jobs(request.form)
    if action == TICKET and ticked:
        ids = [job_id for job_id, _ in ticked if parse_id(job_id)]
        return redirect(url_for("ticket.several", job=ids), 303)
    if action == HAND_OUT:
        return _to_the_counter(ticked)
    return _outcome_page(action, [_perform(action, job_id, revision) for job_id, revision in ticked])


def _outcome_page(action: str, outcomes: list[Outcome]) -> str:
    label = next((step.label for step in workflow.STEPS if step.action == action), "Print tickets")
    return render_template(
        "staff/bulk.html",
        outcomes=outcomes,
        done=sum(outcome.is_done for outcome in outcomes),
        label="Undo" if action == UNDO else ACTION_VIEWS[action].label or label if action in ACTION_VIEWS else label,
        undo=[outcome.undo for outcome in outcomes if outcome.undo] if action != UNDO else [],
        in_list=ListQuery.from_args(request.args).args(),
    )


def _to_the_counter(ticked: list[tuple[str, int]]) -> ResponseReturnValue:
    """With the jobs that can be handed out; of the others it says why they cannot. The counter records the payment."""
    outcomes = [_may_be_handed_out(job_id) for job_id, _ in ticked]
    ids = [outcome.job_id for outcome in outcomes if outcome.is_done]
    if not ids:
        return _outcome_page(HAND_OUT, outcomes)
    for outcome in outcomes:
        if not outcome.is_done:
            flash(f"{outcome.name}'s job {outcome.job_id} cannot be handed out: {outcome.sentence}", "error")
    return redirect(url_for("counter.show", job=ids), 303)


def _may_be_handed_out(job_id: str) -> Outcome:
    name = job_id
    try:
        stored = services().store.load(job_id)
        name = stored.job.student.name
        workflow.find_step(HAND_OUT, stored.job.status, current_actor())
        if stored.problem is not None:
            return Outcome(job_id, name, in_words(str(stored.problem)))
    except PrintSysError as error:
        return Outcome(job_id, name, in_words(str(error)))
    return Outcome(job_id, name, "", is_done=True)


def _perform(action: str, job_id: str, revision: int) -> Outcome:
    name = job_id
    try:
        before = services().store.load(job_id)
        name = before.job.student.name
        step = workflow.find_step(action, before.job.status, current_actor())
        answers = validate(step.needs, request.form)
        if isinstance(answers, StartInput) and not answers.printer:  # several on one printer may share its plate
            require_up(before.job.request.printer)
        after = services().actions.perform(job_id, action, answers, current_actor(), revision)
    except PrintSysError as error:
        return Outcome(job_id, name, str(error))
    undo = f"{job_id}:{after.job.revision}" if undo_step(before.job, after.job) else None
    return Outcome(job_id, name, ACTION_VIEWS[action].done_sentence(step, after, since=revision), True, undo)
