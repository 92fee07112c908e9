"""How staff see the actions of the workflow: one row an action, in the order of the buttons."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from printsys.config import Lab
from printsys.domain.emails import Mail, resendable
from printsys.domain.estimates import open_difference
from printsys.domain.events import EventType
from printsys.domain.folder_moves import still_missing
from printsys.domain.job import Job
from printsys.domain.links import awaits_confirmation, confirmation_expired_at
from printsys.domain.payments import is_unpaid, ledger
from printsys.domain.plates import PRINTED, open_plates, plates
from printsys.domain.reminders import became_the_labs, is_put_away
from printsys.domain.status import Status
from printsys.domain.workflow import Step, steps_from
from printsys.jobstore import Stored
from printsys.jobstore.stored import is_deleted
from printsys.texts import money
from printsys.web.filters import status_name
from printsys.web.staff import forms


def _status_is_now(job: Job) -> str:
    return f"{job.student.name}'s job is now {status_name(job.status)}."


def _plates_sentence(job: Job) -> str:
    pieces = plates(job)
    count = len([plate for plate in pieces if plate.state == PRINTED])
    if job.status is Status.COMPLETED:
        return f"All {count} are printed. {_status_is_now(job)}"
    return f"{count} of {len(pieces)} are printed."


def _saying(sentence: str) -> Callable[[Job], str]:
    return lambda job: sentence.format(name=job.student.name)


def _always(_: Stored | Job) -> bool:
    return True


def _is_new(stored: Stored) -> bool:
    return stored.job.status is Status.UPLOADED


def _facts_are_missing(stored: Stored) -> bool:
    return bool(still_missing(stored.job, stored.events))


def _waits_to_be_put_away(stored: Stored) -> bool:
    return became_the_labs(stored.events) is not None and not is_put_away(stored.events)


@dataclass(frozen=True)
class ActionView:
    """A row. `form` None: the click is enough, and `extra` are fields that a page may send with it. `done`
    says what has happened, `offered_if` whether a job that may take the action needs it at all, `next_if` whether it is
    the one thing to do next."""

    form: type[forms.ActionForm] | None = None
    extra: type[forms.ActionForm] = forms.ActionForm
    place: Literal["main", "more", "own"] = "main"
    """Beside the title, below the job, or at a place of its own on the job's page."""
    style: Literal["normal", "quiet", "danger"] = "normal"
    """A normal button is filled where it is the thing to do next, a quiet one never."""
    done: Callable[[Job], str] = _status_is_now
    offered_if: Callable[[Stored], bool] = _always
    next_if: Callable[[Job], bool] = lambda _: False
    label: str | None = None
    """Where the workflow's own label says too little for a button."""
    next_label: str | None = None
    """The same for the button on the dashboard."""

    def button_label(self, step: Step, job: Job) -> str:
        """A destructive button names what it does."""
        return self.submit_label(step, job) if self.style == "danger" else self.label or step.label

    def submit_label(self, step: Step, job: Job) -> str:
        """What the form's own button says: who gets an e-mail, too."""
        label = self.label or step.label
        if step.mail is None or _is_the_mail_itself(step) or not job.student.email:
            return label
        if step.mail == Mail.RECEIPT:
            return f"{label}, e-mail the receipt"
        first_name = next(iter(job.student.name.split()), "the student")
        return f"{label} and e-mail {first_name}"

    def done_sentence(self, step: Step, after: Stored, since: int) -> str:
        """What has happened since revision `since`, the e-mail that follows included."""
        sentence = self.done(after.job)
        if _is_the_mail_itself(step):
            return sentence
        if any(event.type == EventType.EMAIL_QUEUED and event.seq > since for event in after.events):
            return f"{sentence} {after.job.student.name} gets an e-mail."
        return f"{sentence} There is no address to e-mail." if step.mail is not None else sentence


def _is_the_mail_itself(step: Step) -> bool:
    """The action's own words name the e-mail already."""
    return step.event is EventType.EMAIL_QUEUED


ACTION_VIEWS: dict[str, ActionView] = {
    "approve": ActionView(
        forms.ApproveForm,
        done=lambda job: f"Approved at {money(job.estimate.cost if job.estimate else None)}.",
        next_if=_always,
        next_label="Review and approve",
    ),
    "confirm": ActionView(
        forms.ReasonForm, next_if=lambda job: awaits_confirmation(job) and not job.student.email
    ),  # nobody can confirm by a link
    "start": ActionView(extra=forms.StartForm, next_if=_always),
    "complete": ActionView(
        offered_if=lambda stored: not open_plates(stored.job), next_if=lambda job: not open_plates(job)
    ),
    "plates": ActionView(
        forms.PlatesForm,
        place="own",
        style="quiet",
        done=_plates_sentence,
        offered_if=lambda stored: bool(plates(stored.job)),
        next_if=lambda job: bool(open_plates(job)),
        next_label="Mark what is printed",
    ),
    "pickup": ActionView(forms.PickupForm, next_if=_always),
    "pay": ActionView(
        forms.PayForm,
        place="more",
        done=lambda job: (
            f"The payment is recorded; {money(ledger(job).due)} of it is still to be paid."
            if ledger(job).due
            else "The payment is recorded; nothing is left to be paid."
        ),
        offered_if=lambda stored: ledger(stored.job).due > 0 or ledger(stored.job).waived > 0,
        next_if=is_unpaid,
    ),
    "waive": ActionView(
        forms.WaiveForm,
        place="more",
        done=_saying("{name} need not pay that."),
        offered_if=lambda stored: ledger(stored.job).due > 0,
    ),
    "refund": ActionView(
        forms.RefundForm,
        place="more",
        done=lambda job: f"The refund is recorded; {money(ledger(job).paid)} of the payment is left.",
        offered_if=lambda stored: ledger(stored.job).paid > 0,
    ),
    "archive": ActionView(style="quiet", next_if=_always, offered_if=lambda stored: not is_unpaid(stored.job)),
    "supply": ActionView(
        forms.SupplyForm, done=_saying("What was missing is filled in."), offered_if=_facts_are_missing
    ),
    "accept-move": ActionView(offered_if=_facts_are_missing),
    "put-away": ActionView(offered_if=_waits_to_be_put_away),
    "keep-price": ActionView(offered_if=lambda stored: open_difference(stored.job, stored.events) is not None),
    "keep": ActionView(offered_if=lambda stored: is_deleted(stored.log)),
    "reject": ActionView(forms.RejectForm, style="danger"),
    "fail": ActionView(forms.FailForm, style="danger"),
    "revert": ActionView(forms.ReasonForm),
    "review": ActionView(
        place="more",
        done=_saying("Marked as reviewed."),
        offered_if=lambda stored: _is_new(stored) and stored.job.reviewed_at is None,
    ),
    "unreview": ActionView(
        place="more",
        done=_saying("Marked as not reviewed."),
        offered_if=lambda stored: _is_new(stored) and stored.job.reviewed_at is not None,
    ),
    "notes": ActionView(forms.NotesForm, place="own", done=_saying("The notes are saved.")),
    "details": ActionView(forms.DetailsForm, place="more", done=_saying("The details are saved.")),
    "resend-email": ActionView(
        place="more",
        done=_saying("{name} gets the e-mail again."),
        offered_if=lambda stored: bool(stored.job.student.email) and resendable(stored.job) is not None,
        next_if=lambda job: bool(confirmation_expired_at(job, datetime.now(UTC)) and job.student.email),
    ),
    "choose-file": ActionView(forms.FilesForm, place="more", done=_saying("The print file is chosen.")),
    "override": ActionView(forms.OverrideForm, place="more"),
    "delete": ActionView(
        forms.DeleteForm,
        place="more",
        style="danger",
        done=_saying("The job is deleted. Its folder stays in the trash for 30 days."),
        label="Delete this job",
    ),
}


def next_step(job: Job) -> Step | None:
    """The one thing to do next, where it is staff's to do; otherwise a job may wait for its student."""
    return next((step for step in steps_from(job.status) if ACTION_VIEWS[step.action].next_if(job)), None)


def undo_step(before: Job, after: Job) -> Step | None:
    """The step that takes back what led from one status to the other; None where no single step does."""
    back = [step for step in steps_from(after.status) if step.action == "revert" and step.to is before.status]
    return back[0] if back and after.status is not before.status else None


def offered_steps(stored: Stored) -> list[Step]:
    """What the workflow allows and the job needs, in the order of the buttons."""
    steps = {step.action: step for step in steps_from(stored.job.status)}
    return [steps[action] for action, view in ACTION_VIEWS.items() if action in steps and view.offered_if(stored)]


def form_for(action: str, stored: Stored, lab: Lab) -> forms.ActionForm:
    """The action's form for the job as it is now, with the values of this request where it posts the form."""
    view = ACTION_VIEWS[action]
    form = (view.form or view.extra)()
    form.prepare(stored, lab)
    form.revision.data = str(stored.job.revision)
    return form
