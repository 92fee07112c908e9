"""The use cases: every way to create or change a job, for pages, scripts and tasks alike.

Each decides in the domain, records through the job store, then updates the mirror and tells the queue. Only the record
counts: while the mirror or the queue is down, pages and e-mails are late and nothing is lost.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from indexer.index import Mirror
from printsys.config import Lab
from printsys.config.offer import require_good_correction, require_offered
from printsys.domain import emails, naming, workflow
from printsys.domain.copies import multiplied
from printsys.domain.creation import files_added, job_created
from printsys.domain.effects import Context, copies_factor
from printsys.domain.events import STUDENT, SYSTEM, EventDraft, EventType
from printsys.domain.folder_moves import drag, last_move, undo
from printsys.domain.inputs import (
    ActionInput,
    ApproveInput,
    AtCounterInput,
    ChooseFileInput,
    DetailsInput,
    NoInput,
    OptionalReasonInput,
    QuoteInput,
    ResendInput,
    ResubmitInput,
    SubmitInput,
)
from printsys.domain.job import FileRecord, Job
from printsys.domain.links import require_latest_confirmation, require_open_confirmation, require_open_resubmission
from printsys.domain.pricing import PricedRequest, Quote, quote
from printsys.domain.pruned import PrunedJob
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
from printsys.jobstore.lab_today import lab_today

MayMail = Callable[[str], bool]
"""Whether one more e-mail that a student causes may go to an address."""
RESEND_COOL_DOWN = timedelta(minutes=2)
MOST_MESSAGES_AN_HOUR = 5
TOO_MANY_MAILS = "This address got so many e-mails from us within the hour that we send it no more now."
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class OneOfSeveral:
    """Says of an action that the jobs `others` take it, too, by one payment. Its e-mail waits for that of all."""

    others: tuple[str, ...]
    mail_waits: timedelta


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

    def submit(
        self,
        request: SubmitInput | AtCounterInput,
        files: Sequence[IncomingFile],
        actor: str = STUDENT,
        owes_receipt: bool = True,
    ) -> Stored:
        """A new job in Uploaded. Without `owes_receipt` no e-mail confirms it.

        InvalidInput where the lab does not offer what it asks for; see JobStore.create.
        """
        require_offered(self.lab, request.model_dump(), self.lab.today(self.clock()), lab_today(self.store))
        stored = self.store.create(
            lambda job_id: naming.folder_name(request.student_name, request.print_method, request.color, job_id),
            files,
            lambda job_id, staged: job_created(
                job_id, staged.folder_name, request, staged.files, actor, self.clock(), owes_receipt
            ),
        )
        return self.follow_up(stored)

    def perform(
        self,
        job_id: str,
        action: str,
        values: ActionInput,
        actor: str,
        expected_revision: int | None = None,
        one_of: OneOfSeveral | None = None,
    ) -> Stored:
        """Any action of the workflow table. TransitionNotAllowed, InvalidInput, and what JobStore.edit raises.

        StaleJob where the folder was moved by hand and the indexer has not noticed yet: the move is recorded instead.
        """
        new_files = self._describe_new_files(job_id, values)
        with self.store.edit(job_id, expected_revision) as change:
            moved_to = change.before.asked_by_hand
            if moved_to is not None:
                owed = emails.owed(change.before.events, job_id)
                change.record(*drag(change.job_so_far, moved_to, self.drag_context(), owed))
            else:
                if action == "resend-email":
                    just_sent = f"{change.job.student.name} was sent an e-mail a moment ago."
                    self._require_cool(change.before, f"{just_sent} Please give it two minutes.")
                if isinstance(values, DetailsInput):
                    require_good_correction(self.lab, change.job, values, self.lab.today(self.clock()))
                added = _files_added(change, new_files, actor)
                change.record(*added, *self._plan(change, action, actor, values, one_of))
                change.to_trash = action == "delete"
        after = self.follow_up(change.result)
        if moved_to is not None:
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
            owed = emails.owed(change.before.events, job_id)
            change.record(*undo(change.job, Status(move.data["from"]), actor, self.context(), owed))
        return self.follow_up(change.result)

    def student_decides(self, job_id: str, nonce: str, confirm: bool, reason: str = "") -> Stored:
        """The student's answer by the e-mailed link. TokenUsed, TokenExpired, and what JobStore.edit raises."""
        with self.store.edit(job_id) as change:
            _refuse_if_moved_by_hand(change.before)
            require_open_confirmation(change.job, nonce, self.clock())
            if confirm:
                drafts = self._plan(change, "student_confirm", STUDENT, NoInput())
            else:
                drafts = self._plan(change, "student_decline", STUDENT, OptionalReasonInput(reason=reason))
            change.record(*drafts)
        return self.follow_up(change.result)

    def resend_confirmation(self, job_id: str, nonce: str, may_mail: MayMail = lambda address: True) -> Stored:
        """A new link for a student whose old one ran out; not more often than every two minutes."""
        with self.store.edit(job_id) as change:
            require_latest_confirmation(change.job, nonce)
            self._require_cool(change.before, "We sent you an e-mail a moment ago. Please give it two minutes.")
            change.record(*_allowed(self._plan(change, "resend-email", STUDENT, ResendInput()), may_mail))
        return self.follow_up(change.result)

    def student_does(
        self, job_id: str, action: str, values: ActionInput, may_mail: MayMail = lambda address: True
    ) -> Stored:
        """What whoever has the link to a job's page may do: withdraw it, write to the lab, have the link to confirm
        sent again. TransitionNotAllowed, and what JobStore.edit raises."""
        with self.store.edit(job_id) as change:
            _refuse_if_moved_by_hand(change.before)
            if action == "resend-email":
                self._require_cool(change.before, "We sent you an e-mail a moment ago. Please give it two minutes.")
            if action == "reply":
                _require_few_messages(change.before, self.clock())
            change.record(*_allowed(self._plan(change, action, STUDENT, values), may_mail))
        return self.follow_up(change.result)

    def _require_cool(self, stored: Stored, refusal: str) -> None:
        """TransitionNotAllowed where the job's last e-mail was queued a moment ago and has not failed."""
        kinds = (EventType.EMAIL_QUEUED, EventType.EMAIL_FAILED)
        last = next((event for event in reversed(stored.events) if event.type in kinds), None)
        if last is None or last.type == EventType.EMAIL_FAILED or last.data.get("to") != stored.job.student.email:
            return
        if self.clock() - last.at < RESEND_COOL_DOWN:
            raise TransitionNotAllowed("resend-email", refusal)

    def resubmit(
        self,
        job_id: str,
        key: str,
        request: SubmitInput,
        files: Sequence[IncomingFile],
        may_mail: MayMail = lambda address: True,
    ) -> Stored:
        """The same request once more, after a rejection; without `files` the model is the one that the lab has.

        InvalidInput, TokenUsed, and what JobStore.staged and JobStore.edit raise.
        """
        require_offered(self.lab, request.model_dump(), self.lab.today(self.clock()), lab_today(self.store))
        require_open_resubmission(self.store.load(job_id).job, key)
        if not files:
            return self._resubmit(job_id, key, ResubmitInput(**request.model_dump()), None, may_mail)
        with self.store.staged(job_id, files) as staged:
            values = ResubmitInput(**request.model_dump(), files=list(staged.files))
            return self._resubmit(job_id, key, values, staged, may_mail)

    def correct_email(self, job_id: str, address: str) -> Stored:
        """The student's own address, mistyped: the receipt goes to the right one. TransitionNotAllowed once staff have
        answered, for then e-mails have gone out."""
        with self.store.edit(job_id) as change:
            _refuse_if_moved_by_hand(change.before)
            if change.job.status is not Status.UPLOADED:
                raise TransitionNotAllowed("correct-email", "We have answered already. Please write to the lab.")
            if address != change.job.student.email:
                patch = {"student": {"email": address}}
                change.record(
                    EventDraft(EventType.DETAILS_EDITED, STUDENT, {"changed": ["email"]}, patch),
                    emails.queued(emails.Mail.RECEIVED, address, STUDENT),
                )
        return self.follow_up(change.result)

    def _resubmit(
        self, job_id: str, key: str, values: ResubmitInput, staged: StagedFiles | None, may_mail: MayMail
    ) -> Stored:
        with self.store.edit(job_id) as change:
            _refuse_if_moved_by_hand(change.before)
            require_open_resubmission(change.job, key)
            if staged is not None and any((change.before.folder / name).exists() for name in staged.names):
                raise JobBusy(job_id, 0)  # a file of that name has just been put there
            change.staged = staged
            change.record(*_allowed(self._plan(change, "resubmit", STUDENT, values), may_mail))
        return self.follow_up(change.result)

    def do_what_is_due(self, job_id: str) -> Stored | None:
        """What the calendar asks for this job: see domain/reminders.py. None where that is nothing.

        The first look takes no lock; the decision is made under it, so that two computers do it once.
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
        return due(stored.job, stored.events, self.clock(), self.lab.patience)

    def send_failed_again(self, job_id: str, actor: str) -> Stored:
        """Queue every failed e-mail that the student still needs again, to today's address."""

        def decide(stored: Stored) -> list[EventDraft]:
            failures = emails.given_up(stored.events, stored.job)
            lab_email = self.lab.about.contact_email
            addressed = [(each, emails.address_of(each.mail, stored.job, lab_email)) for each in failures]
            if not all(address for _, address in addressed):
                raise TransitionNotAllowed("resend-email", "This job has no e-mail address to write to.")
            return [emails.queued(each.mail, to, actor, jobs=each.jobs) for each, to in addressed if to]

        return self.record(job_id, decide)

    def record(self, job_id: str, decide: Callable[[Stored], Sequence[EventDraft]]) -> Stored:
        """Record what a task found out. `decide` sees the job under its lock and checks that it still holds."""
        with self.store.edit(job_id) as change:
            change.record(*decide(change.before))
        return self.follow_up(change.result) if change.drafts else change.result

    def price(self, job: Job, figures: QuoteInput) -> Quote:
        """What an approval of today with these figures would cost."""
        factor = copies_factor(job, figures.for_copies)
        weight_g, volume_ml = multiplied(figures.weight_g, factor), multiplied(figures.volume_ml, factor)
        return quote(PricedRequest.of(job), weight_g, volume_ml, self.context().prices)

    def context(self) -> Context:
        now = self.clock()
        return Context(
            now=now,
            prices=self.lab.price_list_on(self.lab.today(now)),
            confirmation_days=self.lab.confirmation.valid_days,
            nonce=secrets.token_urlsafe(18),
            lab_email=self.lab.about.contact_email,
            charge=self.lab.payment.charge,
        )

    def drag_context(self) -> Context:
        """As for a button, but e-mails wait for the grace in which dragging back undoes all."""
        context = self.context()
        return replace(context, mail_not_before=context.now + self.drag_grace)

    def _plan(
        self, change: JobEdit, action: str, actor: str, values: ActionInput, one_of: OneOfSeveral | None = None
    ) -> list[EventDraft]:
        owed = emails.owed(change.before.events, change.job.id)
        context = self.context_of(change.before)
        if one_of is not None:
            mail_at = context.now + one_of.mail_waits if one_of.mail_waits else None
            context = replace(context, together=one_of.others, mail_not_before=mail_at)
        return workflow.plan(change.job, action, actor, values, context, owed)

    def context_of(self, stored: Stored) -> Context:
        """With the prices of the day on which staff approved the job."""
        approvals = [event.at for event in stored.events if event.type == EventType.STAFF_APPROVED]
        agreed = self.lab.price_list_on(self.lab.today(approvals[-1])) if approvals else None
        return replace(self.context(), agreed_prices=agreed)

    def _describe_new_files(self, job_id: str, values: ActionInput) -> list[tuple[FileRecord, ListedFile]]:
        """Hash, outside the lock, print files that the record does not have yet (a slicer has just saved them)."""
        if not isinstance(values, ApproveInput | ChooseFileInput):
            return []
        stored = self.store.load(job_id)
        new_files = []
        with self.store.disk_errors():
            for name in values.print_file:
                try:
                    self.store.file(stored, name)
                    if stored.job.file(name) is None:
                        new_files.append(describe(stored.folder, name, "filesystem", self.clock()))
                except (JobNotFound, FileNotFoundError) as error:
                    raise InvalidInput({"print_file": [f"{name} is not in the job's folder any more."]}) from error
        return new_files

    def follow_up(self, stored: Stored, line: PrunedJob | None = None) -> Stored:
        """Update the mirror with a job that was just recorded, and tell the queue. `line`: what stays of one that was
        pruned."""
        try:
            if line is not None and stored.folder_status is None:
                self.mirror.put_pruned(stored.id, line)
            else:
                self.mirror.put(stored)
        except MirrorDown as error:
            logger.warning("job %s is recorded, the mirror follows later: %s", stored.id, error)
        self.enqueue(stored.id)
        return stored


def _refuse_if_moved_by_hand(stored: Stored) -> None:
    """A student's answer to a job that staff are moving just now waits until that is recorded."""
    if stored.asked_by_hand is not None:
        raise JobBusy(stored.id, 0)


def _allowed(drafts: Sequence[EventDraft], may_mail: MayMail) -> list[EventDraft]:
    """What a student's step means, without e-mails to whom may get no more. TransitionNotAllowed where the e-mail was
    all of it."""
    allowed = [draft for draft in drafts if draft.type != EventType.EMAIL_QUEUED or may_mail(draft.data["to"])]
    if drafts and not allowed:
        raise TransitionNotAllowed("resend-email", TOO_MANY_MAILS)
    return allowed


def _require_few_messages(stored: Stored, now: datetime) -> None:
    """Each message is an e-mail to the lab."""
    recent = [e for e in stored.events if e.type == EventType.STUDENT_WROTE and now - e.at < timedelta(hours=1)]
    if len(recent) >= MOST_MESSAGES_AN_HOUR:
        refusal = f"We have {len(recent)} messages from you within the hour. Please wait for our answer."
        raise TransitionNotAllowed("reply", refusal)


def _files_added(change: JobEdit, new_files: Sequence[tuple[FileRecord, ListedFile]], actor: str) -> list[EventDraft]:
    """The events of files hashed outside the lock. InvalidInput where one has changed since."""
    for record, listed in new_files:
        if not unchanged(change.before.folder, listed):
            raise InvalidInput(
                {"print_file": [f"{record.name} is being written right now. Please try again in a moment."]}
            )
    unrecorded = [record for record, _ in new_files if change.job.file(record.name) is None]
    return files_added(change.job, unrecorded, actor)
