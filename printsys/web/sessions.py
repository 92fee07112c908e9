"""The browser's session: when its cookie is written anew, and which browser it is."""

from __future__ import annotations

from flask import Flask, request, session
from flask.sessions import SecureCookieSessionInterface, SessionMixin

from printsys.web.static_files import OF_BOOTSTRAP, OWN


class SteadySessions(SecureCookieSessionInterface):
    """What a page fetches beside itself, a picture too, writes the cookie only where it changes the session.

    A style sheet or script never does, and caches keep it: by its name, since browsers do not say what they fetch where
    the connection is plain http.

    Each page that a person opens writes it, so that the session lasts from there. An answer that began before another
    one, and comes after it, would bring back the older session: without the message of an action, say.
    """

    def should_set_cookie(self, app: Flask, session: SessionMixin) -> bool:
        if request.endpoint in (OWN, OF_BOOTSTRAP):
            return False
        if request.headers.get("Sec-Fetch-Dest", "document") != "document":  # https://www.w3.org/TR/fetch-metadata/
            return session.modified
        return super().should_set_cookie(app, session)


def browser_id() -> str:
    """Of this request. An address may be a whole campus, so each browser is counted by itself."""
    return str(session.get("csrf_token", ""))
