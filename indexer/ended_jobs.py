"""Folders that a person dragged to where jobs end, found without the mirror: of many thousands only those are read that
came since the last look."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from printsys.domain.status import LIVE, Status
from printsys.jobstore import JobStore
from printsys.jobstore.repair import id_inside, lies_where_it_says
from printsys.jobstore.visits import visit


@dataclass(frozen=True)
class _StatusFolder:
    """The time it bears, since when it has borne it (monotonic clock), the names in it that lie where they should.
    `is_settled`: these are all, and stay it as long as it bears this time."""

    changed_ns: int
    since: float
    settled: set[str]
    is_settled: bool


@dataclass
class EndedJobs:
    """What the last look found in the status folders of jobs that have ended."""

    _folders: dict[Status, _StatusFolder] = field(default_factory=dict)

    def strays(self, store: JobStore, settle_s: float) -> list[Path]:
        """Folders whose record does not say that they lie there.

        A status folder's time says whether anything came; one that it has not borne for `settle_s` proves nothing yet.
        """
        dragged: list[Path] = []
        for status in Status:
            status_folder = store.layout.status(status)
            if status in LIVE or not status_folder.is_dir():
                continue
            now, changed_ns = time.monotonic(), status_folder.stat().st_mtime_ns
            last = self._folders.get(status) or _StatusFolder(changed_ns, now, set(), is_settled=False)
            is_same = last.changed_ns == changed_ns
            if is_same and last.is_settled:
                continue
            folders = list(store.layout.job_folders((status,)))
            new = [folder for folder in folders if folder.name not in last.settled]
            strays = [folder for folder in new if visit(store, folder.name, partial(_is_stray, folder)) is True]
            dragged += strays
            since = last.since if is_same else now
            is_settled = not strays and now - since >= settle_s
            names = {folder.name for folder in folders} - {folder.name for folder in strays}
            self._folders[status] = _StatusFolder(changed_ns, since, names, is_settled)
        return dragged


def _is_stray(folder: Path) -> bool:
    job_id = id_inside(folder)
    return job_id is not None and not lies_where_it_says(folder, job_id)
