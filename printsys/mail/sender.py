"""Sends what jobs owe. A mail is owed from its EmailQueued event until EmailSent, EmailFailed or EmailDropped.

However many processes look at a job, and how often, each mail is sent once: the sender reads again, under the job's
mail lock, what the job owes. The one exception is a process that dies between the server's 250 and the event; the next
one sends the mail again with the same Message-ID, by which mail programs and people recognise it.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from email.message import EmailMessage
from functools import partial

from printsys.backoff import BackOff
from printsys.config import Settings
from printsys.domain import emails
from printsys.domain.emails import OwedMail
from printsys.domain.events import EventDraft, EventType
from printsys.domain.job import Job
from printsys.domain.status import MAY_OWE_MAIL
from printsys.errors import JobNotFound, MirrorDown
from printsys.jobstore import Stored
from printsys.jobstore.locks import mail_lock_name
from printsys.jobstore.visits import visit
from printsys.mail.headers import MailNotSendable
from printsys.mail.messages import compose, make_composer
from printsys.mail.smtp import Outcome, PermanentFailure, Sent, TemporaryFailure, deliver
from printsys.ops.heartbeat import Problem
from printsys.services import Services

LOCK_PATIENCE_S = 30.0
"""Longer than a mail to a slow server takes."""
MAIL_PAUSES_S = (10, 60, 300, 1800, 3600)
SERVER_PAUSES_S = (5, 15, 60, 300)
SERVER = "the mail server"
"""Where jobs that owe mail lie. Elsewhere a mail can only be left over from before; the mirror knows of those."""
MOST_PROBLEMS = 50
_ADDRESS = re.compile(r"(?<![^\s<>()])[^\s<>()]+@[^\s<>()]+")
logger = logging.getLogger(__name__)


class MailSender:
    """`stop` is set when the process winds up: the sender begins no further mail."""

    def __init__(
        self,
        services: Services,
        stop: threading.Event | None = None,
        send: Callable[[EmailMessage, Settings], Outcome] = deliver,
        mail_pauses_s: Sequence[float] = MAIL_PAUSES_S,
        server_pauses_s: Sequence[float] = SERVER_PAUSES_S,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.services, self.clock = services, clock
        self.send = send
        self.stop = stop or threading.Event()
        self.composer = make_composer(services.settings, services.lab, services.tokens)
        self.backoff, self.server_backoff = BackOff(mail_pauses_s), BackOff(server_pauses_s)
        self._unrecorded: set[tuple[str, int]] = set()
        self.error: Problem | None = None
        self.sent_at: datetime | None = None
        self._trying: dict[tuple[str, int], Problem] = {}
        self._read_folders = True  # at start the mirror may still be catching up

    # -- which jobs ---------------------------------------------------------------------------------------------

    def owing(self) -> Iterator[str]:
        """Ids of the jobs that owe a mail now: by the mirror, or by the folders where it cannot say."""
        if not self._read_folders:
            try:
                yield from self.services.queries.owed(self.clock())
                return
            except MirrorDown as error:
                logger.info("looking for owed mail in the folders: %s", error)
        for job_id, _folder in self.services.store.ids(MAY_OWE_MAIL):
            if visit(self.services.store, job_id, partial(self._owes, job_id)) is True:
                yield job_id
        self._read_folders = False

    def _owes(self, job_id: str) -> bool:
        owed = emails.owed(self.services.store.load(job_id).events, job_id)
        return any(self._seconds_to(mail) == 0 for mail in owed)

    # -- one job ------------------------------------------------------------------------------------------------

    def attend(self, job_id: str) -> float | None:
        """Send what the job owes and what may go now. Returns after how many seconds to look again, if that is known.

        Only for mails that this call tried in vain or that are for later: a process that failed looks again by itself.
        """
        if not self._owed(job_id):
            return None
        pauses_s: list[float] = []
        tried: set[int] = set()
        with self._mail_lock(job_id):
            while not self.stop.is_set() and (next_mail := self._next(job_id, tried)):
                stored, mail = next_mail
                tried.add(mail.queued_seq)
                if not self._settle(stored, mail):
                    pauses_s.append(self._pause_s(mail))
        pauses_s += [pause_s for mail in self._owed(job_id) if (pause_s := self._seconds_to(mail)) > 0]
        return min(pauses_s, default=None)

    def _mail_lock(self, job_id: str) -> AbstractContextManager[None]:
        """Held while a job's mail is sent; not the job's own lock, which nobody holds while a mail server talks."""
        return self.services.store.locked(mail_lock_name(job_id), LOCK_PATIENCE_S)

    def _owed(self, job_id: str) -> list[OwedMail]:
        stored = self._load(job_id)
        return emails.owed(stored.events, job_id) if stored else []

    def _load(self, job_id: str) -> Stored | None:
        try:
            stored = self.services.store.load(job_id)
        except JobNotFound:  # deleted meanwhile: nobody waits for its mail
            return None
        if stored.problem is not None:  # a sent mail could not be recorded, so it would be sent for ever
            logger.warning("job %s: its mail waits, %s", job_id, stored.problem)
            return None
        return stored

    def _next(self, job_id: str, tried: set[int]) -> tuple[Stored, OwedMail] | None:
        """The oldest mail that may go now, with the job as it is now."""
        stored = self._load(job_id)
        if stored is None:
            return None
        for mail in emails.owed(stored.events, job_id):
            # A person is moving the job by hand to where this mail would be wrong: it waits until that is settled.
            undecided = stored.asked_by_hand is not None and not emails.is_true_in(mail.mail, stored.asked_by_hand)
            due = self._seconds_to(mail) == 0 and self._pause_s(mail) == 0
            if due and not undecided and mail.queued_seq not in tried:
                return stored, mail
        return None

    def _seconds_to(self, mail: OwedMail) -> float:
        return max(0.0, (mail.not_before - self.clock()).total_seconds()) if mail.not_before else 0.0

    def _pause_s(self, mail: OwedMail) -> float:
        return max(self.backoff.wait_s(_key(mail)), self.server_backoff.wait_s(SERVER))

    # -- one mail -----------------------------------------------------------------------------------------------

    def _settle(self, stored: Stored, mail: OwedMail) -> bool:
        """Send, give up or drop `mail`, and record it. False where it is still owed."""
        if _key(mail) in self._unrecorded:
            self._record_sent(mail)
            return True
        others = self._others(mail)
        if (reason := reason_to_drop(stored, mail, bool(others), self.clock())) is not None:
            self._close(mail, emails.dropped(mail, reason))
            return True
        is_own = emails.is_true_of(mail.mail, stored.job)
        return self._deliver(mail, [*others, stored.job] if is_own else others)

    def _deliver(self, mail: OwedMail, jobs: Sequence[Job]) -> bool:
        """`jobs`: those that the mail is about, with the one that tells how it was paid at the end."""
        *others, job = jobs
        try:
            message = compose(self.composer, mail, job, others)
            outcome = self.send(message, self.services.settings)
        except MailNotSendable as error:
            outcome = PermanentFailure(str(error))
        self._report(mail, outcome)
        if isinstance(outcome, TemporaryFailure):
            self.server_backoff.failed(SERVER) if outcome.for_all else self.backoff.failed(_key(mail))
            return False
        self.server_backoff.settled(SERVER)
        self.backoff.settled(_key(mail))
        if isinstance(outcome, Sent):
            self._unrecorded.add(_key(mail))
            self._record_sent(mail)
        else:
            self._close(mail, emails.failed(mail, outcome.words))
        return True

    def _others(self, mail: OwedMail) -> list[Job]:
        """The other jobs that the mail is about, as far as it is true of them."""
        jobs = []
        for job_id in mail.jobs:
            stored = self._load(job_id)
            if stored is not None and emails.is_true_in(mail.mail, stored.job.status):
                jobs.append(stored.job)
        return jobs

    def _report(self, mail: OwedMail, outcome: Outcome) -> None:
        """To the log and the worker's sign of life: what holds e-mail up, without the addresses that servers repeat."""
        words = without_addresses(outcome.where if isinstance(outcome, Sent) else outcome.words)
        level = logging.INFO if isinstance(outcome, Sent) else logging.WARNING
        logger.log(level, "job %s: e-mail %s, %s: %s", mail.job_id, mail.mail, type(outcome).__name__, words)
        self._trying.pop(_key(mail), None)
        if isinstance(outcome, Sent):
            self.error, self.sent_at = None, self.clock()
            return
        self.error = Problem(self.clock(), words, mail.job_id)
        if isinstance(outcome, TemporaryFailure):
            self._trying[_key(mail)] = self.error

    @property
    def trying(self) -> tuple[Problem, ...]:
        """What held up which job's e-mail at its last try."""
        return tuple(self._trying.copy().values())[-MOST_PROBLEMS:]

    def _record_sent(self, mail: OwedMail) -> None:
        """Until the disk has taken the event this process remembers it, so that a full disk means no second mail.

        Recorded even where the job dropped the mail while it was on its way: it went out, and the history says so.
        """
        draft = emails.sent(mail, mail.message_id(self.composer.domain))

        def decide(latest: Stored) -> list[EventDraft]:
            sent = [event for event in latest.events if event.type == EventType.EMAIL_SENT]
            return [] if any(event.data.get("queued_seq") == mail.queued_seq for event in sent) else [draft]

        self.services.actions.record(mail.job_id, decide)
        self._unrecorded.discard(_key(mail))

    def _close(self, mail: OwedMail, draft: EventDraft) -> None:
        self._trying.pop(_key(mail), None)
        self.services.actions.record(
            mail.job_id, lambda latest: [draft] if mail in emails.owed(latest.events, latest.id) else []
        )


def without_addresses(words: str) -> str:
    """A mail server's words, fit for the log and for pages."""
    return _ADDRESS.sub("(an address)", words)


def reason_to_drop(stored: Stored, mail: OwedMail, true_of_others: bool, now: datetime) -> str | None:
    """Why `mail` should not be sent any more, in words. `true_of_others`: of other jobs that it is about, too."""
    reason = emails.reason_to_drop(mail, stored.job, now)
    if reason is not None and not true_of_others:
        return reason
    newer = [owed for owed in emails.owed(stored.events, stored.id) if owed.queued_seq > mail.queued_seq]
    is_repeated = any(
        (owed.mail, owed.message) == (mail.mail, mail.message) and set(mail.jobs) <= set(owed.jobs) for owed in newer
    )
    return "a newer one says the same" if is_repeated else None


def _key(mail: OwedMail) -> tuple[str, int]:
    return mail.job_id, mail.queued_seq
