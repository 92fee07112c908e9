"""Very many jobs, quickly: real ones made by the store, and copies of them with ids and chains of their own."""

from __future__ import annotations

import json
import os
import secrets
import time
from pathlib import Path

from printsys.domain import emails
from printsys.domain.events import SYSTEM, EventDraft, EventType, sha256
from printsys.domain.naming import ID_BITS, job_id
from printsys.domain.status import Status
from printsys.jobstore import JobStore, Stored
from tests.factories import make_job

SEEDS = 200
RECORD = ("metadata.json", "events.jsonl")


def make_many_jobs(store: JobStore, count: int, status: Status) -> list[Path]:
    """`count` jobs in `status`, last touched an hour ago; their folders."""
    seeds = [_mailed(store, make_job(store, f"Student {n}", status=status)) for n in range(min(count, SEEDS))]
    records = [[(seed.folder / name).read_bytes() for name in RECORD] for seed in seeds]
    folders = [seed.folder for seed in seeds]
    for n in range(len(seeds), count):
        folders.append(_copy(seeds[n % len(seeds)], *records[n % len(seeds)]))
    past = time.time() - 3600
    for folder in folders:
        for inner, _, names in os.walk(folder):
            for name in names:
                os.utime(os.path.join(inner, name), (past, past))
    return folders


def _mailed(store: JobStore, job: Stored) -> Stored:
    """The job, with its e-mails sent: a lab with thousands of jobs owes but a few."""
    with store.edit(job.id) as change:
        for mail in emails.owed(change.before.events, job.id):
            change.record(EventDraft(EventType.EMAIL_SENT, SYSTEM, {"mail": mail.mail, "queued_seq": mail.queued_seq}))
    return store.load(job.id)


def _copy(seed: Stored, metadata: bytes, events: bytes) -> Path:
    old, new = seed.id, job_id(secrets.randbits(ID_BITS))
    folder = seed.folder.with_name(seed.folder.name.replace(old, new))
    (folder / "original").mkdir(parents=True)
    for file in seed.job.files:
        name = file.name.replace(old, new)
        source = seed.folder / file.name
        (folder / name).write_bytes(source.read_bytes())
    metadata = metadata.replace(old.encode(), new.encode())
    (folder / RECORD[0]).write_bytes(metadata)
    (folder / RECORD[1]).write_bytes(_chain(events.replace(old.encode(), new.encode()), metadata))
    return folder


def _chain(events: bytes, metadata: bytes) -> bytes:
    """The log with new hashes."""
    lines: list[bytes] = []
    chained = [json.loads(line) for line in events.splitlines()]
    chained[-1]["state"] = sha256(metadata)
    for event in chained:
        event["prev"] = sha256(lines[-1]) if lines else None
        lines.append(json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode())
    return b"".join(line + b"\n" for line in lines)
