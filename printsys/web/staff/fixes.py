"""What puts right what needs a person: one row for each fix that a finding may name. None deletes anybody's bytes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from indexer.attention import AttentionItem
from printsys.actions import intake
from printsys.domain.inputs import DeleteInput, NoInput
from printsys.errors import InvalidInput, JobNotFound
from printsys.jobstore import Stored, notes, restore, trash
from printsys.web.auth import current_actor
from printsys.web.services import services


@dataclass(frozen=True)
class Fix:
    """A button: what it says, and what is said when it is done. Without `do` it leads to a form: an action's, on the
    job's page, or that for a new job. `shows_job`: what it made is shown then."""

    label: str
    done: str = ""
    do: Callable[[AttentionItem], Stored | None] | None = None
    form: str | None = None
    shows_job: bool = False


def _restore_metadata(one: AttentionItem) -> Stored:
    return restore.restore_metadata(services().store, _job_of(one))


def _restore_record(one: AttentionItem) -> Stored:
    """The numbers of a log that was begun anew may be lower than the mirror's, which keeps the highest."""
    restored = restore.restore_record(services().store, _job_of(one), current_actor())
    services().mirror.remove([restored.id])
    return restored


def _restore_original(one: AttentionItem) -> Stored:
    name = one.file or ""
    try:
        return restore.restore_original(services().store, _job_of(one), name, current_actor())
    except JobNotFound as error:
        gone = f"No file of the job has the bytes of {name} any more; nothing was changed."
        raise InvalidInput({"": [gone]}) from error


def _undo_move(one: AttentionItem) -> Stored:
    return services().actions.undo_move(_job_of(one), current_actor())


def _accept_move(one: AttentionItem) -> Stored:
    return services().actions.perform(_job_of(one), "accept-move", NoInput(), current_actor())


def _keep_price(one: AttentionItem) -> Stored:
    return services().actions.perform(_job_of(one), "keep-price", NoInput(), current_actor())


def _resend_mail(one: AttentionItem) -> Stored:
    return services().actions.send_failed_again(_job_of(one), current_actor())


def _retry_move(one: AttentionItem) -> Stored:
    stored = services().store.load(_job_of(one))
    if stored.move_pending is not None:
        raise InvalidInput({"": [f"Not yet: {stored.move_pending}."]})
    return stored


def _keep(one: AttentionItem) -> Stored:
    return services().actions.perform(_job_of(one), "keep", NoInput(), current_actor())


def _delete(one: AttentionItem) -> Stored:
    job_id = _job_of(one)
    return services().actions.perform(job_id, "delete", DeleteInput(confirm_id=job_id), current_actor())


def _forget_job(one: AttentionItem) -> None:
    notes.forget_missing(services().store, _job_of(one))
    services().mirror.remove([_job_of(one)])


def _reprint(one: AttentionItem) -> Stored:
    return intake.reprint_of_copy(services().actions, one.folder or "", current_actor())


def _discard(one: AttentionItem) -> None:
    trash.discard(services().store, one.folder or "")


def _quarantine(one: AttentionItem) -> None:
    trash.quarantine(services().store, one.folder or "")
    if one.job_id is not None:
        services().mirror.remove([one.job_id])


def _job_of(one: AttentionItem) -> str:
    if one.job_id is None:
        raise JobNotFound(one.folder or "")
    return one.job_id


FIXES = {
    "supply": Fix("Fill in what is missing", form="supply"),
    "choose-print-file": Fix("Choose the print file", form="choose-file"),
    "make-a-job": Fix("Make it a job", form="adopt"),
    "make-a-reprint": Fix("Make it a reprint job", "The copy is a job of its own now.", _reprint, shows_job=True),
    "undo-move": Fix("Undo the move", "The job is back where it was.", _undo_move),
    "accept-move": Fix("Leave the move as it is", "The job goes on without it.", _accept_move),
    "keep-price": Fix("Keep the agreed price", "The agreed price is kept.", _keep_price),
    "retry-move": Fix("Try to move it again", "The folder is where it belongs.", _retry_move),
    "resend-mail": Fix("Send it again", "The e-mail is in line again.", _resend_mail),
    "change-address": Fix("Change the address", form="details"),
    "restore-metadata": Fix("Restore metadata.json", "Restored; the other file is in “aside”.", _restore_metadata),
    "restore-record": Fix("Begin the record anew", "The job can go on; the old record is in “aside”.", _restore_record),
    "restore-original": Fix("Restore the original", "The student's own file is back.", _restore_original),
    "forget-job": Fix("Forget this job", "The job is not shown any more.", _forget_job),
    "keep": Fix("Keep the job", "The job is a job again.", _keep),
    "delete": Fix("Move it back to the trash", "The job is in the trash for 30 days.", _delete),
    "remove-copy": Fix("Move the copy to the trash", "The copy is in the trash for 30 days.", _discard),
    "discard": Fix("Move it to the trash", "It is in the trash for 30 days.", _discard),
    "quarantine": Fix("Put the folder in quarantine", "It is in .printsys/quarantine, and stays there.", _quarantine),
}
"""By the slug that a finding names. Slugs without a row are of what the system puts right by itself."""
