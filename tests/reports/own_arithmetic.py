"""Every number of a report, by arithmetic of the tests' own over the lines of events.jsonl and metadata.json."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

CHICAGO = ZoneInfo("America/Chicago")
LAST = {
    "approved": {"StaffApproved"},
    "rejected": {"JobRejected", "StudentDeclined", "JobWithdrawn"},
    "started": {"PrintingStarted"},
    "printed": {"JobCompleted"},
    "collected": {"JobPickedUp"},
}
WAITS = {
    "StaffApproved": "approval",
    "StudentConfirmed": "answer",
    "StaffConfirmed": "answer",
    "PrintingStarted": "start",
    "JobCompleted": "print",
    "JobPickedUp": "collection",
}
Line = dict[str, Any]


def time_of(text: str) -> datetime:
    return datetime.fromisoformat(text)


@dataclass(frozen=True)
class Money:
    day: date
    method: str
    kind: str
    amount: Decimal
    waived: Decimal


class Life:
    """One job's folder. `is_pruned`: it was read, and is gone since."""

    def __init__(self, folder: Path) -> None:
        self.is_pruned = False
        self.record: Line = json.loads((folder / "metadata.json").read_text("utf-8"))
        self.lines: list[Line] = [
            json.loads(line) for line in (folder / "events.jsonl").read_text("utf-8").splitlines()
        ]

    def day(self, moment: str) -> date:
        return time_of(moment).astimezone(CHICAGO).date()

    def last(self, step: str) -> Line | None:
        lines = [line for line in self.lines if line["type"] in LAST[step]]
        return lines[-1] if lines else None

    def day_of(self, step: str) -> date | None:
        if step == "submitted":
            return self.day(self.record["created_at"])
        line = self.last(step)
        return self.day(line["at"]) if line else None

    def changes_of_status(self) -> list[Line]:
        return [line for line in self.lines if "status" in line["patch"]]

    def money(self) -> Iterator[Money]:
        """By the book: a payment comes in, a refund goes out, an undone hand-out voids its own lines, and whatever
        else writes another sum is a correction."""
        balance, method_before = Decimal(0), None
        for line in self.lines:
            patch, data, kind = line["patch"], line["data"], line["type"]
            if "payment" not in patch:
                continue
            payment = patch["payment"] or {"amount": "0"}
            if "amount" not in payment:
                continue
            waived = Decimal(0)
            if kind == "PaymentRecorded":
                amount, method, name = Decimal(data["amount"]), data["method"], "payment"
            elif kind == "PaymentRefunded":
                amount, method, name = -Decimal(data["amount"]), data["method"], "refund"
            elif kind == "PaymentWaived":
                amount, method, name, waived = Decimal(0), None, "waiver", Decimal(data["amount"])
            elif kind == "StatusReverted":
                voided = data.get("voided", [])
                amount = -sum((Decimal(v["amount"]) for v in voided if v["kind"] != "waiver"), Decimal(0))
                waived = -sum((Decimal(v["amount"]) for v in voided if v["kind"] == "waiver"), Decimal(0))
                methods = [v["method"] for v in voided if v["kind"] == "payment"]
                method, name = (methods[0] if methods else method_before), "taken back"
            else:
                amount, method, name = Decimal(payment["amount"]) - balance, method_before, "correction"
            balance += amount
            assert balance == Decimal(payment["amount"]), f"{kind} leaves {payment['amount']}, not {balance}"
            if amount or waived:
                yield Money(self.day(line["at"]), method or "Not recorded", name, amount, waived)
            method_before = payment.get("method")


class Lives:
    def __init__(self, storage: Path) -> None:
        folders = sorted(path.parent for path in storage.glob("[A-Z]*/*/metadata.json"))
        self.lives = [Life(folder) for folder in folders]

    def totals(self, first: date, last: date) -> dict[str, Any]:
        counts = {
            step: sum(first <= day <= last for life in self.lives if (day := life.day_of(step)))
            for step in ("submitted", *LAST)
        }
        money = [entry for life in self.lives for entry in life.money() if first <= entry.day <= last]
        return counts | {
            "failed": sum(failure[2] for failure in self.failures(first, last)),
            "revenue": sum(entry.amount for entry in money),
            "refunded": -sum(entry.amount for entry in money if entry.kind == "refund"),
            "waived": sum(entry.waived for entry in money),
        }

    def failures(self, first: date, last: date) -> Iterator[tuple[str, str, int, Decimal]]:
        """(cause, fault, how many, grams)"""
        for life in self.lives:
            for line in life.lines:
                if not first <= life.day(line["at"]) <= last:
                    continue
                data = line["data"]
                if line["type"] == "PrintFailed":
                    words = "not kept of pruned jobs" if life.is_pruned else data["reason"]
                    cause = " ".join(words.lower().split()).rstrip(".")
                    yield cause, data["fault"], 1, Decimal(data["wasted_g"] or 0)
                elif line["type"] == "PlatesMarked" and data["state"] == "failed":
                    yield "plates marked as failed", "", len(data["plates"]), Decimal(0)

    def reasons(self, first: date, last: date) -> Counter[str]:
        counts = Counter[str]()
        for life in self.in_range("rejected", first, last):
            line = life.last("rejected")
            assert line is not None
            counts.update(line["data"]["reasons"] or [""])
        return counts

    def in_range(self, step: str, first: date, last: date) -> list[Life]:
        return [life for life in self.lives if (day := life.day_of(step)) and first <= day <= last]

    def usage(self, first: date, last: date, dimension: str) -> dict[str, tuple[int, int, Decimal, Decimal, Decimal]]:
        sums: dict[str, list[Any]] = {}
        for life in self.in_range("printed", first, last):
            request, estimate = life.record["request"], life.record["estimate"] or {}
            row = sums.setdefault(_value(life, dimension), [0, 0, Decimal(0), Decimal(0), Decimal(0)])
            row[0] += 1
            row[1] += request["copies"]
            for n, name in enumerate(("time_h", "weight_g", "volume_ml"), 2):
                row[n] += Decimal(estimate.get(name) or 0)
        return {value: (row[0], row[1], row[2], row[3], row[4]) for value, row in sums.items()}

    def waits(self, first: date, last: date) -> dict[str, list[float]]:
        """Hours, in order."""
        hours: dict[str, list[float]] = defaultdict(list)
        for life in self.lives:
            changes = life.changes_of_status()
            for earlier, line in pairwise(changes):
                if line["type"] in WAITS and first <= life.day(line["at"]) <= last:
                    spent = time_of(line["at"]) - time_of(earlier["at"])
                    hours[WAITS[line["type"]]].append(spent.total_seconds() / 3600)
        for life in self.in_range("printed", first, last):
            printed = life.last("printed")
            assert printed is not None
            hours["whole"].append((time_of(printed["at"]) - time_of(life.record["created_at"])).total_seconds() / 3600)
        return {step: sorted(values) for step, values in hours.items()}

    def accuracy(self, first: date, last: date) -> dict[str, list[Any]]:
        rows: dict[str, list[Any]] = {}
        for life in self.in_range("printed", first, last):
            estimate, payment = life.record["estimate"] or {}, life.record["payment"]
            row = rows.setdefault(
                life.record["request"]["method"], [0, Decimal(0), 0.0, *([0, Decimal(0), Decimal(0)] * 2)]
            )
            changes = life.changes_of_status()
            place = max(n for n, line in enumerate(changes) if line["type"] == "JobCompleted")
            if estimate.get("time_h") and changes[place - 1]["type"] == "PrintingStarted":
                spent = time_of(changes[place]["at"]) - time_of(changes[place - 1]["at"])
                _add(row, 0, Decimal(estimate["time_h"]), spent.total_seconds() / 3600)
            if payment and payment["weight_g"] and estimate.get("weight_g"):
                _add(row, 3, Decimal(estimate["weight_g"]), Decimal(payment["weight_g"]))
            if payment and estimate.get("cost"):
                _add(row, 6, Decimal(estimate["cost"]), Decimal(payment.get("price") or estimate["cost"]))
        return rows

    def behind(self, number: dict[str, str]) -> set[str]:
        """The ids of the jobs behind a number, by the address of its link."""
        first, last, happened = date.fromisoformat(number["from"]), date.fromisoformat(number["to"]), number["happened"]
        if happened in ("submitted", *LAST):
            lives = self.in_range(happened, first, last)
            chosen = [life for life in lives if _has_value(life, number) and _has_reason(life, number)]
            return {life.record["id"] for life in chosen}
        if "paid_by" in number or number.get("unrecorded") == "paid_by":
            method = number.get("paid_by", "Not recorded")
            return {
                life.record["id"]
                for life in self.lives
                for entry in life.money()
                if first <= entry.day <= last and entry.amount and entry.method == method
            }
        return {
            life.record["id"]
            for life in self.lives
            if any(_counts(life, line, number) for line in _lines(life, first, last))
        }

    def outstanding(self) -> tuple[int, Decimal, int, Decimal]:
        unpaid, waiting = [], []
        for life in self.lives:
            record = life.record
            payment, estimate = record["payment"] or {}, record["estimate"] or {}
            price = Decimal(payment.get("price") or estimate.get("cost") or 0)
            lines = payment.get("lines", [])
            settled = Decimal(payment.get("amount", "0")) + sum(
                (Decimal(line["amount"]) for line in lines if line["kind"] == "waiver"), Decimal(0)
            )
            due = max(price - settled, Decimal(0))
            is_out = record["status"] == "PaidPickedUp" or (
                record["status"] == "Archived" and payment.get("picked_up_by") is not None
            )
            if is_out and payment and due:
                unpaid.append(due)
            elif record["status"] == "Completed":
                waiting.append(due)
        return len(unpaid), sum(unpaid, Decimal(0)), len(waiting), sum(waiting, Decimal(0))


def _lines(life: Life, first: date, last: date) -> list[Line]:
    return [line for line in life.lines if first <= life.day(line["at"]) <= last]


def _counts(life: Life, line: Line, number: dict[str, str]) -> bool:
    """Whether the line is among what is counted."""
    data, kind, happened = line["data"], line["type"], number["happened"]
    if happened == "failed":
        is_plate = kind == "PlatesMarked" and data["state"] == "failed"
        cause = "plates marked as failed" if is_plate else data.get("reason", "").lower()
        cause_asked, fault_asked = number.get("cause", "").lower().split(), number.get("fault")
        is_cause = not cause_asked or " ".join(cause_asked).rstrip(".") == " ".join(cause.split()).rstrip(".")
        is_fault = not fault_asked or data.get("fault") == fault_asked
        is_unknown = number.get("unrecorded") != "fault" or is_plate
        return (is_plate or kind == "PrintFailed") and is_cause and is_fault and is_unknown
    if happened in ("refunded", "waived"):
        names = {"refunded": {"PaymentRefunded"}, "waived": {"PaymentWaived"}}[happened]
        return kind in names or (happened == "waived" and any(v["kind"] == "waiver" for v in data.get("voided", [])))
    return (
        "payment" in line["patch"] if happened == "paid" else WAITS.get(kind) == happened and "status" in line["patch"]
    )


VALUES = {"printed_on": "printer", "class": "class_number"}


def _value(life: Life, dimension: str) -> str:
    request, estimate = life.record["request"], life.record["estimate"] or {}
    values = {
        "printer": request.get("printed_on") or request["printer"],
        "material": estimate.get("material"),
        "color": request["color"],
        "discipline": life.record["student"]["discipline"],
        "class_number": life.record["student"]["class_number"],
        "method": request["method"],
    }
    return values[dimension] or ""


def _has_value(life: Life, number: dict[str, str]) -> bool:
    """Whether the job is one of the printer, the color, … that the address names, or that it says is not recorded."""
    others = ("happened", "from", "to", "reason", "unrecorded")
    wanted = {name: value for name, value in number.items() if name not in others}
    wanted |= {name: "" for name in [number.get("unrecorded", "reason")] if name != "reason"}
    return all(_value(life, VALUES.get(name, name)) == value for name, value in wanted.items())


def _has_reason(life: Life, number: dict[str, str]) -> bool:
    line = life.last("rejected")
    reasons = line["data"]["reasons"] if line else []
    if number.get("unrecorded") == "reason":
        return reasons == []
    return "reason" not in number or number["reason"] in reasons


def _add(row: list[Any], place: int, estimated: Decimal, actual: Any) -> None:
    row[place] += 1
    row[place + 1] += estimated
    row[place + 2] += actual


def percentile(values: list[float], share: float) -> float:
    """Between the two nearest, in proportion."""
    place = share * (len(values) - 1)
    below = int(place)
    above = min(below + 1, len(values) - 1)
    return values[below] + (values[above] - values[below]) * (place - below)
