"""Staff log in with one shared password and, if they like, their name."""

from __future__ import annotations

import functools
import hmac
from collections.abc import Callable
from typing import ParamSpec

from flask import Blueprint, abort, flash, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue

from printsys.credentials import api_tokens, staff_password
from printsys.domain.events import STAFF
from printsys.web.services import services

pages = Blueprint("auth", __name__)
P = ParamSpec("P")


def is_staff() -> bool:
    """Logged in with the current password: a new one ends every session of the old."""
    fingerprint = session.get("staff")
    if not isinstance(fingerprint, str):
        return False
    hashed = staff_password.current_hash(services().settings)
    return hashed is not None and hmac.compare_digest(fingerprint, staff_password.fingerprint(hashed))


def current_actor() -> str:
    """The actor of an event: `staff`, or `staff:Sam`."""
    name = session.get("who")
    return f"{STAFF}:{name}" if name else STAFF


def login_required(view: Callable[P, ResponseReturnValue]) -> Callable[P, ResponseReturnValue]:
    @functools.wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
        if is_staff():
            return view(*args, **kwargs)
        if request.path.startswith("/api/"):
            abort(401)
        return redirect(url_for("auth.login", next=request.full_path.rstrip("?") if request.method == "GET" else None))

    return guarded


def login_or_token_required(view: Callable[P, ResponseReturnValue]) -> Callable[P, ResponseReturnValue]:
    """For scripts: a staff session, or `Authorization: Bearer` with a token that `manage.py api-token` made."""

    @functools.wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
        header = request.authorization
        token = header.token if header is not None and header.type == "bearer" else None
        has_token = token is not None and api_tokens.is_good(services().settings, token)
        return view(*args, **kwargs) if is_staff() or has_token else abort(401)

    return guarded


@pages.get("/login")
def login() -> ResponseReturnValue:
    if is_staff():
        return redirect(_safe_next())
    return render_template("auth/login.html", next=request.args.get("next", ""))


@pages.post("/login")
def log_in() -> ResponseReturnValue:
    who = request.form.get("who", "")
    hashed = staff_password.current_hash(services().settings)
    if hashed is None or not staff_password.is_right(request.form.get("password", ""), hashed):
        error = "That is not the password."
        return render_template("auth/login.html", next=request.form.get("next", ""), error=error, who=who), 401
    session.clear()  # nothing that somebody planted in a session before the login outlives it
    session.permanent = True
    session["staff"] = staff_password.fingerprint(hashed)
    session["who"] = who if who in services().lab.about.staff else ""
    return redirect(_safe_next(), 303)


@pages.post("/logout")
def logout() -> ResponseReturnValue:
    session.clear()
    flash("You are logged out.")
    return redirect(url_for("auth.login"), 303)


@pages.get("/logout")
def ask_logout() -> ResponseReturnValue:
    return render_template("auth/logout.html")


def _safe_next() -> str:
    """Only a path of this site: `//elsewhere`, `/\\elsewhere` and `https://elsewhere` lead to the dashboard.

    Browsers drop tabs and line ends before they look, so a target with any is none.
    """
    target = request.values.get("next", "")
    is_local = target.startswith("/") and target[1:2] not in ("/", "\\") and target.isprintable()
    return target if is_local else url_for("dashboard.show")
