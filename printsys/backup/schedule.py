"""What the worker does for the lab's backups by itself: one each day, all of it read each week, a rehearsal each month.

The record says what is due, so it does not matter when the worker last ran.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from printsys.backup import lab_files
from printsys.backup.create import refuse_overlap
from printsys.backup.rehearsal import rehearse, remove_leftovers
from printsys.backup.runs import in_words, note_newest, recorded, require_place, utc_now, verified_backup
from printsys.backup.vault import Vault, VaultBusy
from printsys.config import Lab, Settings
from printsys.errors import PrintSysError
from printsys.jobstore import JobStore
from printsys.ops.backup_record import (
    INTERRUPTED,
    BackupRecord,
    FailedReading,
    backup_folder,
    read_record,
    under_way,
    write_record,
)

LOOK_S = 60.0
AFTER_FAILURE = timedelta(hours=1)
AFTER_INTERRUPTION = timedelta(minutes=10)
"""Not at once: a backup that ends its process must not do so each minute."""
READ_ALL_EVERY = timedelta(days=7)
READ_ALL_AGAIN = timedelta(days=1)
"""After damage showed."""
REHEARSE_EVERY = timedelta(days=30)
REHEARSE_AGAIN = timedelta(days=1)
logger = logging.getLogger(__name__)


class BackupStopped(PrintSysError):
    """The worker ends; the next backup goes on from there."""


def is_due(record: BackupRecord, place: str, due_at: datetime, now: datetime) -> bool:
    """Whether the backup of `due_at` is still to be made, and it is time to try."""
    good, last = record.last_good, record.last
    if good is not None and good.place == place and due_at <= good.started_at <= now:
        return False
    if last is None or last.error is None or last.place != place or not due_at <= last.started_at <= now:
        return True
    pause = AFTER_INTERRUPTION if last.error == INTERRUPTED else AFTER_FAILURE
    return not timedelta() <= now - (last.ended_at or last.started_at) < pause


def is_reading_due(record: BackupRecord, now: datetime) -> bool:
    """Whether all that the place holds is to be read."""
    failed, every = record.failed_reading, READ_ALL_AGAIN if record.damaged else READ_ALL_EVERY
    if record.last_good is None or (failed is not None and timedelta() <= now - failed.at < AFTER_FAILURE):
        return False
    return record.read_all_at is None or not timedelta() <= now - record.read_all_at < every


def is_rehearsal_due(record: BackupRecord, now: datetime) -> bool:
    if record.last_good is None:
        return False
    good, last = record.good_rehearsal, record.rehearsal
    if good is not None and timedelta() <= now - good.started_at < REHEARSE_EVERY:
        return False
    if last is None:
        return True
    pause = AFTER_INTERRUPTION if last.was_stopped else REHEARSE_AGAIN
    return not timedelta() <= now - (last.ended_at or last.started_at) < pause


class BackupSchedule:
    """`stop` ends what is under way at the next job or file."""

    def __init__(
        self,
        settings: Settings,
        lab: Lab,
        store: JobStore,
        stop: threading.Event,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self.settings, self.lab, self.store, self.stop, self.now = settings, lab, store, stop, now

    def keep(self) -> None:
        """Until `stop`: a look now and each minute. An error that nobody foresaw ends no later look."""
        while True:
            try:
                self.attend()
            except Exception:
                logger.exception("the backups met an error; they are looked at again")
            if self.stop.wait(LOOK_S):
                return

    def attend(self) -> None:
        """Do what is due now. What goes wrong is in the record."""
        place, now = backup_folder(self.settings, self.lab), self.now()
        due_at = self.lab.backup.last_due(now, self.lab.about.timezone)
        if place is None or due_at is None:
            return
        vault, record = Vault(place, self.now), read_record(self.settings)
        try:
            remove_leftovers(self.settings, vault)
        except (PrintSysError, OSError) as error:  # no reason to make no backup
            logger.warning("what a rehearsal left stays for now: %s", error)
        try:
            if is_due(record, str(place), due_at, now):
                self._back_up(vault, due_at)
            elif is_reading_due(record, now):
                self._read_all(vault)
            elif is_rehearsal_due(record, now):
                rehearse(self.settings, vault, self.now, self._go_on)
        except (PrintSysError, OSError) as error:
            logger.warning("the backups wait: %s", error)

    def _back_up(self, vault: Vault, due_at: datetime | None) -> None:
        """`due_at` None: even if there is one."""
        try:
            if due_at is not None and note_newest(self.settings, vault, due_at, self.now()):
                return
        except (PrintSysError, OSError) as error:  # the backup itself may meet it, too, and records it
            logger.warning("the newest backup in %s is not looked at: %s", vault.root, error)
        with recorded(self.settings, self.lab, vault, self.now) as result:
            self.store.require_online()
            refuse_overlap(self.settings.storage, vault.root)
            files = lab_files.files(self.settings, with_secrets=False)
            with vault.open():
                result.report, _ = verified_backup(
                    self.store, vault, files, self.lab.backup.keep, self._go_on, self.now
                )
        logger.info("backup %s: %d jobs, %d bytes copied", result.report.name, result.report.jobs, result.report.copied)

    def _read_all(self, vault: Vault) -> None:
        with under_way(self.settings) as record:
            try:
                require_place(vault, record)
                with vault.open():
                    damage = vault.read_all(self._go_on)
                    record = replace(record, read_all_at=self.now(), damaged=len(damage), failed_reading=None)
                    write_record(self.settings, record)  # first: what is dropped can be counted by nobody any more
                    vault.drop(damage)
            except (BackupStopped, VaultBusy):
                raise
            except (PrintSysError, OSError) as error:
                failed = FailedReading(self.now(), in_words(error))
                write_record(self.settings, replace(record, failed_reading=failed))
                raise
        if damage:
            logger.error("%d files in the backups were damaged; what storage still has is copied again", len(damage))
            self._back_up(vault, None)

    def _go_on(self, _done: int, _of: int) -> None:
        if self.stop.is_set():
            raise BackupStopped(INTERRUPTED)
