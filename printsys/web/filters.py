"""How templates write times, money, amounts and statuses."""

from __future__ import annotations

import base64
import re
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from flask import Flask
from markupsafe import Markup, escape

from printsys import texts
from printsys.domain.payments import charged_discounts, ledger
from printsys.domain.status import Status, in_words
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
    app.add_template_filter(clock)
    app.add_template_filter(day)
    app.add_template_filter(time_of_day)
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
    app.add_template_filter(date_words)
    app.add_template_filter(texts.hours)
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


def when(moment: datetime | None) -> str:
    """`Mar 2, 2026, 10:20 am`, where the lab is."""
    if moment is None:
        return ""
    time = local(moment)
    return f"{time:%b} {time.day}, {time.year}, {texts.clock(time)}"


def clock(moment: datetime) -> str:
    """`7:25:40 pm`, for what is about to happen."""
    return texts.clock(local(moment), seconds=True)


def time_of_day(moment: datetime) -> str:
    """`5:00 pm`."""
    return texts.clock(local(moment))


def day(moment: datetime | None) -> str:
    if moment is None:
        return ""
    time = local(moment)
    return f"{time:%A}, {time:%B} {time.day}"


def date_words(date: date) -> str:
    """`Monday, March 2`, of a day without a time."""
    return f"{date:%A}, {date:%B} {date.day}"


def days(count: int) -> str:
    return f"{count} {'day' if count == 1 else 'days'}"


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
    if seconds < 60:
        return "just now"
    if seconds < 3600:
        return f"{int(seconds // 60)} min"
    if seconds < 48 * 3600:
        return f"{int(seconds // 3600)} h"
    return f"{int(seconds // 86400)} days"


def due(text: str | None) -> str:
    """`today`, `tomorrow`, `in 5 days`, `2 days late`: how far off a date like 2026-03-31 is, where the lab is."""
    try:
        distance = (date.fromisoformat(text or "") - local(datetime.now(UTC)).date()).days
    except ValueError:  # somebody edited metadata.json
        return text or ""
    if distance < 0:
        return f"{days(-distance)} late"
    return {0: "today", 1: "tomorrow"}.get(distance, f"in {days(distance)}")


def size(count: int) -> str:
    """`684 KB`, in powers of 1000 as file managers write it."""
    if count < 1000:
        return f"{count} bytes"
    if count < 1_000_000:
        return f"{count / 1000:.0f} KB"
    return f"{count / 1_000_000:.1f} MB"


def status_name(status: Status | str | None) -> str:
    return "" if status is None else STATUS_TEXTS[Status(status)].name


def actor(who: str) -> str:
    """`staff:Sam` → `Sam`."""
    kind, _, name = who.partition(":")
    return name or {"filesystem": "in the folder", "system": "the system", "student": "the student"}.get(kind, "staff")


def slug(text: str) -> str:
    """`True Red` → `true-red`: a color's name as staff.css has it."""
    return "-".join(re.findall(r"[a-z0-9]+", text.lower()))
