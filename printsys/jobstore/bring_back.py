"""Brings one job that is gone back into the living storage, from a copy of its folder that a backup has."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from printsys import fs
from printsys.domain import emails
from printsys.domain.events import SYSTEM, EventDraft, EventType, build_batch
from printsys.domain.job import parse
from printsys.errors import DamagedJob, JobNotFound, JobNotRestored
from printsys.jobstore import moves, repair
from printsys.jobstore.layout import EVENTS
from printsys.jobstore.log import Log
from printsys.jobstore.newest import NewestEvent, note_newest, note_number, read_newest
from printsys.jobstore.pruned import was_pruned
from printsys.jobstore.store import JobStore
from printsys.jobstore.stored import Stored

ELSEWHERE = "a copy can go elsewhere (--to DIR)"


def bring_back(
    store: JobStore, job_id: str, folder_name: str, write_files: Callable[[Path], None], backup: str, actor: str
) -> Stored:
    """The job as that backup has it, with an event that says so, in the folder of its status. `write_files(folder)`
    fills an empty folder with its files.

    It appears by one rename, whole or not at all. JobNotRestored where it is there, or was pruned on purpose;
    DamagedJob where the copy's log is not whole; JobBusy, StorageFailure, StorageOffline.
    """
    store.require_online()
    with store.locked(job_id), store.disk_errors():
        _require_gone(store, job_id)
        staging = store.layout.staging / job_id  # the job's lock says that somebody fills it
        _remove(staging)
        store.layout.make()
        staging.mkdir()
        try:
            write_files(staging)
            if repair.id_inside(staging) != job_id:
                raise DamagedJob(job_id, EVENTS, "it is another job's.")
            newest = read_newest(store.layout, job_id)
            copied_log = repair.whole_log(staging, job_id)
            if was_pruned(store, copied_log):
                raise JobNotRestored(f"Job {job_id} was pruned on purpose. Nothing was written; {ELSEWHERE}.")
            log = _record(store, staging, copied_log, newest, backup, actor)
            target = store.layout.status(parse(log.document()).status) / folder_name
            moves.drop_intent(store.layout, job_id)  # of the folder that is gone
            if newest is not None:  # another line has its number from here on
                note_number(store.layout, job_id, newest.seq)
            for folder, _, _ in os.walk(staging):
                fs.sync_folder(Path(folder))
            fs.rename_folder(staging, target)
        finally:
            _remove(staging)
        fs.sync_folder(target.parent)
        note_newest(store.layout, job_id, log)
        return store.repair_for_write(job_id)


def _require_gone(store: JobStore, job_id: str) -> None:
    store.layout.list_anew()
    try:
        folder = store.find(job_id)
    except JobNotFound:
        return
    raise JobNotRestored(
        f"Job {job_id} is there: {store.layout.relative(folder)}. Nothing was written over it; {ELSEWHERE}."
    )


def _record(store: JobStore, folder: Path, log: Log, newest: NewestEvent | None, backup: str, actor: str) -> Log:
    """Append what happened to the copy's log. Events that came after the backup keep their numbers: they are lost."""
    missing = max(0, newest.seq - log.seq) if newest is not None else 0
    drafts = [EventDraft(EventType.EVENT_LOST, SYSTEM) for _ in range(missing)]
    if missing or newest is None:  # whether an e-mail went out meanwhile is lost: a second would be worse than none
        owed = emails.owed(log.events, log.document()["id"])
        drafts += [emails.dropped(mail, "the job was restored from a backup") for mail in owed]
    drafts.append(EventDraft(EventType.JOB_RESTORED, actor, {"backup": backup, "missing": missing}))
    batch = build_batch(drafts, log.document(), log.seq, log.last_line, store.clock())
    fs.append(folder / EVENTS, batch.lines, log.length)
    return log.with_batch(batch)


def _remove(folder: Path) -> None:
    if os.path.lexists(folder):
        fs.remove_tree(folder)
