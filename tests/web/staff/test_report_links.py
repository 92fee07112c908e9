"""Each number of a report leads to exactly the jobs behind it: over random lives, by the tests' own arithmetic."""

from __future__ import annotations

import re
from html import unescape
from urllib.parse import parse_qsl, urlsplit

import pytest
from flask.testing import FlaskClient

from indexer.rebuild import reindex
from indexer.report_queries import DIMENSIONS
from printsys.domain.status import Status
from printsys.services import Services
from printsys.web.staff import reports
from tests.factories import Clock, act, make_store
from tests.reports.lives import make_lives
from tests.reports.own_arithmetic import Lives
from tests.web.conftest import MakeJob
from tests.web.staff.test_dashboard import cards, text
from tests.web.staff.test_list_query import chips
from tests.web.staff.test_reports import WEEK

LIVES, SEED = 120, 22
RANGES = ("from=2025-09-01&to=2026-12-31&by=term", "from=2026-02-01&to=2026-02-28&by=week")
TIMES = {"failed", "approval", "answer", "start", "print", "collection"}
"""Where the number may count one job several times."""


@pytest.fixture
def lives(services: Services) -> Lives:
    clock = Clock()
    make_lives(make_store(services.settings.instance.parent, clock), clock, LIVES, SEED)
    reindex(services.store, services.queries.engine)
    return Lives(services.store.layout.root)


def numbers(page: str) -> list[tuple[str, str]]:
    """What each link to the list reads, and its address."""
    links = re.findall(r'<a href="(/dashboard\?[^"]*happened=[^"]+)">([^<]+)<', page)
    return [(unescape(words), unescape(address)) for address, words in links]


def listed(staff: FlaskClient, address: str) -> set[str]:
    """The ids of the jobs on all pages of the list."""
    ids, page = set[str](), 1
    while True:
        shown = staff.get(f"{address}&page={page}")
        ids |= {*cards(shown)}
        if ">Next</a>" not in shown.get_data(as_text=True):
            return ids
        page += 1


def test_each_number_leads_to_exactly_its_jobs(staff: FlaskClient, lives: Lives) -> None:
    kinds = set[str]()
    for query in RANGES:
        for words, address in numbers(staff.get(f"/dashboard/reports?{query}").get_data(as_text=True)):
            args = dict(parse_qsl(urlsplit(address).query))
            ids = listed(staff, address)
            assert ids == lives.behind(args), address
            if words.isdigit():
                assert len(ids) <= int(words) if args["happened"] in TIMES else len(ids) == int(words), (words, address)
            assert ids or words.startswith(("$", "All")), address
            kinds |= {args["happened"], *args, *(f"no {name}" for name in [args.get("unrecorded")] if name)}
    assert kinds >= {
        "submitted",
        "approved",
        "rejected",
        "started",
        "printed",
        "collected",
        "paid",
        "refunded",
        "waived",
    }
    assert kinds >= {*TIMES, "reason", "fault", "cause", "paid_by", *reports.LIST_FILTERS.values()}
    assert kinds >= {"no reason", "no fault", "no color", "no discipline", "no class"}


def test_every_number_of_jobs_has_a_link(staff: FlaskClient, make: MakeJob, failed: dict[str, str]) -> None:
    for status in Status:
        make(status)
    page = staff.get(f"/dashboard/reports?{WEEK}").get_data(as_text=True)
    for section in ("parts", "rejections", "waits", "failures", "money", *(f"by-{name}" for name in DIMENSIONS)):
        start = page.index(f'id="{section}"')
        rows = page[start : page.find("<h", start + 30)].split("<tr>")[2:]
        assert rows, section
        for row in rows:
            assert "happened=" in row or '"report-none">0<' in row, row


# -- what the list says of it ---------------------------------------------------------------------------------------


FAILED = f"happened=failed&{WEEK}"


@pytest.fixture
def failed(make: MakeJob, services: Services) -> dict[str, str]:
    """The ids of two jobs with a failed print, by whose fault it was."""
    ids = {}
    for fault, reason in (("lab", "Nozzle  clogged."), ("machine", "nozzle clogged")):
        job = make(Status.PRINTING)
        services.mirror.put(act(services.store, job.id, "fail", fault=fault, reason=reason))
        ids[fault] = job.id
    return ids


def test_a_cause_is_found_in_each_spelling_and_with_its_fault(staff: FlaskClient, failed: dict[str, str]) -> None:
    assert {*cards(staff.get(f"/dashboard?{FAILED}&cause=NOZZLE+clogged"))} == {*failed.values()}
    assert cards(staff.get(f"/dashboard?{FAILED}&cause=nozzle+clogged&fault=lab")) == [failed["lab"]]
    assert cards(staff.get(f"/dashboard?{FAILED}&cause=nozzle&fault=lab")) == []
    assert cards(staff.get(f"/dashboard?{FAILED}&unrecorded=fault")) == []


def test_each_filter_of_a_report_can_be_removed(staff: FlaskClient, failed: dict[str, str]) -> None:
    page = staff.get(f"/dashboard?{FAILED}&cause=Nozzle+clogged&fault=lab&unrecorded=material")
    assert "Cause: Nozzle clogged" in text(page) and "Fault: The lab" in text(page)
    assert "Not recorded: material" in text(page) and "In the range: failed" in text(page)
    removed = [dict(parse_qsl(urlsplit(address).query)).keys() for address in chips(page.get_data(as_text=True))]
    days = {"happened", "from", "to"}
    assert [{*names} for names in removed] == [
        {*days, "cause", "unrecorded"},
        {*days, "fault", "unrecorded"},
        {*days, "fault", "cause"},
        {"unrecorded"},
    ]


def test_a_reason_of_the_lab_has_its_words_as_a_filter(staff: FlaskClient, make: MakeJob, services: Services) -> None:
    reason = services.lab.rejection_reasons[0]
    rejected = make(Status.UPLOADED)
    services.mirror.put(act(services.store, rejected.id, "reject", reasons=[reason.id]))
    page = staff.get(f"/dashboard?happened=rejected&reason={reason.id}&{WEEK}")
    assert cards(page) == [rejected.id] and f"Rejected for: {reason.label}" in text(page)
    nothing = staff.get(f"/dashboard?happened=rejected&unrecorded=reason&{WEEK}")
    assert cards(nothing) == [] and "Not recorded: reason of the rejection" in text(nothing)
    (without,) = chips(staff.get(f"/dashboard?happened=rejected&unrecorded=reason&{WEEK}").get_data(as_text=True))[:1]
    assert "unrecorded" not in without and "happened=rejected" in without


def test_the_form_of_the_filters_keeps_the_range_of_the_report(staff: FlaskClient, failed: dict[str, str]) -> None:
    page = staff.get(f"/dashboard?{FAILED}&fault=lab").get_data(as_text=True)
    form = page.partition('id="filters"')[2].partition("</form>")[0]
    hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form))
    chosen = dict(
        re.findall(r'<select[^>]* name="([^"]+)">(?:(?!</select>).)*?<option value="([^"]*)" selected', form, re.S)
    )
    assert {*hidden} == {"from", "to"} and chosen == {"happened": "failed", "fault": "lab"}
    assert cards(staff.get("/dashboard", query_string=hidden | chosen | {"printer": ""})) == [failed["lab"]]


@pytest.mark.parametrize(
    "query",
    [
        "happened=printed&reason=x&fault=lab&cause=y",
        "happened=failed&fault=nobody",
        "happened=failed&cause=%00+",
        "reason=x",
    ],
)
def test_what_does_not_belong_to_the_happening_asks_for_nothing(
    staff: FlaskClient, failed: dict[str, str], query: str
) -> None:
    assert staff.get(f"/dashboard?{query}&{WEEK}").status_code == 200
