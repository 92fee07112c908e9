"""How a page reaches the house that its app was made for."""

from __future__ import annotations

from typing import cast

from flask import current_app

from printsys.services import House

EXTENSION = "house"


def house() -> House:
    return cast(House, current_app.extensions[EXTENSION])
