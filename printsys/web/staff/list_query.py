"""The dashboard's list as the address has it: what it leaves out, how it is sorted, and which page of it is shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from indexer.happened import During, Happening
from indexer.job_filter import ORDERS, RECORDED, Due, JobFilter, Order, usual_order
from printsys.config import Lab
from printsys.domain.inputs import FAULTS as KNOWN_FAULTS
from printsys.domain.status import Status
from printsys.errors import InvalidInput
from printsys.reports.figures import FAULTS, reason_labels
from printsys.reports.periods import Range, chosen
from printsys.web.filters import local
from printsys.web.services import services

SORTS = {
    "due": "needed first",
    "submitted": "submitted first",
    "newest": "newest first",
    "hours": "shortest print first",
    "price": "highest price first",
    "student": "by student",
}
"""The orders of indexer/job_filter.py in words."""
DUES = {Due.LATE: "due date is past", Due.SOON: "due by tomorrow", Due.ANY: "has a due date"}
AGES = {24: "older than a day", 48: "older than 2 days", 72: "older than 3 days"}
"""Hours since the student sent it."""
FINDINGS = {"yes": "has findings"}
REVIEWS = {"yes": "not reviewed yet"}
HAPPENINGS = {happening: happening.value for happening in Happening} | {
    Happening.STARTED: "started to print",
    Happening.REFUNDED: "given back",
    Happening.APPROVAL: "a wait for approval ended",
    Happening.ANSWER: "a wait for the price’s confirmation ended",
    Happening.START: "a wait for the printer ended",
    Happening.PRINT: "printing ended",
    Happening.COLLECTION: "a wait for collection ended",
}
DURING = ("happened", "from", "to", "reason", "fault", "cause", "paid_by")
"""Names in the address that belong together."""
UNRECORDED = {
    "reason": "reason of the rejection",
    "fault": "fault of the failed print",
    "paid_by": "method of payment",
    "printed_on": "printer",
    "material": "material",
    "color": "color",
    "discipline": "discipline",
    "class": "class",
    "method": "method",
}
"""What the record may say nothing of, each by its name in the address."""
LONGEST_WORDS = 60
"""Of what staff typed, in a filter."""


@dataclass(frozen=True)
class ListFilter:
    """One thing to filter by: its name in the address, and what there is to choose, each with its words."""

    name: str
    label: str
    options: tuple[tuple[str, str], ...]
    chosen: str | None = None

    @property
    def words(self) -> str:
        """Of what is chosen; the lab may have dropped it since."""
        return dict(self.options).get(self.chosen or "", self.chosen or "")


@dataclass(frozen=True)
class ListQuery:
    wanted: JobFilter = field(default_factory=JobFilter)
    sort: str | None = None
    page: int = 1
    has_findings: bool = False
    """Only active jobs whose models have findings; `wanted` does not know which these are."""
    cause: str | None = None
    """Only jobs with a failed print for which staff typed this; `wanted` does not know how they spelled it."""
    paid_by: str | None = None
    """Only jobs that were paid for, or paid back, by this method; an empty text: by none that is known. What each event
    changed follows from those before it."""

    @classmethod
    def from_args(cls, args: Mapping[str, str]) -> ListQuery:
        """What makes no sense in an address is as if it were not there."""
        status, due, age, sort = (args.get(name, "") for name in ("status", "due", "age", "sort"))
        page = args.get("page", "")
        now = datetime.now(UTC)
        wanted = JobFilter(
            status=Status(status) if status in set(Status) else None,
            q=args.get("q", "").strip(),
            due=Due(due) if due in set(Due) else None,
            older_than=int(age) if age in map(str, AGES) else None,
            is_new=args.get("new") in REVIEWS,
            now=now,
            today=local(now).date(),
            printer=_word(args.get("printer", "")),
            method=_word(args.get("method", "")),
            color=_word(args.get("color", "")),
            discipline=_word(args.get("discipline", "")),
            material=_word(args.get("material", "")),
            class_number=_word(args.get("class", "")),
            printed_on=_word(args.get("printed_on", "")),
            unrecorded=_column(args.get("unrecorded", "")),
            during=_during(args),
        )
        happening = wanted.during.happening if wanted.during else None
        cause = " ".join(args.get("cause", "").split()) or None
        paid_by = "" if args.get("unrecorded") == "paid_by" else _word(args.get("paid_by", ""))
        page_number = int(page) if page.isdecimal() and len(page) < 10 else 1
        return cls(
            wanted,
            sort if sort in ORDERS else None,
            page_number,
            args.get("findings") in FINDINGS,
            cause if happening is Happening.FAILED else None,
            paid_by if happening is Happening.PAID else None,
        )

    @property
    def narrows(self) -> bool:
        """Whether it leaves out jobs of its status."""
        return self.has_findings or self.wanted.narrows

    @property
    def order(self) -> Order:
        return ORDERS[self.sort] if self.sort else usual_order(self.wanted.status)

    def args(self, without: Iterable[str] = (), **changed: Any) -> dict[str, Any]:
        """For `url_for`: what differs from the plain list, without its page; None takes a value out."""
        wanted = self.wanted
        values: dict[str, Any] = {
            "status": wanted.status.value if wanted.status else None,
            "q": wanted.q or None,
            "printer": wanted.printer,
            "method": wanted.method,
            "color": wanted.color,
            "discipline": wanted.discipline,
            "due": wanted.due.value if wanted.due else None,
            "age": wanted.older_than,
            "new": "yes" if wanted.is_new else None,
            "findings": "yes" if self.has_findings else None,
            "material": wanted.material,
            "class": wanted.class_number,
            "printed_on": wanted.printed_on,
            "unrecorded": "class" if wanted.unrecorded == "class_number" else wanted.unrecorded,
            **_during_args(wanted.during),
            "cause": self.cause,
            "paid_by": self.paid_by or None,
            **({"unrecorded": "paid_by"} if self.paid_by == "" else {}),
            "sort": self.sort,
        } | changed
        left_out = {*without, *(DURING if "happened" in without else ())}
        if "happened" in without and values["unrecorded"] in DURING:
            left_out.add("unrecorded")
        return {name: value for name, value in values.items() if value is not None and name not in left_out}

    def beside_filters(self, lab: Lab) -> dict[str, Any]:
        """What the form of the filters has no field for."""
        fields = {"sort", *(filter_.name for filter_ in self.filters(lab))}
        return {name: value for name, value in self.args().items() if name not in fields}

    def of(self, status: Status | None) -> ListQuery:
        return replace(self, wanted=replace(self.wanted, status=status))

    def filters(self, lab: Lab) -> list[ListFilter]:
        chosen = self.args()
        colors = dict.fromkeys(color for method in lab.methods for color in method.colors)
        offered = {
            "printer": ("Printer", [(printer.id, printer.name) for printer in lab.printers]),
            "method": ("Method", [(method.name, method.name) for method in lab.methods]),
            "color": ("Color", [(color, color) for color in colors]),
            "discipline": ("Discipline", [(name, name) for name in lab.submission.disciplines]),
            "due": ("Due", [(due.value, words) for due, words in DUES.items()]),
            "age": ("Age", [(str(hours), words) for hours, words in AGES.items()]),
            "new": ("Review", list(REVIEWS.items())),
            "findings": ("Model", list(FINDINGS.items())),
        } | self._of_reports(lab)
        return [
            ListFilter(name, label, tuple(options), str(chosen[name]) if name in chosen else None)
            for name, (label, options) in offered.items()
        ]

    def _of_reports(self, lab: Lab) -> dict[str, tuple[str, list[tuple[str, str]]]]:
        """What only a report's links filter by: offered where it is chosen."""
        wanted = self.wanted
        printer = lab.printer(wanted.printed_on)
        filters = {
            "material": ("Material", wanted.material, wanted.material),
            "class": ("Class", wanted.class_number, wanted.class_number),
            "printed_on": ("Printed on", wanted.printed_on, printer.name if printer else wanted.printed_on),
            **self._of_happenings(lab),
        }
        rows = {name: (label, [(value, words or value)]) for name, (label, value, words) in filters.items() if value}
        if (during := wanted.during) is not None:
            first, last = _during_days(during)
            words = HAPPENINGS[during.happening]
            rows["happened"] = ("In the range", [(during.happening.value, f"{words}, {Range(first, last).title}")])
        return rows

    def _of_happenings(self, lab: Lab) -> dict[str, tuple[str, str | None, str | None]]:
        during, unrecorded = self.wanted.during, self.args().get("unrecorded")
        reason, fault = (during.reason, during.fault) if during else (None, None)
        cause = self.cause if not self.cause or len(self.cause) <= LONGEST_WORDS else f"{self.cause[:LONGEST_WORDS]}…"
        return {
            "reason": ("Rejected for", reason, reason_labels(lab).get(reason or "")),
            "fault": ("Fault", fault, FAULTS.get(fault or "")),
            "cause": ("Cause", self.cause, cause),
            "paid_by": ("Paid by", self.paid_by, self.paid_by),
            "unrecorded": ("Not recorded", unrecorded, UNRECORDED.get(unrecorded or "")),
        }


def _during(args: Mapping[str, str]) -> During | None:
    """`happened`, with the days `from` and `to`; of rejections also `reason`, of failed prints also `fault`."""
    name, first, last = (args.get(name, "") for name in ("happened", "from", "to"))
    try:
        days = chosen(date.fromisoformat(first), date.fromisoformat(last), ())
    except (ValueError, InvalidInput):
        return None
    if name not in set(Happening):
        return None
    during, unrecorded = During(Happening(name), *days.moments(_zone())), args.get("unrecorded")
    if during.happening is Happening.REJECTED:
        return replace(during, reason="" if unrecorded == "reason" else _word(args.get("reason", "")))
    if during.happening is Happening.FAILED:
        fault = args.get("fault", "")
        return replace(during, fault="" if unrecorded == "fault" else fault if fault in KNOWN_FAULTS else None)
    return during


def _during_days(during: During) -> tuple[date, date]:
    return during.start.astimezone(_zone()).date(), (during.end - timedelta(seconds=1)).astimezone(_zone()).date()


def _during_args(during: During | None) -> dict[str, str | None]:
    if during is None:
        return dict.fromkeys(DURING)
    first, last = _during_days(during)
    days: dict[str, str | None] = {
        "happened": during.happening.value,
        "from": first.isoformat(),
        "to": last.isoformat(),
        "reason": during.reason or None,
        "fault": during.fault or None,
    }
    nothing = "reason" if during.reason == "" else "fault" if during.fault == "" else None
    return days | ({"unrecorded": nothing} if nothing else {})


def _zone() -> ZoneInfo:
    return ZoneInfo(services().lab.about.timezone)


def _column(name: str) -> str | None:
    """What is not recorded, as the mirror has it."""
    column = "class_number" if name == "class" else name
    return column if column in RECORDED else None


def _word(text: str) -> str | None:
    """None for what no name has; PostgreSQL takes no NUL."""
    return text if text and text.isprintable() else None
