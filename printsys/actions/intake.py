"""Jobs that begin in the folders: a loose model, a folder without a record, a copy of a job, a job printed again.

The new job is complete before its source goes to the trash: a crash in between leaves both, and the attention item
stays.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from contextlib import ExitStack
from pathlib import Path

from printsys import fs
from printsys.actions import Actions
from printsys.config.offer import require_offered
from printsys.domain import naming
from printsys.domain.clutter import is_clutter_folder
from printsys.domain.creation import reprint_created, walk_in_created
from printsys.domain.filetypes import type_of
from printsys.domain.folder_moves import drag
from printsys.domain.inputs import WalkInInput
from printsys.domain.job import Job
from printsys.domain.status import Status
from printsys.errors import InvalidInput, JobNotFound
from printsys.jobstore import IncomingFile, Stored, trash
from printsys.jobstore.files import first_unfinished, is_ignored, sha256_of
from printsys.jobstore.layout import ASIDE, ORIGINAL, PREVIEWS

STILL_WRITING = "{} is being written right now. Please try again in a moment."


def reprint(actions: Actions, job_id: str, actor: str) -> Stored:
    """The job printed once more, as a new job in Uploaded with the same student, wishes and files. JobNotFound."""
    stored = actions.store.load(job_id)
    return _reprint(actions, stored.job, stored.folder, actor)


def reprint_of_copy(actions: Actions, relative_path: str, actor: str) -> Stored:
    """Makes a new job of a copy of a job's folder; the copy goes to the trash.

    JobNotFound where the folder is no such copy (any more); InvalidInput while files are still being copied into it.
    """
    folder = actions.store.layout.root / relative_path
    job = actions.store.read_copy(folder)
    if job is None or actions.store.find(job.id) == folder:
        raise JobNotFound(relative_path)
    stored = _reprint(actions, job, folder, actor, found_in=relative_path)
    trash.discard(actions.store, relative_path)
    return stored


def walk_in(actions: Actions, relative_path: str, request: WalkInInput, actor: str) -> Stored:
    """Makes a job of a loose file, or of a folder without a record, in the status folder where it lies.

    Facts that this status needs and nobody has given are raised, as when a folder is dragged there. InvalidInput for
    what the lab does not offer, or while a file is still being written; JobNotFound where nothing is there any more.
    """
    require_offered(actions.lab, request.model_dump(), actions.lab.today(actions.clock()))
    source = actions.store.layout.root / relative_path
    status = actions.store.layout.status_of(source)
    if status is None or not source.exists():
        raise JobNotFound(relative_path)
    names = (request.student_name, request.print_method, request.color or "")
    with ExitStack() as files:
        stored = actions.store.create(
            lambda job_id: naming.folder_name(*names, job_id),
            list(_incoming(source, files)),
            lambda job_id, staged: walk_in_created(
                job_id, staged.folder_name, request, staged.files, actor, actions.clock(), relative_path
            ),
        )
    trash.discard(actions.store, relative_path)
    if status is not Status.UPLOADED:
        stored = actions.record(stored.id, lambda created: drag(created.job, status, actions.drag_context()))
    return actions.follow_up(stored)


def _reprint(actions: Actions, job: Job, folder: Path, actor: str, found_in: str | None = None) -> Stored:
    has_originals = all((folder / record.name).is_file() for record in job.sent_files)
    # What we wrote of an original is written of the new one again.
    left_out = {
        record.name
        for record in job.files
        if record.is_superseded or (record.converted_because is not None and has_originals)
    }
    names = (job.student.name, job.request.method, job.request.color or "")
    with ExitStack() as files:
        stored = actions.store.create(
            lambda job_id: naming.folder_name(*names, job_id),
            list(_incoming(folder, files, left_out)),
            lambda job_id, staged: reprint_created(
                job_id, staged.folder_name, job, staged.files, actor, actions.clock(), found_in
            ),
        )
    return actions.follow_up(stored)


def _incoming(source: Path, opened: ExitStack, left_out: Container[str] = ()) -> Iterator[IncomingFile]:
    """The files of a job's folder, of any folder, or the one file: models first, then what slicers made of them.

    Where there are originals, the new job gets new working copies of them. `left_out` are names in the folder that the
    new job does not get.
    """
    paths = [source] if source.is_file() else _files_in(source)
    paths = [path for path in paths if path.relative_to(source).as_posix() not in left_out]
    unfinished = first_unfinished(paths)
    if unfinished is not None:
        raise InvalidInput({"": [STILL_WRITING.format(unfinished.name)]})
    originals = [path for path in paths if path.parent.name == ORIGINAL] or _models(paths)
    sizes = {path.stat().st_size for path in originals}
    hashes = {sha256_of(path) for path in originals}
    for path in originals:
        yield IncomingFile(path.name, opened.enter_context(fs.open_regular(path)), "filesystem")
    for path in paths:
        is_copy = path.stat().st_size in sizes and sha256_of(path) in hashes
        if path not in originals and not is_copy:
            yield IncomingFile(path.name, opened.enter_context(fs.open_regular(path)), "filesystem", "slicer")


def _files_in(folder: Path) -> list[Path]:
    """Without what the system keeps there itself."""
    paths = []
    for path in folder.rglob("*"):
        parents = path.relative_to(folder).parts[:-1]
        is_passed_over = any(name in (PREVIEWS, ASIDE) or is_clutter_folder(name) for name in parents)
        if path.is_file() and not path.is_symlink() and not is_ignored(path.name) and not is_passed_over:
            paths.append(path)
    return sorted(paths, key=lambda path: (len(path.parts), path.name.casefold()))


def _models(paths: list[Path]) -> list[Path]:
    """A 3MF beside an STL or OBJ is the project that a slicer made of it; alone it is the model."""
    meshes = [path for path in paths if type_of(path.name).is_mesh]
    return [path for path in meshes if type_of(path.name).kind == "model"] or meshes
