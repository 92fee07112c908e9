"""A moment is written in one way: exactly, in the lab's zone, and how long ago or in how long that is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask

from printsys.texts import date_and_time, day_text, relative
from printsys.web.filters import due_date, exact, when

NOON = datetime(2026, 3, 2, 18, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("away", "words"),
    [
        (timedelta(seconds=-30), "just now"),
        (timedelta(minutes=-5), "5 min ago"),
        (timedelta(hours=-3), "3 h ago"),
        (timedelta(hours=-48), "2 days ago"),
        (timedelta(seconds=30), "now"),
        (timedelta(minutes=90), "in 1 h"),
        (timedelta(days=7), "in 7 days"),
    ],
)
def test_how_far_off_a_moment_is(away: timedelta, words: str) -> None:
    assert relative(NOON + away, NOON) == words


def test_a_moment_is_exact_in_the_labs_zone_and_relative(app: Flask) -> None:
    moment = datetime.now(UTC).replace(microsecond=0) - timedelta(days=3)
    with app.test_request_context():
        html = when(moment)
        assert exact(NOON) == "Mon, Mar 2, 2026, 12:00 pm", "noon in Chicago"
        relative_part = '<span class="relative">(3 days ago)</span>'
        assert html == f'<time datetime="{moment:%Y-%m-%dT%H:%M:%SZ}">{exact(moment)} {relative_part}</time>'
        assert when(None) == "" and exact(None) == ""


def test_a_day_is_written_as_in_a_moment_and_what_is_no_day_stays(app: Flask) -> None:
    assert date_and_time(NOON).startswith(day_text("2026-03-02"))
    assert (day_text("soon"), day_text(None)) == ("soon", "")
    with app.test_request_context():
        assert due_date("2020-01-31").startswith("Fri, Jan 31, 2020 (") and due_date("2020-01-31").endswith(
            "days late)"
        )
        assert due_date("soon") == "soon"
