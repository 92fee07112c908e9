"""Staff log in with one shared password and, if they like, their name."""

from __future__ import annotations

import functools
import hmac
import logging
import secrets
from collections.abc import Callable
from typing import ParamSpec

from flask import (
    Blueprint,
    abort,
    current_app,
    flash,
    make_response,
    redirect,
    render_template,
    request,
    session,
    url_for,
)
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFError
from itsdangerous import BadSignature, URLSafeTimedSerializer

from printsys.credentials import api_tokens, staff_password
from printsys.credentials.ended_sessions import EndedSessions
from printsys.domain.events import STAFF
from printsys.web.login_limits import login_limits
from printsys.web.services import services

pages = Blueprint("auth", __name__)
logger = logging.getLogger(__name__)
ENDED = "ended_sessions"
CSRF, FORMER_CSRF = "csrf_token", "csrf_token_before_the_login"
P = ParamSpec("P")


def is_staff() -> bool:
    """Logged in with the current password, and not logged out since: a new password ends every session of the old."""
    fingerprint = session.get("staff")
    if not isinstance(fingerprint, str):
        return False
    hashed = staff_password.current_hash(services().settings)
    if hashed is None or not hmac.compare_digest(fingerprint, staff_password.fingerprint(hashed)):
        return False
    return not ended_sessions().has_ended(session.get("id", ""))


def ended_sessions() -> EndedSessions:
    ended: EndedSessions = current_app.extensions[ENDED]
    return ended


def staff_name() -> str | None:
    """Who acts in this browser, by a name of lab.toml; None while nobody has said so."""
    name = session.get("who")
    return name if name in services().lab.about.staff else None


def must_say_who() -> bool:
    """With names in lab.toml nothing is done by "staff", nor by a name that nobody chose."""
    return bool(services().lab.about.staff) and staff_name() is None


def current_actor(name: str | None = None) -> str:
    """The actor of an event: `staff`, or `staff:Sam`. `name`: of somebody else than this browser's, for one action."""
    name = name or staff_name()
    return f"{STAFF}:{name}" if name else STAFF


def login_required(view: Callable[P, ResponseReturnValue]) -> Callable[P, ResponseReturnValue]:
    @functools.wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
        if is_staff():
            return _ask_first() if must_say_who() else view(*args, **kwargs)
        if request.path.startswith("/api/"):
            abort(401)
        return redirect(url_for("auth.login", next=request.full_path.rstrip("?") if request.method == "GET" else None))

    return guarded


def _ask_first() -> ResponseReturnValue:
    """Names came into lab.toml, or this one went, after the login; or the login's question was passed over."""
    if request.method == "GET":
        return redirect(url_for("auth.ask_who", next=request.full_path.rstrip("?")))
    flash("Nothing is saved yet. Please say who you are, and do it again.", "error")
    return redirect(url_for("auth.ask_who"), 303)


def login_or_token_required(view: Callable[P, ResponseReturnValue]) -> Callable[P, ResponseReturnValue]:
    """For scripts: a staff session, or `Authorization: Bearer` with a token that `manage.py api-token` made."""

    @functools.wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
        header = request.authorization
        token = header.token if header is not None and header.type == "bearer" else None
        has_token = token is not None and api_tokens.is_good(services().settings, token)
        return view(*args, **kwargs) if is_staff() or has_token else abort(401)

    return guarded


def hash_if_right(password: str) -> str | None:
    """The hash in force, where `password` is the staff password. Each try counts: TooManyRequests slows guessing."""
    login_limits().count_try()
    hashed = staff_password.current_hash(services().settings)
    if hashed is not None and staff_password.is_right(password, hashed):
        return hashed
    login_limits().note_wrong()
    return None


def remember_password(hashed: str) -> None:
    """This session was opened with it, or goes on with it."""
    session["staff"] = staff_password.fingerprint(hashed)


@pages.get("/login")
def login() -> ResponseReturnValue:
    if is_staff():
        return redirect(_safe_next())
    return render_template("auth/login.html", next=request.args.get("next", ""))


@pages.post("/login")
def log_in() -> ResponseReturnValue:
    who = request.form.get("who", "")
    hashed = hash_if_right(request.form.get("password", ""))
    if hashed is None:
        error = "That is not the password."
        return render_template("auth/login.html", next=request.form.get("next", ""), error=error, who=who), 401
    former_csrf = session.get(CSRF)
    session.clear()  # nothing that somebody planted in a session before the login outlives it
    session[FORMER_CSRF] = former_csrf
    session.permanent = True
    remember_password(hashed)
    session["id"] = secrets.token_urlsafe(12)
    session["who"] = who if who in services().lab.about.staff else ""
    return login_limits().note_right(make_response(redirect(_safe_next(), 303)))


@pages.errorhandler(CSRFError)
def page_of_another_login(_error: CSRFError) -> ResponseReturnValue:
    """A login in another tab began a new session, or this page was open for long: neither is the person's mistake."""
    if request.endpoint == "auth.logout":
        return render_template("auth/logout.html"), 400
    if is_staff() and _is_of_the_session_before():
        return redirect(_safe_next(), 303)
    values = {"next": request.form.get("next", ""), "who": request.form.get("who", "")}
    return render_template("auth/login.html", error="Please type the password once more.", **values), 400


@pages.get("/who")
def ask_who() -> ResponseReturnValue:
    """Who acts in this browser from now on: asked once, and changed in the head of every page."""
    if not is_staff():
        return redirect(url_for("auth.login"))
    if not services().lab.about.staff:
        return redirect(_safe_next())
    return render_template("auth/who.html", next=request.args.get("next", ""))


@pages.post("/who")
def choose_who() -> ResponseReturnValue:
    if not is_staff():
        return redirect(url_for("auth.login"))
    who = request.form.get("who", "")
    if who not in services().lab.about.staff:
        error = "Please choose one of the names."
        return render_template("auth/who.html", next=request.form.get("next", ""), error=error), 422
    session["who"] = who
    return redirect(_safe_next(), 303)


@pages.post("/logout")
def logout() -> ResponseReturnValue:
    session_id = session.get("id")
    session.clear()
    flash("You are logged out.")
    if session_id is not None:
        try:
            ended_sessions().end(session_id, current_app.permanent_session_lifetime.total_seconds())
        except OSError as error:  # this browser forgets the session in any case
            logger.error("the end of a session cannot be stored: %s", error.strerror)
    return redirect(url_for("auth.login"), 303)


@pages.get("/logout")
def ask_logout() -> ResponseReturnValue:
    return render_template("auth/logout.html")


def _is_of_the_session_before() -> bool:
    """Whether the form's token was good until another tab of this browser logged in."""
    serializer = URLSafeTimedSerializer(services().settings.secret_key, salt="wtf-csrf-token")  # as Flask-WTF signs it
    try:
        token = serializer.loads(request.form.get("csrf_token", ""))
    except BadSignature:
        return False
    former = session.get(FORMER_CSRF)
    return isinstance(former, str) and hmac.compare_digest(str(token), former)


def _safe_next() -> str:
    """Only a path of this site: `//elsewhere`, `/\\elsewhere` and `https://elsewhere` lead to where staff begin.

    A proxy may have put this site below a path, which `next` does not have. Browsers drop tabs and line ends before
    they look, so a target with any is none.
    """
    target = request.values.get("next", "")
    is_local = target.startswith("/") and target[1:2] not in ("/", "\\") and target.isprintable()
    return request.script_root + target if is_local else url_for("today.show")
