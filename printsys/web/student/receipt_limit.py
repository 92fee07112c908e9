"""Whoever submits can type anybody's address, and cause e-mails to it and to the lab: no mailbox is filled that way.

The step itself is always taken. What staff cause is never held up.
"""

from __future__ import annotations

from typing import cast

from flask import current_app
from limits import RateLimitItemPerHour
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from printsys.services import Services
from printsys.web.limits import too_many

EXTENSION = "receipt_limit"


class ReceiptLimit:
    """lab.toml's `most_receipts_an_hour` to one address; off where SUBMIT_LIMIT is 0. Counted in this process."""

    def __init__(self, services: Services) -> None:
        self._is_off = services.settings.submit_limit == 0
        self._most = RateLimitItemPerHour(services.lab.mail.most_receipts_an_hour)
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    def may_send(self, address: str) -> bool:
        """Whether one more e-mail that a student causes may go to `address`; it counts as sent."""
        return self._is_off or self._limiter.hit(self._most, _mailbox(address))

    def require(self, address: str) -> None:
        """The same, or TooManyRequests."""
        if not self.may_send(address):
            raise too_many(self._limiter, self._most, _mailbox(address))


def _mailbox(address: str) -> str:
    """Without what follows a plus sign: most servers put `jane+x@` into the mailbox of `jane@`."""
    user, _, domain = address.casefold().rpartition("@")
    return f"{user.partition('+')[0]}@{domain}"


def receipt_limit() -> ReceiptLimit:
    return cast(ReceiptLimit, current_app.extensions[EXTENSION])
