"""The life of a job: one table of actions, and the one function that plans any of them.

Nothing else in the program compares statuses to decide what is allowed. What an action changes besides the status is
in effects.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Set
from dataclasses import dataclass, replace
from typing import Any

from printsys.domain import effects, emails, inputs, payment_effects, supplies
from printsys.domain.effects import Context, Effect
from printsys.domain.emails import Mail, OwedMail
from printsys.domain.events import FILESYSTEM, STAFF, STUDENT, SYSTEM, EventDraft, EventType, actor_kind, merge_patch
from printsys.domain.job import Job, dump, format_time, parse
from printsys.domain.status import FINAL, PRICE_AGREED, PRICED, Status
from printsys.errors import TransitionNotAllowed


@dataclass(frozen=True)
class Step:
    """A row of the table: `who` may do `action` to a job in one of `from_`, which takes it to `to` (None: it stays).

    FILESYSTEM stands for a person who drags the folder. `needs` is the model of what a person fills in, `effect` what
    the action changes besides the status, `mail` the e-mail that the student gets.
    """

    action: str
    label: str
    from_: Set[Status]
    event: EventType
    who: Set[str]
    to: Status | None = None
    needs: type[inputs.ActionInput] = inputs.NoInput
    effect: Callable[[Job, Any, str, Context], Effect | None] = lambda job, values, actor, context: Effect()
    mail: Mail | None = None


ANY_STATUS = frozenset(Status)
MAY_BE_PAID = frozenset({*PRICED, Status.ARCHIVED})
TABLE: tuple[Step, ...] = (
    Step("approve", "Approve", from_={Status.UPLOADED}, to=Status.PENDING, who={STAFF, FILESYSTEM},
         event=EventType.STAFF_APPROVED, needs=inputs.ApproveInput, effect=effects.approve, mail=Mail.APPROVED),
    Step("reject", "Reject", from_={Status.UPLOADED, Status.PENDING, Status.READY_TO_PRINT}, to=Status.REJECTED,
         who={STAFF, FILESYSTEM}, event=EventType.JOB_REJECTED, needs=inputs.RejectInput,
         effect=effects.reject, mail=Mail.REJECTED),
    Step("student_confirm", "Confirm", from_={Status.PENDING}, to=Status.READY_TO_PRINT, who={STUDENT},
         event=EventType.STUDENT_CONFIRMED, effect=effects.student_confirm),
    Step("student_decline", "Decline", from_={Status.PENDING}, to=Status.REJECTED, who={STUDENT},
         event=EventType.STUDENT_DECLINED, needs=inputs.OptionalReasonInput, effect=effects.student_decline),
    Step("withdraw", "Withdraw", from_={Status.UPLOADED, Status.PENDING, Status.READY_TO_PRINT}, to=Status.REJECTED,
         who={STUDENT}, event=EventType.JOB_WITHDRAWN, needs=inputs.OptionalReasonInput, effect=effects.withdraw,
         mail=Mail.WITHDRAWN),
    Step("reply", "Write to the lab", from_=frozenset(Status) - {Status.ARCHIVED}, who={STUDENT},
         event=EventType.STUDENT_WROTE, needs=inputs.ReplyInput, effect=effects.reply, mail=Mail.REPLY),
    Step("resubmit", "Send again", from_={Status.REJECTED}, to=Status.UPLOADED, who={STUDENT},
         event=EventType.RESUBMITTED, needs=inputs.ResubmitInput, effect=effects.resubmit, mail=Mail.RECEIVED),
    Step("remind", "Remind the student", from_={Status.PENDING}, who={SYSTEM},
         event=EventType.EMAIL_QUEUED, mail=Mail.REMINDER),
    Step("expire", "The link ran out", from_={Status.PENDING}, who={SYSTEM},
         event=EventType.CONFIRMATION_EXPIRED, effect=effects.expire, mail=Mail.EXPIRED),
    Step("remind-to-collect", "Remind the student", from_={Status.COMPLETED}, who={SYSTEM},
         event=EventType.EMAIL_QUEUED, mail=Mail.UNCOLLECTED),
    Step("last-call", "Remind the student for the last time", from_={Status.COMPLETED}, who={SYSTEM},
         event=EventType.EMAIL_QUEUED, mail=Mail.LAST_CALL),
    Step("become-the-labs", "It is the lab's", from_={Status.COMPLETED}, who={SYSTEM},
         event=EventType.BECAME_THE_LABS),
    Step("put-away", "It is put away", from_={Status.COMPLETED}, who={STAFF}, event=EventType.PUT_AWAY),
    Step("confirm", "Confirm for the student", from_={Status.PENDING}, to=Status.READY_TO_PRINT,
         who={STAFF, FILESYSTEM}, event=EventType.STAFF_CONFIRMED, needs=inputs.ReasonInput,
         effect=effects.staff_confirm),
    Step("start", "Start printing", from_={Status.READY_TO_PRINT}, to=Status.PRINTING, who={STAFF, FILESYSTEM},
         event=EventType.PRINTING_STARTED, needs=inputs.StartInput, effect=effects.start),
    Step("complete", "Printing is done", from_={Status.PRINTING}, to=Status.COMPLETED, who={STAFF, FILESYSTEM},
         event=EventType.JOB_COMPLETED, effect=effects.complete, mail=Mail.COMPLETED),
    Step("plates", "Mark what is printed", from_={Status.PRINTING}, who={STAFF},
         event=EventType.PLATES_MARKED, needs=inputs.PlatesInput, effect=effects.mark_plates),
    Step("fail", "Print failed", from_={Status.PRINTING}, to=Status.READY_TO_PRINT, who={STAFF},
         event=EventType.PRINT_FAILED, needs=inputs.FailInput, effect=effects.fail),
    Step("pickup", "Take payment and hand out", from_={Status.COMPLETED}, to=Status.PAID_PICKED_UP,
         who={STAFF, FILESYSTEM}, event=EventType.JOB_PICKED_UP, needs=inputs.PickupInput,
         effect=payment_effects.pickup, mail=Mail.RECEIPT),
    Step("pay", "Take a payment", from_=MAY_BE_PAID, who={STAFF},
         event=EventType.PAYMENT_RECORDED, needs=inputs.PayInput, effect=payment_effects.pay),
    Step("waive", "Waive what is left", from_=MAY_BE_PAID, who={STAFF},
         event=EventType.PAYMENT_WAIVED, needs=inputs.WaiveInput, effect=payment_effects.waive),
    Step("refund", "Give money back", from_=ANY_STATUS, who={STAFF},
         event=EventType.PAYMENT_REFUNDED, needs=inputs.RefundInput, effect=payment_effects.refund),
    Step("archive", "Archive", from_=frozenset(FINAL), to=Status.ARCHIVED, who={STAFF, FILESYSTEM, SYSTEM},
         event=EventType.JOB_ARCHIVED, effect=payment_effects.archive),
    Step("revert", "Undo the approval", from_={Status.PENDING}, to=Status.UPLOADED, who={STAFF, FILESYSTEM},
         event=EventType.STATUS_REVERTED, needs=inputs.ReasonInput, effect=effects.undo_approval),
    Step("revert", "Undo the confirmation", from_={Status.READY_TO_PRINT}, to=Status.PENDING, who={STAFF, FILESYSTEM},
         event=EventType.STATUS_REVERTED, needs=inputs.ReasonInput, effect=effects.undo_confirmation),
    Step("revert", "Undo the start", from_={Status.PRINTING}, to=Status.READY_TO_PRINT, who={STAFF, FILESYSTEM},
         event=EventType.STATUS_REVERTED, needs=inputs.ReasonInput, effect=effects.undo_start),
    Step("revert", "Undo the completion", from_={Status.COMPLETED}, to=Status.PRINTING, who={STAFF, FILESYSTEM},
         event=EventType.STATUS_REVERTED, needs=inputs.ReasonInput, effect=effects.only_reason),
    Step("revert", "Undo the pick-up", from_={Status.PAID_PICKED_UP}, to=Status.COMPLETED, who={STAFF, FILESYSTEM},
         event=EventType.STATUS_REVERTED, needs=inputs.ReasonInput, effect=payment_effects.undo_payment),
    Step("revert", "Undo the rejection", from_={Status.REJECTED}, to=Status.UPLOADED, who={STAFF, FILESYSTEM},
         event=EventType.STATUS_REVERTED, needs=inputs.ReasonInput, effect=effects.undo_rejection),
    Step("override", "Override the status", from_=ANY_STATUS, who={STAFF},
         event=EventType.STATUS_OVERRIDDEN, needs=inputs.OverrideInput, effect=effects.override),
    Step("review", "Mark as reviewed", from_=ANY_STATUS, who={STAFF},
         event=EventType.REVIEWED, effect=effects.review),
    Step("unreview", "Mark as not reviewed", from_=ANY_STATUS, who={STAFF},
         event=EventType.UNREVIEWED, effect=effects.unreview),
    Step("notes", "Save notes", from_=ANY_STATUS, who={STAFF},
         event=EventType.NOTES_EDITED, needs=inputs.NotesInput, effect=effects.notes),
    Step("details", "Correct the details", from_=ANY_STATUS, who={STAFF},
         event=EventType.DETAILS_EDITED, needs=inputs.DetailsInput, effect=effects.details),
    Step("choose-file", "Choose the print file", who={STAFF}, event=EventType.PRINT_FILE_CHOSEN,
         from_={Status.UPLOADED, Status.PENDING, Status.READY_TO_PRINT, Status.PRINTING},
         needs=inputs.ChooseFileInput, effect=effects.choose_file),
    Step("supply", "Fill in what is missing", from_=ANY_STATUS, who={STAFF},
         event=EventType.FACTS_SUPPLIED, needs=inputs.SupplyInput, effect=supplies.supply),
    Step("accept-move", "Leave the move as it is", from_=ANY_STATUS, who={STAFF}, event=EventType.MOVE_ACCEPTED),
    Step("keep-price", "Keep the agreed price", from_=frozenset(PRICE_AGREED), who={STAFF}, event=EventType.PRICE_KEPT),
    Step("keep", "Keep this job", from_=ANY_STATUS, who={STAFF}, event=EventType.JOB_REOPENED),
    Step("delete", "Delete", from_=ANY_STATUS, who={STAFF},
         event=EventType.JOB_DELETED, needs=inputs.DeleteInput, effect=effects.delete),
)  # fmt: skip

RESEND = tuple(
    Step("resend-email", "Send the e-mail again", from_={status}, who={STAFF, STUDENT},
         event=EventType.EMAIL_QUEUED, needs=inputs.ResendInput, effect=effects.resend, mail=mail)
    for status, mail in emails.RESENDABLE.items()
)  # fmt: skip
STEPS = TABLE + RESEND


def steps_from(status: Status, who: str = STAFF) -> list[Step]:
    """What `who` may do to a job in `status`, in the table's order."""
    return [step for step in STEPS if status in step.from_ and who in step.who]


def drag_step(from_: Status, to: Status) -> Step | None:
    """The step that a folder dragged from one status folder to another stands for, if there is a legal one."""
    return next((step for step in STEPS if from_ in step.from_ and step.to == to and FILESYSTEM in step.who), None)


def find_step(action: str, status: Status, actor: str) -> Step:
    """The row for `action`; TransitionNotAllowed says what would be needed instead."""
    rows = [step for step in STEPS if step.action == action]
    if not rows:
        raise TransitionNotAllowed(action, f"There is no action called {action}.")
    row = next((step for step in rows if status in step.from_), None)
    if row is None:
        legal = list(dict.fromkeys(legal for step in rows for legal in Status if legal in step.from_))
        listed = " or ".join(filter(None, [", ".join(legal[:-1]), legal[-1]]))
        raise TransitionNotAllowed(action, f"“{rows[0].label}” needs a job that is {listed}; this one is {status}.")
    if actor_kind(actor) not in row.who:
        raise TransitionNotAllowed(action, f"“{row.label}” is not for {actor_kind(actor)} to do.")
    return row


def plan(
    job: Job, action: str, actor: str, values: inputs.ActionInput, context: Context, owed: Iterable[OwedMail] = ()
) -> list[EventDraft]:
    """The events, e-mails owed included, that `action` means for `job`: one batch, or one clear error.

    `owed` are the e-mails still waiting: those that the new status makes untrue are dropped in the same batch. An edit
    that changes nothing gives an empty list. TransitionNotAllowed, InvalidInput.
    """
    step = find_step(action, job.status, actor)
    effect = step.effect(job, values, actor, context)
    if effect is None:
        return []
    patch, data, to = dict(effect.patch), dict(effect.data), effect.to or step.to
    drafts = [*effect.money]
    if to is not None:
        patch |= {"status": to.value, "status_since": format_time(context.now)}
        data |= {"from": job.status.value, "to": to.value}
        drafts += emails.drop_untrue(owed, to, f"the job is {to} now")
    if step.event is not EventType.EMAIL_QUEUED:
        drafts.append(EventDraft(step.event, actor, data, patch))
    mail = effect.mail or step.mail
    address = emails.address_of(mail, job, context.lab_email) if mail is not None else None
    if mail is not None and address:
        queued = emails.queued(mail, address, actor, context.mail_not_before)
        drafts.append(replace(queued, patch=patch) if step.event is EventType.EMAIL_QUEUED else queued)
    if not drafts:
        raise TransitionNotAllowed(action, "This job has no e-mail address to write to.")
    if effect.then is not None:
        drafts += plan(parse(merge_patch(dump(job), patch)), effect.then, actor, inputs.NoInput(), context, owed)
    return drafts
