"""How templates write times, money, amounts and statuses."""

from __future__ import annotations

import base64
import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from flask import Flask
from markupsafe import Markup, escape

from printsys import texts
from printsys.domain.job import format_time
from printsys.domain.payments import charged_discounts, ledger
from printsys.domain.status import Status, in_words
from printsys.domain.words import counted
from printsys.models3d.findings import size_text
from printsys.models3d.inspect import Size
from printsys.texts import STATUS_TEXTS, amount, money
from printsys.web.auth import is_staff, staff_name
from printsys.web.services import services

MM_AN_INCH = 25.4
WEB_ADDRESS = re.compile(r"(https?://[^\s<>\"]+[^\s<>\".,;:!?)])")


def picture_address(png: bytes) -> str:
    """The picture itself as an address: there is no job yet whose folder could hold it."""
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def init(app: Flask) -> None:
    app.add_template_filter(when)
    app.add_template_filter(exact)
    app.add_template_filter(counted)
    app.add_template_filter(due_date)
    app.add_template_filter(texts.day_text)
    app.add_template_filter(clock)
    app.add_template_filter(day)
    app.add_template_filter(time_of_day)
    app.add_template_filter(soon)
    app.add_template_filter(ago)
    app.add_template_filter(due)
    app.add_template_filter(money)
    app.add_template_filter(amount)
    app.add_template_filter(size)
    app.add_template_filter(status_name)
    app.add_template_filter(in_words)
    app.add_template_filter(actor)
    app.add_template_filter(ledger)
    app.add_template_filter(charged_discounts)
    app.add_template_filter(slug)
    app.add_template_filter(size_text, "model_size")
    app.add_template_filter(size_both)
    app.add_template_filter(texts.date_text, "date_words")
    app.add_template_filter(texts.hours)
    app.add_template_filter(texts.lasting)
    app.add_template_filter(Decimal, "decimal")
    app.add_template_filter(texts.discounts)
    app.add_template_filter(days)
    app.add_template_filter(linked)
    app.add_template_filter(picture_address)
    app.context_processor(_common)


def _common() -> dict[str, Any]:
    return {
        "lab": services().lab,
        "is_staff": is_staff(),
        "staff_name": staff_name,
        "student_texts": STATUS_TEXTS,
        "Status": Status,
        "now": lambda: datetime.now(UTC),
    }


def local(moment: datetime) -> datetime:
    return moment.astimezone(ZoneInfo(services().lab.about.timezone))


def exact(moment: datetime | None) -> str:
    """`Mon, Mar 2, 2026, 10:20 am`, where the lab is: for attributes, and for texts that are no HTML."""
    return "" if moment is None else texts.date_and_time(local(moment))


def when(moment: datetime | None) -> Markup:
    """The exact time where the lab is, and how long ago or in how long that is."""
    if moment is None:
        return Markup()
    element = Markup('<time datetime="{}">{} <span class="relative">({})</span></time>')
    return element.format(format_time(moment), exact(moment), texts.relative(moment, datetime.now(UTC)))


def clock(moment: datetime) -> str:
    """`7:25:40 pm`, for what is about to happen."""
    return texts.clock(local(moment), seconds=True)


def time_of_day(moment: datetime) -> str:
    """`5:00 pm`."""
    return texts.clock(local(moment))


def soon(moment: datetime) -> Markup:
    """`5:00 pm` today, `Fri 5:00 pm` within a week, else the exact time, which is the title of the others."""
    days_off = (local(moment).date() - local(datetime.now(UTC)).date()).days
    if days_off == 0:
        words = time_of_day(moment)
    else:
        words = f"{local(moment):%a} {time_of_day(moment)}" if 0 < days_off < 7 else exact(moment)
    return Markup('<time datetime="{}" title="{}">{}</time>').format(format_time(moment), exact(moment), words)


def day(moment: datetime | None) -> str:
    """The day of a moment to come, where the lab is: `Tue, Mar 31, 2026 (in 5 days)`."""
    return "" if moment is None else due_date(local(moment).date().isoformat())


def days(count: int) -> str:
    return counted(count, "day")


def size_both(size_mm: Size) -> str:
    """`12.7 × 25.4 × 3 mm (0.5 × 1 × 0.12 in)`."""
    inches = " × ".join(f"{side / MM_AN_INCH:.2f}".rstrip("0").rstrip(".") for side in size_mm)
    return f"{size_text(size_mm)} ({inches} in)"


def linked(text: str) -> Markup:
    """The lab's own text exactly as it is, its web addresses as links."""
    parts = WEB_ADDRESS.split(text)
    link = Markup('<a href="{0}" rel="noopener">{0}</a>')
    return Markup("").join(link.format(part) if n % 2 else escape(part) for n, part in enumerate(parts))


def ago(moment: datetime | None) -> str:
    """`just now`, `5 min`, `3 h`, `2 days`: how long ago something happened."""
    if moment is None:
        return ""
    seconds = (datetime.now(UTC) - moment).total_seconds()
    return "just now" if seconds < 60 else texts.lasting(seconds)


def due(text: str | None) -> str:
    """`today`, `tomorrow`, `in 5 days`, `2 days late`: how far off a date like 2026-03-31 is, where the lab is."""
    try:
        distance = (date.fromisoformat(text or "") - local(datetime.now(UTC)).date()).days
    except ValueError:  # somebody edited metadata.json
        return text or ""
    if distance < 0:
        return f"{days(-distance)} late"
    return {0: "today", 1: "tomorrow"}.get(distance, f"in {days(distance)}")


def due_date(text: str | None) -> str:
    """`Tue, Mar 31, 2026 (in 5 days)`."""
    exact_day, relative_day = texts.day_text(text), due(text)
    return exact_day if relative_day == exact_day else f"{exact_day} ({relative_day})"


def size(count: int) -> str:
    """`684 KB`, `12.3 GB`, in powers of 1000 as file managers write it."""
    if count < 1000:
        return f"{count} bytes"
    if count < 1_000_000:
        return f"{count / 1000:.0f} KB"
    if count < 1_000_000_000:
        return f"{count / 1_000_000:.1f} MB"
    return f"{count / 1_000_000_000:.1f} GB"


def status_name(status: Status | str | None) -> str:
    return "" if status is None else STATUS_TEXTS[Status(status)].name


def actor(who: str) -> str:
    """`staff:Sam` → `Sam`."""
    kind, _, name = who.partition(":")
    return name or {"filesystem": "in the folder", "system": "the system", "student": "the student"}.get(kind, "staff")


def slug(text: str) -> str:
    """`True Red` → `true-red`: a color's name as staff.css has it."""
    return "-".join(re.findall(r"[a-z0-9]+", text.lower()))
