"""What needs a person, with the fixes that are safe, in one place; and what happened while the system was off."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from functools import partial

from flask import Blueprint, flash, jsonify, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue

from indexer.attention import AttentionItem, for_people, move_waits, raised
from indexer.check import check_storage
from printsys.actions import intake
from printsys.domain.inputs import WalkInInput, validate
from printsys.domain.status import LIVE
from printsys.errors import InvalidInput, MirrorDown, PrintSysError
from printsys.jobstore import Stored
from printsys.jobstore.visits import Failure, visit
from printsys.ops.backup_record import record_if_any
from printsys.ops.backup_trouble import backup_trouble
from printsys.web.auth import current_actor, login_or_token_required, login_required
from printsys.web.errors import error_page
from printsys.web.services import services
from printsys.web.staff import missed
from printsys.web.staff.attention_groups import BACKUP_KINDS, AttentionEntry, groups_of
from printsys.web.staff.fixes import FIXES
from printsys.web.staff.folder_list import MOST_READ
from printsys.web.staff.forms import WalkInForm
from printsys.web.staff.job_list import JobSummary
from printsys.web.student.forms import with_errors

pages = Blueprint("attention", __name__)
SHOWN = "missed_shown"
"""Key of the session."""
FROM_FOLDERS = (
    "The database is not available. This page shows what the folders of active jobs tell: missing, damaged, copied and "
    "older folders, files that are gone, what a move left open. What concerns other jobs shows again when it is back."
)


@pages.get("/dashboard/attention")
@login_required
def show() -> ResponseReturnValue:
    entries, note = open_entries()
    digest = missed.missed_digest(services())
    if digest.lines and session.get(SHOWN) != digest.last:
        session[SHOWN] = digest.last
    return render_template(
        "staff/attention.html",
        groups=groups_of(entries),
        missed=digest,
        backup_kinds=BACKUP_KINDS,
        page_banners=[note] if note else [],
    )


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
    _settled(item)
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
        _settled(item)
    flash(f"It is {stored.job.student.name}'s job now.")
    return redirect(url_for("job.show", job_id=stored.id), 303)


@pages.post("/dashboard/attention/away")
@login_required
def forget_missed() -> ResponseReturnValue:
    """Staff have read what happened while the system was off, up to `last`, the last that the page showed; without it,
    up to the last that any page showed in this browser."""
    missed.forget_missed(services(), request.form.get("last", session.get(SHOWN, "")))
    return redirect(url_for("attention.show"), 303)


@pages.get("/api/v1/attention")
@login_or_token_required
def api() -> ResponseReturnValue:
    """As the page; `note` says what the list lacks while there is no database."""
    items, note = open_items()
    return jsonify(attention=[item.as_json() for item in items], note=note)


def _items_at(folder: str) -> list[AttentionItem]:
    return [item for item in open_items()[0] if item.folder == folder]


def open_items() -> tuple[list[AttentionItem], str | None]:
    """The items, and what they lack."""
    about_backups = [entry.item for entry in _about_backups()]
    try:
        return about_backups + services().queries.attention(), None
    except MirrorDown:
        return about_backups + _from_folders(), FROM_FOLDERS


def open_entries() -> tuple[list[AttentionEntry], str | None]:
    """The same as a page shows them."""
    try:
        opened = services().queries.open_items()
    except MirrorDown:
        return _about_backups() + [_entry_from_folder(item) for item in _from_folders()], FROM_FOLDERS
    rows = [(each.item, JobSummary.from_row(each.row) if each.row else None, each.since) for each in opened]
    return _about_backups() + [AttentionEntry(*row) for row in rows], None


def _about_backups() -> list[AttentionEntry]:
    """What is wrong with this computer's backups: a file of instance/ tells, and not the mirror."""
    settings, lab = services().settings, services().lab
    trouble = backup_trouble(lab, record_if_any(settings, lab), datetime.now(UTC))
    if trouble is None:
        return []
    return [AttentionEntry(raised(trouble.kind, None, None, trouble.sentence), since=trouble.since)]


def _entry_from_folder(item: AttentionItem) -> AttentionEntry:
    store, job_id = services().store, item.job_id
    stored = visit(store, job_id, partial(store.load, job_id)) if job_id is not None else None
    return AttentionEntry(item, JobSummary.from_folder(stored) if isinstance(stored, Stored) else None)


def _from_folders() -> list[AttentionItem]:
    """What the folders themselves tell, while there is no database: a look at each active job."""
    store = services().store
    items = for_people(check_storage(store, statuses=LIVE, most=MOST_READ))
    for intent in sorted(store.layout.moves.glob("*.json")):
        stored = visit(store, intent.stem, partial(store.load, intent.stem))
        if not isinstance(stored, Failure):
            items += move_waits(store.layout, stored)
    return items


def _settled(item: AttentionItem) -> None:
    """Without the database, the sweep that follows its return finds nothing any more."""
    with suppress(MirrorDown):
        services().mirror.settled(item)


def count() -> int | None:
    """How many items need a person; None while the mirror is down."""
    try:
        return len(services().queries.attention()) + len(_about_backups())
    except MirrorDown:
        return None
