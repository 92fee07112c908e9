"""The small tree of errors. `str(error)` is always one plain sentence that may be shown to people.

Each edge has one translator: `printsys/web/errors.py` turns these into pages, `manage.py` into exit codes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class PrintSysError(Exception):
    """What the system expects to go wrong, and can explain to the person in front of it."""


class ConfigError(PrintSysError):
    """Settings or lab.toml are wrong; `mistakes` names all of them at once."""

    def __init__(self, mistakes: Sequence[str]) -> None:
        self.mistakes = list(mistakes)
        super().__init__("The configuration has mistakes:\n" + "\n".join(f"  - {m}" for m in self.mistakes))


class InvalidInput(PrintSysError):
    """The system cannot use what somebody typed; `fields` maps a field's name to its messages."""

    def __init__(self, fields: Mapping[str, Sequence[str]]) -> None:
        self.fields = {name: list(messages) for name, messages in fields.items()}
        super().__init__(" ".join(message for messages in self.fields.values() for message in messages))


class FileRefused(PrintSysError):
    """The lab cannot take a file that somebody sent."""

    def __init__(self, filename: str, reason: str) -> None:
        self.filename = filename
        self.reason = reason
        super().__init__(reason)


class TransitionNotAllowed(PrintSysError):
    """The action does not fit the job's status, its actor, or lacks a required fact."""

    def __init__(self, action: str, reason: str) -> None:
        self.action = action
        super().__init__(reason)


class JobNotFound(PrintSysError):
    def __init__(self, job_id: str) -> None:
        self.job_id = job_id
        super().__init__(f"There is no job {job_id} in the storage folders.")


class JobNotRestored(PrintSysError):
    """A job of a backup may not come back into the storage; nothing was written."""


class JobBusy(PrintSysError):
    """Another process kept the job's lock too long."""

    def __init__(self, job_id: str, waited_s: float) -> None:
        self.job_id, self.waited_s = job_id, waited_s
        super().__init__(f"Job {job_id} is being changed by somebody else right now. Please try again.")


class StaleJob(PrintSysError):
    """The job changed after the caller read it. `since` lists the events that came in between, oldest first."""

    def __init__(self, job_id: str, expected: int, actual: int, since: Sequence[Any] = ()) -> None:
        self.job_id, self.expected, self.actual, self.since = job_id, expected, actual, list(since)
        super().__init__(
            f"Job {job_id} was changed meanwhile. "
            "Nothing of yours was saved over it; look at the job as it is now and decide again."
        )


class DamagedJob(PrintSysError):
    """A record on disk that cannot be trusted or understood; it is left exactly as it is."""

    def __init__(self, job_id: str, where: str, problem: str) -> None:
        self.job_id, self.where, self.problem = job_id, where, problem
        super().__init__(f"{where} of job {job_id} needs a person: {problem}")


class OlderCopy(DamagedJob):
    """An older copy of the job's folder was laid over it: `missing` events are not in its record any more."""

    def __init__(self, job_id: str, missing: int) -> None:
        self.missing = missing
        events = "event is" if missing == 1 else "events are"
        super().__init__(job_id, "The folder", f"it is an older copy; {missing} {events} missing.")


class StorageOffline(PrintSysError):
    """The storage folder, or the proof that it is the right one, is not there."""


class StorageFailure(PrintSysError):
    """The disk refused a write (full, read-only, broken). Nothing was changed."""


class MirrorDown(PrintSysError):
    """PostgreSQL does not answer; the folders are still the record and the lab goes on."""


class QueryTimeout(MirrorDown):
    """PostgreSQL did not finish in time; of less it may."""


class FoldersNotRead(MirrorDown):
    """The tables are new, or of another version: what they count lacks jobs until the next sweep."""

    def __init__(self) -> None:
        super().__init__("The folders were not read yet. Please run python manage.py reindex, then try again.")


class MirrorRuined(MirrorDown):
    """PostgreSQL answers, and its tables cannot be read: they have to be built again from the folders."""


class PostgresFailed(PrintSysError):
    """The embedded PostgreSQL does not start, or does not stop; `reason` is PostgreSQL's."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"There is no database: {reason}")


class TokenInvalid(PrintSysError):
    """A link that was not made by this lab, or was damaged on its way."""


class TokenExpired(PrintSysError):
    """A link whose time is over."""


class TokenUsed(PrintSysError):
    """A link that did its work already, or was replaced by a newer one."""


class ModelUnreadable(PrintSysError):
    """A file that looks like a model and cannot be read as one."""


class ModelTooHard(PrintSysError):
    """A model's inspection took more time or memory than is reasonable, or ended its process."""
