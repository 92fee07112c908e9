"""What needs a person, with the fixes that are safe, in one place; and what happened while nobody was looking."""

from __future__ import annotations

from flask import Blueprint, flash, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from indexer.attention import AttentionItem
from printsys.actions import intake
from printsys.domain.inputs import WalkInInput, validate
from printsys.errors import InvalidInput, MirrorDown, PrintSysError
from printsys.jobstore.notes import forget_missed_events
from printsys.web.auth import current_actor, login_or_token_required, login_required
from printsys.web.errors import face_of
from printsys.web.services import services
from printsys.web.staff.fixes import FIXES
from printsys.web.staff.forms import WalkInForm
from printsys.web.staff.missed import while_away
from printsys.web.student.forms import with_errors

pages = Blueprint("attention", __name__)


@pages.get("/dashboard/attention")
@login_required
def show() -> ResponseReturnValue:
    findings = services().queries.attention()
    return render_template("staff/attention.html", findings=findings, fixes=FIXES, away=while_away(services()))


@pages.post("/dashboard/attention")
@login_required
def fix() -> ResponseReturnValue:
    """`kind`, `folder`, `file`: which item; `fix`: which of its fixes. What has been settled meanwhile is said so."""
    one = _item(request.form.get("kind", ""), request.form.get("folder", ""), request.form.get("file", ""))
    if one is None:
        flash("That has been settled meanwhile.")
        return redirect(url_for("attention.show"), 303)
    name = request.form.get("fix", "")
    if name not in one.fixes or name not in FIXES or FIXES[name].do is None:
        raise InvalidInput({"fix": ["There is no such fix for this."]})
    done = FIXES[name].do(one)  # type: ignore[misc]
    if done is not None:
        services().actions.follow_up(done)
    services().mirror.settled(one)
    flash(FIXES[name].done)
    if done is not None and FIXES[name].shows_job:
        return redirect(url_for("job.show", job_id=done.id), 303)
    return redirect(url_for("attention.show"), 303)


@pages.route("/dashboard/attention/adopt", methods=["GET", "POST"])
@login_required
def make_a_job() -> ResponseReturnValue:
    """A loose file, or a folder without a record (`place`, relative to storage/), becomes a job."""
    place = request.values.get("place", "")
    form = WalkInForm.of(services().lab, place)
    if request.method == "GET":
        return render_template("staff/adopt.html", form=form, place=place, general=[])
    try:
        said = validate(WalkInInput, request.form)
        made = intake.walk_in(services().actions, place, said, current_actor())
    except PrintSysError as wrong:
        fields = wrong.fields if isinstance(wrong, InvalidInput) else {"": [str(wrong)]}
        general = with_errors(form, fields)
        return render_template("staff/adopt.html", form=form, place=place, general=general), face_of(wrong).code
    for one in _items_at(place):
        services().mirror.settled(one)
    flash(f"It is {made.job.student.name}'s job now.")
    return redirect(url_for("job.show", job_id=made.id), 303)


@pages.post("/dashboard/attention/away")
@login_required
def seen() -> ResponseReturnValue:
    """What happened while nobody was looking has been read."""
    forget_missed_events(services().store)
    return redirect(url_for("attention.show"), 303)


@pages.get("/api/v1/attention")
@login_or_token_required
def api() -> ResponseReturnValue:
    return jsonify(attention=[one.as_json() for one in services().queries.attention()])


def _item(kind: str, folder: str, file: str) -> AttentionItem | None:
    return next((one for one in _items_at(folder) if (one.kind, one.file or "") == (kind, file)), None)


def _items_at(folder: str) -> list[AttentionItem]:
    return [one for one in services().queries.attention() if one.folder == folder]


def count() -> int | None:
    """How many things need a person; None while nobody can tell."""
    try:
        return len(services().queries.attention())
    except MirrorDown:
        return None
