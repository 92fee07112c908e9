"""The system itself: whether its parts run, and what staff would otherwise need a terminal for.

Each button does what a command of manage.py does, by the same function or by the command itself. Whatever changes
something asks for the password again; a wrong one counts as at the login.
"""

from __future__ import annotations

import logging
import os
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.metadata import version

from flask import Blueprint, current_app, flash, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from printsys.config import load_lab
from printsys.credentials import staff_password
from printsys.errors import ConfigError, MirrorDown, PrintSysError
from printsys.jobstore.calendar_link import drop_calendar_secret, renew_calendar_secret
from printsys.mail.trial import send_test_email
from printsys.ops import heartbeat
from printsys.ops.backup_record import backup_folder
from printsys.ops.command_runs import CommandRun, CommandRuns
from printsys.ops.disk_space import RATE_WEEKS, Growth, growth
from printsys.ops.program_version import program_version
from printsys.ops.restart_requests import request_restart
from printsys.ops.shutdown import SUPERVISED
from printsys.ops.upgrade_check import read_check
from printsys.web import calendar_feed
from printsys.web.auth import hash_if_right, login_required, remember_password
from printsys.web.health import states
from printsys.web.login_limits import login_limits
from printsys.web.measures import Measures, measures
from printsys.web.services import services
from printsys.web.staff.mail_state import MailState, mail_state

pages = Blueprint("system", __name__, url_prefix="/dashboard/system")
EXTENSION = "command_runs"
PARTS = {"web": "The pages", "index": "The indexer", "work": "The worker"}
"""That the supervisor can start again, by the name that it has for each."""
PACKAGES = ("Flask", "SQLAlchemy", "pydantic", "huey", "trimesh")
WRONG_PASSWORD = "That is not the staff password."
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class PartLine:
    """`state`: ok, or what is wrong in a word or two. `about`: what it is for, or what is the matter. `seen_at`: its
    last sign of life. `restart`: its name for the supervisor. `well`: the word for ok."""

    title: str
    state: str
    about: str
    seen_at: datetime | None = None
    restart: str | None = None
    well: str = "runs"


@pages.get("", strict_slashes=False)
@login_required
def show() -> ResponseReturnValue:
    return _page()


@pages.post("/password")
@login_required
def password() -> ResponseReturnValue:
    """`password`, the one that holds; `chosen` and `repeated`, the new one."""
    if is_refused():
        return _page("password", WRONG_PASSWORD), 422
    if services().settings.staff_password_hash is not None:
        return _page(), 422
    try:
        staff_password.change(services().settings, request.form.get("chosen", ""), request.form.get("repeated", ""))
    except PrintSysError as error:
        return _page("password", str(error)), 422
    except OSError as error:
        return _refused_by_computer(error, "store the new password")
    hashed = staff_password.current_hash(services().settings)
    if hashed is not None:
        remember_password(hashed)
    flash("The staff password is changed. Everybody else has to log in with the new one.")
    return _done()


@pages.post("/test-mail")
@login_required
def test_mail() -> ResponseReturnValue:
    """`password`, `address`."""
    if is_refused():
        return _page("test-mail", WRONG_PASSWORD), 422
    part = services()
    try:
        is_sent, sentence = send_test_email(
            part.settings, part.lab, part.tokens, request.form.get("address", "").strip()
        )
    except PrintSysError as error:
        return _page("test-mail", str(error)), 422
    if not is_sent:
        return _page("test-mail", sentence), 422
    flash(sentence)
    return _done()


@pages.post("/backup")
@login_required
def backup() -> ResponseReturnValue:
    """`password`."""
    folder = backup_folder(services().settings, services().lab)
    if folder is None or is_refused():
        return _page("backup", WRONG_PASSWORD if folder else "There is no folder for backups yet."), 422
    return _start("backup", ["backup", str(folder)], "The backup has begun.")


@pages.post("/check")
@login_required
def check() -> ResponseReturnValue:
    """It changes nothing, so it asks for nothing."""
    return _start("check", ["check"], "The check has begun.")


@pages.post("/upgrade-check")
@login_required
def upgrade_check() -> ResponseReturnValue:
    """Asks the place from which the program came, over the network, and changes nothing."""
    return _start("upgrade-check", ["upgrade", "--check"], "The question is on its way.")


@pages.post("/calendar")
@login_required
def calendar() -> ResponseReturnValue:
    """`password`; `off` makes the link useless, without a new one."""
    if is_refused():
        return _page("calendar", WRONG_PASSWORD), 422
    try:
        (drop_calendar_secret if request.form.get("off") else renew_calendar_secret)(services().store)
    except PrintSysError as error:
        return _page("calendar", str(error)), 422
    flash("The calendar's link is off." if request.form.get("off") else "There is a new link; an old one is useless.")
    return _done()


@pages.post("/restart")
@login_required
def restart() -> ResponseReturnValue:
    """`password`, `part`."""
    part = request.form.get("part", "")
    if part not in PARTS or not _is_supervised():
        return _page("restart", "That part cannot be started from here."), 422
    if is_refused():
        return _page("restart", WRONG_PASSWORD), 422
    try:
        load_lab(services().settings.lab_config)
    except ConfigError as error:
        return _page("restart", f"Nothing was started again: it could not start. {error}"), 422
    try:
        request_restart(services().settings.instance, part)
    except OSError as error:
        return _refused_by_computer(error, "start that part again")
    flash(f"{PARTS[part]} will be back in a few seconds.")
    answer = _done()
    if part != "web":
        return answer
    # The browser must not follow at once: nobody would answer it.
    return login_limits().note_right(make_response(render_template("staff/system_restart.html")))


def command_runs() -> CommandRuns:
    runs: CommandRuns = current_app.extensions[EXTENSION]
    return runs


def is_refused() -> bool:
    """Whether the form's `password` is not the staff password. TooManyRequests."""
    return hash_if_right(request.form.get("password", "")) is None


def _done() -> ResponseReturnValue:
    return login_limits().note_right(make_response(redirect(url_for("system.show"), 303)))


def _refused_by_computer(error: OSError, task: str) -> ResponseReturnValue:
    """Its disk is full, or it has no room for another process."""
    logger.error("this computer could not %s: %s", task, error)
    return _page("", f"This computer could not {task}: {error.strerror}."), 503


def _start(name: str, arguments: list[str], sentence: str) -> ResponseReturnValue:
    try:
        has_started = command_runs().start(name, arguments)
    except OSError as error:
        return _refused_by_computer(error, "begin that")
    if has_started:
        flash(f"{sentence} Its result shows here as soon as it is there.")
    else:
        flash("It runs already.")
    return redirect(url_for("system.show", _anchor=name), 303)


def _is_supervised() -> bool:
    """Whether `manage.py run` keeps the parts running."""
    return bool(os.environ.get(SUPERVISED))


def _page(form: str = "", error: str = "") -> str:
    """`error`: why the form of that name was not carried out."""
    settings, mail = services().settings, mail_state()
    measured = measures(mail)
    return render_template(
        "staff/system.html",
        parts=_parts(mail, measured),
        measured=measured,
        growth=_growth(measured),
        is_supervised=_is_supervised(),
        backup_folder=backup_folder(settings, services().lab),
        outbox=None if settings.mail else settings.instance / "outbox",
        is_password_set_elsewhere=settings.staff_password_hash is not None,
        min_length=staff_password.MIN_LENGTH,
        runs={name: _shown(name) for name in ("check", "backup", "upgrade-check")},
        versions=_versions(),
        last_upgrade_check=read_check(settings.instance),
        calendar_link=calendar_feed.link(),
        form=form,
        error=error,
        address=request.form.get("address", ""),
    )


def _shown(name: str) -> tuple[CommandRun | None, bool]:
    """The last run of a command, and whether it still runs."""
    return command_runs().last(name), command_runs().is_running(name)


def _growth(measured: Measures) -> Growth | None:
    """Of the storage; None where it is not known."""
    disk = next((disk for disk in measured.disks if disk.key == "storage"), None)
    if disk is None:
        return None
    try:
        sizes = services().queries.bytes_by_day(measured.at - timedelta(weeks=RATE_WEEKS + 1))
    except MirrorDown:
        return None
    return growth(disk.free, sizes, measured.at.date())


def _parts(mail: MailState, measured: Measures) -> list[PartLine]:
    settings = services().settings
    state = states(mail, measured)
    indexer = heartbeat.read_indexer(settings)
    trouble = (indexer.problem or indexer.watch_problem or "") if indexer else ""
    return [
        PartLine("The pages", "ok", "what you see here", datetime.now(UTC), "web"),
        PartLine(
            "The indexer",
            state["indexer"] if state["indexer"] != "ok" else state["watching"],
            trouble or "notices what you do in the folders",
            indexer.at if indexer else None,
            "index",
        ),
        PartLine(
            "The worker",
            state["worker"],
            "sends e-mails and reads files",
            mail.heartbeat.at if mail.heartbeat else None,
            "work",
        ),
        PartLine("The database", state["database"], "makes lists and searches fast; the folders can rebuild it"),
        PartLine("The storage", state["storage"], str(settings.storage), well="is there"),
    ]


def _versions() -> list[tuple[str, str]]:
    try:
        database, schema = services().queries.server_version(), services().queries.schema_version()
    except MirrorDown:
        database = schema = "not available"
    packages = [(package, version(package)) for package in PACKAGES]
    program = [("This program", program_version()), ("Python", sys.version.split()[0])]
    return [*program, ("PostgreSQL", database), ("Its tables", schema), *packages]
