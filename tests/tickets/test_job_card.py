"""job-card.html: what it says, that it needs nothing, and that strangers' words are only words."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import segno

from printsys.domain.status import Status
from printsys.tickets.job_card import job_card
from printsys.tickets.qr import job_address, qr_svg
from tests.factories import LAB, act, make_job, make_store

BASE_URL = "http://lab.example:5000"


def card(tmp_path: Path, status: Status = Status.COMPLETED, **wishes: Any) -> str:
    return job_card(make_job(make_store(tmp_path), status=status, **wishes).job, LAB, BASE_URL).decode()


class Addresses(HTMLParser):
    """What the page would load by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.scripts = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.scripts += tag == "script" or any(name.startswith("on") for name, _ in attrs)
        self.loaded += [value or "" for name, value in attrs if name == "src" or (tag == "link" and name == "href")]


def test_it_says_what_the_job_is_and_loads_nothing(tmp_path: Path) -> None:
    page = card(tmp_path, message="For Thursday!")
    for words in (
        "Jane Doe",
        "bracket v2.stl",
        "True Red",
        "Prusa MK4S",
        "42.7 g",
        "$4.27",
        "Completed",
        "For Thursday!",
    ):
        assert words in page
    reader = Addresses()
    reader.feed(page)
    assert (reader.loaded, reader.scripts) == ([], 0)
    assert f'href="{BASE_URL}/dashboard/jobs/' in page


def test_it_names_the_printer_that_the_job_is_on(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    job = make_job(store, status=Status.READY_TO_PRINT)
    page = job_card(act(store, job.id, "start", printer="prusa-xl").job, LAB, BASE_URL).decode()
    assert "Prusa XL" in page and "Prusa MK4S" not in page


def test_what_is_still_to_be_paid_is_on_it(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    job = make_job(store, status=Status.COMPLETED)
    page = job_card(act(store, job.id, "pickup", amount="3").job, LAB, BASE_URL).decode()
    assert re.search(r"Still to be paid</dt><dd>\$1\.27", page)


@pytest.mark.parametrize("field", ["name", "message", "class_number"])
def test_a_strangers_words_are_only_words(tmp_path: Path, field: str) -> None:
    wishes: dict[str, Any] = {field: "<script>alert(1)</script><img src=x onerror=y>"}
    page = card(tmp_path, **wishes)
    reader = Addresses()
    reader.feed(page)
    assert (reader.loaded, reader.scripts) == ([], 0)
    assert "&lt;script&gt;" in page


def test_the_same_job_gives_the_same_bytes(tmp_path: Path) -> None:
    job = make_job(make_store(tmp_path)).job
    assert job_card(job, LAB, BASE_URL) == job_card(job, LAB, BASE_URL)


@pytest.mark.parametrize("base_url", ["http://lab.example:5000", "https://print.example.edu/lab/"])
def test_the_code_is_the_jobs_address_in_an_svg_without_styles(base_url: str) -> None:
    address = job_address(base_url, "k7m29xq4")
    assert address == f"{base_url.rstrip('/')}/dashboard/jobs/k7m29xq4"
    svg = qr_svg(address)
    assert svg.startswith("<svg ") and "style" not in svg and svg != qr_svg(address + "x")


def modules_of(svg: str) -> set[tuple[int, int]]:
    """The dark squares (column, row) that the picture's one path draws, its quiet zone of two taken off."""
    [path] = re.findall(r' d="([^"]+)"', svg)
    x = y = 0.0
    dark = set()
    for command, arguments in re.findall(r"([Mmh])([-\d. ]+)", path):
        numbers = [float(number) for number in re.findall(r"-?[\d.]+", arguments)]
        if command == "h":
            dark |= {(int(x) + n - 2, int(y) - 2) for n in range(int(numbers[0]))}
            x += numbers[0]
        else:
            x, y = (x + numbers[0], y + numbers[1]) if command == "m" else (numbers[0], numbers[1])
    return dark


def test_the_picture_of_the_code_has_each_of_its_squares() -> None:
    address = job_address(BASE_URL, "k7m29xq4")
    matrix = segno.make(address, micro=False, error="m").matrix
    dark = {(x, y) for y, row in enumerate(matrix) for x, square in enumerate(row) if square}
    assert modules_of(qr_svg(address)) == dark and len(dark) > 200
