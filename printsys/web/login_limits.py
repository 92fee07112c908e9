"""Slows the guessing of the staff password without locking out those who know it.

A campus is one address: somebody who guesses there must not keep the lab's own browsers out. So a browser that has
logged in here before carries a signed cookie and is counted by itself; all others are counted by address and, because
guesses can come from many addresses, all together.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections import deque

from flask import Response, current_app, request
from itsdangerous import BadSignature, URLSafeTimedSerializer
from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from printsys.services import Services
from printsys.web.limits import too_many

EXTENSION = "login_limits"
BY_ONE = parse("10 per minute")
"""From one address, or by one browser that is known here."""
BY_ALL_STRANGERS = (parse("60 per minute"), parse("300 per hour"))
NOTED_FROM = 10
"""So many wrong passwords in an hour are no slips of staff's fingers any more."""
HOUR_S = 3600.0
DEVICE_COOKIE = "printsys_device"
DEVICE_S = 365 * 24 * 3600
MOST_REMEMBERED = 10_000
logger = logging.getLogger(__name__)


class LoginLimits:
    """Counts in the memory of the web process: a restart forgets."""

    def __init__(self, services: Services) -> None:
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._devices = URLSafeTimedSerializer(services.settings.secret_key, salt="device")
        self._wrong: deque[tuple[float, str]] = deque(maxlen=MOST_REMEMBERED)

    def count_try(self) -> None:
        """TooManyRequests, with the seconds to wait, when there were too many. Counted first, so that tries at the same
        moment do not slip through together."""
        for item, key in self._buckets():
            if not self._limiter.hit(item, key):
                raise too_many(self._limiter, item, key)

    def note_wrong(self) -> None:
        """Into the log, and for the note on the dashboard."""
        self._wrong.append((time.monotonic(), request.remote_addr or ""))
        count, _addresses = self.wrong_in_the_last_hour()
        logger.warning("a wrong staff password from %s, %d in the last hour", request.remote_addr, count)

    def note_right(self, response: Response) -> Response:
        """The tries before it were slips; from now on this browser is known."""
        for item, key in self._buckets():
            if item is BY_ONE:
                self._limiter.clear(item, key)
        if self._device() is None:
            response.set_cookie(
                DEVICE_COOKIE,
                self._devices.dumps(secrets.token_urlsafe(12)),
                max_age=DEVICE_S,
                secure=current_app.config["SESSION_COOKIE_SECURE"],
                httponly=True,
                samesite="Lax",
            )
        return response

    def wrong_in_the_last_hour(self) -> tuple[int, int]:
        """How many wrong passwords, and from how many addresses."""
        recent = [address for at, address in self._wrong.copy() if time.monotonic() - at < HOUR_S]
        return len(recent), len(set(recent))

    @property
    def warning(self) -> str | None:
        """For staff; None while there is nothing to say."""
        count, addresses = self.wrong_in_the_last_hour()
        if count < NOTED_FROM:
            return None
        sources = "one address" if addresses == 1 else f"{addresses} addresses"
        return f"Somebody is guessing the staff password: {count} wrong ones in the last hour, from {sources}."

    def _buckets(self) -> list[tuple[RateLimitItem, str]]:
        device = self._device()
        if device is not None:
            return [(BY_ONE, f"device {device}")]
        return [(BY_ONE, f"address {request.remote_addr}"), *((item, "strangers") for item in BY_ALL_STRANGERS)]

    def _device(self) -> str | None:
        """The id of a browser that logged in here before; None for any other."""
        try:
            return str(self._devices.loads(request.cookies.get(DEVICE_COOKIE, ""), max_age=DEVICE_S))
        except BadSignature:
            return None


def login_limits() -> LoginLimits:
    limits: LoginLimits = current_app.extensions[EXTENSION]
    return limits
