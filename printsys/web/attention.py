"""What needs a person, with the fixes that are safe, in one place. A fix never deletes anybody's bytes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from flask import Blueprint, flash, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from indexer.findings import Finding
from printsys.errors import InvalidInput, JobNotFound, MirrorDown
from printsys.jobstore import Stored
from printsys.web.auth import current_actor, login_required
from printsys.web.house import house

pages = Blueprint("attention", __name__)


@dataclass(frozen=True)
class Fix:
    """A button: what it says, and what is said when it is done. Without `do` it leads to a form of the job's page."""

    label: str
    done: str = ""
    do: Callable[[Finding], Stored | None] | None = None
    form: str | None = None


def _restore_metadata(one: Finding) -> Stored:
    return house().store.restore_metadata(_job_of(one))


def _restore_originals(one: Finding) -> Stored:
    """Each original that is not what the student sent any more."""
    stored = house().store.load(_job_of(one))
    for record in stored.job.files:
        if record.role == "original" and record.name in one.sentence:
            try:
                stored = house().store.restore_original(stored.id, record.name, current_actor())
            except JobNotFound as error:
                gone = f"No file of the job has the bytes of {record.name} any more; nothing was changed."
                raise InvalidInput({"": [gone]}) from error
    return stored


def _undo_move(one: Finding) -> Stored:
    return house().actions.undo_move(_job_of(one), current_actor())


def _resend_mail(one: Finding) -> Stored:
    return house().actions.send_failed_again(_job_of(one), current_actor())


def _forget(one: Finding) -> None:
    house().store.forget_missing(_job_of(one))
    house().mirror.remove([_job_of(one)])


def _discard(one: Finding) -> None:
    house().store.discard(one.folder or "")


def _job_of(one: Finding) -> str:
    if one.job_id is None:
        raise JobNotFound(one.folder or "")
    return one.job_id


FIXES = {
    "supply": Fix("Fill in what is missing", form="supply"),
    "choose-print-file": Fix("Choose the print file", form="choose-file"),
    "undo-move": Fix("Undo the move", "The job is back where it was.", _undo_move),
    "resend-mail": Fix("Send it again", "The e-mail is in line again.", _resend_mail),
    "change-address": Fix("Change the address", form="details"),
    "restore-metadata": Fix("Restore metadata.json", "Restored; the other file is in “aside”.", _restore_metadata),
    "restore-original": Fix("Restore the original", "The student's own file is back.", _restore_originals),
    "forget-job": Fix("Forget this job", "The job is not shown any more.", _forget),
    "remove-copy": Fix("Move the copy to the trash", "The copy is in the trash.", _discard),
    "quarantine": Fix("Move it to the trash", "It is in the trash for 30 days.", _discard),
}
"""By the slug that a finding names. A slug without a row here is put right by hand."""


@pages.get("/dashboard/attention")
@login_required
def attention() -> ResponseReturnValue:
    return render_template("staff/attention.html", findings=house().queries.attention(), fixes=FIXES)


@pages.post("/dashboard/attention")
@login_required
def fix() -> ResponseReturnValue:
    """`kind`, `folder`: which item; `fix`: which of its fixes. What has been settled meanwhile is said so."""
    wanted = (request.form.get("kind"), request.form.get("folder"))
    found = [one for one in house().queries.attention() if (one.kind, one.folder) == wanted]
    name = request.form.get("fix", "")
    if not found:
        flash("That has been settled meanwhile.")
    elif name not in found[0].fixes or name not in FIXES or FIXES[name].do is None:
        raise InvalidInput({"fix": ["There is no such fix for this."]})
    else:
        done = FIXES[name].do(found[0])  # type: ignore[misc]
        if done is not None:
            house().mirror.put(done)
            house().actions.look(done.id)
        house().mirror.settled(found[0].kind, found[0].folder or "")
        flash(FIXES[name].done)
    return redirect(url_for("attention.attention"), 303)


@pages.get("/api/v1/attention")
@login_required
def api() -> ResponseReturnValue:
    return jsonify(attention=[one.as_json() for one in house().queries.attention()])


def count() -> int | None:
    """How many things need a person; None while nobody can tell."""
    try:
        return len(house().queries.attention())
    except MirrorDown:
        return None
