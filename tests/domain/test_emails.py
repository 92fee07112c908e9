from __future__ import annotations

import pytest

from printsys.domain.effects import Context
from printsys.domain.emails import EMAILS, Mail, given_up, is_true_in, is_true_of, mail_name, resendable
from printsys.domain.events import Event, EventType
from printsys.domain.inputs import ResendInput
from printsys.domain.job import Job
from printsys.domain.status import Status
from printsys.domain.workflow import STEPS, plan
from printsys.errors import TransitionNotAllowed
from tests.domain.test_workflow import NOW, context, job_in


def test_every_e_mail_has_its_row() -> None:
    assert EMAILS.keys() == set(Mail)
    assert len({spec.name for spec in EMAILS.values()}) == len(EMAILS)


def test_every_e_mail_is_owed_after_some_step_and_true_where_that_leads() -> None:
    assert {step.mail for step in STEPS if step.mail} == set(Mail)
    for step in STEPS:
        for status in step.from_ if step.to is None else {step.to}:
            assert step.mail is None or is_true_in(step.mail, status), step


@pytest.mark.parametrize("mail", list(Mail))
def test_an_e_mail_about_the_link_is_true_only_while_there_is_one(mail: Mail) -> None:
    assert not EMAILS[mail].about_the_link or EMAILS[mail].true_in == {Status.PENDING}


def test_an_e_mail_of_a_newer_version_is_called_as_its_log_has_it_and_never_sent() -> None:
    assert mail_name("birthday") == "birthday"
    assert not any(is_true_in("birthday", status) for status in Status)


def rejected_by(actor: str, *reasons: str) -> Job:
    return job_in(Status.REJECTED, rejection={"reasons": list(reasons), "by": actor})


def resent(job: Job, context: Context) -> str:
    [queued] = plan(job, "resend-email", "staff", ResendInput(), context)
    return str(queued.data["mail"])


def test_resending_sends_what_is_true_of_the_job() -> None:
    assert resent(rejected_by("staff:Sam", "messy"), context()) == "rejected"
    assert resent(rejected_by("staff", "declined"), context()) == "rejected", "staff ticked what the student told them"
    assert resent(rejected_by("student", "withdrawn"), context()) == "withdrawn"
    with pytest.raises(TransitionNotAllowed, match="The student did not want the print"):
        resent(rejected_by("student", "declined"), context())


def test_a_job_without_a_price_is_not_sent_a_link_to_agree_to_one() -> None:
    dragged = job_in(Status.PENDING)
    assert resendable(dragged) is None
    with pytest.raises(TransitionNotAllowed, match="no price yet"):
        resent(dragged, context())


@pytest.mark.parametrize("reason", ["withdrawn", "declined"])
def test_a_failed_refusal_is_not_owed_to_a_student_who_took_the_request_back(reason: str) -> None:
    """Rejected, undone, then withdrawn: the lab's "not printed" is not what happened."""
    job = rejected_by("student", reason)
    data = {"mail": "rejected", "to": "jane@example.edu", "answer": "550"}
    failed = Event(seq=5, at=NOW, type=EventType.EMAIL_FAILED, actor="system", data=data, patch={})
    assert given_up([failed], rejected_by("staff", "messy")) != []
    assert given_up([failed], job) == []
    assert not is_true_of(Mail.REJECTED, job) and is_true_of(Mail.WITHDRAWN, job) is (reason == "withdrawn")
