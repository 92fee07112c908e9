"""Older copies of a job's folder, as far as the mirror can tell."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import sqlalchemy as sa

from indexer.attention import AttentionItem
from indexer.connection import reading
from indexer.queries import Queries
from indexer.schema import events
from printsys import fs
from printsys.errors import JobBusy, JobNotFound, StorageFailure
from printsys.jobstore import JobStore, Stored
from printsys.jobstore.layout import EVENTS
from printsys.jobstore.newest import note_number, read_newest
from printsys.jobstore.older_copy import has_newer_record

logger = logging.getLogger(__name__)


def note_what_the_mirror_knows(store: JobStore, engine: sa.Engine, folder: Path, job_id: str) -> None:
    """An older copy of a folder shows by the note of its newest event; a storage of an older version has no notes
    yet, and the mirror knows. MirrorDown."""
    if read_newest(store.layout, job_id) is not None:
        return
    if _line_count(folder) >= _mirrored_seq(engine, job_id):
        return
    try:
        with store.locked(job_id):  # or somebody has just written more
            seq = _mirrored_seq(engine, job_id)
            if _line_count(store.find(job_id)) < seq:
                note_number(store.layout, job_id, seq)
    except (JobBusy, JobNotFound, StorageFailure) as error:
        logger.info("job %s is compared with the mirror later: %s", job_id, error)


def with_possible_fixes(store: JobStore, engine: sa.Engine, item: AttentionItem, stored: Stored) -> AttentionItem:
    """Without the newer record's fix where neither the mirror nor the trash has it. MirrorDown."""
    if item.kind != "older-copy":
        return item
    if has_newer_record(store, stored.id, Queries(engine).events_from(stored.id, stored.log.seq)):
        return item
    return replace(item, fixes=tuple(fix for fix in item.fixes if fix != "put-newer-back"))


def _mirrored_seq(engine: sa.Engine, job_id: str) -> int:
    with reading(engine) as connection:
        query = sa.select(sa.func.coalesce(sa.func.max(events.c.seq), 0)).where(events.c.job_id == job_id)
        return int(connection.execute(query).scalar_one())


def _line_count(folder: Path) -> int:
    try:
        return (fs.read_if_there(folder / EVENTS) or b"").count(b"\n")
    except OSError:
        return 0
