"""The lab's own color on the pages."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient

from printsys.config.colors import LEAST_CONTRAST, WHITE, contrast
from printsys.config.lab import LabTable
from printsys.services import Services
from printsys.web import create_app
from printsys.web.accent import DARK_PAGE, DARK_SURFACE, LIGHT_PAGE, style_sheet
from printsys.web.static_files import FOREVER
from tests.web.test_static_files import GZIP, parts_of

DARKEST_AND_LIGHTEST = ["#000000", "#767676"]


def themes(sheet: str) -> list[dict[str, str]]:
    """The light one and the dark one."""
    return [dict(re.findall(r"(--[a-z-]+): ([^;]+);", rule)) for rule in sheet.splitlines()]


@pytest.fixture
def maroon(services: Services) -> Flask:
    object.__setattr__(services.lab.about, "accent", "#7a0019")
    return create_app(services)


def test_its_pages_have_the_labs_color(maroon: Flask) -> None:
    client = maroon.test_client()
    addresses = [address for address in parts_of(client.get("/submit").text) if "lab.css" in address]
    (address,) = addresses
    answer = client.get(address, headers=GZIP)
    assert answer.headers["Content-Type"].startswith("text/css") and answer.headers["Cache-Control"] == FOREVER
    assert "--brand: #7a0019;" in answer.text
    again = client.get(address, headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304


def test_without_a_color_of_its_own_nothing_is_asked_for(client: FlaskClient) -> None:
    assert not any("lab.css" in address for address in parts_of(client.get("/submit").text))
    assert client.get("/static/css/lab.css").status_code == 404


@pytest.mark.parametrize("accent", [*DARKEST_AND_LIGHTEST, "#7a0019", "#0b3d91", "#0f766e", "#b34700", "#006d00"])
def test_words_in_the_color_can_be_read_in_both_themes(accent: str) -> None:
    light, dark = themes(style_sheet(accent))
    for theme, grounds in ((light, (LIGHT_PAGE, WHITE)), (dark, (DARK_PAGE, DARK_SURFACE))):
        for ground in (*grounds, theme["--accent-soft"]):
            assert contrast(theme["--accent"], ground) >= LEAST_CONTRAST
            assert contrast(theme["--accent-strong"], ground) >= LEAST_CONTRAST
        for fill in ("--brand", "--brand-strong", "--brand-pressed"):
            assert contrast(WHITE, theme[fill]) >= LEAST_CONTRAST
    assert contrast(light["--accent-soft"], "#566270") >= LEAST_CONTRAST, "quiet words, too"
    assert contrast(dark["--accent-soft"], "#a3afbb") >= LEAST_CONTRAST


@pytest.mark.parametrize(
    ("accent", "words"),
    [
        ("teal", "'teal' is no color like #0f766e"),
        ("#0f7", "'#0f7' is no color"),
        ("#ffcc00", "'#ffcc00' is too light"),
        ("#777777", "too light"),
    ],
)
def test_a_color_that_is_none_or_too_light_is_refused(services: Services, accent: str, words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        LabTable.model_validate(services.lab.about.model_dump() | {"accent": accent})


@pytest.mark.parametrize("accent", ["", "#767676", "#7A0019"])
def test_any_other_color_is_taken(services: Services, accent: str) -> None:
    assert LabTable.model_validate(services.lab.about.model_dump() | {"accent": accent}).accent == accent.lower()
