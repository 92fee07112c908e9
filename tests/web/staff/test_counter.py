"""The counter: who collects, what it costs, one payment for several jobs, and what is said before it is saved."""

from __future__ import annotations

import re
from decimal import Decimal
from html import unescape
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from printsys.domain.emails import owed
from printsys.domain.events import EventType
from printsys.domain.payments import NOTHING, ledger
from printsys.domain.status import Status
from printsys.jobstore import Stored
from printsys.services import Services
from tests.factories import act, change_lab
from tests.web.conftest import MakeJob, PostAction, form_token, hidden_value, token_in

COUNTER = "/dashboard/counter"


def words(answer: TestResponse) -> str:
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.get_data(as_text=True))))


def pay(staff: FlaskClient, *jobs: Stored, **fields: Any) -> TestResponse:
    """The counter's form as a browser sends it, with what differs from one full payment."""
    data = {
        "csrf_token": form_token(staff, "/logout"),
        "student": jobs[0].job.student.email,
        "job": [f"{stored.id}:{stored.job.revision}" for stored in jobs],
        "amount": str(sum((ledger(stored.job).due for stored in jobs), Decimal(0))),
        "payment_method": "Card",
        "transaction": "T-1",
        "picked_up_by": "Jane Doe",
    }
    return staff.post(COUNTER, data=data | fields)


def accepted(staff: FlaskClient, answer: TestResponse, *jobs: Stored, **fields: Any) -> TestResponse:
    """The second click, on the page that remarked on the first."""
    return pay(staff, *jobs, accept=hidden_value(answer.get_data(as_text=True), "accept"), **fields)


# -- who is it --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("typed", ["{id}", "http://lab.example:5000/dashboard/jobs/{id}", "jane doe", "JANE", "{ID}"])
def test_a_scanned_ticket_a_name_or_an_id_shows_what_the_student_can_collect_all_ticked(
    staff: FlaskClient, make: MakeJob, typed: str
) -> None:
    jobs = [make(Status.COMPLETED) for _ in range(2)]
    make(Status.COMPLETED, name="Ben Carter", email="ben@example.edu")
    make(Status.PRINTING)
    page = staff.get(COUNTER, query_string={"q": typed.format(id=jobs[0].id, ID=jobs[0].id.upper())})
    html = page.get_data(as_text=True)
    ticked = set(re.findall(r'value="(\w{8}):\d+" checked', html))
    assert ticked == {stored.id for stored in jobs}
    assert 'name="amount" value="8.54"' in html


def test_a_ticket_of_a_job_that_is_not_done_says_so_and_shows_what_is(staff: FlaskClient, make: MakeJob) -> None:
    printing, done = make(Status.PRINTING), make(Status.COMPLETED)
    page = staff.get(COUNTER, query_string={"q": printing.id})
    assert "is not waiting to be collected: it is Printing" in words(page)
    assert f'value="{done.id}:' in page.get_data(as_text=True)


@pytest.mark.parametrize("typed", ["{id}", "jane", ""])
def test_a_print_whose_record_needs_a_person_says_so_and_leads_there(
    staff: FlaskClient, services: Services, make: MakeJob, typed: str
) -> None:
    damaged, other = make(Status.COMPLETED), make(Status.COMPLETED, name="Ben", email="ben@example.edu")
    (damaged.folder / "metadata.json").write_text("{ half a docu", "utf-8")
    services.mirror.put(services.store.load(damaged.id))
    page = staff.get(COUNTER, query_string={"q": typed.format(id=damaged.id)})
    assert f"job {damaged.id} is done, but its record needs a person" in words(page)
    assert 'href="/dashboard/attention">See what to do' in page.get_data(as_text=True)
    assert "is not waiting" not in words(page) and "Nothing is waiting" not in words(page)
    assert f'value="{damaged.id}:' not in page.get_data(as_text=True)
    assert "needs a person before" not in words(staff.get(COUNTER, query_string={"q": other.id}))


def test_a_name_of_several_students_asks_which(staff: FlaskClient, make: MakeJob) -> None:
    make(Status.COMPLETED)
    other = make(Status.COMPLETED, name="Jane Roe", email="roe@example.edu")
    page = staff.get(COUNTER, query_string={"q": "jane"})
    assert "Whose prints?" in words(page)
    link = re.search(r'href="([^"]+student=roe[^"]+)"', page.get_data(as_text=True))
    assert link is not None
    assert f'value="{other.id}:' in staff.get(unescape(link.group(1))).get_data(as_text=True)


@pytest.mark.parametrize("field", ["amount", "transaction", "picked_up_by"])
def test_the_next_ticket_scanned_into_a_field_of_the_payment_is_no_payment(
    staff: FlaskClient, services: Services, make: MakeJob, field: str
) -> None:
    job, following = make(Status.COMPLETED), make(Status.COMPLETED, name="Ben", email="ben@example.edu")
    scanned = f"4.2http://lab.example/dashboard/jobs/{following.id}7"  # wherever the cursor was
    answer = pay(staff, job, **{field: scanned})
    assert answer.status_code == 303
    assert f'value="{following.id}:' in staff.get(answer.location).get_data(as_text=True)
    assert services.store.load(job.id).job.revision == job.job.revision


def test_nothing_to_collect_is_said_with_what_to_do(staff: FlaskClient) -> None:
    assert "Nothing is waiting to be collected" in words(staff.get(COUNTER))
    assert "Nothing is waiting for “nobody”" in words(staff.get(COUNTER, query_string={"q": "nobody"}))


# -- one payment ------------------------------------------------------------------------------------------------------


def test_three_jobs_are_handed_out_for_one_payment_with_one_receipt(
    staff: FlaskClient, services: Services, make: MakeJob
) -> None:
    jobs = [make(Status.COMPLETED) for _ in range(3)]
    answer = pay(staff, *jobs)
    assert (answer.status_code, answer.location) == (303, COUNTER)
    after = [services.store.load(stored.id) for stored in jobs]
    assert [stored.job.status for stored in after] == [Status.PAID_PICKED_UP] * 3
    for stored in after:
        [line] = ledger(stored.job).lines
        assert (line.amount, line.transaction) == (Decimal("4.27"), "T-1")
        assert set(line.together) == {other.id for other in jobs} - {stored.id}
    receipts = [mail for stored in after for mail in owed(stored.events, stored.id) if mail.mail == "receipt"]
    assert len(receipts) == 1 and len(receipts[0].jobs) == 2 and receipts[0].not_before is None
    assert "3 prints, $12.81 taken" in words(staff.get(answer.location))


def test_one_job_owes_its_receipt_at_once(staff: FlaskClient, services: Services, make: MakeJob) -> None:
    job = make(Status.COMPLETED)
    assert pay(staff, job).status_code == 303
    stored = services.store.load(job.id)
    [receipt] = [mail for mail in owed(stored.events, job.id) if mail.mail == "receipt"]
    assert (receipt.not_before, receipt.jobs) == (None, ())


def test_jobs_of_two_students_in_one_payment_have_a_receipt_each(
    staff: FlaskClient, services: Services, make: MakeJob
) -> None:
    jobs = [make(Status.COMPLETED), make(Status.COMPLETED, name="Ben", email="ben@example.edu")]
    assert pay(staff, *jobs, payer="Prof. Li").status_code == 303
    for stored in map(services.store.load, (stored.id for stored in jobs)):
        [receipt] = [mail for mail in owed(stored.events, stored.id) if mail.mail == "receipt"]
        assert receipt.to == stored.job.student.email
        assert ledger(stored.job).lines[0].payer == "Prof. Li"


@pytest.mark.parametrize("cost", ["4.275", "4.2700000001", "4.274"])
def test_a_price_with_parts_of_a_cent_is_paid_in_whole_cents(
    staff: FlaskClient, services: Services, make: MakeJob, cost: str
) -> None:
    """As a person writes it into metadata.json."""
    jobs = [make(Status.COMPLETED) for _ in range(2)]
    metadata = jobs[0].folder / "metadata.json"
    metadata.write_text(metadata.read_text("utf-8").replace('"cost": "4.27"', f'"cost": "{cost}"'), "utf-8")
    now = [services.store.load(stored.id) for stored in jobs]
    assert ledger(now[0].job).due == Decimal(cost)
    answer = pay(staff, *now, amount="8.55")
    assert answer.status_code == 422 and "more than the" in words(answer)
    assert accepted(staff, answer, *now, amount="8.55").status_code == 303
    books = [ledger(services.store.load(stored.id).job) for stored in jobs]
    assert [book.paid for book in books] == [Decimal("4.28"), Decimal("4.27")]
    assert [book.due for book in books] == [NOTHING, NOTHING]


def test_what_is_not_ticked_stays(staff: FlaskClient, services: Services, make: MakeJob) -> None:
    collected, waiting = make(Status.COMPLETED), make(Status.COMPLETED)
    assert pay(staff, collected).status_code == 303
    assert services.store.load(waiting.id).job.status is Status.COMPLETED


def test_a_job_that_changed_meanwhile_stops_the_whole_payment(
    staff: FlaskClient, services: Services, make: MakeJob
) -> None:
    first, second = make(Status.COMPLETED), make(Status.COMPLETED)
    act(services.store, second.id, "pickup")
    answer = pay(staff, first, second)
    assert answer.status_code == 409 and "Nothing is saved" in words(answer)
    assert services.store.load(first.id).job.status is Status.COMPLETED


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"job": []}, "Please tick"),
        ({"amount": "much"}, "not a number"),
        ({"picked_up_by": ""}, "fill this in"),
        ({"payment_method": ""}, "fill this in"),
    ],
)
def test_what_is_wrong_is_said_and_what_was_typed_is_kept(
    staff: FlaskClient, services: Services, make: MakeJob, fields: dict[str, Any], sentence: str
) -> None:
    job = make(Status.COMPLETED)
    answer = pay(staff, job, **{"transaction": "T-77"} | fields)
    assert answer.status_code == 422 and sentence in words(answer)
    assert 'value="T-77"' in answer.get_data(as_text=True)
    assert services.store.load(job.id).job.status is Status.COMPLETED


# -- what is remarked -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"amount": "3"}, "$3.00 is less than the $4.27 that is due. $1.27 stays to be paid."),
        ({"amount": "42.70"}, "$42.70 is $38.43 more than the $4.27 that is due."),
        ({"amount": "4.28"}, "$4.28 is $0.01 more than the $4.27 that is due."),
        ({"transaction": "t-99"}, "The transaction number t-99 was used before: for Ben's job"),
    ],
)
def test_what_is_odd_is_remarked_once_and_saved_by_a_second_click(
    staff: FlaskClient, services: Services, make: MakeJob, fields: dict[str, Any], sentence: str
) -> None:
    earlier = make(Status.COMPLETED, name="Ben", email="ben@example.edu")
    services.mirror.put(act(services.store, earlier.id, "pickup", transaction="T-99"))
    job = make(Status.COMPLETED)
    answer = pay(staff, job, **fields)
    assert answer.status_code == 422 and sentence in words(answer)
    assert services.store.load(job.id).job.status is Status.COMPLETED, "not taken silently"
    assert accepted(staff, answer, job, **fields).status_code == 303, "and not blocked either"
    assert services.store.load(job.id).job.status is Status.PAID_PICKED_UP


def test_a_transaction_number_that_this_very_job_has_is_remarked(
    staff: FlaskClient, services: Services, make: MakeJob, post: PostAction
) -> None:
    job = make(Status.COMPLETED)
    assert accepted(staff, pay(staff, job, amount="3"), job, amount="3").status_code == 303
    job = services.store.load(job.id)
    sentence = f"used before: for Jane Doe's job {job.id}, "
    answer = pay(staff, job, transaction="t-1")
    assert answer.status_code == 422 and sentence in words(answer)
    answer = post(job.id, "pay", amount="1.27", payment_method="Card", transaction="T-1")
    assert answer.status_code == 422 and sentence in words(answer)
    assert post(job.id, "pay", amount="1.27", payment_method="Card", transaction="T-2").status_code == 303


def test_an_accepted_remark_does_not_accept_another(staff: FlaskClient, make: MakeJob) -> None:
    job = make(Status.COMPLETED)
    first = pay(staff, job, amount="3")
    assert accepted(staff, first, job, amount="2").status_code == 422


@pytest.mark.parametrize(("charge", "price"), [("quote", "4.27"), ("scale", "5.00")])
def test_another_weight_is_remarked_with_both_prices_and_either_can_be_charged(
    staff: FlaskClient, services: Services, make: MakeJob, charge: str, price: str
) -> None:
    job = make(Status.COMPLETED)
    fields = {f"weight_g-{job.id}": "50", f"charge-{job.id}": charge, "amount": price}
    answer = pay(staff, job, **fields)
    assert "weighs 50 g; the quote is for 42.7 g. By the quote it costs $4.27, by the scale $5.00." in words(answer)
    assert accepted(staff, answer, job, **fields).status_code == 303
    book = ledger(services.store.load(job.id).job)
    assert (book.price, book.due) == (Decimal(price), NOTHING)


def test_lab_toml_says_which_price_is_charged(staff: FlaskClient, services: Services, make: MakeJob) -> None:
    change_lab(services.lab, "payment", charge="scale")
    job = make(Status.COMPLETED)
    answer = pay(staff, job, **{f"weight_g-{job.id}": "50", "amount": "5"})
    assert "$5.00 is charged" in words(answer)
    page = staff.get(COUNTER, query_string={"q": job.id}).get_data(as_text=True)
    assert re.search(r'value="scale" checked', page)
    not_weighed = pay(staff, job, **{f"weight_g-{job.id}": ""})
    assert "“bracket v2.stl” was not weighed. The quote, $4.27, is charged." in words(not_weighed)


def test_the_price_by_the_scale_shows_as_one_types(staff: FlaskClient, make: MakeJob) -> None:
    job = make(Status.COMPLETED)
    for weight, answer in (("50", {"scale": "5.00", "text": "$5.00"}), ("42.7", {"scale": None, "text": ""})):
        assert staff.get(f"{COUNTER}/price?job={job.id}&weight_g={weight}").json == answer | {"discounts": ""}


# -- what stays to be paid --------------------------------------------------------------------------------------------


def test_what_is_not_paid_is_seen_and_paid_with_the_next_print(
    staff: FlaskClient, services: Services, make: MakeJob
) -> None:
    unpaid = make(Status.COMPLETED)
    accepted(staff, pay(staff, unpaid, amount="3"), unpaid, amount="3")
    assert "Jane Doe jane@example.edu 1 not paid $1.27" in words(staff.get(COUNTER))
    finished = make(Status.COMPLETED)
    page = staff.get(COUNTER, query_string={"q": "jane"})
    assert "$1.27 still to be paid" in words(page) and 'name="amount" value="5.54"' in page.get_data(as_text=True)
    now = [services.store.load(stored.id) for stored in (finished, unpaid)]
    assert pay(staff, *now, transaction="T-2").status_code == 303
    for stored in now:
        assert ledger(services.store.load(stored.id).job).due == 0
    assert "Nothing is waiting" in words(staff.get(COUNTER))


def test_a_payment_that_does_not_reach_what_was_ticked_last_is_remarked(
    staff: FlaskClient, services: Services, make: MakeJob
) -> None:
    unpaid, finished = make(Status.COMPLETED), make(Status.COMPLETED)
    accepted(staff, pay(staff, unpaid, amount="3"), unpaid, amount="3")
    jobs = [services.store.load(stored.id) for stored in (finished, unpaid)]
    answer = pay(staff, *jobs, transaction="T-2", amount="4.27")
    assert "$4.27 is less than the $5.54 that is due. $1.27 stays to be paid." in words(answer)
    assert accepted(staff, answer, *jobs, transaction="T-2", amount="4.27").status_code == 303
    assert [ledger(services.store.load(stored.id).job).due for stored in jobs] == [0, Decimal("1.27")]


def test_what_is_waived_with_a_reason_is_not_asked_for_again(
    staff: FlaskClient, services: Services, make: MakeJob
) -> None:
    job = make(Status.COMPLETED)
    assert pay(staff, job, amount="0", waive_reason="Our printer scratched it").status_code == 303
    assert "Nothing is waiting" in words(staff.get(COUNTER))
    history = words(staff.get(f"/dashboard/jobs/{job.id}"))
    assert "$4.27 need not be paid: Our printer scratched it" in history


# -- the job's own page -----------------------------------------------------------------------------------------------


def test_the_pick_up_of_one_job_remarks_on_the_same_things(
    staff: FlaskClient, services: Services, make: MakeJob
) -> None:
    job = make(Status.COMPLETED)
    url = f"/dashboard/jobs/{job.id}/pickup"
    page = staff.get(url).get_data(as_text=True)
    data = {
        "csrf_token": token_in(page), "revision": hidden_value(page, "revision"), "amount": "3",
        "payment_method": "Cash", "picked_up_by": "Jane", "weight_g": "50",
    }  # fmt: skip
    answer = staff.post(url, data=data)
    assert answer.status_code == 422
    assert "$1.27 stays to be paid" in words(answer) and "weighs 50 g" in words(answer)
    assert services.store.load(job.id).job.status is Status.COMPLETED
    accept = hidden_value(answer.get_data(as_text=True), "accept")
    assert staff.post(url, data=data | {"accept": accept}).status_code == 303
    assert services.store.load(job.id).job.status is Status.PAID_PICKED_UP


def test_money_is_given_back_and_the_history_says_why(staff: FlaskClient, services: Services, make: MakeJob) -> None:
    job = make(Status.PAID_PICKED_UP)
    url = f"/dashboard/jobs/{job.id}/refund"
    page = staff.get(url).get_data(as_text=True)
    assert 'value="4.27"' in page
    data = {"csrf_token": token_in(page), "revision": hidden_value(page, "revision"), "amount": "4.27"}
    data |= {"payment_method": "Card", "reason": "It broke in two", "still_due": "no"}
    assert staff.post(url, data=data).status_code == 303
    assert "Gave back $4.27 by Card: It broke in two" in words(staff.get(f"/dashboard/jobs/{job.id}"))
    stored = services.store.load(job.id)
    assert EventType.PAYMENT_REFUNDED in [event.type for event in stored.events]
    assert (ledger(stored.job).paid, ledger(stored.job).due) == (NOTHING, NOTHING)


# -- who hands it out -------------------------------------------------------------------------------------------------


def test_with_staff_names_each_payment_says_who_took_it(staff: FlaskClient, services: Services, make: MakeJob) -> None:
    """One computer at the counter serves all staff: the name that its browser has is nobody's choice."""
    change_lab(services.lab, "about", staff=["Sam", "Alex"])
    with staff.session_transaction() as session:
        session["who"] = "Sam"
    job = make(Status.COMPLETED)
    radios = re.findall(r'<input[^>]*name="who"[^>]*>', staff.get(f"{COUNTER}?q={job.id}").get_data(as_text=True))
    assert len(radios) == 2 and not any("checked" in radio for radio in radios)
    for who in ("", "Mallory"):
        answer = pay(staff, job, who=who)
        assert answer.status_code == 422 and "Please say who of you hands this out." in words(answer)
    assert pay(staff, job, who="Alex").status_code == 303
    assert ledger(services.store.load(job.id).job).lines[0].by == "staff:Alex"
    with staff.session_transaction() as session:
        assert session["who"] == "Sam"


# -- what stays to be paid --------------------------------------------------------------------------------------------


def test_what_is_unpaid_is_seen_on_today_until_it_is_paid_or_waived(
    staff: FlaskClient, services: Services, make: MakeJob, post: PostAction
) -> None:
    today = "/dashboard/today"
    assert "To be paid" not in words(staff.get(today))
    first, second = make(Status.COMPLETED), make(Status.COMPLETED, name="Ben", email="ben@example.edu")
    for job, paid in ((first, "4.00"), (second, "3.27")):
        services.mirror.put(act(services.store, job.id, "pickup", amount=paid))
    page = staff.get(today)
    assert "To be paid: $1.27 for 2 prints that were handed out" in words(page)
    assert 'href="/dashboard/counter">To be paid' in page.get_data(as_text=True)
    assert post(second.id, "waive", amount="1.00", reason="A scratch.").status_code == 303
    assert "To be paid: $0.27 for 1 print that was handed out" in words(staff.get(today))
    services.mirror.put(act(services.store, first.id, "pay", amount="0.27"))
    assert "To be paid" not in words(staff.get(today))


def test_what_is_unpaid_is_not_archived_but_paid_or_waived_before(
    staff: FlaskClient, services: Services, make: MakeJob, post: PostAction
) -> None:
    job = make(Status.COMPLETED)
    act(services.store, job.id, "pickup", amount="4.00")
    services.mirror.put(services.store.load(job.id))
    row = words(staff.get("/dashboard?status=PaidPickedUp"))
    assert "Take a payment (Jane Doe" in row and "Archive (Jane Doe" not in row
    answer = post(job.id, "archive")
    assert answer.status_code == 409 and "0.27 is still to be paid" in words(answer)
    assert services.store.load(job.id).job.status is Status.PAID_PICKED_UP
    act(services.store, job.id, "waive", amount="0.27", reason="Not worth a second way.")
    assert post(job.id, "archive").status_code == 303


def test_what_is_unpaid_is_seen_and_paid_also_where_the_folder_was_dragged_to_the_archive(
    staff: FlaskClient, services: Services, make: MakeJob
) -> None:
    job, not_handed_out = make(Status.COMPLETED), make(Status.COMPLETED)
    act(services.store, job.id, "pickup", amount="3.00")
    act(services.store, not_handed_out.id, "pay", amount="3.00")
    for stored in (job, not_handed_out):
        services.mirror.put(act(services.store, stored.id, "override", status=Status.ARCHIVED))
    assert "To be paid: $1.27 for 1 print that was handed out" in words(staff.get("/dashboard/today"))
    assert "$1.27 still to be paid" in words(staff.get(COUNTER, query_string={"q": "jane"}))
    assert pay(staff, services.store.load(job.id)).status_code == 303
    assert ledger(services.store.load(job.id).job).due == 0
    assert "To be paid" not in words(staff.get("/dashboard/today"))


def test_what_was_waived_can_be_paid_after_all(
    staff: FlaskClient, services: Services, make: MakeJob, post: PostAction
) -> None:
    job = make(Status.COMPLETED)
    act(services.store, job.id, "pickup", amount="3.00", waive_reason="Our printer scratched it")
    assert f'href="/dashboard/jobs/{job.id}/pay"' in staff.get(f"/dashboard/jobs/{job.id}").get_data(as_text=True)
    page = staff.get(f"/dashboard/jobs/{job.id}/pay").get_data(as_text=True)
    assert 'name="amount"' in page and 'value="1.27"' in page
    assert post(job.id, "pay", amount="1.27", payment_method="Card").status_code == 303
    shown = words(staff.get(f"/dashboard/jobs/{job.id}"))
    assert "$1.27 is paid after all, and not waived" in shown and "$1.27 no longer waived" in shown
    book = ledger(services.store.load(job.id).job)
    assert (book.paid, book.waived, book.due) == (Decimal("4.27"), NOTHING, NOTHING)


def test_a_price_by_the_scale_that_is_paid_is_not_looked_at_again(services: Services, make: MakeJob) -> None:
    """A lab that charges by the scale has one with every job; what is unpaid must not be lost behind 500 of them."""
    for amount, weight in (("5.00", "50"), ("4.27", "50"), ("4.27", "42.7")):
        job = make(Status.COMPLETED)
        services.mirror.put(act(services.store, job.id, "pickup", amount=amount, weight_g=weight, charge="scale"))
    [row] = services.queries.perhaps_unpaid()
    assert ledger(row.job).due == Decimal("0.73")
