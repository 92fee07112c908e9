"""JSON for scripts: the same reading as the pages, for a staff session or a token."""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal
from typing import Any

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from printsys.domain.events import line_of
from printsys.domain.job import format_time, plain
from printsys.domain.status import Status
from printsys.errors import InvalidInput
from printsys.jobstore.jsontext import decode
from printsys.web.auth import login_or_token_required
from printsys.web.openapi import MOST, document
from printsys.web.services import services
from printsys.web.staff.job_list import PAGE

pages = Blueprint("api", __name__, url_prefix="/api/v1")
FURTHEST = 2**62
"""PostgreSQL counts with 64 bits."""
NUMBER = re.compile(r"[+-]?[0-9]{1,40}")


@pages.get("/openapi.json")
@login_or_token_required
def openapi() -> ResponseReturnValue:
    """For programs that read the rest by it, with the same token."""
    return jsonify(document(PAGE))


@pages.get("/jobs")
@login_or_token_required
def jobs() -> ResponseReturnValue:
    """`status`, `q`, `limit` (at most 500), `offset`."""
    text = request.args.get("status")
    if text is not None and text not in set(Status):
        raise InvalidInput({"status": [f"There is no status {text}. There are: {', '.join(Status)}."]})
    status, q = Status(text) if text else None, request.args.get("q", "")
    limit = min(MOST, max(1, _number("limit", PAGE)))
    offset = min(FURTHEST, max(0, _number("offset", 0)))
    values = services().queries.values(status, q, limit, offset)
    return jsonify(jobs=[_plain(value) for value in values], total=services().queries.count(status, q))


@pages.get("/jobs/<job_id>")
@login_or_token_required
def job(job_id: str) -> ResponseReturnValue:
    """metadata.json as it is now, and where its folder is."""
    stored = services().store.load(job_id)
    folder = services().store.layout.relative(stored.folder)
    return jsonify(
        job=stored.document,
        folder=folder,
        move_pending=stored.move_pending,
        problem=str(stored.problem) if stored.problem else None,
    )


@pages.get("/jobs/<job_id>/events")
@login_or_token_required
def events(job_id: str) -> ResponseReturnValue:
    return jsonify(events=[decode(line_of(event)) for event in services().store.load(job_id).events])


def _number(name: str, default: int) -> int:
    text = request.args.get(name)
    if text is None:
        return default
    if not NUMBER.fullmatch(text):
        raise InvalidInput({name: [f"{name} must be a whole number."]})
    return int(text)


def _plain(value: Any) -> Any:
    """Decimals as text and times with Z, as metadata.json has them."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, Decimal):
        return plain(value)
    return format_time(value) if isinstance(value, datetime) else value
