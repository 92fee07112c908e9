"""Whether the record says what the disk says: by docs/verify_storage.py and what the hands know, not by the system."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from tests.openness.reader import SCRIPT, as_module
from tests.soak.hands import HandledJob

reader = as_module(SCRIPT)
STANDING = frozenset({"print-file-missing", "odd-file"})
"""What stays a finding once it is recorded: it waits for a person."""
UNSEEN = frozenset({"not-recorded"})
"""Remarks of the reader that must not last."""


class Oracle:
    """`differences(jobs)`: for each job what the folder, its record and the mirror do not agree on."""

    def __init__(self, root: Path, engine: sa.Engine) -> None:
        self.root, self.engine = root, engine

    def differences(self, jobs: list[HandledJob]) -> dict[str, str]:
        """By the jobs' ids. One that is settled is not in it."""
        with self.engine.connect() as connection:
            rows = {row.id: row for row in connection.execute(sa.text("SELECT id, folder, revision FROM jobs"))}
            items = {
                (row.kind, row.job_id) for row in connection.execute(sa.text("SELECT kind, job_id FROM attention"))
            }
        differences = {}
        for job in jobs:
            kinds = {kind for kind, job_id in items if job_id == job.id}
            difference = self._missing(job, kinds) if job.is_away else self._present(job, rows.get(job.id), kinds)
            if difference:
                differences[job.id] = difference
        return differences

    def _missing(self, job: HandledJob, kinds: set[str]) -> str | None:
        if not (self.root / ".printsys" / "missing" / f"{job.id}.json").exists():
            return "its folder is away, and nothing says so"
        return None if "job-missing" in kinds else f"its folder is away, and Attention has {kinds}"

    def _present(self, job: HandledJob, row: sa.Row[tuple[str, str, int]] | None, kinds: set[str]) -> str | None:
        path = job.folder.relative_to(self.root).as_posix()
        storage = reader.Storage(str(self.root))
        findings = reader.JobFolder(storage, path, storage._intents()).check()
        allowed = STANDING | job.waiting
        for finding in findings:
            if finding.kind not in allowed and (finding.kind in UNSEEN or finding.kind not in reader.REMARKS):
                return f"{finding.kind}: {finding.sentence}"
        try:
            document = reader.decode((job.folder / "metadata.json").read_bytes())
        except OSError:
            return "metadata.json is being replaced"
        if row is None or (row.folder, row.revision) != (path, document["revision"]):
            return f"the mirror has {row}, the folder is {path} at revision {document['revision']}"
        if bool(job.copies) != ("duplicate" in kinds):
            return f"it has {len(job.copies)} copies, and Attention has {kinds}"
        return None if job.waiting <= kinds else f"{job.waiting} must wait in Attention, which has {kinds}"
