"""What staff decide about an older copy of a job's folder: go on from it, or have the newer record put back.

Either is an event, and no number of an event comes twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from printsys import fs
from printsys.domain import emails
from printsys.domain.events import SYSTEM, Event, EventDraft, EventType, build_batch, fold, line_of, sha256
from printsys.domain.job import metadata_bytes, parse
from printsys.errors import JobNotFound
from printsys.jobstore import moves
from printsys.jobstore.layout import EVENTS
from printsys.jobstore.log import Log, trusted
from printsys.jobstore.newest import NewestEvent, is_newest, note_number, read_newest
from printsys.jobstore.repair import keep_aside, whole_log
from printsys.jobstore.store import JobStore
from printsys.jobstore.stored import Stored


def go_on_from_older_copy(store: JobStore, job_id: str, actor: str) -> Stored:
    """The older record goes on. The missing events keep their numbers, and say that they are lost.

    JobNotFound where nothing is missing (any more); what JobStore.edit raises.
    """
    store.require_online()
    with store.locked(job_id), store.disk_errors():
        folder, log, newest = _older_copy(store, job_id)
        missing = newest.seq - log.seq
        drafts = [EventDraft(EventType.EVENT_LOST, SYSTEM) for _ in range(missing)]
        # Whether an e-mail had gone out is in the events that are missing: a second one would be worse than none.
        owed = emails.owed(log.events, job_id)
        drafts += [emails.dropped(mail, "an older copy of the record goes on") for mail in owed]
        drafts.append(EventDraft(EventType.OLDER_COPY_KEPT, actor, {"missing": missing}))
        batch = build_batch(drafts, log.document(), log.seq, log.last_line, store.clock())
        _announce(store, folder, log.with_batch(batch), newest)
        fs.append(folder / EVENTS, batch.lines, log.length)
        return store.repair_for_write(job_id)


def put_newer_record_back(store: JobStore, job_id: str, mirrored: Sequence[Event], actor: str) -> Stored:
    """The record as it was before the older copy: from the trash, byte for byte, or with the events of the mirror.

    `mirrored`: the job's events there, from the last one that the older copy has. The older log is kept aside.
    JobNotFound where neither has all that is missing; what JobStore.edit raises.
    """
    store.require_online()
    with store.locked(job_id), store.disk_errors():
        folder, log, newest = _older_copy(store, job_id)
        lines, source = _lines_in_trash(store, job_id, newest), "trash"
        if lines is None:
            lines, source = _lines_of(log, mirrored, newest), "database"
        older = fs.read(folder / EVENTS)
        if lines is None:
            raise JobNotFound(job_id)
        whole = lines if source == "trash" else older[: log.length] + lines
        newer = trusted(whole)
        aside = keep_aside(folder, f"events-{sha256(older)[:8]}.jsonl", older).name
        data = {"trusted": newer.seq, "lost": 0, "aside": [aside], "source": source}
        draft = EventDraft(EventType.RECORD_RESTORED, actor, data)
        batch = build_batch([draft], newer.document(), newer.seq, newer.last_line, store.clock())
        _announce(store, folder, newer.with_batch(batch), newest)
        fs.replace(folder / EVENTS, whole + batch.lines)
        return store.repair_for_write(job_id)


def has_newer_record(store: JobStore, job_id: str, mirrored: Sequence[Event]) -> bool:
    """Whether `put_newer_record_back` could do it. Takes no lock."""
    folder, newest = store.find(job_id), read_newest(store.layout, job_id)
    if newest is None:
        return False
    in_trash = _lines_in_trash(store, job_id, newest) is not None
    return in_trash or _lines_of(whole_log(folder, job_id), mirrored, newest) is not None


def _older_copy(store: JobStore, job_id: str) -> tuple[Path, Log, NewestEvent]:
    folder, newest = store.find(job_id), read_newest(store.layout, job_id)
    log = whole_log(folder, job_id)
    if newest is None or log.seq >= newest.seq:
        raise JobNotFound(job_id)
    return folder, log, newest


def _announce(store: JobStore, folder: Path, log: Log, newest: NewestEvent) -> None:
    """Before `log` is written: another line will bear the newest event's number, and the folder may have to move."""
    note_number(store.layout, log.document()["id"], newest.seq)
    job = parse(log.document())
    target = store.layout.status(job.status)
    if folder.parent != target:
        moves.write_intent(store.layout, folder, target, log.seq, job.id)


def _lines_in_trash(store: JobStore, job_id: str, newest: NewestEvent) -> bytes | None:
    """The log of a folder in the trash that has the newest event, as it was written."""
    for folder in store.layout.named_for(job_id, (store.layout.trash, store.layout.quarantine)):
        data = fs.read_if_there(folder / EVENTS) or b""
        log = trusted(data)
        if log.seq >= newest.seq and is_newest(newest, log) and log.events[-1].type != EventType.JOB_DELETED:
            return data[: log.length]
    return None


def _lines_of(log: Log, mirrored: Sequence[Event], newest: NewestEvent) -> bytes | None:
    """The missing lines, made again from the mirror's events; None unless they follow on the log, all of them."""
    if not mirrored or log.last_line is None or not _is_same(mirrored[0], log.events[-1]):
        return None
    if [event.seq for event in mirrored] != list(range(log.seq, newest.seq + 1)):
        return None
    document, last_line, lines, events = log.document(), log.last_line, [], list(log.events)
    for event in mirrored[1:]:
        events.append(event)
        document = fold(events)
        state = sha256(metadata_bytes(document))
        last_line = line_of(event.model_copy(update={"prev": sha256(last_line), "state": state}))
        lines.append(last_line + b"\n")
    try:
        parse(document)
    except ValidationError:
        return None
    return b"".join(lines) if document["revision"] == newest.seq else None


def _is_same(first: Event, second: Event) -> bool:
    return (first.seq, first.at, first.type, first.actor) == (second.seq, second.at, second.type, second.actor)
