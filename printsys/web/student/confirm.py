"""The link in the e-mail with the price: confirm, decline, or ask for a new link."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from printsys.domain.events import Event, EventType
from printsys.domain.inputs import OptionalReasonInput, validate
from printsys.domain.job import Job, plain
from printsys.domain.links import require_open_confirmation
from printsys.domain.status import Status
from printsys.errors import InvalidInput, TokenExpired, TokenUsed, TransitionNotAllowed
from printsys.texts import amount, discounts, money
from printsys.web import lab_day
from printsys.web.services import services
from printsys.web.student.receipt_limit import receipt_limit
from printsys.web.student.status import sent_models

pages = Blueprint("confirm", __name__)
THANKS = "Thank you! Your print is in line now. We write to you when you can collect it."


@pages.get("/confirm/<token>")
def show(token: str) -> ResponseReturnValue:
    return _confirm_page(token)


@pages.post("/confirm/<token>")
def decide(token: str) -> ResponseReturnValue:
    job_id, nonce = services().tokens.read_confirm(token)
    decision = request.form.get("decision")
    if decision not in ("confirm", "decline"):
        return _confirm_page(token, "Please choose whether we should print it.", 422)
    try:
        reason = validate(OptionalReasonInput, request.form).reason
    except InvalidInput as error:
        return _confirm_page(token, f"Your reason: {error}", 422)
    try:
        services().actions.student_decides(job_id, nonce, decision == "confirm", reason)
    except (TokenExpired, TokenUsed):
        return _confirm_page(token)
    flash(THANKS if decision == "confirm" else "Thank you for telling us. We do not print it, and you pay nothing.")
    return redirect(url_for("status.show", token=services().tokens.status(job_id)), 303)


@pages.post("/confirm/<token>/resend")
def resend(token: str) -> ResponseReturnValue:
    job_id, nonce = services().tokens.read_confirm(token)
    try:
        stored = services().actions.resend_confirmation(job_id, nonce, receipt_limit().may_send)
    except TransitionNotAllowed as error:
        return _confirm_page(token, str(error), 409)
    except TokenUsed:
        return _confirm_page(token)
    return render_template("student/resent.html", job=stored.job)


def _confirm_page(token: str, error: str = "", code: int = 200) -> ResponseReturnValue:
    """The offer, with `code`; or, where the link is over, why, and what to do."""
    job_id, nonce = services().tokens.read_confirm(token)
    stored = services().store.load(job_id)
    job = stored.job
    try:
        require_open_confirmation(job, nonce, datetime.now(UTC))
    except (TokenExpired, TokenUsed) as over:
        is_confirmed = job.status not in (Status.PENDING, Status.UPLOADED, Status.REJECTED)
        return link_over_page(job, over, is_confirmed=is_confirmed, token=token, error=error)
    approval = next((event for event in reversed(stored.events) if event.type == EventType.STAFF_APPROVED), None)
    page = render_template(
        "student/confirm.html",
        job=job,
        token=token,
        status_token=services().tokens.status(job_id),
        error=error,
        price=price_made_of(stored.job, approval),
        note=approval.data.get("note") if approval else None,
        models=sent_models(job),
        printer=services().lab.printer(job.request.printer),
        wait=next((wait for wait in lab_day.waits() if wait.method == job.request.method), None),
        message=lab_day.today().message,
        closed_days=lab_day.closed_days_to_come(),
    )
    return page, code


def price_made_of(job: Job, approval: Event | None) -> str:
    """How the approval made the price of the weight or volume; empty where it does not say."""
    estimate = job.estimate
    if approval is None or estimate is None or approval.data.get("cost") != plain(estimate.cost or Decimal()):
        return ""
    taken_off = f"; {discounts(estimate.discounts)}" if estimate.discounts else ""
    if approval.data.get("minimum"):
        return f"That is our minimum charge: by its material it would cost less{taken_off}."
    is_volume = approval.data.get("unit") == "ml"
    measured, unit, each = (estimate.volume_ml, "ml", "milliliter") if is_volume else (estimate.weight_g, "g", "gram")
    rate = approval.data.get("rate")
    return f"{amount(measured)} {unit} at {money(rate)} a {each}{taken_off}" if measured and rate else taken_off[2:]


def link_over_page(job: Job, over: TokenExpired | TokenUsed, **context: object) -> ResponseReturnValue:
    """Why the link no longer works, and what the student can do."""
    page = render_template(
        "student/link_over.html",
        job=job,
        reason=str(over),
        is_expired=isinstance(over, TokenExpired),
        status_token=services().tokens.status(job.id),
        **context,
    )
    return page, 410
