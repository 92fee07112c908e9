"""Jobs with random lives, by the real actions, over more than a year."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from printsys.domain.events import FILESYSTEM, STUDENT, EventDraft, EventType
from printsys.domain.job import Document, Job
from printsys.domain.payments import ledger
from printsys.domain.plates import plates
from printsys.domain.status import Status
from printsys.errors import InvalidInput, TransitionNotAllowed
from printsys.jobstore import JobStore
from tests.factories import STAFF, Clock, act, make_job, resubmit

BEGINNING, DAYS = datetime(2025, 9, 1, 5, 0, 0, tzinfo=UTC), 400
COLORS, PRINTERS = ("True Red", "Gray", "Blue"), ("prusa-mk4s", "prusa-xl", "raise3d-pro2plus")
DISCIPLINES, CLASSES = ("Art", "Engineering", "Other"), ("ARCH 4000", "N/A", "ME 101")
CAUSES = ("Came off the bed.", "came off  the bed", "Nozzle clogged", "Warped")
SPELLINGS = (
    "{dollars}.{cents:02}", "+{dollars}.{cents:02}", " {dollars}.{cents:02} ", "{dollars}.", ".{cents:02}",
    "{dollars}e1", "{dollars}{cents:02}E-2", "1_{dollars:03}.{cents:02}",
)  # fmt: skip
"""Ways to write an amount by hand that a record takes."""
STEPS: dict[Status, dict[str, int]] = {
    Status.UPLOADED: {"approve": 12, "reject": 3, "withdraw": 1, "review": 1},
    Status.PENDING: {"student_confirm": 7, "confirm": 3, "student_decline": 1, "revert": 1, "withdraw": 1, "pay": 1},
    Status.READY_TO_PRINT: {"start": 14, "reject": 1, "revert": 1, "pay": 1, "override": 1},
    Status.PRINTING: {"complete": 10, "fail": 4, "plates": 6, "revert": 1},
    Status.COMPLETED: {"blank by hand": 2, "pickup": 12, "pay": 2, "waive": 1, "revert": 1, "override": 1},
    Status.PAID_PICKED_UP: {"pay": 3, "refund": 3, "waive": 2, "revert": 2, "archive": 4, "edit by hand": 2},
    Status.REJECTED: {"resubmit": 3, "revert": 1, "archive": 2, "refund": 1},
    Status.ARCHIVED: {"refund": 1, "pay": 1},
}


def make_lives(store: JobStore, clock: Clock, count: int, seed: int) -> None:
    rng = random.Random(seed)
    for number in range(count):
        clock.now = BEGINNING + timedelta(seconds=rng.randrange(DAYS * 86400))
        method = rng.choice(("Filament", "Filament", "Resin"))
        stored = make_job(
            store,
            f"Student {number}",
            method=method,
            color=rng.choice(COLORS) if method == "Filament" else "Black",
            printer=rng.choice(PRINTERS) if method == "Filament" else "formlabs-form3",
            discipline=rng.choice(DISCIPLINES),
            class_number=rng.choice(CLASSES),
            copies=rng.choice((1, 1, 1, 3)),
        )
        for _ in range(rng.randrange(16)):
            clock.now += timedelta(seconds=rng.choice((30, 4000, 90_000, 200_000)) * rng.uniform(0.5, 1.5))
            _live_on(store, stored.id, rng)


def _live_on(store: JobStore, job_id: str, rng: random.Random) -> None:
    job = store.load(job_id).job
    weights = STEPS[job.status]
    action = rng.choices([*weights], [*weights.values()])[0]
    if action in EDITS:
        EDITS[action](store, job_id, rng)
        return
    try:
        if action == "resubmit":
            resubmit(store, job_id, [(f"again {rng.randrange(9**9)}.stl", b"solid x\nendsolid x\n")])
        else:
            is_students = action in ("student_confirm", "student_decline", "withdraw")
            act(store, job_id, action, STUDENT if is_students else STAFF, **VALUES.get(action, _nothing)(job, rng))
    except (TransitionNotAllowed, InvalidInput):
        pass  # a link that ran out, more given back than was paid: what a person would be refused, too


def _edit_payment(store: JobStore, job_id: str, rng: random.Random) -> None:
    dollars, cents = divmod(rng.randrange(2000), 100)
    _edit(store, job_id, {"payment": {"amount": rng.choice(SPELLINGS).format(dollars=dollars, cents=cents)}})


def _blank(store: JobStore, job_id: str, rng: random.Random) -> None:
    """What is not known: as nothing, and as an empty text."""
    nothing, request = rng.choice(("", None)), {"printed_on": "", "printer": rng.choice(PRINTERS)}
    student = dict.fromkeys(("discipline", "class_number"), nothing)
    _edit(store, job_id, {"request": request | {"color": nothing}, "student": student})


def _edit(store: JobStore, job_id: str, patch: Document) -> None:
    """As the indexer records what somebody wrote into metadata.json."""
    with store.edit(job_id) as change:
        change.record(EventDraft(EventType.METADATA_EDITED, FILESYSTEM, {}, patch))


EDITS = {"edit by hand": _edit_payment, "blank by hand": _blank}


def _nothing(job: Job, rng: random.Random) -> dict[str, Any]:
    return {}


def _approval(job: Job, rng: random.Random) -> dict[str, Any]:
    is_resin = job.request.method == "Resin"
    materials = ("Standard Resin", "Tough Resin") if is_resin else ("PLA", "PETG")
    volume = {"volume_ml": f"{rng.uniform(1, 90):.1f}"} if is_resin else {}
    figures = {"weight_g": f"{rng.uniform(1, 300):.1f}", "time_h": f"{rng.uniform(0.2, 30):.2f}"}
    return figures | volume | {"material": rng.choice(materials)}


def _pickup(job: Job, rng: random.Random) -> dict[str, Any]:
    price = job.estimate.cost if job.estimate and job.estimate.cost else Decimal("3.00")
    amount = rng.choice((price, price, Decimal("0.00"), round(price / 2, 2), price + 1))
    return {
        "amount": str(amount),
        "payment_method": rng.choice(("Card", "Cash", "Department account")),
        "waive_reason": rng.choice(("", "", "Our fault.")),
        "weight_g": rng.choice(("", f"{rng.uniform(1, 300):.1f}")),
        "charge": rng.choice(("", "quote", "scale")),
    }


def _some_of_what_is_due(job: Job, rng: random.Random) -> dict[str, Any]:
    return {"amount": str(rng.choice((Decimal("1.00"), Decimal("2.35"), ledger(job).due or Decimal("0.50"))))}


def _plates(job: Job, rng: random.Random) -> dict[str, Any]:
    keys = [plate.key for plate in plates(job)]
    chosen = rng.sample(keys, rng.randint(1, len(keys))) if keys else ["1:"]
    return {"plate": chosen, "state": rng.choice(("printed", "failed", "reprint", "open"))}


VALUES: dict[str, Callable[[Job, random.Random], dict[str, Any]]] = {
    "approve": _approval,
    "reject": lambda job, rng: {"reasons": rng.sample(("too-thin", "messy", "wrong-scale"), rng.randrange(3))},
    "start": lambda job, rng: {"printer": rng.choice(("", "prusa-xl"))},
    "fail": lambda job, rng: {
        "reason": rng.choice(CAUSES),
        "fault": rng.choice(("lab", "model", "machine")),
        "wasted_g": rng.choice(("", "12.5", "3")),
    },
    "plates": _plates,
    "pickup": _pickup,
    "pay": lambda job, rng: _some_of_what_is_due(job, rng) | {"payment_method": rng.choice(("Card", "Cash"))},
    "waive": _some_of_what_is_due,
    "refund": lambda job, rng: _some_of_what_is_due(job, rng) | {"still_due": rng.choice(("yes", "no"))},
    "override": lambda job, rng: {"status": rng.choice((Status.PRINTING, Status.COMPLETED, Status.UPLOADED))},
}
