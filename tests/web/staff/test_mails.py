"""The preview of the e-mails: each with made-up data, whatever the lab's facts and its own templates are."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask.testing import FlaskClient

from printsys.domain.emails import Mail
from printsys.services import Services
from tests.factories import change_lab


def text(client: FlaskClient, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200
    return answer.get_data(as_text=True)


@pytest.mark.parametrize("mail", list(Mail))
def test_each_e_mail_is_shown_as_it_would_be_sent(staff: FlaskClient, services: Services, mail: Mail) -> None:
    page = text(staff, f"/dashboard/mails/{mail}")
    hello = "Jane Doe (jane" if mail is Mail.REPLY else "Hello Jane Doe,"  # a reply is a student's, to the lab
    assert "examp7e0" in page and hello in page and services.lab.about.hours in page
    alone = text(staff, f"/dashboard/mails/{mail}/html")
    assert hello in alone and "examp7e0" in alone
    assert "None" not in page + alone and "{{" not in page + alone


def test_the_first_one_is_shown_where_none_is_named(staff: FlaskClient) -> None:
    assert "We have your 3D print request" in text(staff, "/dashboard/mails")


@pytest.mark.parametrize("path", ["/dashboard/mails", "/dashboard/mails/approved", "/dashboard/mails/approved/html"])
def test_previews_are_for_staff(client: FlaskClient, path: str) -> None:
    assert client.get(path).status_code == 302


@pytest.mark.parametrize("path", ["/dashboard/mails/nonsense", "/dashboard/mails/../html", "/dashboard/mails/x/html"])
def test_there_is_no_preview_of_what_is_no_e_mail(staff: FlaskClient, path: str) -> None:
    assert staff.get(path).status_code == 404


def test_a_letter_can_do_nothing_in_its_frame(staff: FlaskClient) -> None:
    headers = staff.get("/dashboard/mails/received/html").headers
    assert (
        "default-src 'none'" in headers["Content-Security-Policy"]
        and "script" not in headers["Content-Security-Policy"]
    )
    assert headers["X-Frame-Options"] == "SAMEORIGIN"
    assert "frame-src 'self'" in staff.get("/dashboard/mails").headers["Content-Security-Policy"]
    assert staff.get("/dashboard").headers["X-Frame-Options"] == "DENY"


def test_the_labs_own_words_and_their_mistakes_are_shown(
    staff: FlaskClient, services: Services, tmp_path: Path
) -> None:
    own = tmp_path / "mail-templates"
    change_lab(services.lab, "mail", templates=str(own))
    own.mkdir()
    (own / "received.txt").write_text("Hooray, {{ name }}!\n\nWe have it.\n", "utf-8")
    page = text(staff, "/dashboard/mails/received")
    assert "Hooray, Jane Doe!" in page and "received.txt" in page and "mistake" not in page
    (own / "received.txt").write_text("Hooray\n\n{{ nome }}\n", "utf-8")
    page = text(staff, "/dashboard/mails/received")
    assert "has a mistake" in page and "&#39;nome&#39; is undefined" in page and "We have your 3D print" in page
    (own / "received.txt").write_text("Hooray\n\n{% if %}\n", "utf-8")
    assert "received.txt, line 3" in text(staff, "/dashboard/mails/received")
