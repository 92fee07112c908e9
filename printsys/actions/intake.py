"""Jobs that begin in the folders: a loose model, a folder without a record, a copy of a job, a job printed again.

The new job is made whole first and only then is what it was made of put into the trash: a crash in between leaves both,
and what is raised stays raised.
"""

from __future__ import annotations

import time
from collections.abc import Container, Iterator
from contextlib import ExitStack
from pathlib import Path

from printsys.actions import Actions
from printsys.config.offer import require_offered
from printsys.domain import naming
from printsys.domain.creation import reprint_created, walk_in_created
from printsys.domain.filetypes import type_of
from printsys.domain.folder_moves import drag
from printsys.domain.inputs import WalkInInput
from printsys.domain.job import Job
from printsys.domain.status import Status
from printsys.errors import InvalidInput, JobNotFound
from printsys.jobstore import IncomingFile, Stored, trash
from printsys.jobstore.files import is_ignored, is_settled, sha256_of
from printsys.jobstore.layout import ASIDE, ORIGINAL, PREVIEWS

NOT_YET = "{} is being written right now. Please try again in a moment."


def reprint(actions: Actions, job_id: str, actor: str) -> Stored:
    """The job printed once more, as a new job in Uploaded with the same student, wishes and files. JobNotFound."""
    stored = actions.store.load(job_id)
    return _reprint(actions, stored.job, stored.folder, actor)


def reprint_of_copy(actions: Actions, place: str, actor: str) -> Stored:
    """A job of its own made of a copy that somebody made of a job's folder; the copy goes to the trash.

    JobNotFound where `place` is no such copy (any more); InvalidInput while files are still being copied into it.
    """
    folder = actions.store.layout.root / place
    job = actions.store.read_copy(folder)
    if job is None or actions.store.find(job.id) == folder:
        raise JobNotFound(place)
    made = _reprint(actions, job, folder, actor, found_in=place)
    trash.discard(actions.store, place)
    return made


def walk_in(actions: Actions, place: str, said: WalkInInput, actor: str) -> Stored:
    """A job made of a loose file, or of a folder without a record, in the status folder that it lay in.

    What that status needs and nobody has said is raised, as when a folder is dragged there. InvalidInput for what the
    lab does not offer, or while a file is still being written; JobNotFound where nothing is there any more.
    """
    require_offered(actions.lab, said.model_dump())
    source = actions.store.layout.root / place
    status = actions.store.layout.status_of(source)
    if status is None or not source.exists():
        raise JobNotFound(place)
    name = (said.student_name, said.print_method, said.color or "")
    with ExitStack() as files:
        made = actions.store.create(
            lambda job_id: naming.folder_name(*name, job_id),
            list(_incoming(source, files)),
            lambda job_id, staged: walk_in_created(
                job_id, staged.folder_name, said, staged.files, actor, actions.clock(), place
            ),
        )
    trash.discard(actions.store, place)
    if status is not Status.UPLOADED:
        made = actions.record(made.id, lambda now: drag(now.job, status, actions.drag_context()))
    return actions.follow_up(made)


def _reprint(actions: Actions, job: Job, folder: Path, actor: str, found_in: str | None = None) -> Stored:
    with ExitStack() as files:
        request = job.request
        made = actions.store.create(
            lambda job_id: naming.folder_name(job.student.name, request.method, request.color or "", job_id),
            list(_incoming(folder, files, {record.name for record in job.files if record.is_superseded})),
            lambda job_id, staged: reprint_created(
                job_id, staged.folder_name, job, staged.files, actor, actions.clock(), found_in
            ),
        )
    return actions.follow_up(made)


def _incoming(source: Path, opened: ExitStack, superseded: Container[str] = ()) -> Iterator[IncomingFile]:
    """The files of a job's folder, of any folder, or the one file: models first, then what slicers made of them.

    Where there are originals, the working copies are made of them anew. `superseded` are names in the folder that
    belong to an earlier version of the request.
    """
    paths = [source] if source.is_file() else _files_in(source)
    paths = [path for path in paths if path.relative_to(source).as_posix() not in superseded]
    now_ns = time.time_ns()
    writing = next((path for path in paths if not is_settled(path, now_ns)), None)
    if writing is not None:
        raise InvalidInput({"": [NOT_YET.format(writing.name)]})
    originals = [path for path in paths if path.parent.name == ORIGINAL] or _models(paths)
    sizes = {path.stat().st_size for path in originals}
    same = {sha256_of(path) for path in originals}
    yield from (IncomingFile(path.name, opened.enter_context(path.open("rb")), "filesystem") for path in originals)
    for path in paths:
        is_copy = path.stat().st_size in sizes and sha256_of(path) in same
        if path not in originals and not is_copy:
            yield IncomingFile(path.name, opened.enter_context(path.open("rb")), "filesystem", "slicer")


def _files_in(folder: Path) -> list[Path]:
    ours = (PREVIEWS, ASIDE)
    found = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    kept = (p for p in found if not is_ignored(p.name) and not set(ours) & set(p.relative_to(folder).parts[:-1]))
    return sorted(kept, key=lambda path: (len(path.parts), path.name.casefold()))


def _models(paths: list[Path]) -> list[Path]:
    """A 3MF beside an STL or OBJ is the project that a slicer made of it; alone it is the model."""
    meshes = [path for path in paths if type_of(path.name).is_mesh]
    return [path for path in meshes if type_of(path.name).kind == "model"] or meshes
