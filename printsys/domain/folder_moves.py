"""A dragged folder, or a status written into metadata.json, as a step of the workflow.

A legal step runs like its button. One whose facts the record does not have is accepted and recorded as a move, sends
no e-mail, and leaves the missing facts to be filled in.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from pydantic import ValidationError

from printsys.domain import emails
from printsys.domain.effects import Context, missing_facts
from printsys.domain.emails import OwedMail
from printsys.domain.events import FILESYSTEM, STAFF, Event, EventDraft, EventType
from printsys.domain.inputs import ActionInput, ApproveInput, NoInput, ReasonInput, StartInput
from printsys.domain.job import Job, format_time
from printsys.domain.status import Status
from printsys.domain.workflow import STEPS, drag_step, plan
from printsys.errors import InvalidInput

BY_HAND = "The folder was moved by hand."
UNDONE = "The move of the folder was undone."


def drag(job: Job, to: Status, context: Context, owed: Iterable[OwedMail] = ()) -> list[EventDraft]:
    """The events that moving `job` to `to` by hand means: the step's own, or a plain FolderMoved."""
    step = drag_step(job.status, to)
    values = _recorded_input(job, step.needs) if step is not None else None
    if step is not None and values is not None:
        with suppress(InvalidInput):  # a hand may write a method that has no price
            return plan(job, step.action, FILESYSTEM, values, context, owed)
    return [
        *emails.drop_untrue(owed, to, f"the job is {to} now"),
        _move(EventType.FOLDER_MOVED, job, to, FILESYSTEM, context, missing=missing_facts(job, to)),
    ]


def undo(job: Job, to: Status, actor: str, context: Context, owed: Iterable[OwedMail] = ()) -> list[EventDraft]:
    """Taking a move by hand back: all that it brought with it is undone, and no e-mail of it goes out."""
    if any(step.action == "revert" and job.status in step.from_ and step.to == to for step in STEPS):
        return plan(job, "revert", actor, ReasonInput(reason=UNDONE), context, owed)
    return [
        *emails.drop_untrue(owed, to, f"the job is {to} again"),
        _move(EventType.MOVE_UNDONE, job, to, actor, context),
    ]


def _move(kind: EventType, job: Job, to: Status, actor: str, context: Context, **data: list[str]) -> EventDraft:
    patch = {"status": to.value, "status_since": format_time(context.now)}
    return EventDraft(kind, actor, {"from": job.status.value, "to": to.value, **data}, patch)


def _recorded_input(job: Job, needs: type[ActionInput]) -> ActionInput | None:
    """What the step asks for, as far as the job's own record has it; None where it does not."""
    if needs in (NoInput, StartInput):
        return needs()
    if needs is ReasonInput:
        return ReasonInput(reason=BY_HAND)
    return _recorded_approval(job) if needs is ApproveInput else None


def _recorded_approval(job: Job) -> ApproveInput | None:
    estimate = job.estimate
    if estimate is None or not job.print_files or estimate.time_h is None or not estimate.material:
        return None
    if estimate.weight_g is None and estimate.volume_ml is None:
        return None
    unmarked = job.request.copies if estimate.source == STAFF else 1
    if (estimate.for_copies or unmarked) != job.request.copies:  # read for another number of copies
        return None
    try:
        return ApproveInput(
            print_file=job.print_files,
            weight_g=estimate.weight_g,
            volume_ml=estimate.volume_ml,
            time_h=estimate.time_h,
            material=estimate.material,
        )
    except ValidationError:  # a hand may write figures that no form takes
        return None


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
