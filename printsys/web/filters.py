"""How templates write times, money, amounts and statuses."""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from flask import Flask

from printsys import texts
from printsys.domain.status import Status
from printsys.models3d.findings import size_text
from printsys.texts import STATUS_TEXTS, amount, money
from printsys.web.auth import is_staff
from printsys.web.services import services


def picture_address(png: bytes) -> str:
    """The picture itself as an address: there is no job yet whose folder could hold it."""
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def init(app: Flask) -> None:
    app.add_template_filter(when)
    app.add_template_filter(clock)
    app.add_template_filter(day)
    app.add_template_filter(ago)
    app.add_template_filter(money)
    app.add_template_filter(amount)
    app.add_template_filter(size)
    app.add_template_filter(status_name)
    app.add_template_filter(actor)
    app.add_template_filter(slug)
    app.add_template_filter(size_text, "model_size")
    app.add_template_filter(picture_address)
    app.context_processor(_common)


def _common() -> dict[str, Any]:
    return {
        "lab": services().lab,
        "is_staff": is_staff(),
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


def day(moment: datetime | None) -> str:
    if moment is None:
        return ""
    time = local(moment)
    return f"{time:%A}, {time:%B} {time.day}"


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
