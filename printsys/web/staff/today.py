"""Today, where staff land: what needs them in six short groups, the printers, and what has happened meanwhile."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from flask import Blueprint, make_response, render_template, request, url_for
from flask.typing import ResponseReturnValue

from indexer.attention import AttentionItem
from indexer.job_filter import JobFilter
from indexer.queries import STUDENTS_ANSWERS, RecentEvent
from printsys.domain.events import Event, EventType
from printsys.domain.status import LIVE, Status
from printsys.errors import MirrorDown
from printsys.jobstore import Stored
from printsys.web import lab_day
from printsys.web.auth import login_required
from printsys.web.services import services
from printsys.web.staff.attention import open_items
from printsys.web.staff.folder_list import read_folders
from printsys.web.staff.history import Line, history
from printsys.web.staff.job_list import JobSummary
from printsys.web.staff.staff_queue import StaffQueue, staff_queue

pages = Blueprint("today", __name__, url_prefix="/dashboard")
FIRST = 3
NEWS_OF_ENDED = timedelta(days=14)
"""A declined or withdrawn job that nobody looked at is news for so long."""
HERE, SAME_VISIT, ONE_YEAR_S = "printsys_here", timedelta(minutes=30), 365 * 86400
LONGEST_ABSENCE = timedelta(days=14)
MOST_HAPPENINGS = 10
HAPPENINGS = frozenset({
    EventType.JOB_CREATED, EventType.STAFF_APPROVED, EventType.JOB_REJECTED, EventType.STUDENT_CONFIRMED,
    EventType.STAFF_CONFIRMED, EventType.PRINTING_STARTED, EventType.PRINT_FAILED, EventType.JOB_COMPLETED,
    EventType.JOB_PICKED_UP, EventType.RESUBMITTED, EventType.STATUS_REVERTED, EventType.STATUS_OVERRIDDEN,
    EventType.JOB_DELETED, EventType.EMAIL_FAILED, *STUDENTS_ANSWERS,
})  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """A job in a group. `note`: what is special about it, such as a student's words."""

    summary: JobSummary
    since: datetime
    note: str = ""


@dataclass(frozen=True)
class Group:
    """`action`: the button of each entry, an action that needs no form. `url` leads to all of them."""

    slug: str
    title: str
    empty: str
    url: str
    count: int = 0
    entries: list[Entry] = field(default_factory=list)
    items: list[AttentionItem] = field(default_factory=list)
    action: str | None = None


@pages.get("/today")
@login_required
def show() -> ResponseReturnValue:
    before, cookie = _visits()
    queue = staff_queue()
    items, note = open_items()
    page = render_template(
        "staff/today.html",
        groups=_groups(queue, items),
        queue=queue,
        before=before,
        happenings=_happenings(before),
        message=lab_day.today().message,
        closed_days=lab_day.closed_days_to_come(),
        page_banners=[*queue.banners, *([note] if note else [])],
    )
    response = make_response(page)
    if _is_refresh():
        return response
    is_https = services().settings.base_url.startswith("https://")
    response.set_cookie(HERE, cookie, ONE_YEAR_S, httponly=True, samesite="Lax", secure=is_https)
    return response


# -- the groups -----------------------------------------------------------------------------------------------------


def _groups(queue: StaffQueue, items: list[AttentionItem]) -> list[Group]:
    try:
        new, answers, ready, done = _from_mirror()
    except MirrorDown:
        new, answers, ready, done = _from_folders()
    late = [
        Entry(printing.summary, printing.done_at or printing.summary.job.status_since)
        for column in queue.columns
        for printing in column.printing
        if printing.is_late
    ]
    return [
        _group("new", "New to review", "Nothing new.", Status.UPLOADED, new,
               url=url_for("dashboard.show", status=Status.UPLOADED.value, new="yes")),
        _group("answers", "Student answered or declined", "No answers.", None, answers, action="review"),
        _group("ready", "Ready to start", "Nothing is ready.", Status.READY_TO_PRINT, ready, url=url_for("queue.show")),
        _group("late", "Should be finished by now", "All printers are on time.", None,
               (len(late), sorted(late, key=lambda entry: entry.since)), action="complete"),
        _group("done", "To hand out", "Nothing to hand out.", Status.COMPLETED, done),
        Group("attention", "Needs a person", "Nothing needs a person.", url_for("attention.show"), len(items),
              items=items[:FIRST]),
    ]  # fmt: skip


Counted = tuple[int, Sequence[Entry]]


def _group(
    slug: str,
    title: str,
    empty: str,
    status: Status | None,
    counted: Counted,
    url: str | None = None,
    action: str | None = None,
) -> Group:
    count, entries = counted
    where = url or (
        url_for("dashboard.show", status=status.value) if status else url_for("today.show", all=slug, _anchor=slug)
    )
    shown = list(entries) if request.args.get("all") == slug else list(entries[:FIRST])
    return Group(slug, title, empty, where, count, shown, action=action)


def _from_mirror() -> tuple[Counted, Counted, Counted, Counted]:
    """New, answered, ready, done. MirrorDown."""
    queries = services().queries
    new_count, new = queries.unreviewed(FIRST)
    counts = queries.counts()
    answers = [
        Entry(JobSummary.from_row(news.row), news.at, _answer(news.type, news.data))
        for news in queries.students_news(datetime.now(UTC) - NEWS_OF_ENDED)
    ]
    ready, done = (
        (counts[status], [_entry(JobSummary.from_row(row)) for row in queries.jobs(status, "", FIRST, 0, True)])
        for status in (Status.READY_TO_PRINT, Status.COMPLETED)
    )
    return (new_count, [_entry(JobSummary.from_row(row)) for row in new]), (len(answers), answers), ready, done


def _from_folders() -> tuple[Counted, Counted, Counted, Counted]:
    """The same from the folders; those of ended jobs that somebody declined are among them."""
    jobs = sorted(
        (
            stored
            for status in (*LIVE, Status.REJECTED)
            for stored in read_folders(services().store, JobFilter(status)).jobs
        ),
        key=lambda stored: stored.job.status_since,
    )
    new = [_entry(JobSummary.from_folder(each)) for each in jobs if JobSummary.from_folder(each).is_new]
    answers = [entry for each in jobs if (entry := _open_answer(each)) is not None]
    ready, done = (
        [_entry(JobSummary.from_folder(each)) for each in jobs if each.job.status is status]
        for status in (Status.READY_TO_PRINT, Status.COMPLETED)
    )
    return (len(new), new), (len(answers), answers), (len(ready), ready), (len(done), done)


def _entry(summary: JobSummary) -> Entry:
    return Entry(summary, summary.job.status_since)


def _open_answer(stored: Stored) -> Entry | None:
    """The student's newest answer, where staff have done nothing since."""
    newest: Event | None = None
    for event in stored.events:
        if event.type in STUDENTS_ANSWERS:
            newest = event
        elif event.actor.startswith("staff"):
            newest = None
    return Entry(JobSummary.from_folder(stored), newest.at, _answer(newest.type, newest.data)) if newest else None


def _answer(kind: str, data: dict[str, object]) -> str:
    if kind == EventType.STUDENT_WROTE:
        return f"“{data.get('message')}”"
    verb = "declined" if kind == EventType.STUDENT_DECLINED else "withdrew it"
    return f"{verb}: “{data['comment']}”" if data.get("comment") else verb


# -- since this browser was last here ---------------------------------------------------------------------------------


def _visits() -> tuple[datetime | None, str]:
    """When the visit before this one ended, and the cookie for the next time. A look within half an hour is the same
    visit, and a page that refreshes itself is no look."""
    now = datetime.now(UTC)
    before, _, seen = request.cookies.get(HERE, "").partition("_")
    end, last = _moment(before), _moment(seen)
    if last is not None and now - last > SAME_VISIT and not _is_refresh():
        end = last
    return end, f"{int(end.timestamp()) if end else ''}_{int(now.timestamp())}"


def _is_refresh() -> bool:
    """By static/js/live.js."""
    return "X-Refresh" in request.headers


def _moment(text: str) -> datetime | None:
    """The cookie is the browser's: it may say anything."""
    if not text.isascii() or not text.isdecimal() or len(text) > 10:
        return None
    return datetime.fromtimestamp(int(text), UTC)


@dataclass(frozen=True)
class HappenedLine:
    job_id: str
    student: str
    line: Line


def _happenings(before: datetime | None) -> list[HappenedLine] | None:
    """None while nobody knows."""
    if before is None:
        return []
    since = max(before, datetime.now(UTC) - LONGEST_ABSENCE)
    try:
        recent: Iterable[RecentEvent] = services().queries.happened(since, HAPPENINGS, MOST_HAPPENINGS)
    except MirrorDown:
        return None
    return [HappenedLine(each.job_id, each.student or "", *history([each.event])) for each in recent]
