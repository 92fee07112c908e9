"""The queue: a column a printer, with what is on it, what is next, and what fits before closing or overnight."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from printsys.domain.lab_today import LabToday
from printsys.errors import InvalidInput
from printsys.jobstore.lab_today import change_lab_today
from printsys.web.auth import login_required
from printsys.web.services import services
from printsys.web.staff.staff_queue import moved, staff_queue, waiting_ids

pages = Blueprint("queue", __name__, url_prefix="/dashboard")


@pages.get("/queue")
@login_required
def show() -> ResponseReturnValue:
    queue = staff_queue()
    return render_template("staff/queue.html", queue=queue, page_banners=queue.banners)


@pages.post("/queue/order")
@login_required
def order() -> ResponseReturnValue:
    """`printer`, and either `job` repeated (the ids of its column in their new order) or `move`, an id, with `by`: up,
    down, front, or usual, which forgets staff's order."""
    printer = request.form.get("printer", "")
    if services().lab.printer(printer) is None:
        raise InvalidInput({"printer": ["There is no such printer."]})
    present = waiting_ids(printer, staff_queue().columns)
    ids: list[str] = []
    if request.form.get("by") == "usual":
        flash("The queue orders this printer's jobs by itself again.")
    elif chosen := request.form.getlist("job"):
        named = [job_id for job_id in dict.fromkeys(chosen) if job_id in present]
        ids = named + [job_id for job_id in present if job_id not in named]
    else:
        ids = moved(present, request.form.get("move", ""), request.form.get("by", ""))

    def reorder(today: LabToday) -> LabToday:
        orders = {name: value for name, value in today.order.items() if name != printer}
        return today.model_copy(update={"order": orders | {printer: ids} if ids else orders})

    change_lab_today(services().store, reorder)
    if "move" in request.form:  # the page opens the job's buttons again
        place = url_for("queue.show", by=request.form.get("by"), _anchor=f"job-{request.form['move']}")
    else:
        place = url_for("queue.show", _anchor=f"printer-{printer}")
    return redirect(place, 303)
