"""Gives a job another working copy than the file that the student sent: the same model, as slicers open it."""

from __future__ import annotations

import os
from pathlib import Path

from printsys import fs
from printsys.domain.creation import working_copy_converted
from printsys.domain.job import FileRecord
from printsys.domain.naming import comparable, distinct
from printsys.errors import JobBusy
from printsys.jobstore.files import sha256_of
from printsys.jobstore.incoming import names_in
from printsys.jobstore.store import JobStore
from printsys.jobstore.stored import Stored


def replace_working_copy(
    store: JobStore, job_id: str, original: FileRecord, copy: FileRecord, content: Path, reason: str
) -> Stored | None:
    """The STL `content` takes the place of `copy`, which goes to aside/. None where the job has changed meanwhile.

    `reason`: what is the matter with `original`. Raises what JobStore.edit does; JobBusy while a program has the copy
    open (on Windows such a file cannot be moved).
    """
    with store.staging(job_id) as staged:
        new_file = staged.folder / "working copy"
        fs.copy(content, new_file)
        stem, size, digest = os.path.splitext(copy.name)[0], new_file.stat().st_size, sha256_of(new_file)
        with store.edit(job_id) as change:
            job, folder = change.job, change.before.folder
            if job.file(copy.name) != copy or not (folder / copy.name).is_file():
                return None
            require_free(folder / copy.name, job_id)
            name = distinct(f"{stem}.stl", {comparable(name) for name in names_in(folder)} - {comparable(copy.name)})
            new_file.rename(staged.folder / name)
            fs.sync_folder(staged.folder)
            after = copy.model_copy(update={"name": name, "size": size, "sha256": digest, "model": None})
            staged.replaced = {copy.name: copy.sha256}
            change.staged = staged
            change.record(working_copy_converted(job, copy, after, original, reason))
    return change.result


def require_free(path: Path, job_id: str) -> None:
    """JobBusy while a program has the file open on Windows, where it cannot be moved then."""
    try:
        os.rename(path, path)
    except PermissionError as error:
        raise JobBusy(job_id, 0) from error
