"""How the e-mails are doing: how many wait, since when, why, and whether the worker runs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from printsys.domain.job import format_time
from printsys.domain.words import counted
from printsys.errors import MirrorDown
from printsys.ops import heartbeat
from printsys.ops.heartbeat import Heartbeat, Problem
from printsys.web.filters import ago, exact
from printsys.web.services import services

LATE = timedelta(minutes=30)
"""Staff hear of an e-mail that waits longer; the first few retries after a refusal come sooner."""


@dataclass(frozen=True)
class MailState:
    """`owed` None: the mirror is down. `heartbeat` None: no worker has ever run here."""

    now: datetime
    owed: int | None
    oldest: datetime | None
    heartbeat: Heartbeat | None
    outbox: str | None

    @property
    def is_working(self) -> bool:
        return self.heartbeat is not None and self.heartbeat.is_alive(self.now)

    @property
    def is_without_queue(self) -> bool:
        return self.is_working and self.heartbeat is not None and self.heartbeat.queue is None

    @property
    def is_late(self) -> bool:
        return self.oldest is not None and self.now - self.oldest > LATE

    @property
    def troubles(self) -> list[str]:
        """Sentences for staff, the gravest first."""
        sentences = []
        if not self.is_working:
            since = f" since {exact(self.heartbeat.at)}" if self.heartbeat else ""
            sentences.append(f"The worker has not been seen{since}: e-mails wait until it runs. None is lost.")
        elif self.is_without_queue:
            sentences.append(
                "The task queue (the Redis of REDIS_URL, or queue.db in the instance) is down: "
                "e-mails wait until it is back. None is lost."
            )
        elif self.heartbeat and self.heartbeat.trying:
            sentences.append(
                f"E-mail is delayed; the worker tries again. The last answer was: {self.heartbeat.trying[-1].words}"
            )
        elif self.is_late:
            sentences.append(f"The oldest e-mail has been waiting for {ago(self.oldest)}.")
        return sentences

    @property
    def given_up(self) -> tuple[Problem, ...]:
        """Jobs whose files the worker inspects only if somebody asks, each with the last error."""
        return self.heartbeat.sidelined if self.heartbeat else ()

    @property
    def summary(self) -> str:
        """One quiet line: what waits, and where e-mails go if not to students."""
        if self.owed is None:
            waits = "How many e-mails wait is unknown while the database is not available"
        elif self.owed:
            passed = ago(self.oldest)
            since = "" if passed == "just now" else f", the oldest for {passed}"
            waits = f"{counted(self.owed, 'e-mail waits', 'e-mails wait')} to be sent{since}"
        else:
            waits = "No e-mail waits"
        return f"{waits}."

    @property
    def at_work(self) -> str:
        """How many tasks the worker has before it, and how its last e-mail failed; empty where `troubles` says more."""
        beat = self.heartbeat
        if beat is None or beat.queue is None or not self.is_working:
            return ""
        tasks = counted(beat.queue, "task waits", "tasks wait") if beat.queue else "no task waits"
        text = f"The worker is running, {tasks} for it."
        if beat.error is None or beat.trying:
            return text
        return f"{text} The last e-mail did not go out ({exact(beat.error.at)}): {beat.error.words}"

    def as_json(self) -> dict[str, Any]:
        """For /healthz: public, so no names and no addresses."""
        beat = self.heartbeat
        error = beat.error if beat else None
        return {
            "owed": self.owed,
            "oldest_owed_at": _time(self.oldest),
            "queue": beat.queue if beat else None,
            "worker_seen_at": _time(beat.at if beat else None),
            "last_sent_at": _time(beat.sent_at if beat else None),
            "sidelined": len(self.given_up),
            "last_error": {"at": _time(error.at), "words": error.words} if error else None,
        }


def _time(moment: datetime | None) -> str | None:
    return format_time(moment) if moment else None


def mail_state() -> MailState:
    settings = services().settings
    try:
        owed, oldest = services().queries.mail_waiting()
    except MirrorDown:
        owed, oldest = None, None
    outbox = None if settings.mail else str(settings.instance / "outbox")
    return MailState(datetime.now(UTC), owed, oldest, heartbeat.read(settings), outbox)
