"""Sends what jobs owe. A mail is owed from its EmailQueued event until EmailSent, EmailFailed or EmailDropped.

Whoever looks at a job, however often and from how many processes, each mail is sent once: under the job's mail lock
what is owed is read again. The one exception is a process that dies between the server's yes and the event; the mail
is then sent again with the same Message-ID, by which mail programs and people recognise it.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from email.message import EmailMessage

from filelock import FileLock, Timeout

from printsys.backoff import BackOff
from printsys.config import Settings
from printsys.domain import emails
from printsys.domain.emails import OwedMail
from printsys.domain.events import EventDraft, EventType
from printsys.domain.status import MAY_OWE_MAIL
from printsys.errors import DamagedJob, JobBusy, JobNotFound, MirrorDown, StorageFailure
from printsys.jobstore import Stored
from printsys.mail.messages import MailComposer, MailNotSendable, letter, make_desk
from printsys.mail.smtp import Outcome, PermanentFailure, Sent, TemporaryFailure, deliver
from printsys.ops.heartbeat import Problem
from printsys.services import Services

LOCK_PATIENCE_S = 30.0
"""Longer than a mail to a slow server takes."""
MAIL_PAUSES_S = (10, 60, 300, 1800, 3600)
SERVER_PAUSES_S = (5, 15, 60, 300)
SERVER = "the mail server"
"""Where jobs that owe mail lie. Elsewhere a mail can only be left over from before; the mirror knows of those."""
MOST_TROUBLES = 50
_ADDRESS = re.compile(r"[^\s<>()]+@[^\s<>()]+")
logger = logging.getLogger(__name__)


class MailSender:
    """`stop` is set when the process winds up: no further mail is begun."""

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
        self.desk: MailComposer = make_desk(services.settings, services.lab, services.tokens)
        self.backoff, self.server_backoff = BackOff(mail_pauses_s), BackOff(server_pauses_s)
        self._unrecorded: dict[tuple[str, int], str] = {}
        self.error: Problem | None = None
        self.sent_at: datetime | None = None
        self._trying: dict[tuple[str, int], Problem] = {}
        self._read_folders = True  # at start the mirror may still be catching up

    # -- who owes -----------------------------------------------------------------------------------------------

    def owing(self) -> Iterator[str]:
        """Ids of the jobs that owe a mail now: by the mirror, or by the folders where it cannot say."""
        if not self._read_folders:
            try:
                yield from self.services.queries.owed(self.clock())
                return
            except MirrorDown as error:
                logger.info("looking for owed mail in the folders: %s", error)
        yield from self._owing_by_the_folders()
        self._read_folders = False

    def _owing_by_the_folders(self) -> Iterator[str]:
        for job_id, _folder in self.services.store.ids(MAY_OWE_MAIL):
            try:
                stored = self.services.store.load(job_id)
            except (JobNotFound, DamagedJob):  # gone meanwhile; or for a person to see to
                continue
            if any(self._seconds_to(mail) == 0 for mail in emails.owed(stored.events, job_id)):
                yield job_id

    # -- one job ------------------------------------------------------------------------------------------------

    def attend(self, job_id: str) -> float | None:
        """Send what the job owes and what may go now. Returns after how many seconds to look again, if that is known.

        Only for what this call tried in vain, or found to be for later: whoever else failed looks again themselves.
        """
        if not self._open(job_id):
            return None
        again: list[float] = []
        tried: set[int] = set()
        with self._mail_lock(job_id):
            while not self.stop.is_set() and (found := self._next(job_id, tried)):
                stored, mail = found
                tried.add(mail.queued_seq)
                if not self._settle(stored, mail):
                    again.append(self._pause_s(mail))
        again += [later for mail in self._open(job_id) if (later := self._seconds_to(mail)) > 0]
        return min(again, default=None)

    @contextmanager
    def _mail_lock(self, job_id: str) -> Iterator[None]:
        """Held while a job's mail is sent; apart from the job's own lock, which nobody holds over a conversation."""
        lock = FileLock(self.services.store.layout.lock(f"{job_id}.mail"))
        try:
            lock.acquire(timeout=LOCK_PATIENCE_S)
        except Timeout as error:
            raise JobBusy(job_id, LOCK_PATIENCE_S) from error
        except OSError as error:
            raise StorageFailure(f"The storage refuses locks ({error.strerror}). Mail waits.") from error
        try:
            yield
        finally:
            lock.release()

    def _open(self, job_id: str) -> list[OwedMail]:
        stored = self._load(job_id)
        return emails.owed(stored.events, job_id) if stored else []

    def _load(self, job_id: str) -> Stored | None:
        try:
            stored = self.services.store.load(job_id)
        except JobNotFound:  # deleted meanwhile: nobody waits for its mail
            return None
        if stored.problem is not None:  # what is sent could not be recorded, so it would be sent for ever
            logger.warning("job %s: its mail waits, %s", job_id, stored.problem)
            return None
        return stored

    def _next(self, job_id: str, tried: set[int]) -> tuple[Stored, OwedMail] | None:
        """The oldest mail that may go now, with the job as it is now."""
        stored = self._load(job_id)
        if stored is None:
            return None
        for mail in emails.owed(stored.events, job_id):
            may_go = self._seconds_to(mail) == 0 and self._pause_s(mail) == 0 and not _is_undecided(stored, mail)
            if may_go and mail.queued_seq not in tried:
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
        elif (why := reason_to_drop(stored, mail, self.clock())) is not None:
            self._close(mail, emails.dropped(mail, why))
        else:
            return self._deliver(stored, mail)
        return True

    def _deliver(self, stored: Stored, mail: OwedMail) -> bool:
        outcome, message_id = self._try(stored, mail)
        said = outcome.where if isinstance(outcome, Sent) else outcome.words
        level = logging.INFO if isinstance(outcome, Sent) else logging.WARNING
        told = without_addresses(said)  # servers repeat the address; logs hold none
        logger.log(level, "job %s: e-mail %s, %s: %s", mail.job_id, mail.mail, type(outcome).__name__, told)
        self._remember(mail, outcome)
        if isinstance(outcome, TemporaryFailure):
            self.server_backoff.failed(SERVER) if outcome.for_all else self.backoff.failed(_key(mail))
            return False
        self.server_backoff.settled(SERVER)
        self.backoff.settled(_key(mail))
        if isinstance(outcome, Sent):
            self._unrecorded[_key(mail)] = message_id
            self._record_sent(mail)
        else:
            self._close(mail, emails.failed(mail, outcome.words))
        return True

    def _remember(self, mail: OwedMail, outcome: Outcome) -> None:
        """For the worker's sign of life: what holds e-mail up, without anybody's address."""
        now = self.clock()
        self._trying.pop(_key(mail), None)
        if isinstance(outcome, Sent):
            self.error, self.sent_at = None, now
            return
        self.error = Problem(now, without_addresses(outcome.words), mail.job_id)
        if isinstance(outcome, TemporaryFailure):
            self._trying[_key(mail)] = self.error

    @property
    def trying(self) -> tuple[Problem, ...]:
        """What holds up which job's e-mail, as last tried."""
        return tuple(self._trying.copy().values())[-MOST_TROUBLES:]

    def _try(self, stored: Stored, mail: OwedMail) -> tuple[Outcome, str]:
        try:
            message = letter(self.desk, mail, stored.job)
        except MailNotSendable as error:
            return PermanentFailure(str(error)), ""
        return self.send(message, self.services.settings), str(message["Message-ID"])

    def _record_sent(self, mail: OwedMail) -> None:
        """Until the disk has taken it this process remembers, so that a full disk does not mean a second mail.

        Recorded even where the job dropped the mail while it was on its way: it went out, and the history says so.
        """
        draft = emails.sent(mail, self._unrecorded[_key(mail)])
        self.services.actions.record(mail.job_id, lambda now: [] if _is_recorded_as_sent(now, mail) else [draft])
        del self._unrecorded[_key(mail)]

    def _close(self, mail: OwedMail, draft: EventDraft) -> None:
        self._trying.pop(_key(mail), None)
        self.services.actions.record(
            mail.job_id, lambda now: [draft] if mail in emails.owed(now.events, now.id) else []
        )


def without_addresses(words: str) -> str:
    """A mail server's words for where everybody may read them."""
    return _ADDRESS.sub("(an address)", words)


def reason_to_drop(stored: Stored, mail: OwedMail, now: datetime) -> str | None:
    """Why `mail` should not be sent any more, in words."""
    outrun = emails.reason_to_drop(mail, stored.job, now)
    if outrun is not None:
        return outrun
    if any(m.mail == mail.mail and m.queued_seq > mail.queued_seq for m in emails.owed(stored.events, stored.id)):
        return "a newer one says the same"
    return None


def _is_undecided(stored: Stored, mail: OwedMail) -> bool:
    """Somebody is moving the job by hand to where this mail would be wrong: it waits until that is settled."""
    return stored.asked_by_hand is not None and not emails.is_true_in(mail.mail, stored.asked_by_hand)


def _is_recorded_as_sent(stored: Stored, mail: OwedMail) -> bool:
    return any(e.type == EventType.EMAIL_SENT and e.data.get("queued_seq") == mail.queued_seq for e in stored.events)


def _key(mail: OwedMail) -> tuple[str, int]:
    return mail.job_id, mail.queued_seq
