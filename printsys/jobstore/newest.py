"""A note of each job's newest event, beside the job folders: it tells when an older copy was laid over a newer folder.

It is written right after the event, and not synced: a note that is lost or torn protects nothing and harms nothing. It
may lag behind the log, and never runs ahead of it.
"""

from __future__ import annotations

import logging
import re
import zlib
from contextlib import suppress
from dataclasses import dataclass

from printsys import fs
from printsys.domain.events import sha256
from printsys.errors import DamagedJob, OlderCopy
from printsys.jobstore.layout import EVENTS, Layout
from printsys.jobstore.log import Log

UNKNOWN = "-" * 64
_NOTE = re.compile(rb"(\d{10}) ([0-9a-f]{64}|-{64}) ([0-9a-f]{8})\n")
"""Number, digest, and a checksum of both: one note is written over another, and the write may be cut short."""
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class NewestEvent:
    """`digest`: sha256 of its line; None where only its number is known."""

    seq: int
    digest: str | None


def read_newest(layout: Layout, job_id: str) -> NewestEvent | None:
    """None, too, where the note cannot be read: then nothing is known."""
    try:
        note = _NOTE.fullmatch(fs.read_if_there(layout.newest_event(job_id)) or b"")
    except OSError:
        return None
    if note is None or note[3] != _checksum(note[1] + b" " + note[2]):
        return None
    digest = note[2].decode()
    return NewestEvent(int(note[1]), None if digest == UNKNOWN else digest)


def note_newest(layout: Layout, job_id: str, log: Log) -> None:
    """For a caller that has just written the log's end, and holds the job's lock."""
    if log.last_line is not None:
        write_note(layout, job_id, NewestEvent(log.seq, sha256(log.last_line)))


def note_number(layout: Layout, job_id: str, seq: int) -> None:
    """So many events there are at least, whatever their lines."""
    write_note(layout, job_id, NewestEvent(seq, None))


def write_note(layout: Layout, job_id: str, newest: NewestEvent) -> None:
    path = layout.newest_event(job_id)
    content = f"{newest.seq:010d} {newest.digest or UNKNOWN}".encode()
    note = content + b" " + _checksum(content) + b"\n"
    try:
        try:
            fs.write_over(path, note)
        except FileNotFoundError:  # a storage of an older version
            path.parent.mkdir(exist_ok=True)
            fs.write_over(path, note)
    except OSError as error:
        logger.warning("job %s: its newest event could not be noted (%s)", job_id, error)


def _checksum(content: bytes) -> bytes:
    return b"%08x" % zlib.crc32(content)


def forget_newest(layout: Layout, job_id: str) -> None:
    with suppress(OSError):
        fs.unlink(layout.newest_event(job_id))


def is_newest(newest: NewestEvent | None, log: Log) -> bool:
    """Whether the log has the newest event that is known, as it was written."""
    if newest is None:
        return True
    return log.seq >= newest.seq and newest.digest in (None, log.line_digest(newest.seq))


def is_as_noted(newest: NewestEvent | None, log: Log) -> bool:
    """Whether the note proves that the log's last line is the one that the system wrote."""
    return newest is not None and newest.seq == log.seq and newest.digest == log.line_digest(log.seq)


def require_newest(newest: NewestEvent | None, log: Log, job_id: str) -> None:
    """OlderCopy where events are missing at the log's end; DamagedJob where another line has their number."""
    if newest is None or is_newest(newest, log):
        return
    if log.seq < newest.seq:
        raise OlderCopy(job_id, newest.seq - log.seq)
    raise DamagedJob(job_id, EVENTS, f"line {newest.seq} is not the one that the system wrote.")
