"""Discounts of lab.toml: named with their sum wherever the price stands, and the same price everywhere."""

from __future__ import annotations

import io
import re
from decimal import Decimal
from html import unescape

import pytest
from flask.testing import FlaskClient

from printsys.domain.emails import OwedMail
from printsys.domain.estimates import open_difference
from printsys.domain.payments import ledger
from printsys.domain.pricing import PriceRule
from printsys.domain.status import Status
from printsys.jobstore import Stored
from printsys.mail.messages import compose, make_composer
from printsys.reports.export import Period, rows
from printsys.services import Services
from printsys.tickets.job_card import job_card
from tests.factories import STL, perform
from tests.present import present
from tests.web.conftest import MakeJob, PostAction, Submit, confirm_token, form_token, json_of

RULES = [
    PriceRule(name="Own material", percent=Decimal(20), own_material=True),
    PriceRule(name="Studio class", percent=Decimal(10), class_numbers=["ARCH*"]),
]
WORDS = "Own material −$2.00, Studio class −$0.80, together −$2.80"
"""Of 100 g, which cost $10.00 without rules and $7.20 with them."""


def words(html: str) -> str:
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html)))


@pytest.fixture(autouse=True)
def _rules(services: Services) -> None:
    services.lab.__dict__["prices"] = [list_.model_copy(update={"rules": RULES}) for list_ in services.lab.prices]


@pytest.fixture
def own_material(services: Services, submit: Submit) -> Stored:
    answer = submit(own_material="yes")
    assert answer.status_code == 303
    return services.store.load(answer.location.rpartition("=")[2])


def approved(services: Services, stored: Stored, grams: str = "100") -> Stored:
    return perform(services.actions, stored.id, "approve", weight_g=grams)


def test_the_form_asks_for_own_material_only_where_a_rule_does(client: FlaskClient, services: Services) -> None:
    assert 'name="own_material"' in client.get("/submit").get_data(as_text=True)
    services.lab.__dict__["prices"] = [list_.model_copy(update={"rules": []}) for list_ in services.lab.prices]
    assert 'name="own_material"' not in client.get("/submit").get_data(as_text=True)


def test_the_check_before_sending_takes_the_discounts_off_its_guess(client: FlaskClient) -> None:
    def check(**fields: str) -> dict[str, object]:
        data = {"csrf_token": form_token(client), "file": (io.BytesIO(STL), "part.stl"), "copies": "20"}
        data |= {"print_method": "Filament"} | fields
        answer = client.post("/submit/check", data=data, content_type="multipart/form-data")
        return dict(json_of(answer)["files"][0]) | {"html": json_of(answer)["html"]}

    full, reduced = check(), check(own_material="yes", class_number="ARCH 4000")
    assert full["discounts"] == []
    assert [each["name"] for each in reduced["discounts"]] == ["Own material", "Studio class"]  # type: ignore[attr-defined]
    assert "Own material, Studio class: up to $" in words(str(reduced["html"]))


def test_each_page_and_mail_names_the_discounts_with_their_sum(
    client: FlaskClient, staff: FlaskClient, services: Services, own_material: Stored
) -> None:
    assert present(own_material.job.request).own_material is True
    page = f"/dashboard/jobs/{own_material.id}"
    assert "the student brings it" in words(staff.get(page).get_data(as_text=True))
    quoted = json_of(staff.get(f"{page}/quote?weight_g=100"))["text"]
    assert quoted == f"$7.20: 100 g × $0.10 ({WORDS})"
    stored = approved(services, own_material)
    assert present(stored.job.estimate).cost == Decimal("7.20")
    confirm = client.get(f"/confirm/{confirm_token(services, stored)}")
    status = client.get(f"/status/{services.tokens.status(stored.id)}")
    services.mirror.put(stored)
    for answer in (
        confirm,
        status,
        staff.get(page),
        staff.get(f"{page}/ticket"),
        staff.get("/dashboard?status=Pending"),
    ):
        assert WORDS in words(answer.get_data(as_text=True)), answer.request.path
    assert WORDS in words(job_card(stored.job, services.lab, "http://lab").decode())
    composer = make_composer(services.settings, services.lab, services.tokens)
    mail = compose(composer, OwedMail(stored.id, 1, "approved", "jane@example.edu"), stored.job)
    for kind in ("plain", "html"):
        assert WORDS in words(present(mail.get_body((kind,))).get_content())
    [row] = rows(services.store, Period(composer.zone), False, {})
    assert (row["discounts"], row["discount"], row["cost"]) == ("Own material; Studio class", "2.80", "7.20")


def test_the_scale_at_the_counter_has_the_same_rules_and_the_receipt_names_them(
    staff: FlaskClient, services: Services, own_material: Stored
) -> None:
    approved(services, own_material)
    for action in ("confirm", "start", "complete"):
        perform(services.actions, own_material.id, action)
    services.mirror.put(services.store.load(own_material.id))
    price = json_of(staff.get(f"/dashboard/counter/price?job={own_material.id}&weight_g=50"))
    assert price == {
        "scale": "3.60",
        "text": "$3.60",
        "discounts": "Own material −$1.00, Studio class −$0.40, together −$1.40",
    }
    page = words(staff.get(f"/dashboard/counter?q={own_material.id}").get_data(as_text=True))
    assert f"$7.20 quote: {WORDS}" in page
    revision = services.store.load(own_material.id).job.revision
    data = {
        "csrf_token": form_token(staff, "/logout"), "student": "jane@example.edu", "amount": "3.60",
        "job": f"{own_material.id}:{revision}", "payment_method": "Card", "picked_up_by": "Jane Doe",
        f"weight_g-{own_material.id}": "50", f"charge-{own_material.id}": "scale",
    }  # fmt: skip
    remarked = staff.post("/dashboard/counter", data=data).get_data(as_text=True)
    accept = present(re.search(r'name="accept" value="(\w+)"', remarked)).group(1)
    assert staff.post("/dashboard/counter", data=data | {"accept": accept}).status_code == 303
    stored = services.store.load(own_material.id)
    assert (ledger(stored.job).price, ledger(stored.job).due) == (Decimal("3.60"), Decimal(0))
    composer = make_composer(services.settings, services.lab, services.tokens)
    receipt = compose(composer, OwedMail(stored.id, 1, "receipt", "jane@example.edu"), stored.job)
    assert price["discounts"] in words(present(receipt.get_body(("plain",))).get_content())
    back = perform(services.actions, stored.id, "revert")
    assert "discounts" not in (back.job.payment.model_extra or {} if back.job.payment else {})


def test_staff_correct_whether_the_student_brings_the_material(
    services: Services, post: PostAction, make: MakeJob
) -> None:
    job = make(class_number="N/A")
    assert post(job.id, "details", own_material="yes").status_code == 303
    assert present(approved(services, job).job.estimate).cost == Decimal("8.00")
    perform(services.actions, job.id, "revert")
    assert post(job.id, "details", own_material="no").status_code == 303
    after = approved(services, job)
    assert present(after.job.estimate).cost == Decimal("10.00")
    assert "discounts" not in (present(after.job.estimate).model_extra or {})
    assert "own_material" not in (after.job.request.model_extra or {})
    assert after.job.status is Status.PENDING


def test_a_correction_that_changes_the_discount_is_raised_and_the_agreed_price_stays(
    services: Services, own_material: Stored, post: PostAction, staff: FlaskClient
) -> None:
    approved(services, own_material)
    assert post(own_material.id, "details", class_number="N/A").status_code == 303
    stored = services.store.load(own_material.id)
    sentence = "by the price rules it would cost $8.00 now, agreed were $7.20"
    assert present(open_difference(stored.job, stored.events)).data["differences"] == [sentence]
    assert present(stored.job.estimate).cost == Decimal("7.20")
    page = words(staff.get(f"/dashboard/jobs/{own_material.id}").get_data(as_text=True))
    assert sentence in page and "Keep the agreed price" in page
    post(own_material.id, "details", discipline="Art")
    stored = services.store.load(own_material.id)
    assert open_difference(stored.job, stored.events) is not None, "the discipline decides nothing here"
    post(own_material.id, "details", class_number="ARCH 4000")
    stored = services.store.load(own_material.id)
    assert open_difference(stored.job, stored.events) is None
