"""What staff ask to be put back: metadata.json, the record, a student's original. What was there stays in aside/."""

from __future__ import annotations

from printsys import fs
from printsys.domain.events import EventDraft, EventType, sha256
from printsys.errors import JobNotFound
from printsys.jobstore import rebuild_log, repair
from printsys.jobstore.files import list_files, record_copies, sha256_of
from printsys.jobstore.incoming import names_in
from printsys.jobstore.layout import ASIDE, METADATA
from printsys.jobstore.newest import note_newest, note_number, read_newest
from printsys.jobstore.store import JobStore
from printsys.jobstore.stored import Stored


def restore_metadata(store: JobStore, job_id: str) -> Stored:
    """Write metadata.json as the log has it. DamagedJob if the log is ruined."""
    with store.locked(job_id), store.disk_errors():
        folder = store.find(job_id)
        repair.whole_log(folder, job_id)
        metadata = repair.read_or_move_aside(folder, METADATA)
        if metadata is not None:
            repair.keep_aside(folder, f"metadata-{sha256(metadata)[:8]}.json", metadata)
            fs.unlink(folder / METADATA)
        return store.repair_for_write(job_id)


def restore_record(store: JobStore, job_id: str, actor: str) -> Stored:
    """Begin a damaged events.jsonl again from what can be trusted of it: see rebuild_log.py. DamagedJob."""
    store.require_online()
    with store.locked(job_id), store.disk_errors():
        folder, newest = store.find(job_id), read_newest(store.layout, job_id)
        if newest is not None:  # from here on another line may have its number
            note_number(store.layout, job_id, newest.seq)
        rebuild_log.rebuild(folder, job_id, actor, store.clock(), newest)
        stored = store.repair_for_write(job_id)
        note_newest(store.layout, job_id, stored.log)
        return stored


def put_copy_aside(store: JobStore, job_id: str, name: str) -> None:
    """Move a second version of the record, which lies beside it, into aside/. JobNotFound where it is not there."""
    store.require_online()
    with store.locked(job_id), store.disk_errors():
        folder = store.find(job_id)
        if name not in record_copies(folder):
            raise JobNotFound(job_id)
        repair.keep_aside(folder, name, fs.read(folder / name))
        fs.unlink(folder / name)


def restore_original(store: JobStore, job_id: str, name: str, actor: str) -> Stored:
    """Put the student's exact bytes back from a file of the job that still has them. JobNotFound where none has."""
    with store.edit(job_id) as change, store.disk_errors():
        folder, record = change.before.folder, change.job.file(name)
        files = [folder / file.name for file in sorted(list_files(folder), key=lambda file: file.name)]
        aside = [folder / ASIDE / aside_name for aside_name in sorted(names_in(folder / ASIDE))]
        files += [path for path in aside if path.is_file() and not path.is_symlink()]  # a converted one's is there
        source = next((path for path in files if record is not None and sha256_of(path) == record.sha256), None)
        if source is None:
            raise JobNotFound(job_id)
        target = folder / name
        altered = fs.read_if_there(target)
        if altered is not None:
            repair.keep_aside(folder, f"{sha256(altered)[:8]}-{target.name}", altered)
        target.parent.mkdir(exist_ok=True)
        fs.replace(target, fs.read(source))
        target.chmod(0o444)
        change.record(
            EventDraft(
                EventType.ORIGINAL_RESTORED, actor, {"name": name, "from": source.relative_to(folder).as_posix()}
            )
        )
    return change.result
