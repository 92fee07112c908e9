"""How often one address may do what costs us something. A campus is one address, so submissions are generous."""

from __future__ import annotations

from flask import Flask
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address

from printsys.web.services import services

LOGIN = "10 per minute"
limiter = Limiter(get_remote_address, storage_uri="memory://")


def init(app: Flask) -> None:
    limiter.init_app(app)


def submit_limit() -> str:
    return f"{services().settings.submit_limit} per hour"


def no_submit_limit() -> bool:
    return services().settings.submit_limit == 0
