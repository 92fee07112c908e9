"""The page Settings: all of lab.toml with its lines, and of .env all but the secrets."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape

from flask.testing import FlaskClient

from printsys.config import load_lab
from printsys.config.settings import MAIL_VARIABLES, VARIABLES, MailServer
from printsys.services import Services
from printsys.web import create_app
from printsys.web.staff.settings import DEFAULT, TITLES, lab_tables
from tests.web.conftest import STAFF_PASSWORD, form_token


def words(html: str) -> str:
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html)))


def test_each_value_of_lab_toml_is_there_with_its_line(staff: FlaskClient, services: Services) -> None:
    page = words(staff.get("/dashboard/settings").get_data(as_text=True))
    text = services.settings.lab_config.read_text("utf-8").splitlines()
    for key, value in (("contact_email", "printlab@example.edu"), ("valid_days", "7"), ("charge", "quote")):
        line = next(n for n, written in enumerate(text, 1) if written.startswith(f"{key} ="))
        assert f"{key} {value} line {line}" in page, key
    assert "Printer Prusa XL [[printers]]" in page and "Prices from Wed, Jan 1, 2020 [[prices]]" in page
    assert "Filament: amount: 0.10, unit: g" in page
    assert str(services.settings.lab_config) in page


def test_no_table_of_lab_toml_is_left_out(services: Services) -> None:
    lab = load_lab(services.settings.lab_config)
    headers = [table.header for table in lab_tables(lab, {})]
    fields = {field.alias or name for name, field in type(lab).model_fields.items()}
    assert {header.strip("[]") for header in headers} == fields == TITLES.keys()
    assert headers.count("[[printers]]") == len(lab.printers)


def test_what_the_file_does_not_say_is_called_the_default(services: Services) -> None:
    (table,) = [table for table in lab_tables(services.lab, {("lab", "name"): 4}) if table.header == "[lab]"]
    sources = {line.key: line.source for line in table.lines}
    assert (sources["name"], sources["phone"]) == ("line 4", DEFAULT)


def test_no_secret_is_shown(services: Services) -> None:
    secrets = {
        "secret_key": "very-secret-key-123",
        "database_url": services.settings.database_url,
        "redis_url": "redis://:redis-secret@host/0",
    }
    mail = MailServer(host="smtp.example.edu", username="lab", password="mail-secret")
    settings = services.settings.model_copy(update=secrets | {"mail": mail})
    client = create_app(replace(services, settings=settings)).test_client()
    client.post("/login", data={"csrf_token": form_token(client, "/login"), "password": STAFF_PASSWORD})
    html = client.get("/dashboard/settings").get_data(as_text=True)
    for secret in (*secrets.values(), "redis-secret", "mail-secret"):
        assert str(secret) not in html
    page = words(html)
    assert "MAIL_PASSWORD set, not shown" in page and "MAIL_SERVER smtp.example.edu" in page
    assert all(variable in page for variable in (*VARIABLES, *MAIL_VARIABLES))
