"""The use cases: every way in which a job comes to be or changes, whoever asks (a page, a script, a task).

Each decides in the domain, records through the job store, and then tells the mirror and the queue to look. The record
is what counts: a mirror or queue that is down costs nothing but time.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from indexer.index import Mirror
from printsys.config import Lab
from printsys.config.offer import require_offered
from printsys.domain import emails, naming, workflow
from printsys.domain.creation import files_added, job_created
from printsys.domain.effects import Context
from printsys.domain.events import STUDENT, SYSTEM, EventDraft, EventType
from printsys.domain.folder_moves import drag, last_move, undo
from printsys.domain.inputs import (
    ActionInput,
    ApproveInput,
    ChooseFileInput,
    NoInput,
    OptionalReasonInput,
    ResendInput,
    ResubmitInput,
    SubmitInput,
)
from printsys.domain.job import FileRecord, Job
from printsys.domain.links import require_latest_confirmation, require_open_confirmation, require_open_resubmission
from printsys.domain.pricing import Quote, quote
from printsys.domain.reminders import due
from printsys.domain.status import Status
from printsys.errors import (
    InvalidInput,
    JobBusy,
    JobNotFound,
    MirrorDown,
    StaleJob,
    TransitionNotAllowed,
)
from printsys.jobstore import IncomingFile, JobEdit, JobStore, Stored
from printsys.jobstore.files import ListedFile, describe, unchanged
from printsys.jobstore.incoming import StagedFiles

RESEND_COOL_DOWN = timedelta(minutes=2)
EMAIL_FAILED = EventType.EMAIL_FAILED
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Actions:
    """`enqueue(job_id)` tells the task queue that a job may owe work; it must not raise for a queue that is down.
    `drag_grace` is how long the e-mail of a dragged folder waits."""

    store: JobStore
    mirror: Mirror
    lab: Lab
    enqueue: Callable[[str], None]
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    drag_grace: timedelta = timedelta(0)

    def submit(self, said: SubmitInput, files: Sequence[IncomingFile], actor: str = STUDENT) -> Stored:
        """A new job in Uploaded. InvalidInput where the lab does not offer what is asked; see JobStore.create."""
        require_offered(self.lab, said.model_dump())
        stored = self.store.create(
            lambda job_id: naming.folder_name(said.student_name, said.print_method, said.color, job_id),
            files,
            lambda job_id, staged: job_created(job_id, staged.folder_name, said, staged.files, actor, self.clock()),
        )
        return self.follow_up(stored)

    def perform(
        self, job_id: str, action: str, said: ActionInput, actor: str, expected_revision: int | None = None
    ) -> Stored:
        """Any action of the workflow table. TransitionNotAllowed, InvalidInput, and what JobStore.edit raises."""
        prepared = self._prepare_files(job_id, said)
        with self.store.edit(job_id, expected_revision) as change:
            asked = change.before.asked_by_hand
            if asked is not None:  # somebody was faster in the folders than the indexer in noticing it
                change.record(*drag(change.job, asked, self.drag_context(), emails.owed(change.before.events, job_id)))
            else:
                if action == "resend-email":
                    sent = f"{change.job.student.name} was sent an e-mail a moment ago."
                    self._require_cool(change.before, f"{sent} Please give it two minutes.")
                added = _new_files(change, prepared, actor)
                change.record(*added, *self._plan(change, action, actor, said))
                change.to_trash = action == "delete"
        after = self.follow_up(change.result)
        if asked is not None:
            revision = change.before.job.revision
            news = [event for event in after.events if event.seq > revision]
            raise StaleJob(job_id, revision, after.job.revision, news)
        return after

    def undo_move(self, job_id: str, actor: str, expected_revision: int | None = None) -> Stored:
        """Take back the last change of status that was made by hand: the folder goes back where it came from.

        TransitionNotAllowed where the last change was made by a button, or there is nothing before it.
        """
        with self.store.edit(job_id, expected_revision) as change:
            move = last_move(change.before.events)
            if move is None or "from" not in move.data:
                raise TransitionNotAllowed("undo-move", "The job's last step was not made by moving its folder.")
            waiting = emails.owed(change.before.events, job_id)
            change.record(*undo(change.job, Status(move.data["from"]), actor, self.context(), waiting))
        return self.follow_up(change.result)

    def student_decides(self, job_id: str, nonce: str, confirm: bool, reason: str = "") -> Stored:
        """The student's answer by the e-mailed link. TokenUsed, TokenExpired, and what JobStore.edit raises."""
        with self.store.edit(job_id) as change:
            _refuse_if_moved_by_hand(change.before)
            require_open_confirmation(change.job, nonce, self.clock())
            action, said = (
                ("student_confirm", NoInput()) if confirm else ("student_decline", OptionalReasonInput(reason=reason))
            )
            change.record(*self._plan(change, action, STUDENT, said))
        return self.follow_up(change.result)

    def resend_confirmation(self, job_id: str, nonce: str) -> Stored:
        """A new link for a student whose old one ran out; not more often than every two minutes."""
        with self.store.edit(job_id) as change:
            require_latest_confirmation(change.job, nonce)
            self._require_cool(change.before, "We sent you an e-mail a moment ago. Please give it two minutes.")
            change.record(*self._plan(change, "resend-email", STUDENT, ResendInput()))
        return self.follow_up(change.result)

    def _require_cool(self, stored: Stored, otherwise: str) -> None:
        """TransitionNotAllowed where the job's last e-mail was asked for a moment ago and has not failed."""
        last = next((e for e in reversed(stored.events) if e.type in (EventType.EMAIL_QUEUED, EMAIL_FAILED)), None)
        if last is None or last.type == EMAIL_FAILED or last.data.get("to") != stored.job.student.email:
            return
        if self.clock() - last.at < RESEND_COOL_DOWN:
            raise TransitionNotAllowed("resend-email", otherwise)

    def resubmit(self, job_id: str, key: str, said: SubmitInput, files: Sequence[IncomingFile]) -> Stored:
        """The same request once more, after a rejection; without `files` the model is the one that the lab has.

        InvalidInput, TokenUsed, and what JobStore.staged and JobStore.edit raise.
        """
        require_offered(self.lab, said.model_dump())
        require_open_resubmission(self.store.load(job_id).job, key)
        if not files:
            return self._resubmit(job_id, key, ResubmitInput(**said.model_dump()), None)
        with self.store.staged(job_id, files) as staged:
            facts = ResubmitInput(**said.model_dump(), files=list(staged.files))
            return self._resubmit(job_id, key, facts, staged)

    def _resubmit(self, job_id: str, key: str, said: ResubmitInput, staged: StagedFiles | None) -> Stored:
        with self.store.edit(job_id) as change:
            _refuse_if_moved_by_hand(change.before)
            require_open_resubmission(change.job, key)
            if staged is not None and any((change.before.folder / name).exists() for name in staged.names):
                raise JobBusy(job_id, 0)  # a file of that name has just been put there
            change.staged = staged
            change.record(*self._plan(change, "resubmit", STUDENT, said))
        return self.follow_up(change.result)

    def do_what_is_due(self, job_id: str) -> Stored | None:
        """What the calendar asks for this job: see domain/reminders.py. None where that is nothing.

        Looking costs no lock; what is due is decided under it, so that two computers do it once.
        """
        if not self._due(self.store.load(job_id)):
            return None
        with self.store.edit(job_id) as change:
            for action in self._due(change.before):
                change.record(*self._plan(change, action, SYSTEM, NoInput()))
        return self.follow_up(change.result) if change.drafts else None

    def _due(self, stored: Stored) -> list[str]:
        if stored.asked_by_hand is not None or stored.problem is not None:
            return []
        return due(stored.job, stored.events, self.clock(), self.lab.reminders.patience)

    def send_failed_again(self, job_id: str, actor: str) -> Stored:
        """Put every e-mail that was given up, and that the student still needs, in line again: to today's address."""

        def decide(now: Stored) -> list[EventDraft]:
            address = now.job.student.email
            if not address:
                raise TransitionNotAllowed("resend-email", "This job has no e-mail address to write to.")
            return [emails.queued(one.mail, address, actor) for one in emails.given_up(now.events, now.job.status)]

        return self.record(job_id, decide)

    def record(self, job_id: str, decide: Callable[[Stored], Sequence[EventDraft]]) -> Stored:
        """Record what a task found out. `decide` sees the job under its lock, so it re-checks what it was told."""
        with self.store.edit(job_id) as change:
            change.record(*decide(change.before))
        return self.follow_up(change.result) if change.drafts else change.result

    def price(self, job: Job, weight_g: Decimal | None, volume_ml: Decimal | None) -> Quote:
        """What an approval of today with these figures would cost."""
        return quote(job.request.method, weight_g, volume_ml, self.context().prices)

    def context(self) -> Context:
        now = self.clock()
        return Context(
            now=now,
            prices=self.lab.price_list_on(now.astimezone(ZoneInfo(self.lab.about.timezone)).date()),
            confirmation_days=self.lab.confirmation.valid_days,
            nonce=secrets.token_urlsafe(18),
        )

    def drag_context(self) -> Context:
        """As for a button, but e-mails wait for the grace in which dragging back undoes all."""
        context = self.context()
        return replace(context, mail_not_before=context.now + self.drag_grace)

    def _plan(self, change: JobEdit, action: str, actor: str, said: ActionInput) -> list[EventDraft]:
        waiting = emails.owed(change.before.events, change.job.id)
        return workflow.plan(change.job, action, actor, said, self.context(), waiting)

    def _prepare_files(self, job_id: str, said: ActionInput) -> list[tuple[FileRecord, ListedFile]]:
        """Hash, outside the lock, print files that the record does not know yet (a slicer has just saved them)."""
        if not isinstance(said, ApproveInput | ChooseFileInput):
            return []
        stored = self.store.load(job_id)
        unknown = [name for name in said.print_file if stored.job.file(name) is None]
        for name in said.print_file:
            try:
                self.store.file(stored, name)
            except JobNotFound as error:
                raise InvalidInput({"print_file": [f"{name} is not in the job's folder any more."]}) from error
        return [describe(stored.folder, name, "filesystem", self.clock()) for name in unknown]

    def follow_up(self, stored: Stored) -> Stored:
        """Tell the mirror and the queue of a job that was just recorded."""
        try:
            self.mirror.put(stored)
        except MirrorDown as error:
            logger.warning("job %s is recorded, the mirror follows later: %s", stored.id, error)
        self.enqueue(stored.id)
        return stored


def _refuse_if_moved_by_hand(stored: Stored) -> None:
    """A student's answer to a job that staff are moving just now waits until that is recorded."""
    if stored.asked_by_hand is not None:
        raise JobBusy(stored.id, 0)


def _new_files(change: JobEdit, prepared: Sequence[tuple[FileRecord, ListedFile]], actor: str) -> list[EventDraft]:
    """What was hashed outside the lock, re-checked inside it."""
    for record, seen in prepared:
        if not unchanged(change.before.folder, seen):
            raise InvalidInput(
                {"print_file": [f"{record.name} is being written right now. Please try again in a moment."]}
            )
    fresh = [record for record, _ in prepared if change.job.file(record.name) is None]
    return files_added(change.job, fresh, actor)
