"""The one place where an error becomes a page, or JSON for scripts."""

from __future__ import annotations

import math
from dataclasses import dataclass

from flask import Flask, Response, jsonify, render_template, request
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException, TooManyRequests

from printsys import errors as e
from printsys.domain.status import in_words
from printsys.ops.disk_space import shortages
from printsys.web.auth import is_staff
from printsys.web.login_limits import login_limits
from printsys.web.missing_jobs import MissingJob, find_missing_job
from printsys.web.services import services
from printsys.web.staff.job_page import request_facts


@dataclass(frozen=True)
class ErrorPage:
    """How an error looks: HTTP status, headline, what to do next."""

    code: int
    title: str
    advice: str = ""
    is_private: bool = False
    """Whether its sentence (paths, files) is for staff alone; others get the advice."""


ERROR_PAGES: dict[type[e.PrintSysError], ErrorPage] = {
    e.TokenInvalid: ErrorPage(404, "This link does not work"),
    e.TokenExpired: ErrorPage(410, "This link has expired"),
    e.TokenUsed: ErrorPage(410, "This link is no longer needed"),
    e.JobNotFound: ErrorPage(404, "There is no such job"),
    e.StaleJob: ErrorPage(409, "Somebody else changed this job"),
    e.TransitionNotAllowed: ErrorPage(409, "That is not possible now"),
    e.InvalidInput: ErrorPage(422, "Something is missing"),
    e.FileRefused: ErrorPage(422, "We cannot take this file"),
    e.DamagedJob: ErrorPage(409, "This job's record needs a person", "Nothing is lost. Please write to the lab.", True),
    e.JobBusy: ErrorPage(503, "This job is busy", "Please go back and try again in a moment."),
    e.StorageOffline: ErrorPage(
        503, "The storage is offline", "Nothing is lost. Please try again in a few minutes.", True
    ),
    e.StorageFailure: ErrorPage(
        503, "The storage reported an error", "Please try again; if it happens again, tell the lab."
    ),
    e.QueryTimeout: ErrorPage(503, "That takes too long"),
    e.FoldersNotRead: ErrorPage(503, "These numbers are not complete yet"),
    e.MirrorDown: ErrorPage(503, "The database is not available", "Please try again in a moment."),
}
MISSING_JOB = ErrorPage(
    404, "This job's folder is not there at the moment", "Look in the storage's folders and in the recycle bin for it."
)
MISSING_FOR_STUDENTS = ErrorPage(
    404,
    "We cannot show your request at the moment",
    "The lab cannot find its folder right now. Please try again later, or write to the lab. Do not send it again.",
)
OFFLINE = "Our storage is offline at the moment. Nothing is lost; everything resumes when it is back."
HTTP_ERROR_PAGES = {
    400: ErrorPage(400, "We did not understand that", "Please go back, reload the page, and try again."),
    404: ErrorPage(404, "There is nothing here", "Please check the address, or start from the beginning."),
    405: ErrorPage(405, "That is not how this page works"),
    413: ErrorPage(413, "That is too much at once", "Please send smaller files, or fewer. Nothing was stored."),
    429: ErrorPage(429, "Too many tries"),
    500: ErrorPage(
        500, "Something went wrong on our side", "The error is in the lab's log. Nothing of yours was changed halfway."
    ),
}
OPEN_TOO_LONG = ErrorPage(400, "This page was open for too long", "Please go back, reload the page, and send it again.")


def init(app: Flask) -> None:
    app.register_error_handler(e.PrintSysError, _expected)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(CSRFError, open_too_long_page)
    app.context_processor(_banners)


def _banners() -> dict[str, list[str]]:
    """Every page says that storage is offline, so the form does before it is filled in; staff pages name full disks and
    guessed passwords."""
    try:
        services().store.require_online()
    except e.StorageOffline:
        return {"banners": [OFFLINE]}
    if not is_staff():
        return {"banners": []}
    warning = login_limits().warning
    low_disks = shortages(services().settings, services().lab)
    return {"banners": [*([warning] if warning else []), *(disk.sentence for disk in low_disks)]}


def error_page(error: e.PrintSysError) -> ErrorPage:
    return next((ERROR_PAGES[kind] for kind in type(error).__mro__ if kind in ERROR_PAGES), HTTP_ERROR_PAGES[500])


def _expected(error: e.PrintSysError) -> ResponseReturnValue:
    missing = find_missing_job(error.job_id) if isinstance(error, e.JobNotFound) else None
    if missing is not None:
        return _missing(missing)
    page = error_page(error)
    return _answer(page, page.advice if page.is_private and not is_staff() else str(error))


def _missing(missing: MissingJob) -> ResponseReturnValue:
    if not is_staff() and not request.path.startswith("/api/"):
        return _answer(MISSING_FOR_STUDENTS, MISSING_FOR_STUDENTS.advice)
    if _wants_json():
        return _answer(MISSING_JOB, missing.sentence)
    facts = request_facts(missing.job, services().lab) if missing.job else []
    page = render_template("staff/job_missing.html", missing=missing, error_page=MISSING_JOB, request_facts=facts)
    return page, MISSING_JOB.code


def _http(error: HTTPException) -> ResponseReturnValue:
    if error.code is not None and error.code < 400:
        return error.get_response()
    page = HTTP_ERROR_PAGES.get(error.code or 500, ErrorPage(error.code or 500, error.name))
    advice = _when_to_try_again(error) if isinstance(error, TooManyRequests) else page.advice
    body, code = _answer(page, advice or error.description or "")
    response = error.get_response() if error.code in (401, 405, 429) else None
    headers = {k: v for k, v in response.headers if k in ("Allow", "Retry-After")} if response else {}
    return body, code, headers


def _when_to_try_again(error: TooManyRequests) -> str:
    wait_s = error.retry_after if isinstance(error.retry_after, int) else 60
    wait = "a minute" if wait_s <= 60 else f"{math.ceil(wait_s / 60)} minutes"
    return f"Please wait {wait} and try again."


def open_too_long_page(_error: CSRFError) -> ResponseReturnValue:
    """For a form that was open longer than its token is good for. Pages that keep what people typed handle the error
    themselves (see web/student/submit.py)."""
    return _answer(OPEN_TOO_LONG, OPEN_TOO_LONG.advice)


def _wants_json() -> bool:
    return request.path.startswith("/api/") or request.accept_mimetypes.best == "application/json"


def _answer(page: ErrorPage, message: str) -> tuple[Response | str, int]:
    if request.path.startswith("/api/"):  # a script sends a status as the API has it, and not in a person's words
        return jsonify(error=page.title, message=message), page.code
    message = in_words(message)
    if _wants_json():
        return jsonify(error=page.title, message=message), page.code
    return render_template("errors/error.html", error_page=page, message=message), page.code
