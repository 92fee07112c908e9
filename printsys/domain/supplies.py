"""Fills in the facts that a move by hand skipped, each as the step would have that asks for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from printsys.domain.effects import Context, Effect, approve, missing_facts, reject, staff_confirm
from printsys.domain.emails import Mail
from printsys.domain.events import merge_patch
from printsys.domain.inputs import (
    ActionInput,
    ApproveInput,
    PickupInput,
    ReasonInput,
    RejectInput,
    SupplyInput,
    validate,
)
from printsys.domain.job import Document, Job, dump, parse
from printsys.domain.payment_effects import pickup
from printsys.domain.status import Status
from printsys.errors import InvalidInput


def _supply_approval(job: Job, values: ApproveInput, actor: str, context: Context) -> Effect:
    """Only a job that still waits for its student gets a link."""
    patch = approve(job, values, actor, context).patch
    if job.status is Status.PENDING:
        return Effect(patch, mail=Mail.APPROVED)
    return Effect({name: patch[name] for name in ("print_files", "estimate")})


def _supply_payment(job: Job, values: PickupInput, actor: str, context: Context) -> Effect:
    money = pickup(job, values, actor, context).money
    return Effect(money[-1].patch, {"lines": [draft.data for draft in money]}, mail=Mail.RECEIPT)


def _supply_rejection(job: Job, values: RejectInput, actor: str, context: Context) -> Effect:
    return Effect({"rejection": reject(job, values, actor, context).patch["rejection"]})


@dataclass(frozen=True)
class Supply:
    """How staff fill in one kind of missing fact: the model and effect of the step that would have asked for it.

    `words` name the fact in a sentence, `fields` are its form fields. A
    form may come with some of them filled in; one of `typed` means that staff did it.
    """

    words: str
    needs: type[ActionInput]
    effect: Callable[[Job, Any, str, Context], Effect]
    fields: tuple[str, ...]
    typed: frozenset[str]


SUPPLIES = {
    "approval": Supply(
        "weight, time and price",
        ApproveInput,
        _supply_approval,
        fields=("print_file", "material", "weight_g", "volume_ml", "time_h", "for_copies"),
        typed=frozenset({"weight_g", "volume_ml", "time_h"}),
    ),
    "confirmation": Supply(
        "the student's OK", ReasonInput, staff_confirm, fields=("reason",), typed=frozenset({"reason"})
    ),
    "payment": Supply(
        "the payment",
        PickupInput,
        _supply_payment,
        fields=("amount", "payment_method", "transaction", "picked_up_by", "waive_reason"),
        typed=frozenset({"amount"}),
    ),
    "rejection": Supply(
        "the reason for the rejection",
        RejectInput,
        _supply_rejection,
        fields=("reasons", "comment"),
        typed=frozenset({"reasons", "comment"}),
    ),
}


def supply(job: Job, values: SupplyInput, actor: str, context: Context) -> Effect:
    filled_in = {name: value for name, value in values.model_dump().items() if value not in (None, "", [])}
    patch: Document = {}
    data: Document = {}
    mail: Mail | None = None
    for fact in missing_facts(job):
        row = SUPPLIES[fact]
        if row.typed & filled_in.keys():
            fields = {name: filled_in[name] for name in row.fields if name in filled_in}
            effect = row.effect(job, validate(row.needs, fields), actor, context)
            patch |= effect.patch
            job = parse(merge_patch(dump(job), effect.patch))  # what is paid depends on the price that was just given
            data |= {"lines": effect.data["lines"]} if fact == "payment" else {}
            mail = effect.mail or mail
    if not patch:
        raise InvalidInput({"": ["Nothing was filled in."]})
    return Effect(patch, {"supplied": sorted(patch), "reason": filled_in.get("reason")} | data, mail=mail)
