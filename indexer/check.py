"""Proves storage: lists everything in the folders that is not as it should be.

Only reads: keeps no lock, repairs nothing. A second look at the end confirms each finding, since on a live system the
first may have met a change under way.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

from indexer.attention import AttentionItem, duplicate, missing_job, not_followed, raised
from indexer.check_folder import HashOf, check_folder, not_read
from indexer.rebuild import Progress
from printsys.domain import naming
from printsys.domain.status import Status
from printsys.jobstore import JobStore, Layout
from printsys.jobstore.files import is_ignored, sha256_of
from printsys.jobstore.job_folder import job_among
from printsys.jobstore.notes import missing_jobs
from printsys.jobstore.pruned import damaged_log
from printsys.jobstore.recovery import is_being_written
from printsys.jobstore.repair import id_inside
from printsys.jobstore.visits import Failure, visit


def check_storage(
    store: JobStore,
    deep: bool = False,
    progress: Progress | None = None,
    statuses: tuple[Status, ...] = tuple(Status),
    most: int | None = None,
) -> list[AttentionItem]:
    """What is wrong in the folders, without a database. `deep` compares the hash of each file. StorageOffline.

    Only jobs in the folders of `statuses`, and no more than `most`.
    """
    store.require_online()
    layout = store.layout
    hash_of: HashOf = sha256_of if deep else not_read
    interrupted = {*_staging(layout), *_stray_intents(layout)}
    folders_by_id: dict[str, list[Path]] = {}
    suspicious: list[Path] = []
    folders = list(layout.job_folders(statuses))[:most]
    for done, folder in enumerate(folders, 1):
        if isinstance(job_id := visit(store, folder.name, partial(id_inside, folder)), str):
            folders_by_id.setdefault(job_id, []).append(folder)
        if visit(store, folder.name, partial(check_folder, layout, folder, hash_of, store.most_files)):
            suspicious.append(folder)
        if progress:
            progress(done, len(folders))
    duplicates = list(_duplicates(layout, folders_by_id))
    copies = {item.folder for item in duplicates}
    present = [folder for folder in suspicious if os.path.lexists(folder) and layout.relative(folder) not in copies]
    items = [item for folder in present for item in _checked(store, folder, hash_of)]
    items += duplicates
    items += loose_files(layout, layout.list_statuses()[1])
    items += sorted(interrupted & {*_staging(layout), *_stray_intents(layout)}, key=lambda item: item.folder or "")
    items += [missing_job(job_id, note) for job_id, note in missing_jobs(store).items()]
    if (damage := damaged_log(store)) is not None:
        items.append(raised("pruned-log", None, *damage))
    store.require_online()
    return items


def _checked(store: JobStore, folder: Path, hash_of: HashOf) -> list[AttentionItem]:
    items = visit(store, folder.name, partial(check_folder, store.layout, folder, hash_of, store.most_files))
    if isinstance(items, Failure):
        return [not_followed(store.layout.relative(folder), naming.id_in_folder_name(folder.name), items)]
    return items


def _staging(layout: Layout) -> Iterator[AttentionItem]:
    for entry in _entries(layout.staging):
        if is_being_written(layout, Path(entry.path)):
            continue
        relative_path = layout.relative(Path(entry.path))
        sentence = f"{relative_path}: a submission was interrupted."
        yield raised("staging-left", None, relative_path, sentence)


def _stray_intents(layout: Layout) -> Iterator[AttentionItem]:
    """Announced moves of jobs that are in no status folder; `check_folder` reports those of the others."""
    for entry in _entries(layout.moves):
        job_id = entry.name.removesuffix(".json")
        if not entry.name.endswith(".json") or entry.name.startswith("."):
            continue
        if not any(True for _ in layout.named_for(job_id, tuple(layout.status(status) for status in Status))):
            if any(id_inside(folder) == job_id for folder in layout.job_folders()):
                continue
            sentence = f"A move of job {job_id} was not put to its end."
            yield raised("intent-stale", job_id, layout.relative(Path(entry.path)), sentence)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return []


def loose_files(layout: Layout, paths: Iterable[str]) -> Iterator[AttentionItem]:
    """Files among `paths`, of `Layout.list_statuses`, that belong to no job."""
    items = (loose_file(layout, layout.root / path) for path in sorted(paths))
    return (item for item in items if item is not None)


def loose_file(layout: Layout, path: Path) -> AttentionItem | None:
    """The same for one path."""
    is_file = path.is_symlink() or (path.exists() and not path.is_dir())
    return _loose(layout, path) if is_file and not is_ignored(path.name) else None


def _loose(layout: Layout, path: Path) -> AttentionItem:
    relative_path = layout.relative(path)
    return raised("loose-file", None, relative_path, f"The file {relative_path} belongs to no job.")


def _duplicates(layout: Layout, folders_by_id: dict[str, list[Path]]) -> Iterator[AttentionItem]:
    for job_id, folders in folders_by_id.items():
        present = [folder for folder in folders if folder.exists()]
        if len(present) > 1:
            first = job_among(layout, present, job_id)
            copies = [folder for folder in present if folder != first]
            yield from (duplicate(job_id, layout.relative(copy), layout.relative(first)) for copy in copies)
