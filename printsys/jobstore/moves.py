"""Moves a job's folder to its status folder, by an intent that tells our unfinished move from a person's drag."""

from __future__ import annotations

import json
import os
from pathlib import Path

from printsys import fs
from printsys.domain.job import Document, Job
from printsys.jobstore.files import sha256_of
from printsys.jobstore.incoming import StagedFiles
from printsys.jobstore.jsontext import JsonProblem, decode_object
from printsys.jobstore.layout import ASIDE, Layout
from printsys.jobstore.log import Log
from printsys.jobstore.refusals import reason_of, why_not_moved
from printsys.jobstore.stored import is_deleted


def write_intent(
    layout: Layout, folder: Path, to: Path, seq: int, job_id: str, staged: StagedFiles | None = None
) -> None:
    """Announce that the event `seq` moves `folder` into the folder `to`, and brings the files that are `staged`.

    Where files of an earlier event still wait, its announcement stays: it moves the folder where the record says, too.
    """
    if staged is None and waiting_files(layout, job_id) is not None:
        return
    intent: Document = {"from": layout.relative(folder), "to": layout.relative(to / folder.name), "seq": seq}
    if staged is not None:
        intent["parcel"] = staged.folder.name
    if staged is not None and staged.replaced:
        intent["replaced"] = staged.replaced
    fs.replace(layout.intent(job_id), json.dumps(intent).encode() + b"\n")


def read_intent(layout: Layout, job_id: str) -> int | None:
    """The `seq` of the event that the intent belongs to, or None without an intent. A torn one never began."""
    data = fs.read_if_there(layout.intent(job_id))
    if data is None:
        return None
    try:
        seq = decode_object(data).get("seq")
    except JsonProblem:
        seq = None
    return seq if isinstance(seq, int) else 1 << 62


def announced_files(layout: Layout, job_id: str) -> Path | None:
    """The folder of staged files that the job's intent announces, if there is one and it names any."""
    try:
        name = decode_object(fs.read_if_there(layout.intent(job_id)) or b"{}").get("parcel")
    except JsonProblem:
        return None
    # A name, never a path: whatever the file says, nothing outside staging/ is touched.
    is_name = isinstance(name, str) and name.startswith(f"{job_id}.") and Path(name).name == name
    return layout.staging / str(name) if is_name else None


def waiting_files(layout: Layout, job_id: str) -> Path | None:
    """The same, while they are not in the job's folder yet."""
    staging = announced_files(layout, job_id)
    return staging if staging is not None and staging.exists() else None


def put_aside(layout: Layout, folder: Path, job_id: str, patience_s: float) -> None:
    """Move the files that the staged ones replace to aside/, as the intent says. What a person has saved over them
    meanwhile stays. May be killed and run again."""
    replaced = decode_object(fs.read(layout.intent(job_id))).get("replaced")
    for name, digest in replaced.items() if isinstance(replaced, dict) else ():
        source = folder / name
        if Path(name).name == name and source.is_file() and sha256_of(source) == digest:
            (folder / ASIDE).mkdir(exist_ok=True)
            fs.rename_over(source, folder / ASIDE / name, patience_s)
    fs.sync_folder(folder)


def bring_files(staging: Path, folder: Path, patience_s: float) -> None:
    """Put the staged files into the job folder, each by one rename that replaces nothing. May be killed and run again.

    Where a person has put a file of that name there meanwhile, ours goes to aside/, and the difference is raised.
    """
    for source in _files_in(staging):
        target = folder / source.relative_to(staging)
        target.parent.mkdir(exist_ok=True)
        try:
            fs.rename_folder(source, target, patience_s)
        except FileExistsError:
            (folder / ASIDE).mkdir(exist_ok=True)
            fs.rename_over(source, folder / ASIDE / f"sent-{source.name}", patience_s)
        fs.sync_folder(target.parent)
    fs.sync_folder(folder)
    fs.remove_tree(staging)


def _files_in(folder: Path) -> list[Path]:
    """Raises what the disk refuses; `rglob` would pass over a folder that it may not read."""
    files: list[Path] = []
    with os.scandir(folder) as scan:
        entries = sorted(scan, key=lambda entry: entry.name)
    for entry in entries:
        files += _files_in(Path(entry.path)) if entry.is_dir(follow_symlinks=False) else [Path(entry.path)]
    return files


def drop_intent(layout: Layout, job_id: str) -> None:
    fs.unlink(layout.intent(job_id))
    fs.sync_folder(layout.moves)


def finish_move(
    layout: Layout, folder: Path, job: Job, log: Log, patience_s: float = fs.SHARING_PATIENCE_S
) -> tuple[Path, str | None]:
    """Carry out the move that an intent announced, if its event happened; drop the intent if it did not.

    Returns where the folder is now, and in words why it could not be moved yet (a slicer holds a file open, something
    has its name there); the intent stays then and the next touch tries again. Where it goes is what the record says
    now, whatever the intent said: a later change may have turned it round. `patience_s`: how long to wait, on Windows,
    for a program that has a file in the folder open.
    """
    seq = read_intent(layout, job.id)
    if seq is None:
        return folder, None
    if seq > log.seq:
        drop_intent(layout, job.id)
        return folder, None
    staging = waiting_files(layout, job.id)
    if staging is not None:
        try:
            put_aside(layout, folder, job.id, patience_s)
            bring_files(staging, folder, patience_s)
        except OSError as error:
            return folder, f"its new files cannot be put into it yet: {reason_of(error)}"
    parent = layout.trash if is_deleted(log) else layout.status(job.status)
    if folder.parent != parent:
        try:
            fs.move_folder(folder, parent / folder.name, patience_s)
        except OSError as error:
            return folder, why_not_moved(folder, parent / folder.name, error)
        folder = parent / folder.name
    else:
        fs.sync_folder(parent)
    drop_intent(layout, job.id)
    return folder, None
