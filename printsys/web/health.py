"""Whether the parts of the system are up, for monitoring programs: no secrets, no names."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue

from printsys.domain.job import format_time
from printsys.errors import MirrorDown, StorageOffline
from printsys.ops import heartbeat
from printsys.web.measures import Measures, measures
from printsys.web.services import services
from printsys.web.staff.mail_state import MailState, mail_state

pages = Blueprint("health", __name__)


@pages.get("/healthz")
def healthz() -> ResponseReturnValue:
    """200 while the lab can work, 503 without storage; `degraded` without database, worker, indexer, disk space or a
    recent backup, and where the folders are polled though the system should report what happens there."""
    mail = mail_state()
    measured = measures(mail)
    components = states(mail, measured)
    down = components["storage"] != "ok"
    status = "down" if down else "ok" if all(state == "ok" for state in components.values()) else "degraded"
    document = {"status": status, "components": components, "mail": mail.as_json()} | details(measured)
    return jsonify(document), 503 if down else 200


def details(measured: Measures) -> dict[str, Any]:
    """Figures by component; null: not known. Nobody's name, no path and no error's words."""
    backups = measured.backups
    good, rehearsal = (backups.last_good, backups.good_rehearsal) if backups else (None, None)
    return {
        "backup": {
            "is_scheduled": backups is not None,
            "at": _time(good.started_at if good else None),
            "age_s": _age_s(measured, good.started_at if good else None),
            "is_verified": good.is_verified if good else None,
            "rehearsed_at": _time(rehearsal.started_at if rehearsal else None),
        },
        "queue": {"tasks": measured.queue},
        "sweep": {"at": _time(measured.swept_at), "age_s": _age_s(measured, measured.swept_at)},
        "watching": {"mode": measured.watching},
        "disks": {disk.key: {"free_bytes": disk.free, "is_low": disk.is_low} for disk in measured.disks},
        "up_s": _age_s(measured, measured.started_at),
    }


def _time(moment: datetime | None) -> str | None:
    return format_time(moment) if moment else None


def _age_s(measured: Measures, moment: datetime | None) -> int | None:
    return max(0, int((measured.at - moment).total_seconds())) if moment else None


def states(mail: MailState, measured: Measures) -> dict[str, str]:
    """Of each part in a word or two, `ok` where all is well."""
    return {
        "storage": _storage(),
        "disk": "low" if any(disk.is_low for disk in measured.disks) else "ok",
        "database": _database(),
        "worker": "down" if not mail.is_working else "queue down" if mail.is_without_queue else "ok",
        **_indexer(),
        **({} if measured.backups is None else {"backup": measured.trouble.word if measured.trouble else "ok"}),
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
