"""What staff can do about what needs a person: a row for each fix. None deletes what people made."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from indexer.attention import AttentionItem
from printsys.actions import intake
from printsys.domain.inputs import DeleteInput, NoInput
from printsys.errors import InvalidInput, JobNotFound, MirrorDown
from printsys.jobstore import Stored, notes, older_copy, restore, trash
from printsys.jobstore.move_out import move_out
from printsys.web.auth import current_actor
from printsys.web.services import services


@dataclass(frozen=True)
class Fix:
    """A button with its label, and the sentence that follows when it is `done`. Without `apply` it leads to a form: an
    action's, or that for a new job. With `shows_job` it leads to the job that it made.

    `is_last_resort`: mostly there is something better to do in the folder, so its button is never the filled one.
    """

    label: str
    done: str = ""
    apply: Callable[[AttentionItem], Stored | None] | None = None
    form: str | None = None
    shows_job: bool = False
    is_last_resort: bool = False


def _performing(action: str) -> Callable[[AttentionItem], Stored]:
    return lambda item: services().actions.perform(_job_id(item), action, NoInput(), current_actor())


def _restore_record(item: AttentionItem) -> Stored:
    """A new log may have lower numbers than the mirror's row, and the mirror keeps the highest."""
    restored = restore.restore_record(services().store, _job_id(item), current_actor())
    _take_out_of_mirror(restored.id)
    return restored


def _put_newer_back(item: AttentionItem) -> Stored:
    """From the trash where it lies there: that needs no database."""
    store, job_id = services().store, _job_id(item)
    with suppress(JobNotFound):
        return older_copy.put_newer_record_back(store, job_id, [], current_actor())
    mirrored = services().queries.events_from(job_id, store.load(job_id).log.seq)
    try:
        return older_copy.put_newer_record_back(store, job_id, mirrored, current_actor())
    except JobNotFound as error:
        sentence = "Neither the database nor the trash has all the events that are missing; nothing was changed."
        raise InvalidInput({"": [sentence]}) from error


def _restore_original(item: AttentionItem) -> Stored:
    name = item.file or ""
    try:
        return restore.restore_original(services().store, _job_id(item), name, current_actor())
    except JobNotFound as error:
        sentence = f"No file of the job has the bytes of {name}; nothing was changed."
        raise InvalidInput({"": [sentence]}) from error


def _move_out(item: AttentionItem) -> None:
    """The indexer finds them where they are then."""
    move_out(services().store, item.folder or "")


def _retry_move(item: AttentionItem) -> Stored:
    stored = services().store.load(_job_id(item))
    if stored.move_pending is not None:
        raise InvalidInput({"": [f"Not yet: {stored.move_pending}."]})
    return stored


def _forget_job(item: AttentionItem) -> None:
    """The mirror first: while it is down, the next sweep would find the job missing again."""
    services().mirror.remove([_job_id(item)])
    notes.forget_missing(services().store, _job_id(item))


def _discard(item: AttentionItem) -> None:
    trash.discard(services().store, item.folder or "")


def _quarantine(item: AttentionItem) -> None:
    trash.quarantine(services().store, item.folder or "")
    if item.job_id is not None:
        _take_out_of_mirror(item.job_id)


def _take_out_of_mirror(job_id: str) -> None:
    """While the mirror is down nothing shows the row; the sweep that follows its return compares all of them."""
    with suppress(MirrorDown):
        services().mirror.remove([job_id])


def _job_id(item: AttentionItem) -> str:
    if item.job_id is None:
        raise JobNotFound(item.folder or "")
    return item.job_id


FIXES = {
    "supply": Fix("Fill in what is missing", form="supply"),
    "choose-print-file": Fix("Choose the print file", form="choose-file"),
    "make-a-job": Fix("Make it a job", form="adopt"),
    "make-a-reprint": Fix(
        "Make it a reprint job",
        "The copy is a job of its own now.",
        lambda item: intake.reprint_of_copy(services().actions, item.folder or "", current_actor()),
        shows_job=True,
    ),
    "undo-move": Fix(
        "Undo the move",
        "The job is back where it was.",
        lambda item: services().actions.undo_move(_job_id(item), current_actor()),
    ),
    "accept-move": Fix("Leave the move as it is", "The job goes on without it.", _performing("accept-move")),
    "keep-price": Fix("Keep the agreed price", "The agreed price is kept.", _performing("keep-price")),
    "put-away": Fix(
        "It is put away", "Noted. Should the student come, you can still hand it out.", _performing("put-away")
    ),
    "retry-move": Fix("Try to move it again", "The folder is where it belongs.", _retry_move),
    "resend-mail": Fix(
        "Send it again",
        "The e-mail is queued again.",
        lambda item: services().actions.send_failed_again(_job_id(item), current_actor()),
    ),
    "change-address": Fix("Change the address", form="details"),
    "restore-metadata": Fix(
        "Restore metadata.json",
        "Restored; the other file is in “aside”.",
        lambda item: restore.restore_metadata(services().store, _job_id(item)),
    ),
    "put-aside": Fix(
        "Keep ours, put the copy aside",
        "The copy is in “aside”.",
        lambda item: restore.put_copy_aside(services().store, _job_id(item), item.file or ""),
    ),
    "restore-record": Fix("Start a new record", "The job can go on; the old record is in “aside”.", _restore_record),
    "put-newer-back": Fix(
        "Put the newer record back", "The newer record is back; the older one is in “aside”.", _put_newer_back
    ),
    "go-on": Fix(
        "Go on from here",
        "The job goes on from the older record.",
        lambda item: older_copy.go_on_from_older_copy(services().store, _job_id(item), current_actor()),
    ),
    "restore-original": Fix("Restore the original", "The student's own file is back.", _restore_original),
    "forget-job": Fix("Forget this job", "The job is no longer shown.", _forget_job, is_last_resort=True),
    "move-out": Fix("Move it out", "It lies where its record says that it is.", _move_out),
    "keep": Fix("Keep the job", "The job is kept.", _performing("keep")),
    "delete": Fix(
        "Move it back to the trash",
        "The job is in the trash for 30 days.",
        lambda item: services().actions.perform(
            _job_id(item), "delete", DeleteInput(confirm_id=_job_id(item)), current_actor()
        ),
    ),
    "remove-copy": Fix("Move the copy to the trash", "The copy is in the trash for 30 days.", _discard),
    "discard": Fix("Move it to the trash", "It is in the trash for 30 days.", _discard),
    "quarantine": Fix(
        "Put the folder in quarantine",
        "It is in .printsys/quarantine, and stays there.",
        _quarantine,
        is_last_resort=True,
    ),
}
"""By the slug that an attention item names. The system itself takes care of slugs without a row."""
