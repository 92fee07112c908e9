"""A folder that was dragged, or a status written into metadata.json: which step of the workflow that is.

A legal step runs like its button. One that skips what the step must be told is accepted and recorded as a move, sends
no e-mail, and leaves the missing facts to be filled in.
"""

from __future__ import annotations

from collections.abc import Iterable

from printsys.domain import emails
from printsys.domain import inputs as f
from printsys.domain.emails import OwedMail
from printsys.domain.events import FILESYSTEM, Event, EventDraft, EventType
from printsys.domain.job import Job, format_time
from printsys.domain.status import CONFIRMED, PRICED, Status
from printsys.domain.workflow import STEPS, Context, drag_step, plan

BY_HAND = "The folder was moved by hand."


def drag(job: Job, to: Status, terms: Context, owed: Iterable[OwedMail] = ()) -> list[EventDraft]:
    """The events that moving `job` to `to` by hand means: the step's own, or a plain FolderMoved."""
    step = drag_step(job.status, to)
    said = _known_facts(job, step.needs) if step is not None else None
    if step is not None and said is not None:
        return plan(job, step.action, FILESYSTEM, said, terms, owed)
    patch = {"status": to.value, "status_since": format_time(terms.now)}
    told = {"from": job.status.value, "to": to.value, "missing": missing_facts(job, to)}
    dropped = [emails.dropped(mail, f"the job is {to} now") for mail in owed if not emails.fits(mail.mail, to)]
    return [*dropped, EventDraft(EventType.FOLDER_MOVED, FILESYSTEM, told, patch)]


def undo(job: Job, to: Status, actor: str, terms: Context, owed: Iterable[OwedMail] = ()) -> list[EventDraft]:
    """Taking a move by hand back: all that it brought with it is undone, and no e-mail of it goes out."""
    step = next(
        (step for step in STEPS if step.action == "revert" and job.status in step.from_ and step.to == to), None
    )
    if step is not None:
        return plan(job, "revert", actor, f.ReasonInput(reason="The move of the folder was undone."), terms, owed)
    patch = {"status": to.value, "status_since": format_time(terms.now)}
    dropped = [emails.dropped(mail, f"the job is {to} again") for mail in owed if not emails.fits(mail.mail, to)]
    return [*dropped, EventDraft(EventType.MOVE_UNDONE, actor, {"from": job.status.value, "to": to.value}, patch)]


def _known_facts(job: Job, needs: type[f.ActionInput]) -> f.ActionInput | None:
    """What the step must be told, as far as the job's own record says it; None where it does not."""
    if needs is f.NoInput:
        return f.NoInput()
    if needs is f.ReasonInput:
        return f.ReasonInput(reason=BY_HAND)
    return _known_approval(job) if needs is f.ApproveInput else None


def _known_approval(job: Job) -> f.ApproveInput | None:
    estimate = job.estimate
    if estimate is None or not job.print_files or estimate.time_h is None or not estimate.material:
        return None
    if estimate.weight_g is None and estimate.volume_ml is None:
        return None
    return f.ApproveInput(
        print_file=job.print_files,
        weight_g=estimate.weight_g,
        volume_ml=estimate.volume_ml,
        time_h=estimate.time_h,
        material=estimate.material,
    )


def missing_facts(job: Job, status: Status | None = None) -> list[str]:
    """What a job in `status` (its own, if not given) should have been told by now and was not."""
    at = status or job.status
    missing = []
    if at in PRICED and (job.estimate is None or job.estimate.cost is None):
        missing.append("approval")
    if at in CONFIRMED and (job.confirmation is None or job.confirmation.confirmed_at is None):
        missing.append("confirmation")
    if at is Status.PAID_PICKED_UP and job.payment is None:
        missing.append("payment")
    if at is Status.REJECTED and job.rejection is None:
        missing.append("rejection")
    return missing


def still_missing(job: Job, events: Iterable[Event]) -> list[str]:
    """What moves by hand skipped, and nobody has filled in or done without since."""
    skipped: set[str] = set()
    for event in events:
        if event.type == EventType.FOLDER_MOVED:
            skipped.update(event.data.get("missing", []))
        elif event.type == EventType.MOVE_ACCEPTED:
            skipped.clear()
    return [fact for fact in missing_facts(job) if fact in skipped]


def last_move(events: Iterable[Event]) -> Event | None:
    """The newest change of status, if it was made by hand in the folders: what *Undo* takes back."""
    moves = [event for event in events if "status" in event.patch]
    return moves[-1] if moves and moves[-1].actor == FILESYSTEM and len(moves) > 1 else None
