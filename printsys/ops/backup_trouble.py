"""What a person must know of the backups: one that failed, one that is late, a rehearsal that failed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from printsys.config import Lab
from printsys.domain.words import counted
from printsys.ops.backup_record import BackupRecord
from printsys.texts import date_and_time, relative

TOO_OLD = timedelta(hours=48)
"""One missed day is what a computer that is off overnight makes up for."""


@dataclass(frozen=True)
class BackupTrouble:
    """`kind`: the slug under Attention. `sentence` and `advice` for staff; `since` as far as it is known."""

    kind: str
    sentence: str
    advice: str
    since: datetime | None

    @property
    def word(self) -> str:
        """For a monitor."""
        return {"backup-failed": "failed", "backup-late": "late"}.get(self.kind, "rehearsal failed")


def backup_trouble(lab: Lab, record: BackupRecord | None, now: datetime) -> BackupTrouble | None:
    """None where all is well, and where there is no `record_if_any`."""
    if record is None:
        return None
    local = ZoneInfo(lab.about.timezone)
    return _failed(record, local, now) or _late(record, lab, now) or _rehearsal_failed(record, local)


def _failed(record: BackupRecord, local: ZoneInfo, now: datetime) -> BackupTrouble | None:
    last, good = record.last, record.last_good
    if last is not None and last.error is not None:
        before = (
            f"The last good one was made {relative(good.started_at, now)}." if good else "There is no good one yet."
        )
        sentence = f"The backup of {date_and_time(last.started_at.astimezone(local))} failed: {last.error} {before}"
        return BackupTrouble("backup-failed", sentence, "The worker tries it again within the hour.", last.started_at)
    if (reading := record.failed_reading) is not None:
        when = date_and_time(reading.at.astimezone(local))
        sentence = f"All that the backups hold was to be read on {when}, and could not: {reading.error}"
        return BackupTrouble("backup-failed", sentence, "The worker tries it again within the hour.", reading.at)
    if record.damaged and record.read_all_at is not None:
        when = date_and_time(record.read_all_at.astimezone(local))
        sentence = (
            f"{counted(record.damaged, 'file')} in the backups {'was' if record.damaged == 1 else 'were'} damaged when "
            f"all were read on {when}. What the storage still has was copied again. The disk of the backups may be "
            "failing."
        )
        return BackupTrouble("backup-failed", sentence, "Keep the next backups on another disk.", record.read_all_at)
    return None


def _late(record: BackupRecord, lab: Lab, now: datetime) -> BackupTrouble | None:
    good = record.last_good
    if not lab.backup.time or (good is not None and abs(now - good.started_at) < TOO_OLD):
        return None
    how_old = f"The last backup was made {relative(good.started_at, now)}" if good else "There is no backup yet"
    is_running = record.last is not None and record.last.ended_at is None
    sentence = f"{how_old}. {'One is under way now.' if is_running else 'One is due each day.'}"
    advice = "The worker makes it: is it running? `python manage.py backup` makes one now."
    return BackupTrouble("backup-late", sentence, advice, good.started_at if good else None)


def _rehearsal_failed(record: BackupRecord, local: ZoneInfo) -> BackupTrouble | None:
    rehearsal = record.rehearsal
    if rehearsal is None or rehearsal.error is None or rehearsal.was_stopped:
        return None
    when = date_and_time(rehearsal.started_at.astimezone(local))
    sentence = f"The rehearsal of a restore on {when} failed: {rehearsal.error}"
    advice = "`python manage.py backup --rehearse` tries it again now."
    return BackupTrouble("rehearsal-failed", sentence, advice, rehearsal.started_at)
