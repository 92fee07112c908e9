"""Attention items as staff read them: whose they are, since when, and grouped by what there is to do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from indexer.attention import AttentionItem
from printsys.web.staff.fixes import FIXES, Fix
from printsys.web.staff.job_list import JobSummary

TASKS: dict[str, frozenset[str]] = {
    "Reach the student": frozenset({"resend-mail", "change-address"}),
    "Fill in what is missing": frozenset({"supply", "undo-move", "accept-move"}),
    "Decide about the price": frozenset({"keep-price"}),
    "Choose a file": frozenset({"choose-print-file"}),
    "Restore a file or a record": frozenset(
        {"restore-original", "restore-metadata", "restore-record", "put-newer-back", "go-on", "put-aside"}
    ),
    "Move a folder": frozenset({"retry-move", "move-out"}),
    "Keep a job or let it go": frozenset({"put-away", "keep", "delete", "forget-job"}),
    "Make a job of it, or put it away": frozenset(
        {"make-a-job", "make-a-reprint", "remove-copy", "discard", "quarantine"}
    ),
}
"""The groups of the page in their order, students who wait first; the first fix of an item decides."""
BACKUPS, BACKUP_KINDS = "See to the backups", frozenset({"backup-failed", "backup-late", "rehearsal-failed"})
IN_THE_FOLDER = "Look into the folder"
"""Of other items for which there is no button."""


@dataclass(frozen=True)
class AttentionEntry:
    """An item; `summary` of the job that it is about, `since` when it is open, both as far as that is known."""

    item: AttentionItem
    summary: JobSummary | None = None
    since: datetime | None = None

    @property
    def title(self) -> str:
        """The student's model or, of what is no job, the name of the file or folder."""
        if self.item.kind in BACKUP_KINDS:
            return "Backups"
        return self.summary.title if self.summary else (self.item.folder or "").rpartition("/")[2]

    @property
    def fixes(self) -> list[tuple[str, Fix]]:
        """The usual one first."""
        return [(slug, FIXES[slug]) for slug in self.item.fixes if slug in FIXES]

    @property
    def task(self) -> str:
        if self.item.kind in BACKUP_KINDS:
            return BACKUPS
        first = next((slug for slug, _ in self.fixes), None)
        return next((task for task, slugs in TASKS.items() if first in slugs), IN_THE_FOLDER)

    @property
    def sentence(self) -> tuple[str, str, str]:
        """What is before the folder's path in it, the path, and what is behind; without the path all is before."""
        return self.item.sentence.partition(self.item.folder or "\0")


@dataclass(frozen=True)
class AttentionGroup:
    task: str
    entries: list[AttentionEntry]


def groups_of(entries: Iterable[AttentionEntry]) -> list[AttentionGroup]:
    """The entries of a group in the order in which they came."""
    by_task: dict[str, list[AttentionEntry]] = {task: [] for task in (*TASKS, BACKUPS, IN_THE_FOLDER)}
    for entry in entries:
        by_task[entry.task].append(entry)
    return [AttentionGroup(task, listed) for task, listed in by_task.items() if listed]
