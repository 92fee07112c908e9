"""What the system measures of itself, once for /healthz, for /metrics and for the page System."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import psutil

from indexer.watch_mode import WatchMode, mode_for
from printsys.errors import MirrorDown
from printsys.ops import heartbeat
from printsys.ops.backup_record import BackupRecord, record_if_any
from printsys.ops.backup_trouble import BackupTrouble, backup_trouble
from printsys.ops.disk_space import DiskSpace, disks
from printsys.web.services import services
from printsys.web.staff.mail_state import MailState


@dataclass(frozen=True)
class Measures:
    """None: not known. `queue`: how many tasks wait. `swept_at`: when all folders were last compared with the mirror.
    `backups` None: no place for them is named."""

    at: datetime
    started_at: datetime
    disks: list[DiskSpace]
    queue: int | None
    watching: Literal["native", "polling"] | None
    swept_at: datetime | None
    backups: BackupRecord | None
    trouble: BackupTrouble | None


def measures(mail: MailState) -> Measures:
    """Of this moment, from small files and one row of the mirror."""
    settings, lab, now = services().settings, services().lab, datetime.now(UTC)
    indexer, backups = heartbeat.read_indexer(settings), record_if_any(settings, lab)
    watching = None
    if indexer is not None and indexer.is_alive(now):
        watching = "polling" if indexer.watch_problem else _mode(settings.storage, settings.watch_mode)
    return Measures(
        at=now,
        started_at=_started_at(),
        disks=disks(settings, lab),
        queue=mail.heartbeat.queue if mail.heartbeat is not None and mail.is_working else None,
        watching=watching,
        swept_at=_swept_at(),
        backups=backups,
        trouble=backup_trouble(lab, backups, now),
    )


@functools.cache
def _started_at() -> datetime:
    """Of the pages' process."""
    return datetime.fromtimestamp(psutil.Process().create_time(), UTC)


@functools.cache
def _mode(storage: Path, mode: WatchMode) -> Literal["native", "polling"]:
    """Once a process: it asks the system about the mount, and a share may answer slowly."""
    return mode_for(storage, mode)


def _swept_at() -> datetime | None:
    try:
        return services().queries.synced_at()
    except MirrorDown:
        return None
