"""The lists of due jobs that the page Retention shows: files in instance/ that a command wrote.

A list is taken by renaming its file, so that it is carried out once, whoever else clicks at that moment.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from printsys import fs
from printsys.actions.due_jobs import DueJob, JobThatStays, ListSummary, Task, read_list
from printsys.config import Settings, make_private_folder
from printsys.errors import PrintSysError

SHOWN = 200


@dataclass(frozen=True)
class ShownList:
    """`key`: what the page sends back. `jobs`, `stay`: the first of them."""

    key: str
    summary: ListSummary
    jobs: list[DueJob]
    stay: list[JobThatStays]

    @property
    def job_ids(self) -> set[str]:
        return {job.id for job in self.jobs} | {job.id for job in self.stay}


class DueLists:
    def __init__(self, settings: Settings) -> None:
        self.folder = settings.instance / "retention"

    def new(self, task: Task) -> Path:
        """Where the next list goes; those before it are no longer true. OSError."""
        make_private_folder(self.folder)
        for path in self.folder.glob(f"{task}-*"):
            fs.unlink(path)
        return self._path(task, secrets.token_hex(8))

    def newest(self, task: Task, days: int) -> ShownList | None:
        """None where there is none for so many days, which lab.toml may have had changed."""
        shown = [each for each in self._all(task) if each.summary.days == days]
        return max(shown, key=lambda each: each.summary.listed_at, default=None)

    def take(self, task: Task, key: str) -> Path | None:
        """The list's file, for one command alone; None where somebody else has it."""
        taken = self.folder / f"{task}-{key}.taken"
        try:
            fs.rename_over(self._path(task, key), taken)
        except FileNotFoundError:
            return None
        return taken

    def put_back(self, taken: Path) -> None:
        fs.rename_over(taken, taken.with_suffix(".list"))

    def _all(self, task: Task) -> Iterator[ShownList]:
        for path in self.folder.glob(f"{task}-*.list"):
            try:
                listed = read_list(path, task, SHOWN)
            except PrintSysError:
                continue  # it went meanwhile, or it is none: a new one takes its place
            yield ShownList(path.stem.removeprefix(f"{task}-"), listed.summary, [*listed.jobs], [*listed.stay])

    def _path(self, task: Task, key: str) -> Path:
        return self.folder / f"{task}-{key}.list"
