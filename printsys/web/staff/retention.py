"""What is due to be archived and to be pruned: first listed, then done, by the commands `archive` and `prune`.

Both run in processes of their own, so no page waits for 100,000 folders. What is done is the list that the page showed:
jobs that changed since stay, and those that have become due since are not in it.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime

from flask import Blueprint, abort, flash, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from printsys.actions.due_jobs import Task, due_before
from printsys.actions.pruning import prune_phrase
from printsys.domain.status import FINAL, Status
from printsys.domain.words import is_typed
from printsys.errors import MirrorDown, PrintSysError
from printsys.ops.backup_record import record_if_any, require_no_backup
from printsys.ops.command_runs import CommandRun
from printsys.web.auth import current_actor, login_required
from printsys.web.login_limits import login_limits
from printsys.web.services import services
from printsys.web.staff import archive as ended_jobs
from printsys.web.staff.due_lists import SHOWN, DueLists, ShownList
from printsys.web.staff.system import WRONG_PASSWORD, command_runs, is_refused

pages = Blueprint("retention", __name__, url_prefix="/dashboard/system/retention")
COMMANDS: dict[Task, tuple[str, ...]] = {"archive": ("archive",), "prune": ("prune", "--archived")}
DUE_FROM: dict[Task, tuple[Status, ...]] = {"archive": tuple(FINAL), "prune": (Status.ARCHIVED,)}
OUTDATED = (
    "That list has been used, or somebody made a new one meanwhile. Nothing was changed; please look at it again."
)
BUSY = "Somebody has started that already, and it still runs. Nothing else was started."
NEVER = "lab.toml says that nothing is pruned: its prune_days is 0."
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TaskState:
    """`due`: about how many, `3 jobs`; empty where there are none, None where nobody knows. `listing`, `run`: the last
    of each, with whether it still runs."""

    days: int
    due: str | None
    listing: tuple[CommandRun | None, bool]
    run: tuple[CommandRun | None, bool]
    shown: ShownList | None

    @property
    def is_running(self) -> bool:
        return self.listing[1] or self.run[1]


@pages.get("", strict_slashes=False)
@login_required
def show() -> ResponseReturnValue:
    return _page()


@pages.post("/list")
@login_required
def make_list() -> ResponseReturnValue:
    """`task`: archive or prune. It changes no job, so it asks for nothing."""
    task = _task(request.form.get("task", ""))
    if not _days(task):
        return _page(task, NEVER), 422
    options = ["--older-than", str(_days(task)), "--dry-run", "--save-list"]
    with command_runs().lock:
        if (refusal := _refusal(task)) is not None:
            return refusal
        try:
            path = DueLists(services().settings).new(task)
            has_started = command_runs().start(f"{task}-list", [*COMMANDS[task], *options, str(path)])
        except OSError as error:
            return _refused_by_computer(task, error)
    return _begun(task) if has_started else (_page(task, BUSY), 409)


@pages.post("/archive")
@login_required
def archive() -> ResponseReturnValue:
    """`list`: the key of the list that the page showed."""
    with command_runs().lock:
        return _carry_out("archive")


@pages.post("/prune")
@login_required
def prune() -> ResponseReturnValue:
    """`list`, `confirm`: the words, `password`."""
    if is_refused():
        return _page("prune", WRONG_PASSWORD), 422
    with command_runs().lock:
        answer = _carry_out("prune")
    return login_limits().note_right(make_response(answer))


def _carry_out(task: Task) -> ResponseReturnValue:
    if (refusal := _refusal(task)) is not None:
        return refusal
    key = request.form.get("list", "")
    shown = DueLists(services().settings).newest(task, _days(task))
    if shown is None or shown.key != key:
        return _page(task, OUTDATED), 409
    if not shown.summary.jobs:
        return _page(task, "Nothing is due. Nothing was changed."), 422
    typed = request.form.get("confirm", "")
    phrase = prune_phrase(shown.summary.jobs)
    if task == "prune" and not is_typed(phrase, typed):
        return _page(task, f"Nothing was pruned: please type “{phrase}”."), 422
    try:
        return _begin(task, key, ["--confirm", typed] if task == "prune" else [])
    except OSError as error:
        return _refused_by_computer(task, error)


def _begin(task: Task, key: str, options: list[str]) -> ResponseReturnValue:
    """OSError: the list is still there."""
    lists = DueLists(services().settings)
    taken = lists.take(task, key)
    if taken is None:
        return _page(task, OUTDATED), 409
    has_started = False
    try:
        arguments = [*COMMANDS[task], "--from-list", str(taken), "--actor", current_actor(), *options]
        has_started = command_runs().start(task, arguments, used_up=taken)
    finally:
        if not has_started:
            lists.put_back(taken)
    return _begun(task) if has_started else (_page(task, BUSY), 409)


def _task(name: str) -> Task:
    task = next((task for task in COMMANDS if task == name), None)
    return task or abort(400)


def _days(task: Task) -> int:
    """0: never."""
    retention = services().lab.retention
    return retention.days if task == "archive" else retention.prune_days


def _refusal(task: Task) -> ResponseReturnValue | None:
    """Why nothing can be begun at this moment."""
    if any(command_runs().is_running(name) for name in (task, f"{task}-list")):
        return _page(task, BUSY), 409
    try:
        services().store.require_online()
        if task == "prune":
            require_no_backup(services().settings)
    except PrintSysError as error:
        return _page(task, str(error)), 503
    return None


def _refused_by_computer(task: Task, error: OSError) -> ResponseReturnValue:
    logger.error("this computer could not begin %s: %s", task, error)
    return _page(task, f"This computer could not begin that: {error.strerror}. Nothing was changed."), 503


def _begun(task: Task) -> ResponseReturnValue:
    flash("It has begun. Its result shows here as soon as it is there.")
    return redirect(url_for("retention.show", _anchor=task), 303)


def _page(form: str = "", error: str = "") -> str:
    """`error`: why the form of that task was not carried out."""
    tasks = {task: _state(task) for task in COMMANDS}
    return render_template(
        "staff/retention.html",
        tasks=tasks,
        students=_students({job_id for state in tasks.values() if state.shown for job_id in state.shown.job_ids}),
        phrase=prune_phrase(tasks["prune"].shown.summary.jobs) if tasks["prune"].shown else "",
        backups=record_if_any(services().settings, services().lab),
        most=SHOWN,
        form=form,
        error=error,
        typed=request.form.get("confirm", ""),
    )


def _state(task: Task) -> TaskState:
    runs, days = command_runs(), _days(task)
    return TaskState(
        days=days,
        due=_due(task, days),
        listing=(runs.last(f"{task}-list"), runs.is_running(f"{task}-list")),
        run=(runs.last(task), runs.is_running(task)),
        shown=DueLists(services().settings).newest(task, days),
    )


def _due(task: Task, days: int) -> str | None:
    try:
        return ended_jobs.count_since(DUE_FROM[task], due_before(datetime.now(UTC), days)) if days else ""
    except MirrorDown:
        return None


def _students(job_ids: set[str]) -> dict[str, str]:
    try:
        return services().queries.students(job_ids) if job_ids else {}
    except MirrorDown:
        return {}
