"""A job's own page, straight from its folder, and the figures that its approval form asks for meanwhile."""

from __future__ import annotations

from flask import Blueprint, jsonify, render_template, request
from flask.typing import ResponseReturnValue

from printsys.assessment.approval_defaults import read_defaults
from printsys.domain.inputs import QuoteInput, validate
from printsys.domain.job import plain
from printsys.errors import PrintSysError
from printsys.jobstore.files import printable
from printsys.texts import amount, discounts, money
from printsys.web.auth import login_required
from printsys.web.services import services
from printsys.web.staff.job_page import job_page
from printsys.web.staff.place_in_list import place_in_list

pages = Blueprint("job", __name__, url_prefix="/dashboard/jobs/<job_id>")


@pages.get("")
@login_required
def show(job_id: str) -> ResponseReturnValue:
    try:
        context = job_page(services(), services().store.load(job_id))
    except FileNotFoundError:  # the folder was moved between finding it and reading it
        context = job_page(services(), services().store.load(job_id))
    place = place_in_list(job_id)
    return render_template("staff/job.html", **context, place=place, in_list=place.args if place else {})


@pages.get("/quote")
@login_required
def quote(job_id: str) -> ResponseReturnValue:
    """The price of the figures that staff type, by the rule that the approval itself uses."""
    job = services().store.load(job_id).job
    try:
        figures = validate(QuoteInput, request.args)
        price = services().actions.price(job, figures)
    except PrintSysError:
        return jsonify(text="")
    text = f"{money(price.cost)}: {amount(price.amount)} {price.unit} × {money(price.rate)}"
    taken_off = f" ({discounts(price.discounts)})" if price.discounts else ""
    return jsonify(text=(f"{money(price.cost)}, the minimum charge" if price.is_minimum else text) + taken_off)


@pages.get("/read")
@login_required
def read(job_id: str) -> ResponseReturnValue:
    """What the chosen files (`print_file`, repeatable) say of themselves, for the approval form."""
    stored = services().store.load(job_id)
    offered = {file.name for file in printable(stored.folder)}
    chosen = [name for name in request.args.getlist("print_file") if name in offered]
    defaults = read_defaults(stored, chosen, services().lab)
    figures = {name: getattr(defaults, name) for name in ("weight_g", "volume_ml", "time_h")}
    texts = {name: plain(figure) if figure is not None else None for name, figure in figures.items()}
    words = {name: getattr(defaults, name) for name in ("material", "for_copies", "source", "remarks")}
    return jsonify(texts | words)
