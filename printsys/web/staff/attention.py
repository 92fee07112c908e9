"""What needs a person, with the fixes that are safe, in one place; and what happened while the system was off."""

from __future__ import annotations

from flask import Blueprint, flash, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from indexer.attention import AttentionItem
from printsys.actions import intake
from printsys.domain.inputs import WalkInInput, validate
from printsys.errors import InvalidInput, MirrorDown, PrintSysError
from printsys.jobstore.notes import forget_missed_events
from printsys.web.auth import current_actor, login_or_token_required, login_required
from printsys.web.errors import error_page
from printsys.web.services import services
from printsys.web.staff.fixes import FIXES
from printsys.web.staff.forms import WalkInForm
from printsys.web.staff.missed import missed_digest
from printsys.web.student.forms import with_errors

pages = Blueprint("attention", __name__)


@pages.get("/dashboard/attention")
@login_required
def show() -> ResponseReturnValue:
    items = services().queries.attention()
    return render_template("staff/attention.html", items=items, fixes=FIXES, missed=missed_digest(services()))


@pages.post("/dashboard/attention")
@login_required
def fix() -> ResponseReturnValue:
    """`kind`, `folder`, `file` name the item, `fix` one of its fixes."""
    kind, file = request.form.get("kind", ""), request.form.get("file", "")
    items = [item for item in _items_at(request.form.get("folder", "")) if (item.kind, item.file or "") == (kind, file)]
    if not items:
        flash("Somebody has settled that already.")
        return redirect(url_for("attention.show"), 303)
    item = items[0]
    name = request.form.get("fix", "")
    chosen = FIXES.get(name)
    if name not in item.fixes or chosen is None or chosen.apply is None:
        raise InvalidInput({"fix": ["There is no such fix for this."]})
    stored = chosen.apply(item)
    if stored is not None:
        services().actions.follow_up(stored)
    services().mirror.settled(item)
    flash(chosen.done)
    if stored is not None and chosen.shows_job:
        return redirect(url_for("job.show", job_id=stored.id), 303)
    return redirect(url_for("attention.show"), 303)


@pages.route("/dashboard/attention/adopt", methods=["GET", "POST"])
@login_required
def adopt() -> ResponseReturnValue:
    """A loose file, or a folder without a record (`place`, relative to storage/), becomes a job."""
    relative_path = request.values.get("place", "")
    form = WalkInForm.of(services().lab, relative_path)
    if request.method == "GET":
        return render_template("staff/adopt.html", form=form, general=[])
    try:
        answers = validate(WalkInInput, request.form)
        stored = intake.walk_in(services().actions, relative_path, answers, current_actor())
    except PrintSysError as error:
        return render_template("staff/adopt.html", form=form, general=with_errors(form, error)), error_page(error).code
    for item in _items_at(relative_path):
        services().mirror.settled(item)
    flash(f"It is {stored.job.student.name}'s job now.")
    return redirect(url_for("job.show", job_id=stored.id), 303)


@pages.post("/dashboard/attention/away")
@login_required
def forget_missed() -> ResponseReturnValue:
    """Staff have read what happened while the system was off."""
    forget_missed_events(services().store)
    return redirect(url_for("attention.show"), 303)


@pages.get("/api/v1/attention")
@login_or_token_required
def api() -> ResponseReturnValue:
    return jsonify(attention=[item.as_json() for item in services().queries.attention()])


def _items_at(folder: str) -> list[AttentionItem]:
    return [item for item in services().queries.attention() if item.folder == folder]


def count() -> int | None:
    """How many items need a person; None while the mirror is down."""
    try:
        return len(services().queries.attention())
    except MirrorDown:
        return None
