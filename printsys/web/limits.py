"""How often one browser, and one address, may do what costs us something.

A campus is one address: somebody who floods there must not keep a class from submitting. So each browser is counted by
itself, with all that it sends. An address, which may have many browsers, is counted by what was taken from it.
"""

from __future__ import annotations

import math
import time
from functools import wraps
from typing import Any

from flask import Flask, Response, make_response, request
from flask.typing import RouteCallable
from limits import RateLimitItem, RateLimitItemPerHour
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter, RateLimiter
from werkzeug.exceptions import TooManyRequests

from printsys.web.services import EXTENSION
from printsys.web.sessions import browser_id

CHECK = "upload_check.check"
SUBMITTING = ("submit.send", CHECK, "confirm.resend", "resubmit.send")
"""Endpoints that share the limit SUBMIT_LIMIT, each with a count of its own."""
BROWSERS_AT_AN_ADDRESS = 10
"""An address may have what so many browsers may have."""
MOST_BROWSERS = 10_000
"""Counted at once. A flood of more is counted by address alone."""


class SubmitLimits:
    """Counts in the memory of the web process: a restart forgets."""

    def __init__(self, most_an_hour: int) -> None:
        self._of_browser = RateLimitItemPerHour(most_an_hour)
        self._of_address = RateLimitItemPerHour(most_an_hour * BROWSERS_AT_AN_ADDRESS)
        self._storage = MemoryStorage()
        self._browsers = FixedWindowRateLimiter(self._storage)
        self._addresses = FixedWindowRateLimiter(MemoryStorage())

    def limited(self, endpoint: str, view: RouteCallable) -> RouteCallable:
        @wraps(view)
        def counted(**values: Any) -> Response:
            if endpoint == CHECK and not request.files:  # of models that we remember
                return make_response(view(**values))
            browser, address = (endpoint, browser_id()), (endpoint, request.remote_addr or "")
            if len(self._storage.storage) >= MOST_BROWSERS:
                self._storage.reset()
            if not self._browsers.hit(self._of_browser, *browser):
                raise too_many(self._browsers, self._of_browser, *browser)
            if not self._addresses.test(self._of_address, *address):
                raise too_many(self._addresses, self._of_address, *address)
            answer = make_response(view(**values))
            if answer.status_code < 400:
                self._addresses.hit(self._of_address, *address)
            return answer

        return counted


def too_many(limiter: RateLimiter, item: RateLimitItem, *key: str) -> TooManyRequests:
    """With the seconds after which it is taken again."""
    wait_s = limiter.get_window_stats(item, *key).reset_time - time.time()
    return TooManyRequests(retry_after=max(1, math.ceil(wait_s)))


def init(app: Flask) -> None:
    """After the pages are registered."""
    most_an_hour = app.extensions[EXTENSION].settings.submit_limit
    if most_an_hour:
        limits = SubmitLimits(most_an_hour)
        for endpoint in SUBMITTING:
            app.view_functions[endpoint] = limits.limited(endpoint, app.view_functions[endpoint])
