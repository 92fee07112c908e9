"""How a student's job is doing, and what the student may do about it: by the link that the first e-mail has."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from flask import Blueprint, abort, flash, redirect, render_template, request, send_file, url_for
from flask.typing import ResponseReturnValue

from printsys.assessment.model_findings import findings_of, read_model_facts
from printsys.domain.events import Event, EventType
from printsys.domain.inputs import ActionInput, OptionalReasonInput, ReplyInput, ResendInput, validate
from printsys.domain.job import FileRecord, Job
from printsys.domain.links import resubmission_key
from printsys.domain.pending_work import preview_of
from printsys.domain.print_queue import QueuedJob
from printsys.domain.reminders import became_the_labs
from printsys.domain.status import GOOD_COURSE, Status, in_words
from printsys.domain.workflow import steps_from
from printsys.errors import InvalidInput, JobNotFound, TransitionNotAllowed
from printsys.jobstore import Stored
from printsys.models3d.findings import ModelFinding
from printsys.models3d.inspect import Size
from printsys.texts import reasons
from printsys.web import lab_day
from printsys.web.services import services
from printsys.web.student.receipt_limit import receipt_limit

pages = Blueprint("status", __name__)


@pages.get("/status/<token>")
def show(token: str) -> ResponseReturnValue:
    return _status_page(token, services().store.load(services().tokens.read_status(token)))


@pages.get("/status/<token>/picture/<int:number>")
def picture(token: str, number: int) -> ResponseReturnValue:
    """Of the model that was sent as the `number`th, from 0."""
    stored = services().store.load(services().tokens.read_status(token))
    name = preview_of(stored.job.sent_files[number]) if number < len(stored.job.sent_files) else None
    if name is None:
        abort(404)
    try:
        with services().store.open(stored, name) as file:
            png = file.read()
    except JobNotFound:
        abort(404)
    return send_file(io.BytesIO(png), "image/png", max_age=0)


@pages.post("/status/<token>/withdraw")
def withdraw(token: str) -> ResponseReturnValue:
    return _do(token, "withdraw", OptionalReasonInput, "Your request is withdrawn. You pay nothing for it.")


@pages.post("/status/<token>/reply")
def reply(token: str) -> ResponseReturnValue:
    return _do(token, "reply", ReplyInput, "Your message is with the lab. We answer by e-mail.")


@pages.post("/status/<token>/resend")
def resend(token: str) -> ResponseReturnValue:
    """The link that confirms goes by e-mail alone: whoever has this page's address must not agree to a price."""
    return _do(token, "resend-email", ResendInput, "We sent the link again. Look for an e-mail in a minute or two.")


def _do(token: str, action: str, needs: type[ActionInput], done: str) -> ResponseReturnValue:
    job_id = services().tokens.read_status(token)
    try:
        values = validate(needs, request.form)
        services().actions.student_does(job_id, action, values, receipt_limit().may_send)
    except InvalidInput as error:
        problems = {action: " ".join(sentence for sentences in error.fields.values() for sentence in sentences)}
        return _status_page(token, services().store.load(job_id), problems), 422
    except TransitionNotAllowed as error:
        problem = (
            in_words(str(error)) if action != "withdraw" else "It is too late to withdraw it here. Please write to us."
        )
        return _status_page(token, services().store.load(job_id), {action: problem}), 409
    flash(done)
    return redirect(url_for("status.show", token=token), 303)


@dataclass(frozen=True)
class Step:
    """A step of the way: `at`: since when, of one that the job has reached."""

    status: Status
    state: str
    at: datetime | None


@dataclass(frozen=True)
class SentModel:
    """A model that the student sent, with what we found out about it. `number`: of its picture."""

    number: int
    name: str
    has_picture: bool
    findings: list[ModelFinding]
    size_mm: Size | None


@dataclass(frozen=True)
class Message:
    at: datetime
    text: str


def way_of(job: Job, events: Sequence[Event]) -> list[Step]:
    """The steps of a job that goes well; none of one that does not."""
    if job.status not in GOOD_COURSE:
        return []
    here = GOOD_COURSE.index(job.status)
    reached = {event.patch["status"]: event.at for event in events if "status" in event.patch}
    states = ["done"] * here + ["now"] + ["ahead"] * (len(GOOD_COURSE) - here - 1)
    return [
        Step(
            status,
            state,
            reached.get(status.value) if state == "done" else job.status_since if state == "now" else None,
        )
        for status, state in zip(GOOD_COURSE, states, strict=True)
    ]


def sent_models(job: Job) -> list[SentModel]:
    return [_sent_model(number, record, job) for number, record in enumerate(job.sent_files)]


def _sent_model(number: int, record: FileRecord, job: Job) -> SentModel:
    facts = read_model_facts(record)
    return SentModel(
        number,
        record.uploaded_as or record.name.rpartition("/")[2],
        preview_of(record) is not None,
        findings_of(record, job, services().lab),
        facts.size_mm if facts is not None and facts.triangles else None,
    )


def _status_page(token: str, stored: Stored, problems: dict[str, str] | None = None) -> str:
    job, lab = stored.job, services().lab
    key = resubmission_key(job)
    is_theirs = job.rejection is not None and job.rejection.is_the_students
    return render_template(
        "student/status.html",
        job=job,
        token=token,
        problems=problems or {},
        way=way_of(job, stored.events),
        models=sent_models(job),
        may={step.action for step in steps_from(job.status, "student")},
        messages=[
            Message(e.at, str(e.data.get("message"))) for e in stored.events if e.type == EventType.STUDENT_WROTE
        ],
        reasons=reasons(job, lab),
        is_theirs=is_theirs,
        is_the_labs=job.status is Status.COMPLETED and became_the_labs(stored.events) is not None,
        printer=lab.printer(job.request.actual_printer),
        turn=lab_day.turn_of(job),
        done_at=QueuedJob.of(job).done_at if job.estimate and job.estimate.time_h else None,
        wait=next((wait for wait in lab_day.waits() if wait.method == job.request.method), None),
        closed_days=lab_day.closed_days_to_come(),
        message=lab_day.today().message,
        resubmit_token=services().tokens.resubmit(job.id, key) if key else None,
    )
