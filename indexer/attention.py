"""What needs a person: a kind, a plain sentence, the job, and the safe fixes.

Items follow from the folder as it is; the mirror keeps the last ones for the pages.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from printsys.domain.emails import given_up, mail_name
from printsys.domain.estimates import open_difference
from printsys.domain.events import Event, EventType
from printsys.domain.folder_moves import last_move, still_missing
from printsys.domain.job import Job
from printsys.domain.reminders import became_the_labs, is_put_away
from printsys.domain.status import Status, in_words
from printsys.domain.supplies import SUPPLIES
from printsys.errors import StorageFailure
from printsys.jobstore import Layout, Stored
from printsys.jobstore.layout import is_text, readable
from printsys.jobstore.refusals import reason_of
from printsys.jobstore.visits import Failure

FIXES_BY_KIND: dict[str, tuple[str, ...]] = {
    # the record
    "unreadable": ("restore-record", "make-a-job", "quarantine"),
    "older-copy": ("put-newer-back", "go-on"),
    "not-followed": (),
    "log-damaged": ("restore-record", "quarantine"),
    "log-cut": ("restore-record", "quarantine"),
    "log-torn": ("finish",),
    "log-inconsistent": ("restore-record", "quarantine"),
    "metadata-gone": ("restore-metadata",),
    "metadata-unreadable": ("restore-metadata",),
    "metadata-behind": ("finish",),
    "record-conflict": ("put-aside",),
    "metadata-edited": ("accept-edit", "restore-metadata"),
    # where the folder lies
    "job-missing": ("forget-job",),
    "duplicate": ("make-a-reprint", "remove-copy"),
    "odd-name": (),
    "deleted-here": ("keep", "delete"),
    "moved-by-hand": ("record-move",),
    "move-pending": ("finish", "retry-move"),
    "job-inside": ("move-out",),
    "intent-stale": ("finish",),
    "staging-left": ("finish",),
    "pruned-log": (),
    "not-a-job": ("make-a-job", "discard"),
    "loose-file": ("make-a-job", "discard"),
    # its files
    "original-missing": ("restore-original",),
    "original-altered": ("restore-original",),
    "print-file-missing": ("choose-print-file",),
    "odd-file": (),
    "many-files": (),
    "file-missing": ("forget-file",),
    "file-changed": ("record-file",),
    # what the record leaves open: see RULES
    "facts-missing": ("supply", "undo-move", "accept-move"),
    "price-differs": ("keep-price",),
    "mail-failed": ("resend-mail", "change-address"),
    "uncollected": ("put-away",),
    # the mirror
    "mirror-missing": ("sync",),
    "mirror-differs": ("sync",),
    "mirror-extra": ("sync",),
    "mirror-counts": ("sync",),
    # the backups: of no job, and not in the mirror; see printsys/ops/backup_trouble.py
    "backup-failed": (),
    "backup-late": (),
    "rehearsal-failed": (),
}
"""Every kind of item with the fixes that it may offer, the usual one first."""

NEEDS_NOBODY = frozenset({"finish", "accept-edit", "record-move"})
"""Fixes that the system carries out by itself at once: an item without another needs nobody."""
NEW_RECORD = frozenset({"restore-record", "quarantine"})
"""Where the id is known: a ruined record can begin again."""
NO_RECORD = frozenset({"make-a-job", "quarantine"})


@dataclass(frozen=True)
class AttentionItem:
    """`kind` is a stable slug, `folder` is relative to storage/, `fixes` are slugs of what puts it right, `file` is the
    file concerned, relative to the job's folder."""

    kind: str
    job_id: str | None
    folder: str | None
    sentence: str
    fixes: tuple[str, ...] = ()
    file: str | None = None

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"fixes": list(self.fixes)}


def raised(
    kind: str,
    job_id: str | None,
    relative_path: str | None,
    sentence: str,
    file: str | None = None,
    fixes: Collection[str] | None = None,
) -> AttentionItem:
    """An item with the fixes of its kind; `fixes` limits them."""
    offered = tuple(slug for slug in FIXES_BY_KIND[kind] if fixes is None or slug in fixes)
    path, name = relative_path and readable(relative_path), file and readable(file)
    return AttentionItem(kind, job_id, path, in_words(readable(sentence)), offered, name)


def needs_a_person(item: AttentionItem) -> bool:
    return not item.fixes or bool(set(item.fixes) - NEEDS_NOBODY)


def for_people(items: Iterable[AttentionItem]) -> list[AttentionItem]:
    return [item for item in items if needs_a_person(item)]


def not_followed(relative_path: str, job_id: str | None, failure: Failure) -> AttentionItem:
    """A folder whose visit failed for a reason that nobody foresaw, or again and again since the disk refuses it."""
    error = failure.error.__cause__ if isinstance(failure.error, StorageFailure) else failure.error
    reason = reason_of(error) if isinstance(error, OSError) else f"{type(failure.error).__name__}: {failure.error}"
    sentence = f"{relative_path} cannot be followed ({reason}). Other jobs go on; the indexer's log has the details."
    return raised("not-followed", job_id, relative_path, sentence)


# -- what a job's record leaves open ----------------------------------------------------------------------------------


class OpenQuestion(NamedTuple):
    """`fixes` None: all of the kind. `file` is relative to the job's folder."""

    sentence: str
    file: str | None = None
    fixes: Collection[str] | None = None


@dataclass(frozen=True)
class Rule:
    """A question that only a person can settle.

    Only an event of a type in `after` can raise it, and only with something under `data_key` in its data where that is
    given: so most jobs need no look.
    """

    kind: str
    find: Callable[[Job, Sequence[Event]], OpenQuestion | None]
    after: frozenset[str]
    data_key: str | None = None

    def may_follow(self, event: Mapping[str, Any]) -> bool:
        """`event` as in events.jsonl."""
        return event["type"] in self.after and (self.data_key is None or bool(event["data"].get(self.data_key)))


def facts_missing(job: Job, events: Sequence[Event]) -> OpenQuestion | None:
    """What a move by hand skipped, and nobody has filled in since."""
    missing = still_missing(job, events)
    if not missing:
        return None
    words = " and ".join(SUPPLIES[fact].words for fact in missing)
    sentence = f"{job.student.name}'s job was moved to {job.status} by hand, without {words}."
    return OpenQuestion(sentence, fixes=None if last_move(events) else ("supply", "accept-move"))


def price_differs(job: Job, events: Sequence[Event]) -> OpenQuestion | None:
    """A file that was sliced after the student agreed, or another number of copies, contradicts what was agreed."""
    event = open_difference(job, events)
    if event is None:
        return None
    name, differences = event.data.get("name"), " and ".join(map(str, event.data["differences"]))
    what = f"{name} of {job.student.name}'s job" if name else f"{job.student.name}'s job"
    return OpenQuestion(f"{what} differs from what was agreed: {differences}. The agreed price stays.", file=name)


def mail_failed(job: Job, events: Sequence[Event]) -> OpenQuestion | None:
    """E-mails that were given up and that the student still waits for, with the mail server's own words."""
    failures = given_up(events, job)
    if not failures:
        return None
    answers = "; ".join(f"“{mail_name(failure.mail)}” to {failure.to}: {failure.answer}" for failure in failures)
    return OpenQuestion(f"{job.student.name} did not get our e-mail {answers}")


def uncollected(job: Job, events: Sequence[Event]) -> OpenQuestion | None:
    """A print that became the lab's and that still lies among those to be handed out."""
    if job.status is not Status.COMPLETED or became_the_labs(events) is None or is_put_away(events):
        return None
    return OpenQuestion(f"{job.student.name} never collected the print, so it is the lab's now. Please put it away.")


RULES = (
    Rule("facts-missing", facts_missing, after=frozenset({EventType.FOLDER_MOVED})),
    Rule(
        "price-differs",
        price_differs,
        after=frozenset({EventType.ESTIMATE_READ, EventType.DETAILS_EDITED}),
        data_key="differences",
    ),
    Rule("mail-failed", mail_failed, after=frozenset({EventType.EMAIL_FAILED})),
    Rule("uncollected", uncollected, after=frozenset({EventType.BECAME_THE_LABS})),
)


def open_questions(job: Job, events: Sequence[Event], relative_path: str) -> Iterator[AttentionItem]:
    """What the rules find open in the job at `relative_path`."""
    for rule in RULES:
        question = rule.find(job, events)
        if question is not None:
            yield raised(rule.kind, job.id, relative_path, *question)


# -- where a job's folder lies ----------------------------------------------------------------------------------------


def move_waits(layout: Layout, stored: Stored) -> Iterator[AttentionItem]:
    """A folder that cannot be moved yet, with what holds it."""
    if stored.move_pending is not None:
        sentence = f"Job {stored.id}: {stored.move_pending}."
        yield raised("move-pending", stored.id, layout.relative(stored.folder), sentence, fixes={"retry-move"})


def odd_name(layout: Layout, folder: Path, job_id: str) -> Iterator[AttentionItem]:
    """A job's folder whose name no program can write down."""
    if not is_text(folder.name):
        sentence = f"The name of job {job_id}'s folder, {folder.name}, is not UTF-8. Please rename the folder."
        yield raised("odd-name", job_id, layout.relative(folder), sentence)


def missing_job(job_id: str, note: Mapping[str, object]) -> AttentionItem:
    """`note` is what the store noted of the job when it went missing; empty where nobody can read it."""
    name, relative_path = note.get("student_name") or "Somebody", note.get("folder") or job_id
    sentence = f"The folder of {name}'s job ({relative_path}) is gone. It comes back here when the folder does."
    return raised("job-missing", job_id, str(relative_path), sentence)


def duplicate(job_id: str, copy: str, first: str) -> AttentionItem:
    """Both relative to storage/."""
    return raised("duplicate", job_id, copy, f"{copy} is a copy of job {job_id}, which lies in {first}.")
