"""What people, slicers, sync programs and NAS boxes do in the folders, by chance; and what they have done."""

from __future__ import annotations

import os
import random
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from printsys import fs
from printsys.domain.status import LIVE, Status

RECORD = ("metadata.json", "events.jsonl")
CLUTTER = (
    *(".DS_Store", "Thumbs.db", "desktop.ini", "._gear.gcode", "@eaDir/gear.gcode/SYNO_META", "#recycle/old.gcode"),
    *("$RECYCLE.BIN/old.gcode", "System Volume Information/tracking.log", "lost+found/#1", "gear.gcode.filepart"),
)


@dataclass
class HandledJob:
    """A job as the hands left it. `folder` is where it lies now; away, that is outside of storage."""

    id: str
    folder: Path
    copies: list[Path] = field(default_factory=list)
    has_moved: bool = False
    """Since the record last said where it is."""
    is_away: bool = False
    waiting: set[str] = field(default_factory=set)
    """Kinds of what waits for a person because of the hands."""
    operations: list[str] = field(default_factory=list)
    touched_at: float = 0.0
    """When a hand last touched it (monotonic)."""

    @property
    def status(self) -> Status:
        return Status(self.folder.parent.name)

    @property
    def files(self) -> list[Path]:
        """What staff and slicers keep in it."""
        paths = sorted(path for path in self.folder.iterdir() if path.is_file() and path.name not in RECORD)
        return [path for path in paths if not path.name.startswith(("~", ".")) and path.suffix in (".stl", ".gcode")]


class Hands:
    """`operate()` does one thing to one job. Files are touched only where the system follows them at once: in jobs that
    are not over yet. Others come and go."""

    def __init__(self, root: Path, outside: Path, chance: random.Random) -> None:
        self.root, self.outside, self.chance = root, outside, chance
        self.jobs: dict[str, HandledJob] = {}
        self.count = 0
        self._moving = (
            *(self.drag, self.drag_and_return, self.rename_folder, self.take_away, self.put_back),
            *(self.put_back_elsewhere, self.replace_status_folder),
        )
        outside.mkdir()

    def take(self, job_id: str, folder: Path) -> None:
        self.jobs[job_id] = HandledJob(job_id, folder, touched_at=time.monotonic())

    def operate(self) -> list[HandledJob]:
        """The jobs that it touched."""
        job = self.chance.choice(list(self.jobs.values()))
        operation = self.chance.choice(self._possible(job))
        self.count += 1
        touched = [job]
        if operation == self.replace_status_folder:
            touched = [other for other in self.jobs.values() if other.folder.parent == job.folder.parent]
        operation(job)
        for touched_job in touched:
            touched_job.has_moved = touched_job.has_moved or operation in self._moving
            touched_job.operations.append(operation.__name__)
            touched_job.touched_at = time.monotonic()
        return touched

    def _possible(self, job: HandledJob) -> list[Callable[[HandledJob], object]]:
        if job.is_away:
            return [self.put_back, self.put_back_elsewhere]
        if job.copies:
            return [self.remove_copy]
        possible: list[Callable[[HandledJob], object]]
        possible = [self.drag, self.drag, self.drag_and_return, self.rename_folder, self.take_away, self.leave_clutter]
        if not job.has_moved:  # of two folders that it has not seen before, the system may take either for the copy
            possible.append(self.copy_folder)
        if not any(other.copies for other in self.jobs.values()):  # a copy would be the job while the first is aside
            possible.append(self.replace_status_folder)
        if job.status in LIVE:
            possible += 2 * [self.slice, self.slice_in_place, self.save_with_clock_ahead, self.slice_into_folder]
            possible += [
                self.edit_notes,
                self.edit_white_space,
                self.delete_metadata,
                self.alter_original,
                self.leave_conflict_copy,
            ]
            if job.files:
                possible += 3 * [self.save_over_with_older_time] + 2 * [
                    self.save_over,
                    self.rename_file,
                    self.delete_file,
                ]
        return possible

    # -- folders --------------------------------------------------------------------------------------------------

    def drag(self, job: HandledJob) -> None:
        self._move(job, self.root / self.chance.choice([status for status in Status if status != job.status]))

    def drag_and_return(self, job: HandledJob) -> None:
        home = job.folder.parent
        self.drag(job)
        self._pause()
        self._move(job, home)

    def rename_folder(self, job: HandledJob) -> None:
        new_name = self.chance.choice([f"for Jane {self.count}", f"Rush! {self.count} {job.folder.name}"[:60]])
        job.folder = job.folder.rename(job.folder.with_name(new_name.strip()))

    def copy_folder(self, job: HandledJob) -> None:
        parent = self.root / self.chance.choice(list(Status))
        job.copies.append(Path(shutil.copytree(job.folder, parent / f"Copy {self.count} of {job.folder.name}"[:60])))

    def remove_copy(self, job: HandledJob) -> None:
        fs.remove_tree(job.copies.pop())

    def take_away(self, job: HandledJob) -> None:
        self._move(job, self.outside)
        job.is_away = True

    def put_back(self, job: HandledJob) -> None:
        self._move(job, self.root / self.chance.choice(LIVE))
        job.is_away = False

    def put_back_elsewhere(self, job: HandledJob) -> None:
        """As another disk gives it back: with other inodes, and the old times."""
        target = self.root / self.chance.choice(list(Status)) / job.folder.name
        hidden = target.with_name(f".{target.name}")
        shutil.copytree(job.folder, hidden)
        fs.remove_tree(job.folder)
        job.folder, job.is_away = hidden.rename(target), False

    def leave_clutter(self, job: HandledJob) -> None:
        path = self.chance.choice([job.folder, job.folder.parent]) / self.chance.choice(CLUTTER)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"clutter")

    def replace_status_folder(self, job: HandledJob) -> None:
        """As a sync program does: another folder of that name, with all that was in it."""
        folder = job.folder.parent
        aside = folder.rename(self.root / f".{folder.name} {self.count}")
        self._pause()
        folder.mkdir(exist_ok=True)
        for entry in sorted(aside.iterdir()):
            if not (folder / entry.name).exists():
                entry.rename(folder / entry.name)
        shutil.rmtree(aside, ignore_errors=True)

    def _move(self, job: HandledJob, parent: Path) -> None:
        job.folder = job.folder.rename(parent / job.folder.name)

    # -- files ----------------------------------------------------------------------------------------------------

    def slice(self, job: HandledJob) -> None:
        """As PrusaSlicer saves: a temporary, the target unlinked, a rename."""
        target = job.folder / f"plate {self.chance.randrange(4)}.gcode"
        temporary = target.with_name(f"{target.name}.tmp")
        temporary.write_bytes(self._gcode())
        target.unlink(missing_ok=True)
        self._pause()
        temporary.rename(target)

    def slice_in_place(self, job: HandledJob) -> None:
        with (job.folder / f"plate {self.chance.randrange(4)}.gcode").open("wb") as file:
            for _ in range(3):
                file.write(self._gcode())
                file.flush()
                self._pause()

    def slice_into_folder(self, job: HandledJob) -> None:
        plates = job.folder / "plates"
        plates.mkdir(exist_ok=True)
        (plates / f"plate {self.chance.randrange(3)}.gcode").write_bytes(self._gcode())

    def save_with_clock_ahead(self, job: HandledJob) -> None:
        path = job.folder / f"nas {self.chance.randrange(3)}.gcode"
        path.write_bytes(self._gcode())
        moment = time.time() + self.chance.choice([20, 300, 2_200_000_000])
        os.utime(path, (moment, moment))

    def save_over(self, job: HandledJob) -> None:
        self.chance.choice(job.files).write_bytes(self._gcode())

    def save_over_with_older_time(self, job: HandledJob) -> None:
        """Other bytes, as many, from a day or a year ago: as `cp -p` does."""
        path = self.chance.choice(job.files)
        status = path.stat()
        replacement = self.outside / "replacement"
        replacement.write_bytes(self.chance.randbytes(status.st_size))
        moment = status.st_mtime_ns - self.chance.choice([0, 1, 86_400, 31_536_000]) * 1_000_000_000
        os.utime(replacement, ns=(moment, moment))
        shutil.copy2(replacement, path)

    def rename_file(self, job: HandledJob) -> None:
        path = self.chance.choice(job.files)
        path.rename(path.with_name(f"renamed {self.count}{path.suffix}"))

    def delete_file(self, job: HandledJob) -> None:
        self.chance.choice(job.files).unlink()

    def alter_original(self, job: HandledJob) -> None:
        for path in (job.folder / "original").iterdir():
            path.chmod(0o644)
            path.write_bytes(self._gcode())
        job.waiting.add("original-altered")

    # -- the record -----------------------------------------------------------------------------------------------

    def edit_notes(self, job: HandledJob) -> None:
        path = job.folder / "metadata.json"
        if path.exists():
            text = path.read_text("utf-8")
            head, _, tail = text.rpartition('"notes": "')
            path.write_text(f'{head}"notes": "hand {self.count}{tail}' if head else text, "utf-8")

    def edit_white_space(self, job: HandledJob) -> None:
        path = job.folder / "metadata.json"
        if path.exists():
            path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))

    def delete_metadata(self, job: HandledJob) -> None:
        (job.folder / "metadata.json").unlink(missing_ok=True)

    def leave_conflict_copy(self, job: HandledJob) -> None:
        """As a sync program does with a metadata.json that two computers changed."""
        path = job.folder / "metadata.json"
        if path.exists():
            shutil.copy2(path, job.folder / f"metadata.sync-conflict-20260302-1620{self.count:02}-ABCDEFG.json")
            job.waiting.add("record-conflict")

    def _gcode(self) -> bytes:
        lines = f"; {self.chance.random()}\n; filament used [g] = {self.chance.randint(1, 200)}\n"
        return (lines + "G1 X1 Y1\n" * self.chance.randint(1, 200)).encode()

    def _pause(self) -> None:
        """A moment of a person's or a slicer's, in which the system may look."""
        time.sleep(self.chance.choice([0.0, 0.05, 0.4]))
