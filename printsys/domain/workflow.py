"""The life of a job: one table of actions, and the one function that plans any of them.

A row says from which statuses an action is legal, to which it leads (None: it stays), who may do it, what it needs
to be told, which event records it and which e-mail follows. Nothing else in the program compares statuses to decide
what is allowed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from printsys.domain import emails
from printsys.domain import inputs as f
from printsys.domain.creation import requested
from printsys.domain.emails import Mail, OwedMail
from printsys.domain.events import FILESYSTEM, STAFF, STUDENT, SYSTEM, EventDraft, EventType, actor_kind
from printsys.domain.job import SUPERSEDED, Document, Estimate, Job, Part, dump, format_time, plain
from printsys.domain.pricing import PriceList, quote, round_up_to_half_hour
from printsys.domain.status import Status
from printsys.errors import InvalidInput, TransitionNotAllowed

ANY = frozenset(Status)
_STAFF = frozenset({STAFF})
_STUDENT = frozenset({STUDENT})
_SYSTEM = frozenset({SYSTEM})
_HANDS = frozenset({STAFF, FILESYSTEM})
"""By a button or by dragging the folder."""


@dataclass(frozen=True)
class Context:
    """What the world brings to a decision: the clock, the lab's prices, a fresh random nonce for a link."""

    now: datetime
    prices: PriceList
    confirmation_days: int
    nonce: str
    mail_not_before: datetime | None = None


@dataclass(frozen=True)
class Step:
    """A row of the table. `needs` is the model of what must be said; `do` says what else changes in metadata.json."""

    action: str
    from_: frozenset[Status]
    to: Status | None
    who: frozenset[str]
    event: EventType
    label: str
    needs: type[f.ActionInput] = f.NoInput
    mail: Mail | None = None
    do: Callable[[Job, Any, str, Context], Effect] | None = None


@dataclass(frozen=True)
class Effect:
    """What a step changes besides the status: the patch, what the event tells, and events that come before it."""

    patch: Document = field(default_factory=dict)
    data: Document = field(default_factory=dict)
    first: tuple[tuple[EventType, Document, Document], ...] = ()
    to: Status | None = None
    mail: Mail | None = None


def _approve(job: Job, said: f.ApproveInput, actor: str, terms: Context) -> Effect:
    price = quote(job.request.method, said.weight_g, said.volume_ml, terms.prices)
    estimate = Estimate(
        material=said.material,
        weight_g=said.weight_g,
        volume_ml=said.volume_ml,
        time_h=round_up_to_half_hour(said.time_h),
        cost=price.cost,
        source=STAFF,
        parts=_parts(job, said),
    )
    confirmation = _new_confirmation(terms)
    data = {"cost": plain(price.cost), "rate": plain(price.rate), "unit": price.unit, "minimum": price.is_minimum}
    return Effect(
        {"print_files": said.print_file, "estimate": dump(estimate), "confirmation": confirmation, "rejection": None},
        data | {"stated_hours": plain(said.time_h)},
    )


def _parts(job: Job, said: f.ApproveInput) -> list[Part]:
    """With one print file its figures are the totals; with several, those that a slicer stated are kept."""
    if len(said.print_file) == 1:
        return [Part(file=said.print_file[0], weight_g=said.weight_g, volume_ml=said.volume_ml, time_h=said.time_h)]
    known = {part.file: part for part in (job.estimate.parts if job.estimate else [])}
    return [known.get(name) or Part(file=name) for name in said.print_file]


def _new_confirmation(terms: Context) -> Document:
    return {
        "nonce": terms.nonce,
        "sent_at": format_time(terms.now),
        "expires_at": format_time(terms.now + timedelta(days=terms.confirmation_days)),
        "confirmed_at": None,
        "confirmed_by": None,
    }


def _reject(job: Job, said: f.RejectInput, actor: str, terms: Context) -> Effect:
    return _rejection(said.reasons, said.comment, actor, terms)


def _decline(job: Job, said: f.OptionalReasonInput, actor: str, terms: Context) -> Effect:
    return _rejection(["declined"], said.reason, actor, terms)


def _rejection(reasons: list[str], comment: str, actor: str, terms: Context) -> Effect:
    what = {"reasons": reasons, "comment": comment}
    return Effect({"rejection": what | {"at": format_time(terms.now), "by": actor}, "confirmation": None}, what)


def resubmission_key(job: Job) -> str | None:
    """What a link that reopens a rejected request carries, so that it works for this rejection and only once."""
    if job.status is not Status.REJECTED or job.rejection is None or job.rejection.at is None:
        return None
    return format_time(job.rejection.at)


def _resubmit(job: Job, said: f.ResubmitInput, actor: str, terms: Context) -> Effect:
    """The job begins anew. Its earlier files are kept; with new ones they are marked as superseded."""
    asked = requested(said)
    names = [file["name"] for file in said.files]
    patch: Document = {
        **{section: _changed(section, values, job) for section, values in asked.items()},
        **dict.fromkeys(("estimate", "confirmation", "rejection", "reviewed_at")),
        "print_files": [file["name"] for file in said.files if file["role"] == "working"] or job.print_files,
    }
    if said.files:
        patch["files"] = [dump(record) | {SUPERSEDED: True} for record in job.files] + said.files
    patch = {name: value for name, value in patch.items() if value != {}}
    changed = sorted(key for section in asked for key in patch.get(section, {}))
    if not said.files and not changed:
        raise InvalidInput(
            {"file": ["Nothing is different yet. Please choose the mended model, or change your request."]}
        )
    return Effect(patch, {"files": names, "changed": changed})


def _changed(section: str, values: Document, job: Job) -> Document:
    now = getattr(job, section)
    return {key: value for key, value in values.items() if (value or None) != (getattr(now, key) or None)}


def _student_confirm(job: Job, said: f.NoInput, actor: str, terms: Context) -> Effect:
    deadline = job.confirmation.expires_at if job.confirmation else None
    if deadline is None or deadline <= terms.now:
        raise TransitionNotAllowed("student_confirm", "The time to confirm this print is over.")
    return _confirmed(actor, terms, {})


def _staff_confirm(job: Job, said: f.ReasonInput, actor: str, terms: Context) -> Effect:
    return _confirmed(actor, terms, {"reason": said.reason})


def _confirmed(actor: str, terms: Context, data: Document) -> Effect:
    return Effect({"confirmation": {"confirmed_at": format_time(terms.now), "confirmed_by": actor}}, data)


def _fail(job: Job, said: f.FailInput, actor: str, terms: Context) -> Effect:
    wasted = plain(said.wasted_g) if said.wasted_g is not None else None
    return Effect({}, {"reason": said.reason, "fault": said.fault, "wasted_g": wasted})


def _pickup(job: Job, said: f.PickupInput, actor: str, terms: Context) -> Effect:
    paid = {
        "amount": plain(said.amount.quantize(Decimal("0.01"))),
        "method": said.payment_method,
        "transaction": said.transaction,
        "weight_g": plain(said.weight_g) if said.weight_g is not None else None,
        "picked_up_by": said.picked_up_by,
        "at": format_time(terms.now),
        "by": actor,
    }
    agreed = job.estimate.cost if job.estimate else None
    told = {"amount": paid["amount"], "method": said.payment_method, "agreed": plain(agreed) if agreed else None}
    return Effect({}, {"picked_up_by": said.picked_up_by}, ((EventType.PAYMENT_RECORDED, told, {"payment": paid}),))


def _undo_payment(job: Job, said: f.ReasonInput, actor: str, terms: Context) -> Effect:
    return Effect({"payment": None}, {"reason": said.reason})


def _undo_rejection(job: Job, said: f.ReasonInput, actor: str, terms: Context) -> Effect:
    return Effect({"rejection": None}, {"reason": said.reason})


def _undo_approval(job: Job, said: f.ReasonInput, actor: str, terms: Context) -> Effect:
    """The figures stay as a prefill for the next approval; the link that was sent stops working."""
    return Effect({"confirmation": None}, {"reason": said.reason})


def _undo_confirmation(job: Job, said: f.ReasonInput, actor: str, terms: Context) -> Effect:
    patch: Document = {"confirmation": {"confirmed_at": None, "confirmed_by": None}} if job.confirmation else {}
    return Effect(patch, {"reason": said.reason})


def _reasoned(job: Job, said: f.ReasonInput, actor: str, terms: Context) -> Effect:
    return Effect({}, {"reason": said.reason})


def _override(job: Job, said: f.OverrideInput, actor: str, terms: Context) -> Effect:
    if said.status == job.status:
        raise TransitionNotAllowed("override", f"The job is {job.status} already.")
    return Effect({}, {"reason": said.reason}, to=said.status)


def _review(job: Job, said: f.NoInput, actor: str, terms: Context) -> Effect:
    return Effect({"reviewed_at": format_time(terms.now)})


def _unreview(job: Job, said: f.NoInput, actor: str, terms: Context) -> Effect:
    return Effect({"reviewed_at": None})


def _notes(job: Job, said: f.NotesInput, actor: str, terms: Context) -> Effect:
    return Effect({"notes": said.notes})


DETAILS = {
    "student_name": ("student", "name"),
    "student_email": ("student", "email"),
    "discipline": ("student", "discipline"),
    "class_number": ("student", "class_number"),
    "color": ("request", "color"),
    "printer": ("request", "printer"),
    "copies": ("request", "copies"),
    "due_date": ("request", "due_date"),
    "message": ("request", "message"),
}
"""Form field → where metadata.json has it."""


def _details(job: Job, said: f.DetailsInput, actor: str, terms: Context) -> Effect:
    patch: dict[str, Document] = {}
    for name in said.model_fields_set & DETAILS.keys():
        section, key = DETAILS[name]
        value = getattr(said, name)
        if (value is not None or name == "due_date") and value != getattr(getattr(job, section), key):
            patch.setdefault(section, {})[key] = value
    return Effect(patch, {"changed": sorted(key for section in patch.values() for key in section)})


def _choose_file(job: Job, said: f.ChooseFileInput, actor: str, terms: Context) -> Effect:
    return Effect({"print_files": said.print_file}, {"print_files": said.print_file})


def _resend(job: Job, said: f.ResendInput, actor: str, terms: Context) -> Effect:
    """A resent approval gets a new link and a new deadline; the old link stops working."""
    return Effect({"confirmation": _new_confirmation(terms)} if job.status == Status.PENDING else {})


def _supply(job: Job, said: f.SupplyInput, actor: str, terms: Context) -> Effect:
    """Each kind of missing fact is judged by the model of the step that would have asked for it."""
    given = {name: value for name, value in said.model_dump().items() if value not in (None, "", [])}
    patch: Document = {}
    if {"weight_g", "volume_ml", "time_h"} & given.keys():
        approval = _approve(job, f.validate(f.ApproveInput, given), actor, terms).patch
        # Only a job that still waits for its student gets a link.
        patch |= approval if job.status is Status.PENDING else {k: approval[k] for k in ("print_files", "estimate")}
    elif "reason" in given:
        patch |= _confirmed(actor, terms, {}).patch
    if "amount" in given:
        patch |= _pickup(job, f.validate(f.PickupInput, given), actor, terms).first[0][2]
    if {"reasons", "comment"} & given.keys():
        patch["rejection"] = _reject(job, f.validate(f.RejectInput, given), actor, terms).patch["rejection"]
    if not patch:
        raise InvalidInput({"": ["Nothing was filled in."]})
    mail = Mail.APPROVED if "estimate" in patch and job.status is Status.PENDING else None
    mail = Mail.RECEIPT if "payment" in patch else mail
    return Effect(patch, {"supplied": sorted(patch), "reason": given.get("reason")}, mail=mail)


def _expire(job: Job, said: f.NoInput, actor: str, terms: Context) -> Effect:
    deadline = job.confirmation.expires_at if job.confirmation else None
    if deadline is None or deadline > terms.now:
        raise TransitionNotAllowed("expire", "There is still time to confirm this print.")
    return Effect({}, {"expired_at": format_time(deadline)})


def _delete(job: Job, said: f.DeleteInput, actor: str, terms: Context) -> Effect:
    if said.confirm_id.casefold() != job.id:
        raise InvalidInput({"confirm_id": [f"Please type {job.id} to delete this job."]})
    return Effect({}, {"reason": said.reason})


U, P, R, X, C, D, J, A = Status
TABLE: tuple[Step, ...] = (
    Step("approve", frozenset({U}), P, _HANDS, EventType.STAFF_APPROVED, "Approve", f.ApproveInput, Mail.APPROVED, _approve),
    Step("reject", frozenset({U, P, R}), J, _HANDS, EventType.JOB_REJECTED, "Reject", f.RejectInput, Mail.REJECTED, _reject),
    Step("student_confirm", frozenset({P}), R, _STUDENT, EventType.STUDENT_CONFIRMED, "Confirm", do=_student_confirm),
    Step("student_decline", frozenset({P}), J, _STUDENT, EventType.STUDENT_DECLINED, "Decline", f.OptionalReasonInput, do=_decline),
    Step("resubmit", frozenset({J}), U, _STUDENT, EventType.RESUBMITTED, "Send again", f.ResubmitInput, Mail.RECEIVED, _resubmit),
    Step("remind", frozenset({P}), None, _SYSTEM, EventType.EMAIL_QUEUED, "Remind the student", mail=Mail.REMINDER),
    Step("expire", frozenset({P}), None, _SYSTEM, EventType.CONFIRMATION_EXPIRED, "The link ran out", mail=Mail.EXPIRED, do=_expire),
    Step("remind-to-collect", frozenset({C}), None, _SYSTEM, EventType.EMAIL_QUEUED, "Remind the student", mail=Mail.UNCOLLECTED),
    Step("confirm", frozenset({P}), R, _HANDS, EventType.STAFF_CONFIRMED, "Confirm for the student", f.ReasonInput, do=_staff_confirm),
    Step("start", frozenset({R}), X, _HANDS, EventType.PRINTING_STARTED, "Start printing"),
    Step("complete", frozenset({X}), C, _HANDS, EventType.JOB_COMPLETED, "Printing is done", mail=Mail.COMPLETED),
    Step("fail", frozenset({X}), R, _STAFF, EventType.PRINT_FAILED, "Print failed", f.FailInput, do=_fail),
    Step("pickup", frozenset({C}), D, _HANDS, EventType.JOB_PICKED_UP, "Take payment and hand out", f.PickupInput, Mail.RECEIPT, _pickup),
    Step("archive", frozenset({D, J}), A, _HANDS | {SYSTEM}, EventType.JOB_ARCHIVED, "Archive"),
    Step("revert", frozenset({P}), U, _HANDS, EventType.STATUS_REVERTED, "Undo the approval", f.ReasonInput, do=_undo_approval),
    Step("revert", frozenset({R}), P, _HANDS, EventType.STATUS_REVERTED, "Undo the confirmation", f.ReasonInput, do=_undo_confirmation),
    Step("revert", frozenset({X}), R, _HANDS, EventType.STATUS_REVERTED, "Undo the start", f.ReasonInput, do=_reasoned),
    Step("revert", frozenset({C}), X, _HANDS, EventType.STATUS_REVERTED, "Undo the completion", f.ReasonInput, do=_reasoned),
    Step("revert", frozenset({D}), C, _HANDS, EventType.STATUS_REVERTED, "Undo the pick-up", f.ReasonInput, do=_undo_payment),
    Step("revert", frozenset({J}), U, _HANDS, EventType.STATUS_REVERTED, "Undo the rejection", f.ReasonInput, do=_undo_rejection),
    Step("override", ANY, None, _STAFF, EventType.STATUS_OVERRIDDEN, "Override the status", f.OverrideInput, do=_override),
    Step("review", ANY, None, _STAFF, EventType.REVIEWED, "Mark as reviewed", do=_review),
    Step("unreview", ANY, None, _STAFF, EventType.UNREVIEWED, "Mark as not reviewed", do=_unreview),
    Step("notes", ANY, None, _STAFF, EventType.NOTES_EDITED, "Save notes", f.NotesInput, do=_notes),
    Step("details", ANY, None, _STAFF, EventType.DETAILS_EDITED, "Correct the details", f.DetailsInput, do=_details),
    Step("choose-file", frozenset({U, P, R, X}), None, _STAFF, EventType.PRINT_FILE_CHOSEN, "Choose the print file", f.ChooseFileInput, do=_choose_file),
    Step("supply", ANY, None, _STAFF, EventType.FACTS_SUPPLIED, "Fill in what is missing", f.SupplyInput, do=_supply),
    Step("accept-move", ANY, None, _STAFF, EventType.MOVE_ACCEPTED, "Leave the move as it is"),
    Step("keep-price", frozenset({P, R, X}), None, _STAFF, EventType.PRICE_KEPT, "Keep the agreed price"),
    Step("keep", ANY, None, _STAFF, EventType.JOB_REOPENED, "Keep this job"),
    Step("delete", ANY, None, _STAFF, EventType.JOB_DELETED, "Delete", f.DeleteInput, do=_delete),
)  # fmt: skip

RESENDABLE = {U: Mail.RECEIVED, P: Mail.APPROVED, J: Mail.REJECTED, C: Mail.COMPLETED, D: Mail.RECEIPT}
"""The mail that a student in this status is waiting for."""
RESEND = tuple(
    Step(
        "resend-email", frozenset({status}), None, frozenset({STAFF, STUDENT}), EventType.EMAIL_QUEUED,
        "Send the e-mail again", f.ResendInput, mail, _resend,
    )
    for status, mail in RESENDABLE.items()
)  # fmt: skip
STEPS = TABLE + RESEND


def steps_from(status: Status, who: str = STAFF) -> list[Step]:
    """What `who` may do to a job in `status`, in the table's order."""
    return [step for step in STEPS if status in step.from_ and who in step.who]


def drag_step(from_: Status, to: Status) -> Step | None:
    """The step that a folder dragged from one status folder to another stands for, if there is a legal one."""
    return next((s for s in STEPS if from_ in s.from_ and s.to == to and FILESYSTEM in s.who), None)


def find_step(action: str, status: Status, actor: str) -> Step:
    """The row for `action`; TransitionNotAllowed says what would be needed instead."""
    rows = [step for step in STEPS if step.action == action]
    if not rows:
        raise TransitionNotAllowed(action, f"There is no action called {action}.")
    row = next((step for step in rows if status in step.from_), None)
    if row is None:
        wanted = _either(s for step in rows for s in Status if s in step.from_)
        raise TransitionNotAllowed(action, f"“{rows[0].label}” needs a job that is {wanted}; this one is {status}.")
    if actor_kind(actor) not in row.who:
        raise TransitionNotAllowed(action, f"“{row.label}” is not for {actor_kind(actor)} to do.")
    return row


def _either(statuses: Iterable[Status]) -> str:
    names = list(dict.fromkeys(status.value for status in statuses))
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


def plan(
    job: Job, action: str, actor: str, said: f.ActionInput, terms: Context, owed: Iterable[OwedMail] = ()
) -> list[EventDraft]:
    """The events, e-mails owed included, that `action` means for `job`: one batch, or one clear error.

    `owed` are the e-mails still waiting: those that the new status outruns are dropped in the same batch. Raises TransitionNotAllowed or InvalidInput; an edit that changes nothing gives an empty list.
    """
    step = find_step(action, job.status, actor)
    effect = step.do(job, said, actor, terms) if step.do else Effect()
    patch, to = dict(effect.patch), effect.to or step.to
    if action in ("notes", "details") and _changes_nothing(job, action, patch):
        return []
    data = dict(effect.data)
    if to is not None:
        patch |= {"status": to.value, "status_since": format_time(terms.now)}
        data |= {"from": job.status.value, "to": to.value}
    drafts = [EventDraft(kind, actor, told, changed) for kind, told, changed in effect.first]
    drafts += [emails.dropped(m, f"the job is {to} now") for m in owed if to and not emails.fits(m.mail, to)]
    if step.event is not EventType.EMAIL_QUEUED:
        drafts.append(EventDraft(step.event, actor, data, patch))
    mail = step.mail or effect.mail
    if mail is not None and job.student.email:
        letter = emails.queued(mail, job.student.email, actor, terms.mail_not_before)
        resent = patch if step.event is EventType.EMAIL_QUEUED else {}
        drafts.append(EventDraft(letter.type, actor, letter.data, resent))
    if not drafts:
        raise TransitionNotAllowed(action, "This job has no e-mail address to write to.")
    return drafts


def _changes_nothing(job: Job, action: str, patch: Document) -> bool:
    return (job.notes or "") == patch["notes"] if action == "notes" else not patch
