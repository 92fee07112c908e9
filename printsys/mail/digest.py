"""The lab's morning e-mail, once a day for each recipient, however many workers run and however often they start.

`.printsys/digest.json` has the day of the last one and who got it, so that all computers of the lab agree. The one
exception is that of every e-mail: a process that dies between the server's 250 and that note sends it again, with the
same Message-ID.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from email.message import EmailMessage
from functools import partial

from printsys.config import Settings
from printsys.config.lab import DigestTable
from printsys.domain.digest import WEEK, Digest, LateJob, late_jobs, waiting_groups
from printsys.domain.events import EventType
from printsys.domain.job import Job
from printsys.domain.status import LIVE
from printsys.errors import MirrorDown
from printsys.jobstore import JobStore, Stored
from printsys.jobstore.digest_note import LastDigest, last_digest, note_digest
from printsys.jobstore.visits import visit
from printsys.mail.headers import MailNotSendable
from printsys.mail.messages import MailComposer
from printsys.mail.sender import without_addresses
from printsys.mail.smtp import Outcome, PermanentFailure, Sent, TemporaryFailure, deliver
from printsys.mail.templates import one_line
from printsys.ops.backup_record import record_if_any
from printsys.ops.backup_trouble import backup_trouble
from printsys.ops.heartbeat import Problem
from printsys.services import Services
from printsys.texts import date_text

MOST_LISTED = 25
"""Jobs, or items, of each part of the e-mail; of more it gives the number."""
MOST_READ = 2000
WEEK_LASTS, DAY_LASTS = timedelta(days=7), timedelta(days=1)
LOCK_PATIENCE_S = 30.0
"""As for a job's e-mail: longer than one to a slow server takes."""
logger = logging.getLogger(__name__)


class DigestSender:
    def __init__(
        self,
        services: Services,
        composer: MailComposer,
        send: Callable[[EmailMessage, Settings], Outcome] = deliver,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.services, self.composer, self.send, self.clock = services, composer, send, clock
        self.error: Problem | None = None

    def send_if_due(self) -> None:
        """Send today's to whoever has not got it. JobBusy, StorageFailure, StorageOffline."""
        table, now = self.services.lab.digest, self.clock()
        if table is None or not self._is_due(table, now) or not self._recipients_left(table, now):
            return
        with self.services.store.locked("digest", LOCK_PATIENCE_S):
            for recipient in self._recipients_left(table, now):
                if not self._deliver(table, recipient, now):
                    return

    def _is_due(self, table: DigestTable, now: datetime) -> bool:
        local = now.astimezone(self.composer.zone)
        return table.is_day(local.date()) and local.hour >= table.hour

    def _recipients_left(self, table: DigestTable, now: datetime) -> list[str]:
        recipients = list(dict.fromkeys(table.recipients or [self.services.lab.about.contact_email]))
        last, today = self._last(now), self.services.lab.today(now)
        if last is None or last.day < today:
            return recipients
        return [address for address in recipients if address not in last.done] if last.day == today else []

    def _last(self, now: datetime) -> LastDigest | None:
        """None, too, where it is of a day beyond tomorrow: a clock was ahead."""
        last = last_digest(self.services.store)
        return last if last is None or last.day <= self.services.lab.today(now) + DAY_LASTS else None

    def _deliver(self, table: DigestTable, recipient: str, now: datetime) -> bool:
        """Whether it is settled for `recipient`; otherwise a later call tries again."""
        today, last = self.services.lab.today(now), self._last(now)
        if last is None or last.day != today:
            last = LastDigest(day=today, at=now, since=last.at if last is not None else now - DAY_LASTS)
        digest = collect(self.services, today, last.since, now, table.sums_up_the_week(today))
        try:
            outcome = self.send(digest_message(self.composer, digest, recipient), self.services.settings)
        except MailNotSendable as error:
            outcome = PermanentFailure(str(error))
        if isinstance(outcome, Sent):
            self.error = None
            logger.info("the digest of %s is sent", today)
        else:
            self.error = Problem(now, f"The morning e-mail: {without_addresses(outcome.words)}")
            logger.warning("the digest of %s: %s, %s", today, type(outcome).__name__, self.error.words)
        if isinstance(outcome, TemporaryFailure):
            return False
        note_digest(self.services.store, last.model_copy(update={"done": (*last.done, recipient)}))
        return True


# -- what it says -----------------------------------------------------------------------------------------------------


def collect(services: Services, day: date, since: datetime, now: datetime, sums_up_the_week: bool) -> Digest:
    """From the mirror or, while that is down, from the folders, which do not tell of ended jobs and of attention. This
    computer's backups are known either way."""
    collect_after = services.lab.patience.collect
    try:
        jobs = [row.job for status in LIVE for row in services.queries.jobs(status, "", MOST_READ, 0, True)]
        arrived = _arrived(services, since)
        attention = [item.sentence for item in services.queries.attention()]
        week = _week(services, now) if sums_up_the_week else None
    except MirrorDown:
        jobs, attention, week = _jobs_in_folders(services.store), None, None
        arrived = sorted((job for job in jobs if job.created_at > since), key=lambda job: job.created_at)
    late = late_jobs(jobs, now, day, collect_after)
    trouble = backup_trouble(services.lab, record_if_any(services.settings, services.lab), now)
    backups = trouble.sentence if trouble is not None else None
    return Digest(day, since, waiting_groups(jobs), late, arrived, attention, week, backups)


def _arrived(services: Services, since: datetime) -> list[Job]:
    happenings = services.queries.happened(since, {EventType.JOB_CREATED}, MOST_READ)
    rows = [services.queries.job(happening.job_id) for happening in reversed(happenings)]
    return [row.job for row in rows if row is not None]


def _week(services: Services, now: datetime) -> dict[str, int]:
    counts = services.queries.count_happened(now - WEEK_LASTS, frozenset[EventType]().union(*WEEK.values()))
    return {words: sum(counts[kind] for kind in kinds) for words, kinds in WEEK.items()}


def _jobs_in_folders(store: JobStore) -> list[Job]:
    visits = [visit(store, job_id, partial(store.load, job_id)) for job_id, _folder in list(store.ids(LIVE))]
    return [stored.job for stored in visits if isinstance(stored, Stored)]


def digest_message(composer: MailComposer, digest: Digest, to: str) -> EmailMessage:
    """MailNotSendable where `to` is no address."""
    base_url = composer.settings.base_url
    values = {
        "lab": composer.lab.about,
        "digest": digest,
        "day": date_text(digest.day),
        "since": composer.date_and_time(digest.since),
        "most": MOST_LISTED,
        "late_words": partial(late_words, composer),
        "title_of": title_of,
        "date": composer.date,
        "dashboard": f"{base_url}/dashboard",
    }
    subject, text, html = composer.templates.render("digest", values)
    message = composer.empty_message(to, subject, composer.lab.about.name)
    recipient = hashlib.sha256(to.encode()).hexdigest()[:8]
    message["Message-ID"] = f"<digest.{digest.day}.{recipient}@{composer.domain}>"
    message.set_content(text, cte="quoted-printable")
    message.add_alternative(html, subtype="html", cte="quoted-printable")
    return message


def title_of(job: Job) -> str:
    """`Jane Doe, bracket v2.stl`."""
    titles: Sequence[str] = [one_line(file.title) for file in job.sent_files]
    more = f" and {len(titles) - 1} more" if len(titles) > 1 else ""
    return ", ".join(filter(None, [one_line(job.student.name), f"{titles[0]}{more}" if titles else ""]))


def late_words(composer: MailComposer, late: LateJob) -> str:
    if isinstance(late.since, datetime):
        moment = composer.date_and_time(late.since)
        words = {
            "should be done": f"should be done since {moment}",
            "has no answer": f"has no answer, and the link ran out on {moment}",
            "is not collected": f"is done since {moment} and not collected",
        }
        return words[late.reason]
    return f"was due on {date_text(late.since)}"
