"""Every action of the workflow table, from the page that asks to the folder, the log, the row and the next page."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from printsys.domain import workflow
from printsys.domain.folder_moves import drag
from printsys.domain.status import Status
from printsys.errors import InvalidInput
from printsys.jobstore import Stored
from printsys.services import Services
from tests.factories import USUAL_INPUT, act, usual_input
from tests.links import link
from tests.mirrored import mirrored_job
from tests.present import present
from tests.web.conftest import MakeJob, PastStore, PostAction, form_token, hidden_value, json_of, token_in, tree

U, P, R, X, C, D, J, A = Status


def text(response: TestResponse) -> str:
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.get_data(as_text=True))))


def html(response: TestResponse) -> str:
    return response.get_data(as_text=True)


def new_events(before: Stored, after: Stored) -> list[str]:
    return [event.type for event in after.events[len(before.events) :]]


# -- the table, row by row --------------------------------------------------------------------------------------------

ROWS: list[tuple[str, Status, Status, list[str]]] = [
    ("approve", U, P, ["StaffApproved", "EmailQueued"]),
    ("reject", U, J, ["JobRejected", "EmailQueued"]),
    ("reject", P, J, ["EmailDropped", "JobRejected", "EmailQueued"]),
    ("reject", R, J, ["EmailDropped", "JobRejected", "EmailQueued"]),
    ("confirm", P, R, ["EmailDropped", "StaffConfirmed"]),
    ("start", R, X, ["EmailDropped", "PrintingStarted"]),
    ("complete", X, C, ["EmailDropped", "JobCompleted", "EmailQueued"]),
    ("fail", X, R, ["EmailDropped", "PrintFailed"]),
    ("pickup", C, D, ["PaymentRecorded", "EmailDropped", "EmailDropped", "JobPickedUp", "EmailQueued"]),
    ("archive", D, A, ["EmailDropped", "EmailDropped", "JobArchived"]),
    ("archive", J, A, ["JobArchived"]),
    ("revert", P, U, ["EmailDropped", "StatusReverted"]),
    ("revert", R, P, ["StatusReverted"]),
    ("revert", X, R, ["EmailDropped", "StatusReverted"]),
    ("revert", C, X, ["EmailDropped", "EmailDropped", "StatusReverted"]),
    ("revert", D, C, ["EmailDropped", "StatusReverted"]),
    ("revert", J, U, ["EmailDropped", "StatusReverted"]),
]
"""Action, from, to, the events that it records. Nothing here sends an e-mail: a newer status drops those that wait."""
STAYING = {
    "review": "Reviewed", "unreview": "Unreviewed", "notes": "NotesEdited", "details": "DetailsEdited",
    "choose-file": "PrintFileChosen", "resend-email": "EmailQueued",
}  # fmt: skip


WHERE_DUE = {"supply", "accept-move", "keep", "keep-price", "put-away"}
"""Fixes: offered where something is wrong, and tested with the attention page."""
PLATES = {"plates"}
"""Offered for a job of several: see test_plates.py."""
MONEY = {"pay", "waive", "refund"}
"""Offered where there is something to pay or to give back: see test_payments.py."""


def test_the_rows_below_are_the_whole_table() -> None:
    moving = {(step.action, s) for step in workflow.STEPS for s in step.from_ if step.to and "staff" in step.who}
    assert moving == {(action, from_) for action, from_, _, _ in ROWS}
    staying = {step.action for step in workflow.STEPS if step.to is None and "staff" in step.who}
    assert staying == {*STAYING, "override", "delete", *WHERE_DUE, *MONEY, *PLATES}


@pytest.mark.parametrize(("action", "from_", "to", "events"), ROWS, ids=lambda value: str(value))
def test_an_action_goes_from_its_page_to_the_folder_the_log_the_row_and_the_jobs_page(
    staff: FlaskClient, services: Services, make: MakeJob, action: str, from_: Status, to: Status, events: list[str]
) -> None:
    before = make(from_)
    url = f"/dashboard/jobs/{before.id}/{action}"
    form_page = staff.get(url)
    assert form_page.status_code == 200
    page = form_page.get_data(as_text=True)
    assert f'action="{url}"' in page and hidden_value(page, "revision") == str(before.job.revision)
    sent = usual_input(action, before.job) | {"csrf_token": token_in(page), "revision": hidden_value(page, "revision")}
    answer = staff.post(url, data=sent)
    assert answer.status_code == 303 and answer.location == f"/dashboard/jobs/{before.id}"
    after = services.store.load(before.id)
    assert after.folder == services.store.layout.status(to) / before.folder.name and not before.folder.exists()
    assert after.job.status is to and not after.move_pending and not after.problem
    types = [kind for kind in new_events(before, after) if kind != "EmailDropped"]
    assert types == [kind for kind in events if kind != "EmailDropped"]
    assert {e.actor for e in after.events[len(before.events) :]} <= {"staff", "system"}
    row = present(mirrored_job(services.queries, before.id))
    assert row.job.status is to and row.revision == after.job.revision
    assert row.folder == f"{to}/{before.folder.name}"
    assert "alert-success" in staff.get(answer.location).get_data(as_text=True)


@pytest.mark.parametrize("action", STAYING)
def test_an_action_that_changes_no_status_is_recorded_where_the_job_lies(
    services: Services, make: MakeJob, post: PostAction, action: str
) -> None:
    before = make(P)
    answer = post(before.id, action, **usual_input(action, before.job))
    assert answer.status_code == 303
    after = services.store.load(before.id)
    assert after.folder == before.folder and new_events(before, after)[-1] == STAYING[action]
    assert present(mirrored_job(services.queries, before.id)).revision == after.job.revision


# -- approve ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "weight", "cost", "rule"),
    [
        ("Filament", "42.7", "4.27", "$4.27: 42.7 g × $0.10"),
        ("Filament", "42,7 g", "4.27", "$4.27: 42.7 g × $0.10"),
        ("Filament", "29.9", "3.00", "$3.00, the minimum charge"),
        ("Filament", "30", "3.00", "$3.00: 30 g × $0.10"),
        ("Filament", "100.05", "10.01", "$10.01: 100.05 g × $0.10"),
        ("Resin", "42.7", "8.54", "$8.54: 42.7 g × $0.20"),
        ("Resin", "1", "3.00", "$3.00, the minimum charge"),
    ],
)
def test_the_price_shown_while_typing_is_the_price_that_the_approval_records(
    staff: FlaskClient,
    services: Services,
    make: MakeJob,
    post: PostAction,
    method: str,
    weight: str,
    cost: str,
    rule: str,
) -> None:
    is_resin = method == "Resin"
    before = make(method=method, color="Gray", printer="formlabs-form3" if is_resin else "prusa-mk4s")
    quote = staff.get(f"/dashboard/jobs/{before.id}/quote", query_string={"weight_g": weight})
    assert json_of(quote)["text"] == rule and rule.startswith(f"${cost}")
    fields = usual_input("approve", before.job) | {"weight_g": weight, "material": "Tough resin" if is_resin else "PLA"}
    assert post(before.id, "approve", **fields).status_code == 303
    job = services.store.load(before.id).job
    assert present(job.estimate).cost == Decimal(cost) and present(job.confirmation).nonce
    assert f"Approved at ${cost}" in text(staff.get(f"/dashboard/jobs/{before.id}"))


@pytest.mark.parametrize("query", ["", "weight_g=", "weight_g=abc", "weight_g=-1", "weight_g=1e99", "weight_g=NaN"])
def test_no_price_is_shown_for_what_is_no_weight(staff: FlaskClient, make: MakeJob, query: str) -> None:
    answer = staff.get(f"/dashboard/jobs/{make().id}/quote?{query}")
    assert answer.status_code == 200 and answer.json == {"text": ""}


@pytest.mark.parametrize(("typed", "hours"), [("3.1", "3.5"), ("3.5", "3.5"), ("3.6", "4"), ("0.1", "0.5"), ("2", "2")])
def test_the_hours_are_rounded_up_to_the_half(
    services: Services, make: MakeJob, post: PostAction, typed: str, hours: str
) -> None:
    before = make()
    post(before.id, "approve", **usual_input("approve", before.job) | {"time_h": typed})
    assert present(services.store.load(before.id).job.estimate).time_h == Decimal(hours)


def test_a_slicers_file_that_the_record_does_not_know_yet_is_added_by_the_approval(
    services: Services, make: MakeJob, post: PostAction
) -> None:
    before = make()
    (before.folder / "plate 1.gcode").write_bytes(b"G28\nG1 X1\n")
    answer = post(before.id, "approve", **usual_input("approve", before.job) | {"print_file": ["plate 1.gcode"]})
    assert answer.status_code == 303
    after = services.store.load(before.id)
    assert new_events(before, after) == ["FileAdded", "StaffApproved", "EmailQueued"]
    assert after.job.print_files == ["plate 1.gcode"] and present(after.job.file("plate 1.gcode")).size == 10
    assert (after.folder / "plate 1.gcode").is_file() and after.folder.parent.name == "Pending"


def test_several_plates_may_be_approved_together(services: Services, make: MakeJob, post: PostAction) -> None:
    before = make()
    names = ["plate 1.gcode", "plate 2.gcode"]
    for name in names:
        (before.folder / name).write_bytes(name.encode())
    assert post(before.id, "approve", **usual_input("approve", before.job) | {"print_file": names}).status_code == 303
    assert services.store.load(before.id).job.print_files == names


def test_the_approval_owes_the_student_the_mail_with_the_link(
    staff: FlaskClient, services: Services, make: MakeJob, post: PostAction
) -> None:
    before = make()
    post(before.id, "approve", **usual_input("approve", before.job))
    queued = services.store.load(before.id).events[-1]
    assert queued.type == "EmailQueued" and queued.data == {"mail": "approved", "to": "jane@example.edu"}


# -- the other actions' facts -----------------------------------------------------------------------------------------


def test_a_rejection_keeps_the_ticked_reasons_and_the_words(
    staff: FlaskClient, services: Services, make: MakeJob, post: PostAction
) -> None:
    before = make()
    page = staff.get(f"/dashboard/jobs/{before.id}/reject").get_data(as_text=True)
    assert all(f'value="{reason.id}"' in page for reason in services.lab.rejection_reasons if reason.id != "declined")
    assert "Reject and e-mail Jane" in page
    post(before.id, "reject", **USUAL_INPUT["reject"])
    rejection = present(services.store.load(before.id).job.rejection)
    assert (rejection.reasons, rejection.comment, rejection.by) == (
        ["too-thin", "messy"],
        "The walls are too thin.",
        "staff",
    )
    page = text(staff.get(f"/dashboard/jobs/{before.id}"))
    assert present(services.lab.reason("too-thin")).text in page and "The walls are too thin." in page


def test_a_failed_print_goes_back_in_line_with_why_and_what_it_cost(
    services: Services, make: MakeJob, post: PostAction
) -> None:
    before = make(X)
    post(before.id, "fail", **USUAL_INPUT["fail"])
    failed = next(event for event in reversed(services.store.load(before.id).events) if event.type == "PrintFailed")
    recorded = {name: failed.data[name] for name in ("reason", "fault", "wasted_g")}
    assert recorded == {"reason": "It came off the bed.", "fault": "machine", "wasted_g": "12"}


def test_a_pick_up_records_the_payment(staff: FlaskClient, services: Services, make: MakeJob, post: PostAction) -> None:
    before = make(C)
    page = staff.get(f"/dashboard/jobs/{before.id}/pickup").get_data(as_text=True)
    assert re.search(r'name="amount"[^>]*value="4\.27"', page) and re.search(r'value="Jane Doe"', page)
    post(
        before.id,
        "pickup",
        **USUAL_INPUT["pickup"] | {"transaction": "T-99", "picked_up_by": "Joe Doe", "amount": "$4.27"},
    )
    paid = present(services.store.load(before.id).job.payment)
    assert (paid.amount, paid.method, paid.transaction) == (Decimal("4.27"), "Card", "T-99")
    assert (paid.picked_up_by, paid.weight_g, paid.by) == ("Joe Doe", Decimal("42.7"), "staff")
    payment = present(mirrored_job(services.queries, before.id)).job.payment
    assert payment is not None and payment.amount == Decimal("4.27")


def test_undoing_a_pick_up_takes_the_payment_back(services: Services, make: MakeJob, post: PostAction) -> None:
    before = make(D)
    assert before.job.payment is not None
    post(before.id, "revert", **USUAL_INPUT["revert"])
    assert (
        services.store.load(before.id).job.payment is None
        and present(mirrored_job(services.queries, before.id)).job.payment is None
    )


@pytest.mark.parametrize("status", list(Status))
def test_an_override_leads_from_any_status_to_any_other_with_its_reason(
    services: Services, make: MakeJob, post: PostAction, status: Status
) -> None:
    before = make(status)
    target = J if status is not J else R
    answer = post(before.id, "override", status=target.value, reason="The manager said so.")
    assert answer.status_code == 303
    after = services.store.load(before.id)
    event = after.events[-1]
    assert (event.type, event.data["reason"]) == ("StatusOverridden", "The manager said so.")
    assert after.folder.parent.name == target
    assert present(mirrored_job(services.queries, before.id)).job.status is target


@pytest.mark.parametrize("status", ["Pending", "Nonsense", ""])
def test_an_override_to_nowhere_or_to_where_it_is_changes_nothing(make: MakeJob, post: PostAction, status: str) -> None:
    before = make(P)
    state = tree(before.folder)
    assert post(before.id, "override", status=status, reason="Because.").status_code in (409, 422)
    assert tree(before.folder) == state


def test_a_job_is_reviewed_and_not_reviewed(
    staff: FlaskClient, services: Services, make: MakeJob, post: PostAction
) -> None:
    before = make()
    assert "NEW" in text(staff.get(f"/dashboard/jobs/{before.id}"))
    assert post(before.id, "review").status_code == 303
    assert services.store.load(before.id).job.reviewed_at and "NEW" not in text(
        staff.get(f"/dashboard/jobs/{before.id}")
    )
    assert present(mirrored_job(services.queries, before.id)).job.reviewed_at is not None
    assert post(before.id, "unreview").status_code == 303
    assert (
        services.store.load(before.id).job.reviewed_at is None
        and present(mirrored_job(services.queries, before.id)).job.reviewed_at is None
    )


def test_notes_are_saved_and_saving_the_same_again_is_no_event(
    staff: FlaskClient, services: Services, make: MakeJob, post: PostAction
) -> None:
    before = make()
    assert post(before.id, "notes", notes="Line one\r\nLine two").status_code == 303
    after = services.store.load(before.id)
    assert after.job.notes == "Line one\nLine two"
    assert "Line one\nLine two</textarea>" in staff.get(f"/dashboard/jobs/{before.id}").get_data(as_text=True)
    assert post(before.id, "notes", notes="Line one\nLine two").status_code == 303
    assert services.store.load(before.id).job.revision == after.job.revision


def test_details_are_corrected_and_only_what_changed_is_recorded(
    staff: FlaskClient, services: Services, make: MakeJob, post: PostAction
) -> None:
    before = make()
    page = staff.get(f"/dashboard/jobs/{before.id}/details").get_data(as_text=True)
    assert 'value="Jane Doe"' in page and 'value="jane@example.edu"' in page
    fields = {
        "student_name": "Janet Doe", "student_email": "jane@example.edu", "discipline": "Art",
        "class_number": "ARCH 4000", "color": "Blue", "printer": "prusa-mk4s", "copies": "1", "due_date": "",
        "message": "",
    }  # fmt: skip
    assert post(before.id, "details", **fields).status_code == 303
    after = services.store.load(before.id)
    assert new_events(before, after) == ["DetailsEdited"]
    assert after.events[-1].data["changed"] == ["color", "discipline", "name"]
    assert after.job.student.name == "Janet Doe" and after.job.request.color == "Blue"
    assert after.folder.name == before.folder.name, "a folder that somebody has open keeps its name"
    assert post(before.id, "details", **fields).status_code == 303
    assert services.store.load(before.id).job.revision == after.job.revision


def test_a_wrong_address_is_not_taken_into_the_details(make: MakeJob, post: PostAction) -> None:
    before = make()
    state = tree(before.folder)
    answer = post(before.id, "details", student_name="Jane Doe", student_email="a@b\r\nBcc: x@y.z")
    assert answer.status_code == 422 and "like jane@example.edu" in text(answer)
    assert tree(before.folder) == state


def test_the_method_is_corrected_with_a_color_and_a_printer_of_its_own(
    staff: FlaskClient, services: Services, make: MakeJob, post: PostAction
) -> None:
    before = make()
    assert 'name="print_method"' in html(staff.get(f"/dashboard/jobs/{before.id}/details"))
    alone = post(before.id, "details", print_method="Resin")
    assert alone.status_code == 422 and "True Red is not a color that we have for Resin." in text(alone)
    assert "Please choose a printer for Resin." in text(alone)
    assert services.store.load(before.id).job.revision == before.job.revision
    assert post(before.id, "details", print_method="Resin", color="Gray", printer="formlabs-form3").status_code == 303
    after = services.store.load(before.id).job.request
    assert (after.method, after.color, after.printer) == ("Resin", "Gray", "formlabs-form3")


def test_another_method_forgets_the_figures_of_the_one_before(
    staff: FlaskClient, services: Services, make: MakeJob, post: PostAction
) -> None:
    job = make(P)
    post(job.id, "revert", reason="It is meant to be resin.")
    post(job.id, "details", print_method="Resin", color="Gray", printer="formlabs-form3")
    assert services.store.load(job.id).job.estimate is None
    assert "PLA" not in html(staff.get(f"/dashboard/jobs/{job.id}/approve"))


def test_the_method_stays_once_it_has_a_price(staff: FlaskClient, services: Services, make: MakeJob) -> None:
    job = make(P)
    assert 'name="print_method"' not in html(staff.get(f"/dashboard/jobs/{job.id}/details"))
    with pytest.raises(InvalidInput, match="The price was made for Filament"):
        act(services.store, job.id, "details", print_method="Resin", color="Gray", printer="formlabs-form3")


def test_a_day_that_is_over_is_no_correction_and_one_that_passed_meanwhile_stays(
    services: Services, make: MakeJob, post: PostAction, past_store: PastStore
) -> None:
    job = make(ago=timedelta(days=30))
    yesterday = (services.lab.today(datetime.now(UTC)) - timedelta(days=1)).isoformat()
    answer = post(job.id, "details", due_date=yesterday)
    assert answer.status_code == 422 and "That day is over." in text(answer)
    act(past_store(timedelta(days=20)), job.id, "details", due_date=yesterday)
    assert post(job.id, "details", due_date=yesterday, copies="2").status_code == 303
    assert services.store.load(job.id).job.request.copies == 2


def test_no_material_is_chosen_where_nobody_named_one(
    staff: FlaskClient, services: Services, make: MakeJob, post: PostAction
) -> None:
    """A wrong one is easily overlooked."""
    job = make()
    page = html(staff.get(f"/dashboard/jobs/{job.id}/approve"))
    materials = present(re.search(r'<select[^>]*name="material".*?</select>', page, re.S)).group()
    assert "Please choose" in materials and re.findall(r"<option selected", materials) == []
    assert post(job.id, "approve", **usual_input("approve", job.job) | {"material": ""}).status_code == 422
    assert post(job.id, "approve", **usual_input("approve", job.job) | {"material": "PETG"}).status_code == 303
    post(job.id, "revert", reason="Another price.")
    again = html(staff.get(f"/dashboard/jobs/{job.id}/approve"))
    assert re.search(r'<option selected value="PETG"', again)


def test_another_print_file_is_chosen(services: Services, make: MakeJob, post: PostAction) -> None:
    before = make(P)
    (before.folder / "better.gcode").write_bytes(b"G28\n")
    assert post(before.id, "choose-file", print_file=["better.gcode"]).status_code == 303
    after = services.store.load(before.id)
    assert new_events(before, after) == ["FileAdded", "PrintFileChosen"]
    assert after.job.print_files == ["better.gcode"]
    assert present(after.job.estimate).cost == present(before.job.estimate).cost, "the agreed price stays"


@pytest.mark.parametrize(
    ("status", "mail"), [(U, "received"), (P, "approved"), (J, "rejected"), (C, "completed")], ids=str
)
def test_the_mail_that_the_student_waits_for_is_sent_again(
    services: Services, make: MakeJob, post: PostAction, status: Status, mail: str
) -> None:
    before = make(status)
    assert post(before.id, "resend-email").status_code == 303
    after = services.store.load(before.id)
    assert after.events[-1].type == "EmailQueued" and after.events[-1].data["mail"] == mail
    if status is P:
        assert present(after.job.confirmation).nonce != present(before.job.confirmation).nonce


def test_facts_that_a_move_by_hand_skipped_are_asked_for_and_filled_in(
    staff: FlaskClient, services: Services, make: MakeJob, post: PostAction
) -> None:
    before = make()
    moved = services.actions.record(before.id, lambda stored: drag(stored.job, P, services.actions.context()))
    assert moved.job.status is P and moved.job.estimate is None
    page = staff.get(f"/dashboard/jobs/{before.id}").get_data(as_text=True)
    assert f'action="/dashboard/jobs/{before.id}/supply"' in page
    assert post(before.id, "supply", **usual_input("approve", before.job)).status_code == 303
    after = services.store.load(before.id)
    assert present(after.job.estimate).cost == Decimal("4.27") and present(after.job.confirmation).nonce
    assert new_events(moved, after) == ["FactsSupplied", "EmailQueued"]
    page = staff.get(f"/dashboard/jobs/{before.id}").get_data(as_text=True)
    assert f'action="/dashboard/jobs/{before.id}/supply"' not in page


# -- delete -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("typed", ["", "yes", "aaaaaaaa", "k7m29xq"])
def test_a_job_is_not_deleted_without_its_id_being_typed(
    services: Services, make: MakeJob, post: PostAction, typed: str
) -> None:
    before = make()
    state = tree(before.folder)
    answer = post(before.id, "delete", confirm_id=typed)
    assert answer.status_code == 422
    assert (f"Please type {before.id}" if typed else "Please fill this in") in text(answer)
    assert tree(before.folder) == state and mirrored_job(services.queries, before.id) is not None


@pytest.mark.parametrize("status", list(Status))
def test_a_deleted_job_lies_in_the_trash_whole_and_nowhere_else(
    staff: FlaskClient, services: Services, make: MakeJob, post: PostAction, status: Status
) -> None:
    before = make(status)
    answer = post(before.id, "delete", confirm_id=f" {before.id.upper().replace('0', 'O').replace('1', 'I')} ")
    assert answer.status_code == 303 and answer.location == "/dashboard"
    assert "stays in the trash for 30 days" in text(staff.get("/dashboard"))
    trashed = services.store.layout.trash / before.folder.name
    assert trashed.is_dir() and (trashed / "original" / "bracket v2.stl").is_file() and not before.folder.exists()
    assert staff.get(f"/dashboard/jobs/{before.id}").status_code == 404
    assert mirrored_job(services.queries, before.id) is None and sum(services.queries.counts().values()) == 0


# -- what is not possible ---------------------------------------------------------------------------------------------

ILLEGAL = [
    (status, action)
    for status in Status
    for action in sorted({step.action for step in workflow.STEPS})
    if action not in {step.action for step in workflow.steps_from(status, "staff")}
]


@pytest.mark.parametrize("status", list(Status))
def test_what_the_table_does_not_allow_is_refused_and_changes_nothing(
    staff: FlaskClient, services: Services, make: MakeJob, post: PostAction, status: Status
) -> None:
    before = make(status)
    state = tree(before.folder)
    for action in [action for from_, action in ILLEGAL if from_ is status]:
        answer = post(before.id, action, **usual_input(action, before.job))
        assert answer.status_code == 409, action
        assert "That is not possible now" in text(answer), action
        assert staff.get(f"/dashboard/jobs/{before.id}/{action}").status_code == 409, action
    assert (
        tree(before.folder) == state
        and present(mirrored_job(services.queries, before.id)).revision == before.job.revision
    )


def test_an_action_that_there_is_not_is_refused(staff: FlaskClient, make: MakeJob, post: PostAction) -> None:
    before = make()
    for action in ("explode", "student_confirm", "student_decline"):
        assert post(before.id, action).status_code == 409
        assert staff.get(f"/dashboard/jobs/{before.id}/{action}").status_code == 409


BAD: list[tuple[str, Status, dict[str, Any], str, str]] = [
    ("approve", U, {"weight_g": ""}, "weight_g", "weight in grams"),
    ("approve", U, {"weight_g": "0"}, "weight_g", "more than 0"),
    ("approve", U, {"weight_g": "-3"}, "weight_g", "more than 0"),
    ("approve", U, {"weight_g": "NaN"}, "weight_g", ""),
    ("approve", U, {"weight_g": "lots"}, "weight_g", "not a number"),
    ("approve", U, {"time_h": ""}, "time_h", "fill this in"),
    ("approve", U, {"time_h": "99999"}, "time_h", "at most 2000"),
    ("approve", U, {"material": ""}, "material", ""),
    ("approve", U, {"print_file": []}, "print_file", ""),
    ("approve", U, {"print_file": ["../../../etc/passwd"]}, "print_file", ""),
    ("approve", U, {"print_file": ["nothing.gcode"]}, "print_file", ""),
    ("reject", U, {"reasons": [], "comment": " "}, "reasons", "tick a reason"),
    ("confirm", P, {"reason": ""}, "reason", "fill this in"),
    ("revert", P, {"reason": "   "}, "reason", "fill this in"),
    ("override", P, {"reason": ""}, "reason", "fill this in"),
    ("fail", X, {"reason": ""}, "reason", "fill this in"),
    ("fail", X, {"fault": "nobody"}, "fault", ""),
    ("fail", X, {"wasted_g": "-1"}, "wasted_g", "at least 0"),
    ("pickup", C, {"amount": ""}, "amount", ""),
    ("pickup", C, {"amount": "-1"}, "amount", "at least 0"),
    ("pickup", C, {"amount": "4.275"}, "amount", "2 digits after the point"),
    ("pickup", C, {"picked_up_by": ""}, "picked_up_by", "fill this in"),
    ("pickup", C, {"payment_method": ""}, "payment_method", ""),
    ("notes", U, {"notes": "x" * 5001}, "notes", "under 5000"),
    ("choose-file", P, {"print_file": []}, "print_file", ""),
]


@pytest.mark.parametrize(("action", "status", "changed", "field", "says"), BAD)
def test_a_fact_that_is_missing_or_impossible_is_said_beside_its_field(
    make: MakeJob, post: PostAction, action: str, status: Status, changed: dict[str, Any], field: str, says: str
) -> None:
    before = make(status)
    state = tree(before.folder)
    answer = post(before.id, action, **usual_input(action, before.job) | changed)
    assert answer.status_code == 422
    beside = re.search(rf'id="{field}-error">([^<]+)<', answer.get_data(as_text=True))
    assert beside and says in unescape(beside.group(1))
    assert tree(before.folder) == state


def test_what_was_typed_is_kept_beside_the_mistake(make: MakeJob, post: PostAction) -> None:
    before = make()
    answer = post(
        before.id, "approve", **usual_input("approve", before.job) | {"weight_g": "12.5 <g>", "time_h": "2.5"}
    )
    page = answer.get_data(as_text=True)
    assert answer.status_code == 422 and 'value="12.5 &lt;g&gt;"' in page and 'value="2.5"' in page
    assert re.search(r"<option selected[^>]*>PLA<", page)
    assert re.search(rf'value="{re.escape(before.job.files[1].name)}"[^>]*checked', page, re.S)


def test_a_print_file_that_vanished_meanwhile_is_said(staff: FlaskClient, make: MakeJob, post: PostAction) -> None:
    before = make()
    sliced = before.folder / "plate.gcode"
    sliced.write_bytes(b"G28\n")
    assert "plate.gcode" in staff.get(f"/dashboard/jobs/{before.id}/approve").get_data(as_text=True)
    sliced.unlink()
    state = tree(before.folder)
    answer = post(before.id, "approve", **usual_input("approve", before.job) | {"print_file": ["plate.gcode"]})
    assert answer.status_code == 422 and re.search(r"plate\.gcode is not in the job", text(answer))
    assert tree(before.folder) == state


def test_a_print_file_that_is_a_link_to_elsewhere_is_none(make: MakeJob, post: PostAction, tmp_path: Path) -> None:
    before = make()
    (tmp_path / "secret.gcode").write_bytes(b"secret")
    link(before.folder / "plate.gcode", tmp_path / "secret.gcode")
    answer = post(before.id, "approve", **usual_input("approve", before.job) | {"print_file": ["plate.gcode"]})
    assert answer.status_code == 422


def test_an_action_without_its_csrf_token_changes_nothing(make: MakeJob, post: PostAction) -> None:
    before = make()
    state = tree(before.folder)
    answer = post(before.id, "reject", csrf_token=None, **USUAL_INPUT["reject"])
    assert answer.status_code == 400 and "open for too long" in text(answer)
    assert post(before.id, "reject", csrf_token="forged", **USUAL_INPUT["reject"]).status_code == 400
    assert tree(before.folder) == state


@pytest.mark.parametrize("revision", [None, "", "two"])
def test_an_action_that_does_not_say_which_state_it_saw_changes_nothing(
    make: MakeJob, post: PostAction, revision: str | None
) -> None:
    before = make()
    state = tree(before.folder)
    answer = post(before.id, "reject", revision=revision, **USUAL_INPUT["reject"])
    assert answer.status_code in (409, 422) and tree(before.folder) == state


def test_an_action_on_no_job_says_so(staff: FlaskClient) -> None:
    data = {"csrf_token": form_token(staff, "/logout"), "revision": "1"}
    for job_id in ("aaaaaaaa", "..", "%2e%2e"):
        assert staff.post(f"/dashboard/jobs/{job_id}/start", data=data).status_code == 404


# -- two tabs ---------------------------------------------------------------------------------------------------------


def test_the_second_of_two_tabs_is_told_what_happened_and_keeps_what_was_typed(
    staff: FlaskClient, services: Services, make: MakeJob, post: PostAction
) -> None:
    before = make()
    old = before.job.revision
    assert post(before.id, "notes", notes="Sam was here", revision=old).status_code == 303
    state = tree(before.folder)
    fields = usual_input("approve", before.job) | {"weight_g": "61.8", "time_h": "2.6"}
    answer = post(before.id, "approve", revision=old, **fields)
    page = answer.get_data(as_text=True)
    assert answer.status_code == 409
    assert "Somebody else changed this job" in page and "Notes changed" in page
    assert 'value="61.8"' in page and 'value="2.6"' in page and tree(before.folder) == state
    new = hidden_value(page, "revision")
    assert new == str(services.store.load(before.id).job.revision) != str(old)
    second_answer = staff.post(
        f"/dashboard/jobs/{before.id}/approve", data=fields | {"csrf_token": token_in(page), "revision": new}
    )
    assert second_answer.status_code == 303
    job = services.store.load(before.id).job
    assert present(job.estimate).cost == Decimal("6.18") and job.notes == "Sam was here"


def test_a_tab_whose_action_is_over_is_told_that_it_is(services: Services, make: MakeJob, post: PostAction) -> None:
    before = make()
    old = before.job.revision
    assert post(before.id, "reject", revision=old, **USUAL_INPUT["reject"]).status_code == 303
    after = services.store.load(before.id)
    answer = post(before.id, "approve", revision=old, **usual_input("approve", before.job))
    assert answer.status_code == 409 and re.search(r"Rejected: .*The walls are too thin\.", text(answer))
    assert services.store.load(before.id).job.revision == after.job.revision


def test_the_same_click_twice_happens_once(services: Services, make: MakeJob, post: PostAction) -> None:
    before = make(R)
    assert post(before.id, "start", revision=before.job.revision).status_code == 303
    assert post(before.id, "start", revision=before.job.revision).status_code == 409
    assert [e.type for e in services.store.load(before.id).events].count("PrintingStarted") == 1


def test_a_change_by_the_student_meanwhile_is_named(services: Services, make: MakeJob, post: PostAction) -> None:
    before = make(P)
    services.actions.student_decides(before.id, present(present(before.job.confirmation).nonce), confirm=True)
    answer = post(before.id, "confirm", revision=before.job.revision, **USUAL_INPUT["confirm"])
    assert answer.status_code == 409 and "The student confirmed" in text(answer)


def test_a_revision_from_the_future_is_refused_too(make: MakeJob, post: PostAction) -> None:
    before = make(R)
    assert post(before.id, "start", revision=before.job.revision + 5).status_code == 409


# -- the job's page ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", list(Status))
def test_the_jobs_page_has_the_facts_the_history_and_only_the_actions_that_are_possible(
    staff: FlaskClient, make: MakeJob, status: Status
) -> None:
    stored = make(status, message="Please hurry", class_number="ART 1", discipline="Art")
    answer = staff.get(f"/dashboard/jobs/{stored.id}")
    assert answer.status_code == 200
    page, words = answer.get_data(as_text=True), text(answer)
    for fact in ("Jane Doe", "jane@example.edu", "Filament", "True Red", "Prusa MK4S", "ART 1", "Art", "Please hurry"):
        assert fact in words
    assert "bracket v2.stl" in words and f"{stored.folder.parent.name}/{stored.folder.name}" in words
    assert "Submitted: bracket v2.stl" in words
    offered = set(re.findall(rf'action="/dashboard/jobs/{stored.id}/([a-z-]+)"', page))
    assert offered <= {step.action for step in workflow.steps_from(status, "staff")} | {"reprint"}
    # What need not be shown: the mark that is there already, and what puts something right where nothing is wrong.
    must = {step.action for step in workflow.steps_from(status, "staff")} - {"review", "unreview"}
    must -= WHERE_DUE | MONEY | PLATES
    assert must <= offered and not WHERE_DUE & offered


def test_a_click_after_somebody_moved_the_folder_is_not_done_and_names_the_move(
    staff: FlaskClient, services: Services, make: MakeJob, post: PostAction
) -> None:
    before = make(P)
    moved_to = services.store.layout.status(X) / before.folder.name
    before.folder.rename(moved_to)
    page = staff.get(f"/dashboard/jobs/{before.id}")
    assert page.status_code == 200 and "Printing" in text(page)
    answer = post(before.id, "confirm", revision=before.job.revision, **USUAL_INPUT["confirm"])
    assert answer.status_code == 409 and "The folder was moved to Printing" in text(answer)
    after = services.store.load(before.id)
    assert (after.job.status, after.folder) == (X, moved_to)
    assert "StaffConfirmed" not in new_events(before, after)
    assert next(e for e in after.events if e.type == "FolderMoved").actor == "filesystem"


def test_a_damaged_record_can_be_seen_but_not_changed(
    staff: FlaskClient, services: Services, make: MakeJob, post: PostAction
) -> None:
    before = make()
    (before.folder / "metadata.json").write_text("{ half a docu", "utf-8")
    state = tree(before.folder)
    page = staff.get(f"/dashboard/jobs/{before.id}")
    assert page.status_code == 200 and "record needs a person" in text(page)
    assert post(before.id, "notes", notes="x", revision=before.job.revision).status_code == 409
    assert tree(before.folder) == state


def test_a_job_made_long_ago_is_worked_upon_as_any_other(services: Services, make: MakeJob, post: PostAction) -> None:
    before = make(P, ago=timedelta(days=400))
    assert post(before.id, "confirm", **USUAL_INPUT["confirm"]).status_code == 303
    assert act(services.store, before.id, "start").job.status is X


def test_from_the_dashboard_one_comes_back_to_the_dashboard(make: MakeJob, post: Callable[..., TestResponse]) -> None:
    answer = post(make(R).id, "start", back="dashboard")
    assert answer.status_code == 303 and answer.location == "/dashboard?status=ReadyToPrint"
    assert post(make(R, printer="prusa-xl").id, "start", back="//evil").location.startswith("/dashboard/jobs/")
