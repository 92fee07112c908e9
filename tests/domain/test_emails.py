from __future__ import annotations

import pytest

from printsys.domain.emails import EMAILS, Mail, is_true_in, mail_name
from printsys.domain.status import Status
from printsys.domain.workflow import STEPS


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
