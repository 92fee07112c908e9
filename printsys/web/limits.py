"""How often one address may do what costs us something. A campus is one address, so submissions are generous."""

from __future__ import annotations

from typing import cast

from flask import Flask
from flask.typing import RouteCallable
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address

from printsys.web.services import services

LOGIN = "10 per minute"
SUBMITTING = ("submit.send", "upload_check.check", "confirm.resend", "resubmit.send")
"""Endpoints that share the limit SUBMIT_LIMIT, each with a count of its own."""


def init(app: Flask) -> None:
    """After the pages are registered."""
    limiter = Limiter(get_remote_address, app=app, storage_uri="memory://")
    limits = {"auth.log_in": limiter.limit(LOGIN)}
    limits |= dict.fromkeys(SUBMITTING, limiter.limit(_submit_limit, exempt_when=_has_no_submit_limit))
    for endpoint, limit in limits.items():
        app.view_functions[endpoint] = cast(RouteCallable, limit(app.view_functions[endpoint]))


def _submit_limit() -> str:
    return f"{services().settings.submit_limit} per hour"


def _has_no_submit_limit() -> bool:
    return services().settings.submit_limit == 0
