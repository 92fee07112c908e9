"""Whether the parts are up, for whoever watches: no secrets, no names."""

from __future__ import annotations

from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue

from printsys.errors import MirrorDown, StorageOffline
from printsys.web.house import house

pages = Blueprint("health", __name__)


@pages.get("/healthz")
def healthz() -> ResponseReturnValue:
    """200 while the lab can work (a database that is down is only `degraded`), 503 without storage."""
    components = {"storage": _storage(), "database": _database()}
    down = components["storage"] != "ok"
    status = "down" if down else "ok" if all(state == "ok" for state in components.values()) else "degraded"
    return jsonify(status=status, components=components), 503 if down else 200


def _storage() -> str:
    try:
        house().store.require_online()
    except StorageOffline:
        return "offline"
    return "ok"


def _database() -> str:
    try:
        house().queries.counts()
    except MirrorDown:
        return "down"
    return "ok"
