"""One action for all ticked jobs of the list: what was done and what could not be, job by job."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, abort, render_template, request
from flask.typing import ResponseReturnValue

from printsys.domain import workflow
from printsys.domain.inputs import validate
from printsys.domain.status import Status
from printsys.domain.workflow import Step
from printsys.errors import PrintSysError
from printsys.web.auth import current_actor, login_required
from printsys.web.services import services
from printsys.web.staff.action_views import ACTION_VIEWS, undo_step
from printsys.web.staff.forms import ticked_jobs
from printsys.web.staff.list_query import ListQuery

pages = Blueprint("bulk", __name__, url_prefix="/dashboard/bulk")
ACTIONS = ("review", "start", "complete", "archive", "resend-email")
"""What needs nothing but the click; handing out takes a payment, and approving a look."""
UNDO = "revert"


@dataclass(frozen=True)
class Outcome:
    """Of one job: `sentence` says what was done, or why nothing was. `undo`: id and revision for taking it back."""

    job_id: str
    name: str
    sentence: str
    is_done: bool = False
    undo: str | None = None


def bulk_steps(status: Status | None) -> list[Step]:
    """What may be done to all ticked jobs of a list: of that status or, None, of any."""
    steps = workflow.STEPS if status is None else workflow.steps_from(status)
    offered = {step.action: step for step in steps if step.action in ACTIONS}
    if status not in (None, Status.UPLOADED):
        offered.pop("review", None)  # a job is new only before its approval
    return [offered[action] for action in ACTIONS if action in offered]


@pages.post("/<action>")
@login_required
def act(action: str) -> ResponseReturnValue:
    """`job` (repeated): id and revision as the page showed them."""
    if action not in (*ACTIONS, UNDO):
        abort(404)
    outcomes = [_perform(action, job_id, revision) for job_id, revision in ticked_jobs(request.form)]
    label = next(step.label for step in workflow.STEPS if step.action == action)
    return render_template(
        "staff/bulk.html",
        outcomes=outcomes,
        done=sum(outcome.is_done for outcome in outcomes),
        label="Undo" if action == UNDO else ACTION_VIEWS[action].label or label,
        undo=[outcome.undo for outcome in outcomes if outcome.undo] if action != UNDO else [],
        in_list=ListQuery.from_args(request.args).args(),
    )


def _perform(action: str, job_id: str, revision: int) -> Outcome:
    name = job_id
    try:
        before = services().store.load(job_id)
        name = before.job.student.name
        step = workflow.find_step(action, before.job.status, current_actor())
        answers = validate(step.needs, request.form)
        after = services().actions.perform(job_id, action, answers, current_actor(), revision)
    except PrintSysError as error:
        return Outcome(job_id, name, str(error))
    undo = f"{job_id}:{after.job.revision}" if undo_step(before.job, after.job) else None
    return Outcome(job_id, name, ACTION_VIEWS[action].done_sentence(step, after, since=revision), True, undo)
