"""The services that the app of this request was made for."""

from __future__ import annotations

from typing import cast

from flask import current_app

from printsys.services import Services

EXTENSION = "services"


def services() -> Services:
    return cast(Services, current_app.extensions[EXTENSION])
