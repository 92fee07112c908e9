"""The lab's calendar (RFC 5545) for phones and desktops: due dates, and when prints should be done.

Whoever has the link sees it, often through a calendar service on the internet. So it has a model's name, the job's id
and the printer, and no student.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

from flask import Blueprint, Response, abort, url_for
from flask.typing import ResponseReturnValue
from icalendar import Calendar, Event

from indexer.job_filter import JobFilter
from printsys.domain.job import Job
from printsys.domain.print_queue import Column, QueuedJob, columns, due_day
from printsys.domain.status import Status
from printsys.errors import MirrorDown, TokenInvalid
from printsys.jobstore.calendar_link import calendar_secret
from printsys.jobstore.layout import readable
from printsys.web import lab_day
from printsys.web.services import services
from printsys.web.staff.folder_list import read_folders

pages = Blueprint("calendar", __name__)
NOT_DONE = (Status.UPLOADED, Status.PENDING, Status.READY_TO_PRINT, Status.PRINTING)
ON_A_PRINTER = (Status.READY_TO_PRINT, Status.PRINTING)
MOST_JOBS = 500
REFRESH = timedelta(minutes=30)
LONGEST_NAME = 60


def link() -> str | None:
    """None while there is none."""
    secret = calendar_secret(services().store)
    if secret is None:
        return None
    return services().settings.base_url + url_for("calendar.show", token=services().tokens.calendar(secret))


@pages.get("/calendar/<token>.ics")
def show(token: str) -> ResponseReturnValue:
    secret = calendar_secret(services().store)
    try:
        is_good = secret is not None and secrets.compare_digest(services().tokens.read_calendar(token), secret)
    except TokenInvalid:
        is_good = False
    if not is_good:
        abort(404)
    feed = calendar(_jobs(), datetime.now(UTC))
    answer = Response(feed.to_ical(), mimetype="text/calendar")
    answer.headers["Content-Disposition"] = 'inline; filename="print-lab.ics"'
    answer.headers["Cache-Control"] = "private, no-cache"
    return answer


def _jobs() -> list[Job]:
    try:
        return [row.job for status in NOT_DONE for row in services().queries.jobs(status, "", MOST_JOBS, 0, True)]
    except MirrorDown:
        return [each.job for status in NOT_DONE for each in read_folders(services().store, JobFilter(status)).jobs]


def calendar(jobs: list[Job], now: datetime) -> Calendar:
    lab, note = services().lab, lab_day.today()
    feed = Calendar()
    feed.add("prodid", "-//printsys//print lab//EN")
    feed.add("version", "2.0")
    feed.add("name", lab.about.name)
    feed.add("x-wr-calname", lab.about.name)
    feed.add("x-published-ttl", "PT30M")
    feed.add("refresh-interval", REFRESH, parameters={"value": "DURATION"})
    by_id = {job.id: job for job in jobs}
    queued = [QueuedJob.of(job) for job in jobs if job.status in ON_A_PRINTER]
    printers = [printer.id for printer in lab.printers]
    planned = columns(queued, printers, lab_day.opening_hours(), now, note.order, note.printers_down)
    for event in (*_due(jobs), *(event for column in planned for event in _prints(column, by_id))):
        event.add("dtstamp", now)
        feed.add_component(event)
    return feed


def _due(jobs: list[Job]) -> Iterator[Event]:
    for job in jobs:
        due = due_day(job.request.due_date)
        if due is not None and due < date.max:  # there is no day after that one
            yield _event(job, "due", f"Due: {_name(job)}", due, due + timedelta(days=1))


def _prints(column: Column, by_id: dict[str, Job]) -> Iterator[Event]:
    """Each ends when it should be done; those that have not begun are tentative."""
    for job in column.printing:
        if job.hours is not None:
            yield _print_of(by_id[job.id], job.since, job.done_at, "CONFIRMED")
    for slot in column.slots:
        if slot.starts is not None and slot.ends is not None and slot.job.hours is not None:
            yield _print_of(by_id[slot.job.id], slot.starts, slot.ends, "TENTATIVE")


def _print_of(job: Job, starts: datetime, ends: datetime, status: str) -> Event:
    printer = services().lab.printer(job.request.actual_printer)
    on = f" on {printer.name}" if printer else ""
    event = _event(job, "print", f"{_name(job)}{on}", _whole(starts), _whole(ends))
    event.add("status", status)
    return event


def _whole(moment: datetime) -> datetime:
    """In UTC, to the second: each program shows it in its own time zone."""
    return moment.astimezone(UTC).replace(microsecond=0)


def _event(job: Job, what: str, summary: str, starts: date, ends: date) -> Event:
    domain = services().lab.about.contact_email.rpartition("@")[2]
    event = Event()
    event.add("uid", f"{job.id}.{what}@{domain}")
    event.add("summary", summary)
    event.add("dtstart", starts)
    event.add("dtend", ends)
    event.add("transp", "TRANSPARENT")
    event.add("url", f"{services().settings.base_url}/dashboard/jobs/{job.id}")
    return event


def _name(job: Job) -> str:
    """`bracket v2 (k7m29xq4)`: what the model's file was called, without what would break a line."""
    files = job.sent_files
    title = readable(files[0].title) if files else ""
    stem = " ".join("".join(c if c.isprintable() else " " for c in title.rpartition(".")[0] or title).split())
    more = f" and {len(files) - 1} more" if len(files) > 1 else ""
    return f"{stem[:LONGEST_NAME]}{more} ({job.id})" if stem else job.id
