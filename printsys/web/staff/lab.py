"""The lab today: a printer down, a color out, a closed day, a message to students. Each takes one click on this page.

Form, queue and status pages follow at once. What lab.toml says is on the page Settings.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from printsys.domain.lab_today import LabToday, Note, color_toggled, toggled
from printsys.errors import InvalidInput
from printsys.jobstore.lab_today import change_lab_today
from printsys.texts import date_text
from printsys.web import lab_day
from printsys.web.auth import current_actor, login_required
from printsys.web.filters import actor
from printsys.web.services import services

pages = Blueprint("lab", __name__, url_prefix="/dashboard/lab")
LONGEST_MESSAGE = 500
DAYS_SHOWN = 10


@pages.get("", strict_slashes=False)
@login_required
def show() -> ResponseReturnValue:
    lab, today = services().lab, lab_day.today()
    first = lab.today(datetime.now(UTC))
    hours = lab.opening_hours()
    coming = [first + timedelta(days=days) for days in range(3 * DAYS_SHOWN)]
    return render_template(
        "staff/lab.html",
        today=today,
        days=[day for day in coming if hours.on(day) is not None][:DAYS_SHOWN],
        closed=sorted(day for day in today.closed_days if day >= first),
        first=first,
    )


@pages.post("/printer")
@login_required
def printer() -> ResponseReturnValue:
    """`printer`, `is_down` (yes or no), `note`."""
    chosen = services().lab.printer(request.form.get("printer"))
    if chosen is None:
        raise InvalidInput({"printer": ["There is no such printer."]})
    note = _note("is_down")
    _change(lambda today: {"printers_down": toggled(today.printers_down, chosen.id, note)})
    flash(f"The {chosen.name} is marked as down." if note else f"The {chosen.name} works again.")
    return redirect(url_for("lab.show"), 303)


@pages.post("/color")
@login_required
def color() -> ResponseReturnValue:
    """`method`, `color`, `is_out` (yes or no)."""
    method, name = services().lab.method(request.form.get("method", "")), request.form.get("color", "")
    if method is None or name not in method.colors:
        raise InvalidInput({"color": ["There is no such color."]})
    note = _note("is_out")
    change_lab_today(services().store, lambda today: color_toggled(today, method.name, name, note))
    flash(f"{name} is marked as out." if note else f"{name} is there again.")
    return redirect(url_for("lab.show", _anchor="colors"), 303)


@pages.post("/closed")
@login_required
def closed() -> ResponseReturnValue:
    """`day` (2026-03-31), `is_closed` (yes or no), `note`."""
    first = services().lab.today(datetime.now(UTC))
    try:
        day = date.fromisoformat(request.form.get("day", ""))
    except ValueError as error:
        raise InvalidInput({"day": ["Please choose a day."]}) from error
    if day < first:
        raise InvalidInput({"day": ["That day is over."]})
    note = _note("is_closed")

    def change(today: LabToday) -> LabToday:
        days = toggled(today.closed, day.isoformat(), note)
        return today.model_copy(update={"closed": days}).without_old_days(first)

    change_lab_today(services().store, change)
    flash(f"The lab is closed on {date_text(day)}." if note else f"The lab is open on {date_text(day)}.")
    return redirect(url_for("lab.show", _anchor="days"), 303)


@pages.post("/message")
@login_required
def message() -> ResponseReturnValue:
    """`text`; `remove`, or nothing in it, takes the message away."""
    written = "" if "remove" in request.form else request.form.get("text", "")
    text = "\n".join(line.strip() for line in written.strip().splitlines())
    if len(text) > LONGEST_MESSAGE:
        raise InvalidInput({"text": [f"Please keep it under {LONGEST_MESSAGE} characters."]})
    note = _written(text) if text else None
    _change(lambda today: {"message": note})
    flash("Students read your message on the form and on their jobs' pages." if note else "The message is gone.")
    return redirect(url_for("lab.show", _anchor="message"), 303)


def _change(values: Callable[[LabToday], dict[str, object]]) -> None:
    change_lab_today(services().store, lambda today: today.model_copy(update=values(today)))


def _note(name: str) -> Note | None:
    """None where the field `name` says no."""
    return _written(request.form.get("note", "").strip()[:LONGEST_MESSAGE]) if request.form.get(name) == "yes" else None


def _written(text: str) -> Note:
    return Note(since=datetime.now(UTC), by=actor(current_actor()), text=text)
