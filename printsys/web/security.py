"""The headers of every answer, and the size of what a request may bring."""

from __future__ import annotations

import tempfile
from typing import Any

from flask import Flask, Request, Response, request

from printsys.web.services import EXTENSION, services

POLICY = "; ".join([
    "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' data:", "font-src 'self'",
    "connect-src 'self'", "media-src 'self'", "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'",
    "object-src 'none'",
])  # fmt: skip
PUBLIC_CACHE = ("static", "bootstrap.static")
SPOOL_BYTES = 256 * 1024


class CappedFile(tempfile.SpooledTemporaryFile):  # type: ignore[type-arg]
    """An uploaded file on its way to disk. It drops what comes after `cap` bytes and sets `too_large`."""

    def __init__(self, cap: int) -> None:
        super().__init__(max_size=SPOOL_BYTES, mode="w+b")
        self.cap, self.received, self.too_large = cap, 0, False

    def write(self, data: Any) -> int:
        self.received += len(data)
        if self.received > self.cap:
            self.too_large = True
            return len(data)
        return super().write(data)


def init(app: Flask) -> None:
    cap = app.extensions[EXTENSION].lab.submission.max_file_bytes

    class LimitedRequest(Request):
        def _get_file_stream(self, *_: Any, **__: Any) -> CappedFile:
            return CappedFile(cap)

    app.request_class = LimitedRequest
    app.after_request(_add_headers)


def _add_headers(response: Response) -> Response:
    headers = response.headers
    headers.setdefault("Content-Security-Policy", POLICY)
    headers["X-Content-Type-Options"] = "nosniff"
    headers.setdefault("X-Frame-Options", "DENY")
    # Links with tokens must not leak to where a page leads.
    headers["Referrer-Policy"] = "same-origin"
    headers["Permissions-Policy"] = "camera=(), microphone=(), geolocation=(), payment=()"
    headers["Cross-Origin-Opener-Policy"] = "same-origin"
    # By the address that the world uses: a proxy in front of us may speak https to it and http to us.
    if services().settings.base_url.startswith("https://"):
        headers["Strict-Transport-Security"] = "max-age=31536000"
    if request.endpoint not in PUBLIC_CACHE:
        headers.setdefault("Cache-Control", "no-store")
    return response
