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
from printsys.jobstore.layout import EVENTS, METADATA, ORIGINAL
from printsys.jobstore.newest import NewestEvent, write_note
from tests.factories import make_job

SEEDS = 50
AGE_S = 3600


def make_many_jobs(store: JobStore, count: int, status: Status) -> list[Path]:
    """`count` jobs in `status`, last touched an hour ago; their folders."""
    past = time.time() - AGE_S
    seeds = [_mailed(store, make_job(store, f"Student {n}", status=status)) for n in range(min(count, SEEDS))]
    for seed in seeds:
        for file in [path for path in seed.folder.rglob("*") if path.is_file()]:
            os.utime(file, (past, past))
    models = [_Model(seed) for seed in seeds]
    return [seed.folder for seed in seeds] + [models[n % SEEDS].copy(store, past) for n in range(len(seeds), count)]


def _mailed(store: JobStore, job: Stored) -> Stored:
    """The job, with its e-mails sent: a lab with thousands of jobs owes but a few."""
    with store.edit(job.id) as change:
        for mail in emails.owed(change.before.events, job.id):
            change.record(EventDraft(EventType.EMAIL_SENT, SYSTEM, {"mail": mail.mail, "queued_seq": mail.queued_seq}))
    return store.load(job.id)


class _Model:
    """A job to be copied, read once."""

    def __init__(self, seed: Stored) -> None:
        self.id, self.folder = seed.id, seed.folder
        self.metadata = (seed.folder / METADATA).read_bytes()
        self.lines = (seed.folder / EVENTS).read_bytes().splitlines()
        self.files = [(file.name, (seed.folder / file.name).read_bytes()) for file in seed.job.files]

    def copy(self, store: JobStore, past: float) -> Path:
        new = job_id(secrets.randbits(ID_BITS))
        folder = self.folder.with_name(self.folder.name.replace(self.id, new))
        os.makedirs(folder / ORIGINAL)
        metadata = self.metadata.replace(self.id.encode(), new.encode())
        log, last_digest = self._log(new, metadata)
        record = [(METADATA, metadata), (EVENTS, log)]
        for name, data in [*((name.replace(self.id, new), data) for name, data in self.files), *record]:
            with open(f"{folder}/{name}", "wb", buffering=0) as file:
                file.write(data)
                os.utime(file.fileno(), (past, past))
        write_note(store.layout, new, NewestEvent(len(self.lines), last_digest))
        return folder

    def _log(self, new: str, metadata: bytes) -> tuple[bytes, str]:
        """The log with new hashes, and the hash of its last line."""
        old_state = json.loads(self.lines[-1])["state"]
        lines: list[bytes] = []
        old_digest = new_digest = ""
        for line in self.lines:
            renamed = line.replace(self.id.encode(), new.encode())
            lines.append(renamed.replace(old_digest.encode(), new_digest.encode()) if old_digest else renamed)
            if line is self.lines[-1]:
                lines[-1] = lines[-1].replace(old_state.encode(), sha256(metadata).encode())
            old_digest, new_digest = sha256(line), sha256(lines[-1])
        return b"".join(line + b"\n" for line in lines), new_digest
