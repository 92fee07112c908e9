"""A report for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

from printsys.domain.pricing import money
from printsys.reports.figures import FAULTS, Report, Totals
from printsys.texts import amount, lasting

TOTAL_NAMES = {
    "submitted": "Submitted",
    "approved": "Approved",
    "rejected": "Rejected",
    "started": "Started to print",
    "printed": "Printed",
    "collected": "Collected",
    "failed": "Failed prints",
    "revenue": "Revenue",
    "refunded": "Given back",
    "waived": "Waived",
}
DIMENSION_NAMES = {
    "printer": "Printer",
    "material": "Material",
    "color": "Color",
    "discipline": "Discipline",
    "class_number": "Class",
    "method": "Method",
}


def report_text(report: Report) -> str:
    return "\n".join(_lines(report))


def figure(totals: Totals, name: str) -> str:
    value = getattr(totals, name)
    return money(value) if isinstance(value, Decimal) else str(value)


def _lines(report: Report) -> Iterator[str]:
    yield f"{report.days.title}, compared with {report.days_before.title}"
    rows = [
        (label, figure(report.totals, name), figure(report.totals_before, name)) for name, label in TOTAL_NAMES.items()
    ]
    yield from _table("In all", ("", "now", "before"), rows)
    parts = [(part.days.title, *(figure(part.totals, name) for name in TOTAL_NAMES)) for part in report.parts]
    yield from _table(f"By {report.by}", ("", *TOTAL_NAMES.values()), parts)
    yield from _table(
        "Rejections", ("", "now", "before"), [(r.label, str(r.count), str(r.count_before)) for r in report.rejections]
    )
    causes = [(c.cause, FAULTS[c.fault], str(c.count), f"{amount(c.wasted_g)} g") for c in report.causes]
    yield from _table("Failed prints", ("", "fault", "times", "wasted"), causes)
    waits = [
        (wait.label, str(wait.count), lasting(wait.median_h * 3600), lasting(wait.ninetieth_h * 3600))
        for wait in report.waits
    ]
    yield from _table("How long it took", ("", "times", "median", "nine in ten within"), waits)
    for dimension, usages in report.usage.items():
        rows_of_usage = [
            (u.label, str(u.jobs), amount(u.hours), amount(u.grams), amount(u.milliliters)) for u in usages
        ]
        yield from _table(
            f"Printed by {DIMENSION_NAMES[dimension].lower()}", ("", "jobs", "h", "g", "ml"), rows_of_usage
        )
    months = [(m.month.title, m.method, money(m.total)) for m in report.money]
    yield from _table("Revenue", ("", "by", ""), months)
    open_sums = report.outstanding
    yield from _table(
        "To be paid now",
        ("", "jobs", ""),
        [
            ("Handed out", str(open_sums.unpaid_jobs), money(open_sums.unpaid)),
            ("Waiting to be collected", str(open_sums.waiting_jobs), money(open_sums.waiting)),
        ],
    )
    accuracy = [
        row
        for a in report.accuracy
        for row in (
            (a.method, "hours", str(a.timed), amount(a.hours_estimated), f"{a.hours_actual:.1f}"),
            (a.method, "grams", str(a.weighed), amount(a.grams_estimated), amount(a.grams_actual)),
            (a.method, "price", str(a.charged), money(a.price_estimated), money(a.price_actual)),
        )
    ]
    yield from _table("Estimate and actual", ("", "", "jobs", "estimated", "actual"), accuracy)


def _table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    if not rows:
        return
    yield from ("", title)
    widths = [max(len(row[n]) for row in (head, *rows)) for n in range(len(head))]
    for row in (head, *rows) if any(head[1:]) else rows:
        first, *others = (
            cell.rjust(width) if n else cell.ljust(width)
            for n, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        yield "  ".join(["", first, *others]).rstrip()
