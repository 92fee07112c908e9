"""How often one address may do what costs us something. A campus is one address, so submissions are generous."""

from __future__ import annotations

from typing import cast

from flask import Flask
from flask.typing import RouteCallable
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address

from printsys.web.services import EXTENSION

SUBMITTING = ("submit.send", "upload_check.check", "confirm.resend", "resubmit.send")
"""Endpoints that share the limit SUBMIT_LIMIT, each with a count of its own."""


def init(app: Flask) -> None:
    """After the pages are registered."""
    settings = app.extensions[EXTENSION].settings
    limiter = Limiter(get_remote_address, app=app, storage_uri="memory://")
    submitting = limiter.limit(
        lambda: f"{settings.submit_limit} per hour", exempt_when=lambda: settings.submit_limit == 0
    )
    for endpoint in SUBMITTING:
        app.view_functions[endpoint] = cast(RouteCallable, submitting(app.view_functions[endpoint]))
