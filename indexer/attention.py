"""What needs a person: a kind, a plain sentence, the job, and the fixes that are safe.

Derived from the folder as it is, so it can be told anew at any time; the mirror keeps it for the pages.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from printsys.domain.emails import given_up
from printsys.domain.estimates import open_difference
from printsys.domain.events import Event
from printsys.domain.folder_moves import last_move, still_missing
from printsys.domain.job import Job
from printsys.jobstore import Layout, Stored


@dataclass(frozen=True)
class AttentionItem:
    """`kind` is a stable slug, `folder` is relative to storage/, `fixes` are slugs of what puts it right, `file` is
    the one that it is about, relative to the job's folder."""

    kind: str
    job_id: str | None
    folder: str | None
    sentence: str
    fixes: tuple[str, ...] = ()
    file: str | None = None

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"fixes": list(self.fixes)}


BEGIN_ANEW = ("restore-record", "quarantine")
"""The fixes of a record that cannot be trusted or read."""

MISSING_WORDS = {
    "approval": "weight, time and price",
    "confirmation": "the student's OK",
    "payment": "the payment",
    "rejection": "why it is not printed",
}
BY_THEMSELVES = frozenset({"finish", "accept-edit", "record-move"})
"""Fixes that the system carries out by itself: what has no others needs nobody."""


def needs_a_person(finding: AttentionItem) -> bool:
    return not finding.fixes or bool(set(finding.fixes) - BY_THEMSELVES)


def facts_missing(job: Job, events: Sequence[Event], place: str) -> Iterator[AttentionItem]:
    """What a move by hand skipped, and nobody has filled in since."""
    missing = still_missing(job, events)
    if missing:
        words = " and ".join(MISSING_WORDS[fact] for fact in missing)
        undo = ("undo-move",) if last_move(events) else ()
        sentence = f"{job.student.name}'s job was moved to {job.status} by hand, without {words}."
        yield AttentionItem("facts-missing", job.id, place, sentence, ("supply", *undo, "accept-move"))


def price_differs(job: Job, events: Sequence[Event], place: str) -> Iterator[AttentionItem]:
    """A file that was sliced after the student agreed says something else than was agreed."""
    read = open_difference(job, events)
    if read is not None:
        name, told = str(read.data.get("name")), " and ".join(str(one) for one in read.data["differences"])
        sentence = f"{name} of {job.student.name}'s job differs from what was agreed: {told}. The agreed price stays."
        yield AttentionItem("price-differs", job.id, place, sentence, ("keep-price",), name)


def mail_failed(job: Job, events: Sequence[Event], place: str) -> Iterator[AttentionItem]:
    """E-mails that were given up and that the student still waits for, with the mail server's own words."""
    failed = given_up(events, job.status)
    if failed:
        told = "; ".join(f"“{one.mail}” to {one.to}: {one.answer}" for one in failed)
        sentence = f"{job.student.name} did not get our e-mail {told}"
        yield AttentionItem("mail-failed", job.id, place, sentence, ("resend-mail", "change-address"))


def move_waits(layout: Layout, stored: Stored) -> Iterator[AttentionItem]:
    """A folder that cannot be moved yet, with what holds it."""
    if stored.move_pending is not None:
        place = layout.relative(stored.folder)
        yield AttentionItem(
            "move-pending", stored.id, place, f"Job {stored.id}: {stored.move_pending}.", ("retry-move",)
        )


def missing_job(job_id: str, told: Mapping[str, object]) -> AttentionItem:
    name, folder = told.get("student_name") or "Somebody", told.get("folder")
    sentence = f"The folder of {name}'s job ({folder}) is gone. It comes back here when the folder does."
    return AttentionItem("job-missing", job_id, str(folder), sentence, ("forget-job",))


def for_people(findings: Iterable[AttentionItem]) -> list[AttentionItem]:
    return [one for one in findings if needs_a_person(one)]
