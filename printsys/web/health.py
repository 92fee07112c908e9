"""Whether the parts of the system are up, for monitoring programs: no secrets, no names."""

from __future__ import annotations

from datetime import UTC, datetime

from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue

from printsys.errors import MirrorDown, StorageOffline
from printsys.ops import heartbeat
from printsys.ops.disk_space import shortages
from printsys.web.services import services
from printsys.web.staff.mail_state import MailState, mail_state

pages = Blueprint("health", __name__)


@pages.get("/healthz")
def healthz() -> ResponseReturnValue:
    """200 while the lab can work, 503 without storage; `degraded` without database, worker, indexer or disk space,
    and where the folders are polled though the system should report what happens there."""
    mail = mail_state()
    components = states(mail)
    down = components["storage"] != "ok"
    status = "down" if down else "ok" if all(state == "ok" for state in components.values()) else "degraded"
    return jsonify(status=status, components=components, mail=mail.as_json()), 503 if down else 200


def states(mail: MailState) -> dict[str, str]:
    """Of each part in a word or two, `ok` where all is well."""
    return {
        "storage": _storage(),
        "disk": "low" if shortages(services().settings, services().lab) else "ok",
        "database": _database(),
        "worker": "down" if not mail.is_working else "queue down" if mail.is_without_queue else "ok",
        **_indexer(),
    }


def _storage() -> str:
    try:
        services().store.require_online()
    except StorageOffline:
        return "offline"
    return "ok"


def _indexer() -> dict[str, str]:
    """The indexer itself, and how it watches the folders."""
    beat = heartbeat.read_indexer(services().settings)
    if beat is None or not beat.is_alive(datetime.now(UTC)):
        return {"indexer": "down", "watching": "down"}
    return {"indexer": "failing" if beat.problem else "ok", "watching": "polling" if beat.watch_problem else "ok"}


def _database() -> str:
    try:
        services().queries.counts()
    except MirrorDown:
        return "down"
    return "ok"
